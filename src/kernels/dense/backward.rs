//! The backward pass of a dense layer, fused with the optimizer's step: one walk over the rows of `w`.
//!
//! ```text
//!              block of x           row k of w               (its moments alike)
//!            +-----------+        +-------------------+
//!   b        | x[b][k]   |      k |     |   |   |     |  1. dx[b][k] = sum over n of dz[b][n] * w[k][n]
//!            |  0        |        +-------------------+     (before w changes)
//!            | x[b'][k]  |          ^ in registers       2. g [k][n] = sum over b of x[b][k] * dz[b][n]
//!            +-----------+                               3. at once the step: w, its moments, and g is gone
//! ```
//!
//! Samples whose `x[b][k]` is zero add nothing to 2, and if relu computed `x` they need no 1: the gradient below is
//! zero there. So 1 and 2 are one loop over the remaining samples.
//!
//! Rows are taken a few at a time ([`ROWS`]), panel of units by panel, so that a panel of dz, whose samples lie side by side
//! ([`pack`]), comes from the first-level cache for all of them (512 units, batch 128: 2.0 ms a pass when rows were taken one by one, 1.6 so; AVX2).
//!
//! The sum of 1 runs along vectors, so it is cut: partial sum `i` of [`PARTIAL`] takes the units `n` with
//! `n % PARTIAL = i`, whatever the width of a vector, and the partial sums are added in order. Sixteen such rows of
//! partial sums, of whatever k and b come, are turned and added together.
//!
//! The rows of `x` are K apart, often a power of two, and would conflict in the cache: a block of them is transposed
//! first, so that the samples for a row of `w` are contiguous. The gradient overwrites the `x` that it belongs to.

#![allow(clippy::needless_range_loop)] // as in `nonzero`: an iterator that is not inlined costs a factor of ten here

use super::{BLOCK, PANEL, Scratch};
use crate::kernels::columns::Columns;
use crate::kernels::isa::{Isa, SimdLoop};
use crate::kernels::nonzero::{SetBits, WORD, multiply_add_rows, nonzero};
use crate::kernels::rows::turn;
use crate::kernels::rule::{Rule, Store, Update, WeightPointers};
use crate::kernels::simd::Simd;
use crate::kernels::tile::{Sums, panels};
use crate::memory::LINE;
use std::ops::Range;

/// Partial sums of an element of the gradient to the input: the lanes of the widest vector.
pub(super) const PARTIAL: usize = 16;

/// The most rows of `w` that are taken together.
const ROWS: usize = 8;

/// How many rows ahead w and its moments are prefetched.
const AHEAD: usize = 8;

/// Rows of `w` that are taken together: fewer with many samples, for each pair of the two waits with [`PARTIAL`] sums.
pub(super) fn rows_together(batch: usize) -> usize {
    (1024 / batch).clamp(1, ROWS)
}

/// Packs the gradient `dz`, `[B, units]`, for [`Backward::part`]: each panel of units by itself, `[B, its width]`,
/// zeros past the units.
pub fn pack(isa: Isa, dz: &[f32], units: usize, out: &mut [f32]) {
    let batch = dz.len() / units;
    for (unit, vectors) in panels(units, isa.lanes(), PANEL) {
        let width = vectors * isa.lanes();
        let count = width.min(units - unit);
        let panel = &mut out[batch * unit..][..batch * width];
        for (row, out) in dz.chunks_exact(units).zip(panel.chunks_exact_mut(width)) {
            out[..count].copy_from_slice(&row[unit..unit + count]);
            out[count..].fill(0.0);
        }
    }
}

/// What the backward pass of every part reads.
#[derive(Clone, Copy)]
pub struct Backward<'a> {
    /// The layer's input, `[B, inputs]`.
    pub x: &'a [f32],
    /// Floats of a sample of `x`.
    pub inputs: usize,
    /// The gradient to the layer's sums, as [`pack`] lays it out.
    pub dz: &'a [f32],
    /// How many units there are, N.
    pub units: usize,
    /// How many samples, B.
    pub batch: usize,
    /// Whether `x` came out of relu, whose gradient is 0 where `x` is.
    pub gated: bool,
}

/// A part's own weights, `[rows, units]`, and the use of their gradient.
pub struct Part<'a> {
    /// The part's first k.
    pub first: usize,
    /// The weights.
    pub w: &'a mut [f32],
    /// The use of their gradient.
    pub update: Update<'a>,
}

