//! AVX-512.

use super::{Simd, TINY};
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
    const SUMS: usize = 18;
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
    unsafe fn mul(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_mul_ps(self.0, b.0) })
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
    #[inline(always)]
    unsafe fn if_positive(self, gate: Self, other: Self) -> Self {
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps());
            Avx512(_mm512_mask_mov_ps(other.0, mask, self.0))
        }
    }
    #[inline(always)]
    unsafe fn or_greater(self, next: Self) -> Self {
        unsafe {
            let greater = _mm512_max_ps(next.0, self.0);
            Avx512(_mm512_mask_mov_ps(greater, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(next.0, next.0), next.0))
        }
    }
    #[inline(always)]
    unsafe fn split_where_same(self, a: Self, b: Self) -> (Self, Self) {
        unsafe {
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a.0, a.0);
            let same = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a.0, b.0) | nan;
            (Avx512(_mm512_maskz_mov_ps(same, self.0)), Avx512(_mm512_maskz_mov_ps(!same, self.0)))
        }
    }
    #[inline(always)]
    unsafe fn without_tiny(self) -> Self {
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self.0), _mm512_set1_ps(TINY));
            Avx512(_mm512_maskz_mov_ps(mask, self.0))
        }
    }
    #[inline(always)]
    unsafe fn exp2_of_whole(self) -> Self {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Avx512(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased)))
        }
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        unsafe { u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps())) }
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
