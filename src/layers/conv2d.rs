//! `Conv2D`: stride 1, no padding ("valid"), images `[B, H, W, C]`, kernel `[k, k, C, F]`, bias `[F]`.
//!
//! Forward, a task is an image. Backward, it is a group of images: for each of them the gradient to the input, and the
//! group's share of the gradient to kernel and bias, one chain through all its images; then the shares are added in
//! order and the weights take their step. There are at most [`GROUPS`] groups, however many threads there are.

use super::parallel::{Chunks, for_each};
use super::{Backward, Layer, PerThread, Trained, Use};
use crate::error::{Error, Result};
use crate::graph::LayerSpec;
use crate::kernels::conv2d::{Conv2d as Size, Finish};
use crate::kernels::winograd::Winograd;
use crate::kernels::{Isa, rows};
use crate::memory::Buffer;

/// The most groups of images that a batch's gradient is summed in.
const GROUPS: usize = 16;

pub struct Conv2d {
    size: Size,
    relu: bool,
    isa: Isa,
    forward: Pass,
    training: Option<Training>,
}

/// What the backward pass needs.
struct Training {
    /// The pass to the input and the kernel it takes; `None` where no gradient to the input is wanted.
    to_input: Option<(Pass, Buffer)>,
    /// The groups' shares of the gradients: all kernels', then all biases'.
    kernels: Buffer,
    biases: Buffer,
    /// For each thread a gradient with whole vectors for pixels; empty where it has them anyway.
    padded: PerThread,
}

impl Conv2d {
    pub fn new(spec: &LayerSpec, kernel: usize, relu: bool, how: Use) -> Result<Self> {
        let (&[height, width, channels], &[.., filters]) = (spec.input.dims(), spec.output.dims()) else {
            return Err(Error::internal("a Conv2D has three dimensions"));
        };
        let size = Size { height, width, channels, filters, kernel };
        let training = how.training.then(|| Training::new(&size, how)).transpose()?;
        Ok(Conv2d { size, relu, isa: how.isa, forward: Pass::forward(size, how)?, training })
    }
}

/// A pass over images with one kernel, and the memory that takes.
struct Pass {
    method: Method,
    /// The kernel as the method takes it.
    kernel: Buffer,
    scratch: PerThread,
}

/// How a pass is computed.
enum Method {
    /// Straight from the image.
    Direct(Size),
    /// Straight from the output's gradient, which gets a halo of zeros first, to the input's.
    Haloed(Size),
    /// By Winograd's filtering, either way.
    Winograd(Winograd),
}

impl Pass {
    fn forward(size: Size, how: Use) -> Result<Self> {
        Pass::new(
            if Winograd::pays(&size) { Method::Winograd(Winograd::forward_of(&size)) } else { Method::Direct(size) },
            how,
        )
    }

    fn to_input(size: Size, how: Use) -> Result<Self> {
        let winograd = Winograd::pays(&size);
        Pass::new(
            if winograd { Method::Winograd(Winograd::input_gradient_of(&size)) } else { Method::Haloed(size) },
            how,
        )
    }

    fn new(method: Method, how: Use) -> Result<Self> {
        let (kernel, scratch) = match &method {
            Method::Direct(size) => (size.packed_len(how.isa), 0),
            Method::Haloed(size) => (size.turned().packed_len(how.isa), size.halo_len()),
            Method::Winograd(winograd) => (winograd.transformed_len(how.isa), winograd.scratch_len(how.isa)),
        };
        Ok(Pass { method, kernel: Buffer::zeros(kernel)?, scratch: PerThread::new(how.threads, scratch)? })
    }

    /// Takes the kernel of the next runs, `[k, k, C, F]` as the pass sees it.
    fn prepare(&mut self, isa: Isa, kernel: &[f32]) {
        match &self.method {
            Method::Direct(size) => size.pack(isa, kernel, &mut self.kernel),
            Method::Haloed(size) => size.turned().pack(isa, kernel, &mut self.kernel),
            Method::Winograd(winograd) => winograd.transform_kernel(isa, kernel, &mut self.kernel),
        }
    }

    /// One image.
    fn run(&self, isa: Isa, image: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        self.scratch.lend(|scratch| match &self.method {
            Method::Direct(size) => size.forward(isa, image, &self.kernel, finish, output),
            Method::Haloed(size) => {
                size.fill_halo(image, scratch);
                size.turned().forward(isa, scratch, &self.kernel, finish, output);
            }
            Method::Winograd(winograd) => winograd.run(isa, image, &self.kernel, finish, output, scratch),
        });
    }
}

