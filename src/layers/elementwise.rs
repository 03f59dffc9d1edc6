//! Elementwise functions and their derivatives: vectorized, or as plain loops, over chunks.

use super::parallel::{Chunks, for_each};
use super::{Pass, Step, Weight, Work};
use crate::error::Result;
use crate::kernels::Isa;
use crate::kernels::elementwise::{Op, map};

/// Elements of a task.
pub const CHUNK: usize = 1 << 12;

/// A function and its derivative.
pub struct Elementwise<F, S> {
    value: F,
    slope: S,
}

impl<F: Fn(f32) -> f32 + Send + Sync, S: Fn(f32) -> f32 + Send + Sync> Elementwise<F, S> {
    /// `value` is the function, `slope` its derivative.
    pub fn new(value: F, slope: S) -> Self {
        Elementwise { value, slope }
    }
}

impl<F: Fn(f32) -> f32 + Send + Sync, S: Fn(f32) -> f32 + Send + Sync> Work for Elementwise<F, S> {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (x, value) = (x[0], &self.value);
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            for (y, &x) in y.into_slice().iter_mut().zip(&x[chunk * CHUNK..]) {
                *y = value(x);
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (x, dz, slope) = (pass.x[0], pass.dz, &self.slope);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let here = x[chunk * CHUNK..].iter().zip(&dz[chunk * CHUNK..]);
            for (dx, (&x, &dz)) in dx.into_slice().iter_mut().zip(here) {
                *dx = slope(x) * dz;
            }
        });
        Ok(())
    }
}

/// A function with a form in vectors, and the gradient's.
pub struct Vectors<F, G> {
    isa: Isa,
    value: F,
    gradient: G,
    /// Whether the gradient is a function of the output (else of the input).
    of_output: bool,
}

impl<F: Op<1>, G: Op<2>> Vectors<F, G> {
    /// `gradient` gets the gradient to the output and the output or the input.
    pub fn new(isa: Isa, value: F, gradient: G, of_output: bool) -> Self {
        Vectors { isa, value, gradient, of_output }
    }
}

impl<F: Op<1> + Send + Sync, G: Op<2> + Send + Sync> Work for Vectors<F, G> {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (x, isa, value) = (x[0], self.isa, self.value);
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let y = y.into_slice();
            map(isa, value, [&x[chunk * CHUNK..][..y.len()]], y);
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (beside, dz) = (if self.of_output { pass.y } else { pass.x[0] }, pass.dz);
        let (isa, gradient) = (self.isa, self.gradient);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let dx = dx.into_slice();
            let here = chunk * CHUNK..chunk * CHUNK + dx.len();
            map(isa, gradient, [&dz[here.clone()], &beside[here]], dx);
        });
        Ok(())
    }
}
