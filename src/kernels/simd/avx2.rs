//! AVX2 with FMA.

use super::{Simd, TINY};
use std::arch::x86_64::*;

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
    const SUMS: usize = 12;
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
    unsafe fn store_first(self, mut p: *mut f32, n: usize) {
        // Not vmaskmovps, which takes some forty micro-operations on AMD processors.
        unsafe {
            let mut rest = _mm256_castps256_ps128(self.0);
            if n & 4 != 0 {
                _mm_storeu_ps(p, rest);
                (p, rest) = (p.add(4), _mm256_extractf128_ps::<1>(self.0));
            }
            if n & 2 != 0 {
                _mm_storel_epi64(p.cast(), _mm_castps_si128(rest));
                (p, rest) = (p.add(2), _mm_movehl_ps(rest, rest));
            }
            if n & 1 != 0 {
                _mm_store_ss(p, rest);
            }
        }
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
    unsafe fn mul(self, b: Self) -> Self {
        Avx2(unsafe { _mm256_mul_ps(self.0, b.0) })
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
    #[inline(always)]
    unsafe fn if_positive(self, gate: Self, other: Self) -> Self {
        unsafe {
            let mask = _mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, _mm256_setzero_ps());
            Avx2(_mm256_blendv_ps(other.0, self.0, mask))
        }
    }
    #[inline(always)]
    unsafe fn or_greater(self, next: Self) -> Self {
        unsafe {
            // maxps gives its second operand when either is NaN or both are zeros.
            let greater = _mm256_max_ps(next.0, self.0);
            Avx2(_mm256_blendv_ps(greater, next.0, _mm256_cmp_ps::<_CMP_UNORD_Q>(next.0, next.0)))
        }
    }
    #[inline(always)]
    unsafe fn split_where_same(self, a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(a.0, a.0);
            let same = _mm256_or_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a.0, b.0), nan);
            (Avx2(_mm256_and_ps(same, self.0)), Avx2(_mm256_andnot_ps(same, self.0)))
        }
    }
    #[inline(always)]
    unsafe fn without_tiny(self) -> Self {
        unsafe {
            let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0);
            Avx2(_mm256_and_ps(_mm256_cmp_ps::<_CMP_NLT_UQ>(size, _mm256_set1_ps(TINY)), self.0))
        }
    }
    #[inline(always)]
    unsafe fn exp2_of_whole(self) -> Self {
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            Avx2(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased)))
        }
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0, _mm256_setzero_ps())) as u32 }
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
