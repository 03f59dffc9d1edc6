//! `Conv2D`: stride 1, no padding ("valid"), images `[B, H, W, C]`, kernel `[k, k, C, F]`, bias `[F]`.
//!
//! Forward, a task is an image. Backward, it is a group of images: for each of them the gradient to the input, and the
//! group's share of the gradient to kernel and bias, one chain through all its images; then the shares are added in
//! order and the weights take their step. There are at most [`GROUPS`] groups, however many threads there are.

use super::parallel::{Chunks, for_each};
use super::{Backward, Layer, PerThread, Trained, Use};
use crate::error::Result;
use crate::graph::LayerSpec;
use crate::kernels::conv2d::Finish;
use crate::kernels::{self, Isa, rows};
use crate::memory::Buffer;

/// The most groups of images that a batch's gradient is summed in.
const GROUPS: usize = 16;

pub struct Conv2d {
    size: kernels::conv2d::Conv2d,
    relu: bool,
    isa: Isa,
    packed: Buffer,
    training: Option<Training>,
}

/// What the backward pass needs.
struct Training {
    /// The turned kernel, packed; empty where no gradient to the input is wanted.
    turned: Buffer,
    /// The groups' shares of the gradients: all kernels', then all biases'.
    kernels: Buffer,
    biases: Buffer,
    /// For each thread a haloed gradient (where one is wanted), and one with whole vectors for pixels.
    scratch: PerThread,
    halo_len: usize,
}

impl Conv2d {
    pub fn new(spec: &LayerSpec, kernel: usize, relu: bool, how: Use) -> Result<Self> {
        let (&[height, width, channels], &[.., filters]) = (spec.input.dims(), spec.output.dims()) else {
            unreachable!("the graph gives a Conv2D three dimensions");
        };
        let size = kernels::conv2d::Conv2d { height, width, channels, filters, kernel };
        let training = how.training.then(|| Training::new(&size, how)).transpose()?;
        Ok(Conv2d { size, relu, isa: how.isa, packed: Buffer::zeros(size.packed_len(how.isa))?, training })
    }
}

/// How many images a group has in a batch.
fn group(batch: usize) -> usize {
    batch.div_ceil(GROUPS).max(1)
}

impl Training {
    fn new(size: &kernels::conv2d::Conv2d, how: Use) -> Result<Self> {
        let groups = how.batch.min(GROUPS);
        let halo_len = if how.input_gradient { size.halo_len() } else { 0 };
        let padded_len = if size.filters.is_multiple_of(how.isa.lanes()) { 0 } else { padded_len(size, how.isa) };
        Ok(Training {
            turned: Buffer::zeros(if how.input_gradient { size.turned().packed_len(how.isa) } else { 0 })?,
            kernels: Buffer::zeros(groups * size.kernel_len())?,
            biases: Buffer::zeros(groups * size.filters)?,
            scratch: PerThread::new(how.threads, halo_len + padded_len)?,
            halo_len,
        })
    }
}

/// A pixel's filters, rounded up to whole vectors.
fn stride(size: &kernels::conv2d::Conv2d, isa: Isa) -> usize {
    size.filters.next_multiple_of(isa.lanes())
}

fn padded_len(size: &kernels::conv2d::Conv2d, isa: Isa) -> usize {
    size.out_height() * size.out_width() * stride(size, isa)
}

impl Layer for Conv2d {
    fn forward(&mut self, weights: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let (size, isa, relu) = (self.size, self.isa, self.relu);
        let &[kernel, bias] = weights else { unreachable!("a Conv2D has a kernel and a bias") };
        size.pack(isa, kernel, &mut self.packed);
        let packed = &self.packed;
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            size.forward(isa, x, packed, Finish::Bias { bias, relu }, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let (size, isa) = (self.size, self.isa);
        let Backward { x, dz, dx, gated, adam } = pass;
        let [kernel, bias] = weights else { unreachable!("a Conv2D has a kernel and a bias") };
        let training = self.training.as_mut().expect("built for training");
        let batch = dz.len() / size.output_len();
        let group = group(batch);
        let groups = batch.div_ceil(group);
        let kernels = &mut training.kernels[..groups * size.kernel_len()];
        let biases = &mut training.biases[..groups * size.filters];
        kernels.fill(0.0);
        biases.fill(0.0);
        if dx.is_some() {
            size.turned().pack_turned(isa, kernel.w, &mut training.turned);
        }

        let images = GroupPass { size, isa, turned: &training.turned, halo_len: training.halo_len };
        let shares = (Chunks::new(kernels, size.kernel_len()), Chunks::new(biases, size.filters));
        let dx = dx.map(|dx| Chunks::new(dx, group * size.input_len()));
        let scratch = &training.scratch;
        for_each((shares, dx), &|g, ((kernel, bias), dx)| {
            let images_of = |slice, len| part_of(slice, g * group * len, group * len);
            let (x, dz) = (images_of(x, size.input_len()), images_of(dz, size.output_len()));
            let mut dx = dx.map(Chunks::into_slice);
            scratch.lend(|scratch| {
                if let Some(dx) = &mut dx {
                    images.input_gradients(x, dz, gated, dx, scratch);
                }
                images.kernel_gradients(x, dz, kernel.into_slice(), bias.into_slice(), scratch);
            });
        });
        adam.update(isa, kernels, kernel.w, kernel.m, kernel.v);
        adam.update(isa, biases, bias.w, bias.m, bias.v);
        Ok(())
    }
}

/// `len` elements from `start` on, fewer at the slice's end.
fn part_of(slice: &[f32], start: usize, len: usize) -> &[f32] {
    &slice[start..(start + len).min(slice.len())]
}

/// The backward passes of a group of images.
struct GroupPass<'a> {
    size: kernels::conv2d::Conv2d,
    isa: Isa,
    turned: &'a [f32],
    halo_len: usize,
}

impl GroupPass<'_> {
    fn input_gradients(&self, x: &[f32], dz: &[f32], gated: bool, dx: &mut [f32], scratch: &mut [f32]) {
        let (size, turned) = (self.size, self.size.turned());
        let halo = &mut scratch[..self.halo_len];
        let images = x.chunks_exact(size.input_len()).zip(dz.chunks_exact(size.output_len()));
        for ((x, dz), dx) in images.zip(dx.chunks_exact_mut(size.input_len())) {
            size.fill_halo(dz, halo);
            turned.forward(self.isa, halo, self.turned, Finish::Gate(gated.then_some(x)), dx);
        }
    }

    fn kernel_gradients(&self, x: &[f32], dz: &[f32], kernel: &mut [f32], bias: &mut [f32], scratch: &mut [f32]) {
        let (size, stride) = (self.size, stride(&self.size, self.isa));
        rows::add_rows(self.isa, dz, bias);
        for (x, dz) in x.chunks_exact(size.input_len()).zip(dz.chunks_exact(size.output_len())) {
            if stride == size.filters {
                size.kernel_gradient(self.isa, x, dz, stride, kernel);
            } else {
                let padded = &mut scratch[self.halo_len..];
                rows::pad_rows(dz, size.filters, padded, stride);
                size.kernel_gradient(self.isa, x, padded, stride, kernel);
            }
        }
    }
}
