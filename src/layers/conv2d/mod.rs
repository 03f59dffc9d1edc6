//! `Conv2D`: stride 1, no padding ("valid"), images `[B, H, W, C]`, kernel `[k, k, C, F]`, bias `[F]`.
//!
//! Forward, a task is an image, or a band of its rows where there are more threads than images; backward, it is a group of
//! images ([`gradients`]). How either is computed follows from the sizes, and backward from the numbers too ([`pass`]).

mod gradients;
mod pass;

use super::parallel::{Chunks, for_each};
use super::{Backward, Layer, Trained, Use};
use crate::error::{Error, Result};
use crate::graph::LayerSpec;
use crate::kernels::Isa;
use crate::kernels::conv2d::{Conv2d as Size, Finish, winograd};
use gradients::Gradients;
use pass::Pass;

pub struct Conv2d {
    size: Size,
    relu: bool,
    isa: Isa,
    threads: usize,
    forward: Pass,
    gradients: Option<Gradients>,
}

impl Conv2d {
    pub fn new(spec: &LayerSpec, kernel: usize, relu: bool, how: Use) -> Result<Self> {
        let (&[height, width, channels], &[.., filters]) = (spec.input.dims(), spec.output.dims()) else {
            return Err(Error::internal("a Conv2D has three dimensions"));
        };
        let size = Size::new(height, width, channels, filters, [kernel, kernel]);
        let gradients = how.training.then(|| Gradients::new(&size, how)).transpose()?;
        Ok(Conv2d { size, relu, isa: how.isa, threads: how.threads, forward: Pass::forward(size, how)?, gradients })
    }
}

/// How many rows of the output a task of the forward pass computes: all, or as few as keep every thread busy. Winograd's
/// tiles are cut between, so that the bits stay the same.
fn band(size: &Size, batch: usize, threads: usize) -> usize {
    let bands = threads.div_ceil(batch.max(1)).max(1);
    size.out_height().div_ceil(bands).next_multiple_of(winograd::TILE)
}

impl Layer for Conv2d {
    fn forward(&mut self, weights: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let (size, isa, relu) = (self.size, self.isa, self.relu);
        let &[kernel, bias] = weights else { return Err(Error::internal("a Conv2D has a kernel and a bias")) };
        self.forward.prepare(isa, kernel);
        let pass = &self.forward;
        let (row, out_row) = (size.width * size.channels, size.out_width() * size.filters);
        let band = band(&size, x.len() / size.input_len(), self.threads);
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            for_each(Chunks::new(y.into_slice(), band * out_row), &|i, y| {
                let y = y.into_slice();
                let rows = size.rows_under(y.len() / out_row);
                pass.run_band(isa, rows, &x[i * band * row..][..rows * row], Finish::Bias { bias, relu }, y);
            });
        });
        Ok(())
    }

    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let [kernel, bias] = weights else { return Err(Error::internal("a Conv2D has a kernel and a bias")) };
        let gradients = self.gradients.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        gradients.step(self.isa, &self.size, [kernel, bias], pass);
        Ok(())
    }
}
