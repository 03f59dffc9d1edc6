//! Max and average pooling of one image, `[H, W, C]`, and over all of its pixels; vectors run over channels.
//!
//! Both ignore the padding: it is never a maximum, and it is not counted in a mean. NaN in a window gives NaN in the
//! output. The gradient of a maximum goes to one element, the first of equals in the order of rows, then columns; it is
//! searched again from input and output, which costs less than storing its index.

use super::Simd;
use super::isa::{Isa, SimdLoop};
use super::vectors::{Across, Down, across, down};
use super::window::Window;
use std::ops::Range;

/// The sizes of a pooling. Its windows are not dilated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The windows.
    pub window: Window,
    /// Channels of a pixel, C.
    pub channels: usize,
}

impl Pool {
    /// Elements of an image.
    pub fn input_len(&self) -> usize {
        self.window.inputs() * self.channels
    }

    /// Elements of an output image.
    pub fn output_len(&self) -> usize {
        self.window.outputs() * self.channels
    }

    /// Writes the maximum of each window to `y`.
    pub fn max(&self, isa: Isa, x: &[f32], y: &mut [f32]) {
        assert!(x.len() == self.input_len() && y.len() == self.output_len());
        isa.run(Forward { size: *self, op: Max, x, y });
    }

    /// Writes the gradient to `x` from that to `y`, the output of [`max`](Self::max). With `gate` it counts only where
    /// `x` is above 0 (relu's gradient).
    pub fn max_gradient(&self, isa: Isa, x: &[f32], y: &[f32], dy: &[f32], gate: bool, dx: &mut [f32]) {
        assert!(x.len() == self.input_len() && y.len() == self.output_len());
        assert!(dx.len() == x.len() && dy.len() == y.len());
        isa.run(Backward { size: *self, op: MaxGradient { x, y, gate }, dy, dx });
    }

    /// Writes the mean of each window to `y`.
    pub fn average(&self, isa: Isa, x: &[f32], y: &mut [f32]) {
        assert!(x.len() == self.input_len() && y.len() == self.output_len());
        isa.run(Forward { size: *self, op: Average, x, y });
    }

    /// Writes the gradient to the input from that to the output. With a gate, laid out as the input, it counts only where
    /// that is above 0.
    pub fn average_gradient(&self, isa: Isa, dy: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
        assert!(dx.len() == self.input_len() && dy.len() == self.output_len());
        assert!(gate.is_none_or(|gate| gate.len() == dx.len()));
        isa.run(Backward { size: *self, op: AverageGradient { gate }, dy, dx });
    }
}

/// A reduction of the values in a window.
trait Op: Copy {
    /// Adds a value to the accumulator.
    unsafe fn with<V: Simd>(self, so_far: V, next: V) -> V;
    /// The result for `count` values.
    unsafe fn end<V: Simd>(self, all: V, count: usize) -> V;
}

#[derive(Clone, Copy)]
struct Max;

impl Op for Max {
    #[inline(always)]
    unsafe fn with<V: Simd>(self, so_far: V, next: V) -> V {
        // SAFETY: the caller runs on V's instruction set.
        unsafe { so_far.or_greater(next) }
    }
    #[inline(always)]
    unsafe fn end<V: Simd>(self, all: V, _: usize) -> V {
        all
    }
}

#[derive(Clone, Copy)]
struct Average;

impl Op for Average {
    #[inline(always)]
    unsafe fn with<V: Simd>(self, so_far: V, next: V) -> V {
        // SAFETY: the caller runs on V's instruction set.
        unsafe { so_far.add(next) }
    }
    #[inline(always)]
    unsafe fn end<V: Simd>(self, all: V, count: usize) -> V {
        // SAFETY: the caller runs on V's instruction set.
        unsafe { all.div(V::splat(count as f32)) }
    }
}

/// The inputs under an output's window.
#[derive(Clone, Copy)]
struct Patch {
    /// The first element of its first pixel.
    at: usize,
    /// Pixels of it down and across.
    rows: usize,
    columns: usize,
    /// Elements from a row of the image to the next, and from a pixel to the next.
    row: usize,
    pixel: usize,
}

