//! `BinaryCrossentropy`: each element is a class of its own, present or not.
//!
//! ```text
//! from logits z:          max(z, 0) - z * t + log(1 + exp(-|z|))        slope  sigmoid(z) - t
//! from probabilities p:   -(t * log(clip(p)) + (1 - t) * log(1 - clip(p)))
//! ```
//!
//! the mean over the row. A sigmoid at the model's end is computed by the loss, from the logits, as in TensorFlow.

use super::{Entry, Loss, RowTarget, check_logits, clip, has_logits, inside, label_smoothing, last_axis};
use crate::error::Result;
use crate::graph::Shape;
use crate::layers::Activation;
use libm::{exp, fabs, log, log1p};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "BinaryCrossentropy",
    names: &["bce", "BCE"],
    keys: &["from_logits", "label_smoothing", "axis"],
    read: |_, config| {
        last_axis(config)?;
        let from_logits = config.bool_or("from_logits", false)?;
        Ok(Arc::new(BinaryCrossentropy { from_logits, label_smoothing: label_smoothing(config)? }))
    },
}];

/// Its settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossentropy {
    /// Whether the model gives logits.
    from_logits: bool,
    /// The label smoothing, 0 to 1.
    label_smoothing: f64,
}

/// `1 / (1 + exp(-z))`, whatever the size of `z`.
pub(super) fn sigmoid(z: f64) -> f64 {
    let e = exp(-fabs(z));
    if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// The crossentropy of one element from its logit.
pub(super) fn of_logit(t: f64, z: f64) -> f64 {
    z.max(0.0) - z * t + log1p(exp(-fabs(z)))
}

/// The crossentropy of one element from its probability.
pub(super) fn of_probability(t: f64, p: f64) -> f64 {
    -(t * log(clip(p)) + (1.0 - t) * log(1.0 - clip(p)))
}

/// Its slope in the probability.
pub(super) fn slope_of_probability(t: f64, p: f64) -> f64 {
    if inside(p) { (1.0 - t) / (1.0 - p) - t / p } else { 0.0 }
}

/// Label smoothing: moves `share` of each target towards 1/2.
pub(super) fn smooth(values: &mut [f32], share: f64) {
    if share > 0.0 {
        values.iter_mut().for_each(|t| *t = *t * (1.0 - share) as f32 + (0.5 * share) as f32);
    }
}

impl Loss for BinaryCrossentropy {
    fn class(&self) -> &'static str {
        "BinaryCrossentropy"
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        config.insert("from_logits".into(), json!(self.from_logits));
        config.insert("label_smoothing".into(), json!(self.label_smoothing));
        config
    }

    fn absorbs(&self, end: Activation) -> bool {
        has_logits(end)
    }

    fn check(&self, end: Option<Activation>, _: &Shape) -> Result<()> {
        check_logits(self.class(), self.from_logits, end, "sigmoid")
    }

    fn prepare(&self, values: &mut [f32], _: usize) {
        smooth(values, self.label_smoothing);
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], absorbed: bool) -> f64 {
        let one = if absorbed || self.from_logits { of_logit } else { of_probability };
        super::elementwise::pairs(truth, y).map(|(t, y)| one(t, y)).sum::<f64>() / y.len() as f64
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], absorbed: bool) {
        let scale = 1.0 / y.len() as f64;
        match absorbed || self.from_logits {
            true => super::elementwise::slopes(truth, y, scale, |t, z| sigmoid(z) - t),
            false => super::elementwise::slopes(truth, y, scale, slope_of_probability),
        }
    }
}
