//! The backward pass of a convolution.
//!
//! How a gradient is computed depends on how much of the output's gradient is zero, looked at once a batch: the numbers
//! alone decide, so that every machine takes the same road and finds the same bits.

use super::groups::{Batch, Groups, Passes, learn};
use super::pass::ToInput;
use super::to_kernel::ToKernel;
use crate::error::Result;
use crate::kernels::conv2d::{Conv2d as Size, Finish};
use crate::kernels::elementwise::{WherePositive, apply_with};
use crate::kernels::{Isa, nonzero, rows};
use crate::layers::{Pass, PerThread, Site, Weight};
use crate::memory::Buffer;

/// The backward pass of a layer, and the memory that takes.
pub struct Gradients {
    /// `None` where no gradient to the input is wanted.
    to_input: Option<InputRoads>,
    to_kernel: ToKernel,
    groups: Groups,
}

/// The ways to the gradient to the input.
struct InputRoads {
    /// Over all of the output's gradient.
    all: ToInput,
    /// The kernel as `[F, kh, kw, C]`, for leaving zeros out; empty where that cannot be done.
    by_filter: Buffer,
    /// For each thread the gradient to an image with its padding, which leaving zeros out gives; empty where it has none.
    padded: PerThread<Buffer>,
}

impl Gradients {
    pub fn new(size: &Size, site: &Site<'_>) -> Result<Self> {
        Ok(Gradients {
            to_input: site.input_gradient().then(|| InputRoads::new(size, site)).transpose()?,
            to_kernel: ToKernel::new(*size, site)?,
            groups: Groups::new(size.kernel_len(), size.filters, site.batch)?,
        })
    }

    /// Computes the gradients for a batch and takes kernel and bias a step on.
    pub fn step(&mut self, isa: Isa, size: &Size, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) {
        let (dx, Pass { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let share = nonzero::share(isa, dz, size.filters);
        let to_input = self.to_input.as_mut().map(|roads| roads.choose(isa, size, weights[0].w, share));
        self.to_kernel.choose(share);
        let images = Images { size: *size, isa, to_input, to_kernel: &self.to_kernel };
        let lens = [size.unpadded_len(), size.output_len()];
        let batch = Batch { x: x[0], dz, dx, lens, gated, learns: learn(weights) };
        let (kernel, biases) = self.groups.run(isa, &images, batch);
        weights[0].take(isa, self.to_kernel.in_order(isa, kernel));
        if let Some(bias) = weights.get_mut(1) {
            bias.take(isa, biases);
        }
    }
}

impl InputRoads {
    fn new(size: &Size, site: &Site<'_>) -> Result<Self> {
        let zeros = size.may_leave_zeros_out();
        let padded = if zeros && size.has_padding() { size.input_len() } else { 0 };
        Ok(InputRoads {
            all: ToInput::new(*size, site)?,
            by_filter: Buffer::zeros(if zeros { size.kernel_len() } else { 0 })?,
            padded: PerThread::new(site.threads, || Buffer::zeros(padded))?,
        })
    }

    /// The one to take when a share of the gradient is not zero.
    fn choose(&mut self, isa: Isa, size: &Size, kernel: &[f32], share: f32) -> Road<'_> {
        if size.may_leave_zeros_out() && share < self.all.zeros_pay_below() {
            rows::transpose(isa, kernel, size.filters, &mut self.by_filter);
            return Road::Nonzero(&self.by_filter, &self.padded);
        }
        self.all.prepare(isa, kernel);
        Road::All(&self.all)
    }
}

/// How the gradient to the input is computed.
enum Road<'a> {
    /// By a pass over all of the output's gradient.
    All(&'a ToInput),
    /// From what is not zero of it, with the kernel as `[F, kh, kw, C]`.
    Nonzero(&'a [f32], &'a PerThread<Buffer>),
}

/// The backward passes of an image.
struct Images<'a> {
    size: Size,
    isa: Isa,
    to_input: Option<Road<'a>>,
    to_kernel: &'a ToKernel,
}

impl Passes for Images<'_> {
    fn to_input(&self, _: &[f32], dz: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
        let (size, isa) = (self.size, self.isa);
        match &self.to_input {
            Some(Road::All(pass)) => pass.run(isa, dz, Finish::Gate(gate), dx),
            Some(Road::Nonzero(kernel, padded)) if size.has_padding() => {
                padded.lend(|padded| {
                    size.input_gradient_of_nonzero(isa, dz, kernel, None, padded);
                    size.read_padded(padded, dx);
                });
                if let Some(gate) = gate {
                    apply_with(isa, WherePositive, dx, gate);
                }
            }
            Some(Road::Nonzero(kernel, _)) => size.input_gradient_of_nonzero(isa, dz, kernel, gate, dx),
            None => (),
        }
    }

    fn to_kernel(&self, x: &[f32], dz: &[f32], sum: &mut [f32]) {
        self.to_kernel.add(self.isa, x, dz, sum);
    }
}
