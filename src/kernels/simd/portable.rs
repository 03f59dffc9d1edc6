//! The vector of every machine: an array.

use super::fma::fma;
use super::{Simd, TINY};

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
    // On x86-64 this is for machines without AVX2, where a multiply-add takes a dozen instructions: large tiles gain
    // nothing, and every tile size adds code.
    const SUMS: usize = if cfg!(target_arch = "x86_64") { 4 } else { 12 };
    #[inline(always)]
    fn tile_rows(vectors: usize) -> usize {
        Self::SUMS / vectors
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
    unsafe fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
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
        Portable(std::array::from_fn(|i| fma(self.0[i], b.0[i], c.0[i])))
    }
    #[inline(always)]
    unsafe fn fms(self, b: Self, c: Self) -> Self {
        Portable(std::array::from_fn(|i| fma(self.0[i], b.0[i], -c.0[i])))
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
    unsafe fn if_positive(self, gate: Self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| if gate.0[i] > 0.0 { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    unsafe fn or_greater(self, next: Self) -> Self {
        self.zip(next, |a, b| if b > a || b.is_nan() { b } else { a })
    }
    #[inline(always)]
    unsafe fn split_where_same(self, a: Self, b: Self) -> (Self, Self) {
        let same = |i: usize| a.0[i] == b.0[i] || a.0[i].is_nan();
        (
            Portable(std::array::from_fn(|i| if same(i) { self.0[i] } else { 0.0 })),
            Portable(std::array::from_fn(|i| if same(i) { 0.0 } else { self.0[i] })),
        )
    }
    #[inline(always)]
    unsafe fn without_tiny(self) -> Self {
        Portable(self.0.map(|x| if x.abs() < TINY { 0.0 } else { x }))
    }
    #[inline(always)]
    unsafe fn exp2_of_whole(self) -> Self {
        Portable(self.0.map(|x| f32::from_bits(((x as i32).wrapping_add(127) << 23) as u32)))
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        self.0.iter().enumerate().fold(0, |bits, (i, &x)| bits | u32::from(x != 0.0) << i)
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for (i, j) in (0..8).flat_map(|i| (0..8).map(move |j| (i, j))) {
            unsafe { *to.add(j * to_row + i) = *from.add(i * from_row + j) }
        }
    }
}
