//! The settings that Adam and related optimizers share.

use super::{Setting, decay, decay_in_range, epsilon_in_range, fraction, number, rate, rate_in_range};
use crate::error::Result;
use crate::json::Object;

/// Their Keras keys, except those that all optimizers have.
pub(super) const KEYS: &[&str] = &["beta_1", "beta_2", "epsilon"];

/// Two decays and the other shared settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Betas {
    /// The learning rate, 0 or more. Default: 0.001.
    pub learning_rate: f64,
    /// The decay of the first moment (the gradients' mean), in `[0, 1)`. Default: 0.9.
    pub beta_1: f64,
    /// The decay of the second moment (the gradients' size), in `[0, 1)`. Default: 0.999.
    pub beta_2: f64,
    /// Keeps a step finite; above 0. Default: 1e-7.
    pub epsilon: f64,
    /// Weight decay: the fraction of a weight subtracted before a step, times the learning rate; 0 or more. Default: 0.
    pub weight_decay: f64,
}

impl Default for Betas {
    fn default() -> Self {
        Betas { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, weight_decay: 0.0 }
    }
}

impl Betas {
    /// Reads them from a config; `default` has the default `weight_decay`.
    pub(super) fn read(config: &Object<'_>, default: Betas) -> Result<Self> {
        Ok(Betas {
            learning_rate: rate(config, default.learning_rate)?,
            beta_1: number(config, "beta_1", default.beta_1)?,
            beta_2: number(config, "beta_2", default.beta_2)?,
            epsilon: number(config, "epsilon", default.epsilon)?,
            weight_decay: decay(config, default.weight_decay)?,
        })
    }

    /// The settings with their ranges.
    pub(super) fn settings(&self) -> Vec<Setting> {
        vec![
            rate_in_range(self.learning_rate),
            fraction("beta_1", self.beta_1),
            fraction("beta_2", self.beta_2),
            epsilon_in_range(self.epsilon),
            decay_in_range(self.weight_decay),
        ]
    }
}
