//! Convolution of one image with 3 x 3 kernels by Winograd's minimal filtering, F(4 x 4, 3 x 3): a quarter of the products.
//!
//! Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks". The output is cut into tiles of 4 x 4 pixels;
//! each sees 6 x 6 input pixels. With d the input of a tile, g a kernel, both for one channel:
//!
//! ```text
//!   Y  =  A' [ sum over channels of  (G g G') * (B' d B) ] A            * element by element, ' transposed
//!
//!        | 4  0 -5  0  1  0 |          |  1/4    0    0  |
//!        | 0 -4 -4  1  1  0 |          | -1/6 -1/6 -1/6 |          | 1  1  1  1  1  0 |
//!   B' = | 0  4 -4 -1  1  0 |    G  =  | -1/6  1/6 -1/6 |    A' =  | 0  1 -1  2 -2  0 |
//!        | 0 -2 -1  2  1  0 |          | 1/24 1/12  1/6 |          | 0  1  1  4  4  0 |
//!        | 0  2 -1 -2  1  0 |          | 1/24 -1/12 1/6 |          | 0  1 -1  8 -8  1 |
//!        | 0  4  0 -5  0  1 |          |   0    0    1  |
//! ```
//!
//! The sum over channels is, for each of the 36 places of a 6 x 6 tile, a product of matrices, `[tiles, C]` by `[C, F]`:
//! the same register tile as everywhere, its chains running over the channels. The transforms around it are a few fused
//! operations in a fixed order, vectors running over channels or filters; so all instruction sets give the same bits.
//!
//! Tiles are taken in groups whose transforms stay in the second-level cache between the three steps. Tiles that reach
//! past the edge see zeros there, and what they give past it is not stored. The same serves the gradient to the input,
//! with the kernel turned and a border of zero pixels around the output's gradient, two without padding.
//!
//! The gradient to the kernel takes the same transforms backward (`to_kernel`).
//!
//! The result is not that of the direct sum to the last bit. On the tutorial's second convolution the largest error
//! against double precision is about 5e-6 on outputs up to 1.4, where the direct sum's is 8e-7; a test bounds it.

#![allow(clippy::needless_range_loop)] // columns of arrays of rows: an index says it best

mod kernel_gradient;
mod transforms;

use super::{ConvShape, Edges, Finish};
use crate::kernels::isa::{Isa, SimdLoop};
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Operands, Sums, Tiled, advance, cover_rows, padded, panels};
use transforms::{transform_input_tile, transform_output_tile, transform_weights};

/// Rows and columns of a tile of the output.
pub const TILE: usize = 4;

/// Places of a transformed tile.
const PLACES: usize = 36;

/// Tiles that are transformed together: whole register tiles of 6 and of 12 rows.
const GROUP: usize = 12;

/// A convolution to be done so.
#[derive(Clone, Copy, Debug)]
pub struct Winograd {
    height: usize,
    width: usize,
    channels: usize,
    filters: usize,
    /// Zero pixels around the image.
    border: Edges,
}

impl Winograd {
    /// Whether it is faster: for plain 3 x 3 kernels with enough channels on both sides that the products outweigh the
    /// transforms. It depends only on the sizes, because it affects the bits of the result.
    pub fn is_worthwhile(size: &ConvShape) -> bool {
        let (least, tiles) = (size.channels.min(size.filters), size.out_height().min(size.out_width()) >= TILE);
        size.kernel_size == [3, 3] && size.is_plain() && least >= 16 && tiles
    }

    /// The forward pass of a convolution.
    pub fn forward_of(size: &ConvShape) -> Self {
        let ConvShape { height, width, channels, filters, .. } = *size;
        Winograd { height, width, channels, filters, border: Edges::NONE }
    }

    /// The pass from a convolution's output gradient to its input's, without its padding.
    pub fn input_gradient_of(size: &ConvShape) -> Self {
        let (height, width) = (size.out_height(), size.out_width());
        Winograd { height, width, channels: size.filters, filters: size.channels, border: size.halo() }
    }

    /// The same for images of another height.
    pub fn with_height(self, height: usize) -> Self {
        Winograd { height, ..self }
    }

    fn out_height(&self) -> usize {
        self.height + self.border.top + self.border.bottom - 2
    }

    fn out_width(&self) -> usize {
        self.width + self.border.left + self.border.right - 2
    }

    /// Tiles of an image.
    fn tiles(&self) -> usize {
        self.out_height().div_ceil(TILE) * self.out_width().div_ceil(TILE)
    }

    /// Elements of the transformed kernel.
    pub fn transformed_len(&self, isa: Isa) -> usize {
        PLACES * self.channels * padded(self.filters, isa.lanes())
    }

