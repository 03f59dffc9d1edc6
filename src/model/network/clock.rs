//! Where the time of a network's passes goes.

use std::time::{Duration, Instant};

/// The time that each step of a plan took since it was started; by itself it stands still, and costs nothing.
#[derive(Default)]
pub struct Clock {
    /// Of each step of the plan, forward and backward.
    spent: Vec<[Duration; 2]>,
}

/// Which way a step went.
#[derive(Clone, Copy)]
pub enum Way {
    Forward,
    Backward,
}

impl Clock {
    /// Begins to count, for so many steps.
    pub fn start(&mut self, steps: usize) {
        self.spent = vec![[Duration::ZERO; 2]; steps];
    }

    /// Does `task`, a way of the step at `index`, and counts its time.
    pub fn count<T>(&mut self, index: usize, way: Way, task: impl FnOnce() -> T) -> T {
        let Some(spent) = self.spent.get_mut(index) else { return task() };
        let began = Instant::now();
        let done = task();
        spent[way as usize] += began.elapsed();
        done
    }

    /// What was counted, for the steps in order.
    pub fn spent(&self) -> &[[Duration; 2]] {
        &self.spent
    }
}
