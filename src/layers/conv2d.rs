//! `Conv2D`: stride 1, no padding ("valid"), images `[B, H, W, C]`, kernel `[k, k, C, F]`, bias `[F]`.
//!
//! Forward, a task is an image, or a band of its rows where there are more threads than images. Backward, it is a group of images: for each of them the gradient to the input, and beside
//! it the group's share of the gradient to kernel and bias, one chain through all its images; then the shares are added
//! in order and the weights take their step. There are at most [`GROUPS`] groups, however many threads there are.
//!
//! How a backward pass is computed depends on how much of the output's gradient is zero, looked at once a batch: the
//! numbers alone decide, so that every machine takes the same road and finds the same bits.

use super::parallel::{Chunks, for_each};
use super::{Backward, Layer, PerThread, Trained, Use};
use crate::error::{Error, Result};
use crate::graph::LayerSpec;
use crate::kernels::conv2d::winograd::{self, Winograd};
use crate::kernels::conv2d::zeros::Scratch;
use crate::kernels::conv2d::{Conv2d as Size, Finish};
use crate::kernels::{AdamStep, Isa, nonzero, rows};
use crate::memory::Buffer;

/// The most groups of images that a batch's gradient is summed in.
const GROUPS: usize = 32;

/// Floats of the kernel's gradient whose shares one task adds up.
const SUM: usize = 1 << 10;

/// The shares of the output's gradient that are not zero below which it pays to leave zeros out, measured on AVX-512:
/// 0.15 of it take a third of the direct time to the kernel and 0.6 of Winograd's to the input, 0.5 of it 0.7 and 1.9.
mod pays_below {
    pub const TO_KERNEL: f32 = 0.6;
    pub const TO_INPUT: f32 = 0.5;
    pub const TO_INPUT_BESIDE_WINOGRAD: f32 = 0.27;
}

pub struct Conv2d {
    size: Size,
    relu: bool,
    isa: Isa,
    threads: usize,
    forward: Pass,
    training: Option<Training>,
}

/// What the backward pass needs.
struct Training {
    /// `None` where no gradient to the input is wanted.
    to_input: Option<InputRoads>,
    /// What leaving zeros out on the way to the kernel takes, where it can be done.
    zeros: Option<PerThread<Scratch>>,
    /// For each thread a gradient with whole vectors for pixels; empty where it has them anyway.
    padded: PerThread<Buffer>,
    shares: Shares,
}

/// The ways to the gradient to the input.
struct InputRoads {
    /// Over all of the output's gradient, and the turned kernel it takes.
    pass: Pass,
    turned: Buffer,
    /// The kernel as `[F, k, k, C]`, for leaving zeros out; empty where that cannot be done.
    by_filter: Buffer,
}

/// The groups' shares of the gradients, and what becomes of them.
struct Shares {
    kernels: Buffer,
    biases: Buffer,
    kernel: Buffer,
    /// The kernel's gradient in the kernel's own layout.
    turned: Buffer,
}

impl Conv2d {
    pub fn new(spec: &LayerSpec, kernel: usize, relu: bool, how: Use) -> Result<Self> {
        let (&[height, width, channels], &[.., filters]) = (spec.input.dims(), spec.output.dims()) else {
            return Err(Error::internal("a Conv2D has three dimensions"));
        };
        let size = Size { height, width, channels, filters, kernel };
        let training = how.training.then(|| Training::new(&size, how)).transpose()?;
        Ok(Conv2d { size, relu, isa: how.isa, threads: how.threads, forward: Pass::forward(size, how)?, training })
    }
}

/// A pass over images with one kernel, and the memory that takes.
struct Pass {
    method: Method,
    /// The kernel as the method takes it.
    kernel: Buffer,
    scratch: PerThread<Buffer>,
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
        Ok(Pass {
            method,
            kernel: Buffer::zeros(kernel)?,
            scratch: PerThread::new(how.threads, || Buffer::zeros(scratch))?,
        })
    }

    /// The share of its input that is not zero below which it pays to leave zeros out instead.
    fn pays_below(&self) -> f32 {
        match self.method {
            Method::Winograd(_) => pays_below::TO_INPUT_BESIDE_WINOGRAD,
            Method::Direct(_) | Method::Haloed(_) => pays_below::TO_INPUT,
        }
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

    /// A band of `rows` rows of an image, for a pass that needs no border: the band is an image of its own.
    fn run_band(&self, isa: Isa, rows: usize, band: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        self.scratch.lend(|scratch| match &self.method {
            Method::Direct(size) | Method::Haloed(size) => {
                Size { height: rows, ..*size }.forward(isa, band, &self.kernel, finish, output);
            }
            Method::Winograd(winograd) => {
                winograd.with_height(rows).run(isa, band, &self.kernel, finish, output, scratch);
            }
        });
    }
}