impl Pool {
    /// The inputs under the window of the output's pixel in row `y` and column `x`, of which `rows` are covered.
    #[inline(always)]
    fn patch(&self, y: usize, x: usize, rows: &Range<usize>) -> Patch {
        let columns = self.window.columns.covered(x);
        let row = self.window.columns.input * self.channels;
        let first = self.window.columns.meets(x, columns.start) * self.channels;
        let at = self.window.rows.meets(y, rows.start) * row + first;
        Patch { at, rows: rows.len(), columns: columns.len(), row, pixel: self.channels }
    }
}

/// Visits the windows' patches of an image: runs `$body` with each `$patch` and the output pixel's first element.
macro_rules! each_patch {
    ($size:expr, |$patch:ident, $at:ident| $body:expr) => {
        let window = $size.window;
        assert!(window.rows.dilation == 1 && window.columns.dilation == 1);
        let mut $at = 0;
        for y in 0..window.rows.output() {
            let rows = window.rows.covered(y);
            for x in 0..window.columns.output() {
                let $patch = $size.patch(y, x, &rows);
                $body;
                $at += $size.channels;
            }
        }
    };
}

/// Runs `$run` with the patch's size as a constant if it is 2 x 2, so that its loops are unrolled.
macro_rules! for_size {
    ($patch:ident, $run:expr) => {
        if $patch.rows == 2 && $patch.columns == 2 {
            let $patch = Patch { rows: 2, columns: 2, ..$patch };
            $run
        } else {
            $run
        }
    };
}

struct Forward<'a, O> {
    size: Pool,
    op: O,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<O: Op> SimdLoop for Forward<'_, O> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let Forward { size, op, x, y } = self;
        each_patch!(size, |patch, at| {
            let (x, y) = (x[patch.at..].as_ptr(), y[at..].as_mut_ptr());
            // SAFETY: the patch lies in the image, the pixel in the output; both have `channels` channels.
            unsafe { for_size!(patch, across::<V>(&mut ForwardPixel { op, patch, x, y }, size.channels)) };
        });
    }
}

struct ForwardPixel<O> {
    op: O,
    patch: Patch,
    x: *const f32,
    y: *mut f32,
}

impl<O: Op> Across for ForwardPixel<O> {
    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize) {
        let Patch { rows, columns, row, pixel, .. } = self.patch;
        // SAFETY: the caller's; a patch has a pixel at least.
        unsafe {
            let x = self.x.add(at);
            let mut all = V::load_up_to(x, n);
            for j in 1..columns {
                all = self.op.with(all, V::load_up_to(x.add(j * pixel), n));
            }
            for i in 1..rows {
                for j in 0..columns {
                    all = self.op.with(all, V::load_up_to(x.add(i * row + j * pixel), n));
                }
            }
            self.op.end(all, rows * columns).store_up_to(self.y.add(at), n);
        }
    }
}

/// The distribution of an output's gradient over its window.
trait Shares: Copy {
    /// The gradient to distribute: `dy`, of the output's elements from `y` on.
    unsafe fn begin<V: Simd>(&self, dy: V, y: usize, n: usize, count: usize) -> V;
    /// The part for the elements from `x` on, and the rest for those after them.
    unsafe fn share<V: Simd>(&self, left: V, x: usize, y: usize, n: usize) -> (V, V);
}

#[derive(Clone, Copy)]
struct MaxGradient<'a> {
    x: &'a [f32],
    y: &'a [f32],
    gate: bool,
}

