//! The two backward passes of a convolution from a gradient that is mostly zero, as relu leaves it.
//!
//! One element of the output's gradient, pixel p and filter f, belongs to one patch of the image: `kh` runs of `kw * C`
//! numbers that lie side by side. Both passes process the nonzero elements and skip the others:
//!
//! ```text
//!   image, or the gradient to it                kernel of filter f, [kh, kw * C]
//!     ... |p: run 0 ----------| ...               | run 0 ----------|
//!     ... |   run 1 ----------| ...    <----->    | run 1 ----------|
//!     ... |   run 2 ----------| ...               | run 2 ----------|
//!
//!   to the kernel:  kernel[f]  +=  dz[p][f] * patch(p)        kernel[f] in registers, p after p
//!   to the input:   patch(p)   +=  dz[p][f] * kernel[f]       patch(p)  in registers, f after f
//! ```
//!
//! Each sum is one chain in the order of the pixels, and of the filters within a pixel. With all elements nonzero, a
//! patch's sums take as many loads as multiply-adds, so the direct passes are faster; in the tutorial's second
//! convolution at most one element in four is nonzero.
//!
//! The kernel is kept filter by filter, `[F, kh, kw, C]`, and the channels are whole vectors ([`ConvShape::can_skip_zeros`]).

use super::ConvShape;
use crate::error::Result;
use crate::kernels::isa::{Isa, SimdLoop};
use crate::kernels::nonzero::{WORD, multiply_add_rows, nonzero, transpose_bits};
use crate::kernels::simd::Simd;
use crate::kernels::tile::Sums;
use crate::memory::filled;

/// The number of channels must be a multiple of this: the lanes of the widest vector, so that all instruction sets can
/// do the same.
const CHANNELS: usize = 16;

/// Bytes of an image that the pass to the kernel keeps in the first-level cache while it goes through the filters.
const STRIP: usize = 32 << 10;

/// Memory for the pass to the kernel.
pub struct Scratch {
    /// For 64 filters and each 64 pixels of a strip: a word for each filter, a bit for each pixel that is not zero.
    masks: Vec<u64>,
    /// Where the patch of each pixel of a strip begins, from the strip's start.
    patches: Vec<u64>,
}

impl ConvShape {
    /// Whether zeros can be skipped in the backward passes. It depends only on the sizes.
    pub fn can_skip_zeros(&self) -> bool {
        self.is_plain() && self.channels.is_multiple_of(CHANNELS)
    }

    /// Rows of the output whose patches are taken together.
    fn strip_rows(&self) -> usize {
        let rows = STRIP / (self.width * self.channels * size_of::<f32>());
        let most = (rows + 1).saturating_sub(self.kernel_size[0]).clamp(1, self.out_height());
        self.out_height().div_ceil(self.out_height().div_ceil(most)) // strips as even as can be
    }

    /// Memory for [`kernel_gradient_of_nonzero`](Self::kernel_gradient_of_nonzero).
    pub fn zeros_scratch(&self) -> Result<Scratch> {
        let pixels = self.strip_rows() * self.out_width();
        let mut patches = filled(pixels, 0)?;
        for (pixel, patch) in patches.iter_mut().enumerate() {
            let (y, x) = (pixel / self.out_width(), pixel % self.out_width());
            *patch = ((y * self.width + x) * self.channels) as u64;
        }
        Ok(Scratch { masks: filled(pixels.next_multiple_of(WORD), 0)?, patches })
    }

    /// Adds an image to the kernel's gradient, which is kept as `[F, kh, kw, C]`. `gradient` is the output's.
    pub fn kernel_gradient_of_nonzero(
        &self,
        isa: Isa,
        image: &[f32],
        gradient: &[f32],
        sum: &mut [f32],
        scratch: &mut Scratch,
    ) {
        assert!(self.can_skip_zeros());
        assert_eq!(image.len(), self.input_len());
        assert_eq!(gradient.len(), self.output_len());
        assert_eq!(sum.len(), self.kernel_len());
        let pixels = self.strip_rows() * self.out_width();
        assert!(scratch.patches.len() == pixels && scratch.masks.len() == pixels.next_multiple_of(WORD));
        isa.run(KernelGradient { size: *self, image, gradient, sum, scratch });
    }

