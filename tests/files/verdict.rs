//! What a malicious file may do: be refused with a message, or load, without making its loader use more memory than
//! promised.

#[cfg(not(feature = "reserve"))]
mod counted {
    use peak_alloc::PeakAlloc;

    /// Counts what is allocated, a block that is moved twice: the old place and the new.
    #[global_allocator]
    static MEMORY: PeakAlloc = PeakAlloc;

    /// What `task` gives, and the most bytes that were allocated at once during it besides those that were before.
    pub fn measured<R>(task: impl FnOnce() -> R) -> (R, usize) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = task();
        (result, MEMORY.peak_usage().saturating_sub(before))
    }
}

/// A program has one allocator. With the library's own, memory is not counted here, and everything else is looked at; it
/// is counted by `cargo test --release --no-default-features --test hostile_files`.
#[cfg(feature = "reserve")]
mod counted {
    /// What `task` gives.
    pub fn measured<R>(task: impl FnOnce() -> R) -> (R, usize) {
        (task(), 0)
    }
}

#[allow(unused_imports)] // each program takes what it needs
pub use counted::measured;

/// Makes sure that no more memory was taken than is promised.
pub fn check_memory(most: usize, promised: usize) {
    assert!(most <= promised, "{most} bytes of memory, at most {promised} were promised");
}

/// Makes sure that a refusal is one: a kind that a file can deserve, and a message that can be shown.
pub fn check_error(error: &mnist::Error) {
    let text = error.to_string();
    assert!(error.kind() != mnist::ErrorKind::Internal, "{text}");
    assert!((1..2000).contains(&text.len()) && !text.contains(char::is_control), "{} bytes: {text:?}", text.len());
}