    /// Elements of scratch that [`run`](Self::run) needs.
    pub fn scratch_len(&self, isa: Isa) -> usize {
        PLACES * (self.channels + GROUP * (self.channels + padded(self.filters, isa.lanes())))
    }

    /// Transforms a kernel, `[3, 3, C, F]`: `G g G'`, panel by panel, each `[36, C, its filters]`.
    pub fn transform_kernel(&self, isa: Isa, kernel: &[f32], transformed: &mut [f32]) {
        assert_eq!(kernel.len(), 9 * self.channels * self.filters);
        assert_eq!(transformed.len(), self.transformed_len(isa));
        isa.run(TransformKernel { size: *self, kernel, transformed });
    }

    /// Convolves an image, `[H, W, C]`, with a transformed kernel; otherwise as [`ConvShape::forward`].
    pub fn run(
        &self,
        isa: Isa,
        image: &[f32],
        transformed: &[f32],
        finish: Finish<'_>,
        output: &mut [f32],
        scratch: &mut [f32],
    ) {
        assert_eq!(image.len(), self.height * self.width * self.channels);
        assert_eq!(transformed.len(), self.transformed_len(isa));
        assert_eq!(output.len(), self.out_height() * self.out_width() * self.filters);
        finish.check(self.filters, output.len());
        let (edge, rest) = scratch[..self.scratch_len(isa)].split_at_mut(PLACES * self.channels);
        let (input, products) = rest.split_at_mut(PLACES * GROUP * self.channels);
        isa.run(Run { size: *self, image, transformed, finish, output, edge, input, products });
    }
}

/// `B' d B` of the tile in a row and column of an image's tiles: its places go to `to`, `place_step` apart. What lies outside of
/// the image is 0; `edge` is room for a tile's pixels.
///
/// # Safety
/// As [`Simd`]: the image must be as large as `size` says, and each place have room for its channels.
#[inline(always)]
unsafe fn load_tile<V: Simd>(
    size: &Winograd,
    image: *const f32,
    [row, column]: [usize; 2],
    to: *mut f32,
    place_step: usize,
    edge: &mut [f32],
) {
    let Winograd { height, width, channels, border, .. } = *size;
    let at = [(TILE * row).wrapping_sub(border.top), (TILE * column).wrapping_sub(border.left)];
    // SAFETY: the caller's.
    unsafe {
        let (from, row_step) = tile_at::<6>(image, [height, width, channels], at, edge);
        for c in (0..channels).step_by(V::LANES) {
            let n = V::LANES.min(channels - c);
            let (from, to) = (from.add(c), to.add(c));
            match n == V::LANES {
                true => {
                    transform_input_tile::<V>(|r, s| from.add(r * row_step + s * channels), V::LANES, to, place_step)
                }
                false => transform_input_tile::<V>(|r, s| from.add(r * row_step + s * channels), n, to, place_step),
            }
        }
    }
}

/// Where the `SIDE` x `SIDE` pixels from row `y` and column `x` on lie, and how far it is from a row to the next: in the image, or
/// where some are outside of it (rows and columns before it wrap around) in `edge`, with zeros for these.
///
/// # Safety
/// The image must be readable, `[height, width, channels]`.
#[inline(always)]
unsafe fn tile_at<const SIDE: usize>(
    image: *const f32,
    [height, width, channels]: [usize; 3],
    [y, x]: [usize; 2],
    edge: &mut [f32],
) -> (*const f32, usize) {
    let inside = |from: usize, len: usize| from < len && from + SIDE <= len;
    if inside(y, height) && inside(x, width) {
        return (image.wrapping_add((y * width + x) * channels), width * channels);
    }
    let edge = &mut edge[..SIDE * SIDE * channels];
    edge.fill(0.0);
    let first = (0..SIDE).find(|s| x.wrapping_add(*s) < width).unwrap_or(SIDE);
    let last = (first..SIDE).find(|s| x.wrapping_add(*s) >= width).unwrap_or(SIDE);
    for (r, to) in edge.chunks_exact_mut(SIDE * channels).enumerate() {
        let y = y.wrapping_add(r);
        if y < height && first < last {
            let from = (y * width + x.wrapping_add(first)) * channels;
            // SAFETY: the caller's; these pixels are inside the image.
            let from = unsafe { std::slice::from_raw_parts(image.add(from), (last - first) * channels) };
            to[first * channels..last * channels].copy_from_slice(from);
        }
    }
    (edge.as_ptr(), SIDE * channels)
}

struct TransformKernel<'a> {
    size: Winograd,
    kernel: &'a [f32],
    transformed: &'a mut [f32],
}

