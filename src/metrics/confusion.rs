//! `Precision`, `Recall`, and the counts of true and false positives and negatives, at a threshold.

use super::{Entry, Metric, Outcome, check_k, check_values};
use crate::error::Result;
use crate::json::{Object, count};
use crate::losses::TargetKind;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const RATIO: &[&str] = &["thresholds", "top_k", "class_id"];
const COUNT: &[&str] = &["thresholds"];

pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "Precision", keys: RATIO, read },
    Entry { class: "Recall", keys: RATIO, read },
    Entry { class: "TruePositives", keys: COUNT, read },
    Entry { class: "FalsePositives", keys: COUNT, read },
    Entry { class: "TrueNegatives", keys: COUNT, read },
    Entry { class: "FalseNegatives", keys: COUNT, read },
];

fn read(entry: &'static Entry, config: &Object<'_>) -> Result<Arc<dyn Metric>> {
    let whole = |key| {
        config.or(key, None, "a whole number, or null", |value| match value {
            Value::Null => Some(None),
            value => count(value).map(Some),
        })
    };
    let threshold = config.or("thresholds", None, "a number from 0 to 1, or null", |value| match value {
        Value::Null => Some(None),
        Value::Array(list) if list.len() == 1 => list[0].as_f64().map(Some),
        value => value.as_f64().map(Some),
    })?;
    if let Some(found) = threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
        let error = crate::error::Error::new(crate::error::ErrorKind::InvalidArgument, "out of range");
        return Err(config.at_key(error.expected("a number from 0 to 1").found(found), "thresholds"));
    }
    Ok(Arc::new(Confusion { class: entry.class, threshold, top_k: whole("top_k")?, class_id: whole("class_id")? }))
}

/// An element is predicted positive if its value is above a threshold; or if it is among the `top_k` of its row.
#[derive(Debug)]
struct Confusion {
    class: &'static str,
    /// The thresholds; 0.5 if neither these nor `top_k` are set.
    threshold: Option<f64>,
    top_k: Option<usize>,
    /// The class that counts; `None`: all.
    class_id: Option<usize>,
}

/// The offsets of the sums.
const TP: usize = 0;
const FP: usize = 1;
const TN: usize = 2;
const FN: usize = 3;

impl Confusion {
    /// Whether an element is among the largest of its row; of equals the first ones count.
    fn in_top_k(&self, row: &[f32], at: usize) -> bool {
        let before = |(i, &other): (usize, &f32)| other > row[at] || other == row[at] && i < at;
        self.top_k.is_none_or(|k| row.iter().enumerate().filter(|&other| before(other)).count() < k)
    }
}

impl Metric for Confusion {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = Map::from_iter([("thresholds".to_string(), json!(self.threshold))]);
        if matches!(self.class, "Precision" | "Recall") {
            config.insert("top_k".into(), json!(self.top_k));
            config.insert("class_id".into(), json!(self.class_id));
        }
        config
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        check_values(targets, width)?;
        self.top_k.map_or(Ok(()), |k| check_k("top_k", k, width))?;
        self.class_id.map_or(Ok(()), |id| check_k("class_id", id.saturating_add(1), width))
    }

    fn kept(&self, _: usize) -> usize {
        4
    }

    fn higher_is_better(&self) -> bool {
        !self.class.starts_with("False")
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        let none = if self.top_k.is_some() { f32::NEG_INFINITY } else { 0.5 };
        let threshold = self.threshold.map_or(none, |threshold| threshold as f32);
        let mut elements = outcome.elements();
        for row in outcome.y.chunks_exact(outcome.width) {
            for (class, (t, y)) in elements.by_ref().take(row.len()).enumerate() {
                if self.class_id.is_none_or(|id| id == class) {
                    let found = y > threshold && self.in_top_k(row, class);
                    let place = match (t != 0.0, found) {
                        (true, true) => TP,
                        (false, true) => FP,
                        (false, false) => TN,
                        (true, false) => FN,
                    };
                    kept[place] += 1.0;
                }
            }
        }
    }

    fn result(&self, kept: &[f64], _: usize) -> f64 {
        match self.class {
            "Precision" => ratio(kept[TP], kept[TP] + kept[FP]),
            "Recall" => ratio(kept[TP], kept[TP] + kept[FN]),
            "TruePositives" => kept[TP],
            "FalsePositives" => kept[FP],
            "TrueNegatives" => kept[TN],
            _ => kept[FN],
        }
    }
}

/// `a / b`, 0 where `b` is.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
