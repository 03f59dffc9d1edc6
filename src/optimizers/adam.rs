//! Adam, Kingma and Ba 2015, as Keras writes it: see [`kernels::adam`](crate::kernels::adam).

use super::betas::Betas;
use super::{Entry, Optimizer, Setting, step_decayed};
use crate::error::Result;
use crate::json::Object;
use crate::kernels::adam::AmsGrad;
use crate::kernels::{AdamStep, Isa};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("Adam", &["beta_1", "beta_2", "epsilon", "amsgrad"], |config| Ok(Arc::new(read(config, 0.0)?)));

/// Adam's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adam {
    /// The settings shared with related optimizers; `epsilon` is outside the bias correction.
    pub betas: Betas,
    /// AMSGrad: whether the largest mean square so far replaces the last one (Reddi et al. 2018). Default: false.
    pub amsgrad: bool,
}

/// Reads Adam from a config; `weight_decay` is the default.
pub(super) fn read(config: &Object<'_>, weight_decay: f64) -> Result<Adam> {
    let betas = Betas::read(config, Betas { weight_decay, ..Betas::default() })?;
    Ok(Adam { betas, amsgrad: config.bool_or("amsgrad", false)? })
}

impl Adam {
    fn numbers(&self, rate: f64, number: u64) -> AdamStep {
        AdamStep::new(rate, self.betas.beta_1, self.betas.beta_2, self.betas.epsilon, number)
    }
}

impl Optimizer for Adam {
    fn class(&self) -> &'static str {
        "Adam"
    }

    fn settings(&self) -> Vec<Setting> {
        self.betas.settings()
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("amsgrad", self.amsgrad)]
    }

    fn learning_rate(&self) -> f64 {
        self.betas.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        if self.amsgrad { vec!["m", "v", "vhat"] } else { vec!["m", "v"] }
    }

    fn fused(&self, rate: f64, number: u64) -> Option<AdamStep> {
        (self.betas.weight_decay == 0.0 && !self.amsgrad).then(|| self.numbers(rate, number))
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let (numbers, decay) = (self.numbers(rate, number), rate * self.betas.weight_decay);
        match self.amsgrad {
            false => step_decayed(isa, numbers, decay, gradient, w, slots),
            true => step_decayed(isa, AmsGrad(numbers), decay, gradient, w, slots),
        }
    }
}