impl Backward<'_> {
    /// Computes one part: the gradient to its columns of the input into `dx` (if wanted), then the update of its
    /// weights.
    pub fn part(&self, isa: Isa, part: Part<'_>, dx: Option<Columns<'_>>, scratch: &mut Scratch) {
        let (units, batch) = (self.units, self.batch);
        let rows = part.w.len() / units;
        assert_eq!(part.w.len(), rows * units);
        assert!(self.x.len() == batch * self.inputs && part.first + rows <= self.inputs);
        assert_eq!(self.dz.len(), batch * units.next_multiple_of(isa.lanes()));
        assert!(dx.as_ref().is_none_or(|dx| dx.rows() == batch && dx.width() == rows));
        let groups = batch.div_ceil(WORD);
        let (x, partial) = scratch.floats.split_at_mut(BLOCK * batch);
        let together = rows_together(batch);
        let partial = &mut partial[..PARTIAL * (together * batch + 2 * PARTIAL)];
        let (masks, places) = scratch.words.split_at_mut(BLOCK * groups);
        let places = &mut places[..together * batch + PARTIAL];
        let Part { first, w, mut update } = part;
        macro_rules! run {
            ($rule:expr, $slots:expr) => {{
                let pointers = WeightPointers::new(w, $slots);
                isa.run(BackwardPart {
                    all: self,
                    rule: $rule,
                    first,
                    rows,
                    together,
                    pointers,
                    dx,
                    x,
                    masks,
                    partial,
                    places,
                    waiting: 0,
                });
            }};
        }
        match &mut update {
            Update::Adam { step, m, v } => run!(*step, &mut [m, v]),
            Update::Store { gradient, add } => run!(Store { add: *add }, &mut [gradient]),
        }
    }
}

struct BackwardPart<'a, 'b, R> {
    all: &'a Backward<'a>,
    rule: R,
    /// The part's first k, and how many there are.
    first: usize,
    rows: usize,
    /// How many are taken together.
    together: usize,
    /// The part's weights.
    pointers: WeightPointers,
    dx: Option<Columns<'b>>,
    /// A block of x, turned: `[BLOCK, B]`. It becomes the gradient to it.
    x: &'a mut [f32],
    /// The nonzero elements: for each k and each 64 samples a word, a bit for each sample.
    masks: &'a mut [u64],
    /// The partial sums of elements of the gradient, `[together * B + PARTIAL, PARTIAL]`, and room to turn sixteen of them.
    partial: &'a mut [f32],
    /// The positions of those elements in `x`.
    places: &'a mut [u64],
    /// How many of them are not added up yet.
    waiting: usize,
}

impl<R: Rule> SimdLoop for BackwardPart<'_, '_, R> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let total = self.rows;
        for first in (0..total).step_by(BLOCK) {
            let rows = BLOCK.min(total - first);
            self.load_block::<V>(first, rows);
            for k in (0..rows).step_by(self.together) {
                self.some_rows::<V>(first, k..rows.min(k + self.together));
            }
            self.add_up::<V>(1);
            self.store_block::<V>(first, rows);
        }
    }
}

impl<R: Rule> BackwardPart<'_, '_, R> {
    /// Copies the block of x that belongs to `rows` rows from `first` on, turned, and finds its zeros.
    #[inline(always)]
    fn load_block<V: Simd>(&mut self, first: usize, rows: usize) {
        let Backward { x, inputs, batch, .. } = *self.all;
        let groups = batch.div_ceil(WORD);
        // SAFETY: x has `rows` columns from the part's `first` on, and the block holds BLOCK rows of the batch.
        unsafe {
            turn::<V>(x.as_ptr().add(self.first + first), inputs, self.x.as_mut_ptr(), batch, batch, rows);
            for (k, masks) in self.masks.chunks_exact_mut(groups).enumerate().take(rows) {
                for (group, mask) in masks.iter_mut().enumerate() {
                    let b = group * WORD;
                    *mask = nonzero::<V>(self.x.as_ptr().add(k * batch + b), WORD.min(batch - b));
                }
            }
        }
    }

    /// The samples of a group whose gradient to row `k` of the block is wanted.
    #[inline(always)]
    fn wanted(&self, group: usize, k: usize) -> u64 {
        match self.all.gated {
            true => self.masks[k * self.all.batch.div_ceil(WORD) + group],
            false => u64::MAX >> (WORD - (self.all.batch - group * WORD).min(WORD)),
        }
    }

