//! The metrics of each epoch.

use crate::error::{Error, ErrorKind, Result};

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

/// The metrics of a fit's epochs, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    epochs: Vec<EpochMetrics>,
}

/// The names of the metrics.
const METRICS: [&str; 4] = ["loss", "accuracy", "val_loss", "val_accuracy"];

impl History {
    pub(super) fn push(&mut self, epoch: EpochMetrics) {
        self.epochs.push(epoch);
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
        let values = [Some(metrics.loss), metrics.accuracy, metrics.val_loss, metrics.val_accuracy];
        let found = METRICS.iter().position(|&name| name == metric).and_then(|i| values[i]);
        found.ok_or_else(|| {
            let there: Vec<_> =
                METRICS.iter().zip(values).filter(|(_, v)| v.is_some()).map(|(name, _)| *name).collect();
            Error::new(ErrorKind::NotFound, "no such metric in this history")
                .expected(format_args!("one of {}", there.join(", ")))
                .found(format_args!("`{metric}`"))
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
        history.push(EpochMetrics { loss: 0.5, accuracy: Some(0.9), val_loss: None, val_accuracy: None });
        assert_eq!((history.epochs(), history.get("accuracy", 0).unwrap()), (1, 0.9));
        assert_eq!(history.get("loss", 1).unwrap_err().kind(), ErrorKind::InvalidArgument);
        let error = history.get("val_loss", 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("one of loss, accuracy, found `val_loss`"), "{error}");
    }
}
