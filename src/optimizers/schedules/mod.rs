//! Learning-rate schedules, functions of the number of batches: one file each, and a line in `SCHEDULES`.
//!
//! Computed as in Keras, in single precision and in its order of operations; powers, logarithms and cosines are
//! `libm`'s, so that a rate is the same on every machine.

mod cosine;
mod piecewise;
mod polynomial;
mod restarts;
mod time;

pub use cosine::CosineDecay;
pub use piecewise::PiecewiseConstantDecay;
pub use polynomial::PolynomialDecay;
pub use restarts::CosineDecayRestarts;
pub use time::{Formula, TimeDecay};

use super::{Setting, check, not_negative, number, write};
use crate::error::Result;
use crate::json::{Named, Object};
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::sync::Arc;

/// A schedule with its settings.
pub trait Schedule: Debug + Send + Sync {
    /// Keras's name of the class, `CosineDecay`.
    fn class(&self) -> &'static str;

    /// The settings that are numbers, by Keras's keys.
    fn settings(&self) -> Vec<Setting>;

    /// The settings that are true or false.
    fn flags(&self) -> Vec<(&'static str, bool)> {
        Vec::new()
    }

    /// Keras's keys and their values.
    fn config(&self) -> Map<String, Value> {
        write(self.settings(), self.flags())
    }

    /// An error for a setting out of its range.
    fn check(&self) -> Result<()> {
        check(&self.settings())
    }

    /// The learning rate of a batch after `steps` earlier ones.
    fn rate(&self, steps: u64) -> f64;
}

/// Reads a schedule from its config, not checked yet.
type Read = fn(&Object<'_>) -> Result<Arc<dyn Schedule>>;

/// Class, Keras's keys of its own, reader.
type Entry = (&'static str, &'static [&'static str], Read);

/// Every schedule there is.
const SCHEDULES: &[Entry] =
    &[cosine::ENTRY, restarts::ENTRY, time::EXPONENTIAL, time::INVERSE, piecewise::ENTRY, polynomial::ENTRY];

/// Reads a schedule as Keras serializes it, not checked yet.
pub(super) fn read(named: &Named<'_>) -> Result<Arc<dyn Schedule>> {
    let Some((_, keys, read)) = SCHEDULES.iter().find(|(class, ..)| *class == named.class) else {
        let known: Vec<&str> = SCHEDULES.iter().map(|(class, ..)| *class).collect();
        return Err(named.unknown("schedule", &known));
    };
    named.config.only(&[&["name"], *keys].concat())?;
    read(&named.config)
}

/// Keras's form of a schedule.
pub(super) fn config(schedule: &dyn Schedule) -> Value {
    json!({ "class_name": schedule.class(), "config": schedule.config() })
}

/// A number of steps used as a divisor, which must not become 0 in float32.
fn steps(name: &'static str, steps: f64) -> Setting {
    (name, steps, steps as f32 > 0.0, "above 0")
}

fn first_rate(rate: f64) -> Setting {
    not_negative("initial_learning_rate", rate)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_schedule_is_tried_on_other_machines() {
        for (class, ..) in super::SCHEDULES {
            assert!(crate::golden::holds(class), "{class}");
        }
    }
}
