//! Keras's callbacks, which observe and control a fit: one file each, and a line in `CALLBACKS`.
//!
//! ```text
//! read                     the list is read from its config
//! check                    before anything changes: monitored metrics exist, files can be written
//! restore, restore_weights when a fit resumes from a checkpoint: the values of `state` and `weights`
//! begin                    files are created
//! batch_end, epoch_end     in the list's order
//! end                      the best weights are restored
//! ```
//!
//! A fit that is stopped, killed and resumed gives the same result as an uninterrupted one: a callback's memory is its
//! `state`. So the last checkpoint is written before `end`.

mod csv_logger;
mod early_stopping;
mod events;
mod format;
mod model_checkpoint;
mod monitor;
mod reduce_lr_on_plateau;
mod tensorboard;
mod terminate_on_nan;
#[cfg(test)]
mod tests;

pub use monitor::{Better, Metric};

use crate::error::{At, Error, ErrorKind, Result};
use crate::files::FilePath;
use crate::json::{Named, Object};
use crate::memory::Buffer;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::ops::Range;

/// The metrics of an epoch, or of an epoch so far, by their names and in their order: loss, accuracy, val_loss, ...
pub type Logs = Vec<(String, f64)>;

/// Whether the fit continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It continues.
    Continue,
    /// It stops, for this reason.
    Stop(String),
}

/// An optimizer step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch in the epoch, from 0.
    pub batch: usize,
    /// The batch in the fit, from 1; a resumed fit continues the count.
    pub number: u64,
}

/// A callback's access to the fit.
pub trait Host {
    /// The optimizer's learning rate.
    fn learning_rate(&self) -> Result<f64>;
    /// Sets it, from the next step on.
    fn set_learning_rate(&mut self, rate: f64) -> Result<()>;
    /// The number of optimizer steps, including those of earlier fits.
    fn steps(&self) -> u64;
    /// Passes all weights to `task`.
    fn weights(&self, task: &mut dyn FnMut(&[f32])) -> Result<()>;
    /// Sets them.
    fn set_weights(&mut self, weights: &[f32]) -> Result<()>;
    /// The name and range of each weight array: `dense/kernel`.
    fn named_weights(&self) -> Vec<(String, Range<usize>)>;
    /// Writes the model to a file, or its weights alone.
    fn save(&self, path: &FilePath, weights_only: bool) -> Result<()>;
    /// Prints a message and ends its line.
    fn print(&mut self, message: &str) -> Result<()>;
}

/// A callback with its settings and its state. Formulas, messages and numbers are those of Keras 3.
pub trait Callback: Debug + Send {
    /// Keras's name of the class, `EarlyStopping`.
    fn class(&self) -> &'static str;

    /// Keras's keys and their values.
    fn config(&self) -> Map<String, Value>;

    /// An error if it does not fit a fit with these `metrics`, or if its file could not be written. Nothing changes
    /// except this callback and the list: a callback with metrics of its own appends them.
    fn check(&mut self, _metrics: &mut Vec<Metric>) -> Result<()> {
        Ok(())
    }

    /// Before the first step; after [`restore`](Self::restore). One that had stopped the fit stops it again.
    fn begin(&mut self, _host: &mut dyn Host) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    /// After a step; `logs` are of the epoch so far.
    fn batch_end(&mut self, _host: &mut dyn Host, _at: Step, _logs: &Logs) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    /// After an epoch, from 0, and its validation. Later callbacks and the history see what is appended to `logs`.
    fn epoch_end(&mut self, _host: &mut dyn Host, _epoch: usize, _logs: &mut Logs) -> Result<Verdict> {
        Ok(Verdict::Continue)
    }

    /// After the last step, for any reason.
    fn end(&mut self, _host: &mut dyn Host) -> Result<()> {
        Ok(())
    }

    /// Whether it writes files: with several ranks only rank 0's does anything.
    fn writes(&self) -> bool {
        false
    }

    /// Whether [`batch_end`](Self::batch_end) reads the weights after this step.
    fn needs_weights(&self, _at: Step) -> bool {
        false
    }

    /// Whether it may hold a copy of the weights, which `begin` allocates.
    fn keeps_weights(&self) -> bool {
        false
    }

