//! Sums that skip products with zero: the second inner loop of this crate, besides [`tile`](super::tile).
//!
//! Relu produces zeros. In the tutorial's second convolution three outputs in four are zero after a few hundred
//! training steps, later more, and where relu gave zero the gradient is zero too. A product with zero adds nothing and
//! can be skipped:
//!
//! ```text
//!                     C vectors a run, R runs
//!   factors           rows
//!   x[0] = 0          ---------------------          not read
//!   x[1]      *     | row 1: .... .... .... |  +
//!   x[2] = 0          ---------------------          not read
//!   x[3]      *     | row 3: .... .... .... |  =  sums, in registers
//!   mask 1010
//! ```
//!
//! Which factors are zero is found for 64 of them at once and kept in a word, a bit each. A step costs as many loads as
//! multiply-adds, where a register tile has fewer: with no zeros at all the tile is up to a third faster.
//!
//! Skipping `0 * y` does not change any bit of a sum as long as `y` is finite; what is skipped depends only on the
//! values, so every instruction set and any number of threads skip the same.

#![allow(clippy::needless_range_loop)] // an iterator that is not inlined costs a factor of ten here

use super::isa::{Isa, SimdLoop};
use super::simd::Simd;
use super::tile::Sums;

/// Factors in a word.
pub const WORD: usize = 64;

/// A bit for each of the `n <= WORD` elements from `p` on: whether it is not zero (NaN is not). The others are 0.
///
/// # Safety
/// As [`Simd`]: `n` elements must be readable.
#[inline(always)]
pub unsafe fn nonzero<V: Simd>(p: *const f32, n: usize) -> u64 {
    let mut word = 0;
    for i in (0..n).step_by(V::LANES) {
        // SAFETY: the caller's; `n - i` elements are left.
        let bits = unsafe { V::load_up_to(p.add(i), n - i).nonzero() };
        word |= u64::from(bits) << i;
    }
    word
}

/// The indices of the set bits of a word, ascending.
#[derive(Clone, Copy)]
pub struct SetBits(pub u64);

impl Iterator for SetBits {
    type Item = usize;
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        let word = self.0;
        self.0 &= word.wrapping_sub(1);
        (word != 0).then_some(place)
    }
}

/// Adds the rows whose factor is not zero: for each set bit of `mask`, in order, `sums[r][c] += factor * row[r][c]`.
///
/// `factor` and `row` give the pointers to the factor and the row of an index; the runs of a row are `run` elements
/// apart.
///
/// # Safety
/// As [`Simd`]: for each one of the mask the factor and `R` runs of `C` vectors must be readable.
#[inline(always)]
pub unsafe fn multiply_add_rows<V: Simd, const R: usize, const C: usize>(
    sums: &mut Sums<V, R, C>,
    mask: u64,
    factor: impl Fn(usize) -> *const f32,
    row: impl Fn(usize) -> *const f32,
    run: usize,
) {
    for place in SetBits(mask) {
        // SAFETY: the caller's.
        unsafe {
            let x = V::splat(*factor(place));
            let row = row(place);
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = x.fma(V::load(row.add(r * run + c * V::LANES)), sums[r][c]);
                }
            }
        }
    }
}

/// How many elements are not zero, and of how many, in every seventeenth row of a matrix: enough to choose a method, and
/// the same on every machine. `matrix` is its rows from `first` on, `[rows, width]`.
pub fn count(isa: Isa, matrix: &[f32], width: usize, first: usize) -> [usize; 2] {
    isa.run(Count { matrix, width: width.max(1), skip: (EVERY - first % EVERY) % EVERY })
}

/// The distance of the rows that are counted.
const EVERY: usize = 17;

struct Count<'a> {
    matrix: &'a [f32],
    width: usize,
    /// Rows before the first that is looked at.
    skip: usize,
}

impl SimdLoop for Count<'_> {
    type Output = [usize; 2];
    #[inline(always)]
    fn run<V: Simd>(self) -> [usize; 2] {
        let (mut ones, mut elements) = (0, 0);
        for row in self.matrix.chunks_exact(self.width).skip(self.skip).step_by(EVERY) {
            for part in row.chunks(WORD) {
                // SAFETY: the slice's own length, at most a word's.
                ones += unsafe { nonzero::<V>(part.as_ptr(), part.len()) }.count_ones() as usize;
            }
            elements += self.width;
        }
        [ones, elements]
    }
}

/// Transposes a matrix of 64 x 64 bits: bit `j` of word `i` becomes bit `i` of word `j`.
///
/// Warren, Hacker's Delight, 7-3: halves are swapped, then quarters, and so on.
pub fn transpose_bits(words: &mut [u64; WORD]) {
    let mut width = WORD / 2;
    let mut low = u64::MAX >> width; // the lower half of each pair of fields
    while width > 0 {
        for i in (0..WORD).filter(|i| i & width == 0) {
            let swap = ((words[i] >> width) ^ words[i + width]) & low;
            words[i] ^= swap << width;
            words[i + width] ^= swap;
        }
        width /= 2;
        low ^= low << width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_change_places() {
        let mut words: [u64; WORD] = std::array::from_fn(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ i as u64);
        let before = words;
        transpose_bits(&mut words);
        for (i, j) in (0..WORD).flat_map(|i| (0..WORD).map(move |j| (i, j))) {
            assert_eq!(words[j] >> i & 1, before[i] >> j & 1, "{i} {j}");
        }
    }

    #[test]
    fn the_share_of_a_sample() {
        let matrix: Vec<f32> = (0..18 * 4).map(|i| if i < 4 || i % 4 == 0 { 0.0 } else { 1.0 }).collect();
        assert_eq!(count(Isa::PORTABLE, &matrix, 4, 0), [3, 8], "rows 0 and 17");
        assert_eq!(count(Isa::PORTABLE, &matrix[4..], 4, 1), [3, 4], "row 17");
        assert_eq!(count(Isa::PORTABLE, &matrix[4..68], 4, 1), [0, 0]);
        assert_eq!(count(Isa::PORTABLE, &[], 4, 0), [0, 0]);
    }

    #[test]
    fn ones_in_order() {
        assert_eq!(SetBits(1 << 63 | 0b1010).collect::<Vec<_>>(), [1, 3, 63]);
        assert_eq!(SetBits(0).count(), 0);
    }

    struct Mask<'a>(&'a [f32]);

    impl SimdLoop for Mask<'_> {
        type Output = u64;
        #[inline(always)]
        fn run<V: Simd>(self) -> u64 {
            // SAFETY: the slice's own length.
            unsafe { nonzero::<V>(self.0.as_ptr(), self.0.len()) }
        }
    }

    #[test]
    fn masks_of_any_length() {
        let values: Vec<f32> = (0..WORD).map(|i| [0.0, 1.0, -0.0, -1e-40, f32::NAN][i % 5]).collect();
        for (isa, n) in Isa::available().flat_map(|isa| (0..=WORD).map(move |n| (isa, n))) {
            let expected = (0..n).filter(|i| [1, 3, 4].contains(&(i % 5))).fold(0u64, |word, i| word | 1 << i);
            assert_eq!(isa.run(Mask(&values[..n])), expected, "{isa:?} {n}");
        }
    }
}
