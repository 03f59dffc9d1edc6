//! ModelCheckpoint: saves the model after each epoch, or the best one, or after every so many batches.

use super::format::{Number, Template, fixed};
use super::monitor::{Metric, Monitor};
use super::{Callback, Entry, Host, LEARNING_RATE, Logs, Step, Verdict, number_or_null, value, verbose};
use crate::error::{At, Error, ErrorKind, Result, one_of};
use crate::files::{self, FilePath};
use crate::json::Object;
use serde_json::{Map, Value, json};
use std::path::Path;

pub(super) const ENTRY: Entry = (
    "ModelCheckpoint",
    &[
        "filepath",
        "monitor",
        "verbose",
        "save_best_only",
        "save_weights_only",
        "mode",
        "save_freq",
        "initial_value_threshold",
    ],
    |config| Ok(Box::new(ModelCheckpoint::read(config)?)),
);

#[derive(Debug)]
struct ModelCheckpoint {
    /// The file, whose name may have fields: `{epoch:02d}` (from 1), `{val_loss:.2f}`, `{batch}` with a `save_freq` in batches.
    filepath: String,
    name: Template,
    monitor: Monitor,
    /// Whether it prints messages. Default: no.
    verbose: bool,
    /// Whether a model is saved only if it is better than the one saved before. Default: no.
    save_best_only: bool,
    /// Whether only the weights are saved. Default: no.
    save_weights_only: bool,
    /// After every so many batches of the fit; `None`: after each epoch. Default: `epoch`.
    save_freq: Option<u64>,
    /// The value that the first saved model must be better than. Default: none.
    initial_value_threshold: Option<f64>,
    /// The folder of a relative path.
    folder: FilePath,
}

/// File extensions of formats that are not written.
const NOT_WRITTEN: [&str; 2] = [".keras", ".h5"];

impl ModelCheckpoint {
    fn read(config: &Object<'_>) -> Result<Self> {
        let filepath = config.str("filepath")?;
        if let Some(end) = NOT_WRITTEN.iter().find(|end| filepath.ends_with(*end)) {
            let error = Error::new(ErrorKind::Unsupported, "this format is not supported").found(end);
            return Err(
                config.at_key(error.expected("another extension: the file is written as safetensors"), "filepath")
            );
        }
        let freq = |value: &Value| match value {
            Value::String(epoch) => (epoch == "epoch").then_some(None),
            batches => batches.as_u64().filter(|&batches| batches > 0).map(Some),
        };
        let (mut monitor, threshold) =
            (Monitor::read(config, 0.0)?, number_or_null(config, "initial_value_threshold")?);
        monitor.best = threshold;
        Ok(ModelCheckpoint {
            filepath: filepath.to_string(),
            name: Template::parse(filepath).map_err(|error| config.at_key(error, "filepath"))?,
            monitor,
            verbose: verbose(config)?,
            save_best_only: config.bool_or("save_best_only", false)?,
            save_weights_only: config.bool_or("save_weights_only", false)?,
            save_freq: config.or("save_freq", None, "'epoch', or a number of batches, 1 or more", freq)?,
            initial_value_threshold: threshold,
            folder: FilePath::of(Path::new(if Path::new(filepath).is_absolute() { "/" } else { "." }))?,
        })
    }

    /// Whether this model is to be saved to `name`.
    fn wanted(&mut self, host: &mut dyn Host, epoch: usize, logs: &Logs, name: &str) -> Result<bool> {
        let Some(now) = self.monitor.value(logs).filter(|_| self.save_best_only) else {
            // Without a measured value the model is saved.
            if !self.save_best_only {
                self.say(host, epoch, &format!("saving model to {name}"))?;
            }
            return Ok(true);
        };
        let (metric, best) = (&self.monitor.name, self.monitor.best.map_or("None".into(), |best| fixed(best, 5)));
        let better = self.monitor.improves(now, self.monitor.best);
        let message = match better {
            true => format!("{metric} improved from {best} to {}, saving model to {name}", fixed(now, 5)),
            false => format!("{metric} did not improve from {best}"),
        };
        self.say(host, epoch, &message)?;
        if better {
            self.monitor.best = Some(now);
        }
        Ok(better)
    }

