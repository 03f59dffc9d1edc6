//! The metrics: one file each, and a line in `METRICS`. Every loss is a metric as well.
//!
//! A metric keeps sums (float64) over the samples, and computes its result from them. The sums are all of its state, so
//! a checkpoint includes them. Sample weights are ignored, as in Keras's `metrics`.
//!
//! To add one: its file, with its formula's source, and its line here.

mod accuracy;
mod auc;
mod confusion;
mod f_score;
mod mean;
mod r2_score;

pub use accuracy::greatest;

use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::names::snake_case;
use crate::json::{Named, Object};
use crate::layers::Activation;
use crate::losses::{self, RowTarget, TargetKind};
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::sync::Arc;

/// The outputs and targets of some samples.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The outputs, `[rows, width]`.
    pub y: &'a [f32],
    /// The length of the last axis.
    pub width: usize,
    /// The targets.
    pub truth: Truth<'a>,
    /// The input of the model's last activation, and that activation, if known.
    pub before: Option<(&'a [f32], Activation)>,
}

/// The targets of some rows.
#[derive(Clone, Copy, Debug)]
pub enum Truth<'a> {
    /// The class of each.
    Labels(&'a [u32]),
    /// A value for each output.
    Values(&'a [f32]),
}

impl<'a> Outcome<'a> {
    /// Targets and outputs, row by row.
    pub fn rows(&self) -> impl Iterator<Item = (RowTarget<'a>, &'a [f32])> + use<'a> {
        let Outcome { y, width, truth, .. } = *self;
        y.chunks_exact(width).enumerate().map(move |(i, y)| (truth.row(i, width), y))
    }

    /// Targets and outputs, element by element.
    pub fn elements(&self) -> impl Iterator<Item = (f32, f32)> + use<'a> {
        let values = match self.truth {
            Truth::Values(values) => values,
            Truth::Labels(_) => &[], // such a metric takes values
        };
        values.iter().copied().zip(self.y.iter().copied())
    }
}

impl<'a> Truth<'a> {
    /// The target of row `i`.
    pub fn row(self, i: usize, width: usize) -> RowTarget<'a> {
        match self {
            Truth::Labels(labels) => RowTarget::Label(labels[i] as usize),
            Truth::Values(values) => RowTarget::Values(&values[i * width..][..width]),
        }
    }
}

/// A metric with its settings.
pub trait Metric: Debug + Send + Sync {
    /// Keras's name of the class, `SparseTopKCategoricalAccuracy`.
    fn class(&self) -> &'static str;

    /// Keras's keys and their values, the name left out.
    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    /// An error for a model with rows of this width and this kind of targets.
    fn check(&self, width: usize, targets: TargetKind) -> Result<()>;

    /// The number of sums for rows of this width; they begin with 0.
    fn kept(&self, _width: usize) -> usize {
        2
    }

    /// Whether a softmax does not change its result.
    fn takes_logits(&self) -> bool {
        false
    }

    /// Whether a higher value is better.
    fn higher_is_better(&self) -> bool {
        true
    }

    /// Adds some samples.
    fn add(&self, kept: &mut [f64], outcome: &Outcome<'_>);

    /// The result; NaN without samples.
    fn result(&self, kept: &[f64], _width: usize) -> f64 {
        kept[0] / kept[1]
    }
}

/// A metric and its name in the history.
#[derive(Clone, Debug)]
pub struct NamedMetric {
    /// `accuracy`, `auc_1`.
    pub name: String,
    /// The metric.
    pub metric: Arc<dyn Metric>,
}

/// Reads a metric from its config.
type Read = fn(&'static Entry, &Object<'_>) -> Result<Arc<dyn Metric>>;

/// Class, keys of its own, reader.
pub struct Entry {
    class: &'static str,
    keys: &'static [&'static str],
    read: Read,
}

/// Every metric except losses.
const METRICS: &[&[Entry]] =
    &[accuracy::ENTRIES, auc::ENTRIES, confusion::ENTRIES, f_score::ENTRIES, mean::ENTRIES, r2_score::ENTRIES];

/// Keys that all of them have.
const COMMON: &[&str] = &["name", "dtype", "fn"];

/// Keras's name for one of three metrics, selected by targets and outputs.
const ACCURACY: [&str; 2] = ["accuracy", "acc"];

fn entries() -> impl Iterator<Item = &'static Entry> {
    METRICS.iter().copied().flatten()
}

/// Reads a list of metrics as Keras serializes it, for a model with rows of this `width`; `targets` is the kind that
/// the loss takes. Each gets a unique name.
pub fn read(list: &Value, width: usize, targets: TargetKind) -> Result<Vec<NamedMetric>> {
    let list = match list {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err(Error::new(ErrorKind::Format, "wrong value").expected("a list of metrics")),
    };
    let mut all: Vec<NamedMetric> = Vec::new();
    for (i, value) in list.iter().enumerate() {
        let named = Named::read(value, format!("[{i}]"))?;
        let metric = one(&named, width, targets)?;
        metric.check(width, targets).at(format_args!("metric {}", named.class))?;
        let name = match value {
            Value::String(name) => name.clone(),
            _ => name(&named, &*metric)?,
        };
        let name = free(&name, &all);
        all.push(NamedMetric { name, metric });
    }
    Ok(all)
}

