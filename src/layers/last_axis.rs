//! Moves an axis to the end, for layers whose kernels work along the last axis: samples are transposed before and
//! after. That costs a copy each, and is rare.

use super::parallel::{Chunks, for_each};
use super::{BuildContext, Pass, Sharing, Step, Weight, Work};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::kernels::{Isa, rows};
use crate::memory::Buffer;

/// The work of a layer along `axis` of its only input; the output has the same shape; `build` builds the work along the
/// last axis.
pub fn along(
    axis: usize,
    context: &BuildContext<'_>,
    build: impl FnOnce(&BuildContext<'_>) -> Result<Box<dyn Work>>,
) -> Result<Box<dyn Work>> {
    let dims = context.inputs[0].dims();
    let behind: usize = dims[axis + 1..].iter().product();
    if behind == 1 {
        return build(context);
    }
    let turned = Shape::new(&[&dims[..axis], &dims[axis + 1..], &[dims[axis]]].concat())?;
    let work = build(&BuildContext { inputs: &[&turned], output: &turned, ..*context })?;
    let buffer = |wanted: bool| Buffer::zeros(if wanted { context.batch.saturating_mul(turned.len()) } else { 0 });
    let training = context.training;
    Ok(Box::new(Transposed {
        work,
        size: dims[axis],
        behind,
        isa: context.isa,
        x: buffer(true)?,
        y: buffer(true)?,
        dz: buffer(training)?,
        dx: buffer(training)?,
    }))
}

/// A layer's work on transposed samples, each `[before, size, behind]`.
struct Transposed {
    work: Box<dyn Work>,
    size: usize,
    behind: usize,
    isa: Isa,
    x: Buffer,
    y: Buffer,
    dz: Buffer,
    dx: Buffer,
}

/// Transposes matrices of so many rows and columns.
fn turn(isa: Isa, from: &[f32], [rows, columns]: [usize; 2], to: &mut [f32]) {
    let len = rows * columns;
    for_each(Chunks::new(to, len), &|i, to| rows::transpose(isa, &from[i * len..][..len], columns, to.into_slice()));
}

impl Work for Transposed {
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (size, turned) = ([self.size, self.behind], [self.behind, self.size]);
        let (own_x, own_y) = (&mut self.x[..y.len()], &mut self.y[..y.len()]);
        turn(self.isa, x[0], size, own_x);
        self.work.forward(step, weights, &[own_x], own_y)?;
        turn(self.isa, own_y, turned, y);
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (size, turned, len) = ([self.size, self.behind], [self.behind, self.size], pass.dz.len());
        if self.dz.len() < len {
            return Err(Error::internal("not built for training"));
        }
        let to = pass.take_dx();
        turn(self.isa, pass.dz, size, &mut self.dz[..len]);
        let dx = to.is_some().then_some(&mut self.dx[..len]);
        let own = Pass { x: &[&self.x[..len]], y: &self.y[..len], dz: &self.dz[..len], dx: &mut [dx], gated: false };
        self.work.backward(step, weights, own)?;
        if let Some(to) = to {
            turn(self.isa, &self.dx[..len], turned, to);
        }
        Ok(())
    }

    fn sharing(&self) -> Sharing {
        self.work.sharing()
    }

    fn update_state(&mut self, weights: &mut [Weight<'_>]) -> Result<()> {
        self.work.update_state(weights)
    }
}
