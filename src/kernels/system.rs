//! Calls to the Windows API. On other systems files and the C library give the same information.

/// The machine's memory in bytes, as its system counts it.
pub struct Memory {
    /// How much there is.
    pub total: usize,
    /// How much this process may still commit, including the page file: the system does not overcommit.
    pub available: usize,
}

/// The system's memory status; `None` on other systems.
pub fn memory() -> Option<Memory> {
    #[cfg(windows)]
    return windows::memory();
    #[cfg(not(windows))]
    None
}

#[cfg(windows)]
pub use windows::standard_handles;

#[cfg(windows)]
mod windows {
    use super::Memory;
    use std::ffi::c_void;

    /// `MEMORYSTATUSEX`
    #[repr(C)]
    #[derive(Default)]
    struct Status {
        length: u32,
        load: u32,
        total: u64,
        free: u64,
        total_promised: u64,
        left_to_promise: u64,
        addresses: u64,
        free_addresses: u64,
        free_extended: u64,
    }

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GlobalMemoryStatusEx(status: *mut Status) -> i32;
        fn GetStdHandle(which: u32) -> *mut c_void;
    }

    pub fn memory() -> Option<Memory> {
        let mut status = Status { length: size_of::<Status>() as u32, ..Status::default() };
        // SAFETY: the struct is as long as it says.
        if unsafe { GlobalMemoryStatusEx(&raw mut status) } == 0 {
            return None;
        }
        let bytes = |count: u64| usize::try_from(count).unwrap_or(isize::MAX as usize);
        Some(Memory { total: bytes(status.total), available: bytes(status.left_to_promise.min(status.free_addresses)) })
    }

    /// The handles of the process's standard input, output and error, open or not.
    pub fn standard_handles() -> [*mut c_void; 3] {
        // SAFETY: looks up a number.
        [-10i32, -11, -12].map(|which| unsafe { GetStdHandle(which as u32) })
    }
}
