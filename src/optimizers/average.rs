//! A moving average of the weights (Polyak and Juditsky 1992), as Keras keeps it (`use_ema`):
//!
//! ```text
//! a = momentum * a + (1 - momentum) * w                            after each batch; after the first a = w
//! w = a                                                            after every so many steps, if so it is wanted
//! ```

use crate::kernels::rule::{MOST_SLOTS, Rule, step_by};
use crate::kernels::{Isa, Lanes, Simd};

/// The settings of the average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average {
    /// The momentum of the average, 0 to 1.
    pub momentum: f64,
    /// The number of steps after which the average replaces the weights, each time; `None`: only at the end of a fit.
    pub overwrite: Option<u64>,
}

/// The update rule; its moment is `a`.
#[derive(Clone, Copy)]
struct Mix {
    momentum: f32,
    one_minus_momentum: f32,
    overwrite: bool,
}

impl Rule for Mix {
    const SLOTS: usize = 1;
    #[inline(always)]
    fn apply<V: Simd>(&self, _: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        let [a, ..] = slots;
        let new = w.all(self.one_minus_momentum) * w;
        *a = w.all(self.momentum).fma(*a, new).without_tiny();
        if self.overwrite { *a } else { w }
    }
}

impl Average {
    /// Updates the average; `steps` optimizer steps were taken before this batch.
    pub(super) fn take(&self, isa: Isa, steps: u64, w: &mut [f32], average: &mut [f32]) {
        let momentum = if steps == 0 { 0.0 } else { self.momentum };
        let overwrite = self.overwrite.is_some_and(|every| (steps + 1).is_multiple_of(every));
        let mix = Mix { momentum: momentum as f32, one_minus_momentum: (1.0 - momentum) as f32, overwrite };
        step_by(isa, &mix, &[], w, &mut [average]);
    }
}
