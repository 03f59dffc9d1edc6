//! Smooth functions of elements, and their gradients, a vector at a time: tanh, sigmoid, silu, elu and gelu, all made of
//! `exp(x) - 1` for `x` up to 0.
//!
//! ```text
//! x = n log(2) + r, n whole, |r| <= log(2) / 2          exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1)
//! exp(r) - 1 = r + r^2 (c0 + c1 r + ... + c4 r^4)        within 1.8e-8 of itself
//! ```
//!
//! The same operations everywhere, so the same bits. Against the exact functions they are off by a few units in the last place
//! (the tests say how many); TensorFlow's are as well.

use super::Simd;
use super::elementwise::{Op, op};

/// Below this `exp` is below [`TINY`](super::simd::TINY), and is flushed to zero.
const LEAST: f32 = -84.0;

/// Adding and subtracting it rounds a number below 2^22 to the nearest integer.
const TO_WHOLE: f32 = 12_582_912.0; // 1.5 * 2^23

/// `log(2)` in two parts, of which the first has eight zeros at its end, so that whole multiples of it are exact.
const LOG_2: (f32, f32) = (0.693_145_75, 1.428_606_8e-6);

/// The coefficients of `(exp(r) - 1 - r) / r^2`, by least squares that were weighted until the error was even.
const EXP_M1: [f32; 5] = [0.5, 0.166_665_43, 0.041_666_28, 0.008_366_584, 0.001_394_645];

/// `exp(x) - 1` and `exp(x)` for `x <= 0`.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn exp_m1<V: Simd>(x: V) -> (V, V) {
    // SAFETY: the caller's.
    unsafe {
        let (one, magic) = (V::splat(1.0), V::splat(TO_WHOLE));
        let x = V::splat(LEAST).or_greater(x);
        let n = x.fma(V::splat(std::f32::consts::LOG2_E), magic).sub(magic);
        let r = n.fma(V::splat(-LOG_2.1), n.fma(V::splat(-LOG_2.0), x));
        let mut sum = V::splat(EXP_M1[4]);
        for c in EXP_M1[..4].iter().rev() {
            sum = sum.fma(r, V::splat(*c));
        }
        let part = r.mul(r).fma(sum, r);
        let scale = n.exp2_of_whole();
        let less = scale.fma(part, scale.sub(one));
        (less, scale.fma(part, scale).without_tiny())
    }
}

/// `|x|`; NaN stays.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn size<V: Simd>(x: V) -> V {
    // SAFETY: the caller's.
    unsafe { x.or_greater(x.mul(V::splat(-1.0))) }
}

/// `1 / (1 + exp(-x))`, from `exp(-|x|)`.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn sigmoid<V: Simd>(x: V) -> V {
    // SAFETY: the caller's.
    unsafe {
        let one = V::splat(1.0);
        let (_, e) = exp_m1(size(x).mul(V::splat(-1.0)));
        one.if_positive(x, e).div(one.add(e))
    }
}

/// `tanh(x)`: with `m = exp(-2|x|) - 1` it is `-m / (2 + m)`, and has the sign of `x`.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;
op!(Tanh, 1, |_, x| {
    let (m, _) = exp_m1(size(x).mul(V::splat(-2.0)));
    let (up, down) = (m.mul(V::splat(-1.0)), m);
    up.if_positive(x, down).div(V::splat(2.0).add(m))
});

/// `dy (1 - y^2)`
#[derive(Clone, Copy, Debug)]
pub struct TanhGradient;
op!(TanhGradient, 2, |_, dy, y| dy.mul(V::splat(1.0).sub(y.mul(y))));

/// `1 / (1 + exp(-x))`
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;
op!(Sigmoid, 1, |_, x| sigmoid(x));

/// `dy y (1 - y)`
#[derive(Clone, Copy, Debug)]
pub struct SigmoidGradient;
op!(SigmoidGradient, 2, |_, dy, y| dy.mul(y.mul(V::splat(1.0).sub(y))));

/// `x sigmoid(x)`
#[derive(Clone, Copy, Debug)]
pub struct Silu;
op!(Silu, 1, |_, x| x.mul(sigmoid(x)));

/// `dy s (1 + x (1 - s))`, s being the sigmoid of x.
#[derive(Clone, Copy, Debug)]
pub struct SiluGradient;
op!(SiluGradient, 2, |_, dy, x| {
    let (one, s) = (V::splat(1.0), sigmoid(x));
    dy.mul(s.mul(x.fma(one.sub(s), one)))
});

