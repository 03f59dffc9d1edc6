//! Convolution of one image, forward and backward, direct (no matrix of patches is ever made).
//!
//! An image is `[H, W, C]`, a kernel `[kh, kw, C, F]` (HWIO), the output `[H - kh + 1, W - kw + 1, F]`. Under one row
//! of the kernel, an output pixel sees `kw * C` contiguous numbers of the image, and the kernel's rows are contiguous
//! too:
//!
//! ```text
//!   image row y+i   ... | p0: c c c | p1: c c c | p2: c c c | p3 ...       output pixel x reads from p_x on,
//!                         `------ kw * C steps for x = 0 -----'            its neighbour C elements further
//!                                     `------ for x = 1 ------ ...
//! ```
//!
//! so each of the three passes is [`tile`](super::tile)s over long contiguous runs:
//!
//! | pass | rows of a tile | vectors run over | steps |
//! |---|---|---|---|
//! | forward | output pixels of a row | filters | i, then `kw * C` |
//! | to the input | input pixels of a row | channels | the same pass over the haloed gradient with the kernel turned by 180 degrees |
//! | to the kernel | `kw * C` kernel elements of a row i | filters | output pixels |
//! | to the input, strided | input pixels of a row that see the same places of the kernel | channels | these places, then F |
//!
//! With strides, an output pixel reads that many pixels further than its neighbour. If the kernel is dilated, or
//! channels and filters are divided into groups, a run is the channels of one kernel position (of one group) and there
//! are `kw` of them; the order of the steps stays. A kernel is `[kh, kw, C / groups, F]` then, with the filters of a
//! group side by side.
//!
//! An image includes its padding, which the caller adds (`valid` has none); the input gradients leave out the padding
//! ([`ConvShape::padding`]).
//!
//! Kernels of 3 x 3 with many channels have a faster algorithm, [`winograd`], and so have both backward passes from a
//! gradient that is mostly zero, [`zeros`].
//!
//! The kernel is packed first, panel by panel, so that a step's vectors are one aligned load each for any F.

mod direct;
mod strided;
pub mod winograd;
pub mod zeros;

use super::isa::Isa;
use super::simd::Simd;
use super::tile::{padded, panels};
use super::window::{Axis, Window, divide_down, span};
use direct::{Forward, KernelGradient};
use std::ops::Range;
use strided::InputGradient;

/// Pixels at the edges of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Pixels before each row.
    pub left: usize,
    /// Pixels behind each row.
    pub right: usize,
}

impl Edges {
    /// No pixels at all.
    pub const NONE: Edges = Edges { top: 0, bottom: 0, left: 0, right: 0 };
}

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of an image, H, with its padding.
    pub height: usize,
    /// Pixels in a row, W, with the padding.
    pub width: usize,
    /// Channels of a pixel, C.
    pub channels: usize,
    /// Filters, F: the channels of an output pixel.
    pub filters: usize,
    /// Rows and columns of the kernel.
    pub kernel_size: [usize; 2],
    /// The strides, down and along a row.
    pub strides: [usize; 2],
    /// The dilation, down and along a row.
    pub dilation: [usize; 2],
    /// The number of independent groups of channels and filters.
    pub groups: usize,
    /// The padding of the image, which gets no gradient.
    pub padding: Edges,
}

impl ConvShape {
    /// A convolution of images without padding, with strides of 1, no dilation and one group.
    pub const fn new(height: usize, width: usize, channels: usize, filters: usize, kernel_size: [usize; 2]) -> Self {
        let (strides, dilation, groups, padding) = ([1, 1], [1, 1], 1, Edges::NONE);
        ConvShape { height, width, channels, filters, kernel_size, strides, dilation, groups, padding }
    }

    /// The convolution with these windows; its image includes the padding.
    pub fn of(window: Window, channels: usize, filters: usize, groups: usize) -> Self {
        let Window { rows, columns } = window;
        ConvShape {
            height: rows.padded(),
            width: columns.padded(),
            channels,
            filters,
            kernel_size: [rows.size, columns.size],
            strides: [rows.stride, columns.stride],
            dilation: [rows.dilation, columns.dilation],
            groups,
            padding: Edges { top: rows.before, bottom: rows.after, left: columns.before, right: columns.after },
        }
    }

    /// Its windows.
    pub fn window(&self) -> Window {
        let Edges { top, bottom, left, right } = self.padding;
        let axis = |axis: usize, padded: usize, before: usize, after: usize| Axis {
            input: padded - before - after,
            size: self.kernel_size[axis],
            stride: self.strides[axis],
            dilation: self.dilation[axis],
            before,
            after,
        };
        Window { rows: axis(0, self.height, top, bottom), columns: axis(1, self.width, left, right) }
    }

    /// Whether it has strides of 1, no dilation and one group: required by [`winograd`] and [`zeros`].
    pub fn is_plain(&self) -> bool {
        self.strides == [1, 1] && self.dilation == [1, 1] && self.groups == 1
    }

