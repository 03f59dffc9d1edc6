//! `pthread_cancel`, put aside: no call is a cancellation point, nor what the host's functions do in it.
//!
//! The C library ends a cancelled thread by unwinding its stack, which Rust's frames do not let through: the process
//! would end. So it waits until the call is over. That the thread of a host which cancels asynchronously ends in the
//! instant in which this is undone, inside [`restore`], is all right: on the stack are then only frames that have
//! nothing to clean up, see [`guard`](super::guard).

/// Whether the thread could be cancelled before.
#[derive(Clone, Copy)]
pub struct Before(#[cfg_attr(not(cancels), allow(dead_code))] i32);

#[cfg(cancels)]
mod pthread {
    unsafe extern "C" {
        pub fn pthread_setcancelstate(state: i32, before: *mut i32) -> i32;
    }

    #[cfg(target_vendor = "apple")]
    pub const DISABLE: i32 = 0;
    #[cfg(not(target_vendor = "apple"))]
    pub const DISABLE: i32 = 1;
}

/// From here on the thread is not cancelled.
#[inline(always)]
pub fn disable() -> Before {
    let mut before = 0;
    #[cfg(cancels)]
    // SAFETY: writes the variable it is given.
    let _ = unsafe { pthread::pthread_setcancelstate(pthread::DISABLE, &raw mut before) };
    #[cfg(not(cancels))]
    let _ = &mut before;
    Before(before)
}

/// As before again: a thread that was cancelled meanwhile ends at its next cancellation point, or here.
#[inline(always)]
pub fn restore(before: Before) {
    #[cfg(cancels)]
    // SAFETY: the state is one that the function has given. NULL is allowed by every C library that has the function but
    // not by POSIX, so there is a variable.
    let _ = unsafe {
        let mut ours = 0;
        pthread::pthread_setcancelstate(before.0, &raw mut ours)
    };
    #[cfg(not(cancels))]
    let _ = before;
}
