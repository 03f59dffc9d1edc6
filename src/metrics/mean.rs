//! Means of a loss over rows, and the root of one.

use super::{Entry, Metric, Outcome, Truth, check_values};
use crate::error::Result;
use crate::losses::{Loss, TargetKind, mean_squared_error};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "RootMeanSquaredError",
    keys: &[],
    read: |_, _| Ok(Arc::new(MeanLoss { loss: mean_squared_error()?, root: true })),
}];

/// The mean of a loss, which is a metric under the same name.
#[derive(Debug)]
pub struct MeanLoss {
    loss: Arc<dyn Loss>,
    /// Whether the root of the mean is taken.
    root: bool,
}

impl MeanLoss {
    /// The metric of `loss`.
    pub fn new(loss: Arc<dyn Loss>) -> Self {
        MeanLoss { loss, root: false }
    }

    /// Whether it is the cosine similarity, which is negated as a loss and not as a metric.
    fn is_similarity(&self) -> bool {
        self.loss.class() == "CosineSimilarity"
    }
}

impl Metric for MeanLoss {
    fn class(&self) -> &'static str {
        match self.loss.class() {
            _ if self.root => "RootMeanSquaredError",
            "LogCosh" => "LogCoshError",
            class => class,
        }
    }

    fn config(&self) -> Map<String, Value> {
        self.loss.config()
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        match self.loss.wants() {
            TargetKind::Labels => super::check_labels(targets, width),
            TargetKind::Values => check_values(targets, width),
        }
    }

    fn higher_is_better(&self) -> bool {
        self.is_similarity()
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        let mut prepared = Vec::new();
        let truth = match outcome.truth {
            Truth::Values(values) => {
                prepared.extend_from_slice(values);
                self.loss.prepare(&mut prepared, outcome.width);
                Truth::Values(&prepared)
            }
            labels => labels,
        };
        let before = outcome.before.filter(|(_, end)| self.loss.absorbs(*end)).map(|(y, _)| y);
        let sign = if self.is_similarity() { -1.0 } else { 1.0 };
        for (truth, y) in (Outcome { y: before.unwrap_or(outcome.y), truth, ..*outcome }).rows() {
            kept[0] += sign * self.loss.value(truth, y, before.is_some());
            kept[1] += 1.0;
        }
    }

    fn result(&self, kept: &[f64], _: usize) -> f64 {
        let mean = kept[0] / kept[1];
        if self.root { mean.sqrt() } else { mean }
    }
}
