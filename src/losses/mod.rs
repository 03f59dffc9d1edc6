//! What training makes small: a file each, and a line in `LOSSES`.
//!
//! A loss judges *rows*, the last axis of what the model gives: `[N, classes]` has a row a sample, an image `[N, H, W, C]` a row
//! a pixel. The loss of a batch is the mean over its rows, each times its sample's weight if there are weights (Keras's
//! `sum_over_batch_size`: a sum of weights does not divide it).
//!
//! Values are float64 and so are the steps to them: rows are few next to what the layers do, `libm`'s functions give the
//! same bits on every machine, and what Keras gives in float32 is nearer to them than to itself on another machine.
//!
//! To add one: its file, with its formula's source, and its line here. A loss of each element apart is two lines of `elementwise`.

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

/// Keras's `epsilon()`: probabilities stay so far from 0 and 1.
pub const EPSILON: f64 = 1e-7;

/// What is expected of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowTarget<'a> {
    /// The class it is of.
    Label(usize),
    /// A number for each of its own.
    Values(&'a [f32]),
}

/// What a loss wants to be told of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A label.
    Labels,
    /// As many numbers as the row has.
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

    /// What it wants to be told.
    fn wants(&self) -> TargetKind {
        TargetKind::Values
    }

    /// Whether it takes the place of the activation that the model ends in, because it is more exact from what goes into that.
    /// It is then given what goes into the activation, and not what comes out.
    fn absorbs(&self, _end: Activation) -> bool {
        false
    }

    /// An error for a model that ends in this activation, if that is known, with this shape.
    fn check(&self, _end: Option<Activation>, _output: &Shape) -> Result<()> {
        Ok(())
    }

    /// Makes of a batch's expected numbers what [`value`](Self::value) and [`slope`](Self::slope) are to be told.
    fn prepare(&self, _values: &mut [f32], _width: usize) {}

    /// The loss of a row `y`; `absorbed`: whether `y` is what goes into an activation that it [takes the place of](Self::absorbs).
    fn value(&self, truth: RowTarget<'_>, y: &[f32], absorbed: bool) -> f64;

    /// Its gradient to each number of the row, in the place of that number.
    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], absorbed: bool);
}

/// A loss out of its config.
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

/// The names that one could have meant who wrote `like`: classes, or, for one in small letters, those in snake case and the
/// short ones.
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

/// The loss that Keras serialised so.
pub fn read(named: &Named<'_>) -> Result<Arc<dyn Loss>> {
    let config = &named.config;
    let read = read_keys(named, COMMON)?;
    // A mean over the rows is what both of these are.
    let mean = |value: &Value| value == "sum_over_batch_size" || value == "mean";
    config.idle("reduction", mean, "sum_over_batch_size")?;
    Ok(read)
}

/// The same with other keys that are somebody else's.
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

/// A share of the expected numbers that is spread evenly, 0 to 1.
fn label_smoothing(config: &Object<'_>) -> Result<f64> {
    config.f64_or("label_smoothing", 0.0, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
}

/// Only the last axis is that of the classes.
fn last_axis(config: &Object<'_>) -> Result<()> {
    config.idle("axis", |value| *value == -1, "-1")
}

/// The activations whose input Keras's crossentropies look up, whichever of the two a crossentropy is meant for.
fn has_logits(end: Activation) -> bool {
    matches!(end.name(), "softmax" | "sigmoid")
}

/// A model whose end does not go with what a crossentropy was told of it: whether it gives probabilities or logits.
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

/// A probability that the logarithm can be taken of, and of its complement.
fn clip(p: f64) -> f64 {
    // In single precision, as Keras has it: 1 - 1e-7 is 0.99999988.
    p.clamp(f64::from(EPSILON as f32), f64::from(1.0 - EPSILON as f32))
}

/// Whether [`clip`] leaves it as it is, so that there is a slope.
fn inside(p: f64) -> bool {
    (f64::from(EPSILON as f32)..=f64::from(1.0 - EPSILON as f32)).contains(&p)
}

/// The mean squared error, which a metric takes the root of.
pub fn mean_squared_error() -> Result<Arc<dyn Loss>> {
    read(&Named::of("MeanSquaredError", Object::empty(""), String::new()))
}
