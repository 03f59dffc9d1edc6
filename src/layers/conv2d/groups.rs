//! The backward pass of a batch of images, in groups of them.
//!
//! A task is a group: for each of its images it computes the gradient to the input, and adds to the group's part of the
//! gradients to kernel and bias, one chain over its images; then the parts are added in order. There are at most
//! [`most_groups`] groups, however many threads there are.

use crate::error::Result;
use crate::kernels::{Isa, rows};
use crate::layers::Weight;
use crate::layers::parallel::{Chunks, both, for_each, most_groups};
use crate::machines::{Grouped, Share};
use crate::memory::Buffer;

/// Floats of the kernel's gradient whose parts one task adds.
const SUM: usize = 1 << 10;

/// The backward passes of an image.
pub trait Passes: Sync {
    /// Writes the gradient to the input; with a gate, laid out as the input, it counts only where that is above 0.
    fn input_gradient(&self, x: &[f32], dz: &[f32], gate: Option<&[f32]>, dx: &mut [f32]);
    /// Adds an image to a group's part of the gradient to the kernel.
    fn kernel_gradient(&self, x: &[f32], dz: &[f32], sum: &mut [f32]);
}

/// A batch of images in the backward pass.
pub struct Batch<'a> {
    pub x: &'a [f32],
    pub dz: &'a [f32],
    pub dx: Option<&'a mut [f32]>,
    /// Elements of an image and of its output.
    pub lens: [usize; 2],
    /// Whether the gradient to the input is 0 where `x` is not positive.
    pub gated: bool,
    /// Whether the gradients to kernel and bias are wanted.
    pub learns: bool,
    /// Which part of the batch it is.
    pub share: Share<'a>,
}

/// The groups' parts of the gradients.
pub struct Groups {
    kernels: Buffer,
    biases: Buffer,
    /// The sum of the parts of the kernel's gradient.
    kernel: Buffer,
    kernel_len: usize,
    filters: usize,
}

impl Groups {
    /// For a kernel of so many elements, a bias of `filters`, and batches of so many images at most.
    pub fn new(kernel_len: usize, filters: usize, batch: usize) -> Result<Self> {
        let groups = most_groups(batch);
        Ok(Groups {
            kernels: Buffer::zeros(groups.saturating_mul(kernel_len))?,
            biases: Buffer::zeros(groups.saturating_mul(filters))?,
            kernel: Buffer::zeros(kernel_len)?,
            kernel_len,
            filters,
        })
    }

    /// Computes the gradients for a batch: returns the kernel's, and the parts of the bias's.
    pub fn run(&mut self, isa: Isa, passes: &impl Passes, batch: Batch<'_>) -> Result<(&[f32], &[f32])> {
        let Groups { kernels, biases, kernel: sum, kernel_len, filters } = self;
        let (kernel_len, filters) = (*kernel_len, *filters);
        let Batch { x, dz, dx, lens: [len, out_len], gated, learns, share } = batch;
        let Grouped { size: group, all, own } = share.groups(dz.len() / out_len);
        let (kernels, biases) = (&mut kernels[..all * kernel_len], &mut biases[..all * filters]);
        let (here, there) = (own.start * kernel_len..own.end * kernel_len, own.start * filters..own.end * filters);
        let shares = (Chunks::new(&mut kernels[here.clone()], kernel_len), Chunks::new(&mut biases[there], filters));
        let dx = dx.map(|dx| Chunks::new(dx, group * len));
        for_each((shares, dx), &|g, ((kernel, bias), dx)| {
            let x = part_of(x, g * group * len, group * len);
            let dz = part_of(dz, g * group * out_len, group * out_len);
            let input_gradient = || {
                let dx = dx.into_iter().flat_map(|dx| dx.into_slice().chunks_exact_mut(len));
                let images = x.chunks_exact(len).zip(dz.chunks_exact(out_len));
                images.zip(dx).for_each(|((x, dz), dx)| passes.input_gradient(x, dz, gated.then_some(x), dx));
            };
            let to_weights = || {
                let (kernel, bias) = (kernel.into_slice(), bias.into_slice());
                kernel.fill(0.0);
                bias.fill(0.0);
                rows::sum_rows(isa, dz, filters, 0, bias);
                passes.kernel_gradient(x, dz, kernel);
            };
            match learns {
                true => drop(both(input_gradient, to_weights)),
                false => input_gradient(),
            }
        });
        let add = |kernels: &[f32], sum: &mut [f32]| {
            let add = |i: usize, sum: &mut [f32]| rows::sum_rows(isa, kernels, kernel_len, i * SUM, sum);
            for_each(Chunks::new(sum, SUM), &|i, sum| add(i, sum.into_slice()));
        };
        sum.fill(0.0);
        if learns {
            share.gather(biases, filters)?;
            if !share.add_in_turn(sum, |sum| add(&kernels[here], sum))? {
                share.gather(kernels, kernel_len)?;
                add(kernels, sum);
            }
        }
        Ok((sum, biases))
    }
}

/// Whether one of the weights is changed by its gradient.
pub fn learn(weights: &[Weight<'_>]) -> bool {
    weights.iter().any(|weight| weight.update.is_some())
}

/// `len` elements from `start` on, fewer at the slice's end.
fn part_of(slice: &[f32], start: usize, len: usize) -> &[f32] {
    &slice[start..(start + len).min(slice.len())]
}
