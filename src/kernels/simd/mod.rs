//! A vector of `f32`, independent of the machine.
//!
//! Three implementations with the same results to the bit: AVX-512, AVX2 with FMA, and plain arrays. Other machines use
//! the arrays: on aarch64, where fused multiply-add is part of the base instruction set, the compiler turns them into
//! NEON. WebAssembly uses its own vectors instead.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(not(target_feature = "simd128"))]
mod fma;
mod lanes;
#[cfg(not(target_feature = "simd128"))]
mod portable;
#[cfg(target_feature = "simd128")]
mod wasm;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use lanes::Lanes;
#[cfg(not(target_feature = "simd128"))]
pub use portable::Portable;
#[cfg(target_feature = "relaxed-simd")]
pub use wasm::{Relaxed, Wasm};
#[cfg(all(target_feature = "simd128", not(target_feature = "relaxed-simd")))]
pub use wasm::{Twice, Wasm};
/// The vector that every machine has.
#[cfg(target_feature = "simd128")]
pub type Portable = wasm::Wasm<wasm::Exact>;

/// Values below this are flushed to zero where they would persist. Denormals (below 2^-126) make some processors a
/// hundred times slower, and values that shrink by a factor per step must become zero before that.
pub const TINY: f32 = f32::MIN_POSITIVE * 64.0; // 2^-120

/// A vector of [`LANES`](Simd::LANES) `f32`.
///
/// # Safety
/// Every method may be called only while running on a machine that has the instruction set, inside a function compiled
/// for it (see [`Isa::run`](super::Isa::run)); pointers must be good for the number of elements named.
#[allow(clippy::missing_safety_doc)] // one rule for all of them, above
pub trait Simd: Copy {
    /// Elements in a vector.
    const LANES: usize;
    /// The most vectors a register tile is wide.
    const TILE_VECTORS: usize;
    /// The most sums that fit the registers when the other operand comes from memory.
    const SUMS: usize;
    /// How many rows a register tile has when it is `vectors` wide, so that tile and operands fit the registers.
    fn tile_rows(vectors: usize) -> usize;

    /// All lanes `x`.
    unsafe fn splat(x: f32) -> Self;
    /// `LANES` elements from `p` on.
    unsafe fn load(p: *const f32) -> Self;
    /// `n < LANES` elements from `p` on; the other lanes are zero and not read.
    unsafe fn load_first(p: *const f32, n: usize) -> Self;
    /// Writes all lanes.
    unsafe fn store(self, p: *mut f32);
    /// Writes the first `n < LANES` lanes.
    unsafe fn store_first(self, p: *mut f32, n: usize);
    /// `self + b`
    unsafe fn add(self, b: Self) -> Self;
    /// `self - b`
    unsafe fn sub(self, b: Self) -> Self;
    /// `self * b`
    unsafe fn mul(self, b: Self) -> Self;
    /// `self / b`, correctly rounded.
    unsafe fn div(self, b: Self) -> Self;
    /// The square root, correctly rounded.
    unsafe fn sqrt(self) -> Self;
    /// `self * b + c`, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// `self * b - c`, rounded once.
    unsafe fn fms(self, b: Self, c: Self) -> Self;
    /// Prefetches the cache line at `p`; any address is allowed.
    unsafe fn prefetch(p: *const f32);
    /// `0` where `self < 0`, else `self` (NaN and -0 stay).
    unsafe fn relu(self) -> Self;
    /// `self` where `gate > 0`, else `0`.
    unsafe fn where_positive(self, gate: Self) -> Self;
    /// `self` where `gate > 0`, else `other`.
    unsafe fn if_positive(self, gate: Self, other: Self) -> Self;
    /// The maximum: `next` where it is greater or NaN, else `self`, so that NaN stays, and of equals the first.
    unsafe fn or_greater(self, next: Self) -> Self;
    /// `self` where `a` is `b` or NaN, else `0`; and the other way round.
    unsafe fn split_where_same(self, a: Self, b: Self) -> (Self, Self);
    /// `0` where `|self| < `[`TINY`], else `self` (NaN stays).
    unsafe fn without_tiny(self) -> Self;
    /// `2^self` for whole numbers from -126 to 127; undefined for others.
    unsafe fn exp2_of_whole(self) -> Self;
    /// A bit for each lane, the first one lowest: whether it is not zero. NaN is not, nor is the smallest number.
    unsafe fn nonzero(self) -> u32;

    /// Transposes a block of `LANES` x `LANES`: element `(i, j)` goes from `from[i * from_row + j]` to `to[j * to_row +
    /// i]`.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);

    /// Loads `n` elements, `n` being `LANES` or fewer.
    #[inline(always)]
    unsafe fn load_up_to(p: *const f32, n: usize) -> Self {
        // SAFETY: the caller vouches for `n` elements, and `n` picks the load that reads no more.
        unsafe { if n >= Self::LANES { Self::load(p) } else { Self::load_first(p, n) } }
    }

