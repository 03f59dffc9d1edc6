//! What is done to gradients before a step is taken by them: they are cut, or made shorter (Pascanu et al. 2013).

use super::{Optimizer, Setting, check};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Object;
use crate::kernels::Isa;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// At most one of these, as in Keras; `None`: gradients stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clipping {
    /// The longest that a parameter's gradient may be.
    pub clipnorm: Option<f64>,
    /// The longest that all of them together may be.
    pub global_clipnorm: Option<f64>,
    /// The largest that an element may be.
    pub clipvalue: Option<f64>,
}

/// Keras's keys.
pub(super) const KEYS: [&str; 3] = ["clipnorm", "global_clipnorm", "clipvalue"];

impl Clipping {
    /// What a config asks for.
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
            let error = Error::new(ErrorKind::InvalidArgument, "more than one way of clipping");
            return Err(config.place(error.expected("one of clipnorm, global_clipnorm and clipvalue"), key));
        }
        Ok(clipping)
    }

    /// Whether anything is done.
    pub fn is_some(&self) -> bool {
        *self != Clipping::default()
    }

    fn numbers(&self) -> [Option<f64>; 3] {
        [self.clipnorm, self.global_clipnorm, self.clipvalue]
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

/// An optimizer whose gradients are clipped.
#[derive(Debug)]
pub(super) struct Clipped {
    pub optimizer: Arc<dyn Optimizer>,
    pub clipping: Clipping,
}

impl Optimizer for Clipped {
    fn class(&self) -> &'static str {
        self.optimizer.class()
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.optimizer.config();
        for (key, number) in KEYS.iter().zip(self.clipping.numbers()) {
            config.insert(key.to_string(), json!(number));
        }
        config
    }

    fn check(&self) -> Result<()> {
        let in_range = |(name, number): (&&'static str, Option<f64>)| -> Option<Setting> {
            number.map(|number| (*name, number, number as f32 > 0.0, "above 0"))
        };
        let settings: Vec<Setting> = KEYS.iter().zip(self.clipping.numbers()).filter_map(in_range).collect();
        check(&settings)?;
        self.optimizer.check()
    }

    fn learning_rate(&self) -> f64 {
        self.optimizer.learning_rate()
    }

    fn slots(&self) -> Vec<&'static str> {
        self.optimizer.slots()
    }

    fn clipping(&self) -> Clipping {
        self.clipping
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        self.optimizer.step(isa, rate, number, gradient, w, slots);
    }
}
