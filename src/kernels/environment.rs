//! The floating-point environment of a thread: rounding, denormals, traps.
//!
//! A host may have changed it: audio code flushes denormals, numerical code rounds upward or traps on overflow. The
//! same bits everywhere require the standard one, and Rust's arithmetic is defined only for that.

use std::marker::PhantomData;

/// The standard environment (round to nearest, denormals kept, no traps) until this is dropped, which restores the one
/// before. Threads started meanwhile inherit the standard one.
pub struct Standard {
    before: Option<Control>,
    _of_this_thread: PhantomData<*const ()>,
}

impl Standard {
    /// Enters it.
    pub fn enter() -> Self {
        let before = control();
        let other = before & SETTINGS != STANDARD;
        if other {
            set_control(STANDARD);
        }
        Standard { before: other.then_some(before), _of_this_thread: PhantomData }
    }
}

impl Drop for Standard {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            set_control(before);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod register {
    /// MXCSR (Intel's manual, volume 1, 10.2.3).
    pub type Control = u32;
    /// All exceptions masked, nothing else.
    pub const STANDARD: Control = 0x1f80;
    /// All but the six exception flags.
    pub const SETTINGS: Control = 0xffc0;

    pub fn control() -> Control {
        let mut control = 0;
        // SAFETY: writes the four bytes it is given.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags)) };
        control
    }

    pub fn set_control(control: Control) {
        // SAFETY: the value is the standard one, or was read from this register.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod register {
    /// FPCR (Arm's manual, C5.2.8).
    pub type Control = u64;
    pub const STANDARD: Control = 0;
    pub const SETTINGS: Control = !0;

    pub fn control() -> Control {
        let control;
        // SAFETY: reads a register.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        control
    }

    pub fn set_control(control: Control) {
        // SAFETY: the value is the standard one, or was read from this register.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod register {
    pub type Control = u32;
    pub const STANDARD: Control = 0;
    pub const SETTINGS: Control = 0;

    /// Unknown on this architecture.
    pub fn control() -> Control {
        STANDARD
    }

    pub fn set_control(_: Control) {}
}

use register::{Control, SETTINGS, STANDARD, control, set_control};

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_host_s_settings_are_put_aside_and_come_back() {
        const UPWARD_AND_FLUSHED: Control = 0x1f80 | 0x4000 | 0x8040;
        set_control(UPWARD_AND_FLUSHED);
        let inside = {
            let _standard = Standard::enter();
            let inside = control();
            {
                let _again = Standard::enter();
            }
            (inside, control() & SETTINGS)
        };
        let after = control();
        set_control(STANDARD);
        assert_eq!((inside.0, inside.1, after & SETTINGS), (STANDARD, STANDARD, UPWARD_AND_FLUSHED));
    }
}
