//! Gradient clipping, by value or by norm (Pascanu et al. 2013).

use super::{Setting, check};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Object;
use serde_json::{Map, Value, json};

/// At most one of these, as in Keras; `None`: no clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clipping {
    /// The largest norm of a parameter's gradient.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest absolute value of an element.
    pub clipvalue: Option<f64>,
}

/// Keras's keys.
pub(super) const KEYS: [&str; 3] = ["clipnorm", "global_clipnorm", "clipvalue"];

impl Clipping {
    /// Reads it from a config.
    pub(super) fn read(config: &Object<'_>) -> Result<Self> {
        let number = |key: &str| {
            config.or(key, None, "a number above 0, or null", |value| match value {
                Value::Null => Some(None),
                value => value.as_f64().map(Some),
            })
        };
        let [clipnorm, global_clipnorm, clipvalue] = KEYS.map(number);
        let clipping = Clipping { clipnorm: clipnorm?, global_clipnorm: global_clipnorm?, clipvalue: clipvalue? };
        if let Some(key) = KEYS.iter().filter(|key| config.has(key)).nth(1) {
            let error = Error::new(ErrorKind::InvalidArgument, "more than one kind of clipping");
            return Err(config.at_key(error.expected("one of clipnorm, global_clipnorm and clipvalue"), key));
        }
        Ok(clipping)
    }

    /// Whether there is any clipping.
    pub fn is_some(&self) -> bool {
        *self != Clipping::default()
    }

    fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let numbers = [self.clipnorm, self.global_clipnorm, self.clipvalue];
        KEYS.into_iter().zip(numbers).filter_map(|(key, number)| Some((key, number?)))
    }

    /// Adds it to a config, by Keras's keys.
    pub(super) fn write(&self, config: &mut Map<String, Value>) {
        config.extend(self.numbers().map(|(key, number)| (key.to_string(), json!(number))));
    }

    /// An error for a number out of its range.
    pub(super) fn check(&self) -> Result<()> {
        let settings: Vec<Setting> =
            self.numbers().map(|(key, number)| (key, number, number as f32 > 0.0, "above 0")).collect();
        check(&settings)
    }

    /// Clips a gradient; `square` is its own sum of squares, `squares` that of all.
    pub fn apply(&self, gradient: &mut [f32], square: f64, squares: f64) {
        if let Some(most) = self.clipvalue.map(|most| most as f32) {
            gradient.iter_mut().for_each(|g| *g = g.clamp(-most, most));
        }
        let shorten =
            |most: Option<f64>, square: f64| most.filter(|most| square.sqrt() > *most).map(|most| most / square.sqrt());
        if let Some(scale) = shorten(self.clipnorm, square).or(shorten(self.global_clipnorm, squares)) {
            gradient.iter_mut().for_each(|g| *g *= scale as f32);
        }
    }
}
