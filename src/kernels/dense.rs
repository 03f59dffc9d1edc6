//! A dense layer, `y[b][n] = sum over k of x[b][k] * w[k][n]`, forward, and backward fused with Adam.
//!
//! `w` is `[K, N]` and large (19 MB in the tutorial), so that memory sets the pace: the forward pass reads `w` once, the
//! backward pass reads and writes `w` and Adam's two moments once, and the weights' gradient never reaches memory.
//! Both passes are cut along K into parts, one a task; the cuts depend on K alone.
//!
//! Backward, a part goes through its rows of `w` in strips that fit the first-level cache:
//!
//! ```text
//!              block of x           strip of w[k0..k0+12][N]  (m, v alike)
//!            +-----------+        +-------------------+
//!   b rows   | x[b][k]   |  k     | 1. dx[b][k] = sum over n of dz[b][n] * w[k][n]      (before w changes)
//!            |           |  rows  | 2. g [k][n] = sum over b of x[b][k] * dz[b][n]      in registers, then at once
//!            +-----------+        |    Adam: m, v, w                                    and g is forgotten
//!                                 +-------------------+
//! ```
//!
//! The rows of `x` are K apart, a power of two more often than not, and would fall on each other in the cache: a block
//! of them is copied side by side first, and the gradient to it is collected the same way.

use super::adam::{AdamStep, Weights};
use super::columns::Columns;
use super::isa::{Isa, Kernel};
use super::simd::Simd;
use super::tile::{Operands, Sums, Tiled, advance, cover, padded, panels};
use crate::memory::LINE;

/// Rows of `w` whose `x` is gathered at once: three cache lines.
const BLOCK: usize = 48;

/// Rows of `w` that are taken from the gradient to the input to the end of their update while they are in the
/// first-level cache: whole tiles of 6 and of 12, and rows of w, m and v in the order in which they lie in memory.
const STRIP: usize = 12;

/// The floats of scratch [`forward`] needs for a part of `rows` rows.
pub fn forward_scratch(isa: Isa, rows: usize, units: usize) -> usize {
    if units.is_multiple_of(isa.lanes()) { 0 } else { rows * padded(units, isa.lanes()) }
}

/// One part of the forward pass: `sums[b][n] = sum over the part's k of x[b][k] * w[k][n]`.
///
/// `x` is `[B, inputs]`, `first` the part's first k, `w` the part's rows, `sums` is `[B, units]`.
pub fn forward(isa: Isa, x: &[f32], inputs: usize, first: usize, w: &[f32], sums: &mut [f32], scratch: &mut [f32]) {
    let batch = x.len() / inputs;
    let units = sums.len() / batch;
    let rows = w.len() / units;
    assert!(x.len() == batch * inputs && sums.len() == batch * units && w.len() == rows * units);
    assert!(first + rows <= inputs);
    let stride = padded(units, isa.lanes());
    let w = if stride == units {
        w
    } else {
        let scratch = &mut scratch[..rows * stride];
        super::rows::pad_rows(w, units, scratch, stride);
        scratch
    };
    isa.run(Forward { x, inputs, first, rows, w, stride, sums, batch, units });
}

struct Forward<'a> {
    x: &'a [f32],
    inputs: usize,
    first: usize,
    rows: usize,
    w: &'a [f32],
    stride: usize,
    sums: &'a mut [f32],
    batch: usize,
    units: usize,
}

impl Kernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        for (unit, vectors) in panels(self.units, V::LANES, V::TILE_VECTORS) {
            let batch = self.batch;
            let mut panel = ForwardPanel { all: &mut self, unit };
            // SAFETY: the tiles cover the batch; `forward` has measured the slices.
            unsafe { cover::<V, _>(&mut panel, batch, vectors) };
        }
    }
}

struct ForwardPanel<'a, 'b> {
    all: &'a mut Forward<'b>,
    unit: usize,
}

impl Tiled for ForwardPanel<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, b: usize) {
        let Forward { inputs, first, units, .. } = *self.all;
        // SAFETY: samples b to b + R - 1 are in the batch; w's rows hold whole vectors; only units there are are stored.
        unsafe {
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            let operands = Operands {
                a: self.all.x.as_ptr().add(b * inputs + first),
                a_row: inputs,
                a_step: 1,
                b: self.all.w.as_ptr().add(self.unit),
                b_step: self.all.stride,
            };
            advance(&mut sums, self.all.rows, operands);
            for (r, row) in sums.into_iter().enumerate() {
                for (c, sum) in row.into_iter().enumerate() {
                    let unit = self.unit + c * V::LANES;
                    sum.store_up_to(self.all.sums.as_mut_ptr().add((b + r) * units + unit), units - unit);
                }
            }
        }
    }
}

/// Ends the forward pass of some samples: `y = bias + part 0 + part 1 + ...`, then relu if asked for.
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

