//! `Concatenate`: inputs side by side along an axis.
//!
//! With all axes before it merged, and it merged with all axes after it, inputs are `[outer, inner]` each, and a row of
//! the output is the sequence of their rows.

use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each};
use super::spec::axis_of;
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Concatenate", arity: Arity::Many, keys: &["axis"], read };

#[derive(Debug)]
struct Concatenate {
    /// Keras's, which counts the batch.
    axis: i64,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let axis =
        config.or("axis", -1, "a whole number but 0, the batch's axis", |value| value.as_i64().filter(|&i| i != 0))?;
    Ok(Arc::new(Concatenate { axis }))
}

impl Layer for Concatenate {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("axis", self.axis).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let axis = axis_of(self.axis, inputs[0])?;
        let mut dims = inputs[0].dims().to_vec();
        for input in &inputs[1..] {
            let alike = |(i, (a, b)): (usize, (&usize, &usize))| i == axis || a == b;
            if input.dims().len() != dims.len() || !dims.iter().zip(input.dims()).enumerate().all(alike) {
                let error = Error::new(ErrorKind::Shape, "inputs whose shapes do not fit each other");
                return Err(error.expected(format_args!("{} but for axis {}", inputs[0], self.axis)).found(input));
            }
            dims[axis] = dims[axis].saturating_add(input.dims()[axis]);
        }
        Shape::new(&dims)
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let axis = axis_of(self.axis, context.inputs[0])?;
        let inner = |shape: &&Shape| shape.dims()[axis..].iter().product();
        Ok(Box::new(ConcatenateWork { rows: context.inputs.iter().map(inner).collect() }))
    }
}

struct ConcatenateWork {
    /// The lengths of the inputs' rows.
    rows: Vec<usize>,
}

impl Work for ConcatenateWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (rows, row) = (&self.rows, self.rows.iter().sum::<usize>());
        let task = CHUNK.div_ceil(row); // rows
        for_each(Chunks::new(y, task * row), &|chunk, y| {
            for (i, y) in y.into_slice().chunks_exact_mut(row).enumerate() {
                let (mut rest, at) = (y, chunk * task + i);
                for (x, &len) in x.iter().zip(rows) {
                    let (to, behind) = rest.split_at_mut(len);
                    to.copy_from_slice(&x[at * len..][..len]);
                    rest = behind;
                }
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], pass: Pass<'_, '_>) -> Result<()> {
        let (row, dz) = (self.rows.iter().sum::<usize>(), pass.dz);
        let mut first = 0;
        for (dx, &len) in pass.dx.iter_mut().zip(&self.rows) {
            let task = CHUNK.div_ceil(len);
            if let Some(dx) = dx.as_deref_mut() {
                for_each(Chunks::new(dx, task * len), &|chunk, dx| {
                    for (i, dx) in dx.into_slice().chunks_exact_mut(len).enumerate() {
                        dx.copy_from_slice(&dz[(chunk * task + i) * row + first..][..len]);
                    }
                });
            }
            first += len;
        }
        Ok(())
    }
}