/// How many images a group has in a batch.
fn group(batch: usize) -> usize {
    batch.div_ceil(GROUPS).max(1)
}

impl Training {
    fn new(size: &Size, how: Use) -> Result<Self> {
        let groups = how.batch.min(GROUPS);
        let padded = size.output_len() / size.filters * stride(size, how.isa);
        let to_input = match how.input_gradient {
            true => Some((Pass::to_input(*size, how)?, Buffer::zeros(size.kernel_len())?)),
            false => None,
        };
        Ok(Training {
            to_input,
            kernels: Buffer::zeros(groups * size.kernel_len())?,
            biases: Buffer::zeros(groups * size.filters)?,
            padded: PerThread::new(how.threads, if stride(size, how.isa) == size.filters { 0 } else { padded })?,
        })
    }
}

/// A pixel's filters, rounded up to whole vectors.
fn stride(size: &Size, isa: Isa) -> usize {
    size.filters.next_multiple_of(isa.lanes())
}

impl Layer for Conv2d {
    fn forward(&mut self, weights: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let (size, isa, relu) = (self.size, self.isa, self.relu);
        let &[kernel, bias] = weights else { return Err(Error::internal("a Conv2D has a kernel and a bias")) };
        self.forward.prepare(isa, kernel);
        let pass = &self.forward;
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            pass.run(isa, x, Finish::Bias { bias, relu }, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let (size, isa) = (self.size, self.isa);
        let Backward { x, dz, dx, gated, adam } = pass;
        let [kernel, bias] = weights else { return Err(Error::internal("a Conv2D has a kernel and a bias")) };
        let training = self.training.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let batch = dz.len() / size.output_len();
        let group = group(batch);
        let groups = batch.div_ceil(group);
        let kernels = &mut training.kernels[..groups * size.kernel_len()];
        let biases = &mut training.biases[..groups * size.filters];
        kernels.fill(0.0);
        biases.fill(0.0);
        if let Some((pass, turned)) = &mut training.to_input {
            size.turn(kernel.w, turned);
            pass.prepare(isa, turned);
        }

        let images = GroupPass { size, isa, to_input: training.to_input.as_ref().map(|(pass, _)| pass), gated };
        let shares = (Chunks::new(kernels, size.kernel_len()), Chunks::new(biases, size.filters));
        let dx = dx.map(|dx| Chunks::new(dx, group * size.input_len()));
        let padded = &training.padded;
        for_each((shares, dx), &|g, ((kernel, bias), dx)| {
            let images_of = |slice, len| part_of(slice, g * group * len, group * len);
            let (x, dz) = (images_of(x, size.input_len()), images_of(dz, size.output_len()));
            if let Some(dx) = dx {
                images.input_gradients(x, dz, dx.into_slice());
            }
            padded.lend(|padded| images.kernel_gradients(x, dz, kernel.into_slice(), bias.into_slice(), padded));
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
    size: Size,
    isa: Isa,
    to_input: Option<&'a Pass>,
    gated: bool,
}

impl GroupPass<'_> {
    fn input_gradients(&self, x: &[f32], dz: &[f32], dx: &mut [f32]) {
        let Some(pass) = self.to_input else { return };
        let images = x.chunks_exact(self.size.input_len()).zip(dz.chunks_exact(self.size.output_len()));
        for ((x, dz), dx) in images.zip(dx.chunks_exact_mut(self.size.input_len())) {
            pass.run(self.isa, dz, Finish::Gate(self.gated.then_some(x)), dx);
        }
    }

    fn kernel_gradients(&self, x: &[f32], dz: &[f32], kernel: &mut [f32], bias: &mut [f32], padded: &mut [f32]) {
        let (size, stride) = (self.size, stride(&self.size, self.isa));
        rows::add_rows(self.isa, dz, bias);
        for (x, dz) in x.chunks_exact(size.input_len()).zip(dz.chunks_exact(size.output_len())) {
            if stride == size.filters {
                size.kernel_gradient(self.isa, x, dz, stride, kernel);
            } else {
                rows::pad_rows(dz, size.filters, padded, stride);
                size.kernel_gradient(self.isa, x, padded, stride, kernel);
            }
        }
    }
}