impl Kernel for FinishForward<'_> {
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

/// What the backward pass of every part reads.
#[derive(Clone, Copy)]
pub struct Backward<'a> {
    /// The layer's input, `[B, inputs]`.
    pub x: &'a [f32],
    /// Floats of a sample of `x`.
    pub inputs: usize,
    /// The gradient to the layer's sums, `[B, padded units]`, zeros past the units.
    pub dz: &'a [f32],
    /// The same as `[units, padded B]`; empty where no gradient to the input is wanted.
    pub dz_transposed: &'a [f32],
    /// How many units there are, N.
    pub units: usize,
    /// How many samples, B.
    pub batch: usize,
    /// Whether `x` came out of relu, whose gradient is 0 where `x` is.
    pub gated: bool,
    /// The step that the weights take.
    pub adam: AdamStep,
}

/// A part's own weights and moments, each `[rows, units]`.
pub struct Part<'a> {
    /// The part's first k.
    pub first: usize,
    /// The weights.
    pub w: &'a mut [f32],
    /// Adam's first moment.
    pub m: &'a mut [f32],
    /// Adam's second moment.
    pub v: &'a mut [f32],
}

impl Backward<'_> {
    /// The floats of scratch that [`part`](Self::part) needs.
    pub fn scratch(isa: Isa, batch: usize) -> usize {
        BLOCK * (batch + 2 * padded(batch, isa.lanes()))
    }

    /// One part: the gradient to its columns of the input into `dx` (if wanted), then Adam on its weights.
    pub fn part(&self, isa: Isa, part: Part<'_>, dx: Option<Columns<'_>>, scratch: &mut [f32]) {
        let (units, batch) = (self.units, self.batch);
        let rows = part.w.len() / units;
        assert!(part.w.len() == rows * units && part.m.len() == part.w.len() && part.v.len() == part.w.len());
        assert!(self.x.len() == batch * self.inputs && part.first + rows <= self.inputs);
        assert_eq!(self.dz.len(), batch * padded(units, isa.lanes()));
        if let Some(dx) = &dx {
            assert!(dx.rows() == batch && dx.width() == rows);
            assert_eq!(self.dz_transposed.len(), units * padded(batch, isa.lanes()));
        }
        let (x, rest) = scratch[..Self::scratch(isa, batch)].split_at_mut(BLOCK * batch);
        let (t, turned) = rest.split_at_mut(rest.len() / 2);
        isa.run(BackwardPart { all: self, part, dx, x, t, turned });
    }
}

struct BackwardPart<'a, 'b> {
    all: &'a Backward<'a>,
    part: Part<'b>,
    dx: Option<Columns<'b>>,
    /// A block of x, `[B, BLOCK]`.
    x: &'a mut [f32],
    /// The gradient to that block before it is gated and turned, `[BLOCK, padded B]`.
    t: &'a mut [f32],
    /// The same turned, `[padded B, BLOCK]`.
    turned: &'a mut [f32],
}

impl Kernel for BackwardPart<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let Backward { x, inputs, units, batch, .. } = *self.all;
        let total = self.part.w.len() / units;
        for first in (0..total).step_by(BLOCK) {
            let rows = BLOCK.min(total - first);
            let column = self.part.first + first;
            for (b, out) in self.x.chunks_exact_mut(BLOCK).take(batch).enumerate() {
                out[..rows].copy_from_slice(&x[b * inputs + column..][..rows]);
            }
            for strip in (0..rows).step_by(STRIP) {
                self.strip::<V>(first, strip, STRIP.min(rows - strip));
            }
            self.store_input_gradient::<V>(first, rows);
        }
    }
}

impl BackwardPart<'_, '_> {
    /// The rows `strip..strip + rows` of the block that starts at row `first` of the part.
    #[inline(always)]
    fn strip<V: Simd>(&mut self, first: usize, strip: usize, rows: usize) {
        let Backward { units, batch, .. } = *self.all;
        self.prefetch_block::<V>(first + BLOCK, strip);
        if self.dx.is_some() {
            for (sample, vectors) in panels(batch, V::LANES, V::TILE_VECTORS) {
                let mut panel = InputGradient { all: self, first, strip, sample };
                // SAFETY: the tiles cover the strip's rows of w; `Backward::part` has measured the slices.
                unsafe { cover::<V, _>(&mut panel, rows, vectors) };
            }
        }
        for (unit, vectors) in panels(units, V::LANES, V::TILE_VECTORS) {
            let mut panel = WeightUpdate { all: self, first, strip, unit };
            // SAFETY: the tiles cover the strip's rows of w, m and v; `Backward::part` has measured the slices.
            unsafe { cover::<V, _>(&mut panel, rows, vectors) };
        }
    }

