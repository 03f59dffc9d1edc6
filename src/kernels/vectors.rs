//! The two ways through a matrix for work that is not a product of matrices: across a row, each vector on its own, and
//! down the rows, each column a chain.

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
