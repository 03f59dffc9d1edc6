//! The gradient to the kernel by Winograd's filtering.
//!
//! Forward, a tile of the output is `Y = A' [ sum over channels of U * V ] A` with `U = G g G'`, `V = B' d B`. So, with dY the
//! tile's gradient (Lavin and Gray's identities, differentiated),
//!
//! ```text
//!   dU  =  sum over tiles of  V * (A dY A')          for each of the 36 places [C, tiles] by [tiles, F]
//!   dg  =  G' dU G                                   once for all the tiles of a group of images
//! ```
//!
//! 36 products a tile, a channel and a filter, where the direct sum has 144.

use super::{PLACES, TILE, Winograd, load_tile, tile_at};
use crate::kernels::conv2d::ConvShape;
use crate::kernels::isa::{Isa, SimdLoop};
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Operands, Sums, Tiled, advance, cover_rows, padded, panels};

/// Floats of transformed tiles kept at a time: they fit into the second-level cache.
const KEPT: usize = 1 << 15;

/// The most channels times filters: above it the transformed gradient, 36 times as large, exceeds the caches.
const MOST: usize = 1 << 14;

/// The least number of tiles for which transforming the gradient back is worthwhile.
const LEAST_TILES: usize = 16;

impl Winograd {
    /// Whether Winograd is faster for the kernel gradient, for groups of so many images. It depends only on the sizes.
    pub fn kernel_gradient_is_worthwhile(size: &ConvShape, images: usize) -> bool {
        let pass = Self::forward_of(size);
        let enough = pass.tiles().saturating_mul(images) >= LEAST_TILES;
        Self::is_worthwhile(size) && enough && size.channels.saturating_mul(size.filters) <= MOST
    }

    /// The kernel gradient of a convolution, from images without padding.
    pub fn kernel_gradient_of(size: &ConvShape) -> Self {
        let window = size.window();
        let (height, width) = (window.rows.input, window.columns.input);
        Winograd { height, width, channels: size.channels, filters: size.filters, border: size.padding }
    }

    /// Tiles that are transformed together.
    fn kept(&self, wide: usize) -> usize {
        (KEPT / (PLACES * (self.channels + wide))).clamp(4, 48)
    }

    /// Elements of scratch that [`add_kernel_gradient`](Self::add_kernel_gradient) needs.
    pub fn kernel_gradient_scratch(&self, isa: Isa) -> usize {
        let wide = padded(self.filters, isa.lanes());
        PLACES * (self.channels.max(self.filters) + self.kept(wide) * (self.channels + wide) + self.channels * wide)
    }

    /// Adds some images, `[_, H, W, C]` and their outputs' gradients, to the kernel's gradient, `[3, 3, C, F]`.
    pub fn add_kernel_gradient(
        &self,
        isa: Isa,
        images: &[f32],
        gradients: &[f32],
        sum: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (image, output) = (self.height * self.width * self.channels, self.out_height() * self.out_width());
        let count = images.len() / image;
        assert!(images.len() == count * image && gradients.len() == count * output * self.filters);
        assert_eq!(sum.len(), 9 * self.channels * self.filters);
        let wide = padded(self.filters, isa.lanes());
        let kept = self.kept(wide);
        let scratch = &mut scratch[..self.kernel_gradient_scratch(isa)];
        let (edge, rest) = scratch.split_at_mut(PLACES * self.channels.max(self.filters));
        let (tiles, transformed) = rest.split_at_mut(PLACES * kept * (self.channels + wide));
        let (inputs, outputs) = tiles.split_at_mut(PLACES * kept * self.channels);
        let size = *self;
        isa.run(KernelGradient { size, count, images, gradients, sum, wide, kept, edge, inputs, outputs, transformed });
    }
}

struct KernelGradient<'a> {
    size: Winograd,
    /// How many images.
    count: usize,
    images: &'a [f32],
    gradients: &'a [f32],
    sum: &'a mut [f32],
    /// Filters, rounded up to whole vectors.
    wide: usize,
    /// How many tiles are transformed together.
    kept: usize,
    /// The pixels of a tile that reaches over the edge, `[6, 6, C]` or `[4, 4, F]`.
    edge: &'a mut [f32],
    /// The tiles' transformed inputs, `[36, kept, C]`.
    inputs: &'a mut [f32],
    /// Their transformed outputs' gradients, `[36, kept, wide]`.
    outputs: &'a mut [f32],
    /// The transformed gradient, `[36, C, wide]`.
    transformed: &'a mut [f32],
}

impl SimdLoop for KernelGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (across, each) = (self.size.out_width().div_ceil(TILE), self.size.tiles());
        let tiles = self.count * each;
        for start in (0..tiles).step_by(self.kept) {
            let count = self.kept.min(tiles - start);
            for slot in 0..count {
                let (image, tile) = ((start + slot) / each, (start + slot) % each);
                self.load::<V>(slot, image, [tile / across, tile % across]);
            }
            self.multiply::<V>(count, start > 0);
        }
        self.add_up::<V>();
    }
}

