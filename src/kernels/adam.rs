//! Adam, as Keras writes it (Kingma and Ba 2015, the efficient form at the end of their section 2):
//!
//! ```text
//! a  = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)          once a step t = 1, 2, ...
//! m += (g - m) * (1 - beta_1)
//! v += (g * g - v) * (1 - beta_2)
//! w -= a * m / (sqrt(v) + epsilon)                                  epsilon outside the bias correction
//! ```
//!
//! m and v shrink by a factor per step where the gradient stays zero, as after a dead relu unit. Below
//! [`TINY`](super::simd::TINY) they are flushed to zero, which does not change any weight: otherwise they would become
//! denormals, which are slow (`cargo bench --bench tiny`: a step took 1.10 times as long on a Zen 4, which is among the
//! fastest with them).

use super::rule::{MOST_SLOTS, Rule};
use super::{Lanes, Simd};

/// The parameters of one step, the same for every weight.
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
}

impl Rule for AdamStep {
    const SLOTS: usize = 2;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [m, v, _] = slots;
        *m = (g - *m).fma(g.all(self.one_minus_beta_1), *m).without_tiny();
        *v = g.fms(g, *v).fma(g.all(self.one_minus_beta_2), *v).without_tiny();
        (*m / (v.sqrt() + g.all(self.epsilon))).fma(g.all(self.minus_a), w)
    }
}

/// The same with the largest mean square so far instead of the last one (Reddi et al. 2018).
#[derive(Clone, Copy, Debug)]
pub struct AmsGrad(pub AdamStep);

impl Rule for AmsGrad {
    const SLOTS: usize = 3;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [m, v, most] = slots;
        let AdamStep { minus_a, one_minus_beta_1, one_minus_beta_2, epsilon } = self.0;
        *m = (g - *m).fma(g.all(one_minus_beta_1), *m).without_tiny();
        *v = g.fms(g, *v).fma(g.all(one_minus_beta_2), *v).without_tiny();
        *most = most.or_greater(*v);
        (*m / (most.sqrt() + g.all(epsilon))).fma(g.all(minus_a), w)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::rule::step_by;

    #[test]
    fn what_shrinks_is_zero_in_time() {
        for isa in Isa::available() {
            let (mut w, mut m, mut v) = ([1.0f32; 3], [0.0; 3], [0.0; 3]);
            let mut steps = 0;
            for t in 1..2000 {
                let gradient = if t < 3 { [1e-3, -1e-3, 1e-10] } else { [0.0; 3] };
                let step = AdamStep::new(1e-3, 0.9, 0.9, 1e-7, t);
                step_by(isa, &step, &gradient, &mut w, &mut [&mut m, &mut v]);
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
            let step = AdamStep::new(1e-3, 0.9, 0.999, 1e-7, t);
            step_by(Isa::PORTABLE, &step, &halves, &mut w, &mut [&mut m, &mut v]);
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