    /// Some rows of the block that starts at row `first`, at most [`ROWS`], panel by panel.
    #[inline(always)]
    fn some_rows<V: Simd>(&mut self, first: usize, rows: Range<usize>) {
        let mut waiting = [self.waiting; ROWS];
        for (k, waiting) in rows.clone().zip(&mut waiting) {
            self.prefetch::<V>(first, k);
            *waiting = self.waiting;
            if self.dx.is_some() {
                self.note_places(k);
            }
        }
        for (unit, vectors) in panels(self.all.units, V::LANES, PANEL) {
            for (k, waiting) in rows.clone().zip(waiting) {
                match vectors {
                    8 => self.panel::<V, 8>(first, k, unit, waiting),
                    4 => self.panel::<V, 4>(first, k, unit, waiting),
                    2 => self.panel::<V, 2>(first, k, unit, waiting),
                    _ => self.panel::<V, 1>(first, k, unit, waiting),
                }
            }
        }
        self.add_up::<V>(PARTIAL);
    }

    /// `C` vectors from `unit` on of row `k` of the block that starts at row `first`, whose partial sums are `waiting` and on.
    #[inline(always)]
    fn panel<V: Simd, const C: usize>(&mut self, first: usize, k: usize, unit: usize, waiting: usize) {
        let Backward { units, batch, dz, .. } = *self.all;
        // SAFETY: row `first + k` is in w and its moments, and only units there are are loaded and updated; a one of a mask is a
        // sample of the batch; a panel of dz has rows of whole vectors.
        unsafe {
            let mut gradient: Sums<V, 1, C> = [[V::splat(0.0); C]; 1];
            if self.dx.is_some() {
                self.both_gradients(first, k, unit, waiting, &mut gradient[0]);
            } else {
                let groups = batch.div_ceil(WORD);
                for group in 0..groups {
                    let x = self.x.as_ptr().add(k * batch + group * WORD);
                    let dz = dz.as_ptr().add(batch * unit + group * WORD * C * V::LANES);
                    multiply_add_rows(
                        &mut gradient,
                        self.masks[k * groups + group],
                        |b| x.add(b),
                        |b| dz.add(b * C * V::LANES),
                        0,
                    );
                }
            }
            let at = self.pointers.at((first + k) * units + unit);
            for (c, g) in gradient[0].into_iter().enumerate() {
                at.at(c * V::LANES).step(&self.rule, g, V::LANES.min(units - unit - c * V::LANES));
            }
        }
    }

    /// The gradient to the panel's units of row k, and on the same walk over dz the partial sums of the row's gradient to
    /// the input, added to those of the panels before: each vector of dz is loaded once for both.
    ///
    /// # Safety
    /// As [`Simd`]; the row and `C` vectors of units from `unit` on must be the part's.
    #[inline(always)]
    unsafe fn both_gradients<V: Simd, const C: usize>(
        &mut self,
        first: usize,
        k: usize,
        unit: usize,
        waiting: usize,
        gradient: &mut [V; C],
    ) {
        let Backward { units, batch, dz, .. } = *self.all;
        let whole = V::LANES == PARTIAL; // one vector of partial sums; else two, for every other vector of units
        // SAFETY: the caller's; there is room for the partial sums of the rows taken together behind those that wait.
        unsafe {
            let mut w = [V::splat(0.0); C];
            for (c, w) in w.iter_mut().enumerate() {
                let from = unit + c * V::LANES;
                *w = V::load_up_to(self.pointers.w.add((first + k) * units + from), units - from);
            }
            let mut to = self.partial.as_mut_ptr().add(waiting * PARTIAL);
            for group in 0..batch.div_ceil(WORD) {
                let x = self.x.as_ptr().add(k * batch + group * WORD);
                let dz = dz.as_ptr().add(batch * unit + group * WORD * C * V::LANES);
                for b in SetBits(self.wanted(group, k)) {
                    let (x, dz) = (V::splat(*x.add(b)), dz.add(b * C * V::LANES));
                    let (mut sum, mut odd) = (V::splat(0.0), V::splat(0.0));
                    if unit > 0 {
                        sum = V::load(to);
                        odd = V::load(to.add(PARTIAL - V::LANES));
                    }
                    for c in 0..C {
                        let dz = V::load(dz.add(c * V::LANES));
                        gradient[c] = x.fma(dz, gradient[c]);
                        if whole || c % 2 == 0 {
                            sum = w[c].fma(dz, sum);
                        } else {
                            odd = w[c].fma(dz, odd);
                        }
                    }
                    if !whole {
                        odd.store(to.add(PARTIAL - V::LANES));
                    }
                    sum.store(to);
                    to = to.add(PARTIAL);
                }
            }
        }
    }

