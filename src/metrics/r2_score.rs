//! `R2Score`: the fraction of the targets' variance that is explained, 1 - squared errors / squares around the mean.

use super::{Entry, Metric, Outcome, check_values};
use crate::error::Result;
use crate::json::count;
use crate::losses::{RowTarget, TargetKind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "R2Score",
    keys: &["class_aggregation", "num_regressors"],
    read: |_, config| {
        let regressors = config.or("num_regressors", 0, "a whole number", count)?;
        let known = "'uniform_average' or 'variance_weighted_average'";
        let weighted = config.or("class_aggregation", false, known, |value| match value.as_str() {
            Some("uniform_average") => Some(false),
            Some("variance_weighted_average") => Some(true),
            _ => None,
        })?;
        Ok(Arc::new(R2Score { weighted, regressors }))
    },
}];

#[derive(Debug)]
struct R2Score {
    /// Whether outputs are weighted by their variance.
    weighted: bool,
    /// The number of predictors for the adjusted score; 0: not adjusted.
    regressors: usize,
}

impl Metric for R2Score {
    fn class(&self) -> &'static str {
        "R2Score"
    }

    fn config(&self) -> Map<String, Value> {
        let aggregation = if self.weighted { "variance_weighted_average" } else { "uniform_average" };
        let mut config = Map::new();
        config.insert("class_aggregation".into(), json!(aggregation));
        config.insert("num_regressors".into(), json!(self.regressors));
        config
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        check_values(targets, width)
    }

    /// For each output the sums of the targets, of their squares and of the squared errors; and the number of rows.
    fn kept(&self, width: usize) -> usize {
        3 * width + 1
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        let Some((count, sums)) = kept.split_last_mut() else { return };
        for (truth, y) in outcome.rows() {
            let RowTarget::Values(values) = truth else { return };
            for ((sums, &t), &y) in sums.chunks_exact_mut(3).zip(values).zip(y) {
                let (t, y) = (f64::from(t), f64::from(y));
                sums[0] += t;
                sums[1] += t * t;
                sums[2] += (t - y) * (t - y);
            }
            *count += 1.0;
        }
    }

    fn result(&self, kept: &[f64], width: usize) -> f64 {
        let Some((&count, sums)) = kept.split_last() else { return f64::NAN };
        let (mut scores, mut weights) = (0.0, 0.0);
        for sums in sums.chunks_exact(3) {
            let total = sums[1] - sums[0] * (sums[0] / count);
            let score = 1.0 - sums[2] / total;
            let weight = if self.weighted { total } else { 1.0 / width as f64 };
            scores += if score.is_infinite() { 0.0 } else { score } * weight;
            weights += weight;
        }
        let score = if self.weighted { scores / weights } else { scores };
        let (all, regressors) = (count * width as f64, self.regressors as f64);
        match regressors > 0.0 && regressors < all - 1.0 {
            true => 1.0 - (1.0 - score) * (all - 1.0) / (all - regressors - 1.0),
            false => score,
        }
    }
}
