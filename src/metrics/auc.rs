//! `AUC`: the area under a curve of two rates over all thresholds, of which there are 200, as Keras has it.
//!
//! ROC: the true positive rate over the false positive rate. PR: precision over recall; between thresholds as in Davis
//! and Goadrich 2006.

use super::confusion::ratio;
use super::{Entry, Metric, Outcome, check_values};
use crate::error::Result;
use crate::json::{Object, count};
use crate::losses::TargetKind;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "AUC",
    keys: &[
        "num_thresholds",
        "curve",
        "summation_method",
        "thresholds",
        "multi_label",
        "num_labels",
        "label_weights",
        "from_logits",
    ],
    read,
}];

/// The interpolation between two thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Interpolation,
    Minoring,
    Majoring,
}

const BETWEEN: [(&str, Between); 3] =
    [("interpolation", Between::Interpolation), ("minoring", Between::Minoring), ("majoring", Between::Majoring)];

/// The most thresholds.
const MOST: usize = 10_000;

fn read(_: &'static Entry, config: &Object<'_>) -> Result<Arc<dyn Metric>> {
    for key in ["thresholds", "num_labels", "label_weights"] {
        config.idle(key, |_| false, "null")?;
    }
    let in_range = |value: &Value| count(value).filter(|n| (2..=MOST).contains(n));
    let name = |value: &Value| value.as_str().map(str::to_ascii_lowercase);
    Ok(Arc::new(Auc {
        thresholds: config.or("num_thresholds", 200, "a whole number, 2 to 10000", in_range)?,
        precision: config.or("curve", false, "'ROC' or 'PR'", |value| match name(value)?.as_str() {
            "roc" => Some(false),
            "pr" => Some(true),
            _ => None,
        })?,
        between: config.or(
            "summation_method",
            Between::Interpolation,
            "'interpolation', 'minoring' or 'majoring'",
            |value| {
                let name = name(value)?;
                BETWEEN.iter().find(|(known, _)| *known == name).map(|(_, between)| *between)
            },
        )?,
        multi_label: config.bool_or("multi_label", false)?,
        from_logits: config.bool_or("from_logits", false)?,
    }))
}

#[derive(Debug)]
struct Auc {
    thresholds: usize,
    /// Whether the curve is that of precision over recall.
    precision: bool,
    between: Between,
    /// Whether each output has its own curve; the result is the mean of the areas.
    multi_label: bool,
    from_logits: bool,
}

impl Auc {
    /// The number of separate curves.
    fn curves(&self, width: usize) -> usize {
        if self.multi_label { width } else { 1 }
    }

    /// The bucket between thresholds of a value, as Keras computes it in single precision.
    fn bucket(&self, y: f32) -> usize {
        let y = if self.from_logits { 1.0 / (1.0 + libm::expf(-y)) } else { y };
        let place = (y.clamp(0.0, 1.0) * (self.thresholds - 1) as f32).ceil() - 1.0;
        place.max(0.0) as usize
    }

    /// The area under the curve, from the positives and negatives per bucket.
    fn area(&self, there: &[f64], not: &[f64]) -> f64 {
        // The counts above each threshold.
        let above = |counts: &[f64]| -> Vec<f64> {
            let mut sum = 0.0;
            let mut above: Vec<f64> = counts
                .iter()
                .rev()
                .map(|n| {
                    sum += n;
                    sum
                })
                .collect();
            above.reverse();
            above
        };
        let (hits, alarms) = (above(there), above(not));
        let (all, none) = (hits[0], alarms[0]);
        if self.precision && self.between == Between::Interpolation {
            return interpolated(&hits, &alarms, all);
        }
        let point = |i: usize| {
            let recall = ratio(hits[i], all);
            if self.precision {
                (recall, ratio(hits[i], hits[i] + alarms[i]))
            } else {
                (ratio(alarms[i], none), recall)
            }
        };
        let strip = |i: usize| {
            let ((x, y), (next_x, next_y)) = (point(i), point(i + 1));
            let height = match self.between {
                Between::Interpolation => (y + next_y) / 2.0,
                Between::Minoring => y.min(next_y),
                Between::Majoring => y.max(next_y),
            };
            (x - next_x) * height
        };
        (0..self.thresholds - 1).map(strip).sum()
    }
}

/// The area under precision over recall, with the counts (not the rates) interpolated linearly.
fn interpolated(hits: &[f64], alarms: &[f64], all: f64) -> f64 {
    let found = |i: usize| hits[i] + alarms[i];
    let strip = |i: usize| {
        let (more, more_found) = (hits[i] - hits[i + 1], found(i) - found(i + 1));
        let slope = ratio(more, more_found.max(0.0));
        let intercept = hits[i + 1] - slope * found(i + 1);
        let growth = if found(i) > 0.0 && found(i + 1) > 0.0 { found(i) / found(i + 1) } else { 1.0 };
        ratio(slope * (more + intercept * libm::log(growth)), all)
    };
    (0..hits.len() - 1).map(strip).sum()
}

impl Metric for Auc {
    fn class(&self) -> &'static str {
        "AUC"
    }

    fn config(&self) -> Map<String, Value> {
        let between = BETWEEN.iter().find(|(_, between)| *between == self.between).map(|(name, _)| *name);
        let mut config = Map::new();
        config.insert("num_thresholds".into(), json!(self.thresholds));
        config.insert("curve".into(), json!(if self.precision { "PR" } else { "ROC" }));
        config.insert("summation_method".into(), json!(between));
        config.insert("multi_label".into(), json!(self.multi_label));
        config.insert("from_logits".into(), json!(self.from_logits));
        config
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        check_values(targets, width)
    }

    /// For each curve, the positives and negatives per bucket.
    fn kept(&self, width: usize) -> usize {
        self.curves(width) * 2 * self.thresholds
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        let curves = self.curves(outcome.width);
        for (i, (t, y)) in outcome.elements().enumerate() {
            let half = if t != 0.0 { 0 } else { self.thresholds };
            kept[i % curves * 2 * self.thresholds + half + self.bucket(y)] += 1.0;
        }
    }

    fn result(&self, kept: &[f64], width: usize) -> f64 {
        let areas = kept.chunks_exact(2 * self.thresholds).map(|kept| {
            let (there, not) = kept.split_at(self.thresholds);
            self.area(there, not)
        });
        areas.sum::<f64>() / self.curves(width) as f64
    }
}
