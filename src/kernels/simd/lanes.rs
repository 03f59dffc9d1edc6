//! Vectors whose arithmetic is safe, for the formulas of the optimizers.

use super::Simd;
use std::ops::{Add, Div, Mul, Sub};

/// A vector that exists only on a machine that has its instruction set: [`new`](Self::new) vouches for the first one, and all
/// others are computed from it. Therefore its methods are safe; they are those of [`Simd`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Lanes<V>(V);

impl<V: Simd> Lanes<V> {
    /// From a vector.
    ///
    /// # Safety
    /// As [`Simd`]: the machine must have the instruction set of `V`.
    #[inline(always)]
    pub unsafe fn new(vector: V) -> Self {
        Lanes(vector)
    }

    /// The vector.
    #[inline(always)]
    pub fn vector(self) -> V {
        self.0
    }

    /// Another vector, with `x` in all lanes.
    #[inline(always)]
    pub fn all(self, x: f32) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { V::splat(x) })
    }

    /// `self * b + c`, rounded once.
    #[inline(always)]
    pub fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.fma(b.0, c.0) })
    }

    /// `self * b - c`, rounded once.
    #[inline(always)]
    pub fn fms(self, b: Self, c: Self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.fms(b.0, c.0) })
    }

    /// The square root, correctly rounded.
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.sqrt() })
    }

    /// `0` where `self < 0`, else `self` (NaN and -0 stay).
    #[inline(always)]
    pub fn relu(self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.relu() })
    }

    /// `self` where `gate > 0`, else `other`.
    #[inline(always)]
    pub fn if_positive(self, gate: Self, other: Self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.if_positive(gate.0, other.0) })
    }

    /// The maximum: `next` where it is greater or NaN, else `self`, so that NaN stays, and of equals the first.
    #[inline(always)]
    pub fn or_greater(self, next: Self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.or_greater(next.0) })
    }

    /// `0` where `|self| < `[`TINY`](super::TINY), else `self` (NaN stays).
    #[inline(always)]
    pub fn without_tiny(self) -> Self {
        // SAFETY: `self` exists.
        Lanes(unsafe { self.0.without_tiny() })
    }

    /// A function of each lane.
    #[inline(always)]
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        const { assert!(V::LANES <= 16) };
        let mut lanes = [0.0; 16];
        // SAFETY: `self` exists; its lanes have room in the array.
        unsafe {
            self.0.store(lanes.as_mut_ptr());
            Lanes(V::load(lanes.map(f).as_ptr()))
        }
    }
}

/// Implements an operator by the method of [`Simd`].
macro_rules! operator {
    ($($trait:ident $method:ident),*) => {$(
        impl<V: Simd> $trait for Lanes<V> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: `self` exists.
                Lanes(unsafe { self.0.$method(other.0) })
            }
        }
    )*};
}
operator!(Add add, Sub sub, Mul mul, Div div);
