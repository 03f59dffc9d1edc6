//! Both passes against sums in double precision, and against themselves on other instruction sets.

use super::*;
use crate::kernels::tile::padded;
use crate::kernels::{AdamStep, Columns, Update, numbers};

/// Batch, inputs, units.
const SIZES: [(usize, usize, usize); 7] =
    [(1, 1, 1), (2, 5, 10), (32, 100, 16), (7, 49, 33), (19, 64, 128), (70, 200, 24), (3, 130, 300)];

const ADAM: (f64, f64, f64, f64) = (0.01, 0.9, 0.999, 1e-7);

/// An input: as relu leaves it, or of both signs.
fn input(n: usize, gated: bool) -> Vec<f32> {
    numbers(1, n).into_iter().map(|x| if gated { x.max(0.0) } else { x }).collect()
}

/// Output, input gradient, weights, both moments, after one step in two parts.
fn all_passes(isa: Isa, (batch, inputs, units): (usize, usize, usize), gated: bool) -> [Vec<f32>; 5] {
    let (x, mut w, dz) = (input(batch * inputs, gated), numbers(2, inputs * units), numbers(3, batch * units));
    let cut = inputs / 2;
    let mut sums = vec![f32::NAN; 2 * batch * units];
    let mut scratch = Scratch::forward(isa, batch).unwrap();
    let all = Forward { x: &x, inputs, w: &w, units };
    for (rows, sums) in [0..cut, cut..inputs].into_iter().zip(sums.chunks_exact_mut(batch * units)) {
        let (left, right) = Columns::new(sums, batch, units).split_at(units / 3);
        all.part(isa, rows.clone(), 0, left, &mut scratch);
        all.part(isa, rows, units / 3, right, &mut scratch);
    }
    let mut y = vec![f32::NAN; batch * units];
    finish(isa, &sums, batch, 0, &vec![0.5; units], true, &mut y);

    let wide = padded(units, isa.lanes());
    let mut packed = vec![f32::NAN; batch * wide];
    pack(isa, &dz, units, &mut packed);
    let (rate, beta_1, beta_2, epsilon) = ADAM;
    let adam = AdamStep::new(rate, beta_1, beta_2, epsilon, 1);
    let all = Backward { x: &x, inputs, dz: &packed, units, batch, gated };
    let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
    let mut dx = vec![f32::NAN; batch * inputs];
    let mut scratch = Scratch::backward(batch).unwrap();
    let (left, right) = Columns::new(&mut dx, batch, inputs).split_at(cut);
    for (columns, range) in [(left, 0..cut * units), (right, cut * units..inputs * units)] {
        let (w, m, v) = (&mut w[range.clone()], &mut m[range.clone()], &mut v[range.clone()]);
        let update = Update::Adam { step: adam, m, v };
        all.part(isa, Part { first: range.start / units, w, update }, Some(columns), &mut scratch);
    }
    [y, dx, w, m, v]
}

#[test]
fn passes_are_the_sums_they_should_be() {
    for (size @ (batch, inputs, units), gated) in SIZES.into_iter().flat_map(|size| [(size, true), (size, false)]) {
        let [y, dx, w_after, m, v] = all_passes(Isa::PORTABLE, size, gated);
        let (x, w, dz) = (input(batch * inputs, gated), numbers(2, inputs * units), numbers(3, batch * units));
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
            let gate = if gated && x[b * inputs + k] == 0.0 { 0.0 } else { exact };
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
    for (size, gated) in SIZES.into_iter().flat_map(|size| [(size, true), (size, false)]) {
        let portable = all_passes(Isa::PORTABLE, size, gated);
        for isa in Isa::available() {
            assert_eq!(all_passes(isa, size, gated), portable, "{isa:?} {size:?} {gated}");
        }
    }
}
