//! A pass over all of an image: forward, or from the output's gradient back to the input's.
//!
//! Kernels of 3 x 3 with many channels take Winograd's filtering, the others the direct sums; the sizes alone decide.

use crate::error::Result;
use crate::kernels::Isa;
use crate::kernels::conv2d::winograd::Winograd;
use crate::kernels::conv2d::{Conv2d as Size, Finish};
use crate::layers::{PerThread, Site};
use crate::memory::Buffer;

/// A pass over images with one kernel, and the memory that takes.
pub struct Pass {
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
    pub fn forward(size: Size, site: &Site<'_>) -> Result<Self> {
        Pass::new(
            if Winograd::pays(&size) { Method::Winograd(Winograd::forward_of(&size)) } else { Method::Direct(size) },
            site,
        )
    }

    pub fn to_input(size: Size, site: &Site<'_>) -> Result<Self> {
        let winograd = Winograd::pays(&size);
        Pass::new(
            if winograd { Method::Winograd(Winograd::input_gradient_of(&size)) } else { Method::Haloed(size) },
            site,
        )
    }

    fn new(method: Method, site: &Site<'_>) -> Result<Self> {
        let (kernel, scratch) = match &method {
            Method::Direct(size) => (size.packed_len(site.isa), 0),
            Method::Haloed(size) => (size.turned().packed_len(site.isa), size.halo_len()),
            Method::Winograd(winograd) => (winograd.transformed_len(site.isa), winograd.scratch_len(site.isa)),
        };
        Ok(Pass {
            method,
            kernel: Buffer::zeros(kernel)?,
            scratch: PerThread::new(site.threads, || Buffer::zeros(scratch))?,
        })
    }

    /// The share of its input that is not zero below which it pays to leave zeros out instead. On AVX-512, 0.15 of it take
    /// 0.6 of Winograd's time and a quarter of the direct one, 0.5 of it 1.9 and 0.8.
    pub fn zeros_pay_below(&self) -> f32 {
        match self.method {
            Method::Winograd(_) => 0.27,
            Method::Direct(_) | Method::Haloed(_) => 0.5,
        }
    }

    /// Takes the kernel of the next runs, `[k, k, C, F]` as the pass sees it.
    pub fn prepare(&mut self, isa: Isa, kernel: &[f32]) {
        match &self.method {
            Method::Direct(size) => size.pack(isa, kernel, &mut self.kernel),
            Method::Haloed(size) => size.turned().pack(isa, kernel, &mut self.kernel),
            Method::Winograd(winograd) => winograd.transform_kernel(isa, kernel, &mut self.kernel),
        }
    }

    /// One image.
    pub fn run(&self, isa: Isa, image: &[f32], finish: Finish<'_>, output: &mut [f32]) {
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
    pub fn run_band(&self, isa: Isa, rows: usize, band: &[f32], finish: Finish<'_>, output: &mut [f32]) {
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
