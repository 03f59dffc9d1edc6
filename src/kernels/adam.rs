//! Adam, as Keras writes it (Kingma and Ba 2015, the efficient form at the end of their section 2):
//!
//! ```text
//! a  = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)          once a step t = 1, 2, ...
//! m += (g - m) * (1 - beta_1)
//! v += (g * g - v) * (1 - beta_2)
//! w -= a * m / (sqrt(v) + epsilon)                                  epsilon outside the bias correction
//! ```
//!
//! m and v shrink by a factor a step where the gradient has become zero for good, as behind a unit that relu has silenced.
//! Below [`TINY`](super::simd::TINY) they are zero, which no weight can feel: left to themselves they would stay among
//! the numbers that are slow to compute with (`cargo bench --bench tiny`: a step took 1.10 times as long on a Zen 4, which
//! is among the quickest at them).

use super::Simd;
use super::isa::{Isa, Kernel};

/// The numbers of one step, the same for every weight.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    minus_a: f32,
    one_minus_beta_1: f32,
    one_minus_beta_2: f32,
    epsilon: f32,
}

impl AdamStep {
    /// The step number `t`, counted from 1. Powers and roots are taken in double precision by `libm`, so that they are
    /// the same on every machine.
    pub fn new(learning_rate: f64, beta_1: f64, beta_2: f64, epsilon: f64, t: u64) -> Self {
        let left = |beta: f64| 1.0 - libm::pow(beta, t as f64);
        AdamStep {
            minus_a: (-learning_rate * left(beta_2).sqrt() / left(beta_1)) as f32,
            one_minus_beta_1: (1.0 - beta_1) as f32,
            one_minus_beta_2: (1.0 - beta_2) as f32,
            epsilon: epsilon as f32,
        }
    }

    /// Updates `n` weights (`V::LANES` or fewer) and their moments by their gradient.
    ///
    /// # Safety
    /// As [`Simd`]: `n` elements must be good to read and write at each pointer.
    #[inline(always)]
    pub unsafe fn apply<V: Simd>(&self, g: V, weights: Weights, n: usize) {
        let Weights { w, m, v } = weights;
        // SAFETY: the caller's.
        unsafe {
            let old = V::load_up_to(m, n);
            let mean = g.sub(old).fma(V::splat(self.one_minus_beta_1), old).without_tiny();
            mean.store_up_to(m, n);
            let old = V::load_up_to(v, n);
            let square = g.fms(g, old).fma(V::splat(self.one_minus_beta_2), old).without_tiny();
            square.store_up_to(v, n);
            let step = mean.div(square.sqrt().add(V::splat(self.epsilon)));
            step.fma(V::splat(self.minus_a), V::load_up_to(w, n)).store_up_to(w, n);
        }
    }

    /// Updates weights whose gradient is the sum of `parts`, each as long as `w`, added in their order.
    pub fn update(&self, isa: Isa, parts: &[f32], w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        assert!(m.len() == w.len() && v.len() == w.len() && parts.len().is_multiple_of(w.len().max(1)));
        isa.run(Update { step: self, parts, w, m, v });
    }
}

/// Where weights and their moments lie.
#[derive(Clone, Copy)]
pub struct Weights {
    /// The weights.
    pub w: *mut f32,
    /// Their gradients' running mean.
    pub m: *mut f32,
    /// Their gradients' running mean square.
    pub v: *mut f32,
}

impl Weights {
    /// The weights `i` further on.
    ///
    /// # Safety
    /// As the pointers' `add`.
    #[inline(always)]
    pub unsafe fn add(self, i: usize) -> Self {
        // SAFETY: the caller's.
        unsafe { Weights { w: self.w.add(i), m: self.m.add(i), v: self.v.add(i) } }
    }
}

struct Update<'a> {
    step: &'a AdamStep,
    parts: &'a [f32],
    w: &'a mut [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl Kernel for Update<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let len = self.w.len();
        let weights = Weights { w: self.w.as_mut_ptr(), m: self.m.as_mut_ptr(), v: self.v.as_mut_ptr() };
        for i in (0..len).step_by(V::LANES) {
            let n = V::LANES.min(len - i);
            // SAFETY: `i + n <= len`, the length of w, m, v and of each part (`AdamStep::update`).
            unsafe {
                let mut g = V::splat(0.0);
                for part in self.parts.chunks_exact(len) {
                    g = g.add(V::load_up_to(part.as_ptr().add(i), n));
                }
                self.step.apply(g, weights.add(i), n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shrinks_is_zero_in_time() {
        for isa in Isa::available() {
            let (mut w, mut m, mut v) = ([1.0f32; 3], [0.0; 3], [0.0; 3]);
            let mut steps = 0;
            for t in 1..2000 {
                let gradient = if t < 3 { [1e-3, -1e-3, 1e-10] } else { [0.0; 3] };
                AdamStep::new(1e-3, 0.9, 0.9, 1e-7, t).update(isa, &gradient, &mut w, &mut m, &mut v);
                assert!(m.iter().chain(&v).all(|x| !x.is_subnormal()), "{isa:?} step {t}: {m:?} {v:?}");
                steps += usize::from(m[0] != 0.0 && v[0] != 0.0);
            }
            assert!(steps > 500 && m == [0.0; 3] && v == [0.0; 3], "{isa:?} {steps} {m:?} {v:?}");
        }
    }

    #[test]
    fn two_steps_by_hand() {
        let (mut w, mut m, mut v) = ([1.0f32, 2.0, 3.0], [0.0; 3], [0.0; 3]);
        let gradients = [[0.5f32, -0.25, 0.0], [0.1, 0.1, 0.1]];
        let (mut w64, mut m64, mut v64) = ([1.0f64, 2.0, 3.0], [0.0f64; 3], [0.0f64; 3]);
        for (t, g) in (1..).zip(gradients) {
            // The gradient comes in two halves, as from two groups of images.
            let halves: Vec<f32> = g.iter().chain(&g).map(|g| g / 2.0).collect();
            AdamStep::new(1e-3, 0.9, 0.999, 1e-7, t).update(Isa::PORTABLE, &halves, &mut w, &mut m, &mut v);
            let a = 1e-3 * (1.0 - 0.999f64.powi(t as i32)).sqrt() / (1.0 - 0.9f64.powi(t as i32));
            for i in 0..3 {
                let g = g[i] as f64;
                m64[i] += (g - m64[i]) * 0.1;
                v64[i] += (g * g - v64[i]) * 0.001;
                w64[i] -= a * m64[i] / (v64[i].sqrt() + 1e-7);
            }
        }
        for i in 0..3 {
            assert!((w[i] as f64 - w64[i]).abs() < 1e-6, "{} {}", w[i], w64[i]);
            assert!((v[i] as f64 - v64[i]).abs() < 1e-9, "{} {}", v[i], v64[i]);
        }
    }
}