    /// The same with all pixels in one row, if a window is one pixel: then tiles are longest.
    fn in_one_row(&self) -> ConvShape {
        match self.kernel_size == [1, 1] && self.strides == [1, 1] && !self.has_padding() {
            true => ConvShape { height: 1, width: self.height * self.width, ..*self },
            false => *self,
        }
    }

    /// Rows of the output.
    #[inline(always)]
    pub fn out_height(&self) -> usize {
        self.outputs(self.height, 0)
    }

    /// Pixels in a row of the output.
    #[inline(always)]
    pub fn out_width(&self) -> usize {
        self.outputs(self.width, 1)
    }

    /// Outputs of so many inputs along an axis. Called in loops, so it divides only if necessary.
    #[inline(always)]
    fn outputs(&self, inputs: usize, axis: usize) -> usize {
        divide_down(inputs - (self.kernel_size[axis] - 1) * self.dilation[axis] - 1, self.strides[axis]) + 1
    }

    /// Rows of an image that so many rows of the output see.
    pub fn rows_under(&self, out_rows: usize) -> usize {
        (out_rows - 1) * self.strides[0] + span(self.kernel_size[0], self.dilation[0])
    }

    /// Elements of an image with its padding.
    pub fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Elements of an image without its padding.
    pub fn unpadded_len(&self) -> usize {
        self.window().inputs() * self.channels
    }

    /// Elements of an output image.
    pub fn output_len(&self) -> usize {
        self.out_height() * self.out_width() * self.filters
    }

    /// Channels that a filter sees.
    pub fn group_channels(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of a group.
    pub fn group_filters(&self) -> usize {
        self.filters / self.groups
    }

    /// Rows of the kernel as a matrix of one column a filter.
    fn kernel_rows(&self) -> usize {
        self.kernel_size[0] * self.kernel_size[1] * self.group_channels()
    }

    /// Elements of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.kernel_rows() * self.filters
    }

    /// Elements of the packed kernel.
    pub fn packed_len(&self, isa: Isa) -> usize {
        self.groups * self.kernel_rows() * padded(self.group_filters(), isa.lanes())
    }

    /// The zero pixels around an output's gradient for [`turned`](Self::turned).
    fn halo(&self) -> Edges {
        let reach = |axis: usize| span(self.kernel_size[axis], self.dilation[axis]) - 1;
        let Edges { top, bottom, left, right } = self.padding;
        Edges { top: reach(0) - top, bottom: reach(0) - bottom, left: reach(1) - left, right: reach(1) - right }
    }

    /// The convolution that takes an output's gradient, with a halo of zero pixels around it, to the input's without
    /// its padding. With strides, only its kernel's sizes are meaningful.
    pub fn turned(&self) -> ConvShape {
        let halo = self.halo();
        ConvShape {
            height: self.out_height() + halo.top + halo.bottom,
            width: self.out_width() + halo.left + halo.right,
            channels: self.filters,
            filters: self.channels,
            strides: [1, 1],
            padding: Edges::NONE,
            ..*self
        }
    }

    /// Packs `kernel` for [`forward`](Self::forward): group after group, its panels one behind the other, each with the
    /// `kh * kw * C / groups` rows of its filters, zeros past the last filter.
    pub fn pack(&self, isa: Isa, kernel: &[f32], packed: &mut [f32]) {
        assert!(kernel.len() == self.kernel_len() && packed.len() == self.packed_len(isa));
        let (rows, filters) = (self.kernel_rows(), self.group_filters());
        for (group, packed) in packed.chunks_exact_mut(rows * padded(filters, isa.lanes())).enumerate() {
            for (first, vectors) in panels(filters, isa.lanes(), isa.tile_vectors()) {
                let width = vectors * isa.lanes();
                let used = width.min(filters - first);
                let panel = &mut packed[rows * first..rows * (first + width)];
                for (row, out) in panel.chunks_exact_mut(width).enumerate() {
                    out[..used].copy_from_slice(&kernel[row * self.filters + group * filters + first..][..used]);
                    out[used..].fill(0.0);
                }
            }
        }
    }

    /// Writes `kernel` as the kernel of [`turned`](Self::turned): rotated by 180 degrees, channels and filters
    /// exchanged.
    pub fn turn(&self, isa: Isa, kernel: &[f32], turned: &mut [f32]) {
        let (channels, filters) = (self.group_channels(), self.group_filters());
        assert!(kernel.len() == self.kernel_len() && turned.len() == kernel.len());
        let places = kernel.chunks_exact(channels * self.filters).rev();
        for (kernel, turned) in places.zip(turned.chunks_exact_mut(filters * self.channels)) {
            if self.groups == 1 {
                super::rows::transpose(isa, kernel, filters, turned);
                continue;
            }
            for (c, row) in kernel.chunks_exact(self.filters).enumerate() {
                for (f, &weight) in row.iter().enumerate() {
                    turned[f % filters * self.channels + f / filters * channels + c] = weight;
                }
            }
        }
    }