/// The accuracy of a classifier.
pub fn classes() -> NamedMetric {
    NamedMetric { name: ACCURACY[0].to_string(), metric: accuracy::of(2, TargetKind::Labels) }
}

/// Whether a metric of that name is the accuracy.
pub fn is_accuracy(name: &str) -> bool {
    ACCURACY.iter().any(|accuracy| accuracy.eq_ignore_ascii_case(name))
}

fn one(named: &Named<'_>, width: usize, targets: TargetKind) -> Result<Arc<dyn Metric>> {
    let class = named.class;
    if is_accuracy(class) {
        named.config.only(COMMON)?;
        return Ok(accuracy::of(width, targets));
    }
    if let Some(entry) = entries().find(|entry| entry.class == class || snake_case(entry.class) == class) {
        named.config.only(&[COMMON, entry.keys].concat())?;
        return (entry.read)(entry, &named.config);
    }
    // "crossentropy" selects the one that fits, as "accuracy" does.
    let class = match (class, width, targets) {
        ("crossentropy" | "ce", 1, _) => "BinaryCrossentropy",
        ("crossentropy" | "ce", _, TargetKind::Labels) => "SparseCategoricalCrossentropy",
        ("crossentropy" | "ce", _, TargetKind::Values) => "CategoricalCrossentropy",
        ("LogCoshError" | "log_cosh_error", ..) => "LogCosh",
        (class, ..) => class,
    };
    if losses::knows(class) {
        let named = Named::of(class, named.config.clone(), String::new());
        return Ok(Arc::new(mean::MeanLoss::new(losses::read_keys(&named, COMMON)?)));
    }
    let small = class.starts_with(|c: char| c.is_ascii_lowercase());
    let own = entries().map(|entry| if small { snake_case(entry.class) } else { entry.class.to_string() });
    let known: Vec<String> = own.chain(ACCURACY.map(str::to_string)).chain(losses::names(class)).collect();
    Err(named.unknown("metric", &known))
}

/// The name of a metric given as an object: from its config, or from its class.
fn name(named: &Named<'_>, metric: &dyn Metric) -> Result<String> {
    if named.config.has("name") {
        let name = named.config.str("name")?;
        let good = (1..=100).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c == '/');
        if !good || name == "loss" || name.starts_with("val_") {
            let error = Error::new(ErrorKind::InvalidArgument, "not a valid name of a metric");
            let expected =
                "1 to 100 bytes without `/` and control characters, not `loss`, and not beginning with `val_`";
            return Err(named.config.at_key(error.expected(expected).found(crate::error::printable(name)), "name"));
        }
        return Ok(name.to_string());
    }
    Ok(match metric.class() {
        "LogCoshError" => "logcosh".to_string(),
        class => snake_case(class),
    })
}

/// The name, with a number if it is taken: `auc`, `auc_1`.
fn free(name: &str, taken: &[NamedMetric]) -> String {
    let is_free = |name: &String| taken.iter().all(|called| called.name != *name);
    let numbered = (1..).map(|n| format!("{name}_{n}"));
    std::iter::once(name.to_string()).chain(numbered).find(is_free).unwrap_or_default()
}

/// Keras's form of a metric, its name among its keys.
pub fn config(called: &NamedMetric) -> Value {
    let mut config = called.metric.config();
    config.insert("name".into(), json!(called.name));
    json!({ "class_name": called.metric.class(), "config": config })
}

/// An error if the targets are labels, for a metric that needs a value for each output.
fn check_values(targets: TargetKind, width: usize) -> Result<()> {
    match targets {
        TargetKind::Labels if width > 1 => {
            Err(Error::new(ErrorKind::InvalidArgument, "the metric needs a value for each output, not labels")
                .expected("a loss whose targets are a value for each output")
                .found("a loss whose targets are labels"))
        }
        _ => Ok(()),
    }
}

/// An error if the targets are values, for a metric that needs labels.
fn check_labels(targets: TargetKind, width: usize) -> Result<()> {
    match targets {
        TargetKind::Labels if width > 1 => Ok(()),
        _ => Err(Error::new(ErrorKind::InvalidArgument, "the metric needs labels of two or more classes")
            .expected("a loss whose targets are labels, and two or more classes")
            .found(format_args!("rows of {width}"))),
    }
}

/// A whole number of classes, 1 to the width.
fn check_k(key: &str, k: usize, width: usize) -> Result<()> {
    match (1..=width).contains(&k) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "out of range")
            .expected(format_args!("1 to {width}, the classes"))
            .found(k)
            .at(format_args!("key {key}"))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_metric_is_tried_on_other_machines() {
        for entry in super::entries() {
            assert!(crate::golden::holds(entry.class), "{}", entry.class);
        }
    }
}