    /// The state it needs to resume, to the bit.
    fn state(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Restores a state.
    fn restore(&mut self, state: &Object<'_>) -> Result<()> {
        state.only(&[])
    }

    /// The copy of the weights that belongs to the state, if there is one.
    fn weights(&self) -> Option<&[f32]> {
        None
    }

    /// Restores it.
    fn restore_weights(&mut self, _weights: Buffer) {}
}

/// Reads a callback from its config.
type Read = fn(&Object<'_>) -> Result<Box<dyn Callback>>;

/// Class, Keras's keys, reader.
type Entry = (&'static str, &'static [&'static str], Read);

/// Every callback there is.
const CALLBACKS: &[Entry] = &[
    csv_logger::ENTRY,
    early_stopping::ENTRY,
    model_checkpoint::ENTRY,
    reduce_lr_on_plateau::ENTRY,
    tensorboard::ENTRY,
    terminate_on_nan::ENTRY,
];

/// Keras classes that C programs do in another way.
const INSTEAD: &[(&str, &str)] = &[
    ("BackupAndRestore", "checkpoint_path and resume of mnist_fit_options"),
    ("History", "the mnist_history that mnist_model_fit gives"),
    ("LambdaCallback", "on_batch_end, on_epoch_begin and on_epoch_end of mnist_fit_options"),
    ("LearningRateScheduler", "mnist_model_set_learning_rate, called from on_epoch_begin of mnist_fit_options"),
    ("ProgbarLogger", "verbose of mnist_fit_options"),
    ("RemoteMonitor", "on_epoch_end of mnist_fit_options"),
];

/// Reads a list of callbacks as Keras serializes it: `[{class_name: 'EarlyStopping', config: {patience: 3}}, ...]`;
/// null means none.
pub fn read(list: &Value) -> Result<Vec<Box<dyn Callback>>> {
    let list = match list {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(Error::new(ErrorKind::Format, "wrong value").expected("a list of callbacks")),
    };
    list.iter().enumerate().map(|(i, value)| read_one(&Named::read(value, format!("[{i}]"))?)).collect()
}

fn read_one(named: &Named<'_>) -> Result<Box<dyn Callback>> {
    let is = |class: &str| class.eq_ignore_ascii_case(named.class);
    let Some((_, keys, read)) = CALLBACKS.iter().find(|(class, ..)| is(class)) else {
        let known: Vec<&str> = CALLBACKS.iter().map(|(class, ..)| *class).collect();
        return Err(match INSTEAD.iter().find(|(class, _)| is(class)) {
            Some((class, instead)) => named.unsupported(format!("{class} is no callback here"), instead),
            None => named.unknown("callback", &known),
        });
    };
    named.config.only(keys)?;
    read(&named.config)
}

/// Keras's form of a callback.
pub fn config(callback: &dyn Callback) -> Value {
    serde_json::json!({ "class_name": callback.class(), "config": callback.config() })
}

/// Calls `task` with each of them in order; returns the first reason to stop, if there is one.
pub fn each(
    list: &mut [Box<dyn Callback>],
    mut task: impl FnMut(&mut dyn Callback) -> Result<Verdict>,
) -> Result<Verdict> {
    let mut verdict = Verdict::Continue;
    for (i, callback) in list.iter_mut().enumerate() {
        let own = task(&mut **callback).at(format_args!("callback [{i}], {}", callback.class()))?;
        if verdict == Verdict::Continue {
            verdict = own;
        }
    }
    Ok(verdict)
}

/// Checks all of them for a fit with `metrics`; returns the metrics of its history. Callbacks that write files
/// are checked only if this rank `writes` them.
pub fn check(list: &mut [Box<dyn Callback>], mut metrics: Vec<Metric>, writes: bool) -> Result<Vec<Metric>> {
    each(list, |callback| match writes || !callback.writes() {
        true => callback.check(&mut metrics).map(|()| Verdict::Continue),
        false => Ok(Verdict::Continue),
    })?;
    Ok(metrics)
}

/// Whether messages are printed: 0 or 1, or a boolean.
fn verbose(config: &Object<'_>) -> Result<bool> {
    config.or("verbose", false, "0 or 1", |value| value.as_bool().or(value.as_u64().map(|level| level > 0)))
}

/// A number, or null.
fn number_or_null(config: &Object<'_>, key: &str) -> Result<Option<f64>> {
    config.or(
        key,
        None,
        "a number, or null",
        |value| if value.is_null() { Some(None) } else { value.as_f64().map(Some) },
    )
}

/// A number as its bits, since JSON has no NaN and infinities.
fn bits(number: f64) -> Value {
    format!("{:016x}", number.to_bits()).into()
}

/// The number from such bits under `key` of a state, or `None`.
fn from_bits(state: &Object<'_>, key: &str) -> Result<Option<f64>> {
    let read = |text: &Value| u64::from_str_radix(text.as_str()?, 16).ok().map(f64::from_bits);
    let convert = |value| if value == &Value::Null { Some(None) } else { read(value).map(Some) };
    state.get(key, "16 hexadecimal digits, or null", convert)
}

/// The value of a metric.
fn value(logs: &Logs, name: &str) -> Option<f64> {
    logs.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
}

/// Sets a metric, a new one at the end.
fn set(logs: &mut Logs, name: &str, value: f64) {
    match logs.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => logs.push((name.to_string(), value)),
    }
}

/// The optimizer's learning rate as Keras gives it: in single precision.
fn learning_rate(host: &dyn Host) -> Result<f64> {
    Ok(f64::from(host.learning_rate()? as f32))
}

/// Its name among the metrics.
const LEARNING_RATE: &str = "learning_rate";