impl KernelGradient<'_> {
    /// Both transforms of a tile.
    #[inline(always)]
    fn load<V: Simd>(&mut self, slot: usize, image: usize, [row, column]: [usize; 2]) {
        let Winograd { height, width, channels, filters, .. } = self.size;
        let (out_height, out_width) = (self.size.out_height(), self.size.out_width());
        let (kept, wide) = (self.kept, self.wide);
        // SAFETY: the image and its gradient are among those there are, the slot among the kept tiles; pixels outside of the
        // output are not loaded.
        unsafe {
            let from = self.images.as_ptr().add(image * height * width * channels);
            let to = self.inputs.as_mut_ptr().add(slot * channels);
            load_tile::<V>(&self.size, from, [row, column], to, kept * channels, self.edge);
            let gradient = self.gradients.as_ptr().add(image * out_height * out_width * filters);
            let (at, sizes) = ([TILE * row, TILE * column], [out_height, out_width, filters]);
            let (from, row_step) = tile_at::<TILE>(gradient, sizes, at, self.edge);
            for f in (0..filters).step_by(V::LANES) {
                let n = V::LANES.min(filters - f);
                let (from, to) = (from.add(f), self.outputs.as_mut_ptr().add(slot * wide + f));
                match n == V::LANES {
                    true => transform_gradient_tile::<V>(
                        |r, s| from.add(r * row_step + s * filters),
                        V::LANES,
                        to,
                        kept * wide,
                    ),
                    false => {
                        transform_gradient_tile::<V>(|r, s| from.add(r * row_step + s * filters), n, to, kept * wide)
                    }
                }
            }
        }
    }

    /// Adds `count` tiles to the transformed gradient, place by place; `more` says that there is one to be added to.
    #[inline(always)]
    fn multiply<V: Simd>(&mut self, count: usize, more: bool) {
        let channels = self.size.channels;
        for (first, vectors) in panels(self.size.filters, V::LANES, V::TILE_VECTORS) {
            for place in 0..PLACES {
                let mut work = Products { all: self, place, first, count, more };
                // SAFETY: the tiles cover the channels, rows of the transformed gradient.
                unsafe { cover_rows::<V, _>(&mut work, channels, vectors) };
            }
        }
    }

    /// Adds `G' dU G` to the sum.
    #[inline(always)]
    fn add_up<V: Simd>(&mut self) {
        let (Winograd { channels, filters, .. }, wide) = (self.size, self.wide);
        for (c, f) in (0..channels).flat_map(|c| (0..filters).step_by(V::LANES).map(move |f| (c, f))) {
            let n = V::LANES.min(filters - f);
            // SAFETY: rows of the transformed gradient are whole vectors; `f + n <= filters`.
            unsafe {
                let from = self.transformed.as_ptr().add(c * wide + f);
                let at = |r: usize, s: usize| V::load(from.add((r * 6 + s) * channels * wide));
                let mut half = [[V::splat(0.0); 3]; 6];
                for (r, half) in half.iter_mut().enumerate() {
                    *half = transform_back([at(r, 0), at(r, 1), at(r, 2), at(r, 3), at(r, 4), at(r, 5)]);
                }
                for j in 0..3 {
                    let column = [half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]];
                    for (i, value) in transform_back(column).into_iter().enumerate() {
                        let sum = self.sum.as_mut_ptr().add(((i * 3 + j) * channels + c) * filters + f);
                        V::load_up_to(sum, n).add(value).store_up_to(sum, n);
                    }
                }
            }
        }
    }
}

/// `A dY A'` of `n` filters of a tile's pixels: its places go to `to`, `step` apart, whole vectors.
///
/// # Safety
/// As [`Simd`]: the pixels must be readable, and there must be room for a vector at each place.
#[inline(always)]
unsafe fn transform_gradient_tile<V: Simd>(
    pixel: impl Fn(usize, usize) -> *const f32,
    n: usize,
    to: *mut f32,
    step: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let pixel = |r: usize, s: usize| V::load_up_to(pixel(r, s), n);
        let mut half = [[V::splat(0.0); 6]; TILE];
        for (r, half) in half.iter_mut().enumerate() {
            *half = transform_gradient([pixel(r, 0), pixel(r, 1), pixel(r, 2), pixel(r, 3)]);
        }
        for s in 0..6 {
            let column = transform_gradient([half[0][s], half[1][s], half[2][s], half[3][s]]);
            for (r, value) in column.into_iter().enumerate() {
                value.store(to.add((r * 6 + s) * step));
            }
        }
    }
}

