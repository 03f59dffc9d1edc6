//! The forward pass of a dense layer: a part of the sum over k, then all parts and the bias.
//!
//! ```text
//!              block of x              block of w[k0..k0+64][N]
//!            +-----------+          +-------------------+
//!   b        | x[b][k]   |  *     k |  rows whose x is  |   sums[b][N] += x[b][k] * w[k][N], a sample at a time,
//!            +-----------+          |  not zero         |   N in registers
//!                                   +-------------------+
//! ```
//!
//! While a block's samples are processed, the rows of the next block that some sample needs are prefetched.

use super::{BLOCK, PANEL, Scratch};

use crate::kernels::columns::Columns;
use crate::kernels::isa::{Isa, SimdLoop};
use crate::kernels::nonzero::{SetBits, multiply_add_rows, nonzero};
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Sums, load_panel, panels, store_panel};
use crate::memory::LINE;
use std::ops::Range;

/// What the forward pass of every part reads.
#[derive(Clone, Copy)]
pub struct Forward<'a> {
    /// The layer's input, `[B, inputs]`.
    pub x: &'a [f32],
    /// Floats of a sample of `x`, K.
    pub inputs: usize,
    /// The weights, `[K, units]`.
    pub w: &'a [f32],
    /// How many units there are, N.
    pub units: usize,
}

impl Forward<'_> {
    /// A part of the sums of some units, those from `unit` on: `sums[b][n] = sum over k in rows of x[b][k] * w[k][unit + n]`.
    pub fn part(&self, isa: Isa, rows: Range<usize>, unit: usize, mut sums: Columns<'_>, scratch: &mut Scratch) {
        let (batch, width) = (sums.rows(), sums.width());
        assert!(self.x.len() == batch * self.inputs && self.w.len() == self.inputs * self.units);
        assert!(rows.end <= self.inputs && unit + width <= self.units);
        let packed = &mut scratch.floats[..BLOCK * PANEL * isa.lanes()];
        let (masks, next) = scratch.words[..2 * batch].split_at_mut(batch);
        let (sums, stride) = sums.raw();
        let first = rows.start;
        let w = self.w.as_ptr().wrapping_add(first * self.units + unit);
        isa.run(ForwardPart { all: self, first, rows: rows.len(), w, sums, stride, batch, width, packed, masks, next });
    }
}

struct ForwardPart<'a> {
    all: &'a Forward<'a>,
    /// The part's first k, and how many there are.
    first: usize,
    rows: usize,
    /// The first unit's weight of the first row.
    w: *const f32,
    /// The sums, and how far it is from a sample's to the next one's.
    sums: *mut f32,
    stride: usize,
    batch: usize,
    /// How many units.
    width: usize,
    /// A panel of a block of w, `[BLOCK, a panel's columns]`.
    packed: &'a mut [f32],
    /// The nonzero masks of each sample's block of x, and of its next block.
    masks: &'a mut [u64],
    next: &'a mut [u64],
}

impl SimdLoop for ForwardPart<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        for b in 0..self.batch {
            // SAFETY: each sample has sums of so many units.
            unsafe { self.sums.add(b * self.stride).write_bytes(0, self.width) };
        }
        let mut needed = self.find_nonzero::<V>(0);
        for k in (0..self.rows).step_by(BLOCK) {
            std::mem::swap(&mut self.masks, &mut self.next);
            let next = self.find_nonzero::<V>(k + BLOCK);
            let mut ahead =
                Ahead { rows: SetBits(next), each: (next.count_ones() as usize).div_ceil(self.batch), k: k + BLOCK };
            for (unit, vectors) in panels(self.width, V::LANES, PANEL) {
                match vectors {
                    8 => self.panel::<V, 8>(k, unit, needed, &mut ahead),
                    4 => self.panel::<V, 4>(k, unit, needed, &mut ahead),
                    2 => self.panel::<V, 2>(k, unit, needed, &mut ahead),
                    _ => self.panel::<V, 1>(k, unit, needed, &mut ahead),
                }
            }
            needed = next;
        }
    }
}

/// The rows of the next block that are not prefetched yet.
struct Ahead {
    rows: SetBits,
    /// How many at a sample.
    each: usize,
    /// The block's first row.
    k: usize,
}

