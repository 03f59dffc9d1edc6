//! Rates that decrease with time, as Keras writes them; `p` is `steps / decay_steps`, or its integer part
//! (`staircase`):
//!
//! ```text
//! initial_learning_rate * decay_rate^p                             ExponentialDecay
//! initial_learning_rate / (1 + decay_rate * p)                     InverseTimeDecay
//! ```

use super::{Entry, Schedule, Setting, first_rate, not_negative, steps};
use crate::error::Result;
use crate::json::Object;
use std::sync::Arc;

const KEYS: &[&str] = &["initial_learning_rate", "decay_steps", "decay_rate", "staircase"];

pub(super) const EXPONENTIAL: Entry = ("ExponentialDecay", KEYS, |config| read(config, Formula::Exponential));
pub(super) const INVERSE: Entry = ("InverseTimeDecay", KEYS, |config| read(config, Formula::InverseTime));

/// The formula of the decrease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Exponential.
    Exponential,
    /// Inverse in time.
    InverseTime,
}

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeDecay {
    /// The formula.
    pub formula: Formula,
    /// The rate of the first batch, 0 or more.
    pub initial_learning_rate: f64,
    /// The time's unit, in batches; above 0.
    pub decay_steps: f64,
    /// The decay in that time, 0 or more.
    pub decay_rate: f64,
    /// Whether it changes only at the end of each unit. Default: false.
    pub staircase: bool,
}

fn read(config: &Object<'_>, formula: Formula) -> Result<Arc<dyn Schedule>> {
    Ok(Arc::new(TimeDecay {
        formula,
        initial_learning_rate: config.f64("initial_learning_rate")?,
        decay_steps: config.f64("decay_steps")?,
        decay_rate: config.f64("decay_rate")?,
        staircase: config.bool_or("staircase", false)?,
    }))
}

impl Schedule for TimeDecay {
    fn class(&self) -> &'static str {
        match self.formula {
            Formula::Exponential => "ExponentialDecay",
            Formula::InverseTime => "InverseTimeDecay",
        }
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            first_rate(self.initial_learning_rate),
            steps("decay_steps", self.decay_steps),
            not_negative("decay_rate", self.decay_rate),
        ]
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        vec![("staircase", self.staircase)]
    }

    fn rate(&self, steps: u64) -> f64 {
        let (initial, decay) = (self.initial_learning_rate as f32, self.decay_rate as f32);
        let p = steps as f32 / self.decay_steps as f32;
        let p = if self.staircase { p.floor() } else { p };
        f64::from(match self.formula {
            Formula::Exponential => initial * libm::powf(decay, p),
            Formula::InverseTime => initial / (1.0 + decay * p),
        })
    }
}
