//! WebAssembly's vectors.
//!
//! Its base has no fused multiply-add. Relaxed SIMD has an instruction that may be one: the engine decides whether it
//! rounds once or twice, for the lifetime of a module. So it is tested ([`Relaxed::fuses`]), and used if it fuses;
//! otherwise the sum is computed exactly in double precision, at about ten times the cost. The bits are the same.

use super::{Simd, TINY};
use std::arch::wasm32::*;
use std::marker::PhantomData;

/// Eight lanes in two vectors of four.
#[derive(Clone, Copy)]
pub struct Wasm<F>(v128, v128, PhantomData<F>);

/// A method to compute four lanes of `a * b + c`.
pub trait MultiplyAdd: Copy {
    /// `a * b + c`
    fn fma(a: v128, b: v128, c: v128) -> v128;
}

/// With double precision, which every engine has.
#[derive(Clone, Copy)]
pub struct Exact;

impl MultiplyAdd for Exact {
    #[inline(always)]
    fn fma(a: v128, b: v128, c: v128) -> v128 {
        let high = |x| f64x2_promote_low_f32x4(i32x4_shuffle::<2, 3, 2, 3>(x, x));
        let low = |x| f64x2_promote_low_f32x4(x);
        let (low, high) = (rounded_to_odd(low(a), low(b), low(c)), rounded_to_odd(high(a), high(b), high(c)));
        i32x4_shuffle::<0, 1, 4, 5>(f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high))
    }
}

/// `a * b + c` of two lanes that were `f32`, the product being exact then: where the sum is not, the nearest number towards 0, its
/// last bit set. Rounding that to `f32` is rounding the exact sum (Boldo and Melquiond 2008, "Emulation of a FMA and
/// correctly rounded sums: proved algorithms using rounding to odd").
#[inline(always)]
fn rounded_to_odd(a: v128, b: v128, c: v128) -> v128 {
    let product = f64x2_mul(a, b);
    let sum = f64x2_add(product, c);
    let of_c = f64x2_sub(sum, product);
    // What the sum lacks (Knuth's TwoSum); NaN where the sum is not finite.
    let rest = f64x2_add(f64x2_sub(product, f64x2_sub(sum, of_c)), f64x2_sub(c, of_c));
    let inexact = f64x2_gt(f64x2_abs(rest), f64x2_splat(0.0));
    let too_far = u64x2_shr(v128_and(v128_xor(sum, rest), inexact), 63); // 1 where the sum was rounded away from 0
    v128_or(i64x2_sub(sum, too_far), u64x2_shr(inexact, 63))
}

/// With two roundings: other bits, but faster without relaxed SIMD.
#[cfg(not(target_feature = "relaxed-simd"))]
#[derive(Clone, Copy)]
pub struct Twice;

#[cfg(not(target_feature = "relaxed-simd"))]
impl MultiplyAdd for Twice {
    #[inline(always)]
    fn fma(a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
}

/// With relaxed SIMD.
#[cfg(target_feature = "relaxed-simd")]
#[derive(Clone, Copy)]
pub struct Relaxed;

#[cfg(target_feature = "relaxed-simd")]
impl Relaxed {
    /// Whether this engine rounds once, also for denormals: whether it agrees with [`Exact`] for products that two
    /// roundings would get wrong.
    pub fn fuses() -> bool {
        let tiny = f32::from_bits(1);
        let near_one = 1.0 + f32::EPSILON;
        let cases = [
            (near_one, near_one, -1.0),
            (near_one, near_one - 2.0 * f32::EPSILON, -1.0),
            (1.0 / 3.0, 3.0, -1.0),
            (1e20, 1e20, -f32::MAX),
            (near_one, f32::MIN_POSITIVE, -f32::MIN_POSITIVE),
            (1.5, tiny, tiny),
            (0.5, tiny, tiny),
            (near_one * 1e-20, near_one * 1e-20, f32::MIN_POSITIVE / 2.0),
        ];
        cases.iter().all(|&(a, b, c)| {
            let [a, b, c] = [a, b, c].map(|x| f32x4_splat(std::hint::black_box(x)));
            i32x4_all_true(i32x4_eq(Self::fma(a, b, c), Exact::fma(a, b, c)))
        })
    }
}

#[cfg(target_feature = "relaxed-simd")]
impl MultiplyAdd for Relaxed {
    #[inline(always)]
    fn fma(a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }
}

impl<F> Wasm<F> {
    #[inline(always)]
    fn each(self, f: impl Fn(v128) -> v128) -> Self {
        Wasm(f(self.0), f(self.1), PhantomData)
    }

    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(v128, v128) -> v128) -> Self {
        Wasm(f(self.0, b.0), f(self.1, b.1), PhantomData)
    }

    #[inline(always)]
    fn zip3(self, b: Self, c: Self, f: impl Fn(v128, v128, v128) -> v128) -> Self {
        Wasm(f(self.0, b.0, c.0), f(self.1, b.1, c.1), PhantomData)
    }
}

#[inline(always)]
fn is_positive(x: v128) -> v128 {
    f32x4_gt(x, f32x4_splat(0.0))
}

#[inline(always)]
fn is_nan(x: v128) -> v128 {
    f32x4_ne(x, x)
}

