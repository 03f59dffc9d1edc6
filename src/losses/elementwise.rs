//! Losses of each element on its own, summed or averaged over the row. To add one: a line in `ENTRIES`, and one in
//! `FUNCTIONS` when it has no settings.

use super::{EPSILON, Entry, Loss, RowTarget};
use crate::error::Result;
use crate::json::Object;
use libm::{fabs, log, log1p, tanh};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A function of the target t and the output y, and its derivative in y.
#[derive(Clone, Copy)]
struct Function {
    class: &'static str,
    value: fn(f64, f64) -> f64,
    slope: fn(f64, f64) -> f64,
    /// Whether the row's loss is the mean of its elements' losses (else the sum).
    mean: bool,
    /// Whether targets of only 0 and 1 mean -1 and 1.
    signs: bool,
}

const fn function(class: &'static str, value: fn(f64, f64) -> f64, slope: fn(f64, f64) -> f64) -> Function {
    Function { class, value, slope, mean: true, signs: false }
}

const fn hinge(class: &'static str, value: fn(f64, f64) -> f64, slope: fn(f64, f64) -> f64) -> Function {
    Function { signs: true, ..function(class, value, slope) }
}

static FUNCTIONS: [Function; 9] = [
    function("MeanSquaredError", |t, y| (y - t) * (y - t), |t, y| 2.0 * (y - t)),
    function("MeanAbsoluteError", |t, y| fabs(y - t), |t, y| sign(y - t)),
    function(
        "MeanAbsolutePercentageError",
        |t, y| 100.0 * fabs(t - y) / fabs(t).max(EPSILON),
        |t, y| 100.0 * sign(y - t) / fabs(t).max(EPSILON),
    ),
    function(
        "MeanSquaredLogarithmicError",
        |t, y| logarithms(t, y) * logarithms(t, y),
        |t, y| if y >= EPSILON { 2.0 * logarithms(t, y) / (y + 1.0) } else { 0.0 },
    ),
    // x + softplus(-2x) - log(2) is log(cosh(x)) without overflow.
    function("LogCosh", |t, y| log_cosh(y - t), |t, y| tanh(y - t)),
    function("Poisson", |t, y| y - t * log(y + EPSILON), |t, y| 1.0 - t / (y + EPSILON)),
    Function {
        mean: false,
        ..function(
            "KLDivergence",
            |t, y| unit(t) * log(unit(t) / unit(y)),
            |t, y| {
                if (EPSILON..=1.0).contains(&y) { -unit(t) / y } else { 0.0 }
            },
        )
    },
    hinge("Hinge", |t, y| (1.0 - t * y).max(0.0), |t, y| if t * y <= 1.0 { -t } else { 0.0 }),
    hinge(
        "SquaredHinge",
        |t, y| (1.0 - t * y).max(0.0) * (1.0 - t * y).max(0.0),
        |t, y| -2.0 * t * (1.0 - t * y).max(0.0),
    ),
];

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

fn unit(x: f64) -> f64 {
    x.clamp(EPSILON, 1.0)
}

fn logarithms(t: f64, y: f64) -> f64 {
    log1p(y.max(EPSILON)) - log1p(t.max(EPSILON))
}

fn log_cosh(x: f64) -> f64 {
    let x = fabs(x);
    x + log1p(libm::exp(-2.0 * x)) - std::f64::consts::LN_2
}

const fn entry(class: &'static str, names: &'static [&'static str]) -> Entry {
    Entry { class, names, keys: &[], read: |entry, _| plain(entry) }
}

pub(super) const ENTRIES: &[Entry] = &[
    entry("MeanSquaredError", &["mse", "MSE"]),
    entry("MeanAbsoluteError", &["mae", "MAE"]),
    entry("MeanAbsolutePercentageError", &["mape", "MAPE"]),
    entry("MeanSquaredLogarithmicError", &["msle", "MSLE"]),
    entry("LogCosh", &["logcosh"]),
    entry("Poisson", &[]),
    entry("KLDivergence", &["kl_divergence", "kld", "KLD", "kullback_leibler_divergence"]),
    entry("Hinge", &[]),
    entry("SquaredHinge", &[]),
    Entry { class: "Huber", names: &[], keys: &["delta"], read: huber },
    Entry { class: "CategoricalHinge", names: &[], keys: &[], read: |_, _| Ok(Arc::new(CategoricalHinge)) },
];

fn plain(entry: &Entry) -> Result<Arc<dyn Loss>> {
    let function = FUNCTIONS.iter().find(|function| function.class == entry.class);
    function
        .map(|function| Arc::new(*function) as Arc<dyn Loss>)
        .ok_or_else(|| crate::error::Error::internal("a loss without a function"))
}

fn huber(_: &'static Entry, config: &Object<'_>) -> Result<Arc<dyn Loss>> {
    Ok(Arc::new(Huber { delta: config.f64_or("delta", 1.0, "a number above 0", |delta| delta > 0.0)? }))
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.class)
    }
}

