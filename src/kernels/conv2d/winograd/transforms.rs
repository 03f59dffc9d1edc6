//! The transforms of vectors and of whole tiles by Winograd's matrices, which the formulas above the convolution name.

use super::TILE;
use crate::kernels::simd::Simd;

/// `B' d` of six vectors.
#[inline(always)]
unsafe fn transform_input<V: Simd>(d: [V; 6]) -> [V; 6] {
    // SAFETY: the caller runs on V's instruction set.
    unsafe {
        let a = d[2].fma(V::splat(-4.0), d[4]);
        let b = d[1].fma(V::splat(-4.0), d[3]);
        let c = d[4].sub(d[2]);
        let e = d[3].sub(d[1]);
        let e = e.add(e);
        [
            d[0].fma(V::splat(4.0), d[2].fma(V::splat(-5.0), d[4])),
            a.add(b),
            a.sub(b),
            c.add(e),
            c.sub(e),
            d[1].fma(V::splat(4.0), d[3].fma(V::splat(-5.0), d[5])),
        ]
    }
}

/// `G g` of three vectors.
#[inline(always)]
pub(super) unsafe fn transform_weights<V: Simd>(g: [V; 3]) -> [V; 6] {
    // SAFETY: the caller runs on V's instruction set.
    unsafe {
        let zero = V::splat(0.0);
        let times = |v: V, factor: f32| v.fma(V::splat(factor), zero);
        let ends = times(g[0].add(g[2]), -1.0 / 6.0);
        let outer = g[2].fma(V::splat(1.0 / 6.0), times(g[0], 1.0 / 24.0));
        [
            times(g[0], 0.25),
            g[1].fma(V::splat(-1.0 / 6.0), ends),
            g[1].fma(V::splat(1.0 / 6.0), ends),
            g[1].fma(V::splat(1.0 / 12.0), outer),
            g[1].fma(V::splat(-1.0 / 12.0), outer),
            g[2],
        ]
    }
}

/// `A' m` of six vectors.
#[inline(always)]
unsafe fn transform_output<V: Simd>(m: [V; 6]) -> [V; 4] {
    // SAFETY: the caller runs on V's instruction set.
    unsafe {
        let (sum, difference) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (far_sum, far_difference) = (m[3].add(m[4]), m[3].sub(m[4]));
        [
            m[0].add(sum.add(far_sum)),
            far_difference.fma(V::splat(2.0), difference),
            far_sum.fma(V::splat(4.0), sum),
            m[5].add(far_difference.fma(V::splat(8.0), difference)),
        ]
    }
}

/// `B' d B` of `n` channels of a tile's pixels, place by place.
///
/// # Safety
/// As [`Simd`]: the pixels must be readable, and each place writable.
#[inline(always)]
pub(super) unsafe fn transform_input_tile<V: Simd>(
    pixel: impl Fn(usize, usize) -> *const f32,
    n: usize,
    to: *mut f32,
    place_step: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let pixel = |r: usize, s: usize| V::load_up_to(pixel(r, s), n);
        let mut half = [[V::splat(0.0); 6]; 6];
        for (r, half) in half.iter_mut().enumerate() {
            *half = transform_input([pixel(r, 0), pixel(r, 1), pixel(r, 2), pixel(r, 3), pixel(r, 4), pixel(r, 5)]);
        }
        for s in 0..6 {
            let column = [half[0][s], half[1][s], half[2][s], half[3][s], half[4][s], half[5][s]];
            for (r, value) in transform_input(column).into_iter().enumerate() {
                value.store_up_to(to.add((r * 6 + s) * place_step), n);
            }
        }
    }
}

/// `A' m A` of the 36 vectors from `from` on, `step` apart, pixel by pixel.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(super) unsafe fn transform_output_tile<V: Simd>(from: *const f32, step: usize, store: impl Fn(usize, usize, V)) {
    // SAFETY: the caller's.
    unsafe {
        let at = |r: usize, s: usize| V::load(from.add((r * 6 + s) * step));
        let mut half = [[V::splat(0.0); TILE]; 6];
        for (r, half) in half.iter_mut().enumerate() {
            *half = transform_output([at(r, 0), at(r, 1), at(r, 2), at(r, 3), at(r, 4), at(r, 5)]);
        }
        for s in 0..TILE {
            let column = [half[0][s], half[1][s], half[2][s], half[3][s], half[4][s], half[5][s]];
            for (r, value) in transform_output(column).into_iter().enumerate() {
                store(r, s, value);
            }
        }
    }
}
