//! Ftrl, "follow the regularized leader" (McMahan et al. 2013), as Keras writes it:
//!
//! ```text
//! b  = a + g * g                                                   a: initial_accumulator_value at first
//! l += g + 2 * l2_shrinkage * w - (b^-power - a^-power) / learning_rate * w
//! q  = b^-power / learning_rate + 2 * l2 + beta / learning_rate
//! w  = (clip(l, -l1, l1) - l) / q
//! a  = b
//! ```
//!
//! A step at a rate of 0, as at a schedule's end, changes nothing.

use super::{Entry, Optimizer, Setting, decay, decay_in_range, not_negative, number, rate, step_decayed};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = (
    "Ftrl",
    &[
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    ],
    |config| {
        let default = Ftrl::default();
        Ok(Arc::new(Ftrl {
            learning_rate: rate(config, default.learning_rate)?,
            learning_rate_power: number(config, "learning_rate_power", default.learning_rate_power)?,
            initial_accumulator_value: number(config, ACCUMULATOR_VALUE, default.initial_accumulator_value)?,
            l1_regularization_strength: number(config, "l1_regularization_strength", 0.0)?,
            l2_regularization_strength: number(config, "l2_regularization_strength", 0.0)?,
            l2_shrinkage_regularization_strength: number(config, "l2_shrinkage_regularization_strength", 0.0)?,
            beta: number(config, "beta", default.beta)?,
            weight_decay: decay(config, default.weight_decay)?,
        }))
    },
);

const ACCUMULATOR_VALUE: &str = "initial_accumulator_value";

/// The name of the moment with an initial value other than 0.
const ACCUMULATOR: &str = "accumulator";

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ftrl {
    /// The learning rate, above 0. Default: 0.001.
    pub learning_rate: f64,
    /// The power of the summed squares by which the learning rate decreases, 0 or less; -0.5 is their root. Default:
    /// -0.5.
    pub learning_rate_power: f64,
    /// The initial sum of the gradients' squares, 0 or more; with 0 a weight whose first gradient is 0 becomes NaN,
    /// unless `q` has another term. Default: 0.1.
    pub initial_accumulator_value: f64,
    /// L1 regularization, which makes small weights 0; 0 or more. Default: 0.
    pub l1_regularization_strength: f64,
    /// L2 regularization, 0 or more. Default: 0.
    pub l2_regularization_strength: f64,
    /// L2 shrinkage, which acts on the gradient; 0 or more. Default: 0.
    pub l2_shrinkage_regularization_strength: f64,
    /// The paper's beta, 0 or more. Default: 0.
    pub beta: f64,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Ftrl {
    fn default() -> Self {
        Ftrl {
            learning_rate: 1e-3,
            learning_rate_power: -0.5,
            initial_accumulator_value: 0.1,
            l1_regularization_strength: 0.0,
            l2_regularization_strength: 0.0,
            l2_shrinkage_regularization_strength: 0.0,
            beta: 0.0,
            weight_decay: 0.0,
        }
    }
}

/// The update rule; its moments are `a` and `l`. The power is a square root, or computed by `libm` lane by lane.
#[derive(Clone, Copy)]
struct FtrlRule<const ROOT: bool> {
    rate: f32,
    power: f32,
    l1: f32,
    twice_l2: f32,
    twice_shrinkage: f32,
}

impl<const ROOT: bool> FtrlRule<ROOT> {
    #[inline(always)]
    fn power<V: Simd>(&self, x: Lanes<V>) -> Lanes<V> {
        if ROOT { x.sqrt() } else { x.map(|x| libm::powf(x, self.power)) }
    }
}

impl<const ROOT: bool> Rule for FtrlRule<ROOT> {
    const SLOTS: usize = 2;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [a, l, ..] = slots;
        let (zero, rate, l1) = (g.all(0.0), g.all(self.rate), g.all(self.l1));
        let b = g.fma(g, *a).without_tiny();
        let (before, after) = (self.power(*a), self.power(b));
        let slope = w.fma(g.all(self.twice_shrinkage), g);
        *l = (*l + (slope - (after - before) / rate * w)).without_tiny();
        let q = after / rate + g.all(self.twice_l2);
        *a = b;
        // clip(l, -l1, l1) - l: the part of l beyond l1, negated.
        (l1 - *l).if_positive(*l - l1, (zero - l1 - *l).relu()) / q
    }
}

impl Ftrl {
    fn rule<const ROOT: bool>(&self, rate: f64) -> FtrlRule<ROOT> {
        FtrlRule {
            rate: rate as f32,
            power: -self.learning_rate_power as f32,
            l1: self.l1_regularization_strength as f32,
            twice_l2: (2.0 * self.l2_regularization_strength + self.beta / rate) as f32,
            twice_shrinkage: (2.0 * self.l2_shrinkage_regularization_strength) as f32,
        }
    }
}

impl Optimizer for Ftrl {
    fn class(&self) -> &'static str {
        "Ftrl"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            ("learning_rate", self.learning_rate, self.learning_rate > 0.0, "above 0"),
            ("learning_rate_power", self.learning_rate_power, self.learning_rate_power <= 0.0, "0 or less"),
            not_negative(ACCUMULATOR_VALUE, self.initial_accumulator_value),
            not_negative("l1_regularization_strength", self.l1_regularization_strength),
            not_negative("l2_regularization_strength", self.l2_regularization_strength),
            not_negative("l2_shrinkage_regularization_strength", self.l2_shrinkage_regularization_strength),
            not_negative("beta", self.beta),
            decay_in_range(self.weight_decay),
        ]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec![ACCUMULATOR, "linear"]
    }

    fn beginning(&self, slot: &str) -> f32 {
        if slot == ACCUMULATOR { self.initial_accumulator_value as f32 } else { 0.0 }
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let decay = rate * self.weight_decay;
        if rate as f32 == 0.0 {
            return; // Keras divides by it, and has NaN
        }
        match self.learning_rate_power {
            -0.5 => step_decayed(isa, self.rule::<true>(rate), decay, gradient, w, slots),
            _ => step_decayed(isa, self.rule::<false>(rate), decay, gradient, w, slots),
        }
    }
}
