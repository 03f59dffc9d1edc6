//! `pthread_cancel`, put aside: no call is a cancellation point, nor what the host's functions do in it.
//!
//! The C library ends a cancelled thread by unwinding its stack, which Rust's frames do not let through: the process
//! would end. So it waits until the call is over. That the thread of a host which cancels asynchronously ends in the
//! instant in which this is undone, inside [`restore`], is all right: on the stack are then only frames that have
//! nothing to clean up, see [`guard`](super::guard).

/// Whether the thread could be cancelled before, and of which type that was.
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

/// From here on the thread is not cancelled.
#[inline]
pub extern "C" fn disable() -> Before {
    let mut before = Before { state: 0, kind: 0 };
    #[cfg(cancels)]
    // SAFETY: each writes the variable it is given.
    unsafe {
        pthread::pthread_setcancelstate(pthread::DISABLE, &raw mut before.state);
        // The type too: glibc's signal that is on its way when the state changes looks at the type alone.
        if before.state != pthread::DISABLE {
            pthread::pthread_setcanceltype(pthread::DEFERRED, &raw mut before.kind);
        }
    }
    #[cfg(not(cancels))]
    let _ = &mut before;
    before
}

/// As before again: a thread that was cancelled meanwhile ends at its next cancellation point, or here.
#[inline]
pub extern "C" fn restore(before: Before) {
    #[cfg(cancels)]
    // SAFETY: the state and the type are ones that the functions have given; each writes the variable it is given.
    unsafe {
        // A call in a callback, say, has disabled nothing.
        if before.state != pthread::DISABLE {
            let (mut state, mut kind) = (0, 0);
            // The type last: where glibc ends the thread as the state is set, who joins it is not told that it was cancelled.
            pthread::pthread_setcancelstate(before.state, &raw mut state);
            pthread::pthread_setcanceltype(before.kind, &raw mut kind);
        }
    }
    #[cfg(not(cancels))]
    let _ = (before.state, before.kind);
}
