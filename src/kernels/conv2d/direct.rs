//! The direct passes of a convolution: forward (with the rotated kernel also the input gradient), and the kernel
//! gradient.

use super::{ConvShape, Finish};
use crate::kernels::isa::SimdLoop;
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Operands, Sums, Tiled, advance, cover_rows, padded, panels};

/// The contiguous runs that an output pixel sees in a row of the image.
#[derive(Clone, Copy)]
struct Runs {
    count: usize,
    len: usize,
    /// From a run to the next.
    step: usize,
}

impl ConvShape {
    /// One where the places of a row of the kernel lie side by side with all of their channels, else one a place.
    #[inline(always)]
    fn runs(&self) -> Runs {
        let (places, channels) = (self.kernel_size[1], self.group_channels());
        match self.dilation[1] == 1 && self.groups == 1 {
            true => Runs { count: 1, len: places * channels, step: 0 },
            false => Runs { count: places, len: channels, step: self.dilation[1] * self.channels },
        }
    }

    /// Where in the image the window of the output's row `y` begins, at row i of the kernel and for a group.
    #[inline(always)]
    fn window_row(&self, y: usize, i: usize, group: usize) -> usize {
        (y * self.strides[0] + i * self.dilation[0]) * self.width * self.channels + group * self.group_channels()
    }
}

pub struct Forward<'a> {
    pub size: ConvShape,
    pub image: &'a [f32],
    pub packed: &'a [f32],
    pub finish: Finish<'a>,
    pub output: &'a mut [f32],
}

impl SimdLoop for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let size = self.size;
        let (rows, filters) = (size.kernel_rows(), size.group_filters());
        for group in 0..size.groups {
            for (first, vectors) in panels(filters, V::LANES, V::TILE_VECTORS) {
                for y in 0..size.out_height() {
                    let panel = self.packed[rows * (group * padded(filters, V::LANES) + first)..].as_ptr();
                    let mut row = ForwardRow { all: &mut self, panel, group, first, y };
                    // SAFETY: the tiles cover the pixels of output row y, whose operands lie inside the slices that
                    // `ConvShape::forward` has measured: the image rows that it sees, and a panel of the packed kernel.
                    unsafe { cover_rows::<V, _>(&mut row, size.out_width(), vectors) };
                }
            }
        }
    }
}

struct ForwardRow<'a, 'b> {
    all: &'a mut Forward<'b>,
    panel: *const f32,
    group: usize,
    /// The first filter of the panel, counted in the group.
    first: usize,
    y: usize,
}

impl Tiled for ForwardRow<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, x: usize) {
        let size = self.all.size;
        let (filters, runs) = (size.group_filters(), size.runs());
        // SAFETY: the caller's pixels x to x + R - 1 are in output row y; of the C vectors of filters only those of the
        // group are loaded, gated or stored.
        unsafe {
            let first = self.group * filters + self.first;
            let left = |c: usize| filters - self.first - c * V::LANES;
            let mut biases = [V::splat(0.0); C];
            for (c, biases) in biases.iter_mut().enumerate() {
                *biases = self.all.finish.bias(first + c * V::LANES, left(c));
            }
            let mut sums: Sums<V, R, C> = [biases; R];
            let (a_row, mut b) = (size.strides[1] * size.channels, self.panel);
            for i in 0..size.kernel_size[0] {
                let row = self.all.image.as_ptr().add(size.window_row(self.y, i, self.group) + x * a_row);
                for run in 0..runs.count {
                    let a = row.add(run * runs.step);
                    advance(&mut sums, runs.len, Operands { a, a_row, a_step: 1, b, b_step: C * V::LANES });
                    b = b.add(runs.len * C * V::LANES);
                }
            }
            let start = (self.y * size.out_width() + x) * size.filters + first;
            for (r, row) in sums.into_iter().enumerate() {
                for (c, sum) in row.into_iter().enumerate() {
                    let at = start + r * size.filters + c * V::LANES;
                    let sum = self.all.finish.end(sum, at, left(c));
                    sum.store_up_to(self.all.output.as_mut_ptr().add(at), left(c));
                }
            }
        }
    }
}

pub struct KernelGradient<'a> {
    pub size: ConvShape,
    pub image: &'a [f32],
    pub gradient: &'a [f32],
    pub stride: usize,
    pub sum: &'a mut [f32],
}

impl SimdLoop for KernelGradient<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (size, runs) = (self.size, self.size.runs());
        for group in 0..size.groups {
            for (first, vectors) in panels(size.group_filters(), V::LANES, V::TILE_VECTORS) {
                for (i, run) in (0..size.kernel_size[0]).flat_map(|i| (0..runs.count).map(move |run| (i, run))) {
                    let mut row = KernelRun { all: &mut self, group, first, i, run };
                    // SAFETY: the tiles cover the elements of the run in kernel row i; the operands lie inside the slices
                    // that `ConvShape::kernel_gradient` has measured.
                    unsafe { cover_rows::<V, _>(&mut row, runs.len, vectors) };
                }
            }
        }
    }
}

struct KernelRun<'a, 'b> {
    all: &'a mut KernelGradient<'b>,
    group: usize,
    /// The first filter of the panel, counted in the group.
    first: usize,
    i: usize,
    run: usize,
}

impl Tiled for KernelRun<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, element: usize) {
        let (size, stride, filters) = (self.all.size, self.all.stride, self.all.size.filters);
        let runs = size.runs();
        let row = (self.i * runs.count + self.run) * runs.len + element;
        let left = |c: usize| size.group_filters() - self.first - c * V::LANES;
        // SAFETY: elements `element` to `element + R - 1` are in the run; an output pixel's step reads them from the image
        // row that it sees there; the gradient's rows hold whole vectors.
        unsafe {
            let sum = self.all.sum.as_mut_ptr().add(row * filters + self.group * size.group_filters() + self.first);
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            for (r, row) in sums.iter_mut().enumerate() {
                for (c, value) in row.iter_mut().enumerate() {
                    *value = V::load_up_to(sum.add(r * filters + c * V::LANES), left(c));
                }
            }
            let (a_step, b_step) = (size.strides[1] * size.channels, size.groups * stride);
            for y in 0..size.out_height() {
                let start = size.window_row(y, self.i, self.group) + self.run * runs.step + element;
                let a = self.all.image.as_ptr().add(start);
                let b =
                    self.all.gradient.as_ptr().add(y * size.out_width() * b_step + self.group * stride + self.first);
                advance(&mut sums, size.out_width(), Operands { a, a_row: 1, a_step, b, b_step });
            }
            for (r, row) in sums.into_iter().enumerate() {
                for (c, value) in row.into_iter().enumerate() {
                    value.store_up_to(sum.add(r * filters + c * V::LANES), left(c));
                }
            }
        }
    }
}
