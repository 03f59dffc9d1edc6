//! The use of a gradient: an optimizer's step, or storing it.
//!
//! A [`Rule`] is the optimizer's arithmetic on a vector of weights. The loops are generic over it, so that a dense
//! layer takes the step on a row of weights while the row's gradient is still in registers. [`Store`] is a rule too:
//! for everything that needs the whole gradient first (regularizers, layers that are used twice, optimizers whose step
//! is a separate pass).

use super::adam::AdamStep;
use super::isa::{Isa, SimdLoop};
use super::{Lanes, Simd};

/// The most moments that a rule keeps for a weight.
pub const MOST_SLOTS: usize = 3;

/// The arithmetic of a step on each weight.
pub trait Rule: Copy + Send + Sync {
    /// Moments kept for a weight, at most [`MOST_SLOTS`].
    const SLOTS: usize;
    /// Whether the weights change.
    const WRITES: bool = true;

    /// The weights `w` after a step by the gradient `g`; the first [`SLOTS`](Self::SLOTS) of `slots` are their moments,
    /// and are changed.
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V>;
}

/// Stores the gradient in the first slot.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// Whether it is added to what is there.
    pub add: bool,
}

impl Rule for Store {
    const SLOTS: usize = 1;
    const WRITES: bool = false;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        slots[0] = if self.add { slots[0] + g } else { g };
        w
    }
}

/// Pointers to weights and their moments.
#[derive(Clone, Copy)]
pub struct WeightPointers {
    /// The weights.
    pub w: *mut f32,
    /// Their moments; a rule does not use more than it has.
    pub slots: [*mut f32; MOST_SLOTS],
}

impl WeightPointers {
    /// From slices of the same length; `slots` are those of the rule.
    pub fn new(w: &mut [f32], slots: &mut [&mut [f32]]) -> Self {
        let mut pointers = WeightPointers { w: w.as_mut_ptr(), slots: [std::ptr::null_mut(); MOST_SLOTS] };
        for (to, slot) in pointers.slots.iter_mut().zip(slots) {
            assert_eq!(slot.len(), w.len());
            *to = slot.as_mut_ptr();
        }
        pointers
    }

    /// The pointers `i` elements further.
    #[inline(always)]
    pub fn at(self, i: usize) -> Self {
        WeightPointers { w: self.w.wrapping_add(i), slots: self.slots.map(|slot| slot.wrapping_add(i)) }
    }

    /// Takes a step on the `n` weights (`V::LANES` or fewer) here, by their gradient.
    ///
    /// # Safety
    /// As [`Simd`]: `n` elements must be good to read and write at each pointer that the rule uses.
    #[inline(always)]
    pub unsafe fn step<V: Simd, R: Rule>(self, rule: &R, g: V, n: usize) {
        // SAFETY: the caller's.
        unsafe {
            let mut slots = [Lanes::new(V::splat(0.0)); MOST_SLOTS];
            for (slot, &from) in slots.iter_mut().zip(&self.slots).take(R::SLOTS) {
                *slot = Lanes::new(V::load_up_to(from, n));
            }
            let w = if R::WRITES { V::load_up_to(self.w, n) } else { V::splat(0.0) };
            let w = rule.apply(Lanes::new(g), Lanes::new(w), &mut slots);
            for (slot, &to) in slots.into_iter().zip(&self.slots).take(R::SLOTS) {
                slot.vector().store_up_to(to, n);
            }
            if R::WRITES {
                w.vector().store_up_to(self.w, n);
            }
        }
    }
}

/// The use of a parameter's gradient, and the memory it needs.
pub enum Update<'a> {
    /// A step of Adam, at once.
    Adam {
        /// The step's numbers.
        step: AdamStep,
        /// The first moment.
        m: &'a mut [f32],
        /// The second moment.
        v: &'a mut [f32],
    },
    /// It is stored.
    Store {
        /// Where.
        gradient: &'a mut [f32],
        /// Whether it is added to what is there.
        add: bool,
    },
}

/// Updates weights by a gradient that is the sum of `parts`, each as long as `w`, added in order.
pub fn update(isa: Isa, parts: &[f32], w: &mut [f32], update: &mut Update<'_>) {
    match update {
        Update::Adam { step, m, v } => step_by(isa, step, parts, w, &mut [m, v]),
        Update::Store { gradient, add } => step_by(isa, &Store { add: *add }, parts, w, &mut [gradient]),
    }
}

/// The same with any rule, whose moments are `slots`.
pub fn step_by<R: Rule>(isa: Isa, rule: &R, parts: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
    assert!(parts.len().is_multiple_of(w.len().max(1)) && slots.len() == R::SLOTS);
    isa.run(StepBy { rule, parts, len: w.len(), pointers: WeightPointers::new(w, slots) });
}

struct StepBy<'a, R> {
    rule: &'a R,
    parts: &'a [f32],
    len: usize,
    pointers: WeightPointers,
}

impl<R: Rule> SimdLoop for StepBy<'_, R> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let len = self.len;
        for i in (0..len).step_by(V::LANES) {
            let n = V::LANES.min(len - i);
            // SAFETY: `i + n <= len`, the length of the weights, of their moments and of each part (`step_by`).
            unsafe {
                let mut g = V::splat(0.0);
                for part in self.parts.chunks_exact(len) {
                    g = g.add(V::load_up_to(part.as_ptr().add(i), n));
                }
                self.pointers.at(i).step(self.rule, g, n);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_gradient_is_the_sum_of_its_parts() {
        for isa in Isa::available() {
            let parts: Vec<f32> = (0..40).map(|i| i as f32).collect();
            let (mut w, mut gradient) = (vec![7.0; 20], vec![1.0; 20]);
            update(isa, &parts, &mut w, &mut Update::Store { gradient: &mut gradient, add: false });
            assert!(gradient.iter().enumerate().all(|(i, &g)| g == (2 * i + 20) as f32) && w == [7.0; 20]);
            update(isa, &parts, &mut w, &mut Update::Store { gradient: &mut gradient, add: true });
            assert!(gradient.iter().enumerate().all(|(i, &g)| g == (4 * i + 40) as f32), "{isa:?}");
        }
    }
}
