//! `ReLU`: relu with a `max_value`, a `negative_slope` and a `threshold`, and plain relu where it is not fused into the
//! layer below.
//!
//! ```text
//! f(x) = max_value                           where x >= max_value
//!        x                                   where x > threshold
//!        negative_slope * (x - threshold)    below
//! ```

use super::elementwise::{CHUNK, Elementwise};
use super::parallel::{Chunks, for_each};
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::{Isa, elementwise};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { class: "ReLU", arity: Arity::One, keys: &["max_value", "negative_slope", "threshold"], read };

#[derive(Debug)]
struct ReluLayer {
    max_value: Option<f64>,
    negative_slope: f64,
    threshold: f64,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let number = |key: &str| config.f64_or(key, 0.0, "a number, 0 or more", |x| x >= 0.0);
    let max_value = config.or("max_value", None, "a number, 0 or more, or null", |value| match value {
        Value::Null => Some(None),
        value => value.as_f64().filter(|&x| x >= 0.0).map(Some),
    })?;
    Ok(Arc::new(ReluLayer { max_value, negative_slope: number("negative_slope")?, threshold: number("threshold")? }))
}

impl ReluLayer {
    fn is_plain(&self) -> bool {
        (self.max_value, self.negative_slope, self.threshold) == (None, 0.0, 0.0)
    }
}

impl Layer for ReluLayer {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("max_value", json!(self.max_value))
            .with("negative_slope", self.negative_slope)
            .with("threshold", self.threshold)
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn is_view(&self, _: bool) -> bool {
        self.is_plain()
    }

    fn activation(&self) -> Activation {
        if self.is_plain() { Activation::Relu } else { Activation::Linear }
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let most = self.max_value.map_or(f32::INFINITY, |x| x as f32);
        let (below, threshold) = (self.negative_slope as f32, self.threshold as f32);
        let value = move |x: f32| match x {
            x if x >= most => most,
            x if x > threshold => x,
            x => below * (x - threshold),
        };
        // Exactly where the slope changes, Keras's result depends on how it computes each case.
        let at_most = if self.threshold == 0.0 && self.max_value == Some(6.0) { 0.0 } else { 1.0 };
        let at_threshold = if self.threshold == 0.0 && self.max_value.is_none() { below } else { 0.0 };
        let slope = move |x: f32| match x {
            x if x > most => 0.0,
            x if x == most => at_most,
            x if x > threshold => 1.0,
            x if x == threshold => at_threshold,
            _ => below,
        };
        Ok(Box::new(Elementwise::new(value, slope)))
    }
}

/// The work of relu.
pub struct Relu {
    isa: Isa,
}

impl Relu {
    pub fn new(isa: Isa) -> Self {
        Relu { isa }
    }
}

impl Work for Relu {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (x, isa) = (x[0], self.isa);
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let y = y.into_slice();
            elementwise::map(isa, elementwise::Relu, [&x[chunk * CHUNK..][..y.len()]], y);
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (y, dz, isa) = (pass.y, pass.dz, self.isa);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let dx = dx.into_slice();
            let here = chunk * CHUNK..chunk * CHUNK + dx.len();
            elementwise::map(isa, elementwise::WherePositive, [&dz[here.clone()], &y[here]], dx);
        });
        Ok(())
    }
}
