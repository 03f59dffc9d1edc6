//! A vector of `f32`, whatever the machine calls it.
//!
//! Three implementations with the same results to the bit: AVX-512, AVX2 with FMA, and plain arrays. The arrays are
//! what other machines get: on aarch64, where fused multiply-add is part of the base, the compiler makes NEON of them.

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
    /// `self / b`, correctly rounded.
    unsafe fn div(self, b: Self) -> Self;
    /// The square root, correctly rounded.
    unsafe fn sqrt(self) -> Self;
    /// `self * b + c`, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// `self * b - c`, rounded once.
    unsafe fn fms(self, b: Self, c: Self) -> Self;
    /// Asks for the cache line at `p` before it is needed; any address will do.
    unsafe fn prefetch(p: *const f32);
    /// `0` where `self < 0`, else `self` (NaN and -0 stay).
    unsafe fn relu(self) -> Self;
    /// `self` where `gate > 0`, else `0`.
    unsafe fn where_positive(self, gate: Self) -> Self;

    /// Turns a block of `LANES` x `LANES`: element `(i, j)` goes from `from[i * from_row + j]` to `to[j * to_row + i]`.
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

/// Eight lanes in an array.
#[derive(Clone, Copy)]
pub struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Portable(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

// SAFETY (all of this implementation): plain arithmetic on arrays; pointers are good for what the trait says.
impl Simd for Portable {
    const LANES: usize = 8;
    const TILE_VECTORS: usize = 2;
    #[inline(always)]
    fn tile_rows(vectors: usize) -> usize {
        if vectors == 2 { 6 } else { 12 }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Portable([x; 8])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Portable(unsafe { p.cast::<[f32; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        let mut lanes = [0.0; 8];
        for (i, lane) in lanes[..n].iter_mut().enumerate() {
            *lane = unsafe { *p.add(i) };
        }
        Portable(lanes)
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe { p.cast::<[f32; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        for (i, lane) in self.0[..n].iter().enumerate() {
            unsafe { *p.add(i) = *lane }
        }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Portable(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn fms(self, b: Self, c: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i].mul_add(b.0[i], -c.0[i])))
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Portable(self.0.map(|x| if 0.0 > x { 0.0 } else { x }))
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        self.zip(gate, |x, g| if g > 0.0 { x } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for (i, j) in (0..8).flat_map(|i| (0..8).map(move |j| (i, j))) {
            unsafe { *to.add(j * to_row + i) = *from.add(i * from_row + j) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    /// Sixteen lanes, AVX-512F.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    /// The mask of the first `n < 16` lanes.
    #[inline(always)]
    fn first16(n: usize) -> __mmask16 {
        (1u16 << n) - 1
    }

    // SAFETY (all of this implementation): the trait's caller runs inside a function compiled for AVX-512F on a
    // machine that has it; pointers are good for what the trait says, and masked-out lanes are not touched.
    impl Simd for Avx512 {
        const LANES: usize = 16;
        const TILE_VECTORS: usize = 4;
        #[inline(always)]
        fn tile_rows(vectors: usize) -> usize {
            match vectors {
                4 => 6,  // 24 sums, 4 vectors of the operand, 1 broadcast
                2 => 13, // 26 sums, 2, 1
                _ => 12,
            }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx512(unsafe { _mm512_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx512(unsafe { _mm512_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn load_first(p: *const f32, n: usize) -> Self {
            Avx512(unsafe { _mm512_maskz_loadu_ps(first16(n), p) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm512_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, n: usize) {
            unsafe { _mm512_mask_storeu_ps(p, first16(n), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Avx512(unsafe { _mm512_add_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            Avx512(unsafe { _mm512_sub_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            Avx512(unsafe { _mm512_div_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn sqrt(self) -> Self {
            Avx512(unsafe { _mm512_sqrt_ps(self.0) })
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            Avx512(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn fms(self, b: Self, c: Self) -> Self {
            Avx512(unsafe { _mm512_fmsub_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn prefetch(p: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            // maxps gives its second operand when either is NaN or both are zeros.
            Avx512(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            unsafe {
                let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps());
                Avx512(_mm512_maskz_mov_ps(mask, self.0))
            }
        }
        /// In four rounds, each of which brings together elements from rows twice as far apart: by pairs and by fours
        /// inside the 128-bit quarters, then whole quarters.
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            unsafe {
                let mut rows = [_mm512_setzero_ps(); 16];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = _mm512_loadu_ps(from.add(i * from_row));
                }
                // Quarter q of columns[4g + c]: rows 4g to 4g + 3 of column 4q + c.
                let mut columns = rows;
                for g in 0..4 {
                    let [a, b, c, d] = [rows[4 * g], rows[4 * g + 1], rows[4 * g + 2], rows[4 * g + 3]];
                    let pd = |x| _mm512_castps_pd(x);
                    let (ab, cd) = (pd(_mm512_unpacklo_ps(a, b)), pd(_mm512_unpacklo_ps(c, d)));
                    let (ab_high, cd_high) = (pd(_mm512_unpackhi_ps(a, b)), pd(_mm512_unpackhi_ps(c, d)));
                    columns[4 * g] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
                    columns[4 * g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
                    columns[4 * g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
                    columns[4 * g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
                }
                for c in 0..4 {
                    let [a, b, d, e] = [columns[c], columns[4 + c], columns[8 + c], columns[12 + c]];
                    let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                    let (even2, odd2) = (_mm512_shuffle_f32x4::<0x88>(d, e), _mm512_shuffle_f32x4::<0xdd>(d, e));
                    _mm512_storeu_ps(to.add(c * to_row), _mm512_shuffle_f32x4::<0x88>(even, even2));
                    _mm512_storeu_ps(to.add((4 + c) * to_row), _mm512_shuffle_f32x4::<0x88>(odd, odd2));
                    _mm512_storeu_ps(to.add((8 + c) * to_row), _mm512_shuffle_f32x4::<0xdd>(even, even2));
                    _mm512_storeu_ps(to.add((12 + c) * to_row), _mm512_shuffle_f32x4::<0xdd>(odd, odd2));
                }
            }
        }
    }

    /// Eight lanes, AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);

    /// The mask of the first `n < 8` lanes: a window into eight ones followed by eight zeros.
    #[inline(always)]
    unsafe fn first8(n: usize) -> __m256i {
        static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: n <= 8, so that the eight integers from 8 - n on lie inside the sixteen.
        unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(8 - n.min(8)).cast()) }
    }

    // SAFETY (all of this implementation): the trait's caller runs inside a function compiled for AVX2 and FMA on a
    // machine that has them; pointers are good for what the trait says, and masked-out lanes are not touched.
    impl Simd for Avx2 {
        const LANES: usize = 8;
        const TILE_VECTORS: usize = 2;
        #[inline(always)]
        fn tile_rows(vectors: usize) -> usize {
            if vectors == 2 { 6 } else { 12 }
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> Self {
            Avx2(unsafe { _mm256_set1_ps(x) })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self {
            Avx2(unsafe { _mm256_loadu_ps(p) })
        }
        #[inline(always)]
        unsafe fn load_first(p: *const f32, n: usize) -> Self {
            Avx2(unsafe { _mm256_maskload_ps(p, first8(n)) })
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32) {
            unsafe { _mm256_storeu_ps(p, self.0) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, n: usize) {
            unsafe { _mm256_maskstore_ps(p, first8(n), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Avx2(unsafe { _mm256_add_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            Avx2(unsafe { _mm256_sub_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            Avx2(unsafe { _mm256_div_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn sqrt(self) -> Self {
            Avx2(unsafe { _mm256_sqrt_ps(self.0) })
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            Avx2(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn fms(self, b: Self, c: Self) -> Self {
            Avx2(unsafe { _mm256_fmsub_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn prefetch(p: *const f32) {
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
        #[inline(always)]
        unsafe fn relu(self) -> Self {
            Avx2(unsafe { _mm256_max_ps(_mm256_setzero_ps(), self.0) })
        }
        #[inline(always)]
        unsafe fn where_positive(self, gate: Self) -> Self {
            unsafe {
                let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, _mm256_setzero_ps());
                Avx2(_mm256_and_ps(mask, self.0))
            }
        }
        /// As AVX-512's, with halves for quarters.
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            unsafe {
                let mut rows = [_mm256_setzero_ps(); 8];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = _mm256_loadu_ps(from.add(i * from_row));
                }
                let mut columns = rows;
                for g in 0..2 {
                    let [a, b, c, d] = [rows[4 * g], rows[4 * g + 1], rows[4 * g + 2], rows[4 * g + 3]];
                    let pd = |x| _mm256_castps_pd(x);
                    let (ab, cd) = (pd(_mm256_unpacklo_ps(a, b)), pd(_mm256_unpacklo_ps(c, d)));
                    let (ab_high, cd_high) = (pd(_mm256_unpackhi_ps(a, b)), pd(_mm256_unpackhi_ps(c, d)));
                    columns[4 * g] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
                    columns[4 * g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
                    columns[4 * g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
                    columns[4 * g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
                }
                for c in 0..4 {
                    let (a, b) = (columns[c], columns[4 + c]);
                    _mm256_storeu_ps(to.add(c * to_row), _mm256_permute2f128_ps::<0x20>(a, b));
                    _mm256_storeu_ps(to.add((4 + c) * to_row), _mm256_permute2f128_ps::<0x31>(a, b));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::isa::Kernel;

    const A: [f32; 16] =
        [1.5, -2.5, 0.0, -0.0, 1e-40, -1e-40, 3e38, -3e38, 0.1, 0.2, 0.3, f32::INFINITY, -1.0, 7.0, 1e-7, f32::NAN];
    const B: [f32; 16] = [0.3, 0.7, -0.0, 5.0, 1.0, -1.0, 10.0, 0.5, 1e-3, -3.0, 1.0 / 3.0, 2.0, 1e9, 1e-9, 4.0, 2.0];

    /// Every operation on awkward values, as bits: nine rows of sixteen.
    struct Everything;

    impl Kernel for Everything {
        type Output = Vec<[u32; 16]>;
        #[inline(always)]
        fn run<V: Simd>(self) -> Self::Output {
            let mut rows = vec![[0f32; 16]; 9];
            for at in (0..16).step_by(V::LANES) {
                // SAFETY: sixteen elements stand at each pointer, and `at` leaves room for a vector.
                unsafe {
                    let (a, b) = (V::load(A.as_ptr().add(at)), V::load(B.as_ptr().add(at)));
                    let results = [a.add(b), a.sub(b), a.div(b), a.sqrt(), a.fma(b, b), a.fms(b, b), a.relu()];
                    for (row, v) in rows.iter_mut().zip(results) {
                        v.store(row.as_mut_ptr().add(at));
                    }
                    a.where_positive(b).store(rows[7].as_mut_ptr().add(at));
                    let n = 11usize.saturating_sub(at).min(V::LANES);
                    V::load_up_to(A.as_ptr().add(at), n)
                        .add(V::splat(1.0))
                        .store_up_to(rows[8].as_mut_ptr().add(at), n);
                }
            }
            // Which bits a NaN has is nobody's promise; that it is one is.
            rows.iter().map(|row| row.map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() })).collect()
        }
    }

    struct Transpose<'a>(&'a [f32], &'a mut [f32]);

    impl Kernel for Transpose<'_> {
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
        for isa in Isa::available() {
            assert_eq!(isa.run(Everything), portable, "{isa:?}");
        }
    }
}
