//! The backward pass of a convolution.
//!
//! A task is a group of images: for each of them the gradient to the input, and beside it the group's share of the gradient
//! to kernel and bias, one chain through all its images; then the shares are added in order and the weights take their
//! step. There are at most [`GROUPS`] groups, however many threads there are.
//!
//! How a gradient is computed depends on how much of the output's gradient is zero, looked at once a batch: the numbers
//! alone decide, so that every machine takes the same road and finds the same bits.

use super::pass::Pass;
use crate::error::Result;
use crate::kernels::conv2d::zeros::Scratch;
use crate::kernels::conv2d::{Conv2d as Size, Finish};
use crate::kernels::{Isa, nonzero, rows};
use crate::layers::parallel::{Chunks, both, for_each};
use crate::layers::{Pass as Backward, PerThread, Site, Weight};
use crate::memory::Buffer;

/// The most groups of images that a batch's gradient is summed in.
const GROUPS: usize = 32;

/// Floats of the kernel's gradient whose shares one task adds up.
const SUM: usize = 1 << 10;

/// The share of the output's gradient that is not zero below which it pays to leave zeros out on the way to the kernel. On
/// AVX-512, 0.15 of it take a quarter of the direct time, 0.5 of it 0.65.
const ZEROS_PAY_BELOW: f32 = 0.6;

/// The backward pass of a layer, and the memory that takes.
pub struct Gradients {
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

impl Gradients {
    pub fn new(size: &Size, site: &Site<'_>) -> Result<Self> {
        let whole = stride(size, site.isa) == size.filters;
        let padded = if whole { 0 } else { size.output_len() / size.filters * stride(size, site.isa) };
        let zeros = size.may_leave_zeros_out().then(|| PerThread::new(site.threads, || size.zeros_scratch()));
        Ok(Gradients {
            to_input: site.input_gradient().then(|| InputRoads::new(size, site)).transpose()?,
            zeros: zeros.transpose()?,
            padded: PerThread::new(site.threads, || Buffer::zeros(padded))?,
            shares: Shares::new(size, site.batch.min(GROUPS))?,
        })
    }

    /// Computes the gradients for a batch and takes kernel and bias a step on.
    pub fn step(&mut self, isa: Isa, size: &Size, weights: &mut [Weight<'_>], mut pass: Backward<'_, '_>) {
        let (dx, Backward { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let x = x[0];
        let Gradients { to_input, zeros, padded, shares } = self;
        let batch = dz.len() / size.output_len();
        let group = batch.div_ceil(GROUPS).max(1); // images
        let groups = batch.div_ceil(group);

        let share = nonzero::share(isa, dz, size.filters);
        let to_input = to_input.as_mut().map(|roads| roads.choose(isa, size, weights[0].w, share));
        let to_kernel = match zeros {
            Some(scratch) if share < ZEROS_PAY_BELOW => ToKernel::Nonzero(scratch),
            _ => ToKernel::All(padded),
        };
        let by_filter = matches!(to_kernel, ToKernel::Nonzero(_));
        let images = GroupPass { size: *size, isa, to_input, to_kernel, gated };

        let kernels = Chunks::new(&mut shares.kernels[..groups * size.kernel_len()], size.kernel_len());
        let biases = Chunks::new(&mut shares.biases[..groups * size.filters], size.filters);
        let dx = dx.map(|dx| Chunks::new(dx, group * size.input_len()));
        for_each(((kernels, biases), dx), &|g, ((kernel, bias), dx)| {
            let images_of = |slice, len| part_of(slice, g * group * len, group * len);
            let (x, dz) = (images_of(x, size.input_len()), images_of(dz, size.output_len()));
            both(
                || dx.map(|dx| images.input_gradients(x, dz, dx.into_slice())),
                || images.kernel_gradients(x, dz, kernel.into_slice(), bias.into_slice()),
            );
        });
        weights[0].take(isa, shares.kernel(isa, size, groups, by_filter));
        if let Some(bias) = weights.get_mut(1) {
            bias.take(isa, &shares.biases[..groups * size.filters]);
        }
    }
}

impl InputRoads {
    fn new(size: &Size, site: &Site<'_>) -> Result<Self> {
        Ok(InputRoads {
            pass: Pass::to_input(*size, site)?,
            turned: Buffer::zeros(size.kernel_len())?,
            by_filter: Buffer::zeros(if size.may_leave_zeros_out() { size.kernel_len() } else { 0 })?,
        })
    }

    /// The one to take when a share of the gradient is not zero.
    fn choose(&mut self, isa: Isa, size: &Size, kernel: &[f32], share: f32) -> ToInput<'_> {
        if size.may_leave_zeros_out() && share < self.pass.zeros_pay_below() {
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

    /// The sum of `groups` groups' shares of the kernel's gradient, as the kernel lies. `by_filter` says that the shares lie
    /// as `[F, k, k, C]`.
    fn kernel(&mut self, isa: Isa, size: &Size, groups: usize, by_filter: bool) -> &[f32] {
        let (kernels, len) = (&self.kernels[..groups * size.kernel_len()], size.kernel_len());
        self.kernel.fill(0.0);
        for_each(Chunks::new(&mut self.kernel, SUM), &|i, sum| {
            rows::add_rows(isa, kernels, len, i * SUM, sum.into_slice());
        });
        if !by_filter {
            return &self.kernel;
        }
        rows::transpose(isa, &self.kernel, len / size.filters, &mut self.turned);
        &self.turned
    }
}

/// A pixel's filters, rounded up to whole vectors.
fn stride(size: &Size, isa: Isa) -> usize {
    size.filters.next_multiple_of(isa.lanes())
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