/// The first `n` of four elements, zeros behind them; four or more are all.
///
/// # Safety
/// So many must be readable.
#[inline(always)]
unsafe fn load_some(p: *const f32, n: usize) -> v128 {
    // SAFETY: the caller's.
    unsafe {
        match n {
            0 => f32x4_splat(0.0),
            1 => v128_load32_zero(p.cast()),
            2 => v128_load64_zero(p.cast()),
            3 => v128_load32_lane::<2>(v128_load64_zero(p.cast()), p.add(2).cast()),
            _ => v128_load(p.cast()),
        }
    }
}

/// Stores as many as [`load_some`] loads.
///
/// # Safety
/// So many must be writable.
#[inline(always)]
unsafe fn store_some(x: v128, p: *mut f32, n: usize) {
    // SAFETY: the caller's.
    unsafe {
        match n {
            0 => (),
            1 => v128_store32_lane::<0>(x, p.cast()),
            2 => v128_store64_lane::<0>(x, p.cast()),
            3 => {
                v128_store64_lane::<0>(x, p.cast());
                v128_store32_lane::<2>(x, p.add(2).cast());
            }
            _ => v128_store(p.cast(), x),
        }
    }
}

// SAFETY (all of this implementation): a module with these instructions runs only where there are all of them; pointers are
// good for what the trait says, and lanes past the `n` first are not touched.
impl<F: MultiplyAdd> Simd for Wasm<F> {
    const LANES: usize = 8;
    // Sums, operands and a broadcast fill the fifteen registers that engines have on x86-64.
    const TILE_VECTORS: usize = 1;
    const SUMS: usize = 6;
    #[inline(always)]
    fn tile_rows(_: usize) -> usize {
        6
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Wasm(f32x4_splat(x), f32x4_splat(x), PhantomData)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        unsafe { Wasm(v128_load(p.cast()), v128_load(p.add(4).cast()), PhantomData) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        unsafe { Wasm(load_some(p, n), load_some(p.wrapping_add(4), n.saturating_sub(4)), PhantomData) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        unsafe {
            v128_store(p.cast(), self.0);
            v128_store(p.add(4).cast(), self.1);
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        unsafe {
            store_some(self.0, p, n);
            store_some(self.1, p.wrapping_add(4), n.saturating_sub(4));
        }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| f32x4_add(a, b))
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| f32x4_sub(a, b))
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| f32x4_mul(a, b))
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| f32x4_div(a, b))
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        self.each(|x| f32x4_sqrt(x))
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        self.zip3(b, c, F::fma)
    }
    #[inline(always)]
    unsafe fn fms(self, b: Self, c: Self) -> Self {
        self.zip3(b, c, |a, b, c| F::fma(a, b, f32x4_neg(c)))
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        self.each(|x| f32x4_pmax(x, f32x4_splat(0.0))) // x < 0 ? 0 : x
    }
    #[inline(always)]
    unsafe fn where_positive(self, gate: Self) -> Self {
        self.zip(gate, |x, gate| v128_and(x, is_positive(gate)))
    }
    #[inline(always)]
    unsafe fn if_positive(self, gate: Self, other: Self) -> Self {
        self.zip3(gate, other, |x, gate, other| v128_bitselect(x, other, is_positive(gate)))
    }
    #[inline(always)]
    unsafe fn or_greater(self, next: Self) -> Self {
        self.zip(next, |x, next| v128_bitselect(next, f32x4_pmax(x, next), is_nan(next)))
    }
    #[inline(always)]
    unsafe fn split_where_same(self, a: Self, b: Self) -> (Self, Self) {
        let same = a.zip(b, |a, b| v128_or(f32x4_eq(a, b), is_nan(a)));
        (self.zip(same, |x, same| v128_and(x, same)), self.zip(same, |x, same| v128_andnot(x, same)))
    }
    #[inline(always)]
    unsafe fn without_tiny(self) -> Self {
        self.each(|x| v128_andnot(x, f32x4_lt(f32x4_abs(x), f32x4_splat(TINY))))
    }
    #[inline(always)]
    unsafe fn exp2_of_whole(self) -> Self {
        self.each(|x| i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(x), i32x4_splat(127)), 23))
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        let bits = |x| u32::from(i32x4_bitmask(f32x4_ne(x, f32x4_splat(0.0))));
        bits(self.0) | bits(self.1) << 4
    }
    /// In blocks of four by four, each by pairs and then by halves.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for (i, j) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            // SAFETY: the block is one of the caller's four.
            unsafe {
                let row = |r: usize| v128_load(from.add((i + r) * from_row + j).cast());
                let (a, b, c, d) = (row(0), row(1), row(2), row(3));
                let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
                let (ab_high, cd_high) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
                let store = |c: usize, x| v128_store(to.add((j + c) * to_row + i).cast(), x);
                store(0, i64x2_shuffle::<0, 2>(ab, cd));
                store(1, i64x2_shuffle::<1, 3>(ab, cd));
                store(2, i64x2_shuffle::<0, 2>(ab_high, cd_high));
                store(3, i64x2_shuffle::<1, 3>(ab_high, cd_high));
            }
        }
    }
}
