//! Crossentropy of one class among several: `CategoricalCrossentropy` takes a probability for each class,
//! `SparseCategoricalCrossentropy` the label.
//!
//! ```text
//! from logits z:          sum(t * (log(sum(exp(z))) - z))          slope  softmax(z) * sum(t) - t
//! from probabilities p:   -sum(t * log(clip(p / sum(p))))          the sparse one: -log(clip(p)[label] / sum(clip(p)))
//! ```
//!
//! A softmax at the model's end is computed by the loss, from the logits, as in TensorFlow.

use super::{Entry, Loss, RowTarget, TargetKind, check_logits, clip, has_logits, inside, label_smoothing, last_axis};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::softmax;
use crate::layers::Activation;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "SparseCategoricalCrossentropy",
        names: &[],
        keys: &["from_logits", "ignore_class", "axis"],
        read: |_, config| {
            config.idle("ignore_class", |_| false, "null")?;
            read(config, true)
        },
    },
    Entry {
        class: "CategoricalCrossentropy",
        names: &[],
        keys: &["from_logits", "label_smoothing", "axis"],
        read: |_, config| read(config, false),
    },
];

fn read(config: &Object<'_>, sparse: bool) -> Result<Arc<dyn Loss>> {
    last_axis(config)?;
    let label_smoothing = if sparse { 0.0 } else { label_smoothing(config)? };
    Ok(Arc::new(Crossentropy { sparse, from_logits: config.bool_or("from_logits", false)?, label_smoothing }))
}

/// Either of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossentropy {
    sparse: bool,
    from_logits: bool,
    label_smoothing: f64,
}

impl Crossentropy {
    /// The one that takes labels.
    pub const fn sparse(from_logits: bool) -> Self {
        Crossentropy { sparse: true, from_logits, label_smoothing: 0.0 }
    }

    /// The one that takes a value for each class.
    pub const fn dense(from_logits: bool) -> Self {
        Crossentropy { sparse: false, from_logits, label_smoothing: 0.0 }
    }
}

impl Loss for Crossentropy {
    fn class(&self) -> &'static str {
        if self.sparse { "SparseCategoricalCrossentropy" } else { "CategoricalCrossentropy" }
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        config.insert("from_logits".into(), json!(self.from_logits));
        if !self.sparse {
            config.insert("label_smoothing".into(), json!(self.label_smoothing));
        }
        config
    }

    fn wants(&self) -> TargetKind {
        if self.sparse { TargetKind::Labels } else { TargetKind::Values }
    }

    fn absorbs(&self, end: Activation) -> bool {
        has_logits(end)
    }

    fn check(&self, end: Option<Activation>, output: &Shape) -> Result<()> {
        check_logits(self.class(), self.from_logits, end, "softmax")?;
        match output.dims().len() {
            1 => Ok(()),
            _ if !self.sparse => Ok(()),
            _ => Err(Error::new(ErrorKind::Shape, "the loss needs a row of classes from the last layer")
                .expected("[classes]")
                .found(output)),
        }
    }

    fn prepare(&self, values: &mut [f32], width: usize) {
        spread(values, width, self.label_smoothing);
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], absorbed: bool) -> f64 {
        if absorbed || self.from_logits {
            return from_logits(truth, y);
        }
        let (p, sum) =
            (|i: usize| f64::from(y[i]), |f: fn(f64) -> f64| y.iter().map(|&p| f(f64::from(p))).sum::<f64>());
        match truth {
            RowTarget::Label(label) => libm::log(sum(clip)) - libm::log(clip(p(label))),
            RowTarget::Values(t) => {
                let all = sum(|p| p);
                let part = |(i, &t): (usize, &f32)| -f64::from(t) * libm::log(clip(p(i) / all));
                t.iter().enumerate().map(part).sum()
            }
        }
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], absorbed: bool) {
        match truth {
            _ if absorbed || self.from_logits => slope_of_logits(truth, y),
            RowTarget::Label(label) => {
                let sum: f64 = y.iter().map(|&p| clip(f64::from(p))).sum();
                for (i, y) in y.iter_mut().enumerate() {
                    let p = f64::from(*y);
                    let own = if i == label { 1.0 / p } else { 0.0 };
                    *y = if inside(p) { (1.0 / sum - own) as f32 } else { 0.0 };
                }
            }
            RowTarget::Values(t) => {
                let all: f64 = y.iter().map(|&p| f64::from(p)).sum();
                let slope = |t: f32, p: f32| {
                    let q = f64::from(p) / all;
                    if inside(q) { (-f64::from(t) / q, q) } else { (0.0, q) }
                };
                let mean: f64 = t.iter().zip(y.iter()).map(|(&t, &p)| slope(t, p)).map(|(g, q)| g * q).sum();
                for (y, &t) in y.iter_mut().zip(t) {
                    *y = ((slope(t, *y).0 - mean) / all) as f32;
                }
            }
        }
    }
}

/// Label smoothing: takes `share` from the targets and spreads it evenly over all classes.
pub(super) fn spread(values: &mut [f32], width: usize, share: f64) {
    if share > 0.0 {
        let (keep, all) = ((1.0 - share) as f32, (share / width as f64) as f32);
        values.iter_mut().for_each(|t| *t = *t * keep + all);
    }
}

fn from_logits(truth: RowTarget<'_>, z: &[f32]) -> f64 {
    let log = softmax::log_sum(z);
    let of = |z: f32| f64::from(log.sum - (z - log.max));
    match truth {
        RowTarget::Label(label) => of(z[label]),
        // A target of 0 adds nothing, even if log(p) is infinite.
        RowTarget::Values(t) => t.iter().zip(z).filter(|(t, _)| **t != 0.0).map(|(&t, &z)| f64::from(t) * of(z)).sum(),
    }
}

/// Probabilities below this give no gradient. The label's own part, `p - 1`, is exact to 2^-24; much smaller values are
/// noise, whose products with weights would be [too small to compute with quickly](crate::kernels::simd::TINY).
const NOISE: f32 = 1.0 / (1u64 << 62) as f32;

fn slope_of_logits(truth: RowTarget<'_>, z: &mut [f32]) {
    softmax::softmax(z, z.len());
    match truth {
        RowTarget::Label(label) => z[label] -= 1.0,
        RowTarget::Values(t) => {
            let all: f32 = t.iter().sum();
            z.iter_mut().zip(t).for_each(|(p, t)| *p = *p * all - t);
        }
    }
    z.iter_mut().for_each(|p| *p = if p.abs() < NOISE { 0.0 } else { *p });
}
