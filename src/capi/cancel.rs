//! Disables `pthread_cancel` during a call: neither the call nor a callback in it is a cancellation point.
//!
//! The C library ends a cancelled thread by unwinding its stack, and unwinding through Rust frames would end the
//! process. So cancellation waits until the call is over. A thread with asynchronous cancellation may end inside
//! [`restore`], at the moment cancellation is enabled again. That is allowed: all frames on the stack then have nothing
//! to clean up, see [`guard`](super::guard).

/// The thread's cancellation state and type before the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Before {
    state: i32,
    kind: i32,
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

/// Waits for a cancellation that is under way. A `pthread_cancel` that has seen this thread with asynchronous cancellation
/// may send its signal only now. glibc's handler (2.36) checks the type, not the state, and within a blocking function
/// the type is asynchronous: the thread would end there, in the middle of the call. But at the end of a blocking function
/// glibc waits for such a signal. So one is called here, where the thread may still end.
#[cfg(all(cancels, target_os = "linux", target_env = "gnu"))]
#[inline]
extern "C" fn wait_for_signal() {
    // SAFETY: no descriptors, no time.
    unsafe { libc::poll(std::ptr::null_mut(), 0, 0) };
}

#[cfg(all(cancels, not(all(target_os = "linux", target_env = "gnu"))))]
extern "C" fn wait_for_signal() {}

/// Disables cancellation of this thread.
#[inline]
pub extern "C" fn disable() -> Before {
    let mut before = Before { state: 0, kind: 0 };
    #[cfg(cancels)]
    // SAFETY: each writes the variable it is given.
    unsafe {
        pthread::pthread_setcancelstate(pthread::DISABLE, &raw mut before.state);
        // The type too: if glibc's cancellation signal is already pending when the state changes, its handler checks
        // only the type.
        if before.state != pthread::DISABLE {
            pthread::pthread_setcanceltype(pthread::DEFERRED, &raw mut before.kind);
            if before.kind != pthread::DEFERRED {
                wait_for_signal();
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
            // The type last: if glibc ended the thread when the state is set, pthread_join would not report
            // PTHREAD_CANCELED.
            pthread::pthread_setcancelstate(before.state, &raw mut state);
            pthread::pthread_setcanceltype(before.kind, &raw mut kind);
        }
    }
    #[cfg(not(cancels))]
    let _ = (before.state, before.kind);
}
