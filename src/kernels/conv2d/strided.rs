//! The input gradient of a convolution with strides; as a forward pass it is the transposed convolution.
//!
//! Along a row, the input pixels that are a multiple of the stride apart see the same places of the kernel, and from one to
//! the next the output pixel that each place belongs to moves by one. They are the rows of a tile:
//!
//! ```text
//!   size 3, stride 2     output         0     1     2     3
//!                        input pixels   0  1  2  3  4  5  6  7  8
//!                        even ones      *-----*-----*-----*-----*      places 0 and 2, but 0 has no 2, and 8 no 0
//!                        odd ones          *-----*-----*-----*         place 1
//! ```
//!
//! so no product with a zero between the strides is computed, and each sum is one chain: over the kernel positions, in
//! the order of the rotated kernel, and over the filters of each. Pixels at the edge that see fewer positions are in
//! separate tiles.

use super::{ConvShape, Finish};
use crate::kernels::isa::SimdLoop;
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Operands, Sums, Tiled, advance, cover_rows, padded, panels};
use crate::kernels::window::{Taps, Window};

pub struct InputGradient<'a> {
    pub size: ConvShape,
    pub window: Window,
    pub gradient: &'a [f32],
    pub packed: &'a [f32],
    pub finish: Finish<'a>,
    pub input_gradient: &'a mut [f32],
}

impl SimdLoop for InputGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (size, Window { rows, columns }) = (self.size, self.window);
        let channels = size.group_channels();
        let kernel_rows = size.kernel_size[0] * size.kernel_size[1] * size.group_filters();
        for group in 0..size.groups {
            for (first, vectors) in panels(channels, V::LANES, V::TILE_VECTORS) {
                let panel = self.packed[kernel_rows * (group * padded(channels, V::LANES) + first)..].as_ptr();
                for phase in 0..columns.stride.min(columns.input) {
                    let mut x = phase;
                    while x < columns.input {
                        let (along, pixels) = columns.outputs_alike(x);
                        for y in 0..rows.input {
                            let down = rows.outputs(y);
                            let mut row = Row { all: &mut self, panel, group, first, y, x, down, along };
                            // SAFETY: the tiles cover pixels of row y that see the same places; their operands, which the
                            // taps name, lie inside the slices that `ConvShape::input_gradient_strided` has measured.
                            unsafe { cover_rows::<V, _>(&mut row, pixels, vectors) };
                        }
                        x += pixels * columns.stride;
                    }
                }
            }
        }
    }
}

struct Row<'a, 'b> {
    all: &'a mut InputGradient<'b>,
    panel: *const f32,
    group: usize,
    /// The first channel of the panel, counted in the group.
    first: usize,
    y: usize,
    x: usize,
    down: Taps,
    along: Taps,
}

impl Tiled for Row<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, pixel: usize) {
        let (size, columns) = (self.all.size, self.all.window.columns);
        let (channels, filters) = (size.group_channels(), size.group_filters());
        // SAFETY: the caller's; of the C vectors of channels only those of the group are loaded, gated or stored.
        unsafe {
            let first = self.group * channels + self.first;
            let left = |c: usize| channels - self.first - c * V::LANES;
            let mut biases = [V::splat(0.0); C];
            for (c, biases) in biases.iter_mut().enumerate() {
                *biases = self.all.finish.bias(first + c * V::LANES, left(c));
            }
            let mut sums: Sums<V, R, C> = [biases; R];
            let last = size.kernel_size[0] * size.kernel_size[1] - 1;
            for (i, y) in backwards(self.down) {
                for (j, x) in backwards(self.along) {
                    let start = (y * columns.output() + x + pixel) * size.filters + self.group * filters;
                    let operands = Operands {
                        a: self.all.gradient.as_ptr().add(start),
                        a_row: size.filters,
                        a_step: 1,
                        b: self.panel.add((last - i * size.kernel_size[1] - j) * filters * C * V::LANES),
                        b_step: C * V::LANES,
                    };
                    advance(&mut sums, filters, operands);
                }
            }
            for (r, row) in sums.into_iter().enumerate() {
                let x = self.x + (pixel + r) * columns.stride;
                let start = (self.y * columns.input + x) * size.channels + first;
                for (c, sum) in row.into_iter().enumerate() {
                    let at = start + c * V::LANES;
                    let sum = self.all.finish.end(sum, at, left(c));
                    sum.store_up_to(self.all.input_gradient.as_mut_ptr().add(at), left(c));
                }
            }
        }
    }
}

/// Places and outputs, the last place first, as they follow each other in the turned kernel.
#[inline(always)]
fn backwards(taps: Taps) -> impl Iterator<Item = (usize, usize)> {
    let Taps { count, place, place_step, at, step } = taps;
    (0..count).rev().map(move |t| (place + t * place_step, at.wrapping_add_signed(t as isize * step)))
}
