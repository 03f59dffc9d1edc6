//! A rate that decreases to another by a power of the remaining time, as Keras writes it:
//!
//! ```text
//! p = min(steps, decay_steps) / decay_steps
//! (initial_learning_rate - end_learning_rate) * (1 - p)^power + end_learning_rate
//! ```
//!
//! With `cycle` it continues after `decay_steps`: they are rounded up to the next multiple.

use super::{Entry, Schedule, Setting, first_rate, not_negative, number, steps};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("PolynomialDecay", &["initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle"], |config| {
        Ok(Arc::new(PolynomialDecay {
            initial_learning_rate: config.f64("initial_learning_rate")?,
            decay_steps: config.f64("decay_steps")?,
            end_learning_rate: number(config, "end_learning_rate", 1e-4)?,
            power: number(config, "power", 1.0)?,
            cycle: config.bool_or("cycle", false)?,
        }))
    });

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolynomialDecay {
    /// The rate of the first batch, 0 or more.
    pub initial_learning_rate: f64,
    /// The batches of the decay, above 0.
    pub decay_steps: f64,
    /// The final rate, 0 or more. Default: 0.0001.
    pub end_learning_rate: f64,
    /// The power, 0 or more. Default: 1.
    pub power: f64,
    /// Whether it starts again at each end, from a lower rate. Default: false.
    pub cycle: bool,
}

impl Schedule for PolynomialDecay {
    fn class(&self) -> &'static str {
        "PolynomialDecay"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            first_rate(self.initial_learning_rate),
            steps("decay_steps", self.decay_steps),
            not_negative("end_learning_rate", self.end_learning_rate),
            not_negative("power", self.power),
        ]
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("cycle", self.cycle)]
    }

    fn rate(&self, steps: u64) -> f64 {
        let (initial, end) = (self.initial_learning_rate as f32, self.end_learning_rate as f32);
        let (step, whole) = (steps as f32, self.decay_steps as f32);
        let p = match self.cycle {
            true => step / (whole * (step / whole).ceil().max(1.0)),
            false => step.min(whole) / whole,
        };
        f64::from((initial - end) * libm::powf(1.0 - p, self.power as f32) + end)
    }
}