    /// The gradient to an image, with its padding, from the output's. `kernel` is `[F, kh, kw, C]`; where there is a gate, laid out as the
    /// image, the gradient counts only where it is above 0.
    pub fn input_gradient_of_nonzero(
        &self,
        isa: Isa,
        gradient: &[f32],
        kernel: &[f32],
        gate: Option<&[f32]>,
        input_gradient: &mut [f32],
    ) {
        assert!(self.can_skip_zeros());
        assert_eq!(gradient.len(), self.output_len());
        assert_eq!(kernel.len(), self.kernel_len());
        assert_eq!(input_gradient.len(), self.input_len());
        assert!(gate.is_none_or(|gate| gate.len() == self.input_len()));
        isa.run(InputGradient { size: *self, gradient, kernel, gate, input_gradient });
    }
}

/// Something done to `R` runs of a patch, `C` vectors of each.
trait Patch {
    /// From run `run` and vector `vector` on.
    ///
    /// # Safety
    /// As [`Simd`]; the patch must have that many runs and vectors.
    unsafe fn part<V: Simd, const R: usize, const C: usize>(&mut self, run: usize, vector: usize);
}

/// Covers a patch with parts whose sums fit the registers: as many vectors of a run as fit, then as many runs.
///
/// # Safety
/// As [`Patch::part`] for all of it.
#[inline(always)]
unsafe fn cover_patch<V: Simd, P: Patch>(work: &mut P, runs: usize, vectors: usize) {
    let mut vector = 0;
    while vector < vectors {
        let wide = (vectors - vector).min(V::SUMS).min(6);
        let mut run = 0;
        while run < runs {
            let high = (runs - run).min(V::SUMS / wide).min(3);
            macro_rules! pick {
                ($($r:literal $c:literal;)*) => {
                    match (high, wide) {
                        $(($r, $c) if $r * $c <= V::SUMS => unsafe { work.part::<V, $r, $c>(run, vector) },)*
                        _ => debug_assert!(false, "unsupported patch of {high} x {wide}"),
                    }
                };
            }
            // SAFETY: the caller's.
            pick! {
                1 1; 1 2; 1 3; 1 4; 1 5; 1 6;
                2 1; 2 2; 2 3; 2 4; 2 5; 2 6;
                3 1; 3 2; 3 3; 3 4; 3 5; 3 6;
            }
            run += high;
        }
        vector += wide;
    }
}

struct KernelGradient<'a> {
    size: ConvShape,
    image: &'a [f32],
    gradient: &'a [f32],
    sum: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl SimdLoop for KernelGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let ConvShape { channels, kernel_size: [kh, kw], filters, .. } = self.size;
        let strip = self.size.strip_rows();
        for y in (0..self.size.out_height()).step_by(strip) {
            let pixels = strip.min(self.size.out_height() - y) * self.size.out_width();
            for filter in (0..filters).step_by(WORD) {
                self.find_nonzero::<V>(y, pixels, filter);
                let mut work = KernelStrip { all: &mut self, y, pixels, filter };
                // SAFETY: the parts cover the patches of the strip's pixels, which lie in the image.
                unsafe { cover_patch::<V, _>(&mut work, kh, kw * channels / V::LANES) };
            }
        }
    }
}

impl KernelGradient<'_> {
    /// Finds, for 64 filters from `filter` on, at which of the `pixels` pixels from row `y` on each is not zero.
    #[inline(always)]
    fn find_nonzero<V: Simd>(&mut self, y: usize, pixels: usize, filter: usize) {
        let filters = self.size.filters;
        let first = y * self.size.out_width();
        let gradient = &self.gradient[first * filters..(first + pixels) * filters];
        for (words, pixels) in self.scratch.masks.chunks_exact_mut(WORD).zip(gradient.chunks(WORD * filters)) {
            let mut masks = [0; WORD];
            for (mask, pixel) in masks.iter_mut().zip(pixels.chunks_exact(filters)) {
                // SAFETY: the pixel has `filters - filter` elements from `filter` on.
                *mask = unsafe { nonzero::<V>(pixel.as_ptr().add(filter), WORD.min(filters - filter)) };
            }
            transpose_bits(&mut masks);
            words.copy_from_slice(&masks);
        }
    }
}

/// A strip of an image and 64 filters.
struct KernelStrip<'a, 'b> {
    all: &'a mut KernelGradient<'b>,
    /// The strip's first row, and its pixels.
    y: usize,
    pixels: usize,
    /// The first filter.
    filter: usize,
}

