//! The time of each part of a network's passes.

use std::time::{Duration, Instant};

/// The time that each step of a plan took since the clock was started; a stopped clock costs nothing.
#[derive(Default)]
pub struct Clock {
    /// For each step of the plan: forward and backward.
    spent: Vec<[Duration; 2]>,
}

/// Forward or backward.
#[derive(Clone, Copy)]
pub enum Way {
    Forward,
    Backward,
}

impl Clock {
    /// Starts counting for so many steps.
    pub fn start(&mut self, steps: usize) {
        self.spent = vec![[Duration::ZERO; 2]; steps];
    }

    /// Runs `task`, one direction of the step `index`, and counts its time.
    pub fn count<T>(&mut self, index: usize, way: Way, task: impl FnOnce() -> T) -> T {
        let Some(spent) = self.spent.get_mut(index) else { return task() };
        let began = Instant::now();
        let done = task();
        spent[way as usize] += began.elapsed();
        done
    }

    /// The counted times, for the steps in order.
    pub fn spent(&self) -> &[[Duration; 2]] {
        &self.spent
    }
}