impl SimdLoop for TransformKernel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let Winograd { channels, filters, .. } = self.size;
        for (first, vectors) in panels(filters, V::LANES, V::TILE_VECTORS) {
            let width = vectors * V::LANES;
            for (c, v) in (0..channels).flat_map(|c| (0..vectors).map(move |v| (c, v))) {
                let filter = first + v * V::LANES;
                let n = V::LANES.min(filters - filter);
                // SAFETY: `filter + n <= filters`; panel `first` begins at PLACES * channels * first and holds, for
                // each place and channel, whole vectors.
                unsafe {
                    let from = self.kernel.as_ptr().add(c * filters + filter);
                    let at = |i: usize, j: usize| V::load_up_to(from.add((i * 3 + j) * channels * filters), n);
                    let mut half = [[V::splat(0.0); 6]; 3];
                    for (j, column) in half.iter_mut().enumerate() {
                        *column = transform_weights([at(0, j), at(1, j), at(2, j)]);
                    }
                    let to = self.transformed.as_mut_ptr().add(PLACES * channels * first + c * width + v * V::LANES);
                    for r in 0..6 {
                        let row = transform_weights([half[0][r], half[1][r], half[2][r]]);
                        for (s, value) in row.into_iter().enumerate() {
                            value.store(to.add((r * 6 + s) * channels * width));
                        }
                    }
                }
            }
        }
    }
}

struct Run<'a> {
    size: Winograd,
    image: &'a [f32],
    transformed: &'a [f32],
    finish: Finish<'a>,
    output: &'a mut [f32],
    /// The pixels of a tile that reaches over the edge, `[6, 6, C]`.
    edge: &'a mut [f32],
    /// The tiles' transformed inputs, `[36, GROUP, C]`.
    input: &'a mut [f32],
    /// Their products, `[36, GROUP, padded F]`.
    products: &'a mut [f32],
}

impl SimdLoop for Run<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (across, tiles) = (self.size.out_width().div_ceil(TILE), self.size.tiles());
        for start in (0..tiles).step_by(GROUP) {
            let count = GROUP.min(tiles - start);
            for slot in 0..count {
                let tile = [(start + slot) / across, (start + slot) % across];
                let channels = self.size.channels;
                // SAFETY: the image is as large as its size says, the slot one of `input`.
                unsafe {
                    let to = self.input.as_mut_ptr().add(slot * channels);
                    load_tile::<V>(&self.size, self.image.as_ptr(), tile, to, GROUP * channels, self.edge);
                }
            }
            self.multiply::<V>(count);
            for slot in 0..count {
                self.store_tile::<V>(slot, (start + slot) / across, (start + slot) % across);
            }
        }
    }
}

impl Run<'_> {
    /// The products of `count` tiles with all filters, place by place.
    #[inline(always)]
    fn multiply<V: Simd>(&mut self, count: usize) {
        let Winograd { channels, filters, .. } = self.size;
        for (first, vectors) in panels(filters, V::LANES, V::TILE_VECTORS) {
            for place in 0..PLACES {
                let panel = PLACES * channels * first + place * channels * vectors * V::LANES;
                let mut work = Products { all: self, place, panel, first };
                // SAFETY: the tiles cover `count <= GROUP` rows of `input` and `products`; the panel lies in the
                // transformed kernel.
                unsafe { cover_rows::<V, _>(&mut work, count, vectors) };
            }
        }
    }

    /// `A' m A` of a tile, finished and stored as far as it lies in the output.
    #[inline(always)]
    fn store_tile<V: Simd>(&mut self, slot: usize, row: usize, column: usize) {
        let (height, width, filters) = (self.size.out_height(), self.size.out_width(), self.size.filters);
        let stride = padded(filters, V::LANES);
        let (rows, columns) = (TILE.min(height - TILE * row), TILE.min(width - TILE * column));
        let pixel = (TILE * row * width + TILE * column) * filters;
        for f in (0..filters).step_by(V::LANES) {
            let n = V::LANES.min(filters - f);
            // SAFETY: rows of `products` hold whole vectors; only pixels of the output are stored.
            unsafe {
                let from = self.products.as_ptr().add(slot * stride + f);
                let bias = self.finish.bias::<V>(f, n);
                let output = self.output.as_mut_ptr();
                if rows == TILE && columns == TILE && n == V::LANES {
                    transform_output_tile(from, GROUP * stride, |r: usize, s: usize, value: V| {
                        let at = pixel + (r * width + s) * filters + f;
                        self.finish.end(value.add(bias), at, V::LANES).store(output.add(at));
                    });
                } else {
                    transform_output_tile(from, GROUP * stride, |r: usize, s: usize, value: V| {
                        if r < rows && s < columns {
                            let at = pixel + (r * width + s) * filters + f;
                            self.finish.end(value.add(bias), at, n).store_up_to(output.add(at), n);
                        }
                    });
                }
            }
        }
    }
}