/// `x` above 0, else `exp(x) - 1`
#[derive(Clone, Copy, Debug)]
pub struct Elu;
op!(Elu, 1, |_, x| {
    let (below, _) = exp_m1(x.mul(V::splat(-1.0)).relu().mul(V::splat(-1.0)));
    x.if_positive(x, below)
});

/// `dy` where `y > 0`, else `dy (y + 1)`
#[derive(Clone, Copy, Debug)]
pub struct EluGradient;
op!(EluGradient, 2, |_, dy, y| dy.if_positive(y, dy.mul(y.add(V::splat(1.0)))));

/// The normal distribution's cumulative function and its density, by Abramowitz and Stegun's approximation 7.1.26 of erf,
/// 1.5e-7 off at most.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn normal<V: Simd>(x: V) -> (V, V) {
    const P: f32 = 0.327_591_1;
    const A: [f32; 5] = [0.254_829_6, -0.284_496_72, 1.421_413_8, -1.453_152_1, 1.061_405_4];
    const DENSITY: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
    // SAFETY: the caller's.
    unsafe {
        let (one, half) = (V::splat(1.0), V::splat(0.5));
        let z = size(x).mul(V::splat(std::f32::consts::FRAC_1_SQRT_2));
        let t = one.div(z.fma(V::splat(P), one));
        let mut sum = V::splat(A[4]);
        for a in A[..4].iter().rev() {
            sum = sum.fma(t, V::splat(*a));
        }
        let (_, e) = exp_m1(x.mul(x).mul(V::splat(-0.5)));
        let beyond = sum.mul(t).mul(e).mul(half); // how much lies further out than |x|
        (one.sub(beyond).if_positive(x, beyond), e.mul(V::splat(DENSITY)))
    }
}

/// `x` times the normal distribution's cumulative function
#[derive(Clone, Copy, Debug)]
pub struct Gelu;
op!(Gelu, 1, |_, x| x.mul(normal(x).0));

/// `dy (cumulative(x) + x density(x))`
#[derive(Clone, Copy, Debug)]
pub struct GeluGradient;
op!(GeluGradient, 2, |_, dy, x| {
    let (cumulative, density) = normal(x);
    dy.mul(x.fma(density, cumulative))
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::elementwise::map;

    /// From far below to far above, densely around 0.
    fn numbers() -> Vec<f32> {
        let steps = (-40_000..40_000).map(|i| i as f32 / 1000.0);
        let small = (1..2000).flat_map(|i| [1.0, -1.0].map(|sign| sign * (i as f32 / 100.0 - 20.0).exp2()));
        steps.chain(small).chain([-3e38, -1e4, -88.0, -0.0, 88.0, 1e4, 3e38]).collect()
    }

    /// The same bits on every set, and how far from `exact` at most, against the larger of it and `floor`.
    fn check(op: impl Op<1>, exact: impl Fn(f64) -> f64, floor: f64, allowed: f64) {
        let x = numbers();
        let mut y = vec![0.0; x.len()];
        map(Isa::PORTABLE, op, [&x], &mut y);
        for isa in Isa::available() {
            let mut other = vec![0.0; x.len()];
            map(isa, op, [&x], &mut other);
            assert!(y.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
        }
        for (&x, &y) in x.iter().zip(&y) {
            let exact = exact(f64::from(x));
            let off = (f64::from(y) - exact).abs() / exact.abs().max(floor);
            assert!(off <= allowed, "{x}: {y}, {exact}: {off:e}");
        }
    }

    #[test]
    fn functions_are_near_the_exact_ones() {
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        check(Tanh, libm::tanh, 1e-30, 3e-7);
        check(Sigmoid, sigmoid, 1e-30, 4e-7);
        check(Silu, |x| x * sigmoid(x), 1e-25, 4e-7);
        check(Elu, |x| if x > 0.0 { x } else { libm::expm1(x) }, 1e-30, 3e-7);
        check(Gelu, |x| x * 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2), 1.0, 1e-6);
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for isa in Isa::available() {
            let (x, mut y) = ([f32::NAN; 3], [0.0; 3]);
            map(isa, Tanh, [&x], &mut y);
            assert!(y.iter().all(|y| y.is_nan()));
            map(isa, Sigmoid, [&x], &mut y);
            assert!(y.iter().all(|y| y.is_nan()));
            map(isa, Elu, [&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN]], &mut y);
            assert!(y[0] == f32::INFINITY && y[1] == -1.0 && y[2].is_nan(), "{y:?}");
        }
    }
}
