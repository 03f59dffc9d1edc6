//! Another static library, which uses Rust's runtime: memory, threads, and a caught panic.

use std::thread;

/// The sum of 1 to `n`, computed by a thread after another thread has panicked.
#[unsafe(no_mangle)]
pub extern "C" fn other_sum(n: u64) -> u64 {
    let panic = thread::spawn(|| panic!("one that is caught"));
    let sum = thread::spawn(move || (1..=n).collect::<Vec<u64>>().iter().sum());
    assert!(panic.join().is_err());
    sum.join().unwrap_or(0)
}
