//! Where text goes: to the caller's function, or to C's own `stdout`.
#![allow(non_camel_case_types)]

use crate::error::{Error, ErrorKind, Result};
use crate::kernels::process::Process;
use crate::variables;
use std::cell::Cell;
use std::ffi::{c_char, c_void};

/// Takes a piece of text: UTF-8, `len` bytes, also NUL-terminated, good during the call.
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
        self.refused.set(self.write.is_none() && is_wide());
        self.check()
    }

    /// An error when the call cannot go on: a function of the caller's has forked, and this is the child, which does not
    /// have the threads; or text had nowhere to go. To be asked after each function of the caller's that was called, and
    /// each piece of text.
    pub fn check(&self) -> Result<()> {
        if self.process != Process::current() {
            let what = "this process was forked off inside the call, which is its parent's";
            return Err(Error::new(ErrorKind::State, what).expected("the process that made the call"));
        }
        if self.refused.get() {
            let error = Error::new(ErrorKind::Io, "C's stdout is wide-oriented, and takes no bytes");
            return Err(error.expected("a stdout without fwide or wprintf, or a function in `write`"));
        }
        Ok(())
    }

    /// Whether a line can be redrawn there: a caller's function is told everything, `stdout` only if it is a terminal, and
    /// not one that calls itself dumb.
    pub fn redraw(&self) -> bool {
        // SAFETY: C's stream lives as long as the process; isatty looks at a descriptor's number, also at a closed one's.
        let terminal = || unsafe { libc::isatty(libc::fileno(stdout)) } == 1;
        self.write.is_some() || (terminal() && variables::get("TERM").is_none_or(|name| name != "dumb"))
    }

    /// How many columns a line has there now; `None` where that is unknown or as many as it needs: in a file, with a
    /// caller's function.
    pub fn columns(&self) -> Option<usize> {
        self.write.is_none().then(terminal_columns).flatten().filter(|&columns| columns > 0)
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
            None if is_wide() => self.refused.set(true),
            None => write_stdout(text),
        }
    }
}

unsafe extern "C" {
    /// C's own stream.
    #[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
}

/// The columns of the terminal that C's stream goes to, 0 if it does not tell; `None` where it goes elsewhere.
#[cfg(unix)]
fn terminal_columns() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the stream lives as long as the process; the call fills in the struct of its kind, or fails.
    let told = unsafe { libc::ioctl(libc::fileno(stdout), libc::TIOCGWINSZ, &raw mut size) } == 0;
    told.then_some(size.ws_col.into())
}

#[cfg(not(unix))]
fn terminal_columns() -> Option<usize> {
    None
}

/// Whether C's stream has been used for wide characters: it refuses others then.
#[cfg(unix)]
fn is_wide() -> bool {
    unsafe extern "C" {
        fn fwide(stream: *mut libc::FILE, mode: i32) -> i32;
    }
    // SAFETY: the stream lives as long as the process; 0 asks and changes nothing.
    unsafe { fwide(stdout, 0) > 0 }
}

#[cfg(not(unix))]
fn is_wide() -> bool {
    false
}

/// Writes where C's stream goes, after what the host's own `printf` has left in it, so that the text stands where `printf`
/// would have put it. Only that stream is flushed: flushing them all would wait for a thread of the host that reads from
/// `stdin`.
///
/// When a signal interrupts a flush, the C library forgets what it had to write. So where a signal can, in a pipe, a terminal
/// or a socket, the text goes past the stream, which is empty then. A regular file's writes are not interrupted, and of its
/// place there the stream may keep account.
#[cfg(unix)]
fn write_stdout(text: &str) {
    unsafe extern "C" {
        fn flockfile(stream: *mut libc::FILE);
        fn funlockfile(stream: *mut libc::FILE);
    }
    // SAFETY: C's stream lives as long as the process, and is unlocked again; a descriptor that is closed is an error.
    unsafe {
        flockfile(stdout);
        libc::fflush(stdout);
        let file = libc::fileno(stdout); // none when it goes to a function or an array of the host's
        if file >= 0 && libc::lseek(file, 0, libc::SEEK_CUR) < 0 {
            write_all(file, text.as_bytes());
        } else {
            libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
            libc::fflush(stdout);
        }
        funlockfile(stdout);
    }
}

/// Writes all of it, whatever signals come between; gives up at any other error.
#[cfg(unix)]
fn write_all(file: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: there are as many bytes as said.
        let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written.min(bytes.len())..],
            Err(_) => match std::io::Error::last_os_error().kind() {
                std::io::ErrorKind::Interrupted => (),
                std::io::ErrorKind::WouldBlock => {
                    let mut wait = libc::pollfd { fd: file, events: libc::POLLOUT, revents: 0 };
                    // SAFETY: one struct of its kind.
                    unsafe { libc::poll(&raw mut wait, 1, -1) };
                }
                _ => return,
            },
        }
    }
}

#[cfg(not(unix))]
fn write_stdout(text: &str) {
    // SAFETY: the text is as long as said, and C's stream lives as long as the process.
    unsafe {
        libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
        libc::fflush(stdout);
    }
}
