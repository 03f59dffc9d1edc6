//! Convolution of one image, forward and backward: stride 1, no padding, direct (no matrix of patches is ever made).
//!
//! An image is `[H, W, C]`, a kernel `[k, k, C, F]` (HWIO), the output `[H - k + 1, W - k + 1, F]`. Under one row of the
//! kernel, an output pixel sees `k * C` numbers that lie side by side in the image, and so do the kernel's rows:
//!
//! ```text
//!   image row y+i   ... | p0: c c c | p1: c c c | p2: c c c | p3 ...       output pixel x reads from p_x on,
//!                         `------ k * C steps for x = 0 ------'            its neighbour C elements further
//!                                     `------ for x = 1 ------ ...
//! ```
//!
//! so each of the three passes is [`tile`](super::tile)s over long contiguous runs:
//!
//! | pass | rows of a tile | vectors run over | steps |
//! |---|---|---|---|
//! | forward | output pixels of a row | filters | i, then `k * C` |
//! | to the input | input pixels of a row | channels | the same pass over the haloed gradient with the kernel turned by 180 degrees |
//! | to the kernel | `k * C` kernel elements of a row i | filters | output pixels |
//!
//! Kernels of 3 x 3 with many channels have a faster road, [`winograd`]; and so have both passes from a gradient that is
//! mostly zero, [`zeros`].
//!
//! The kernel is packed first, panel by panel, so that a step's vectors are one aligned load each whatever F is.

pub mod winograd;
pub mod zeros;

use super::isa::{Isa, Kernel};
use super::simd::Simd;
use super::tile::{Operands, Sums, Tiled, advance, cover, padded, panels};

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Rows of an image, H.
    pub height: usize,
    /// Pixels in a row, W.
    pub width: usize,
    /// Channels of a pixel, C.
    pub channels: usize,
    /// Filters, F: the channels of an output pixel.
    pub filters: usize,
    /// The kernel's side, k.
    pub kernel: usize,
}

impl Conv2d {
    /// Rows of the output.
    pub fn out_height(&self) -> usize {
        self.height + 1 - self.kernel
    }

    /// Pixels in a row of the output.
    pub fn out_width(&self) -> usize {
        self.width + 1 - self.kernel
    }

    /// Elements of an image.
    pub fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Elements of an output image.
    pub fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.filters
    }

    /// Elements of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.kernel * self.kernel * self.channels * self.filters
    }

    /// Elements of the packed kernel.
    pub fn packed_len(&self, isa: Isa) -> usize {
        self.kernel * self.kernel * self.channels * padded(self.filters, isa.lanes())
    }

    /// The convolution that takes an output's gradient, with a halo of `k - 1` zero pixels around it, to the input's.
    pub fn turned(&self) -> Conv2d {
        Conv2d {
            height: self.height + self.kernel - 1,
            width: self.width + self.kernel - 1,
            channels: self.filters,
            filters: self.channels,
            kernel: self.kernel,
        }
    }

    /// Packs `kernel` for [`forward`](Self::forward): panels one behind the other, each `k * k * C` rows of its filters,
    /// zeros past the last filter.
    pub fn pack(&self, isa: Isa, kernel: &[f32], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.packed_len(isa));
        let rows = self.kernel * self.kernel * self.channels;
        for (first, vectors) in panels(self.filters, isa.lanes(), isa.tile_vectors()) {
            let width = vectors * isa.lanes();
            let used = width.min(self.filters - first);
            let panel = &mut packed[rows * first..rows * (first + width)];
            for (row, out) in panel.chunks_exact_mut(width).enumerate() {
                out[..used].copy_from_slice(&kernel[row * self.filters + first..][..used]);
                out[used..].fill(0.0);
            }
        }
    }

    /// Writes `kernel` as the kernel of [`turned`](Self::turned): by 180 degrees, channels and filters changed over.
    pub fn turn(&self, isa: Isa, kernel: &[f32], turned: &mut [f32]) {
        let (channels, filters, places) = (self.channels, self.filters, self.kernel * self.kernel);
        assert!(kernel.len() == self.kernel_len() && turned.len() == kernel.len());
        for (place, turned) in turned.chunks_exact_mut(channels * filters).enumerate() {
            let kernel = &kernel[(places - 1 - place) * channels * filters..][..channels * filters];
            super::rows::transpose(isa, kernel, filters, turned);
        }
    }

    /// Convolves an image with a packed kernel: `output = finish(bias + image * kernel)`.
    pub fn forward(&self, isa: Isa, image: &[f32], packed: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        assert_eq!(image.len(), self.input_len());
        assert_eq!(packed.len(), self.packed_len(isa));
        assert_eq!(output.len(), self.output_len());
        finish.check(self.filters, output.len());
        isa.run(Forward { size: *self, image, packed, finish, output });
    }

    /// Elements of the haloed gradient of an output.
    pub fn halo_len(&self) -> usize {
        self.turned().input_len()
    }

    /// Writes an output's gradient into `halo`, whose border of `k - 1` pixels is zero and stays so.
    pub fn fill_halo(&self, gradient: &[f32], halo: &mut [f32]) {
        let (row, border, wide) = (self.out_width() * self.filters, self.kernel - 1, self.turned());
        let halo_row = wide.width * wide.channels;
        for (y, gradient) in gradient.chunks_exact(row).enumerate() {
            let start = (y + border) * halo_row + border * self.filters;
            halo[start..start + row].copy_from_slice(gradient);
        }
    }

    /// Adds an image's share to the kernel's gradient (`[k, k, C, F]`), each element's chain going on from what is there.
    /// `gradient` is the output's, `[pixels, stride]` with `stride` a whole number of vectors, F or more.
    pub fn kernel_gradient(&self, isa: Isa, image: &[f32], gradient: &[f32], stride: usize, sum: &mut [f32]) {
        assert_eq!(image.len(), self.input_len());
        assert_eq!(gradient.len(), self.out_height() * self.out_width() * stride);
        assert!(stride >= self.filters && stride.is_multiple_of(isa.lanes()));
        assert_eq!(sum.len(), self.kernel_len());
        isa.run(KernelGradient { size: *self, image, gradient, stride, sum });
    }
}