/// How many rows of the output a task of the forward pass computes: all, or as few as keep every thread busy. Winograd's
/// tiles are cut between, so that the bits stay the same.
fn band(size: &Size, batch: usize, threads: usize) -> usize {
    let bands = threads.div_ceil(batch.max(1)).max(1);
    size.out_height().div_ceil(bands).next_multiple_of(winograd::TILE)
}

/// How many images a group has in a batch.
fn group(batch: usize) -> usize {
    batch.div_ceil(GROUPS).max(1)
}

impl Training {
    fn new(size: &Size, how: Use) -> Result<Self> {
        let whole = stride(size, how.isa) == size.filters;
        let padded = if whole { 0 } else { size.output_len() / size.filters * stride(size, how.isa) };
        let zeros = size.may_leave_zeros_out().then(|| PerThread::new(how.threads, || size.zeros_scratch()));
        Ok(Training {
            to_input: how.input_gradient.then(|| InputRoads::new(size, how)).transpose()?,
            zeros: zeros.transpose()?,
            padded: PerThread::new(how.threads, || Buffer::zeros(padded))?,
            shares: Shares::new(size, how.batch.min(GROUPS))?,
        })
    }
}

impl InputRoads {
    fn new(size: &Size, how: Use) -> Result<Self> {
        Ok(InputRoads {
            pass: Pass::to_input(*size, how)?,
            turned: Buffer::zeros(size.kernel_len())?,
            by_filter: Buffer::zeros(if size.may_leave_zeros_out() { size.kernel_len() } else { 0 })?,
        })
    }

    /// The one to take when a share of the gradient is not zero.
    fn choose(&mut self, isa: Isa, size: &Size, kernel: &[f32], share: f32) -> ToInput<'_> {
        if size.may_leave_zeros_out() && share < self.pass.pays_below() {
            rows::transpose(isa, kernel, size.filters, &mut self.by_filter);
            return ToInput::Nonzero(&self.by_filter);
        }
        size.turn(isa, kernel, &mut self.turned);
        self.pass.prepare(isa, &self.turned);
        ToInput::All(&self.pass)
    }
}

impl Shares {
    fn new(size: &Size, groups: usize) -> Result<Self> {
        Ok(Shares {
            kernels: Buffer::zeros(groups * size.kernel_len())?,
            biases: Buffer::zeros(groups * size.filters)?,
            kernel: Buffer::zeros(size.kernel_len())?,
            turned: Buffer::zeros(if size.may_leave_zeros_out() { size.kernel_len() } else { 0 })?,
        })
    }