    fn say(&self, host: &mut dyn Host, epoch: usize, message: &str) -> Result<()> {
        if self.verbose { host.print(&format!("\nEpoch {}: {message}", epoch + 1)) } else { Ok(()) }
    }

    /// Saves the model if it is to be.
    fn save(&mut self, host: &mut dyn Host, epoch: usize, batch: Option<usize>, logs: &Logs) -> Result<()> {
        let whole = |number: usize| Some(Number::Whole(number as u64 + 1));
        let name = self.name.fill(|name| match name {
            "epoch" => whole(epoch),
            "batch" => batch.and_then(whole),
            metric => value(logs, metric).map(Number::Real),
        });
        let name = name.at("key filepath")?;
        if self.wanted(host, epoch, logs, &name)? {
            let path = self.folder.join(&name)?;
            files::make_folders(&path).at(&path)?;
            host.save(&path, self.save_weights_only)?;
            self.say(host, epoch, &format!("finished saving model to {name}"))?;
        }
        Ok(())
    }

    /// A sample file name, or an error if a field will have no value.
    fn sample(&self, metrics: &[&Metric]) -> Result<String> {
        let whole = ["epoch", "batch"].into_iter().take(if self.save_freq.is_some() { 2 } else { 1 });
        let known: Vec<&str> = whole.clone().chain(metrics.iter().map(|metric| metric.name.as_str())).collect();
        if let Some(name) = self.name.names().find(|name| !known.contains(name)) {
            let error = Error::new(ErrorKind::NotFound, "not measured in this fit");
            return Err(error.expected(one_of(known)).found(name));
        }
        self.name.fill(|name| {
            Some(if whole.clone().any(|whole| whole == name) { Number::Whole(1) } else { Number::Real(0.0) })
        })
    }
}

impl Callback for ModelCheckpoint {
    fn class(&self) -> &'static str {
        "ModelCheckpoint"
    }

    fn writes(&self) -> bool {
        true
    }

    fn needs_weights(&self, at: Step) -> bool {
        self.save_freq.is_some_and(|batches| at.number.is_multiple_of(batches))
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.monitor.config();
        config.insert("filepath".into(), json!(self.filepath));
        config.insert("verbose".into(), json!(u8::from(self.verbose)));
        config.insert("save_best_only".into(), json!(self.save_best_only));
        config.insert("save_weights_only".into(), json!(self.save_weights_only));
        config.insert("save_freq".into(), self.save_freq.map_or(json!("epoch"), |batches| json!(batches)));
        config.insert("initial_value_threshold".into(), json!(self.initial_value_threshold));
        config
    }

    fn check(&mut self, metrics: &mut Vec<Metric>) -> Result<()> {
        // In the middle of an epoch there are only the training metrics.
        let there = |metric: &&Metric| {
            self.save_freq.is_none() || !(metric.name.starts_with("val_") || metric.name == LEARNING_RATE)
        };
        let metrics: Vec<&Metric> = metrics.iter().filter(there).collect();
        if self.save_best_only {
            self.monitor.check(metrics.iter().copied())?;
        }
        let path = self.folder.join(&self.sample(&metrics).at("key filepath")?)?;
        path.check_absolute()?;
        files::check_with_folders(&path).at(&path)
    }

    fn batch_end(&mut self, host: &mut dyn Host, at: Step, logs: &Logs) -> Result<Verdict> {
        if self.needs_weights(at) {
            self.save(host, at.epoch, Some(at.batch), logs)?;
        }
        Ok(Verdict::Continue)
    }

    fn epoch_end(&mut self, host: &mut dyn Host, epoch: usize, logs: &mut Logs) -> Result<Verdict> {
        if self.save_freq.is_none() {
            self.save(host, epoch, None, logs)?;
        }
        Ok(Verdict::Continue)
    }

    fn state(&self) -> Map<String, Value> {
        Map::from_iter([self.monitor.state()])
    }

    fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        state.only(&["best"])?;
        self.monitor.restore(state)
    }
}
