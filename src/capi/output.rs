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

/// A place for text, and whose it is.
pub struct Sink {
    write: mnist_write_fn,
    user_data: *mut c_void,
    process: Process,
    /// Whether text had nowhere to go.
    refused: Cell<bool>,
}

impl Sink {
    /// The caller's function, or C's `stdout` for NULL.
    pub fn new(write: mnist_write_fn, user_data: *mut c_void) -> Self {
        Sink { write, user_data, process: Process::current(), refused: Cell::new(false) }
    }

    /// An error when nothing can be written there: for a call that will.
    pub fn ready(&self) -> Result<()> {
        self.refused.set(self.write.is_none() && stdout::is_wide());
        self.check()
    }

    /// An error when the call cannot go on: a function of the caller's has forked, and this is the child, which does not
    /// have the threads; or text had nowhere to go. To be asked after each function of the caller's that was called, and
    /// each piece of text.
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

    /// Whether a line can be redrawn there: a caller's function is told everything, `stdout` only if it is a terminal, and
    /// not one that calls itself dumb.
    pub fn redraw(&self) -> bool {
        self.write.is_some() || (stdout::is_terminal() && variables::get("TERM").is_none_or(|name| name != "dumb"))
    }

    /// How many columns a line has there now; `None` where that is unknown or as many as it needs: in a file, with a
    /// caller's function.
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
