//! Crossentropies in which well-classified elements count less (Lin et al. 2017): `BinaryFocalCrossentropy` and
//! `CategoricalFocalCrossentropy`.
//!
//! ```text
//! binary:       (1 - p_t)^gamma * crossentropy(t, p), p_t = t p + (1 - t)(1 - p);  times t alpha + (1 - t)(1 - alpha)
//!               with class balancing; the mean over the row
//! categorical:  sum(alpha * (1 - q)^gamma * -t log(q)), q = clip(p / sum(p))
//! ```

use super::binary::{of_logit, of_probability, sigmoid, slope_of_probability, smooth};
use super::categorical::spread;
use super::elementwise::{pairs, slopes};
use super::{Entry, Loss, RowTarget, check_logits, clip, inside, label_smoothing, last_axis};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::layers::Activation;
use libm::{exp, log, pow};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "BinaryFocalCrossentropy",
        names: &[],
        keys: &["apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis"],
        read: |_, config| {
            let balanced = config.bool_or("apply_class_balancing", false)?;
            Ok(Arc::new(Binary { focus: Focus::read(config)?, balanced }))
        },
    },
    Entry {
        class: "CategoricalFocalCrossentropy",
        names: &[],
        keys: &["alpha", "gamma", "from_logits", "label_smoothing", "axis"],
        read: |_, config| Ok(Arc::new(Categorical(Focus::read(config)?))),
    },
];

/// The settings that both have.
#[derive(Clone, Copy, Debug)]
struct Focus {
    alpha: f64,
    gamma: f64,
    from_logits: bool,
    label_smoothing: f64,
}

impl Focus {
    fn read(config: &Object<'_>) -> Result<Self> {
        last_axis(config)?;
        let number = |key, default| config.f64_or(key, default, "a number, 0 or more", |x| x >= 0.0);
        Ok(Focus {
            alpha: number("alpha", 0.25)?,
            gamma: number("gamma", 2.0)?,
            from_logits: config.bool_or("from_logits", false)?,
            label_smoothing: label_smoothing(config)?,
        })
    }

    fn config(&self) -> Map<String, Value> {
        let Focus { alpha, gamma, from_logits, label_smoothing } = *self;
        let mut config = Map::new();
        config.insert("alpha".into(), json!(alpha));
        config.insert("gamma".into(), json!(gamma));
        config.insert("from_logits".into(), json!(from_logits));
        config.insert("label_smoothing".into(), json!(label_smoothing));
        config
    }

    /// `x^gamma` and its derivative, for `x = 1 - p`.
    fn power(&self, x: f64) -> (f64, f64) {
        let slope = if self.gamma == 0.0 { 0.0 } else { self.gamma * pow(x, self.gamma - 1.0) };
        (pow(x, self.gamma), slope)
    }
}

#[derive(Debug)]
struct Binary {
    focus: Focus,
    balanced: bool,
}

impl Binary {
    /// For an element: the class balancing factor, the focal factor, and the focal factor's derivative in `p`.
    fn share(&self, t: f64, p: f64) -> (f64, f64, f64) {
        let Focus { alpha, .. } = self.focus;
        let balance = if self.balanced { t * alpha + (1.0 - t) * (1.0 - alpha) } else { 1.0 };
        let (share, slope) = self.focus.power(1.0 - (t * p + (1.0 - t) * (1.0 - p)));
        (balance, share, slope * (1.0 - 2.0 * t))
    }
}

impl Loss for Binary {
    fn class(&self) -> &'static str {
        "BinaryFocalCrossentropy"
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.focus.config();
        config.insert("apply_class_balancing".into(), json!(self.balanced));
        config
    }

    fn absorbs(&self, end: Activation) -> bool {
        end.name() == "sigmoid"
    }

    fn check(&self, end: Option<Activation>, _: &Shape) -> Result<()> {
        check_logits(self.class(), self.focus.from_logits, end, "sigmoid")
    }

    fn prepare(&self, values: &mut [f32], _: usize) {
        smooth(values, self.focus.label_smoothing);
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], absorbed: bool) -> f64 {
        let logits = absorbed || self.focus.from_logits;
        let one = |(t, y): (f64, f64)| {
            let (p, crossentropy) = if logits { (sigmoid(y), of_logit(t, y)) } else { (y, of_probability(t, y)) };
            let (balance, share, _) = self.share(t, p);
            balance * share * crossentropy
        };
        pairs(truth, y).map(one).sum::<f64>() / y.len() as f64
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], absorbed: bool) {
        let logits = absorbed || self.focus.from_logits;
        let scale = 1.0 / y.len() as f64;
        slopes(truth, y, scale, |t, y| {
            let p = if logits { sigmoid(y) } else { y };
            let (balance, share, share_slope) = self.share(t, p);
            balance
                * match logits {
                    true => share * (p - t) + share_slope * p * (1.0 - p) * of_logit(t, y),
                    false => share * slope_of_probability(t, p) + share_slope * of_probability(t, p),
                }
        });
    }
}

#[derive(Debug)]
struct Categorical(Focus);

impl Categorical {
    /// The divisor that turns a row into probabilities, and the part of the row that is divided.
    fn normal(&self, y: &[f32]) -> (f64, impl Fn(f32) -> f64 + use<>) {
        let logits = self.0.from_logits;
        let max = y.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let part = move |y: f32| if logits { exp(f64::from(y) - f64::from(max)) } else { f64::from(y) };
        (y.iter().map(|&y| part(y)).sum(), part)
    }

    /// The derivative in the probability `q`.
    fn slope_of(&self, t: f32, q: f64) -> f64 {
        if !inside(q) {
            return 0.0;
        }
        let (share, slope) = self.0.power(1.0 - q);
        self.0.alpha * f64::from(t) * (slope * log(q) - share / q)
    }
}

impl Loss for Categorical {
    fn class(&self) -> &'static str {
        "CategoricalFocalCrossentropy"
    }

    fn config(&self) -> Map<String, Value> {
        self.0.config()
    }

    fn check(&self, end: Option<Activation>, _: &Shape) -> Result<()> {
        check_logits(self.class(), self.0.from_logits, end, "softmax")
    }

    fn prepare(&self, values: &mut [f32], width: usize) {
        spread(values, width, self.0.label_smoothing);
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], _: bool) -> f64 {
        let (sum, part) = self.normal(y);
        let RowTarget::Values(values) = truth else { return 0.0 };
        let one = |(&t, &y): (&f32, &f32)| {
            let q = clip(part(y) / sum);
            -self.0.alpha * self.0.power(1.0 - q).0 * f64::from(t) * log(q)
        };
        values.iter().zip(y).map(one).sum()
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], _: bool) {
        let (sum, part) = self.normal(y);
        let RowTarget::Values(values) = truth else { return };
        let at = |t: f32, y: f32| {
            let q = part(y) / sum;
            (self.slope_of(t, q), q)
        };
        let mean: f64 = values.iter().zip(y.iter()).map(|(&t, &y)| at(t, y)).map(|(g, q)| g * q).sum();
        for (y, &t) in y.iter_mut().zip(values) {
            let (slope, q) = at(t, *y);
            *y = ((slope - mean) * if self.0.from_logits { q } else { 1.0 / sum }) as f32;
        }
    }
}
