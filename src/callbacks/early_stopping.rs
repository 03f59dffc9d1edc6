//! EarlyStopping: ends the fit when a metric has not improved for some epochs.

use super::format::repr;
use super::monitor::{Metric, Monitor};
use super::{Callback, Entry, Host, Logs, Verdict, number_or_null, verbose};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{Object, count};
use crate::memory::Buffer;
use serde_json::{Map, Value, json};

pub(super) const ENTRY: Entry = (
    "EarlyStopping",
    &["monitor", "min_delta", "patience", "verbose", "mode", "baseline", "restore_best_weights", "start_from_epoch"],
    |config| {
        Ok(Box::new(EarlyStopping {
            monitor: Monitor::read(config, 0.0)?,
            patience: config.or("patience", 0, "a whole number", count)?,
            verbose: verbose(config)?,
            baseline: number_or_null(config, "baseline")?,
            restore_best_weights: config.bool_or("restore_best_weights", false)?,
            start_from_epoch: config.or("start_from_epoch", 0, "a whole number", count)?,
            wait: 0,
            best_epoch: 0,
            stopped_epoch: None,
            kept: false,
            weights: Buffer::default(),
        }))
    },
);

#[derive(Debug)]
struct EarlyStopping {
    monitor: Monitor,
    /// The epochs without improvement after which the fit ends; 0 and 1 are the same. Default: 0.
    patience: usize,
    /// Whether it prints a message. Default: no.
    verbose: bool,
    /// The value that must be exceeded to reset the count. Default: none.
    baseline: Option<f64>,
    /// Whether the weights of the best epoch are restored at the end, however the fit ends. Default: no.
    restore_best_weights: bool,
    /// The first epoch that is monitored. Default: 0.
    start_from_epoch: usize,
    /// Epochs without improvement.
    wait: usize,
    best_epoch: usize,
    stopped_epoch: Option<usize>,
    /// Whether `weights` are those of the best epoch.
    kept: bool,
    weights: Buffer,
}

impl EarlyStopping {
    /// Copies the weights of `epoch`, the best so far.
    fn keep(&mut self, host: &dyn Host, epoch: usize) -> Result<()> {
        self.best_epoch = epoch;
        if self.restore_best_weights {
            host.weights(&mut |weights| self.weights.copy_from_slice(weights))?;
            self.kept = true;
        }
        Ok(())
    }

    fn stop(&self) -> Verdict {
        let (best, epochs) =
            (self.monitor.best.map_or("anything".into(), repr), if self.wait == 1 { "epoch" } else { "epochs" });
        let reason = format!("{} has not improved from {best} for {} {epochs}", self.monitor.name, self.wait);
        Verdict::Stop(format!("{}: {reason}", self.class()))
    }
}

impl Callback for EarlyStopping {
    fn class(&self) -> &'static str {
        "EarlyStopping"
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.monitor.config_with_delta();
        config.insert("patience".into(), json!(self.patience));
        config.insert("verbose".into(), json!(u8::from(self.verbose)));
        config.insert("baseline".into(), json!(self.baseline));
        config.insert("restore_best_weights".into(), json!(self.restore_best_weights));
        config.insert("start_from_epoch".into(), json!(self.start_from_epoch));
        config
    }

    fn check(&mut self, metrics: &mut Vec<Metric>) -> Result<()> {
        self.monitor.check(metrics.iter())
    }

    fn begin(&mut self, host: &mut dyn Host) -> Result<Verdict> {
        let mut len = 0;
        host.weights(&mut |weights| len = weights.len())?;
        if self.restore_best_weights && !self.kept {
            self.weights = Buffer::zeros(len)?;
        }
        if self.kept && self.weights.len() != len {
            let error = Error::new(ErrorKind::Format, "the weights of the best epoch are missing");
            return Err(error.expected(len).found(self.weights.len()));
        }
        Ok(if self.stopped_epoch.is_some() { self.stop() } else { Verdict::Continue })
    }

    fn epoch_end(&mut self, host: &mut dyn Host, epoch: usize, logs: &mut Logs) -> Result<Verdict> {
        let Some(value) = self.monitor.value(logs).filter(|_| epoch >= self.start_from_epoch) else {
            return Ok(Verdict::Continue);
        };
        self.wait += 1;
        if self.monitor.improves(value, self.monitor.best) {
            self.monitor.best = Some(value);
            self.keep(host, epoch)?;
            if self.baseline.is_none() || self.monitor.improves(value, self.baseline) {
                self.wait = 0;
            }
            return Ok(Verdict::Continue);
        }
        if self.wait < self.patience || epoch == 0 {
            return Ok(Verdict::Continue);
        }
        self.stopped_epoch = Some(epoch);
        Ok(self.stop())
    }

    fn end(&mut self, host: &mut dyn Host) -> Result<()> {
        if let Some(epoch) = self.stopped_epoch.filter(|_| self.verbose) {
            host.print(&format!("Epoch {}: early stopping", epoch + 1))?;
        }
        if !self.kept {
            return Ok(());
        }
        if self.verbose {
            let epoch = self.best_epoch + 1;
            host.print(&format!("Restoring model weights from the end of the best epoch: {epoch}."))?;
        }
        host.set_weights(&self.weights)
    }

    fn keeps_weights(&self) -> bool {
        self.restore_best_weights
    }

    fn state(&self) -> Map<String, Value> {
        Map::from_iter([
            self.monitor.state(),
            ("best_epoch".into(), json!(self.best_epoch)),
            ("kept".into(), json!(self.kept)),
            ("stopped_epoch".into(), json!(self.stopped_epoch)),
            ("wait".into(), json!(self.wait)),
        ])
    }

    fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        state.only(&["best", "best_epoch", "kept", "stopped_epoch", "wait"])?;
        self.monitor.restore(state)?;
        self.best_epoch = state.usize("best_epoch")?;
        self.kept = state.bool("kept")?;
        self.stopped_epoch = if state.has("stopped_epoch") { Some(state.usize("stopped_epoch")?) } else { None };
        self.wait = state.usize("wait")?;
        Ok(())
    }

    fn weights(&self) -> Option<&[f32]> {
        self.kept.then_some(&self.weights)
    }

    fn restore_weights(&mut self, weights: Buffer) {
        self.weights = weights;
    }
}
