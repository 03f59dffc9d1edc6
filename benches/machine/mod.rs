//! Shared by the benchmarks: timing, and the machine's peak and bandwidth.

#![allow(dead_code)] // each benchmark uses only a part of it

use mnist::kernels::{Isa, peak};
use std::hint::black_box;
use std::time::Instant;

/// The median time of a call in seconds: 15 times as many calls as take about 5 ms.
pub fn time(mut task: impl FnMut()) -> f64 {
    task();
    let start = Instant::now();
    task();
    let calls = (5e-3 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    median((0..15).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| task());
        start.elapsed().as_secs_f64() / calls as f64
    }))
}

/// The median.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Numbers that look like noise, in [-0.5, 0.5).
pub fn numbers(n: usize) -> Floats {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut numbers = zeros(n);
    numbers.fill_with(&mut next);
    numbers
}

/// Floats aligned to a cache line, like the library's own buffers: a load that straddles two lines takes twice the
/// time.
pub struct Floats {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

/// `n` zeros.
pub fn zeros(n: usize) -> Floats {
    let storage = vec![0.0; n + 15];
    let start = storage.as_ptr().align_offset(64);
    Floats { storage, start, len: n }
}

impl std::ops::Deref for Floats {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

/// The limits of one thread.
pub struct Machine {
    pub isa: Isa,
    /// Floating-point operations per second: independent fused multiply-adds that stay in registers.
    pub flops: f64,
    /// Bytes read and written per second by a copy that is larger than the core's own caches.
    pub bandwidth: f64,
}

impl Machine {
    /// Measures them with the instruction set that `MNIST_ISA` selects.
    pub fn measure() -> mnist::Result<Self> {
        let isa = Isa::choose()?;
        let mut flop = 0.0;
        let seconds = time(|| flop = black_box(peak::multiply_add(isa, black_box(100_000))).0);
        let (from, mut to) = (numbers(16 << 20), zeros(16 << 20));
        let bandwidth = 8.0 * from.len() as f64 / time(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        Ok(Machine { isa, flops: flop / seconds, bandwidth })
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (peak, copy) = (self.flops / 1e9, self.bandwidth / 1e9);
        write!(f, "{}, one thread: peak {peak:.0} GFLOP/s, copy {copy:.1} GB/s (read and written)", self.isa.name())
    }
}
