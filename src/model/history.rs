//! The metrics of each epoch.

use crate::error::{Error, ErrorKind, Result, one_of, printable};
use crate::memory;
use std::sync::Arc;

/// The metrics of an epoch, or of its batches so far, by name: `loss`, the metrics, then the same on the validation
/// data with the prefix `val_`.
#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    names: Arc<[String]>,
    values: Vec<Option<f64>>,
}

/// The prefix of validation metrics.
pub const VALIDATION: &str = "val_";

impl Logs {
    /// Metrics of these names, not measured yet.
    pub fn new(names: Arc<[String]>) -> Self {
        Logs { values: vec![None; names.len()], names }
    }

    /// The names.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Sets the results on the training data, or on the validation data.
    pub fn measure(&mut self, results: &[f64], validation: bool) {
        let start = if validation { results.len() } else { 0 };
        for (to, &result) in self.values.iter_mut().skip(start).zip(results) {
            *to = Some(result);
        }
    }

    /// Sets a value, if there is such a name.
    pub fn set(&mut self, name: &str, value: f64) {
        if let Some(i) = self.names.iter().position(|known| known == name) {
            self.values[i] = Some(value);
        }
    }

    /// A value; `None` if it was not measured or there is no such name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.names.iter().position(|known| known == name).and_then(|i| self.values[i])
    }

    /// The measured values, in order.
    pub fn measured(&self) -> impl Iterator<Item = (&str, f64)> {
        self.names.iter().zip(&self.values).filter_map(|(name, value)| Some((name.as_str(), (*value)?)))
    }
}

/// The names of a fit's metrics: `loss` and the metrics, and those of the validation if there is one.
pub fn names(metrics: &[String], validation: bool) -> Arc<[String]> {
    let own = || std::iter::once("loss").chain(metrics.iter().map(String::as_str));
    let after = own().filter(|_| validation).map(|name| format!("{VALIDATION}{name}"));
    own().map(str::to_string).chain(after).collect()
}

/// The metrics of a fit's epochs, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    names: Arc<[String]>,
    epochs: Vec<Vec<Option<f64>>>,
    /// Why the fit ended before its last epoch, if a callback ended it.
    stopped: Option<String>,
}

impl History {
    /// A history without epochs.
    pub(crate) fn new(names: Arc<[String]>) -> Self {
        History { names, ..History::default() }
    }

    /// Adds an epoch.
    pub(crate) fn push(&mut self, logs: &Logs) -> Result<()> {
        let values = memory::collect(logs.values.iter().copied())?;
        memory::push(&mut self.epochs, values)
    }

    /// A copy, or `OutOfMemory`.
    pub(crate) fn copy(&self) -> Result<Self> {
        let mut epochs = memory::reserve(self.epochs.len())?;
        for epoch in &self.epochs {
            epochs.push(memory::collect(epoch.iter().copied())?);
        }
        Ok(History { names: self.names.clone(), epochs, stopped: self.stopped.clone() })
    }

    /// Sets the reason why the fit ended.
    pub(crate) fn stop(&mut self, reason: String) {
        self.stopped = Some(reason);
    }

    /// Why the fit ended before its last epoch: the callback and its reason. `None` if no callback ended it.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// The names of the metrics, `loss` first.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// The values of each metric, epoch by epoch; NaN if not measured.
    pub(crate) fn columns(&self) -> Result<Vec<Vec<f64>>> {
        let column = |i: usize| memory::collect(self.epochs.iter().map(|epoch| epoch[i].unwrap_or(f64::NAN)));
        (0..self.names.len()).map(column).collect()
    }

    /// The history with these columns, one for each name, of `epochs` epochs; `measured` tells which values exist.
    pub(crate) fn from_columns(
        names: Arc<[String]>,
        epochs: usize,
        columns: &[Vec<f64>],
        measured: impl Fn(&str, usize) -> bool,
    ) -> Result<Self> {
        let value = |(name, column): (&String, &Vec<f64>), epoch: usize| {
            column.get(epoch).copied().filter(|_| measured(name, epoch))
        };
        let mut history = History::new(names.clone());
        for epoch in 0..epochs {
            let values = memory::collect(names.iter().zip(columns).map(|column| value(column, epoch)))?;
            memory::push(&mut history.epochs, values)?;
        }
        Ok(history)
    }

    /// How many epochs there were.
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// A metric of an epoch of this fit, counted from 0: `loss`, `accuracy`, `val_loss`, ...
    pub fn get(&self, metric: &str, epoch: usize) -> Result<f64> {
        let Some(values) = self.epochs.get(epoch) else {
            return Err(Error::new(ErrorKind::InvalidArgument, "no such epoch")
                .expected(format_args!("below {}", self.epochs.len()))
                .found(epoch)
                .at("argument `epoch`"));
        };
        let found = self.names.iter().position(|name| name == metric).and_then(|i| values[i]);
        found.ok_or_else(|| {
            let there = self.names.iter().zip(values).filter(|(_, value)| value.is_some()).map(|(name, _)| name);
            Error::new(ErrorKind::NotFound, "no such metric in this history")
                .expected(one_of(there))
                .found(format_args!("`{}`", printable(metric)))
                .at("argument `metric`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_is_there() {
        let names = names(&["accuracy".to_string()], true);
        let mut logs = Logs::new(names.clone());
        logs.measure(&[0.5, 0.9], false);
        let mut history = History::new(names);
        history.push(&logs).unwrap();
        logs.measure(&[0.25, 0.75], true);
        history.push(&logs).unwrap();
        assert_eq!((history.epochs(), history.get("accuracy", 0).unwrap()), (2, 0.9));
        assert_eq!((logs.get("val_loss"), history.get("val_accuracy", 1).unwrap()), (Some(0.25), 0.75));
        assert_eq!(history.get("loss", 2).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let error = history.get("val_loss", 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("one of loss, accuracy, found `val_loss`"), "{error}");
    }
}
