//! Lion (Chen et al. 2023), steps of a fixed length in the direction of the momentum's sign, as Keras writes it:
//!
//! ```text
//! w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)
//! m  = beta_2 * m + (1 - beta_2) * g
//! ```

use super::{Entry, Optimizer, Setting, decay, decay_in_range, number, rate, rate_in_range, step_decayed};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("Lion", &["beta_1", "beta_2"], |config| {
    let default = Lion::default();
    Ok(Arc::new(Lion {
        learning_rate: rate(config, default.learning_rate)?,
        beta_1: number(config, "beta_1", default.beta_1)?,
        beta_2: number(config, "beta_2", default.beta_2)?,
        weight_decay: decay(config, default.weight_decay)?,
    }))
});

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    /// The learning rate, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The weight of the momentum in the direction, above 0, at most 1. Default: 0.9.
    pub beta_1: f64,
    /// The decay of the momentum, 0 to 1. Default: 0.99.
    pub beta_2: f64,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Lion { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.99, weight_decay: 0.0 }
    }
}

/// The update rule; its moment is `m`.
#[derive(Clone, Copy)]
struct LionRule {
    minus_rate: f32,
    beta_1: f32,
    one_minus_beta_1: f32,
    beta_2: f32,
    one_minus_beta_2: f32,
}

impl Rule for LionRule {
    const SLOTS: usize = 1;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [m, ..] = slots;
        let x = m.fma(g.all(self.beta_1), g * g.all(self.one_minus_beta_1));
        // Neither above nor below 0: 0, or NaN, which stays.
        let sign = g.all(1.0).if_positive(x, g.all(-1.0).if_positive(g.all(0.0) - x, x));
        *m = m.fma(g.all(self.beta_2), g * g.all(self.one_minus_beta_2)).without_tiny();
        sign.fma(g.all(self.minus_rate), w)
    }
}

impl Optimizer for Lion {
    fn class(&self) -> &'static str {
        "Lion"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            ("beta_1", self.beta_1, self.beta_1 > 0.0 && self.beta_1 <= 1.0, "above 0 and at most 1"),
            ("beta_2", self.beta_2, (0.0..=1.0).contains(&self.beta_2), "0 to 1"),
            decay_in_range(self.weight_decay),
        ]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum"]
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let rule = LionRule {
            minus_rate: -rate as f32,
            beta_1: self.beta_1 as f32,
            one_minus_beta_1: (1.0 - self.beta_1) as f32,
            beta_2: self.beta_2 as f32,
            one_minus_beta_2: (1.0 - self.beta_2) as f32,
        };
        step_decayed(isa, rule, rate * self.weight_decay, gradient, w, slots);
    }
}
