//! Adagrad (Duchi et al. 2011), as Keras writes it:
//!
//! ```text
//! a += g * g                                                       initial_accumulator_value at first
//! w -= learning_rate * g / sqrt(a + epsilon)
//! ```

use super::{
    Entry, Optimizer, Setting, decay, decay_in_range, epsilon_in_range, not_negative, number, rate, rate_in_range,
    step_decayed,
};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("Adagrad", &["initial_accumulator_value", "epsilon"], |config| {
    let default = Adagrad::default();
    Ok(Arc::new(Adagrad {
        learning_rate: rate(config, default.learning_rate)?,
        initial_accumulator_value: number(config, "initial_accumulator_value", default.initial_accumulator_value)?,
        epsilon: number(config, "epsilon", default.epsilon)?,
        weight_decay: decay(config, default.weight_decay)?,
    }))
});

/// The moment's name.
const ACCUMULATOR: &str = "accumulator";

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// The learning rate, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The initial sum of the gradients' squares, 0 or more. Default: 0.1.
    pub initial_accumulator_value: f64,
    /// Added under the root: keeps a step finite; above 0. Default: 1e-7.
    pub epsilon: f64,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { learning_rate: 1e-3, initial_accumulator_value: 0.1, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

/// The update rule; its moment is `a`.
#[derive(Clone, Copy)]
struct AdagradRule {
    minus_rate: f32,
    epsilon: f32,
}

impl Rule for AdagradRule {
    const SLOTS: usize = 1;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [a, ..] = slots;
        *a = g.fma(g, *a).without_tiny();
        (g / (*a + g.all(self.epsilon)).sqrt()).fma(g.all(self.minus_rate), w)
    }
}

impl Optimizer for Adagrad {
    fn class(&self) -> &'static str {
        "Adagrad"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            not_negative("initial_accumulator_value", self.initial_accumulator_value),
            epsilon_in_range(self.epsilon),
            decay_in_range(self.weight_decay),
        ]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec![ACCUMULATOR]
    }

    fn beginning(&self, slot: &str) -> f32 {
        if slot == ACCUMULATOR { self.initial_accumulator_value as f32 } else { 0.0 }
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let rule = AdagradRule { minus_rate: -rate as f32, epsilon: self.epsilon as f32 };
        step_decayed(isa, rule, rate * self.weight_decay, gradient, w, slots);
    }
}