    /// Asks for the part of the next block's x and dx that a quarter of it will be read and written by, while there is
    /// work to do on this one: its rows lie too far apart for the machine to guess.
    #[inline(always)]
    fn prefetch_block<V: Simd>(&mut self, next: usize, strip: usize) {
        let Backward { x, inputs, batch, .. } = *self.all;
        let quarter = strip / STRIP;
        for b in (quarter * batch / 4)..((quarter + 1) * batch / 4) {
            for k in (0..BLOCK).step_by(LINE) {
                // SAFETY: a prefetch may name any address.
                unsafe {
                    V::prefetch(x.as_ptr().wrapping_add(b * inputs + self.part.first + next + k));
                    if let Some(dx) = &mut self.dx {
                        V::prefetch(dx.row(b).as_ptr().wrapping_add(next + k));
                    }
                }
            }
        }
    }

    /// Turns the block's gradient from `[rows, B]` into the columns of `dx`, through relu where there was one.
    #[inline(always)]
    fn store_input_gradient<V: Simd>(&mut self, first: usize, rows: usize) {
        let (Backward { batch, gated, .. }, Some(dx)) = (*self.all, &mut self.dx) else { return };
        let stride = padded(batch, V::LANES);
        for (k, b) in (0..BLOCK).step_by(V::LANES).flat_map(|k| (0..stride).step_by(V::LANES).map(move |b| (k, b))) {
            // SAFETY: t is `[BLOCK, stride]`, turned `[stride, BLOCK]`, both of whole vectors each way.
            unsafe {
                let to = self.turned.as_mut_ptr().add(b * BLOCK + k);
                V::transpose(self.t.as_ptr().add(k * stride + b), stride, to, BLOCK);
            }
        }
        for b in 0..batch {
            let out = &mut dx.row(b)[first..first + rows];
            for k in (0..rows).step_by(V::LANES) {
                let n = V::LANES.min(rows - k);
                // SAFETY: `k + n <= rows <= BLOCK`, the width of `out` and of the rows of x and turned.
                unsafe {
                    let gradient = V::load_up_to(self.turned.as_ptr().add(b * BLOCK + k), n);
                    let x = V::load_up_to(self.x.as_ptr().add(b * BLOCK + k), n);
                    let gradient = if gated { gradient.where_positive(x) } else { gradient };
                    gradient.store_up_to(out.as_mut_ptr().add(k), n);
                }
            }
        }
    }
}

struct InputGradient<'a, 'b, 'c> {
    all: &'a mut BackwardPart<'b, 'c>,
    first: usize,
    strip: usize,
    sample: usize,
}

impl Tiled for InputGradient<'_, '_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, row: usize) {
        let Backward { units, batch, dz_transposed, .. } = *self.all.all;
        let stride = padded(batch, V::LANES);
        // SAFETY: rows `row` to `row + R - 1` of the strip are in w; `dz_transposed` and `t` have rows of whole vectors.
        unsafe {
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            let operands = Operands {
                a: self.all.part.w.as_ptr().add((self.first + self.strip + row) * units),
                a_row: units,
                a_step: 1,
                b: dz_transposed.as_ptr().add(self.sample),
                b_step: stride,
            };
            advance(&mut sums, units, operands);
            for (r, sums) in sums.into_iter().enumerate() {
                for (c, sum) in sums.into_iter().enumerate() {
                    sum.store(
                        self.all.t.as_mut_ptr().add((self.strip + row + r) * stride + self.sample + c * V::LANES),
                    );
                }
            }
        }
    }
}

struct WeightUpdate<'a, 'b, 'c> {
    all: &'a mut BackwardPart<'b, 'c>,
    first: usize,
    strip: usize,
    unit: usize,
}

