//! Reads and writes a layer's config in Keras's form.

use super::{Activation, Initializer, LAYERS, Layer, Regularizer};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::{Named, Object};
use serde_json::{Map, Value};
use std::sync::Arc;

/// How many inputs a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// None: the network's input.
    Zero,
    /// One.
    One,
    /// Two or more.
    Many,
}

/// Reads a layer from its config.
type Read = fn(&Object<'_>) -> Result<Arc<dyn Layer>>;

/// The entry of a layer class.
pub struct Entry {
    /// Keras's name, `Conv2D`.
    pub class: &'static str,
    /// How many inputs it takes.
    pub arity: Arity,
    /// Its keys, except those that every layer has.
    pub keys: &'static [&'static str],
    /// Its reader.
    pub read: Read,
}

/// Keys that every layer has.
const COMMON: &[&str] = &["name", "trainable", "dtype", "activity_regularizer", "quantization_config"];

/// The class called `class`.
pub fn entry(named: &Named<'_>) -> Result<&'static Entry> {
    LAYERS.iter().find(|entry| entry.class == named.class).ok_or_else(|| {
        let known: Vec<&str> = LAYERS.iter().map(|entry| entry.class).collect();
        named.unknown("class of layers", &known)
    })
}

/// Reads the layer that `config` describes. Unknown keys are errors, and so are values that this library does not
/// support.
pub fn read(entry: &Entry, config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    config.only(&[entry.keys, COMMON].concat())?;
    config.idle("dtype", is_float32, "float32")?;
    config.idle("activity_regularizer", |_| false, "null")?;
    config.idle("quantization_config", |_| false, "null")?;
    config.idle("data_format", |value| value == "channels_last", "channels_last")?;
    for key in entry.keys.iter().filter(|key| key.ends_with("_constraint")) {
        config.idle(key, |_| false, "null")?;
    }
    (entry.read)(config)
}

/// Keras writes a layer's dtype as a name, or as a policy with one.
fn is_float32(value: &Value) -> bool {
    value == "float32" || value["config"]["name"] == "float32"
}

/// A config under construction.
#[derive(Default)]
pub struct Config(Map<String, Value>);

impl Config {
    /// Without keys.
    pub fn new() -> Self {
        Config::default()
    }

    /// With one more key.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_string(), value.into());
        self
    }

    /// With an activation.
    pub fn activation(self, activation: Activation) -> Self {
        self.with("activation", activation.name())
    }

    /// With an initializer and a regularizer, each under its key.
    pub fn parameter(self, name: &str, initializer: &Initializer, regularizer: Regularizer) -> Self {
        let initializer_key = format!("{name}_initializer");
        self.with(&initializer_key, initializer.config()).with(&format!("{name}_regularizer"), regularizer.config())
    }

    /// The finished config.
    pub fn done(self) -> Map<String, Value> {
        self.0
    }
}

/// An error unless an input has a rank that the layer takes: `expected` describes such a shape.
pub fn check_rank(input: &Shape, rank: usize, expected: &str) -> Result<()> {
    match input.dims().len() == rank {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Shape, "wrong rank").expected(expected).found(input)),
    }
}

/// The sample's axis for Keras's `axis`, which counts the batch as 0 and from the end as -1.
pub fn axis_of(axis: i64, input: &Shape) -> Result<usize> {
    let rank = input.dims().len();
    let at = if axis < 0 { axis + rank as i64 } else { axis - 1 };
    usize::try_from(at).ok().filter(|&at| at < rank).ok_or_else(|| {
        let error = Error::new(ErrorKind::Shape, "no such axis");
        error.expected(format_args!("1 to {rank}, or -{rank} to -1, of {input}")).found(axis)
    })
}

/// A parameter's initializer and regularizer, each under its key.
pub fn read_parameter(config: &Object<'_>, name: &str, default: Initializer) -> Result<(Initializer, Regularizer)> {
    let initializer = Initializer::read(config, &format!("{name}_initializer"), default)?;
    Ok((initializer, Regularizer::read(config, &format!("{name}_regularizer"))?))
}
