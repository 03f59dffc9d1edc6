//! Adamax (Kingma and Ba 2015, section 7.1), Adam with the largest gradient instead of the mean square, as Keras writes
//! it:
//!
//! ```text
//! m += (g - m) * (1 - beta_1)
//! u  = max(beta_2 * u, |g|)
//! w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon)          t = 1, 2, ...
//! ```

use super::betas::{self, Betas};
use super::{Entry, Optimizer, Setting, step_decayed};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("Adamax", betas::KEYS, |config| Ok(Arc::new(Adamax(Betas::read(config, Betas::default())?))));

/// Its settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adamax(pub Betas);

/// The update rule; its moments are `m` and `u`.
#[derive(Clone, Copy)]
struct AdamaxRule {
    minus_rate: f32,
    one_minus_beta_1: f32,
    beta_2: f32,
    epsilon: f32,
}

impl Rule for AdamaxRule {
    const SLOTS: usize = 2;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [m, u, ..] = slots;
        *m = (g - *m).fma(g.all(self.one_minus_beta_1), *m).without_tiny();
        let size = g.or_greater(g.all(0.0) - g);
        *u = (g.all(self.beta_2) * *u).or_greater(size).without_tiny();
        (*m / (*u + g.all(self.epsilon))).fma(g.all(self.minus_rate), w)
    }
}

impl Optimizer for Adamax {
    fn class(&self) -> &'static str {
        "Adamax"
    }

    fn settings(&self) -> Vec<Setting> {
        self.0.settings()
    }

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum", "norm"]
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let rule = AdamaxRule {
            minus_rate: (-rate / (1.0 - libm::pow(self.0.beta_1, number as f64))) as f32,
            one_minus_beta_1: (1.0 - self.0.beta_1) as f32,
            beta_2: self.0.beta_2 as f32,
            epsilon: self.0.epsilon as f32,
        };
        step_decayed(isa, rule, rate * self.0.weight_decay, gradient, w, slots);
    }
}
