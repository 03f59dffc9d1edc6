//! A rate that decreases along half a cosine repeatedly (Loshchilov and Hutter 2017), each time `t_mul` times as long
//! and from `m_mul` times as high, as Keras writes it:
//!
//! ```text
//! p = steps / first_decay_steps
//! i = floor(log(1 - p * (1 - t_mul)) / log(t_mul))                 how many times it has come to an end; floor(p) if t_mul is 1
//! q = (p - (1 - t_mul^i) / (1 - t_mul)) / t_mul^i                  p - i if t_mul is 1
//! initial_learning_rate * ((1 - alpha) * m_mul^i * (1 + cos(pi * q)) / 2 + alpha)
//! ```

use super::{Entry, Schedule, Setting, first_rate, not_negative, number, steps};
use libm::{cosf, logf, powf};
use std::f32::consts::PI;
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    ("CosineDecayRestarts", &["initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha"], |config| {
        Ok(Arc::new(CosineDecayRestarts {
            initial_learning_rate: config.f64("initial_learning_rate")?,
            first_decay_steps: config.f64("first_decay_steps")?,
            t_mul: number(config, "t_mul", 2.0)?,
            m_mul: number(config, "m_mul", 1.0)?,
            alpha: number(config, "alpha", 0.0)?,
        }))
    });

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineDecayRestarts {
    /// The rate of the first batch, 0 or more.
    pub initial_learning_rate: f64,
    /// The batches of the first decay, above 0.
    pub first_decay_steps: f64,
    /// The factor of length from one decay to the next, 1 or more. Default: 2.
    pub t_mul: f64,
    /// The factor of the initial rate from one decay to the next, 0 or more. Default: 1.
    pub m_mul: f64,
    /// The rate at each end as a fraction of the first rate, 0 or more. Default: 0.
    pub alpha: f64,
}

impl Schedule for CosineDecayRestarts {
    fn class(&self) -> &'static str {
        "CosineDecayRestarts"
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            first_rate(self.initial_learning_rate),
            steps("first_decay_steps", self.first_decay_steps),
            ("t_mul", self.t_mul, self.t_mul >= 1.0, "1 or more"),
            not_negative("m_mul", self.m_mul),
            not_negative("alpha", self.alpha),
        ]
    }

    fn rate(&self, steps: u64) -> f64 {
        let (longer, alpha) = (self.t_mul as f32, self.alpha as f32);
        let p = steps as f32 / self.first_decay_steps as f32;
        let (ends, q) = match longer {
            1.0 => (p.floor(), p - p.floor()),
            _ => {
                let ends = (logf(1.0 - p * (1.0 - longer)) / logf(longer)).floor();
                let length = powf(longer, ends);
                (ends, (p - (1.0 - length) / (1.0 - longer)) / length)
            }
        };
        let cosine = 0.5 * powf(self.m_mul as f32, ends) * (1.0 + cosf(PI * q));
        f64::from(self.initial_learning_rate as f32 * ((1.0 - alpha) * cosine + alpha))
    }
}
