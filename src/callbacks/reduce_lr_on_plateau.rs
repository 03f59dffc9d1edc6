//! ReduceLROnPlateau: reduces the learning rate when a metric has not improved for some epochs.

use super::format::repr;
use super::monitor::{Metric, Monitor};
use super::{Callback, Entry, Host, LEARNING_RATE, Logs, Verdict, learning_rate, set, verbose};
use crate::error::Result;
use crate::json::{Object, count};
use serde_json::{Map, Value, json};

pub(super) const ENTRY: Entry = (
    "ReduceLROnPlateau",
    &["monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr"],
    |config| {
        Ok(Box::new(ReduceLrOnPlateau {
            monitor: Monitor::read(config, 1e-4)?,
            factor: config.f64_or("factor", 0.1, "0 or more and below 1", |factor| (0.0..1.0).contains(&factor))?,
            patience: config.or("patience", 10, "a whole number", count)?,
            verbose: verbose(config)?,
            cooldown: config.or("cooldown", 0, "a whole number", count)?,
            min_lr: config.f64_or("min_lr", 0.0, "0 or more", |rate| rate >= 0.0)?,
            wait: 0,
            cooling: 0,
        }))
    },
);

#[derive(Debug)]
struct ReduceLrOnPlateau {
    monitor: Monitor,
    /// The factor of the learning rate. Default: 0.1.
    factor: f64,
    /// The epochs without improvement before a reduction. Default: 10.
    patience: usize,
    /// Whether it prints a message. Default: no.
    verbose: bool,
    /// Epochs after a reduction that do not count. Default: 0.
    cooldown: usize,
    /// The least learning rate. Default: 0.
    min_lr: f64,
    /// Epochs without improvement.
    wait: usize,
    /// Remaining epochs that do not count.
    cooling: usize,
}

impl ReduceLrOnPlateau {
    /// Reduces the learning rate, unless it is the least already.
    fn reduce(&mut self, host: &mut dyn Host, epoch: usize) -> Result<()> {
        let old = learning_rate(host)?;
        if old <= f64::from(self.min_lr as f32) {
            return Ok(());
        }
        let new = (old * self.factor).max(self.min_lr);
        host.set_learning_rate(new)?;
        (self.cooling, self.wait) = (self.cooldown, 0);
        match self.verbose {
            false => Ok(()),
            true => {
                let (epoch, new) = (epoch + 1, repr(new));
                host.print(&format!("\nEpoch {epoch}: ReduceLROnPlateau reducing learning rate to {new}."))
            }
        }
    }
}

impl Callback for ReduceLrOnPlateau {
    fn class(&self) -> &'static str {
        "ReduceLROnPlateau"
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.monitor.config_with_delta();
        config.insert("factor".into(), json!(self.factor));
        config.insert("patience".into(), json!(self.patience));
        config.insert("verbose".into(), json!(u8::from(self.verbose)));
        config.insert("cooldown".into(), json!(self.cooldown));
        config.insert("min_lr".into(), json!(self.min_lr));
        config
    }

    fn check(&mut self, metrics: &mut Vec<Metric>) -> Result<()> {
        if metrics.iter().all(|metric| metric.name != LEARNING_RATE) {
            metrics.push(Metric { name: LEARNING_RATE.into(), better: None });
        }
        self.monitor.check(metrics.iter())
    }

    fn epoch_end(&mut self, host: &mut dyn Host, epoch: usize, logs: &mut Logs) -> Result<Verdict> {
        set(logs, LEARNING_RATE, learning_rate(host)?);
        let Some(value) = self.monitor.value(logs) else { return Ok(Verdict::Continue) };
        if self.cooling > 0 {
            (self.cooling, self.wait) = (self.cooling - 1, 0);
        }
        if self.monitor.improves(value, self.monitor.best) {
            (self.monitor.best, self.wait) = (Some(value), 0);
        } else if self.cooling == 0 {
            self.wait += 1;
            if self.wait >= self.patience {
                self.reduce(host, epoch)?;
            }
        }
        Ok(Verdict::Continue)
    }

    fn state(&self) -> Map<String, Value> {
        let (wait, cooling) = (json!(self.wait), json!(self.cooling));
        Map::from_iter([self.monitor.state(), ("wait".into(), wait), ("cooling".into(), cooling)])
    }

    fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        state.only(&["best", "wait", "cooling"])?;
        self.monitor.restore(state)?;
        (self.wait, self.cooling) = (state.usize("wait")?, state.usize("cooling")?);
        Ok(())
    }
}