struct Products<'a, 'b> {
    all: &'a mut Run<'b>,
    place: usize,
    panel: usize,
    first: usize,
}

impl Tiled for Products<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, row: usize) {
        let Winograd { channels, filters, .. } = self.all.size;
        let stride = padded(filters, V::LANES);
        // SAFETY: rows `row` to `row + R - 1` are among the group's; the panel has whole vectors.
        unsafe {
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            let operands = Operands {
                a: self.all.input.as_ptr().add((self.place * GROUP + row) * channels),
                a_row: channels,
                a_step: 1,
                b: self.all.transformed.as_ptr().add(self.panel),
                b_step: C * V::LANES,
            };
            advance(&mut sums, channels, operands);
            let to = self.all.products.as_mut_ptr().add((self.place * GROUP + row) * stride + self.first);
            for (r, sums) in sums.into_iter().enumerate() {
                for (c, sum) in sums.into_iter().enumerate() {
                    sum.store(to.add(r * stride + c * V::LANES));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{error_of, numbers};

    const SIZES: [ConvShape; 5] = [
        ConvShape::new(6, 6, 16, 16, [3, 3]),
        ConvShape::new(9, 12, 17, 40, [3, 3]),
        ConvShape::new(7, 31, 20, 96, [3, 3]),
        ConvShape::new(26, 26, 32, 64, [3, 3]),
        ConvShape { padding: Edges { top: 1, bottom: 2, left: 0, right: 1 }, ..ConvShape::new(9, 10, 16, 17, [3, 3]) },
    ];

    /// Forward with bias and relu, and back to the input through relu.
    fn passes(isa: Isa, size: ConvShape) -> [Vec<f32>; 2] {
        let (image, kernel, bias) =
            (numbers(1, size.input_len()), numbers(2, size.kernel_len()), numbers(3, size.filters));
        let gate = &image[..size.unpadded_len()];
        let run = |pass: Winograd, image: &[f32], kernel: &[f32], finish: Finish<'_>, len: usize| {
            let mut transformed = vec![f32::NAN; pass.transformed_len(isa)];
            pass.transform_kernel(isa, kernel, &mut transformed);
            let (mut output, mut scratch) = (vec![f32::NAN; len], vec![f32::NAN; pass.scratch_len(isa)]);
            pass.run(isa, image, &transformed, finish, &mut output, &mut scratch);
            output
        };
        let finish = Finish::Bias { bias: &bias, relu: true };
        let output = run(Winograd::forward_of(&size), &image, &kernel, finish, size.output_len());
        let mut turned = vec![0.0; kernel.len()];
        size.turn(isa, &kernel, &mut turned);
        let gradient = numbers(4, size.output_len());
        let pass = Winograd::input_gradient_of(&size);
        [output, run(pass, &gradient, &turned, Finish::Gate(Some(gate)), size.unpadded_len())]
    }

    /// The same by the direct sums.
    fn direct(size: ConvShape) -> [Vec<f32>; 2] {
        let isa = Isa::PORTABLE;
        let (image, kernel, bias) =
            (numbers(1, size.input_len()), numbers(2, size.kernel_len()), numbers(3, size.filters));
        let gate = &image[..size.unpadded_len()];
        let run = |size: ConvShape, image: &[f32], kernel: &[f32], finish: Finish<'_>| {
            let (mut packed, mut output) = (vec![0.0; size.packed_len(isa)], vec![f32::NAN; size.output_len()]);
            size.pack(isa, kernel, &mut packed);
            size.forward(isa, image, &packed, finish, &mut output);
            output
        };
        let output = run(size, &image, &kernel, Finish::Bias { bias: &bias, relu: true });
        let (mut turned, mut halo) = (vec![0.0; kernel.len()], vec![0.0; size.halo_len()]);
        size.turn(isa, &kernel, &mut turned);
        size.fill_halo(&numbers(4, size.output_len()), &mut halo);
        [output, run(size.turned(), &halo, &turned, Finish::Gate(Some(gate)))]
    }

    #[test]
    fn the_result_is_the_direct_one_but_for_rounding() {
        for size in SIZES {
            assert!(Winograd::is_worthwhile(&size));
            for (got, expected) in passes(Isa::PORTABLE, size).iter().zip(&direct(size)) {
                let (error, largest) = error_of(got, expected);
                assert!(error < 1e-5 * largest, "{size:?}: {error} on {largest}");
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