    /// Convolves an image with a packed kernel: `output = finish(bias + image * kernel)`.
    pub fn forward(&self, isa: Isa, image: &[f32], packed: &[f32], finish: Finish<'_>, output: &mut [f32]) {
        assert_eq!(image.len(), self.input_len());
        assert_eq!(packed.len(), self.packed_len(isa));
        assert_eq!(output.len(), self.output_len());
        finish.check(self.filters, output.len());
        isa.run(Forward { size: self.in_one_row(), image, packed, finish, output });
    }

    /// Whether an image has padding around it.
    pub fn has_padding(&self) -> bool {
        self.padding != Edges::NONE
    }

    /// Writes an image into `padded`, whose border, the padding, is zero and stays so: what falls in the rows `rows` of it.
    pub fn fill_padded(&self, image: &[f32], rows: Range<usize>, padded: &mut [f32]) {
        let Window { rows: down, columns } = self.window();
        assert!(padded.len() == self.input_len() && image.len() == self.unpadded_len());
        let (len, wide) = (columns.input * self.channels, self.width * self.channels);
        let [first, end] = [rows.start, rows.end].map(|row| row.saturating_sub(down.before).min(down.input));
        let to = &mut padded[(down.before + first) * wide..];
        fill_inner(&image[first * len..end.max(first) * len], len, to, [wide, columns.before * self.channels]);
    }

    /// Reads an image out of `padded`.
    pub fn read_padded(&self, padded: &[f32], image: &mut [f32]) {
        let Window { rows, columns } = self.window();
        assert!(padded.len() == self.input_len() && image.len() == self.unpadded_len());
        let (len, wide) = (columns.input * self.channels, self.width * self.channels);
        let first = columns.before * self.channels;
        for (row, padded) in image.chunks_exact_mut(len).zip(padded[rows.before * wide..].chunks(wide)) {
            row.copy_from_slice(&padded[first..first + len]);
        }
    }

    /// Whether an output's gradient takes a halo for [`turned`](Self::turned).
    pub fn has_halo(&self) -> bool {
        self.halo() != Edges::NONE
    }

    /// Elements of the haloed gradient of an output.
    pub fn halo_len(&self) -> usize {
        self.turned().input_len()
    }

    /// Writes an output's gradient into `halo`, whose border is zero and stays so.
    pub fn fill_halo(&self, gradient: &[f32], halo: &mut [f32]) {
        let (border, wide) = (self.halo(), self.turned().width * self.filters);
        assert!(halo.len() == self.halo_len() && gradient.len() == self.output_len());
        let row = self.out_width() * self.filters;
        fill_inner(gradient, row, &mut halo[border.top * wide..], [wide, border.left * self.filters]);
    }

    /// Writes the gradient to an image, without its padding, from the output's, whatever the strides; forward, this is the
    /// transposed convolution. `packed` is the kernel, [turned](Self::turn) and packed for [`turned`](Self::turned).
    pub fn input_gradient_strided(
        &self,
        isa: Isa,
        gradient: &[f32],
        packed: &[f32],
        finish: Finish<'_>,
        input_gradient: &mut [f32],
    ) {
        assert_eq!(gradient.len(), self.output_len());
        assert_eq!(packed.len(), self.turned().packed_len(isa));
        assert_eq!(input_gradient.len(), self.unpadded_len());
        finish.check(self.channels, input_gradient.len());
        let (size, window) = (*self, self.window());
        isa.run(InputGradient { size, window, gradient, packed, finish, input_gradient });
    }

    /// Adds an image to the kernel's gradient, laid out as the kernel; each element's chain continues from its value.
    /// `gradient` is the output's, `[pixels, groups, stride]` with `stride` a whole number of vectors, the filters of a
    /// group or more.
    pub fn kernel_gradient(&self, isa: Isa, image: &[f32], gradient: &[f32], stride: usize, sum: &mut [f32]) {
        assert_eq!(image.len(), self.input_len());
        assert_eq!(gradient.len(), self.out_height() * self.out_width() * self.groups * stride);
        assert!(stride >= self.group_filters() && stride.is_multiple_of(isa.lanes()));
        assert_eq!(sum.len(), self.kernel_len());
        isa.run(KernelGradient { size: self.in_one_row(), image, gradient, stride, sum });
    }
}

/// Copies rows of `len` elements to `first` in rows of `wide` elements.
fn fill_inner(rows: &[f32], len: usize, to: &mut [f32], [wide, first]: [usize; 2]) {
    for (row, to) in rows.chunks_exact(len).zip(to.chunks_mut(wide)) {
        to[first..first + len].copy_from_slice(row);
    }
}

/// The last operation on a sum before it is stored.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// The chain starts from the filter's bias, and may end in relu.
    Bias {
        /// One a filter.
        bias: &'a [f32],
        /// Whether negative sums become 0.
        relu: bool,
    },
    /// The sum is kept only where the gate, laid out as the output, is above 0 (everywhere without a gate): relu's
    /// gradient.
    Gate(Option<&'a [f32]>),
}

impl Finish<'_> {
    /// Asserts that it fits an output of so many filters and elements.
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

#[cfg(test)]
mod tests;
