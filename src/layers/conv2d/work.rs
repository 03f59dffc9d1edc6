//! The work of a convolution over one or two axes.
//!
//! Forward, a task is an image, or a band of its rows where there are more threads than images; backward, it is a group of
//! images ([`groups`](super::groups)). How either is computed follows from the sizes, and backward from the numbers too
//! ([`pass`](super::pass), [`gradients`](super::gradients)).

use super::gradients::Gradients;
use super::pass::Forward;
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::kernels::conv2d::{ConvShape, Finish, winograd};
use crate::layers::parallel::{Chunks, for_each};
use crate::layers::{BuildContext, Pass, Step, Weight, Work};
use crate::memory::Buffer;

/// The convolution; its weights are a kernel, `[kh, kw, C / groups, F]`, and a bias or none.
pub struct Convolution {
    size: ConvShape,
    relu: bool,
    isa: Isa,
    threads: usize,
    forward: Forward,
    gradients: Option<Gradients>,
    /// Zeros, if the layer has no bias.
    zeros: Buffer,
}

impl Convolution {
    pub fn new(size: ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        let gradients = context.training.then(|| Gradients::new(&size, context)).transpose()?;
        let (forward, zeros) = (Forward::new(size, context)?, Buffer::zeros(size.filters)?);
        Ok(Convolution {
            size,
            relu: context.relu,
            isa: context.isa,
            threads: context.threads,
            forward,
            gradients,
            zeros,
        })
    }
}

/// The number of output rows in a task of the forward pass: all, or few enough to keep every thread busy. The cuts are
/// between Winograd's tiles, so that the bits stay the same.
fn band(size: &ConvShape, batch: usize, threads: usize) -> usize {
    let bands = threads.div_ceil(batch.max(1)).max(1);
    size.out_height().div_ceil(bands).next_multiple_of(winograd::TILE)
}

impl Work for Convolution {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (size, isa, relu, x) = (self.size, self.isa, self.relu, x[0]);
        let bias = weights.get(1).copied().unwrap_or(&self.zeros);
        self.forward.prepare(isa, weights[0]);
        let (pass, len, out_row) = (&self.forward, size.unpadded_len(), size.out_width() * size.filters);
        let band = band(&size, x.len() / len, self.threads);
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * len..][..len];
            for_each(Chunks::new(y.into_slice(), band * out_row), &|i, y| {
                pass.run(isa, i * band, x, Finish::Bias { bias, relu }, y.into_slice());
            });
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], pass: Pass<'_, '_>) -> Result<()> {
        let gradients = self.gradients.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        gradients.step(self.isa, &self.size, step.share, weights, pass)
    }

    fn gates(&self) -> bool {
        true
    }
}
