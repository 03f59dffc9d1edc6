//! Adam, Kingma and Ba 2015, as Keras writes it: see [`kernels::adam`](crate::kernels::adam).

use super::{
    Entry, Optimizer, Setting, decay, decay_in_range, epsilon_in_range, fraction, number, rate, rate_in_range,
    step_decayed,
};
use crate::error::Result;
use crate::json::Object;
use crate::kernels::adam::AmsGrad;
use crate::kernels::{AdamStep, Isa};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("Adam", &["beta_1", "beta_2", "epsilon", "amsgrad"], |config| Ok(Arc::new(read(config, 0.0)?)));

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The length of a step, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The decay of the gradients' mean, in `[0, 1)`. Default: 0.9.
    pub beta_1: f64,
    /// The decay of the gradients' mean square, in `[0, 1)`. Default: 0.999.
    pub beta_2: f64,
    /// Keeps the step finite; above 0, outside of the bias correction. Default: 1e-7.
    pub epsilon: f64,
    /// What a weight loses of itself before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
    /// Whether the largest mean square so far takes the place of the last one (Reddi et al. 2018). Default: false.
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0, amsgrad: false }
    }
}

/// Adam out of a config; `weight_decay` is what it has when the config does not say.
pub(super) fn read(config: &Object<'_>, weight_decay: f64) -> Result<Adam> {
    let default = Adam::default();
    Ok(Adam {
        learning_rate: rate(config, default.learning_rate)?,
        beta_1: number(config, "beta_1", default.beta_1)?,
        beta_2: number(config, "beta_2", default.beta_2)?,
        epsilon: number(config, "epsilon", default.epsilon)?,
        weight_decay: decay(config, weight_decay)?,
        amsgrad: config.bool_or("amsgrad", false)?,
    })
}

impl Adam {
    fn numbers(&self, rate: f64, number: u64) -> AdamStep {
        AdamStep::new(rate, self.beta_1, self.beta_2, self.epsilon, number)
    }
}

impl Optimizer for Adam {
    fn class(&self) -> &'static str {
        "Adam"
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

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("amsgrad", self.amsgrad)]
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        if self.amsgrad { vec!["m", "v", "vhat"] } else { vec!["m", "v"] }
    }

    fn fused(&self, rate: f64, number: u64) -> Option<AdamStep> {
        (self.weight_decay == 0.0 && !self.amsgrad).then(|| self.numbers(rate, number))
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let (numbers, decay) = (self.numbers(rate, number), rate * self.weight_decay);
        match self.amsgrad {
            false => step_decayed(isa, numbers, decay, gradient, w, slots),
            true => step_decayed(isa, AmsGrad(numbers), decay, gradient, w, slots),
        }
    }
}
