//! Where text goes: to the caller's function, or to C's own `stdout`.
#![allow(non_camel_case_types)]

use super::stdout;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::process::Process;
use crate::variables;
use std::cell::Cell;
use std::ffi::{c_char, c_void};

/// Receives a piece of text: `len` bytes of UTF-8, also NUL-terminated, valid during the call. `user_data` is the
/// pointer that was given with the function.
pub type mnist_write_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char, len: usize)>;

/// The destination of text: the caller's function or `stdout`.
pub struct Sink {
    write: mnist_write_fn,
    user_data: *mut c_void,
    process: Process,
    /// Whether text could not be written.
    refused: Cell<bool>,
}

impl Sink {
    /// The caller's function, or C's `stdout` for NULL.
    pub fn new(write: mnist_write_fn, user_data: *mut c_void) -> Self {
        Sink { write, user_data, process: Process::current(), refused: Cell::new(false) }
    }

    /// An error if nothing can be written there; checked before a call that will write.
    pub fn ready(&self) -> Result<()> {
        self.refused.set(self.write.is_none() && stdout::is_wide());
        self.check()
    }

    /// An error if the call cannot continue: a function of the caller forked, and this is the child, which does not
    /// have the threads; or text could not be written. Checked after each call of a caller's function and after each
    /// piece of text.
    pub fn check(&self) -> Result<()> {
        if self.process != Process::current() {
            let what = "this process was forked inside the call, which belongs to its parent";
            return Err(Error::new(ErrorKind::State, what).expected("the process that made the call"));
        }
        if self.refused.get() {
            let error = Error::new(ErrorKind::Io, "stdout is wide-oriented and takes no bytes");
            return Err(error.expected("a stdout without fwide or wprintf, or a function in `write`"));
        }
        Ok(())
    }

    /// Whether a line can be redrawn: always with a caller's function, on `stdout` only if it is a terminal and TERM is
    /// not "dumb".
    pub fn redraw(&self) -> bool {
        self.write.is_some() || (stdout::is_terminal() && variables::get("TERM").is_none_or(|name| name != "dumb"))
    }

    /// The current number of columns; `None` where it is unknown or unlimited: in a file, and with a caller's function.
    pub fn columns(&self) -> Option<usize> {
        self.write.is_none().then(stdout::columns).flatten().filter(|&columns| columns > 0)
    }

    /// Writes a piece of text.
    pub fn write(&self, text: &str) {
        match self.write {
            Some(write) => {
                let mut bytes = Vec::with_capacity(text.len() + 1);
                bytes.extend(text.bytes());
                bytes.push(0);
                // SAFETY: by the contract it is a function of this type, and lives as long as the call it was given to.
                unsafe { write(self.user_data, bytes.as_ptr().cast(), text.len()) }
            }
            None if stdout::is_wide() => self.refused.set(true),
            None => stdout::write(text),
        }
    }
}
