//! Elementwise operations on arrays: an [`Op`] computes the result of the values at one index, and a new one is a few
//! lines.
//!
//! ```text
//!   map(isa, Add, [a, b], out)        out[i] = a[i] + b[i]
//!   apply(isa, Add, a, [b])           a[i] = a[i] + b[i]
//! ```

use super::Simd;
use super::isa::{Isa, SimdLoop};
use super::vectors::{Across, across};

/// A function of `N` values at the same index of `N` arrays.
pub trait Op<const N: usize>: Copy {
    /// The result, for a vector of indices.
    ///
    /// # Safety
    /// As [`Simd`].
    unsafe fn of<V: Simd>(self, x: [V; N]) -> V;
}

/// Writes an op of `inputs` to `out`; all are of one length.
pub fn map<const N: usize>(isa: Isa, op: impl Op<N>, inputs: [&[f32]; N], out: &mut [f32]) {
    assert!(inputs.iter().all(|input| input.len() == out.len()));
    isa.run(Map { op, inputs: inputs.map(<[f32]>::as_ptr), out: out.as_mut_ptr(), len: out.len() });
}

/// Replaces `x` by an op of it.
pub fn apply(isa: Isa, op: impl Op<1>, x: &mut [f32]) {
    let (out, len) = (x.as_mut_ptr(), x.len());
    isa.run(Map { op, inputs: [out.cast_const()], out, len });
}

/// Replaces `x` by an op of `x` and `y`; both have the same length.
pub fn apply_with(isa: Isa, op: impl Op<2>, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    let (out, len) = (x.as_mut_ptr(), x.len());
    isa.run(Map { op, inputs: [out.cast_const(), y.as_ptr()], out, len });
}

/// Arrays of `len` elements; an input is the output itself or does not overlap it.
struct Map<const N: usize, O> {
    op: O,
    inputs: [*const f32; N],
    out: *mut f32,
    len: usize,
}

impl<const N: usize, O: Op<N>> SimdLoop for Map<N, O> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let len = self.len;
        // SAFETY: all of the arrays have that length.
        unsafe { across::<V>(&mut self, len) };
    }
}

impl<const N: usize, O: Op<N>> Across for Map<N, O> {
    #[inline(always)]
    unsafe fn vector<V: Simd>(&mut self, at: usize, n: usize) {
        // SAFETY: the caller's; an input that is the output is read before it is written.
        unsafe {
            let mut x = [V::splat(0.0); N];
            for (x, input) in x.iter_mut().zip(self.inputs) {
                *x = V::load_up_to(input.add(at), n);
            }
            self.op.of(x).store_up_to(self.out.add(at), n);
        }
    }
}

/// Defines an op.
macro_rules! op {
    ($name:ty, $n:literal, |$op:pat_param, $($x:ident),*| $result:expr) => {
        impl Op<$n> for $name {
            #[inline(always)]
            unsafe fn of<V: Simd>(self, [$($x),*]: [V; $n]) -> V {
                let $op = self;
                // SAFETY: the caller runs on V's instruction set.
                unsafe { $result }
            }
        }
    };
}
pub(super) use op;

/// `a + b`
#[derive(Clone, Copy, Debug)]
pub struct Add;
op!(Add, 2, |_, a, b| a.add(b));

/// `a - b`
#[derive(Clone, Copy, Debug)]
pub struct Subtract;
op!(Subtract, 2, |_, a, b| a.sub(b));

/// `a * b`
#[derive(Clone, Copy, Debug)]
pub struct Multiply;
op!(Multiply, 2, |_, a, b| a.mul(b));

/// The maximum, of equals the first; NaN if either is NaN.
#[derive(Clone, Copy, Debug)]
pub struct Maximum;
op!(Maximum, 2, |_, a, b| a.or_greater(b));

/// The minimum, of equals the first; NaN if either is NaN.
#[derive(Clone, Copy, Debug)]
pub struct Minimum;
op!(Minimum, 2, |_, a, b| {
    let minus = V::splat(-1.0);
    a.mul(minus).or_greater(b.mul(minus)).mul(minus)
});

