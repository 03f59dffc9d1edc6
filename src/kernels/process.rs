//! Identifies this process: detects forks, and elevated privileges.
//!
//! A forked child has a copy of all memory except its threads, so nothing in memory shows that it is another process;
//! and its process id may equal its parent's, in another namespace. So there is a page that the kernel clears in a
//! child (`MADV_WIPEONFORK`, Linux 4.14). On other systems a handler clears it, which the C library calls in a child
//! that it forks (`pthread_atfork`); a child made by a bare `clone` is not detected there. Systems with neither cannot
//! fork.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The identity of a process, different from its ancestors' and its children's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u64);

impl Process {
    /// This process. Takes no lock, so that a child never finds one held.
    pub fn current() -> Process {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Process(number(emptied_by_fork(), &COUNT))
    }

    /// Whether an ancestor has called [`Process::current`] before it forked.
    pub fn is_fork(self) -> bool {
        self.0 > 1
    }
}

/// The number in `word`; if a fork cleared it, or it was never set, a number that no ancestor had.
fn number(word: &AtomicU64, count: &AtomicU64) -> u64 {
    match word.load(Ordering::Relaxed) {
        0 => {
            let next = count.fetch_add(1, Ordering::Relaxed) + 1;
            word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|other| other, |_| next)
        }
        number => number,
    }
}

/// A word that is 0 in a child that was just forked.
fn emptied_by_fork() -> &'static AtomicU64 {
    static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());
    let mut found = WORD.load(Ordering::Acquire);
    if found.is_null() {
        let made = page().unwrap_or_else(handled);
        // If two threads come here at once, the first one's word is used, and the other page stays unused.
        found = match WORD.compare_exchange(std::ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(other) => other,
        };
    }
    // SAFETY: it is a static, or the start of a page that is never unmapped; both are zero at first.
    unsafe { &*found }
}

/// A page that the kernel clears in a child; `None` if it cannot.
#[cfg(target_os = "linux")]
fn page() -> Option<*mut AtomicU64> {
    const SIZE: usize = 4096; // the kernel rounds up to whole pages
    // SAFETY: a new mapping, which nothing else uses.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let page = libc::mmap(std::ptr::null_mut(), SIZE, access, kind, -1, 0);
        if page == libc::MAP_FAILED {
            return None;
        }
        // Some emulators accept any advice and ignore it: an invalid one must be rejected.
        let refuses = libc::madvise(page, SIZE, -1) != 0;
        if refuses && libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) == 0 {
            return Some(page.cast());
        }
        libc::munmap(page, SIZE);
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn page() -> Option<*mut AtomicU64> {
    None
}

/// The word that the handler clears. The handler stays: the shared library is never unloaded where this is used (see
/// `build.rs`), or the C library forgets the handlers of one that is.
fn handled() -> *mut AtomicU64 {
    static WORD: AtomicU64 = AtomicU64::new(0);
    #[cfg(unix)]
    {
        extern "C" fn empty() {
            WORD.store(0, Ordering::Relaxed);
        }
        // SAFETY: the handler stores into a static and does nothing else. Registered twice it does the same twice.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(empty)) }; // refused only when memory has run out
    }
    (&raw const WORD).cast_mut()
}

/// The system's number of this process; 0 where it numbers none, as in WebAssembly.
pub fn id() -> u32 {
    if cfg!(target_family = "wasm") { 0 } else { std::process::id() }
}

/// Whether the process has privileges that its user may lack (set-user-ID, set-group-ID, capabilities): then
/// environment variables must not be trusted.
pub fn is_privileged() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: looks up a number that the kernel has left at the process's start.
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))]
    // SAFETY: asks the kernel for a number.
    return unsafe { libc::issetugid() } != 0;
    #[allow(unreachable_code)]
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// The number that a forked child finds in `word`.
    fn parent_and_child(word: &AtomicU64, count: &AtomicU64) -> (u64, u64) {
        let parent = number(word, count);
        // SAFETY: the child stores and loads two words and ends.
        let status = unsafe {
            match libc::fork() {
                0 => libc::_exit(number(word, count) as i32),
                child => {
                    let mut status = 0;
                    assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                    status
                }
            }
        };
        assert!(libc::WIFEXITED(status) && number(word, count) == parent);
        (parent, libc::WEXITSTATUS(status) as u64)
    }

    #[test]
    fn a_child_is_another_process_by_either_way() {
        let count = AtomicU64::new(6);
        // SAFETY: the words live as long as the process.
        let (by_handler, by_page) = unsafe { (&*handled(), page().map(|page| &*page)) };
        for word in [Some(by_handler), by_page].into_iter().flatten() {
            let (parent, child) = parent_and_child(word, &count);
            assert!(child != parent && child == count.load(Ordering::Relaxed) + 1, "{parent}, {child}");
        }
        assert_eq!(Process::current(), Process::current());
    }
}
