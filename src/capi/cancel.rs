//! Disables `pthread_cancel` during a call: neither the call nor a callback in it is a cancellation point.
//!
//! The C library ends a cancelled thread by unwinding its stack, and unwinding through Rust frames would end the
//! process. So cancellation waits until the call is over. A thread with asynchronous cancellation may end inside
//! [`restore`], at the moment cancellation is enabled again. That is allowed: all frames on the stack then have nothing
//! to clean up, see [`guard`](super::guard).

/// The thread's cancellation state and type before the call, and whether glibc's cancellation signal is [`held`] back.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Before {
    state: i32,
    kind: i32,
    held: bool,
}

#[cfg(cancels)]
mod pthread {
    unsafe extern "C" {
        pub fn pthread_setcancelstate(state: i32, before: *mut i32) -> i32;
        pub fn pthread_setcanceltype(kind: i32, before: *mut i32) -> i32;
    }

    #[cfg(target_vendor = "apple")]
    pub const DISABLE: i32 = 0;
    #[cfg(not(target_vendor = "apple"))]
    pub const DISABLE: i32 = 1;

    #[cfg(target_vendor = "apple")]
    pub const DEFERRED: i32 = 2;
    #[cfg(not(target_vendor = "apple"))]
    pub const DEFERRED: i32 = 0;
}

/// glibc's cancellation signal, which a thread with asynchronous cancellation blocks during the call. A `pthread_cancel`
/// that has seen such a thread before the call may send the signal only after cancellation was disabled. Its handler
/// checks the type, not the state, and inside a blocking function glibc sets the type to asynchronous: the thread would
/// end there. The handler must run while the type is deferred; it then notes the cancellation for later.
#[cfg(all(cancels, target_os = "linux", target_env = "gnu"))]
mod held {
    /// The signal's bit in the kernel's set. `sigprocmask` would leave the signal out.
    const SIGNAL: u64 = 1 << (32 - 1);

    /// Blocks the signal. Returns whether it was not blocked before.
    pub extern "C" fn block() -> bool {
        let mut before = 0;
        change(libc::SIG_BLOCK, &mut before) == 0 && before & SIGNAL == 0
    }

    /// Unblocks the signal. If it is pending, its handler runs before this returns.
    pub extern "C" fn unblock() {
        change(libc::SIG_UNBLOCK, &mut 0);
    }

    extern "C" fn change(how: i32, before: &mut u64) -> libc::c_long {
        let signal = SIGNAL;
        // SAFETY: both sets have the size that is given: 8 bytes, the kernel's on every processor but MIPS, where the
        // call fails and changes nothing.
        unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const signal, &raw mut *before, size_of::<u64>()) }
    }
}

#[cfg(all(cancels, not(all(target_os = "linux", target_env = "gnu"))))]
mod held {
    pub extern "C" fn block() -> bool {
        false
    }

    pub extern "C" fn unblock() {}
}

/// Disables cancellation of this thread.
#[inline]
pub extern "C" fn disable() -> Before {
    let mut before = Before { state: 0, kind: 0, held: false };
    #[cfg(cancels)]
    // SAFETY: each writes the variable it is given.
    unsafe {
        pthread::pthread_setcancelstate(pthread::DISABLE, &raw mut before.state);
        // The type too: if glibc's cancellation signal is already pending when the state changes, its handler checks
        // only the type.
        if before.state != pthread::DISABLE {
            pthread::pthread_setcanceltype(pthread::DEFERRED, &raw mut before.kind);
            if before.kind != pthread::DEFERRED {
                before.held = held::block();
            }
        }
    }
    #[cfg(not(cancels))]
    let _ = &mut before;
    before
}

/// Restores state and type: a thread that was cancelled meanwhile ends at its next cancellation point, or here.
#[inline]
pub extern "C" fn restore(before: Before) {
    #[cfg(cancels)]
    // SAFETY: the state and the type are ones that the functions have given; each writes the variable it is given.
    unsafe {
        // A call inside a callback, for example, has disabled nothing.
        if before.state != pthread::DISABLE {
            let (mut state, mut kind) = (0, 0);
            if before.held {
                held::unblock();
            }
            // The type last: if glibc ended the thread when the state is set, pthread_join would not report
            // PTHREAD_CANCELED.
            pthread::pthread_setcancelstate(before.state, &raw mut state);
            pthread::pthread_setcanceltype(before.kind, &raw mut kind);
        }
    }
    #[cfg(not(cancels))]
    let _ = (before.state, before.kind, before.held);
}
