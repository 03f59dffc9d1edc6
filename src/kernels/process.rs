//! What this process is: whether it was forked off since, and whether it has rights that its user lacks.
//!
//! A forked child has a copy of everything, its threads apart, so that nothing in memory says that it is another process;
//! and its number may be its parent's, in a namespace of its own. So there is a page that the kernel empties in a child
//! (`MADV_WIPEONFORK`, Linux 4.14). Elsewhere a handler does that, which the C library calls in a child it forks
//! (`pthread_atfork`); a child made by a bare `clone` is not told there. What has neither cannot fork.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A process, unlike any that it was forked from and any that is forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u64);

impl Process {
    /// This one. Takes no lock, so that a child finds none held.
    pub fn current() -> Process {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Process(number(emptied_by_fork(), &COUNT))
    }
}

/// The number in `word`; when a fork has emptied it, or it was never filled in, one that no ancestor had.
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
        // Two threads may come here at once: the first one's word it is, and the other page is left.
        found = match WORD.compare_exchange(std::ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(other) => other,
        };
    }
    // SAFETY: it is a static, or the start of a page that is never unmapped; both are zero at first.
    unsafe { &*found }
}

/// A page of its own that the kernel empties in a child; `None` where it cannot.
#[cfg(target_os = "linux")]
fn page() -> Option<*mut AtomicU64> {
    const SIZE: usize = 4096; // the kernel makes whole pages of it
    // SAFETY: a new mapping, which nobody else knows.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let page = libc::mmap(std::ptr::null_mut(), SIZE, access, kind, -1, 0);
        if page == libc::MAP_FAILED {
            return None;
        }
        // Some emulators take every advice and follow none: one that there is not must be refused.
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

/// The word that the handler empties. The handler stays: the shared library is never unloaded where this is used (see
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

/// Whether the process has rights that whoever started it may lack (set-user-ID, set-group-ID, capabilities): what the
/// environment says is not to be believed then.
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

    /// What a forked child finds in `word`, after this process has.
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
