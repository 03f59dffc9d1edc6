//! Loss and metrics over some samples.

use crate::error::Result;
use crate::memory;
use crate::metrics::NamedMetric;

/// Loss and accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// The mean loss over the samples.
    pub loss: f64,
    /// The accuracy; NaN where none is measured.
    pub accuracy: f64,
}

/// Sums over samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// The sum of their losses, each with the regularization loss.
    pub loss: f64,
    /// The number of samples.
    pub samples: usize,
    /// The metrics' sums, one metric after another.
    pub kept: Vec<f64>,
}

impl Tally {
    /// Without samples, for `metrics` of rows of `width`.
    pub fn new(metrics: &[NamedMetric], width: usize) -> Result<Self> {
        Tally::of_numbers(metrics.iter().map(|named| named.metric.kept(width)).sum())
    }

    fn of_numbers(kept: usize) -> Result<Self> {
        Ok(Tally { loss: 0.0, samples: 0, kept: memory::filled(kept, 0.0)? })
    }

    /// A tally of the same metrics without samples.
    pub fn with_no_samples(&self) -> Result<Self> {
        Tally::of_numbers(self.kept.len())
    }

    /// A copy, or `OutOfMemory`.
    pub fn copy(&self) -> Result<Self> {
        Ok(Tally { kept: memory::collect(self.kept.iter().copied())?, ..*self })
    }

    /// The mean loss and the result of each metric, for rows of `width`; NaN without samples.
    pub fn results(&self, metrics: &[NamedMetric], width: usize) -> Vec<f64> {
        let mut kept = &self.kept[..];
        let metric = |named: &NamedMetric| {
            let (own, rest) = kept.split_at(named.metric.kept(width).min(kept.len()));
            kept = rest;
            if self.samples == 0 { f64::NAN } else { named.metric.result(own, width) }
        };
        std::iter::once(self.loss / self.samples as f64).chain(metrics.iter().map(metric)).collect()
    }
}