impl Patch for KernelStrip<'_, '_> {
    #[inline(always)]
    unsafe fn part<V: Simd, const R: usize, const C: usize>(&mut self, run: usize, vector: usize) {
        let ConvShape { width, channels, filters, kernel_size: [kh, kw], .. } = self.all.size;
        let (row, run_len) = (width * channels, kw * channels);
        let Scratch { masks, patches } = &*self.all.scratch;
        for f in 0..WORD.min(filters - self.filter) {
            let filter = self.filter + f;
            // SAFETY: the part lies in the filter's kernel and in every pixel's patch; a one in a mask is a pixel of the
            // strip.
            unsafe {
                let sum = self.all.sum.as_mut_ptr();
                let sum = sum.add((filter * kh + run) * run_len + vector * V::LANES);
                let image = self.all.image.as_ptr().add((self.y + run) * row + vector * V::LANES);
                let gradient = self.all.gradient.as_ptr().add(self.y * self.all.size.out_width() * filters + filter);
                let mut sums: Sums<V, R, C> = load_runs(sum, run_len);
                for first in (0..self.pixels).step_by(WORD) {
                    let (gradient, patches) = (gradient.add(first * filters), patches.as_ptr().add(first));
                    let mask = *masks.get_unchecked(first + f);
                    let patch = |p: usize| image.add(*patches.add(p) as usize);
                    multiply_add_rows(&mut sums, mask, |p| gradient.add(p * filters), patch, row);
                }
                store_runs(sums, sum, run_len);
            }
        }
    }
}

struct InputGradient<'a> {
    size: ConvShape,
    gradient: &'a [f32],
    kernel: &'a [f32],
    gate: Option<&'a [f32]>,
    input_gradient: &'a mut [f32],
}

impl SimdLoop for InputGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let ConvShape { height, width, channels, kernel_size: [kh, kw], .. } = self.size;
        let row = width * channels;
        self.input_gradient[..(kh - 1) * row].fill(0.0);
        for y in 0..self.size.out_height() {
            self.input_gradient[(y + kh - 1) * row..][..row].fill(0.0);
            for x in 0..self.size.out_width() {
                let mut work = InputPatch { all: &mut self, y, x };
                // SAFETY: the parts cover the patch of pixel (y, x), which lies in the image.
                unsafe { cover_patch::<V, _>(&mut work, kh, kw * channels / V::LANES) };
            }
            self.gate_row::<V>(y);
        }
        (self.size.out_height()..height).for_each(|y| self.gate_row::<V>(y));
    }
}

impl InputGradient<'_> {
    /// Takes a row that is complete through the gate.
    #[inline(always)]
    fn gate_row<V: Simd>(&mut self, y: usize) {
        let Some(gate) = self.gate else { return };
        let row = self.size.width * self.size.channels;
        let gate = gate[y * row..][..row].as_ptr();
        let gradient = self.input_gradient[y * row..][..row].as_mut_ptr();
        for i in (0..row).step_by(V::LANES) {
            // SAFETY: rows are whole vectors.
            unsafe { V::load(gradient.add(i)).where_positive(V::load(gate.add(i))).store(gradient.add(i)) };
        }
    }
}

/// The patch of a pixel of the output.
struct InputPatch<'a, 'b> {
    all: &'a mut InputGradient<'b>,
    y: usize,
    x: usize,
}

impl Patch for InputPatch<'_, '_> {
    #[inline(always)]
    unsafe fn part<V: Simd, const R: usize, const C: usize>(&mut self, run: usize, vector: usize) {
        let ConvShape { width, channels, filters, kernel_size: [kh, kw], .. } = self.all.size;
        let (row, run_len) = (width * channels, kw * channels);
        // SAFETY: the part lies in the pixel's patch and in every filter's kernel; a one in a mask is a filter.
        unsafe {
            let pixel = self.all.gradient.as_ptr().add((self.y * self.all.size.out_width() + self.x) * filters);
            let patch = self.all.input_gradient.as_mut_ptr();
            let patch = patch.add((self.y + run) * row + self.x * channels + vector * V::LANES);
            let weights = self.all.kernel.as_ptr().add(run * run_len + vector * V::LANES);
            let mut sums: Sums<V, R, C> = load_runs(patch, row);
            for first in (0..filters).step_by(WORD) {
                let (pixel, weights) = (pixel.add(first), weights.add(first * kh * run_len));
                let mask = nonzero::<V>(pixel, WORD.min(filters - first));
                multiply_add_rows(&mut sums, mask, |f| pixel.add(f), |f| weights.add(f * kh * run_len), run_len);
            }
            store_runs(sums, patch, row);
        }
    }
}

