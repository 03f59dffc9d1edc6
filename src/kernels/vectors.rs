//! Loops over a matrix for work that is not a matrix product: across a row, each vector on its own; down the rows, each
//! column a chain; and either of them with parameters per column.

use super::Simd;

/// Work on the elements of a row, a vector at a time.
pub trait Across {
    /// Does the `n` elements from `at` on, `n` being `LANES` or fewer.
    ///
    /// # Safety
    /// As [`Simd`]; the implementor's row must have these elements.
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize);
}

/// Goes through a row of `len` elements.
///
/// # Safety
/// As [`Across::vector`] for each of them.
#[inline(always)]
pub unsafe fn across<V: Simd>(work: &mut impl Across, len: usize) {
    let whole = len - len % V::LANES;
    // SAFETY: the caller's.
    unsafe {
        for at in (0..whole).step_by(V::LANES) {
            work.vector::<V>(at, V::LANES);
        }
        if whole < len {
            work.vector::<V>(whole, len - whole);
        }
    }
}

/// `S` sums for every column, each a chain through the rows.
pub trait Down<const S: usize> {
    /// The sums of `n` columns from `at` on with row `row` in them.
    ///
    /// # Safety
    /// As [`Simd`]; the implementor's rows must have these elements.
    unsafe fn step<V: Simd>(&self, sums: [V; S], row: usize, at: usize, n: usize) -> [V; S];
}

/// Vectors that go down side by side, so that a chain need not wait for its last step.
const ABREAST: usize = 4;

/// Takes the chains of all columns, as many as each of `sums` has elements, through `rows` rows.
///
/// # Safety
/// As [`Down::step`] for each of them.
#[inline(always)]
pub unsafe fn down<V: Simd, const S: usize>(work: &impl Down<S>, rows: usize, sums: [&mut [f32]; S]) {
    let columns = sums.first().map_or(0, |sums| sums.len());
    assert!(sums.iter().all(|sums| sums.len() == columns));
    let sums = sums.map(|sums| sums.as_mut_ptr());
    let mut at = 0;
    // SAFETY: the caller's; every block lies in `columns` columns.
    unsafe {
        while at + ABREAST * V::LANES <= columns {
            block::<V, S, ABREAST>(work, rows, sums, at, V::LANES);
            at += ABREAST * V::LANES;
        }
        if at + 2 * V::LANES <= columns {
            block::<V, S, 2>(work, rows, sums, at, V::LANES);
            at += 2 * V::LANES;
        }
        while at < columns {
            let n = V::LANES.min(columns - at);
            block::<V, S, 1>(work, rows, sums, at, n);
            at += n;
        }
    }
}

/// `B` vectors of columns from `at` on, of `n` elements each.
#[inline(always)]
unsafe fn block<V: Simd, const S: usize, const B: usize>(
    work: &impl Down<S>,
    rows: usize,
    to: [*mut f32; S],
    at: usize,
    n: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[V::splat(0.0); S]; B];
        for (b, sums) in sums.iter_mut().enumerate() {
            for (sum, to) in sums.iter_mut().zip(to) {
                *sum = V::load_up_to(to.add(at + b * V::LANES), n);
            }
        }
        for row in 0..rows {
            for (b, sums) in sums.iter_mut().enumerate() {
                *sums = work.step(*sums, row, at + b * V::LANES, n);
            }
        }
        for (b, sums) in sums.into_iter().enumerate() {
            for (sum, to) in sums.into_iter().zip(to) {
                sum.store_up_to(to.add(at + b * V::LANES), n);
            }
        }
    }
}

/// Work on each element of a matrix by some numbers of its column.
pub trait ByColumn<const K: usize> {
    /// The numbers of the `n` columns from `at` on.
    ///
    /// # Safety
    /// As [`Simd`]; the implementor's columns must be there.
    unsafe fn numbers<V: Simd>(&self, at: usize, n: usize) -> [V; K];
    /// Does the `n` elements of row `row` from column `at` on.
    ///
    /// # Safety
    /// As [`Simd`]; the implementor's row must have these elements.
    unsafe fn vector<V: Simd>(&mut self, numbers: &[V; K], row: usize, at: usize, n: usize);
}

/// Goes through a matrix: where its columns are two vectors or fewer, down all rows with their numbers in registers (16
/// columns: 0.82 ms for what now takes 0.62, AVX2); else row by row, because memory is faster when read in order (64
/// columns, by bands of rows: 1.06 ms became 1.38).
///
/// # Safety
/// As the methods of [`ByColumn`], for each row and column.
#[inline(always)]
pub unsafe fn by_column<V: Simd, const K: usize>(work: &mut impl ByColumn<K>, rows: usize, columns: usize) {
    let band = if columns <= 2 * V::LANES { rows.max(1) } else { 1 };
    for first in (0..rows).step_by(band) {
        let band = first..rows.min(first + band);
        let mut at = 0;
        // SAFETY: the caller's.
        unsafe {
            while at + 2 * V::LANES <= columns {
                let numbers = [work.numbers::<V>(at, V::LANES), work.numbers::<V>(at + V::LANES, V::LANES)];
                for row in band.clone() {
                    work.vector(&numbers[0], row, at, V::LANES);
                    work.vector(&numbers[1], row, at + V::LANES, V::LANES);
                }
                at += 2 * V::LANES;
            }
            while at < columns {
                let n = V::LANES.min(columns - at);
                let numbers = work.numbers::<V>(at, n);
                for row in band.clone() {
                    work.vector(&numbers, row, at, n);
                }
                at += n;
            }
        }
    }
}
