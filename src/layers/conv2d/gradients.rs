//! The backward pass of a convolution.
//!
//! How a gradient is computed depends on the fraction of zeros in the output's gradient, sampled once per batch: only
//! the values decide, so that every machine uses the same method and gets the same bits.

use super::groups::{Batch, Groups, Passes, learn};
use super::kernel_gradient::KernelGradient;
use super::pass::InputGradient;
use crate::error::Result;
use crate::kernels::conv2d::{ConvShape, Finish};
use crate::kernels::elementwise::{WherePositive, apply_with};
use crate::kernels::{Isa, nonzero, rows};
use crate::layers::{BuildContext, Pass, PerThread, Weight};
use crate::machines::Share;
use crate::memory::Buffer;

/// The backward pass of a layer, and its memory.
pub struct Gradients {
    /// `None` if no gradient to the input is wanted.
    input_gradient: Option<InputGradientMethods>,
    kernel_gradient: KernelGradient,
    groups: Groups,
}

/// The methods for the gradient to the input.
struct InputGradientMethods {
    /// Uses all of the output's gradient.
    all: InputGradient,
    /// The kernel as `[F, kh, kw, C]`, for skipping zeros; empty if that is not possible.
    by_filter: Buffer,
    /// For each thread the gradient to a padded image, which skipping zeros computes; empty without padding.
    padded: PerThread<Buffer>,
}

impl Gradients {
    pub fn new(size: &ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        Ok(Gradients {
            input_gradient: context
                .wants_input_gradient()
                .then(|| InputGradientMethods::new(size, context))
                .transpose()?,
            kernel_gradient: KernelGradient::new(*size, context)?,
            groups: Groups::new(size.kernel_len(), size.filters, context.batch)?,
        })
    }

    /// Computes the gradients for a batch and updates kernel and bias.
    pub fn step(
        &mut self,
        isa: Isa,
        size: &ConvShape,
        share: Share<'_>,
        weights: &mut [Weight<'_>],
        mut pass: Pass<'_, '_>,
    ) -> Result<()> {
        let (dx, Pass { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let fraction = nonzero_fraction(isa, size, share, dz, size.output_len())?;
        let input_gradient =
            self.input_gradient.as_mut().map(|methods| methods.choose(isa, size, weights[0].w, fraction));
        self.kernel_gradient.choose(fraction);
        let images = Images { size: *size, isa, input_gradient, kernel_gradient: &self.kernel_gradient };
        let lens = [size.unpadded_len(), size.output_len()];
        let batch = Batch { x: x[0], dz, dx, lens, gated, learns: learn(weights), share };
        let (kernel, biases) = self.groups.run(isa, &images, batch)?;
        weights[0].take(isa, self.kernel_gradient.in_order(isa, kernel));
        if let Some(bias) = weights.get_mut(1) {
            bias.take(isa, biases);
        }
        Ok(())
    }
}

/// The fraction of nonzero elements in a batch's gradient, of which `dz`, samples of `len` elements, is this rank's; 1 if no
/// method depends on it.
pub fn nonzero_fraction(isa: Isa, size: &ConvShape, share: Share<'_>, dz: &[f32], len: usize) -> Result<f32> {
    if !size.can_skip_zeros() {
        return Ok(1.0);
    }
    let rows = len / size.filters;
    let [ones, all] = share.count(nonzero::count(isa, dz, size.filters, share.first() * rows))?;
    Ok(ones as f32 / all.max(1) as f32)
}

impl InputGradientMethods {
    fn new(size: &ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        let zeros = size.can_skip_zeros();
        let padded = if zeros && size.has_padding() { size.input_len() } else { 0 };
        Ok(InputGradientMethods {
            all: InputGradient::new(*size, context)?,
            by_filter: Buffer::zeros(if zeros { size.kernel_len() } else { 0 })?,
            padded: PerThread::new(context.threads, || Buffer::zeros(padded))?,
        })
    }

    /// Chooses the method for a gradient with this fraction of nonzero elements.
    fn choose(&mut self, isa: Isa, size: &ConvShape, kernel: &[f32], fraction: f32) -> InputGradientMethod<'_> {
        if size.can_skip_zeros() && fraction < self.all.skip_zeros_below() {
            rows::transpose(isa, kernel, size.filters, &mut self.by_filter);
            return InputGradientMethod::Nonzero(&self.by_filter, &self.padded);
        }
        self.all.prepare(isa, kernel);
        InputGradientMethod::All(&self.all)
    }
}

/// The method for the gradient to the input.
enum InputGradientMethod<'a> {
    /// A pass over all of the output's gradient.
    All(&'a InputGradient),
    /// Only over its nonzero elements, with the kernel as `[F, kh, kw, C]`.
    Nonzero(&'a [f32], &'a PerThread<Buffer>),
}

/// The backward passes of an image.
struct Images<'a> {
    size: ConvShape,
    isa: Isa,
    input_gradient: Option<InputGradientMethod<'a>>,
    kernel_gradient: &'a KernelGradient,
}

impl Passes for Images<'_> {
    fn input_gradient(&self, _: &[f32], dz: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
        let (size, isa) = (self.size, self.isa);
        match &self.input_gradient {
            Some(InputGradientMethod::All(pass)) => pass.run(isa, dz, Finish::Gate(gate), dx),
            Some(InputGradientMethod::Nonzero(kernel, padded)) if size.has_padding() => {
                padded.lend(|padded| {
                    size.input_gradient_of_nonzero(isa, dz, kernel, None, padded);
                    size.read_padded(padded, dx);
                });
                if let Some(gate) = gate {
                    apply_with(isa, WherePositive, dx, gate);
                }
            }
            Some(InputGradientMethod::Nonzero(kernel, _)) => size.input_gradient_of_nonzero(isa, dz, kernel, gate, dx),
            None => (),
        }
    }

    fn kernel_gradient(&self, x: &[f32], dz: &[f32], sum: &mut [f32]) {
        self.kernel_gradient.add(self.isa, x, dz, sum);
    }
}
