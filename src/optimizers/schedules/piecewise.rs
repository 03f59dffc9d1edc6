//! A piecewise constant rate: `values[0]` up to `boundaries[0]` steps, `values[1]` up to `boundaries[1]`, and so on;
//! after the last boundary the last value.

use super::{Entry, Schedule, Setting};
use crate::error::{At, Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("PiecewiseConstantDecay", &["boundaries", "values"], |config| {
    let whole = |value: &Value| value.as_u64().or_else(|| value.as_f64().filter(|&x| x >= 0.0).map(|x| x as u64));
    let numbers = |value: &Value| value.as_array()?.iter().map(Value::as_f64).collect();
    Ok(Arc::new(PiecewiseConstantDecay {
        boundaries: config
            .get("boundaries", "a list of numbers of steps", |list| list.as_array()?.iter().map(whole).collect())?,
        values: config.get("values", "a list of numbers", numbers)?,
    }))
});

/// Its settings.
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseConstantDecay {
    /// The last step of each rate but the last one, ascending, at least one.
    pub boundaries: Vec<u64>,
    /// The rates, one more than boundaries, each 0 or more.
    pub values: Vec<f64>,
}

impl Schedule for PiecewiseConstantDecay {
    fn class(&self) -> &'static str {
        "PiecewiseConstantDecay"
    }

    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    fn config(&self) -> Map<String, Value> {
        let lists = [("boundaries", json!(self.boundaries)), ("values", json!(self.values))];
        lists.into_iter().map(|(key, list)| (key.to_string(), list)).collect()
    }

    fn check(&self) -> Result<()> {
        let error = |what| Error::new(ErrorKind::InvalidArgument, what);
        if self.boundaries.is_empty() || !self.boundaries.is_sorted() {
            return Err(error("out of order").expected("one boundary or more, ascending")).at("option `boundaries`");
        }
        let (expected, found) = (self.boundaries.len() + 1, self.values.len());
        if found != expected {
            let error = error("not one more than boundaries").expected(expected).found(found);
            return Err(error).at("option `values`");
        }
        match self.values.iter().find(|value| !(**value >= 0.0 && value.is_finite())) {
            Some(value) => Err(error("out of range").expected("0 or more").found(value)).at("option `values`"),
            None => Ok(()),
        }
    }

    fn rate(&self, steps: u64) -> f64 {
        let piece = self.boundaries.partition_point(|&boundary| boundary < steps);
        self.values.get(piece).map_or(0.0, |&value| f64::from(value as f32))
    }
}
