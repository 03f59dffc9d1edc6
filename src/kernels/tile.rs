//! The block of outputs that is kept in registers: the inner loop of every dense product in this crate.
//!
//! ```text
//!                      C vectors of outputs
//!                    +---------+---------+        step s:
//!   row 0   a[0][s]  | sum 0,0 | sum 0,1 |          load C vectors  b[s]          (one load feeds R rows)
//!   row 1   a[1][s]  | sum 1,0 | sum 1,1 |          broadcast       a[r][s]       (one load feeds C vectors)
//!   ...              |         |         |          sum r,c  =  a[r][s] * b[s][c] + sum r,c
//!   row R-1          +---------+---------+
//! ```
//!
//! R x C sums stay in registers during all steps, and each is one chain in the order of the steps. The best R for a C
//! depends on the number of registers ([`Simd::tile_rows`]); what is left over at the edges takes smaller tiles.

#![allow(clippy::needless_range_loop)] // an iterator that is not inlined costs a factor of ten here

use super::Simd;

/// The operands of a tile. `a` is read one element at a time, `b` a vector at a time.
#[derive(Clone, Copy)]
pub struct Operands {
    pub a: *const f32,
    /// From a row's element to the next row's.
    pub a_row: usize,
    /// From a step's element to the next step's.
    pub a_step: usize,
    pub b: *const f32,
    /// From a step's vectors to the next step's.
    pub b_step: usize,
}

/// The sums of a tile.
pub type Sums<V, const R: usize, const C: usize> = [[V; C]; R];

/// Advances all sums by `steps` steps.
///
/// # Safety
/// As [`Simd`]; every element named by the operands must be readable.
#[inline(always)]
pub unsafe fn advance<V: Simd, const R: usize, const C: usize>(sums: &mut Sums<V, R, C>, steps: usize, at: Operands) {
    let Operands { mut a, a_row, a_step, mut b, b_step } = at;
    for _ in 0..steps {
        // SAFETY: the caller vouches for every element of `steps` steps.
        unsafe {
            let mut vectors = [V::splat(0.0); C];
            for c in 0..C {
                vectors[c] = V::load(b.add(c * V::LANES));
            }
            for r in 0..R {
                let x = V::splat(*a.add(r * a_row));
                for c in 0..C {
                    sums[r][c] = x.fma(vectors[c], sums[r][c]);
                }
            }
        }
        // Moving pointers: with indices the compiler may generate multiplications.
        (a, b) = (a.wrapping_add(a_step), b.wrapping_add(b_step));
    }
}

/// A loop over tiles that is compiled for every tile size.
pub trait Tiled {
    /// Does the tile of `R` rows and `C` vectors whose first row is `row`.
    ///
    /// # Safety
    /// As [`Simd`]; the implementor's operands must hold such a tile.
    unsafe fn tile<V: Simd, const R: usize, const C: usize>(&mut self, row: usize);
}

/// Covers `rows` rows with tiles of `vectors` vectors, as even as possible: 26 rows with tiles of 12 are 9 + 9 + 8.
///
/// # Safety
/// As [`Tiled::tile`] for each of these rows; `vectors` is one of the widths that [`panels`] gives.
#[inline(always)]
pub unsafe fn cover_rows<V: Simd, T: Tiled>(work: &mut T, rows: usize, vectors: usize) {
    let tiles = rows.div_ceil(V::tile_rows(vectors)).max(1);
    let (even, longer) = (rows / tiles, rows % tiles);
    let mut row = 0;
    for i in 0..tiles {
        let n = even + usize::from(i < longer);
        // SAFETY: the rows from `row` to `row + n` are among `rows`.
        unsafe { one::<V, T>(work, row, n, vectors) };
        row += n;
    }
}

/// Picks the compiled tile of `rows` x `vectors`.
#[inline(always)]
unsafe fn one<V: Simd, T: Tiled>(work: &mut T, row: usize, rows: usize, vectors: usize) {
    macro_rules! pick {
        ($($c:literal: $($r:literal)*;)*) => {
            match (vectors, rows) {
                $($(($c, $r) if $c <= V::TILE_VECTORS && $r <= V::tile_rows($c) => unsafe { work.tile::<V, $r, $c>(row) },)*)*
                _ => debug_assert!(rows == 0, "unsupported tile of {rows} x {vectors}"),
            }
        };
    }
    // SAFETY: the caller's.
    pick! {
        4: 6 5 4 3 2 1;
        2: 13 12 11 10 9 8 7 6 5 4 3 2 1;
        1: 12 11 10 9 8 7 6 5 4 3 2 1;
    }
}

/// Cuts a row of `columns` outputs into panels: as many of the widest tile as fit, then narrower ones. Returns each
/// panel's first column and its width in vectors.
pub fn panels(columns: usize, lanes: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut left = columns.div_ceil(lanes);
    let mut column = 0;
    std::iter::from_fn(move || {
        let vectors = [8, 4, 2, 1].into_iter().find(|&v| v <= widest && v <= left)?;
        let first = column;
        left -= vectors;
        column += vectors * lanes;
        Some((first, vectors))
    })
}

/// Loads the `C` vectors of a panel of which `left` elements are there, zeros behind them. Only the last one may be cut.
///
/// # Safety
/// As [`Simd`]: the elements that are there must be readable, more than `C - 1` vectors.
#[inline(always)]
pub unsafe fn load_panel<V: Simd, const C: usize>(p: *const f32, left: usize) -> [V; C] {
    // SAFETY: the caller's.
    unsafe {
        let mut vectors = [V::splat(0.0); C];
        for c in 0..C - 1 {
            vectors[c] = V::load(p.add(c * V::LANES));
        }
        vectors[C - 1] = V::load_up_to(p.add((C - 1) * V::LANES), left - (C - 1) * V::LANES);
        vectors
    }
}

/// Stores the elements of a panel that are there, as [`load_panel`] loads them.
///
/// # Safety
/// As [`load_panel`], of what is written.
#[inline(always)]
pub unsafe fn store_panel<V: Simd, const C: usize>(vectors: [V; C], p: *mut f32, left: usize) {
    // SAFETY: the caller's.
    unsafe {
        for c in 0..C - 1 {
            vectors[c].store(p.add(c * V::LANES));
        }
        vectors[C - 1].store_up_to(p.add((C - 1) * V::LANES), left - (C - 1) * V::LANES);
    }
}

/// The width of a row of `columns`, rounded up to whole vectors.
pub fn padded(columns: usize, lanes: usize) -> usize {
    columns.next_multiple_of(lanes)
}
