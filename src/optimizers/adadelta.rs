//! Adadelta (Zeiler 2012), as Keras writes it:
//!
//! ```text
//! a  = rho * a + (1 - rho) * g * g                                 the gradients' mean square
//! d  = g * sqrt(b + epsilon) / sqrt(a + epsilon)
//! b  = rho * b + (1 - rho) * d * d                                 that of the changes
//! w -= learning_rate * d
//! ```

use super::{
    Entry, Optimizer, Setting, decay, decay_in_range, epsilon_in_range, fraction, number, rate, rate_in_range,
    step_decayed,
};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("Adadelta", &["rho", "epsilon"], |config| {
    let default = Adadelta::default();
    Ok(Arc::new(Adadelta {
        learning_rate: rate(config, default.learning_rate)?,
        rho: number(config, "rho", default.rho)?,
        epsilon: number(config, "epsilon", default.epsilon)?,
        weight_decay: decay(config, default.weight_decay)?,
    }))
});

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    /// The learning rate, 0 or more. Default: 0.001; the paper has 1.
    pub learning_rate: f64,
    /// The decay of both mean squares, in `[0, 1)`. Default: 0.95.
    pub rho: f64,
    /// Added under the roots: keeps a step finite and starts the first one; above 0. Default: 1e-7.
    pub epsilon: f64,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta { learning_rate: 1e-3, rho: 0.95, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

/// The update rule; its moments are `a` and `b`.
#[derive(Clone, Copy)]
struct AdadeltaRule {
    minus_rate: f32,
    rho: f32,
    one_minus_rho: f32,
    epsilon: f32,
}

impl Rule for AdadeltaRule {
    const SLOTS: usize = 2;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [a, b, ..] = slots;
        let (rho, rest, epsilon) = (g.all(self.rho), g.all(self.one_minus_rho), g.all(self.epsilon));
        let mean = |old: Lanes<V>, x: Lanes<V>| rho.fma(old, rest * (x * x)).without_tiny();
        *a = mean(*a, g);
        let change = g * (*b + epsilon).sqrt() / (*a + epsilon).sqrt();
        *b = mean(*b, change);
        change.fma(g.all(self.minus_rate), w)
    }
}

impl Optimizer for Adadelta {
    fn class(&self) -> &'static str {
        "Adadelta"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            fraction("rho", self.rho),
            epsilon_in_range(self.epsilon),
            decay_in_range(self.weight_decay),
        ]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["accumulated_grad", "accumulated_delta_var"]
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let rule = AdadeltaRule {
            minus_rate: -rate as f32,
            rho: self.rho as f32,
            one_minus_rho: (1.0 - self.rho) as f32,
            epsilon: self.epsilon as f32,
        };
        step_decayed(isa, rule, rate * self.weight_decay, gradient, w, slots);
    }
}
