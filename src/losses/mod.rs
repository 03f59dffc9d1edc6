//! The losses: one file each, and a line in `LOSSES`.
//!
//! A loss is computed from *rows*, the last axis of the model's output: `[N, classes]` has a row a sample, an image
//! `[N, H, W, C]` a row a pixel. The loss of a batch is the mean over its rows, each times its sample's weight if there
//! are weights (Keras's `sum_over_batch_size`: a sum of weights does not divide it).
//!
//! Everything is computed in float64: rows are few compared with the layers' work, `libm`'s functions give the same
//! bits on every machine, and Keras's float32 results are closer to these than to Keras's own on another machine.
//!
//! To add one: its file, with its formula's source, and its line here. A loss of each element on its own is two lines
//! in `elementwise`.

mod binary;
mod categorical;
mod cosine;
mod elementwise;
mod focal;
#[cfg(test)]
mod tests;

pub use categorical::Crossentropy;

use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::graph::names::snake_case;
use crate::json::{Named, Object};
use crate::layers::Activation;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::sync::Arc;

/// Keras's `epsilon()`: probabilities are clipped this far from 0 and 1.
pub const EPSILON: f64 = 1e-7;

/// The target of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowTarget<'a> {
    /// Its class.
    Label(usize),
    /// A value for each of its elements.
    Values(&'a [f32]),
}

/// The kind of targets that a loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A label.
    Labels,
    /// As many values as the row has.
    Values,
}

/// A loss with its settings.
pub trait Loss: Debug + Send + Sync {
    /// Keras's name of the class, `MeanSquaredError`.
    fn class(&self) -> &'static str;

    /// Keras's keys and their values.
    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The kind of targets that it takes.
    fn wants(&self) -> TargetKind {
        TargetKind::Values
    }

    /// Whether it includes the model's last activation, because it is more accurate from that activation's input. It
    /// then gets the input of the activation instead of its output.
    fn absorbs(&self, _end: Activation) -> bool {
        false
    }

    /// An error for a model that ends in this activation, if that is known, with this shape.
    fn check(&self, _end: Option<Activation>, _output: &Shape) -> Result<()> {
        Ok(())
    }

    /// Prepares a batch's targets for [`value`](Self::value) and [`slope`](Self::slope).
    fn prepare(&self, _values: &mut [f32], _width: usize) {}

    /// The loss of a row `y`; `absorbed`: whether `y` is the input of an activation that it [includes](Self::absorbs).
    fn value(&self, truth: RowTarget<'_>, y: &[f32], absorbed: bool) -> f64;

    /// Replaces each value of the row by the gradient to it.
    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], absorbed: bool);
}

/// Reads a loss from its config.
type Read = fn(&'static Entry, &Object<'_>) -> Result<Arc<dyn Loss>>;

/// Class, other names that Keras has for it beside its name in snake case, keys of its own, reader.
pub struct Entry {
    class: &'static str,
    names: &'static [&'static str],
    keys: &'static [&'static str],
    read: Read,
}

/// Every loss there is.
const LOSSES: &[&[Entry]] =
    &[categorical::ENTRIES, binary::ENTRIES, focal::ENTRIES, elementwise::ENTRIES, cosine::ENTRIES];

/// Keys that all of them have.
const COMMON: &[&str] = &["name", "reduction", "dtype", "fn"];

fn entries() -> impl Iterator<Item = &'static Entry> {
    LOSSES.iter().copied().flatten()
}

/// The known names to suggest for `like`: classes, or, for a name in small letters, snake case and short names.
pub fn names(like: &str) -> Vec<String> {
    match like.starts_with(|c: char| c.is_ascii_lowercase()) {
        false => entries().map(|entry| entry.class.to_string()).collect(),
        true => {
            let short = |entry: &'static Entry| entry.names.iter().map(|name| name.to_string());
            entries().flat_map(|entry| std::iter::once(snake_case(entry.class)).chain(short(entry))).collect()
        }
    }
}

/// The entry of a class or of one of Keras's names for it.
fn entry(name: &str) -> Option<&'static Entry> {
    entries().find(|entry| entry.class == name || entry.names.contains(&name) || snake_case(entry.class) == name)
}

/// Reads a loss as Keras serializes it.
pub fn read(named: &Named<'_>) -> Result<Arc<dyn Loss>> {
    let config = &named.config;
    let read = read_keys(named, COMMON)?;
    // Both of these are the mean over the rows.
    let mean = |value: &Value| value == "sum_over_batch_size" || value == "mean";
    config.idle("reduction", mean, "sum_over_batch_size")?;
    Ok(read)
}

/// The same with other keys that another reader handles.
pub fn read_keys(named: &Named<'_>, others: &[&str]) -> Result<Arc<dyn Loss>> {
    let entry = entry(named.class).ok_or_else(|| named.unknown("loss", &names(named.class)))?;
    named.config.only(&[others, entry.keys].concat())?;
    (entry.read)(entry, &named.config)
}

/// Whether there is a loss of that name.
pub fn knows(name: &str) -> bool {
    entry(name).is_some()
}

/// Keras's form of a loss.
pub fn config(loss: &dyn Loss) -> Value {
    json!({ "class_name": loss.class(), "config": loss.config() })
}

/// Label smoothing, 0 to 1.
fn label_smoothing(config: &Object<'_>) -> Result<f64> {
    config.f64_or("label_smoothing", 0.0, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
}

/// Only the last axis is that of the classes.
fn last_axis(config: &Object<'_>) -> Result<()> {
    config.idle("axis", |value| *value == -1, "-1")
}

/// The activations whose input Keras's crossentropies use, both for either crossentropy.
fn has_logits(end: Activation) -> bool {
    matches!(end.name(), "softmax" | "sigmoid")
}

/// The error for a model whose last activation does not fit a crossentropy's from_logits.
fn check_logits(class: &str, from_logits: bool, end: Option<Activation>, probabilities: &str) -> Result<()> {
    let Some(end) = end else { return Ok(()) };
    let wrong = match from_logits {
        true => has_logits(end),
        false => end == Activation::Linear,
    };
    if !wrong {
        return Ok(());
    }
    let wanted = if from_logits { Activation::Linear.name() } else { probabilities };
    let told = if from_logits { "from_logits: true" } else { "from_logits: false" };
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!("the loss {class} with {told} does not fit the last layer's activation"),
    )
    .expected(wanted)
    .found(end.name()))
}

/// Clips a probability so that its logarithm and that of its complement are finite.
fn clip(p: f64) -> f64 {
    // In single precision, as Keras has it: 1 - 1e-7 is 0.99999988.
    p.clamp(f64::from(EPSILON as f32), f64::from(1.0 - EPSILON as f32))
}

/// Whether [`clip`] does not change it, so that the slope is not 0.
fn inside(p: f64) -> bool {
    (f64::from(EPSILON as f32)..=f64::from(1.0 - EPSILON as f32)).contains(&p)
}

/// The mean squared error, for the root of it as a metric.
pub fn mean_squared_error() -> Result<Arc<dyn Loss>> {
    read(&Named::of("MeanSquaredError", Object::empty(""), String::new()))
}
