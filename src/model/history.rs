//! The metrics of each epoch.

use crate::error::{Error, ErrorKind, Result, one_of, printable};
use crate::memory;

/// What an epoch came to. What was not asked for, or not measured, is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochMetrics {
    /// The mean loss over the epoch's samples, each measured before its own batch's step.
    pub loss: f64,
    /// The share of them classified right.
    pub accuracy: Option<f64>,
    /// The loss on the validation data after the epoch.
    pub val_loss: Option<f64>,
    /// The accuracy on the validation data after the epoch.
    pub val_accuracy: Option<f64>,
}

impl EpochMetrics {
    /// In the order of [`METRICS`].
    fn values(&self) -> [Option<f64>; 4] {
        [Some(self.loss), self.accuracy, self.val_loss, self.val_accuracy]
    }
}

/// The metrics of a fit's epochs, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    epochs: Vec<EpochMetrics>,
}

/// The names of the metrics.
pub(crate) const METRICS: [&str; 4] = ["loss", "accuracy", "val_loss", "val_accuracy"];

impl History {
    /// One epoch more, or `OutOfMemory`.
    pub(crate) fn push(&mut self, epoch: EpochMetrics) -> Result<()> {
        memory::push(&mut self.epochs, epoch)
    }

    /// A copy, or `OutOfMemory`.
    pub(crate) fn copy(&self) -> Result<Self> {
        Ok(History { epochs: memory::collect(self.epochs.iter().copied())? })
    }

    /// The values of each of [`METRICS`], epoch by epoch; NaN for what was not measured.
    pub(crate) fn columns(&self) -> Result<[Vec<f64>; 4]> {
        let column = |i: usize| memory::collect(self.epochs.iter().map(|epoch| epoch.values()[i].unwrap_or(f64::NAN)));
        Ok([column(0)?, column(1)?, column(2)?, column(3)?])
    }

    /// The history of `epochs` epochs with such columns, `None` for what was not measured.
    pub(crate) fn from_columns(epochs: usize, columns: &[Option<Vec<f64>>; 4]) -> Result<Self> {
        let value = |i: usize, epoch: usize| columns[i].as_ref().and_then(|column| column.get(epoch)).copied();
        let epoch = |epoch: usize| EpochMetrics {
            loss: value(0, epoch).unwrap_or(f64::NAN),
            accuracy: value(1, epoch),
            val_loss: value(2, epoch),
            val_accuracy: value(3, epoch),
        };
        Ok(History { epochs: memory::collect((0..epochs).map(epoch))? })
    }

    /// How many epochs there were.
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// A metric of an epoch of this fit, counted from 0: `loss`, `accuracy`, `val_loss` or `val_accuracy`.
    pub fn get(&self, metric: &str, epoch: usize) -> Result<f64> {
        let Some(metrics) = self.epochs.get(epoch) else {
            return Err(Error::new(ErrorKind::InvalidArgument, "no such epoch")
                .expected(format_args!("below {}", self.epochs.len()))
                .found(epoch)
                .at("argument `epoch`"));
        };
        let values = metrics.values();
        let found = METRICS.iter().position(|&name| name == metric).and_then(|i| values[i]);
        found.ok_or_else(|| {
            let there = METRICS.iter().zip(values).filter(|(_, value)| value.is_some()).map(|(name, _)| *name);
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
        let mut history = History::default();
        history.push(EpochMetrics { loss: 0.5, accuracy: Some(0.9), val_loss: None, val_accuracy: None }).unwrap();
        assert_eq!((history.epochs(), history.get("accuracy", 0).unwrap()), (1, 0.9));
        assert_eq!(history.get("loss", 1).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let error = history.get("val_loss", 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("one of loss, accuracy, found `val_loss`"), "{error}");
    }
}