/// What becomes of a sum before it is stored.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// The chain starts from the filter's bias, and may end in relu.
    Bias {
        /// One a filter.
        bias: &'a [f32],
        /// Whether negative sums become 0.
        relu: bool,
    },
    /// The sum counts only where the gate, laid out as the output, is above 0 (all of it where there is none): a gradient
    /// on its way back through relu.
    Gate(Option<&'a [f32]>),
}

impl Finish<'_> {
    /// Makes sure that it fits an output of so many filters and elements.
    pub(super) fn check(&self, filters: usize, output: usize) {
        match self {
            Finish::Bias { bias, .. } => assert_eq!(bias.len(), filters),
            Finish::Gate(Some(gate)) => assert_eq!(gate.len(), output),
            Finish::Gate(None) => (),
        }
    }

    /// The biases of `n` filters from `filter` on.
    ///
    /// # Safety
    /// As [`Simd`]; `filter` is below the number that was checked.
    #[inline(always)]
    pub(super) unsafe fn bias<V: Simd>(&self, filter: usize, n: usize) -> V {
        match self {
            // SAFETY: the caller's.
            Finish::Bias { bias, .. } => unsafe { V::load_up_to(bias.as_ptr().add(filter), n) },
            Finish::Gate(_) => unsafe { V::splat(0.0) },
        }
    }

    /// What is stored for the `n` sums of the output's elements from `at` on.
    ///
    /// # Safety
    /// As [`Simd`]; `at + n` is no more than the number of elements that was checked.
    #[inline(always)]
    pub(super) unsafe fn end<V: Simd>(&self, sum: V, at: usize, n: usize) -> V {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Finish::Bias { relu: true, .. } => sum.relu(),
                Finish::Gate(Some(gate)) => sum.where_positive(V::load_up_to(gate.as_ptr().add(at), n)),
                Finish::Bias { relu: false, .. } | Finish::Gate(None) => sum,
            }
        }
    }
}

struct Forward<'a> {
    size: Conv2d,
    image: &'a [f32],
    packed: &'a [f32],
    finish: Finish<'a>,
    output: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let size = self.size;
        let rows = size.kernel * size.kernel * size.channels;
        for (first, vectors) in panels(size.filters, V::LANES, V::TILE_VECTORS) {
            for y in 0..size.out_height() {
                let panel = self.packed[rows * first..].as_ptr();
                let mut row = ForwardRow { all: &mut self, panel, first, y };
                // SAFETY: the tiles cover the pixels of output row y, whose operands lie inside the slices that
                // `Conv2d::forward` has measured: image rows y to y + k - 1, and a panel of the packed kernel.
                unsafe { cover::<V, _>(&mut row, size.out_width(), vectors) };
            }
        }
    }
}

struct ForwardRow<'a, 'b> {
    all: &'a mut Forward<'b>,
    panel: *const f32,
    first: usize,
    y: usize,
}

