//! Adamax (Kingma and Ba 2015, section 7.1), Adam by the largest of the gradients, as Keras writes it:
//!
//! ```text
//! m += (g - m) * (1 - beta_1)
//! u  = max(beta_2 * u, |g|)
//! w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon)          t = 1, 2, ...
//! ```

use super::{
    Entry, Optimizer, Setting, decay, decay_in_range, epsilon_in_range, fraction, number, rate, rate_in_range,
    step_decayed,
};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("Adamax", &["beta_1", "beta_2", "epsilon"], |config| {
    let default = Adamax::default();
    Ok(Arc::new(Adamax {
        learning_rate: rate(config, default.learning_rate)?,
        beta_1: number(config, "beta_1", default.beta_1)?,
        beta_2: number(config, "beta_2", default.beta_2)?,
        epsilon: number(config, "epsilon", default.epsilon)?,
        weight_decay: decay(config, default.weight_decay)?,
    }))
});

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adamax {
    /// The length of a step, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The decay of the gradients' mean, in `[0, 1)`. Default: 0.9.
    pub beta_1: f64,
    /// The decay of the largest gradient, in `[0, 1)`. Default: 0.999.
    pub beta_2: f64,
    /// Keeps the step finite; above 0. Default: 1e-7.
    pub epsilon: f64,
    /// What a weight loses of itself before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Adamax {
    fn default() -> Self {
        Adamax { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

/// Its arithmetic; the moments are `m` and `u`.
#[derive(Clone, Copy)]
struct Largest {
    minus_rate: f32,
    one_minus_beta_1: f32,
    beta_2: f32,
    epsilon: f32,
}

impl Rule for Largest {
    const SLOTS: usize = 2;
    #[inline(always)]
    unsafe fn apply<V: Simd>(&self, g: V, w: V, slots: &mut [V; MOST_SLOTS]) -> V {
        let [m, u, ..] = slots;
        // SAFETY: the caller's.
        unsafe {
            *m = g.sub(*m).fma(V::splat(self.one_minus_beta_1), *m).without_tiny();
            let size = g.or_greater(V::splat(0.0).sub(g));
            *u = V::splat(self.beta_2).mul(*u).or_greater(size).without_tiny();
            m.div(u.add(V::splat(self.epsilon))).fma(V::splat(self.minus_rate), w)
        }
    }
}

impl Optimizer for Adamax {
    fn class(&self) -> &'static str {
        "Adamax"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            fraction("beta_1", self.beta_1),
            fraction("beta_2", self.beta_2),
            epsilon_in_range(self.epsilon),
            decay_in_range(self.weight_decay),
        ]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum", "norm"]
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let rule = Largest {
            minus_rate: (-rate / (1.0 - libm::pow(self.beta_1, number as f64))) as f32,
            one_minus_beta_1: (1.0 - self.beta_1) as f32,
            beta_2: self.beta_2 as f32,
            epsilon: self.epsilon as f32,
        };
        step_decayed(isa, rule, rate * self.weight_decay, gradient, w, slots);
    }
}
