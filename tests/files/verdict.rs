//! What a malicious file may do: be refused with a message, or load, without making its loader use more memory than
//! promised.

#[cfg(not(feature = "reserve"))]
mod counted {
    use peak_alloc::PeakAlloc;

    /// Measures allocated memory. During a reallocation both the old and the new block count.
    #[global_allocator]
    static MEMORY: PeakAlloc = PeakAlloc;

    /// The result of `task`, and the peak of the memory that it allocated.
    pub fn measured<R>(task: impl FnOnce() -> R) -> (R, usize) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = task();
        (result, MEMORY.peak_usage().saturating_sub(before))
    }
}

/// A program has one allocator. If it is the library's, memory is not measured here, and everything else is checked.
/// `cargo test --release --no-default-features --test hostile_files` measures it.
#[cfg(feature = "reserve")]
mod counted {
    /// The result of `task`.
    pub fn measured<R>(task: impl FnOnce() -> R) -> (R, usize) {
        (task(), 0)
    }
}

#[allow(unused_imports)] // each program uses only a part of it
pub use counted::measured;

/// Checks that no more memory was used than promised.
pub fn check_memory(most: usize, promised: usize) {
    assert!(most <= promised, "{most} bytes of memory, at most {promised} were promised");
}

/// Checks a refusal: an error kind that a file can cause, and a printable message.
pub fn check_error(error: &mnist::Error) {
    let text = error.to_string();
    assert!(error.kind() != mnist::ErrorKind::Internal, "{text}");
    assert!((1..2000).contains(&text.len()) && !text.contains(char::is_control), "{} bytes: {text:?}", text.len());
}