    /// Stores `n` elements, `n` being `LANES` or fewer.
    #[inline(always)]
    unsafe fn store_up_to(self, p: *mut f32, n: usize) {
        // SAFETY: the caller vouches for `n` elements, and `n` picks the store that writes no more.
        unsafe { if n >= Self::LANES { self.store(p) } else { self.store_first(p, n) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::isa::SimdLoop;

    const A: [f32; 16] =
        [1.5, -2.5, 0.0, -0.0, 1e-40, -1e-40, 3e38, -3e38, 0.1, 0.2, 0.3, f32::INFINITY, -1.0, 7.0, 1e-7, f32::NAN];
    const B: [f32; 16] = [0.3, 0.7, -0.0, 5.0, 1.0, -1.0, 10.0, 0.5, 1e-3, -3.0, 1.0 / 3.0, 2.0, 1e9, 1e-9, 4.0, 2.0];

    const WHOLE: [f32; 16] =
        [-126.0, -125.0, -100.0, -24.0, -23.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0, 23.0, 24.0, 126.0, 127.0];

    /// Every operation on edge-case values, compared as bits: sixteen rows of sixteen.
    struct Everything;

    impl SimdLoop for Everything {
        type Output = Vec<[u32; 16]>;
        #[inline(always)]
        fn run<V: Simd>(self) -> Self::Output {
            let mut rows = vec![[0f32; 16]; 16];
            for at in (0..16).step_by(V::LANES) {
                // SAFETY: sixteen elements stand at each pointer, and `at` leaves room for a vector.
                unsafe {
                    let (a, b) = (V::load(A.as_ptr().add(at)), V::load(B.as_ptr().add(at)));
                    let results = [a.add(b), a.sub(b), a.div(b), a.sqrt(), a.fma(b, b), a.fms(b, b), a.relu()];
                    for (row, v) in rows.iter_mut().zip(results) {
                        v.store(row.as_mut_ptr().add(at));
                    }
                    a.where_positive(b).store(rows[7].as_mut_ptr().add(at));
                    a.without_tiny().store(rows[9].as_mut_ptr().add(at));
                    V::load(WHOLE.as_ptr().add(at)).exp2_of_whole().store(rows[15].as_mut_ptr().add(at));
                    let (same, other) = b.split_where_same(a, V::splat(-0.0));
                    let more = [a.mul(b), a.if_positive(b, V::splat(0.5)), a.or_greater(b), same, other];
                    for (row, v) in rows[10..].iter_mut().zip(more) {
                        v.store(row.as_mut_ptr().add(at));
                    }
                    let n = 11usize.saturating_sub(at).min(V::LANES);
                    V::load_up_to(A.as_ptr().add(at), n)
                        .add(V::splat(1.0))
                        .store_up_to(rows[8].as_mut_ptr().add(at), n);
                }
            }
            rows.iter().map(|row| row.map(bits)).collect()
        }
    }

    /// The bits of a NaN are unspecified; that it is NaN is not.
    fn bits(x: f32) -> u32 {
        if x.is_nan() { u32::MAX } else { x.to_bits() }
    }

    struct Transpose<'a>(&'a [f32], &'a mut [f32]);

    impl SimdLoop for Transpose<'_> {
        type Output = usize;
        #[inline(always)]
        fn run<V: Simd>(self) -> usize {
            assert!(self.0.len() >= 16 * 17 && self.1.len() >= 16 * 18);
            // SAFETY: sixteen rows of sixteen hold any block.
            unsafe { V::transpose(self.0.as_ptr(), 17, self.1.as_mut_ptr(), 18) };
            V::LANES
        }
    }

    #[test]
    fn blocks_are_transposed() {
        let from: Vec<f32> = (0..16 * 17).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let mut to = vec![-1.0; 16 * 18];
            let lanes = isa.run(Transpose(&from, &mut to));
            for (i, j) in (0..16).flat_map(|i| (0..16).map(move |j| (i, j))) {
                let expected = if i < lanes && j < lanes { from[i * 17 + j] } else { -1.0 };
                assert_eq!(to[j * 18 + i], expected, "{isa:?} {i} {j}");
            }
        }
    }

    #[test]
    fn every_set_gives_the_same_bits() {
        let portable = Isa::PORTABLE.run(Everything);
        assert_eq!(portable[6][15], u32::MAX, "relu keeps NaN");
        assert_eq!(
            (portable[6][3], portable[6][1]),
            ((-0.0f32).to_bits(), 0),
            "relu keeps -0 and clears what is below"
        );
        assert_eq!((f32::from_bits(portable[8][10]), portable[8][11]), (1.3, 0), "partial loads and stores");
        let kept = A.map(|x| x.is_nan() || x.abs() > 1e-39);
        assert_eq!(portable[9], std::array::from_fn(|i| if kept[i] { bits(A[i]) } else { 0 }), "tiny ones go");
        let greater = |i: usize| if B[i] > A[i] || B[i].is_nan() { B[i] } else { A[i] };
        assert_eq!(portable[12], std::array::from_fn(|i| bits(greater(i))), "the greater, or NaN");
        let same = |i: usize| A[i] == 0.0 || A[i].is_nan();
        assert_eq!(portable[13], std::array::from_fn(|i| if same(i) { bits(B[i]) } else { 0 }));
        assert_eq!(portable[14], std::array::from_fn(|i| if same(i) { 0 } else { bits(B[i]) }));
        assert_eq!(portable[15], WHOLE.map(|n| 2f32.powi(n as i32).to_bits()));
        for isa in Isa::available() {
            assert_eq!(isa.run(Everything), portable, "{isa:?}");
        }
    }
}
