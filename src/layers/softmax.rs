//! `Softmax` over the last axis, and its logarithm. Plain loops: rows are short where softmax is used.
//!
//! With p the softmax of x and s a row's sum of `p * dy`: `dx = p * (dy - s)`; for the logarithm, with s the row's sum of
//! `dy`, `dx = dy - p * s`.

use super::parallel::{Chunks, for_each};
use super::spec::axis_of;
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, last_axis};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::softmax::softmax;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Softmax", arity: Arity::One, keys: &["axis"], read };

#[derive(Debug)]
struct SoftmaxLayer {
    /// Keras's, which counts the batch.
    axis: i64,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(SoftmaxLayer { axis: config.or("axis", -1, "a whole number", Value::as_i64)? }))
}

impl Layer for SoftmaxLayer {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("axis", self.axis).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        axis_of(self.axis, inputs[0])?;
        Ok(inputs[0].clone())
    }

    /// Over the last axis it is the activation.
    fn is_view(&self, _: bool) -> bool {
        self.axis == -1
    }

    fn activation(&self) -> Activation {
        if self.axis == -1 { Activation::Softmax } else { Activation::Linear }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let axis = axis_of(self.axis, context.inputs[0])?;
        last_axis::along(axis, context, |context| Ok(Box::new(Softmax::new(context.output, false))))
    }
}

/// The work of softmax.
pub struct Softmax {
    classes: usize,
    logarithm: bool,
}

/// Rows of a task.
const ROWS: usize = 64;

impl Softmax {
    pub fn new(shape: &Shape, logarithm: bool) -> Self {
        Softmax { classes: shape.dims().last().copied().unwrap_or(1), logarithm }
    }
}

impl Work for Softmax {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let Softmax { classes, logarithm } = *self;
        let (x, chunk) = (x[0], ROWS * classes);
        for_each(Chunks::new(y, chunk), &|i, y| {
            let y = y.into_slice();
            y.copy_from_slice(&x[i * chunk..][..y.len()]);
            match logarithm {
                true => y.chunks_exact_mut(classes).for_each(log_softmax),
                false => softmax(y, classes),
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let Softmax { classes, logarithm } = *self;
        let (y, dz, chunk) = (pass.y, pass.dz, ROWS * classes);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, chunk), &|i, dx| {
            let rows = dx.into_slice().chunks_exact_mut(classes);
            let here = y[i * chunk..].chunks_exact(classes).zip(dz[i * chunk..].chunks_exact(classes));
            for (dx, (y, dz)) in rows.zip(here) {
                let sum: f32 = match logarithm {
                    true => dz.iter().sum(),
                    false => y.iter().zip(dz).map(|(y, dz)| y * dz).sum(),
                };
                for (dx, (y, dz)) in dx.iter_mut().zip(y.iter().zip(dz)) {
                    *dx = if logarithm { dz - libm::expf(*y) * sum } else { y * (dz - sum) };
                }
            }
        });
        Ok(())
    }
}

/// The logarithm of a row's softmax.
pub fn log_softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().map(|&x| libm::expf(x - most)).sum();
    let log = libm::logf(sum);
    row.iter_mut().for_each(|x| *x = *x - most - log);
}