/// `A d` of four vectors.
#[inline(always)]
unsafe fn transform_gradient<V: Simd>(d: [V; 4]) -> [V; 6] {
    // SAFETY: the caller runs on V's instruction set.
    unsafe {
        let (even, odd) = (d[0].add(d[2]), d[1].add(d[3]));
        let (far_even, far_odd) = (d[2].fma(V::splat(4.0), d[0]), d[3].fma(V::splat(4.0), d[1]));
        let far_odd = far_odd.add(far_odd);
        [d[0], even.add(odd), even.sub(odd), far_even.add(far_odd), far_even.sub(far_odd), d[3]]
    }
}

/// `G' m` of six vectors.
#[inline(always)]
unsafe fn transform_back<V: Simd>(m: [V; 6]) -> [V; 3] {
    // SAFETY: the caller runs on V's instruction set.
    unsafe {
        let (sum, difference) = (m[1].add(m[2]), m[2].sub(m[1]));
        let (far_sum, far_difference) = (m[3].add(m[4]), m[3].sub(m[4]));
        let sixth = V::splat(1.0 / 6.0);
        [
            m[0].fma(V::splat(0.25), far_sum.fma(V::splat(1.0 / 24.0), sum.mul(V::splat(-1.0 / 6.0)))),
            difference.fma(sixth, far_difference.mul(V::splat(1.0 / 12.0))),
            far_sum.sub(sum).fma(sixth, m[5]),
        ]
    }
}

struct Products<'a, 'b> {
    all: &'a mut KernelGradient<'b>,
    place: usize,
    first: usize,
    count: usize,
    more: bool,
}

impl Tiled for Products<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, row: usize) {
        let (kept, wide, channels) = (self.all.kept, self.all.wide, self.all.size.channels);
        // SAFETY: rows `row` to `row + R - 1` are channels, and the panel's vectors lie in a row of filters.
        unsafe {
            let to = self.all.transformed.as_mut_ptr().add((self.place * channels + row) * wide + self.first);
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            if self.more {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(to.add(r * wide + c * V::LANES));
                    }
                }
            }
            let operands = Operands {
                a: self.all.inputs.as_ptr().add(self.place * kept * channels + row),
                a_row: 1,
                a_step: channels,
                b: self.all.outputs.as_ptr().add(self.place * kept * wide + self.first),
                b_step: wide,
            };
            advance(&mut sums, self.count, operands);
            for (r, sums) in sums.into_iter().enumerate() {
                for (c, sum) in sums.into_iter().enumerate() {
                    sum.store(to.add(r * wide + c * V::LANES));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conv2d::Edges;
    use crate::kernels::{error_of, numbers, rows};

    const SIZES: [(ConvShape, usize); 4] = [
        (ConvShape::new(18, 18, 16, 16, [3, 3]), 1),
        (ConvShape::new(9, 12, 17, 40, [3, 3]), 5),
        (ConvShape::new(26, 26, 32, 64, [3, 3]), 2),
        (
            ConvShape {
                padding: Edges { top: 1, bottom: 2, left: 0, right: 1 },
                ..ConvShape::new(9, 10, 16, 17, [3, 3])
            },
            4,
        ),
    ];

    fn operands((size, count): (ConvShape, usize)) -> [Vec<f32>; 2] {
        [numbers(1, count * size.unpadded_len()), numbers(2, count * size.output_len())]
    }

    fn gradient(isa: Isa, (size, count): (ConvShape, usize)) -> Vec<f32> {
        let [images, gradients] = operands((size, count));
        let pass = Winograd::kernel_gradient_of(&size);
        let mut scratch = vec![f32::NAN; pass.kernel_gradient_scratch(isa)];
        let mut sum = vec![0.5; size.kernel_len()];
        pass.add_kernel_gradient(isa, &images, &gradients, &mut sum, &mut scratch);
        sum
    }

    fn direct((size, count): (ConvShape, usize)) -> Vec<f32> {
        let isa = Isa::PORTABLE;
        let [images, gradients] = operands((size, count));
        let stride = padded(size.filters, isa.lanes());
        let mut image = vec![0.0; size.input_len()];
        let mut wide = vec![0.0; size.output_len() / size.filters * stride];
        let mut sum = vec![0.5; size.kernel_len()];
        for i in 0..count {
            size.fill_padded(&images[i * size.unpadded_len()..][..size.unpadded_len()], 0..size.height, &mut image);
            rows::pad_rows(&gradients[i * size.output_len()..][..size.output_len()], size.filters, &mut wide, stride);
            size.kernel_gradient(isa, &image, &wide, stride, &mut sum);
        }
        sum
    }

    #[test]
    fn the_gradient_is_the_direct_one_but_for_rounding() {
        for size in SIZES {
            assert!(Winograd::kernel_gradient_is_worthwhile(&size.0, size.1), "{size:?}");
            let (error, largest) = error_of(&gradient(Isa::PORTABLE, size), &direct(size));
            assert!(error < 1e-5 * largest, "{size:?}: {error} on {largest}");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for size in SIZES {
            let portable = gradient(Isa::PORTABLE, size);
            for isa in Isa::available() {
                assert_eq!(gradient(isa, size), portable, "{isa:?} {size:?}");
            }
        }
    }
}