impl Shares for MaxGradient<'_> {
    #[inline(always)]
    unsafe fn begin<V: Simd>(&self, dy: V, y: usize, n: usize, _: usize) -> V {
        // SAFETY: the caller's. (The element that gets it equals the output, so the output is enough.)
        unsafe { if self.gate { dy.where_positive(V::load_up_to(self.y.as_ptr().add(y), n)) } else { dy } }
    }
    #[inline(always)]
    unsafe fn share<V: Simd>(&self, left: V, x: usize, y: usize, n: usize) -> (V, V) {
        // SAFETY: the caller's.
        unsafe {
            let y = V::load_up_to(self.y.as_ptr().add(y), n);
            left.split_where_same(V::load_up_to(self.x.as_ptr().add(x), n), y)
        }
    }
}

#[derive(Clone, Copy)]
struct AverageGradient<'a> {
    gate: Option<&'a [f32]>,
}

impl Shares for AverageGradient<'_> {
    #[inline(always)]
    unsafe fn begin<V: Simd>(&self, dy: V, _: usize, _: usize, count: usize) -> V {
        // SAFETY: the caller runs on V's instruction set.
        unsafe { dy.div(V::splat(count as f32)) }
    }
    #[inline(always)]
    unsafe fn share<V: Simd>(&self, left: V, x: usize, _: usize, n: usize) -> (V, V) {
        // SAFETY: the caller's.
        match self.gate {
            Some(gate) => unsafe { (left.where_positive(V::load_up_to(gate.as_ptr().add(x), n)), left) },
            None => (left, left),
        }
    }
}

struct Backward<'a, S> {
    size: Pool,
    op: S,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl<S: Shares> SimdLoop for Backward<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let Backward { size, op, dy, dx } = self;
        // If windows do not overlap, a part is the gradient; otherwise parts are added.
        let apart = size.window.apart();
        if !(apart && size.window.covers()) {
            dx.fill(0.0);
        }
        let (dy, dx) = (dy.as_ptr(), dx.as_mut_ptr());
        each_patch!(size, |patch, y| {
            // SAFETY: the patch lies in the image, the pixel in the output; both have `channels` channels.
            unsafe {
                if apart {
                    let work = BackwardPixel::<S, false> { op, patch, y, dy, dx };
                    for_size!(patch, across::<V>(&mut BackwardPixel { patch, ..work }, size.channels))
                } else {
                    across::<V>(&mut BackwardPixel::<S, true> { op, patch, y, dy, dx }, size.channels)
                }
            };
        });
    }
}

/// A pixel of the output, whose parts are added or written.
struct BackwardPixel<S, const ADD: bool> {
    op: S,
    patch: Patch,
    y: usize,
    dy: *const f32,
    dx: *mut f32,
}

impl<S: Shares, const ADD: bool> Across for BackwardPixel<S, ADD> {
    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize) {
        let Patch { rows, columns, row, pixel, .. } = self.patch;
        let y = self.y + at;
        // SAFETY: the caller's.
        unsafe {
            let mut left = self.op.begin(V::load_up_to(self.dy.add(y), n), y, n, rows * columns);
            for i in 0..rows {
                for j in 0..columns {
                    let x = self.patch.at + at + i * row + j * pixel;
                    let (share, rest) = self.op.share(left, x, y, n);
                    left = rest;
                    let sum = if ADD { V::load_up_to(self.dx.add(x), n).add(share) } else { share };
                    sum.store_up_to(self.dx.add(x), n);
                }
            }
        }
    }
}

/// Writes the mean over all pixels of `x` (`[pixels, C]`) to `y` (`[C]`).
pub fn global_average(isa: Isa, x: &[f32], y: &mut [f32]) {
    assert!(!x.is_empty() && x.len().is_multiple_of(y.len()));
    isa.run(GlobalForward { op: Average, x, y });
}

/// Writes the maximum of all pixels of `x` (`[pixels, C]`) to `y` (`[C]`).
pub fn global_max(isa: Isa, x: &[f32], y: &mut [f32]) {
    assert!(!x.is_empty() && x.len().is_multiple_of(y.len()));
    isa.run(GlobalForward { op: Max, x, y });
}