impl Tiled for WeightUpdate<'_, '_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, row: usize) {
        let Backward { units, batch, dz, adam, .. } = *self.all.all;
        let part = &mut self.all.part;
        // SAFETY: rows `row` to `row + R - 1` of the strip are in w, m and v; dz has rows of whole vectors; only units
        // there are are updated.
        unsafe {
            let mut sums: Sums<V, R, C> = [[V::splat(0.0); C]; R];
            let operands = Operands {
                a: self.all.x.as_ptr().add(self.strip + row),
                a_row: 1,
                a_step: BLOCK,
                b: dz.as_ptr().add(self.unit),
                b_step: padded(units, V::LANES),
            };
            advance(&mut sums, batch, operands);
            let weights = Weights { w: part.w.as_mut_ptr(), m: part.m.as_mut_ptr(), v: part.v.as_mut_ptr() };
            for (r, sums) in sums.into_iter().enumerate() {
                for (c, gradient) in sums.into_iter().enumerate() {
                    let unit = self.unit + c * V::LANES;
                    let at = weights.add((self.first + self.strip + row + r) * units + unit);
                    adam.apply(gradient, at, V::LANES.min(units - unit));
                    // The same place of the next strip, whose turn comes when this one is done.
                    V::prefetch(at.w.wrapping_add(STRIP * units));
                    V::prefetch(at.m.wrapping_add(STRIP * units));
                    V::prefetch(at.v.wrapping_add(STRIP * units));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{numbers, rows};

    /// Batch, inputs, units.
    const SIZES: [(usize, usize, usize); 5] = [(1, 1, 1), (2, 5, 10), (32, 100, 16), (7, 49, 33), (19, 64, 128)];

    const ADAM: (f64, f64, f64, f64) = (0.01, 0.9, 0.999, 1e-7);

    /// Output, input gradient, weights, both moments, after one step in two parts.
    fn all_passes(isa: Isa, (batch, inputs, units): (usize, usize, usize)) -> [Vec<f32>; 5] {
        let (x, mut w, dz) = (numbers(1, batch * inputs), numbers(2, inputs * units), numbers(3, batch * units));
        let cut = inputs / 2;
        let mut sums = vec![f32::NAN; 2 * batch * units];
        let mut scratch = vec![f32::NAN; forward_scratch(isa, inputs, units)];
        let (left, right) = sums.split_at_mut(batch * units);
        forward(isa, &x, inputs, 0, &w[..cut * units], left, &mut scratch);
        forward(isa, &x, inputs, cut, &w[cut * units..], right, &mut scratch);
        let mut y = vec![f32::NAN; batch * units];
        finish(isa, &sums, batch, 0, &vec![0.5; units], true, &mut y);

        let (wide, tall) = (padded(units, isa.lanes()), padded(batch, isa.lanes()));
        let (mut wide_dz, mut turned) = (vec![f32::NAN; batch * wide], vec![f32::NAN; units * tall]);
        rows::pad_rows(&dz, units, &mut wide_dz, wide);
        rows::transpose(&dz, units, &mut turned, tall);
        let (rate, beta_1, beta_2, epsilon) = ADAM;
        let adam = AdamStep::new(rate, beta_1, beta_2, epsilon, 1);
        let all = Backward { x: &x, inputs, dz: &wide_dz, dz_transposed: &turned, units, batch, gated: true, adam };
        let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        let mut dx = vec![f32::NAN; batch * inputs];
        let mut scratch = vec![f32::NAN; Backward::scratch(isa, batch)];
        let (left, right) = Columns::new(&mut dx, batch, inputs).split_at(cut);
        for (columns, range) in [(left, 0..cut * units), (right, cut * units..inputs * units)] {
            let (w, m, v) = (&mut w[range.clone()], &mut m[range.clone()], &mut v[range.clone()]);
            all.part(isa, Part { first: range.start / units, w, m, v }, Some(columns), &mut scratch);
        }
        [y, dx, w, m, v]
    }

    #[test]
    fn passes_are_the_sums_they_should_be() {
        for size @ (batch, inputs, units) in SIZES {
            let [y, dx, w_after, m, v] = all_passes(Isa::PORTABLE, size);
            let (x, w, dz) = (numbers(1, batch * inputs), numbers(2, inputs * units), numbers(3, batch * units));
            let sum = |terms: &mut dyn Iterator<Item = (f32, f32)>| -> f64 {
                terms.map(|(a, b)| f64::from(a) * f64::from(b)).sum()
            };
            let close = |got: f32, exact: f64, what: &str| {
                assert!((f64::from(got) - exact).abs() < 1e-5 * exact.abs().max(1.0), "{what} {size:?}: {got} {exact}");
            };
            for (b, n) in (0..batch).flat_map(|b| (0..units).map(move |n| (b, n))) {
                let exact = 0.5 + sum(&mut (0..inputs).map(|k| (x[b * inputs + k], w[k * units + n])));
                close(y[b * units + n], exact.max(0.0), "output");
            }
            for (b, k) in (0..batch).flat_map(|b| (0..inputs).map(move |k| (b, k))) {
                let exact = sum(&mut (0..units).map(|n| (dz[b * units + n], w[k * units + n])));
                let gate = if x[b * inputs + k] > 0.0 { exact } else { 0.0 };
                close(dx[b * inputs + k], gate, "gradient to the input");
            }
            for (k, n) in (0..inputs).flat_map(|k| (0..units).map(move |n| (k, n))) {
                let g = sum(&mut (0..batch).map(|b| (x[b * inputs + k], dz[b * units + n])));
                let at = k * units + n;
                close(m[at], 0.1 * g, "first moment");
                close(v[at], 0.001 * g * g, "second moment");
                let step = ADAM.0 * g / (g.abs() + ADAM.3 / 0.001f64.sqrt()); // the formula with t = 1
                assert!((f64::from(w_after[at] - w[at]) + step).abs() < 1e-5, "weight {size:?}");
            }
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
}
