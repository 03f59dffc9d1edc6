//! Stochastic gradient descent, with momentum and Nesterov's (Sutskever et al. 2013), as Keras writes it:
//!
//! ```text
//! w -= learning_rate * g                              without momentum
//! v  = momentum * v - learning_rate * g               with it
//! w += v                                              or, with Nesterov's,
//! w += momentum * v - learning_rate * g
//! ```

use super::{Entry, Optimizer, Setting, decay, decay_in_range, number, rate, rate_in_range, step_decayed};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("SGD", &["momentum", "nesterov"], |config| {
    Ok(Arc::new(Sgd {
        learning_rate: rate(config, 0.01)?,
        momentum: number(config, "momentum", 0.0)?,
        nesterov: config.bool_or("nesterov", false)?,
        weight_decay: decay(config, 0.0)?,
    }))
});

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate, 0 or more. Default: 0.01.
    pub learning_rate: f64,
    /// The momentum, 0 to 1. Default: 0.
    pub momentum: f64,
    /// Whether Nesterov's momentum is used. Default: false.
    pub nesterov: bool,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { learning_rate: 0.01, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

/// Without momentum.
#[derive(Clone, Copy)]
struct SgdRule {
    minus_rate: f32,
}

impl Rule for SgdRule {
    const SLOTS: usize = 0;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, _: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        g.fma(g.all(self.minus_rate), w)
    }
}

/// With momentum.
#[derive(Clone, Copy)]
struct MomentumRule {
    minus_rate: f32,
    momentum: f32,
    nesterov: bool,
}

impl Rule for MomentumRule {
    const SLOTS: usize = 1;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [v, ..] = slots;
        let (rate, momentum, zero) = (g.all(self.minus_rate), g.all(self.momentum), g.all(0.0));
        *v = momentum.fma(*v, g.fma(rate, zero)).without_tiny();
        match self.nesterov {
            true => momentum.fma(*v, g.fma(rate, w)),
            false => w + *v,
        }
    }
}

impl Optimizer for Sgd {
    fn class(&self) -> &'static str {
        "SGD"
    }

    fn settings(&self) -> Vec<Setting> {
        let momentum = ("momentum", self.momentum, (0.0..=1.0).contains(&self.momentum), "0 to 1");
        vec![rate_in_range(self.learning_rate), momentum, decay_in_range(self.weight_decay)]
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("nesterov", self.nesterov)]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { Vec::new() } else { vec!["momentum"] }
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let (decay, minus_rate) = (rate * self.weight_decay, -rate as f32);
        match self.momentum as f32 {
            0.0 => step_decayed(isa, SgdRule { minus_rate }, decay, gradient, w, slots),
            momentum => {
                let rule = MomentumRule { minus_rate, momentum, nesterov: self.nesterov };
                step_decayed(isa, rule, decay, gradient, w, slots);
            }
        }
    }
}
