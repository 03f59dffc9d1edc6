//! `Normalization` with a given mean and variance: `(x - mean) / max(sqrt(variance), 1e-7)`, or the inverse. (Keras can
//! also compute them from data with `adapt` and store them as weights; these are not read here.)

use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each};
use super::spec::axis_of;
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { class: "Normalization", arity: Arity::One, keys: &["axis", "mean", "variance", "invert"], read };

/// Keras's epsilon: the least deviation.
const EPSILON: f32 = 1e-7;

#[derive(Debug)]
struct Normalization {
    /// Keras's, which counts the batch; `None`: one mean for all.
    axis: Option<i64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
    invert: bool,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let axis = config.or("axis", Some(-1), "a whole number, a list of one at most, or null", |value| match value {
        Value::Null => Some(None),
        Value::Array(list) => match &list[..] {
            [] => Some(None),
            [axis] => axis.as_i64().map(Some),
            _ => None,
        },
        value => value.as_i64().map(Some),
    })?;
    let numbers = |key: &str, good: fn(f64) -> bool| {
        let number = |value: &Value| value.as_f64().filter(|&x| x.is_finite() && good(x));
        config.get(key, "a number, or a list of them (data to adapt to are not supported)", |value| match value {
            Value::Array(list) if !list.is_empty() => list.iter().map(number).collect(),
            value => Some(vec![number(value)?]),
        })
    };
    let (mean, variance) = (numbers("mean", |_| true)?, numbers("variance", |x| x >= 0.0)?);
    Ok(Arc::new(Normalization { axis, mean, variance, invert: config.bool_or("invert", false)? }))
}

impl Normalization {
    /// The number of means for an input, and the number of consecutive elements that share one.
    fn sizes(&self, input: &Shape) -> Result<(usize, usize)> {
        let Some(axis) = self.axis else { return Ok((1, input.len())) };
        let axis = axis_of(axis, input)?;
        Ok((input.dims()[axis], input.dims()[axis + 1..].iter().product()))
    }
}

impl Layer for Normalization {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let numbers = |numbers: &[f64]| match numbers {
            [one] => json!(one),
            many => json!(many),
        };
        Config::new()
            .with("axis", self.axis.map_or(json!([]), |axis| json!([axis])))
            .with("mean", numbers(&self.mean))
            .with("variance", numbers(&self.variance))
            .with("invert", self.invert)
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let (size, _) = self.sizes(inputs[0])?;
        for (what, numbers) in [("means", &self.mean), ("variances", &self.variance)] {
            if numbers.len() != size && numbers.len() != 1 {
                let error = Error::new(ErrorKind::Shape, format!("wrong number of {what}"));
                return Err(error.expected(format_args!("{size}, or one")).found(numbers.len()));
            }
        }
        Ok(inputs[0].clone())
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let (size, repeat) = self.sizes(context.inputs[0])?;
        let at = |numbers: &[f64], i: usize| numbers[i.min(numbers.len() - 1)] as f32;
        let deviation = |i| at(&self.variance, i).sqrt().max(EPSILON);
        let by = (0..size).map(|i| (at(&self.mean, i), deviation(i))).collect();
        Ok(Box::new(NormalizationWork { by, repeat, invert: self.invert }))
    }
}

struct NormalizationWork {
    /// Means and deviations.
    by: Vec<(f32, f32)>,
    /// Consecutive elements that share one.
    repeat: usize,
    invert: bool,
}

impl NormalizationWork {
    /// Writes `f` of each element of `x` and its mean and deviation to `y`.
    fn each(&self, x: &[f32], y: &mut [f32], f: impl Fn(f32, (f32, f32)) -> f32 + Sync) {
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let start = chunk * CHUNK;
            for (i, (y, &x)) in (start..).zip(y.into_slice().iter_mut().zip(&x[start..])) {
                *y = f(x, self.by[i / self.repeat % self.by.len()]);
            }
        });
    }
}

impl Work for NormalizationWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        match self.invert {
            true => self.each(x[0], y, |x, (mean, deviation)| mean + x * deviation),
            false => self.each(x[0], y, |x, (mean, deviation)| (x - mean) / deviation),
        }
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        match self.invert {
            true => self.each(pass.dz, dx, |dz, (_, deviation)| dz * deviation),
            false => self.each(pass.dz, dx, |dz, (_, deviation)| dz / deviation),
        }
        Ok(())
    }
}
