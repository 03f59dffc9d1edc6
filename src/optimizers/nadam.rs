//! Nadam (Dozat 2016), Adam with Nesterov's momentum, as Keras writes it:
//!
//! ```text
//! u(t) = beta_1 * (1 - 0.96^t / 2)                                 t = 1, 2, ...
//! U(t) = u(1) * u(2) * ... * u(t)
//! m += (g - m) * (1 - beta_1)
//! v += (g * g - v) * (1 - beta_2)
//! n  = u(t+1) * m / (1 - U(t+1)) + (1 - u(t)) * g / (1 - U(t))
//! w -= learning_rate * n / (sqrt(v / (1 - beta_2^t)) + epsilon)
//! ```
//!
//! Keras keeps `U` as a variable; here it is computed from the step's number.

use super::betas::{self, Betas};
use super::{Entry, Optimizer, Setting, step_decayed};
use crate::kernels::rule::{MOST_SLOTS, Rule};
use crate::kernels::{Isa, Lanes, Simd};
use std::sync::{Arc, LazyLock};

pub(super) const ENTRY: Entry =
    ("Nadam", betas::KEYS, |config| Ok(Arc::new(Nadam(Betas::read(config, Betas::default())?))));

/// Its settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Nadam(pub Betas);

/// `1 - 0.96^t / 2`, and the product of these up to `t`, for each `t` at which the product still changes: later,
/// `0.96^t` has no effect in double precision.
static SHARES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let next = |(power, product): &mut (f64, f64)| {
        let share = 1.0 - 0.5 * *power;
        *product *= share;
        *power *= 0.96;
        Some((share, *product))
    };
    (0..1024).scan((1.0, 2.0), |state, _| next(state)).collect() // for t = 0 the factor is 1/2, so the start is 2
});

fn share(t: u64) -> (f64, f64) {
    SHARES[t.min(SHARES.len() as u64 - 1) as usize]
}

impl Nadam {
    /// `u(t)` and `U(t)`.
    fn momentum(&self, t: u64) -> (f64, f64) {
        (self.0.beta_1 * share(t).0, Nadam::product(self.0.beta_1, t))
    }

    /// `U(t)`; 1 before the first step.
    pub fn product(beta_1: f64, t: u64) -> f64 {
        libm::pow(beta_1, t as f64) * share(t).1
    }
}

/// The update rule; its moments are `m` and `v`.
#[derive(Clone, Copy)]
struct NadamRule {
    minus_rate: f32,
    one_minus_beta_1: f32,
    one_minus_beta_2: f32,
    of_mean: f32,
    of_gradient: f32,
    of_square: f32,
    epsilon: f32,
}

impl Rule for NadamRule {
    const SLOTS: usize = 2;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [m, v, ..] = slots;
        *m = (g - *m).fma(g.all(self.one_minus_beta_1), *m).without_tiny();
        *v = g.fms(g, *v).fma(g.all(self.one_minus_beta_2), *v).without_tiny();
        let ahead = m.fma(g.all(self.of_mean), g * g.all(self.of_gradient));
        let size = (*v * g.all(self.of_square)).sqrt() + g.all(self.epsilon);
        (ahead / size).fma(g.all(self.minus_rate), w)
    }
}

impl Optimizer for Nadam {
    fn class(&self) -> &'static str {
        "Nadam"
    }

    fn settings(&self) -> Vec<Setting> {
        self.0.settings()
    }

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum", "velocity"]
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let ((now, until_now), (next, until_next)) = (self.momentum(number), self.momentum(number + 1));
        let rule = NadamRule {
            minus_rate: -rate as f32,
            one_minus_beta_1: (1.0 - self.0.beta_1) as f32,
            one_minus_beta_2: (1.0 - self.0.beta_2) as f32,
            of_mean: (next / (1.0 - until_next)) as f32,
            of_gradient: ((1.0 - now) / (1.0 - until_now)) as f32,
            of_square: (1.0 / (1.0 - libm::pow(self.0.beta_2, number as f64))) as f32,
            epsilon: self.0.epsilon as f32,
        };
        step_decayed(isa, rule, rate * self.0.weight_decay, gradient, w, slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momenta_are_those_of_one_step_after_the_other() {
        let nadam = Nadam(Betas { beta_1: 0.999, ..Betas::default() });
        let mut product = 1.0;
        for t in 1..3000 {
            let u = 0.999 * (1.0 - 0.5 * 0.96f64.powi(t));
            product *= u;
            let (now, until_now) = nadam.momentum(t as u64);
            assert!((now - u).abs() < 1e-13 && (until_now - product).abs() < 1e-13, "{t}: {now} {until_now}");
        }
    }
}
