//! The passes over a whole image: forward, and from the output's gradient to the input's.
//!
//! Kernels of 3 x 3 with many channels use Winograd, others the direct sums; only the sizes decide.

use crate::error::Result;
use crate::kernels::Isa;
use crate::kernels::conv2d::winograd::Winograd;
use crate::kernels::conv2d::{ConvShape, Finish};
use crate::layers::{BuildContext, PerThread};
use crate::memory::Buffer;

/// The forward pass with one kernel, and its memory.
pub struct Forward {
    size: ConvShape,
    winograd: Option<Winograd>,
    /// The kernel in the layout of the pass.
    kernel: Buffer,
    scratch: PerThread<Scratch>,
}

struct Scratch {
    /// An image with its padding; empty where it has none.
    padded: Buffer,
    tiles: Buffer,
}

impl Forward {
    pub fn new(size: ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        let winograd = Winograd::is_worthwhile(&size).then(|| Winograd::forward_of(&size));
        let (kernel, tiles) = match &winograd {
            Some(winograd) => (winograd.transformed_len(context.isa), winograd.scratch_len(context.isa)),
            None => (size.packed_len(context.isa), 0),
        };
        let padded = if size.has_padding() { size.input_len() } else { 0 };
        let scratch = || Ok(Scratch { padded: Buffer::zeros(padded)?, tiles: Buffer::zeros(tiles)? });
        Ok(Forward {
            size,
            winograd,
            kernel: Buffer::zeros(kernel)?,
            scratch: PerThread::new(context.threads, scratch)?,
        })
    }

    /// Sets the kernel of the next runs, `[kh, kw, C / groups, F]`.
    pub fn prepare(&mut self, isa: Isa, kernel: &[f32]) {
        match &self.winograd {
            Some(winograd) => winograd.transform_kernel(isa, kernel, &mut self.kernel),
            None => self.size.pack(isa, kernel, &mut self.kernel),
        }
    }

    /// Writes rows of the output, as many as `output` holds from row `first` on, of an image without its padding: the band
    /// under them is an image of its own.
    pub fn run(&self, isa: Isa, first: usize, image: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        let size = self.size;
        let height = size.rows_under(output.len() / (size.out_width() * size.filters));
        let (first, row) = (first * size.strides[0], size.width * size.channels);
        self.scratch.lend(|Scratch { padded, tiles }| {
            let image = match size.has_padding() {
                true => {
                    size.fill_padded(image, first..first + height, padded);
                    &**padded
                }
                false => image,
            };
            let band = &image[first * row..][..height * row];
            match &self.winograd {
                Some(winograd) => winograd.with_height(height).run(isa, band, &self.kernel, finish, output, tiles),
                None => ConvShape { height, ..size }.forward(isa, band, &self.kernel, finish, output),
            }
        });
    }
}

/// The gradient to the input with one kernel, and its memory. As a forward pass it is the transposed convolution.
pub struct InputGradient {
    size: ConvShape,
    method: Method,
    turned: Buffer,
    /// The rotated kernel in the layout of the method.
    kernel: Buffer,
    scratch: PerThread<Buffer>,
}

enum Method {
    /// A convolution of the output's gradient, which gets a halo of zeros first.
    Haloed,
    /// A sum over the kernel elements that see an input pixel.
    Strided,
    Winograd(Winograd),
}

impl InputGradient {
    pub fn new(size: ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        let method = match size.strides {
            _ if Winograd::is_worthwhile(&size) => Method::Winograd(Winograd::input_gradient_of(&size)),
            [1, 1] => Method::Haloed,
            _ => Method::Strided,
        };
        let packed = size.turned().packed_len(context.isa);
        let (kernel, scratch) = match &method {
            Method::Haloed => (packed, if size.has_halo() { size.halo_len() } else { 0 }),
            Method::Strided => (packed, 0),
            Method::Winograd(winograd) => (winograd.transformed_len(context.isa), winograd.scratch_len(context.isa)),
        };
        Ok(InputGradient {
            size,
            method,
            turned: Buffer::zeros(size.kernel_len())?,
            kernel: Buffer::zeros(kernel)?,
            scratch: PerThread::new(context.threads, || Buffer::zeros(scratch))?,
        })
    }

    /// Below this fraction of nonzero elements in the gradient, skipping zeros is faster. On AVX-512, a fraction of
    /// 0.15 takes 0.6 of Winograd's time and a quarter of the direct one, 0.5 takes 1.9 and 0.8.
    pub fn skip_zeros_below(&self) -> f32 {
        match self.method {
            Method::Winograd(_) => 0.27,
            Method::Haloed | Method::Strided => 0.5,
        }
    }

    /// Sets the convolution's kernel for the next runs.
    pub fn prepare(&mut self, isa: Isa, kernel: &[f32]) {
        self.size.turn(isa, kernel, &mut self.turned);
        match &self.method {
            Method::Winograd(winograd) => winograd.transform_kernel(isa, &self.turned, &mut self.kernel),
            Method::Haloed | Method::Strided => self.size.turned().pack(isa, &self.turned, &mut self.kernel),
        }
    }

    /// Writes the gradient to an image, without its padding, from its output's.
    pub fn run(&self, isa: Isa, gradient: &[f32], finish: Finish<'_>, input_gradient: &mut [f32]) {
        let (size, kernel) = (self.size, &self.kernel);
        self.scratch.lend(|scratch| match &self.method {
            Method::Winograd(winograd) => winograd.run(isa, gradient, kernel, finish, input_gradient, scratch),
            Method::Strided => size.input_gradient_strided(isa, gradient, kernel, finish, input_gradient),
            Method::Haloed if size.has_halo() => {
                size.fill_halo(gradient, scratch);
                size.turned().forward(isa, scratch, kernel, finish, input_gradient);
            }
            Method::Haloed => size.turned().forward(isa, gradient, kernel, finish, input_gradient),
        });
    }
}
