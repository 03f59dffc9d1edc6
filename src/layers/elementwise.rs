//! Functions of each element, with their slope: plain loops over chunks.

use super::parallel::{Chunks, for_each};
use super::{Pass, Step, Weight, Work};
use crate::error::Result;

/// Elements of a task.
pub const CHUNK: usize = 1 << 12;

/// A function and its slope.
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