impl Tiled for ForwardRow<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, x: usize) {
        let Conv2d { width, channels, filters, kernel, .. } = self.all.size;
        // SAFETY: the caller's pixels x to x + R - 1 are in output row y; of the C vectors of filters only those below
        // `filters` are loaded, gated or stored.
        unsafe {
            let mut biases = [V::splat(0.0); C];
            for (c, biases) in biases.iter_mut().enumerate() {
                let filter = self.first + c * V::LANES;
                *biases = self.all.finish.bias(filter, filters - filter);
            }
            let mut sums: Sums<V, R, C> = [biases; R];
            let steps = kernel * channels;
            for i in 0..kernel {
                let a = self.all.image.as_ptr().add(((self.y + i) * width + x) * channels);
                let b = self.panel.add(i * steps * C * V::LANES);
                advance(&mut sums, steps, Operands { a, a_row: channels, a_step: 1, b, b_step: C * V::LANES });
            }
            let start = (self.y * self.all.size.out_width() + x) * filters + self.first;
            for (r, row) in sums.into_iter().enumerate() {
                for (c, sum) in row.into_iter().enumerate() {
                    let (at, n) = (start + r * filters + c * V::LANES, filters - self.first - c * V::LANES);
                    let sum = self.all.finish.end(sum, at, n);
                    sum.store_up_to(self.all.output.as_mut_ptr().add(at), n);
                }
            }
        }
    }
}

struct KernelGradient<'a> {
    size: Conv2d,
    image: &'a [f32],
    gradient: &'a [f32],
    stride: usize,
    sum: &'a mut [f32],
}

impl Kernel for KernelGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let size = self.size;
        for (first, vectors) in panels(size.filters, V::LANES, V::TILE_VECTORS) {
            for i in 0..size.kernel {
                let mut row = KernelRow { all: &mut self, first, i };
                // SAFETY: the tiles cover the `k * C` elements of kernel row i; the operands lie inside the slices that
                // `Conv2d::kernel_gradient` has measured.
                unsafe { cover::<V, _>(&mut row, size.kernel * size.channels, vectors) };
            }
        }
    }
}

struct KernelRow<'a, 'b> {
    all: &'a mut KernelGradient<'b>,
    first: usize,
    i: usize,
}

