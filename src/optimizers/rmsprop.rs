//! RMSprop (Tieleman and Hinton 2012), as Keras writes it:
//!
//! ```text
//! v = rho * v + (1 - rho) * g * g                                  the gradients' mean square
//! a = rho * a + (1 - rho) * g                                      their mean, when centered
//! d = learning_rate * g / sqrt(v - a * a + epsilon)                a * a being 0 when not centered
//! w -= d                                                           without momentum
//! b = momentum * b + d;  w -= b                                    with it
//! ```

use super::{
    Entry, Optimizer, Setting, decay, decay_in_range, epsilon_in_range, fraction, number, rate, rate_in_range,
    step_decayed,
};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("RMSprop", &["rho", "momentum", "epsilon", "centered"], |config| {
    Ok(Arc::new(RmsProp {
        learning_rate: rate(config, 1e-3)?,
        rho: number(config, "rho", 0.9)?,
        momentum: number(config, "momentum", 0.0)?,
        epsilon: number(config, "epsilon", 1e-7)?,
        centered: config.bool_or("centered", false)?,
        weight_decay: decay(config, 0.0)?,
    }))
});

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// The learning rate, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The decay of the gradients' mean square, in `[0, 1)`. Default: 0.9.
    pub rho: f64,
    /// The momentum, 0 to 1. Default: 0.
    pub momentum: f64,
    /// Added under the root: keeps a step finite; above 0. Default: 1e-7.
    pub epsilon: f64,
    /// Whether the gradients' variance is used instead of their mean square. Default: false.
    pub centered: bool,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        let (learning_rate, rho, epsilon) = (1e-3, 0.9, 1e-7);
        RmsProp { learning_rate, rho, momentum: 0.0, epsilon, centered: false, weight_decay: 0.0 }
    }
}

/// The update rule; its moments are `v`, then `b` and `a` if used.
#[derive(Clone, Copy)]
struct RmsPropRule<const MOMENTUM: bool, const CENTERED: bool> {
    rate: f32,
    rho: f32,
    one_minus_rho: f32,
    momentum: f32,
    epsilon: f32,
}

impl<const MOMENTUM: bool, const CENTERED: bool> Rule for RmsPropRule<MOMENTUM, CENTERED> {
    const SLOTS: usize = 1 + MOMENTUM as usize + CENTERED as usize;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let (rho, rest, zero) = (g.all(self.rho), g.all(self.one_minus_rho), g.all(0.0));
        let mean = |old: Lanes<V>, new: Lanes<V>| rho.fma(old, rest.fma(new, zero)).without_tiny();
        slots[0] = mean(slots[0], g.fma(g, zero));
        let mut square = slots[0];
        if CENTERED {
            let a = &mut slots[Self::SLOTS - 1];
            *a = mean(*a, g);
            square = square - a.fma(*a, zero);
        }
        let step = g.fma(g.all(self.rate), zero) / (square + g.all(self.epsilon)).sqrt();
        match MOMENTUM {
            true => {
                slots[1] = g.all(self.momentum).fma(slots[1], step).without_tiny();
                w - slots[1]
            }
            false => w - step,
        }
    }
}

impl RmsProp {
    fn rule<const MOMENTUM: bool, const CENTERED: bool>(&self, rate: f64) -> RmsPropRule<MOMENTUM, CENTERED> {
        let (rho, one_minus_rho) = (self.rho as f32, (1.0 - self.rho) as f32);
        RmsPropRule {
            rate: rate as f32,
            rho,
            one_minus_rho,
            momentum: self.momentum as f32,
            epsilon: self.epsilon as f32,
        }
    }
}

impl Optimizer for RmsProp {
    fn class(&self) -> &'static str {
        "RMSprop"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            fraction("rho", self.rho),
            ("momentum", self.momentum, (0.0..=1.0).contains(&self.momentum), "0 to 1"),
            epsilon_in_range(self.epsilon),
            decay_in_range(self.weight_decay),
        ]
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("centered", self.centered)]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        let all = [("velocity", true), ("momentum", self.momentum > 0.0), ("average_gradient", self.centered)];
        all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    fn step(&self, isa: Isa, rate: f64, _: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let decay = rate * self.weight_decay;
        match (self.momentum > 0.0, self.centered) {
            (false, false) => step_decayed(isa, self.rule::<false, false>(rate), decay, gradient, w, slots),
            (false, true) => step_decayed(isa, self.rule::<false, true>(rate), decay, gradient, w, slots),
            (true, false) => step_decayed(isa, self.rule::<true, false>(rate), decay, gradient, w, slots),
            (true, true) => step_decayed(isa, self.rule::<true, true>(rate), decay, gradient, w, slots),
        }
    }
}
