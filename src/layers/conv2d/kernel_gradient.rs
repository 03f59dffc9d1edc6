//! The gradient to a convolution's kernel, for a group of images.

use crate::error::Result;
use crate::kernels::conv2d::ConvShape;
use crate::kernels::conv2d::winograd::Winograd;
use crate::kernels::conv2d::zeros::Scratch;
use crate::kernels::{Isa, rows};
use crate::layers::parallel::group;
use crate::layers::{BuildContext, PerThread};
use crate::memory::Buffer;

/// Below this fraction of nonzero elements in the output's gradient, skipping zeros is faster. On AVX-512, a fraction
/// of 0.15 takes a quarter of the direct time, 0.5 takes 0.65. (Winograd is up to a third faster from 0.3 on, but there
/// the fraction varies in the first steps of a training; this limit keeps the method stable.)
const SKIP_ZEROS_BELOW: f32 = 0.6;

/// The method for the gradient, and its memory.
pub struct KernelGradient {
    size: ConvShape,
    /// The memory for skipping zeros, if that is possible.
    zeros: Option<PerThread<Scratch>>,
    /// Whether zeros are skipped; then the sums are `[F, kh, kw, C]`.
    by_filter: bool,
    /// Winograd, if it is the other method, with scratch memory for each thread.
    winograd: Option<(Winograd, PerThread<Buffer>)>,
    /// For each thread an image with its padding; empty where it has none.
    images: PerThread<Buffer>,
    /// For each thread a gradient with whole vectors for a pixel's groups; empty where it has them anyway.
    gradients: PerThread<Buffer>,
    /// The sum in the kernel's own layout.
    turned: Buffer,
}

impl KernelGradient {
    pub fn new(size: ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        let stride = stride(&size, context.isa);
        let whole = stride == size.group_filters();
        let gradient = if whole { 0 } else { size.output_len() / size.group_filters() * stride };
        let image = if size.has_padding() { size.input_len() } else { 0 };
        let winograd = Winograd::kernel_gradient_is_worthwhile(&size, group(context.batch)).then(|| -> Result<_> {
            let pass = Winograd::kernel_gradient_of(&size);
            Ok((pass, PerThread::new(context.threads, || Buffer::zeros(pass.kernel_gradient_scratch(context.isa)))?))
        });
        let zeros = size.can_skip_zeros().then(|| PerThread::new(context.threads, || size.zeros_scratch()));
        Ok(KernelGradient {
            size,
            zeros: zeros.transpose()?,
            by_filter: false,
            winograd: winograd.transpose()?,
            images: PerThread::new(context.threads, || Buffer::zeros(image))?,
            gradients: PerThread::new(context.threads, || Buffer::zeros(gradient))?,
            turned: Buffer::zeros(if size.can_skip_zeros() { size.kernel_len() } else { 0 })?,
        })
    }

    /// Chooses the method for gradients with this fraction of nonzero elements.
    pub fn choose(&mut self, fraction: f32) {
        self.by_filter = self.zeros.is_some() && fraction < SKIP_ZEROS_BELOW;
    }

    /// Adds the gradients of some images to `sum`, from their outputs' gradients. The images have no padding.
    pub fn add(&self, isa: Isa, images: &[f32], gradients: &[f32], sum: &mut [f32]) {
        let size = &self.size;
        if let (false, Some((pass, scratch))) = (self.by_filter, &self.winograd) {
            return scratch.lend(|scratch| pass.add_kernel_gradient(isa, images, gradients, sum, scratch));
        }
        for (image, gradient) in images.chunks_exact(size.unpadded_len()).zip(gradients.chunks_exact(size.output_len()))
        {
            match size.has_padding() {
                false => self.add_padded(isa, image, gradient, sum),
                true => self.images.lend(|padded| {
                    size.fill_padded(image, 0..size.height, padded);
                    self.add_padded(isa, padded, gradient, sum);
                }),
            }
        }
    }

    fn add_padded(&self, isa: Isa, image: &[f32], gradient: &[f32], sum: &mut [f32]) {
        let (size, stride) = (self.size, stride(&self.size, isa));
        match &self.zeros {
            Some(zeros) if self.by_filter => {
                zeros.lend(|scratch| size.kernel_gradient_of_nonzero(isa, image, gradient, sum, scratch));
            }
            _ if stride == size.group_filters() => size.kernel_gradient(isa, image, gradient, stride, sum),
            _ => self.gradients.lend(|padded| {
                rows::pad_rows(gradient, size.group_filters(), padded, stride);
                size.kernel_gradient(isa, image, padded, stride, sum);
            }),
        }
    }

    /// A sum in the kernel's layout.
    pub fn in_order<'a>(&'a mut self, isa: Isa, sum: &'a [f32]) -> &'a [f32] {
        if !self.by_filter {
            return sum;
        }
        rows::transpose(isa, sum, sum.len() / self.size.filters, &mut self.turned);
        &self.turned
    }
}

/// A group's filters, rounded up to whole vectors.
fn stride(size: &ConvShape, isa: Isa) -> usize {
    size.group_filters().next_multiple_of(isa.lanes())
}