/// The elements of a row: target and output.
pub(super) fn pairs<'a>(truth: RowTarget<'a>, y: &'a [f32]) -> impl Iterator<Item = (f64, f64)> + 'a {
    let values = match truth {
        RowTarget::Values(values) => values,
        RowTarget::Label(_) => &[], // such a loss takes values
    };
    values.iter().zip(y).map(|(&t, &y)| (f64::from(t), f64::from(y)))
}

/// Replaces each element by its derivative times `scale`.
pub(super) fn slopes(truth: RowTarget<'_>, y: &mut [f32], scale: f64, slope: impl Fn(f64, f64) -> f64) {
    let RowTarget::Values(values) = truth else { return };
    for (y, &t) in y.iter_mut().zip(values) {
        *y = (slope(f64::from(t), f64::from(*y)) * scale) as f32;
    }
}

impl Loss for Function {
    fn class(&self) -> &'static str {
        self.class
    }

    fn prepare(&self, values: &mut [f32], _: usize) {
        if self.signs && values.iter().all(|&t| t == 0.0 || t == 1.0) {
            values.iter_mut().for_each(|t| *t = 2.0 * *t - 1.0);
        }
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], _: bool) -> f64 {
        let sum: f64 = pairs(truth, y).map(|(t, y)| (self.value)(t, y)).sum();
        if self.mean { sum / y.len() as f64 } else { sum }
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], _: bool) {
        let scale = if self.mean { 1.0 / y.len() as f64 } else { 1.0 };
        slopes(truth, y, scale, self.slope);
    }
}

/// Squares up to `delta`, straight lines beyond (Huber 1964).
#[derive(Debug)]
struct Huber {
    delta: f64,
}

impl Loss for Huber {
    fn class(&self) -> &'static str {
        "Huber"
    }

    fn config(&self) -> Map<String, Value> {
        Map::from_iter([("delta".to_string(), json!(self.delta))])
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], _: bool) -> f64 {
        let one = |(t, y): (f64, f64)| match fabs(y - t) {
            error if error <= self.delta => 0.5 * error * error,
            error => self.delta * error - 0.5 * self.delta * self.delta,
        };
        pairs(truth, y).map(one).sum::<f64>() / y.len() as f64
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], _: bool) {
        let scale = 1.0 / y.len() as f64;
        slopes(truth, y, scale, |t, y| (y - t).clamp(-self.delta, self.delta));
    }
}

/// `max(0, 1 + neg - pos)`: `pos` is the output of the target class, `neg` the largest of the others.
#[derive(Debug)]
struct CategoricalHinge;

impl CategoricalHinge {
    /// `1 + neg - pos`, `neg`, and how many elements give it.
    fn margin(truth: RowTarget<'_>, y: &[f32]) -> (f64, f64, f64) {
        let good: f64 = pairs(truth, y).map(|(t, y)| t * y).sum();
        let bad = || pairs(truth, y).map(|(t, y)| (1.0 - t) * y);
        let most = bad().fold(f64::NEG_INFINITY, f64::max);
        (1.0 + most - good, most, bad().filter(|&bad| bad == most).count() as f64)
    }
}

impl Loss for CategoricalHinge {
    fn class(&self) -> &'static str {
        "CategoricalHinge"
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], _: bool) -> f64 {
        CategoricalHinge::margin(truth, y).0.max(0.0)
    }

    /// The slope of the maximum is divided among equals.
    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], _: bool) {
        let (margin, most, equals) = CategoricalHinge::margin(truth, y);
        let scale = if margin >= 0.0 { 1.0 } else { 0.0 };
        slopes(truth, y, scale, |t, y| {
            let bad = if (1.0 - t) * y == most { (1.0 - t) / equals } else { 0.0 };
            bad - t
        });
    }
}
