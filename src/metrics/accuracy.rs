//! Keras's accuracies: fractions of correct predictions.

use super::{Entry, Metric, Outcome, check_k, check_labels, check_values};
use crate::error::Result;
use crate::json::Object;
use crate::losses::{RowTarget, TargetKind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "SparseCategoricalAccuracy", keys: &[], read: |_, _| Ok(Arc::new(TopK::SPARSE)) },
    Entry { class: "CategoricalAccuracy", keys: &[], read: |_, _| Ok(Arc::new(TopK::DENSE)) },
    Entry {
        class: "SparseTopKCategoricalAccuracy",
        keys: &["k", "from_sorted_ids"],
        read: |_, config| {
            config.idle("from_sorted_ids", |value| value == false, "false")?;
            top_k(config, TopK::SPARSE)
        },
    },
    Entry { class: "TopKCategoricalAccuracy", keys: &["k"], read: |_, config| top_k(config, TopK::DENSE) },
    Entry {
        class: "BinaryAccuracy",
        keys: &["threshold"],
        read: |_, config| {
            let threshold = config.f64_or("threshold", 0.5, "a number above 0 and below 1", |x| x > 0.0 && x < 1.0)?;
            Ok(Arc::new(BinaryAccuracy { threshold }))
        },
    },
];

/// The metric that Keras selects for `accuracy`.
pub(super) fn of(width: usize, targets: TargetKind) -> Arc<dyn Metric> {
    match (width, targets) {
        (1, _) => Arc::new(BinaryAccuracy { threshold: 0.5 }),
        (_, TargetKind::Labels) => Arc::new(TopK::SPARSE),
        (_, TargetKind::Values) => Arc::new(TopK::DENSE),
    }
}

fn top_k(config: &Object<'_>, of: TopK) -> Result<Arc<dyn Metric>> {
    let k = if config.has("k") { config.size("k")? } else { 5 };
    Ok(Arc::new(TopK { k: Some(k), ..of }))
}

/// The fraction of rows whose class has the largest value (the first of equals), or is among the `k` largest, including
/// ties with the last of these.
#[derive(Clone, Copy, Debug)]
struct TopK {
    sparse: bool,
    /// `None`: only the largest.
    k: Option<usize>,
}

impl TopK {
    const SPARSE: Self = TopK { sparse: true, k: None };
    const DENSE: Self = TopK { sparse: false, k: None };
}

impl Metric for TopK {
    fn class(&self) -> &'static str {
        match (self.sparse, self.k) {
            (true, None) => "SparseCategoricalAccuracy",
            (false, None) => "CategoricalAccuracy",
            (true, Some(_)) => "SparseTopKCategoricalAccuracy",
            (false, Some(_)) => "TopKCategoricalAccuracy",
        }
    }

    fn config(&self) -> Map<String, Value> {
        self.k.map(|k| ("k".to_string(), json!(k))).into_iter().collect()
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        if self.sparse { check_labels(targets, width) } else { check_values(targets, width) }?;
        self.k.map_or(Ok(()), |k| check_k("k", k, width))
    }

    fn takes_logits(&self) -> bool {
        true
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        for (truth, y) in outcome.rows() {
            let class = match truth {
                RowTarget::Label(label) => label,
                RowTarget::Values(values) => greatest(values),
            };
            let good = match self.k {
                None => greatest(y) == class,
                Some(k) => y[class].is_finite() && y.iter().filter(|other| **other > y[class]).count() < k,
            };
            kept[0] += f64::from(u8::from(good));
            kept[1] += 1.0;
        }
    }
}

/// The index of the largest value, the first of equals.
pub fn greatest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, &value)| if value > row[best] { i } else { best })
}

/// The fraction of elements on the correct side of the threshold.
#[derive(Debug)]
struct BinaryAccuracy {
    threshold: f64,
}

impl Metric for BinaryAccuracy {
    fn class(&self) -> &'static str {
        "BinaryAccuracy"
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([("threshold".to_string(), json!(self.threshold))])
    }

    fn check(&self, width: usize, targets: TargetKind) -> Result<()> {
        check_values(targets, width)
    }

    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>) {
        let threshold = self.threshold as f32;
        for (t, y) in outcome.elements() {
            kept[0] += f64::from(u8::from(t == f32::from(u8::from(y > threshold))));
            kept[1] += 1.0;
        }
    }
}