impl Tiled for KernelRow<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, element: usize) {
        let size = self.all.size;
        let Conv2d { width, channels, filters, kernel, .. } = size;
        let start = (self.i * kernel * channels + element) * filters + self.first;
        // SAFETY: elements `element` to `element + R - 1` are in kernel row i; an output pixel's step reads them from
        // image row y + i, at most `k * C` from the pixel on; the gradient's rows hold whole vectors.
        unsafe {
            let sum = self.all.sum.as_mut_ptr().add(start);
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            for (r, row) in sums.iter_mut().enumerate() {
                for (c, value) in row.iter_mut().enumerate() {
                    *value = V::load_up_to(sum.add(r * filters + c * V::LANES), filters - self.first - c * V::LANES);
                }
            }
            for y in 0..size.out_height() {
                let a = self.all.image.as_ptr().add((y + self.i) * width * channels + element);
                let b = self.all.gradient.as_ptr().add(y * size.out_width() * self.all.stride + self.first);
                let operands = Operands { a, a_row: 1, a_step: channels, b, b_step: self.all.stride };
                advance(&mut sums, size.out_width(), operands);
            }
            for (r, row) in sums.into_iter().enumerate() {
                for (c, value) in row.into_iter().enumerate() {
                    value.store_up_to(sum.add(r * filters + c * V::LANES), filters - self.first - c * V::LANES);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{numbers, rows};

    const SIZES: [Conv2d; 6] = [
        Conv2d { height: 1, width: 1, channels: 1, filters: 1, kernel: 1 },
        Conv2d { height: 3, width: 3, channels: 3, filters: 7, kernel: 3 },
        Conv2d { height: 9, width: 5, channels: 2, filters: 16, kernel: 5 },
        Conv2d { height: 12, width: 31, channels: 1, filters: 33, kernel: 3 },
        Conv2d { height: 6, width: 30, channels: 5, filters: 96, kernel: 2 },
        Conv2d { height: 28, width: 28, channels: 4, filters: 64, kernel: 3 },
    ];

    /// Calls `visit` with the indices of image, kernel and output element of every product.
    fn products(size: Conv2d, mut visit: impl FnMut(usize, usize, usize)) {
        let Conv2d { width, channels, filters, kernel, .. } = size;
        for (y, x) in (0..size.out_height()).flat_map(|y| (0..size.out_width()).map(move |x| (y, x))) {
            for (i, j) in (0..kernel).flat_map(|i| (0..kernel).map(move |j| (i, j))) {
                for (c, f) in (0..channels).flat_map(|c| (0..filters).map(move |f| (c, f))) {
                    let image = ((y + i) * width + x + j) * channels + c;
                    let weight = ((i * kernel + j) * channels + c) * filters + f;
                    visit(image, weight, (y * size.out_width() + x) * filters + f);
                }
            }
        }
    }

    fn close(got: &[f32], exact: &[f64], what: &str) {
        for (i, (&got, &exact)) in got.iter().zip(exact).enumerate() {
            let error = (f64::from(got) - exact).abs();
            assert!(error <= 1e-5 * exact.abs().max(1.0), "{what}: element {i} is {got}, not {exact}");
        }
    }

    /// Output, input gradient and kernel gradient on an instruction set.
    fn all_passes(isa: Isa, size: Conv2d) -> [Vec<f32>; 3] {
        let image = numbers(1, size.input_len());
        let (kernel, bias) = (numbers(2, size.kernel_len()), numbers(3, size.filters));
        let gradient = numbers(4, size.output_len());

        let mut packed = vec![f32::NAN; size.packed_len(isa)];
        size.pack(isa, &kernel, &mut packed);
        let mut output = vec![f32::NAN; size.output_len()];
        size.forward(isa, &image, &packed, Finish::Bias { bias: &bias, relu: false }, &mut output);

        let turned = size.turned();
        let (mut packed, mut kernel_turned) = (vec![f32::NAN; turned.packed_len(isa)], vec![f32::NAN; kernel.len()]);
        size.turn(isa, &kernel, &mut kernel_turned);
        turned.pack(isa, &kernel_turned, &mut packed);
        let mut halo = vec![0.0; size.halo_len()];
        size.fill_halo(&gradient, &mut halo);
        let mut to_input = vec![f32::NAN; size.input_len()];
        turned.forward(isa, &halo, &packed, Finish::Gate(Some(&image)), &mut to_input);

        let stride = size.filters.next_multiple_of(isa.lanes());
        let mut padded = vec![f32::NAN; size.output_len() / size.filters * stride];
        rows::pad_rows(&gradient, size.filters, &mut padded, stride);
        let mut to_kernel = vec![0.0; size.kernel_len()];
        size.kernel_gradient(isa, &image, &padded, stride, &mut to_kernel);
        [output, to_input, to_kernel]
    }

    #[test]
    fn passes_are_the_sums_they_should_be() {
        for size in SIZES {
            let image = numbers(1, size.input_len());
            let (kernel, bias) = (numbers(2, size.kernel_len()), numbers(3, size.filters));
            let gradient = numbers(4, size.output_len());
            let mut output: Vec<f64> = (0..size.output_len()).map(|i| f64::from(bias[i % size.filters])).collect();
            let (mut to_input, mut to_kernel) = (vec![0.0; image.len()], vec![0.0; kernel.len()]);
            products(size, |i, k, o| {
                output[o] += f64::from(image[i]) * f64::from(kernel[k]);
                to_input[i] += f64::from(gradient[o]) * f64::from(kernel[k]);
                to_kernel[k] += f64::from(gradient[o]) * f64::from(image[i]);
            });
            to_input.iter_mut().zip(&image).for_each(|(g, &x)| {
                if x <= 0.0 {
                    *g = 0.0
                }
            });
            let got = all_passes(Isa::PORTABLE, size);
            close(&got[0], &output, "output");
            close(&got[1], &to_input, "gradient to the input");
            close(&got[2], &to_kernel, "gradient to the kernel");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for size in SIZES {
            let portable = all_passes(Isa::PORTABLE, size);
            for isa in Isa::available() {
                assert_eq!(all_passes(isa, size), portable, "{isa:?} {size:?}");
            }
        }
    }

    #[test]
    fn relu_ends_the_forward_pass() {
        let size = Conv2d { height: 2, width: 2, channels: 1, filters: 2, kernel: 1 };
        for isa in Isa::available() {
            let mut packed = vec![0.0; size.packed_len(isa)];
            size.pack(isa, &[1.0, -1.0], &mut packed);
            let mut output = [f32::NAN; 8];
            let finish = Finish::Bias { bias: &[0.5, 0.5], relu: true };
            size.forward(isa, &[1.0, -1.0, 0.0, 0.25], &packed, finish, &mut output);
            assert_eq!(output, [1.5, 0.0, 0.0, 1.5, 0.5, 0.5, 0.75, 0.25]);
        }
    }
}