/// The gradient to the input of [`global_average`], gated as [`Pool::average_gradient`].
pub fn global_average_gradient(isa: Isa, dy: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
    assert!(dx.len().is_multiple_of(dy.len()) && gate.is_none_or(|gate| gate.len() == dx.len()));
    isa.run(GlobalBackward { op: AverageGradient { gate }, dy, dx });
}

/// The gradient to the input of [`global_max`], gated as [`Pool::max_gradient`]. Equal values share it evenly, as in
/// Keras, which implements this as a reduction.
pub fn global_max_gradient(isa: Isa, x: &[f32], y: &[f32], dy: &[f32], gate: bool, dx: &mut [f32]) {
    assert!(dx.len().is_multiple_of(dy.len()) && x.len() == dx.len() && y.len() == dy.len());
    isa.run(GlobalMaxBackward { op: MaxGradient { x, y, gate }, dy, dx });
}

struct GlobalMaxBackward<'a> {
    op: MaxGradient<'a>,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl SimdLoop for GlobalMaxBackward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let channels = self.dy.len();
        // SAFETY: each pixel of `x` and `dx` has as many channels as `y` and `dy`.
        unsafe { across::<V>(&mut self, channels) };
    }
}

impl Across for GlobalMaxBackward<'_> {
    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize) {
        let channels = self.dy.len();
        // SAFETY: the caller's.
        unsafe {
            let mut equals = V::splat(0.0);
            for pixel in (at..self.dx.len()).step_by(channels) {
                equals = equals.add(self.op.share(V::splat(1.0), pixel, at, n).0);
            }
            let dy = self.op.begin(V::load_up_to(self.dy.as_ptr().add(at), n), at, n, 1).div(equals);
            for pixel in (at..self.dx.len()).step_by(channels) {
                self.op.share(dy, pixel, at, n).0.store_up_to(self.dx.as_mut_ptr().add(pixel), n);
            }
        }
    }
}

struct GlobalForward<'a, O> {
    op: O,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl<O: Op> SimdLoop for GlobalForward<'_, O> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let GlobalForward { op, x, y } = self;
        let channels = y.len();
        let (first, others) = x.split_at(channels);
        y.copy_from_slice(first);
        // SAFETY: each of the rows has as many channels as the output.
        unsafe {
            let rows = others.len() / channels;
            down::<V, 1>(&OtherPixels { op, x: others, channels }, rows, [&mut *y]);
            across::<V>(&mut End { op, count: rows + 1, y }, channels);
        }
    }
}

/// The pixels that follow the first.
struct OtherPixels<'a, O> {
    op: O,
    x: &'a [f32],
    channels: usize,
}

impl<O: Op> Down<1> for OtherPixels<'_, O> {
    #[inline(always)]
    unsafe fn step<V: Simd>(&self, [all]: [V; 1], row: usize, at: usize, n: usize) -> [V; 1] {
        // SAFETY: the caller's.
        unsafe { [self.op.with(all, V::load_up_to(self.x.as_ptr().add(row * self.channels + at), n))] }
    }
}

/// The result for `count` pixels.
struct End<'a, O> {
    op: O,
    count: usize,
    y: &'a mut [f32],
}

impl<O: Op> Across for End<'_, O> {
    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize) {
        let y = self.y[at..][..n].as_mut_ptr();
        // SAFETY: the caller's.
        unsafe { self.op.end(V::load_up_to(y, n), self.count).store_up_to(y, n) };
    }
}

struct GlobalBackward<'a, S> {
    op: S,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl<S: Shares> SimdLoop for GlobalBackward<'_, S> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let channels = self.dy.len();
        let patch = Patch { at: 0, rows: self.dx.len() / channels, columns: 1, row: channels, pixel: channels };
        let (dy, dx) = (self.dy.as_ptr(), self.dx.as_mut_ptr());
        let mut work = BackwardPixel::<S, false> { op: self.op, patch, y: 0, dy, dx };
        // SAFETY: the patch is all of the image, a pixel a row.
        unsafe { across::<V>(&mut work, channels) };
    }
}

#[cfg(test)]
mod tests;