    /// Records the positions of the partial sums of row k.
    #[inline(always)]
    fn note_places(&mut self, k: usize) {
        for group in 0..self.all.batch.div_ceil(WORD) {
            for b in SetBits(self.wanted(group, k)) {
                self.places[self.waiting] = (k * self.all.batch + group * WORD + b) as u64;
                self.waiting += 1;
            }
        }
    }

    /// Adds up partial sums and puts the results in their places, sixteen at a time, until fewer than `least` wait.
    #[inline(always)]
    fn add_up<V: Simd>(&mut self, least: usize) {
        let mut done = 0;
        let turned = self.partial.len() - PARTIAL * PARTIAL;
        while self.waiting >= done + least {
            // SAFETY: sixteen rows of partial sums from `done` on are in the buffer before its last sixteen, which are
            // for the turned ones.
            unsafe {
                let (from, to) = (self.partial.as_ptr().add(done * PARTIAL), self.partial.as_mut_ptr().add(turned));
                for (i, j) in blocks(V::LANES) {
                    V::transpose(from.add(i * PARTIAL + j), PARTIAL, to.add(j * PARTIAL + i), PARTIAL);
                }
                for i in (0..PARTIAL).step_by(V::LANES) {
                    let mut sum = V::load(to.add(i));
                    for partial in 1..PARTIAL {
                        sum = sum.add(V::load(to.add(partial * PARTIAL + i)));
                    }
                    sum.store(to.add(i));
                }
            }
            let count = PARTIAL.min(self.waiting - done);
            for (i, &place) in self.places[done..done + count].iter().enumerate() {
                self.x[place as usize] = self.partial[turned + i];
            }
            done += count;
        }
        let left = self.waiting - done;
        if done > 0 && left > 0 {
            self.partial.copy_within(done * PARTIAL..self.waiting * PARTIAL, 0);
            self.places.copy_within(done..self.waiting, 0);
        }
        self.waiting = left;
    }

    /// Stores what has become of the block of x.
    #[inline(always)]
    fn store_block<V: Simd>(&mut self, first: usize, rows: usize) {
        let (batch, Some(dx)) = (self.all.batch, &mut self.dx) else { return };
        let (to, stride) = dx.raw();
        // SAFETY: the block has `rows` rows of the batch, and the part's columns of dx `rows` from `first` on.
        unsafe { turn::<V>(self.x.as_ptr(), batch, to.add(first), stride, rows, batch) };
    }

    /// Prefetches what the hardware does not predict: the next rows of w and its moments, and row k's part of the next
    /// block of x and of this block's gradient, whose samples are too far apart.
    #[inline(always)]
    fn prefetch<V: Simd>(&mut self, first: usize, k: usize) {
        let Backward { x, inputs, batch, units, .. } = *self.all;
        let at = (first + k + AHEAD) * units;
        // SAFETY: a prefetch may name any address.
        unsafe {
            for line in (0..units).step_by(LINE) {
                V::prefetch(self.pointers.w.wrapping_add(at + line));
                for slot in self.pointers.slots.iter().take(R::SLOTS) {
                    V::prefetch(slot.wrapping_add(at + line));
                }
            }
            for b in k * batch / BLOCK..(k + 1) * batch / BLOCK {
                for line in (0..BLOCK).step_by(LINE) {
                    V::prefetch(x.as_ptr().wrapping_add(b * inputs + self.first + first + BLOCK + line));
                    if let Some(dx) = &mut self.dx {
                        V::prefetch(dx.row(b).as_ptr().wrapping_add(first + line));
                    }
                }
            }
        }
    }
}

/// The corners of the blocks of `lanes` x `lanes` that make a square of sixteen.
#[inline(always)]
fn blocks(lanes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..PARTIAL).step_by(lanes).flat_map(move |i| (0..PARTIAL).step_by(lanes).map(move |j| (i, j)))
}
