//! Where text goes: to the caller's function, or to C's own `stdout`.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_void};

/// Takes a piece of text: UTF-8, `len` bytes, also NUL-terminated, good during the call.
pub type mnist_write_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char, len: usize)>;

/// A place for text.
pub struct Sink {
    write: mnist_write_fn,
    user_data: *mut c_void,
}

impl Sink {
    /// The caller's function, or C's `stdout` for NULL.
    pub fn new(write: mnist_write_fn, user_data: *mut c_void) -> Self {
        Sink { write, user_data }
    }

    /// Whether a line can be redrawn there: a caller's function is told everything, `stdout` only if it is a terminal, and
    /// not one that calls itself dumb.
    pub fn redraw(&self) -> bool {
        // SAFETY: C's stream lives as long as the process; isatty looks at a descriptor's number, also at a closed one's.
        let terminal = || unsafe { libc::isatty(libc::fileno(stdout)) } == 1;
        self.write.is_some() || (terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb"))
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

/// Writes where C's stream does, so that the text stands where the host's own `printf` would have put it. Only that stream
/// is flushed: flushing them all would wait for a thread of the host that reads from `stdin`.
///
/// When a signal interrupts a flush, the C library forgets what it had to write. So where a signal can, in a pipe, a terminal
/// or a socket, the text goes past the stream, which is empty then. A regular file's writes are not interrupted.
fn write_stdout(text: &str) {
    // SAFETY: C's stream lives as long as the process, the text is as long as said; a descriptor that is closed is an error.
    unsafe {
        libc::fflush(stdout);
        let file = libc::fileno(stdout);
        if file >= 0 && libc::lseek(file, 0, libc::SEEK_CUR) < 0 {
            write_all(file, text.as_bytes());
        } else {
            libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
            libc::fflush(stdout);
        }
    }
}

/// Writes all of it, unless the descriptor takes no more.
fn write_all(file: libc::c_int, mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: the text is as long as said.
        match unsafe { libc::write(file, text.as_ptr().cast(), text.len()) } {
            written @ 1.. => text = &text[(written as usize).min(text.len())..],
            _ if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => (),
            _ => return,
        }
    }
}
