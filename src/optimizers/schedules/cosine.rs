//! A rate that decreases along half a cosine (Loshchilov and Hutter 2017), after a linear warm-up, as Keras writes it:
//!
//! ```text
//! p = min(steps - warmup_steps, decay_steps) / decay_steps
//! first * ((1 - alpha) * (1 + cos(pi * p)) / 2 + alpha)            first: warmup_target, or initial_learning_rate
//! (warmup_target - initial_learning_rate) * steps / warmup_steps + initial_learning_rate     before warmup_steps
//! ```

use super::{Entry, Schedule, Setting, first_rate, not_negative, number, steps};
use serde_json::Value;
use std::f32::consts::PI;
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("CosineDecay", &["initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps"], |config| {
        Ok(Arc::new(CosineDecay {
            initial_learning_rate: config.f64("initial_learning_rate")?,
            decay_steps: config.f64("decay_steps")?,
            alpha: number(config, "alpha", 0.0)?,
            warmup_target: config.or("warmup_target", None, "a number, or null", |value| match value {
                Value::Null => Some(None),
                value => value.as_f64().map(Some),
            })?,
            warmup_steps: number(config, "warmup_steps", 0.0)?,
        }))
    });

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineDecay {
    /// The rate of the first batch, 0 or more.
    pub initial_learning_rate: f64,
    /// The batches of the decay, above 0.
    pub decay_steps: f64,
    /// The final rate as a fraction of the highest, 0 or more. Default: 0.
    pub alpha: f64,
    /// The rate at the end of the warm-up, 0 or more; `None`: no warm-up. Default: none.
    pub warmup_target: Option<f64>,
    /// The batches of the warm-up, 0 or more. Default: 0.
    pub warmup_steps: f64,
}

impl Schedule for CosineDecay {
    fn class(&self) -> &'static str {
        "CosineDecay"
    }

    fn settings(&self) -> Vec<Setting> {
        let all = [
            first_rate(self.initial_learning_rate),
            steps("decay_steps", self.decay_steps),
            not_negative("alpha", self.alpha),
            not_negative("warmup_steps", self.warmup_steps),
        ];
        all.into_iter().chain(self.warmup_target.map(|target| not_negative("warmup_target", target))).collect()
    }

    fn rate(&self, steps: u64) -> f64 {
        let (step, initial, whole) = (steps as f32, self.initial_learning_rate as f32, self.decay_steps as f32);
        let (first, step) = match self.warmup_target.map(|target| (target as f32, self.warmup_steps as f32)) {
            Some((target, up)) if step < up => return f64::from((target - initial) * (step / up) + initial),
            Some((target, up)) => (target, step.min(whole + up) - up),
            None => (initial, step.min(whole)),
        };
        let cosine = 0.5 * (1.0 + libm::cosf(PI * (step / whole)));
        f64::from(first * ((1.0 - self.alpha) as f32 * cosine + self.alpha as f32))
    }
}