impl ForwardPart<'_> {
    /// Computes the nonzero masks of all samples for the block from row `k` on; returns their union.
    #[inline(always)]
    fn find_nonzero<V: Simd>(&mut self, k: usize) -> u64 {
        let Forward { x, inputs, .. } = *self.all;
        let n = BLOCK.min(self.rows.saturating_sub(k));
        let mut any = 0;
        for (b, mask) in self.next.iter_mut().enumerate() {
            // SAFETY: `n` elements of the sample from `first + k` on are the part's; none are read when `n` is 0.
            *mask = unsafe { nonzero::<V>(x.as_ptr().wrapping_add(b * inputs + self.first + k), n) };
            any |= *mask;
        }
        any
    }

    /// Adds the block from row `k` on to the sums of `C` vectors of units from `unit` on.
    #[inline(always)]
    fn panel<V: Simd, const C: usize>(&mut self, k: usize, unit: usize, needed: u64, ahead: &mut Ahead) {
        let (w, row) = self.rows_of::<V, C>(k, unit, needed);
        let Forward { x, inputs, .. } = *self.all;
        let (left, stride) = (self.width - unit, self.stride);
        // SAFETY: a one in the mask is a row of the block, for which x and w have been measured; only units there are are
        // loaded and stored.
        unsafe {
            let (mut x, mut out) = (x.as_ptr().add(self.first + k), self.sums.add(unit));
            for &mask in &self.masks[..self.batch] {
                if unit == 0 {
                    self.prefetch::<V>(ahead);
                }
                if mask != 0 {
                    let mut sums: Sums<V, 1, C> = [load_panel(out, left)];
                    multiply_add_rows(&mut sums, mask, |i| x.add(i), |i| w.add(i * row), 0);
                    store_panel(sums[0], out, left);
                }
                (x, out) = (x.wrapping_add(inputs), out.wrapping_add(stride));
            }
        }
    }

    /// Where the panel's rows lie, and how far apart: in w itself when it is no wider than the panel, else side by side
    /// in `packed`, zeros past the last unit.
    #[inline(always)]
    fn rows_of<V: Simd, const C: usize>(&mut self, k: usize, unit: usize, needed: u64) -> (*const f32, usize) {
        let (units, width) = (self.all.units, C * V::LANES);
        if units == width {
            return (self.w.wrapping_add(k * units), units);
        }
        let (from, to) = (self.w.wrapping_add(k * units + unit), self.packed.as_mut_ptr());
        for row in SetBits(needed) {
            // SAFETY: a one of `needed` is a row of the block; `packed` holds any panel.
            unsafe {
                let vectors: [V; C] = load_panel(from.add(row * units), self.width - unit);
                store_panel(vectors, to.add(row * width), width);
            }
        }
        (self.packed.as_ptr(), width)
    }

    /// Prefetches a sample's part of the next block.
    #[inline(always)]
    fn prefetch<V: Simd>(&self, ahead: &mut Ahead) {
        for row in ahead.rows.by_ref().take(ahead.each) {
            let at = self.w.wrapping_add((ahead.k + row) * self.all.units);
            for line in (0..self.width).step_by(LINE) {
                // SAFETY: a prefetch may name any address.
                unsafe { V::prefetch(at.wrapping_add(line)) };
            }
        }
    }
}

/// Completes the forward pass of some samples: `y = bias + part 0 + part 1 + ...`, then relu if asked for.
///
/// `parts` are all parts' sums, each `[B, units]`; `y` is the `[_, units]` from sample `first` on.
pub fn finish(isa: Isa, parts: &[f32], batch: usize, first: usize, bias: &[f32], relu: bool, y: &mut [f32]) {
    let units = bias.len();
    assert!(parts.len().is_multiple_of(batch * units) && y.len().is_multiple_of(units));
    assert!(first + y.len() / units <= batch);
    isa.run(FinishForward { parts, part: batch * units, first, bias, relu, y });
}

struct FinishForward<'a> {
    parts: &'a [f32],
    part: usize,
    first: usize,
    bias: &'a [f32],
    relu: bool,
    y: &'a mut [f32],
}

impl SimdLoop for FinishForward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let units = self.bias.len();
        for (row, y) in self.y.chunks_exact_mut(units).enumerate() {
            let start = (self.first + row) * units;
            for unit in (0..units).step_by(V::LANES) {
                let n = V::LANES.min(units - unit);
                // SAFETY: `unit + n <= units`, and the sample is inside each part (`finish`).
                unsafe {
                    let mut sum = V::load_up_to(self.bias.as_ptr().add(unit), n);
                    for part in self.parts.chunks_exact(self.part) {
                        sum = sum.add(V::load_up_to(part.as_ptr().add(start + unit), n));
                    }
                    let sum = if self.relu { sum.relu() } else { sum };
                    sum.store_up_to(y.as_mut_ptr().add(unit), n);
                }
            }
        }
    }
}
