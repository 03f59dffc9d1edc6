//! `pthread_cancel`, put aside: no call is a cancellation point, nor what the host's functions do in it.
//!
//! The C library ends a cancelled thread by unwinding its stack, which Rust's frames do not let through: the process
//! would end. So it waits until the call is over. That the thread of a host which cancels asynchronously ends in the
//! instant in which this is undone, inside [`restore`], is all right: on the stack are then only frames that have
//! nothing to clean up, see [`guard`](super::guard).

/// Whether the thread could be cancelled before.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Before(#[cfg_attr(not(cancels), allow(dead_code))] i32);

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

/// From here on the thread is not cancelled.
#[inline]
pub extern "C" fn disable() -> Before {
    #[cfg(cancels)]
    {
        let mut before = 0;
        // SAFETY: writes the variable it is given.
        unsafe { pthread::pthread_setcancelstate(pthread::DISABLE, &raw mut before) };
        Before(before)
    }
    #[cfg(not(cancels))]
    Before(0)
}

/// As before again: a thread that was cancelled meanwhile ends at its next cancellation point, or here.
#[inline]
pub extern "C" fn restore(before: Before) {
    #[cfg(cancels)]
    // SAFETY: the state and the type are ones that the functions have given; each writes the variable it is given.
    unsafe {
        let (mut disabled, mut kind, mut deferred) = (0, 0, 0);
        if before.0 == pthread::DISABLE {
            return; // of a call in a callback, say
        }
        // The type last: where glibc ends the thread as the state is set, who joins it is not told that it was cancelled.
        pthread::pthread_setcanceltype(pthread::DEFERRED, &raw mut kind);
        pthread::pthread_setcancelstate(before.0, &raw mut disabled);
        pthread::pthread_setcanceltype(kind, &raw mut deferred);
    }
    #[cfg(not(cancels))]
    let _ = before;
}