/// `x * scale + shift`, rounded once.
#[derive(Clone, Copy, Debug)]
pub struct ScaleShift {
    /// The factor.
    pub scale: f32,
    /// The offset.
    pub shift: f32,
}
op!(ScaleShift, 1, |op, x| x.fma(V::splat(op.scale), V::splat(op.shift)));

/// `a` where `gate > 0`, else 0: relu's gradient; the gate is relu's input or output.
#[derive(Clone, Copy, Debug)]
pub struct WherePositive;
op!(WherePositive, 2, |_, a, gate| a.where_positive(gate));

/// `0` where `x < 0`, else `x`; NaN stays.
#[derive(Clone, Copy, Debug)]
pub struct Relu;
op!(Relu, 1, |_, x| x.relu());

/// `x` where `x > 0`, else `slope * x`.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    /// The slope below 0.
    pub slope: f32,
}
op!(LeakyRelu, 1, |op, x| x.if_positive(x, x.mul(V::splat(op.slope))));

/// `dy` where `x > 0`, else `slope * dy`: the gradient of leaky relu. If the slope is above 0, its output can be used
/// instead of its input.
#[derive(Clone, Copy, Debug)]
pub struct LeakyReluGradient {
    /// The slope of leaky relu below 0.
    pub slope: f32,
}
op!(LeakyReluGradient, 2, |op, dy, x| dy.if_positive(x, dy.mul(V::splat(op.slope))));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::numbers;

    /// An op against its plain form, on every instruction set and at every length up to three vectors and a bit.
    fn check<const N: usize>(op: impl Op<N>, plain: impl Fn([f32; N]) -> f32) {
        for len in 0..50 {
            let inputs: [Vec<f32>; N] = std::array::from_fn(|i| numbers(i as u64, len));
            let expected: Vec<f32> = (0..len).map(|at| plain(std::array::from_fn(|i| inputs[i][at]))).collect();
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; len];
                map(isa, op, std::array::from_fn(|i| &inputs[i][..]), &mut out);
                assert_eq!(out, expected, "{isa:?}");
            }
        }
    }

    #[test]
    fn ops_are_what_they_say() {
        check(Add, |[a, b]| a + b);
        check(Subtract, |[a, b]| a - b);
        check(Multiply, |[a, b]| a * b);
        check(Maximum, |[a, b]| if b > a { b } else { a });
        check(Minimum, |[a, b]| if b < a { b } else { a });
        check(ScaleShift { scale: 3.0, shift: 0.1 }, |[x]| libm::fmaf(x, 3.0, 0.1));
        check(WherePositive, |[a, gate]| if gate > 0.0 { a } else { 0.0 });
        check(Relu, |[x]| if x < 0.0 { 0.0 } else { x });
        check(LeakyRelu { slope: 0.3 }, |[x]| if x > 0.0 { x } else { 0.3 * x });
        check(LeakyReluGradient { slope: 0.3 }, |[dy, x]| if x > 0.0 { dy } else { 0.3 * dy });
    }

    #[test]
    fn an_array_may_be_changed_in_its_place() {
        for isa in Isa::available() {
            let (mut x, y) = (numbers(1, 37), numbers(2, 37));
            let sum: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x + y).collect();
            apply_with(isa, Add, &mut x, &y);
            assert_eq!(x, sum);
            apply(isa, LeakyRelu { slope: 0.5 }, &mut x);
            let leaky: Vec<f32> = sum.iter().map(|&x| if x > 0.0 { x } else { 0.5 * x }).collect();
            assert_eq!(x, leaky);
        }
    }

    #[test]
    fn leaky_relu_keeps_what_is_no_number() {
        let awkward = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0];
        for isa in Isa::available() {
            let mut x = awkward;
            apply(isa, LeakyRelu { slope: 0.5 }, &mut x);
            assert!(x[0].is_nan() && x[1..] == awkward[1..], "{isa:?} {x:?}");
        }
    }
}