/// Loads `R` runs of `C` vectors that are `run` elements apart.
///
/// # Safety
/// As [`Simd`]; they must be readable.
#[inline(always)]
unsafe fn load_runs<V: Simd, const R: usize, const C: usize>(from: *const f32, run: usize) -> Sums<V, R, C> {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(0.0); C]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(from.add(r * run + c * V::LANES));
            }
        }
        sums
    }
}

/// Stores what [`load_runs`] loads.
///
/// # Safety
/// As [`Simd`]; they must be writable.
#[inline(always)]
unsafe fn store_runs<V: Simd, const R: usize, const C: usize>(sums: Sums<V, R, C>, to: *mut f32, run: usize) {
    for (r, sums) in sums.into_iter().enumerate() {
        for (c, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { sum.store(to.add(r * run + c * V::LANES)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv2d::Finish;
    use crate::kernels::{error_of, numbers, rows};

    const SIZES: [ConvShape; 6] = [
        ConvShape::new(1, 1, 16, 1, [1, 1]),
        ConvShape::new(5, 9, 32, 7, [3, 3]),
        ConvShape::new(9, 6, 16, 70, [5, 5]),
        ConvShape::new(8, 31, 96, 20, [2, 2]),
        ConvShape::new(7, 8, 48, 9, [3, 1]),
        ConvShape::new(26, 26, 32, 64, [3, 3]),
    ];

    /// A gradient of which a third is not zero.
    fn gradient(size: &ConvShape) -> Vec<f32> {
        let chances = numbers(7, size.output_len());
        numbers(4, size.output_len()).iter().zip(chances).map(|(&x, c)| if c < -1.0 / 3.0 { x } else { 0.0 }).collect()
    }

    /// Gradients to the input and to the kernel.
    fn passes(isa: Isa, size: ConvShape) -> [Vec<f32>; 2] {
        let (image, kernel, gradient) = (numbers(1, size.input_len()), numbers(2, size.kernel_len()), gradient(&size));
        let mut by_filter = vec![f32::NAN; kernel.len()];
        rows::transpose(isa, &kernel, size.filters, &mut by_filter);
        let mut to_input = vec![f32::NAN; image.len()];
        size.input_gradient_of_nonzero(isa, &gradient, &by_filter, Some(&image), &mut to_input);
        by_filter.fill(0.0);
        let mut scratch = size.zeros_scratch().unwrap();
        size.kernel_gradient_of_nonzero(isa, &image, &gradient, &mut by_filter, &mut scratch);
        let mut to_kernel = vec![f32::NAN; kernel.len()];
        rows::transpose(isa, &by_filter, kernel.len() / size.filters, &mut to_kernel);
        [to_input, to_kernel]
    }

    /// The same by the direct passes.
    fn direct(size: ConvShape) -> [Vec<f32>; 2] {
        let isa = Isa::PORTABLE;
        let (image, kernel, gradient) = (numbers(1, size.input_len()), numbers(2, size.kernel_len()), gradient(&size));
        let (mut turned, mut halo) = (vec![0.0; kernel.len()], vec![0.0; size.halo_len()]);
        size.turn(isa, &kernel, &mut turned);
        size.fill_halo(&gradient, &mut halo);
        let mut packed = vec![0.0; size.turned().packed_len(isa)];
        size.turned().pack(isa, &turned, &mut packed);
        let mut to_input = vec![f32::NAN; image.len()];
        size.turned().forward(isa, &halo, &packed, Finish::Gate(Some(&image)), &mut to_input);
        let stride = size.filters.next_multiple_of(isa.lanes());
        let mut padded = vec![0.0; gradient.len() / size.filters * stride];
        rows::pad_rows(&gradient, size.filters, &mut padded, stride);
        let mut to_kernel = vec![0.0; kernel.len()];
        size.kernel_gradient(isa, &image, &padded, stride, &mut to_kernel);
        [to_input, to_kernel]
    }

    #[test]
    fn the_result_is_the_direct_one_but_for_rounding() {
        for size in SIZES {
            for (got, expected) in passes(Isa::PORTABLE, size).iter().zip(&direct(size)) {
                let (error, largest) = error_of(got, expected);
                assert!(error <= 3e-6 * largest, "{size:?}: {error} on {largest}");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for size in SIZES {
            let portable = passes(Isa::PORTABLE, size);
            for isa in Isa::available() {
                assert_eq!(passes(isa, size), portable, "{isa:?} {size:?}");
            }
        }
    }
}