    /// Adds up the shares of `groups` groups and takes the weights a step on. `by_filter` says that the kernel's are
    /// `[F, k, k, C]`.
    fn step(
        &mut self,
        isa: Isa,
        size: &Size,
        groups: usize,
        by_filter: bool,
        adam: AdamStep,
        of: [&mut Trained<'_>; 2],
    ) {
        let [kernel, bias] = of;
        let (kernels, len) = (&self.kernels[..groups * size.kernel_len()], size.kernel_len());
        self.kernel.fill(0.0);
        for_each(Chunks::new(&mut self.kernel, SUM), &|i, sum| {
            rows::add_rows(isa, kernels, len, i * SUM, sum.into_slice());
        });
        let gradient = if by_filter {
            rows::transpose(isa, &self.kernel, len / size.filters, &mut self.turned);
            &self.turned
        } else {
            &self.kernel
        };
        adam.update(isa, gradient, kernel.w, kernel.m, kernel.v);
        adam.update(isa, &self.biases[..groups * size.filters], bias.w, bias.m, bias.v);
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
        let (row, out_row) = (size.width * size.channels, size.out_width() * size.filters);
        let band = band(&size, x.len() / size.input_len(), self.threads);
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            for_each(Chunks::new(y.into_slice(), band * out_row), &|i, y| {
                let y = y.into_slice();
                let rows = y.len() / out_row + size.kernel - 1;
                pass.run_band(isa, rows, &x[i * band * row..][..rows * row], Finish::Bias { bias, relu }, y);
            });
        });
        Ok(())
    }

    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let (size, isa) = (self.size, self.isa);
        let Backward { x, dz, dx, gated, adam } = pass;
        let [kernel, bias] = weights else { return Err(Error::internal("a Conv2D has a kernel and a bias")) };
        let training = self.training.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let Training { to_input, zeros, padded, shares } = training;
        let batch = dz.len() / size.output_len();
        let group = group(batch);
        let groups = batch.div_ceil(group);

        let share = nonzero::share(isa, dz, size.filters);
        let to_input = to_input.as_mut().map(|roads| roads.choose(isa, &size, kernel.w, share));
        let to_kernel = match zeros {
            Some(scratch) if share < pays_below::TO_KERNEL => ToKernel::Nonzero(scratch),
            _ => ToKernel::All(padded),
        };
        let by_filter = matches!(to_kernel, ToKernel::Nonzero(_));
        let images = GroupPass { size, isa, to_input, to_kernel, gated };

        let kernels = Chunks::new(&mut shares.kernels[..groups * size.kernel_len()], size.kernel_len());
        let biases = Chunks::new(&mut shares.biases[..groups * size.filters], size.filters);
        let dx = dx.map(|dx| Chunks::new(dx, group * size.input_len()));
        for_each(((kernels, biases), dx), &|g, ((kernel, bias), dx)| {
            let images_of = |slice, len| part_of(slice, g * group * len, group * len);
            let (x, dz) = (images_of(x, size.input_len()), images_of(dz, size.output_len()));
            rayon::join(
                || dx.map(|dx| images.input_gradients(x, dz, dx.into_slice())),
                || images.kernel_gradients(x, dz, kernel.into_slice(), bias.into_slice()),
            );
        });
        shares.step(isa, &size, groups, by_filter, adam, [kernel, bias]);
        Ok(())
    }
}

/// `len` elements from `start` on, fewer at the slice's end.
fn part_of(slice: &[f32], start: usize, len: usize) -> &[f32] {
    &slice[start..(start + len).min(slice.len())]
}

/// How the gradient to the input is computed.
enum ToInput<'a> {
    /// By a pass over all of the output's gradient.
    All(&'a Pass),
    /// From what is not zero of it, with the kernel as `[F, k, k, C]`.
    Nonzero(&'a [f32]),
}

/// How the gradient to the kernel is computed.
enum ToKernel<'a> {
    /// From all of the output's gradient, which may need whole vectors for pixels.
    All(&'a PerThread<Buffer>),
    /// From what is not zero of it, as `[F, k, k, C]`.
    Nonzero(&'a PerThread<Scratch>),
}

/// The backward passes of a group of images.
struct GroupPass<'a> {
    size: Size,
    isa: Isa,
    to_input: Option<ToInput<'a>>,
    to_kernel: ToKernel<'a>,
    gated: bool,
}

impl GroupPass<'_> {
    fn input_gradients(&self, x: &[f32], dz: &[f32], dx: &mut [f32]) {
        let images = x.chunks_exact(self.size.input_len()).zip(dz.chunks_exact(self.size.output_len()));
        for ((x, dz), dx) in images.zip(dx.chunks_exact_mut(self.size.input_len())) {
            let gate = self.gated.then_some(x);
            match &self.to_input {
                Some(ToInput::All(pass)) => pass.run(self.isa, dz, Finish::Gate(gate), dx),
                Some(ToInput::Nonzero(kernel)) => self.size.input_gradient_of_nonzero(self.isa, dz, kernel, gate, dx),
                None => (),
            }
        }
    }

    fn kernel_gradients(&self, x: &[f32], dz: &[f32], kernel: &mut [f32], bias: &mut [f32]) {
        let (size, isa, stride) = (self.size, self.isa, stride(&self.size, self.isa));
        kernel.fill(0.0);
        bias.fill(0.0);
        rows::add_rows(isa, dz, size.filters, 0, bias);
        for (x, dz) in x.chunks_exact(size.input_len()).zip(dz.chunks_exact(size.output_len())) {
            match self.to_kernel {
                ToKernel::Nonzero(scratch) => {
                    scratch.lend(|scratch| size.kernel_gradient_of_nonzero(isa, x, dz, kernel, scratch));
                }
                ToKernel::All(_) if stride == size.filters => size.kernel_gradient(isa, x, dz, stride, kernel),
                ToKernel::All(padded) => padded.lend(|padded| {
                    rows::pad_rows(dz, size.filters, padded, stride);
                    size.kernel_gradient(isa, x, padded, stride, kernel);
                }),
            }
        }
    }
}
