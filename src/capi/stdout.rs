//! C's own `stdout`. That of Windows is in `stdout_windows.rs`.

unsafe extern "C" {
    /// C's own stream.
    #[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
}

/// Whether a line can be redrawn.
pub fn is_terminal() -> bool {
    // SAFETY: C's stream lives as long as the process; isatty looks at a descriptor's number, also at a closed one's.
    unsafe { libc::isatty(libc::fileno(stdout)) == 1 }
}

/// The columns of the terminal that C's stream goes to, 0 if it does not tell; `None` where it goes elsewhere.
#[cfg(unix)]
pub fn columns() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the stream lives as long as the process; the call fills in the struct of its kind, or fails.
    let told = unsafe { libc::ioctl(libc::fileno(stdout), libc::TIOCGWINSZ, &raw mut size) } == 0;
    told.then_some(size.ws_col.into())
}

#[cfg(not(unix))]
pub fn columns() -> Option<usize> {
    None
}

/// Whether C's stream has been used for wide characters: it refuses others then.
#[cfg(unix)]
pub fn is_wide() -> bool {
    unsafe extern "C" {
        fn fwide(stream: *mut libc::FILE, mode: i32) -> i32;
    }
    // SAFETY: the stream lives as long as the process; 0 asks and changes nothing.
    unsafe { fwide(stdout, 0) > 0 }
}

#[cfg(not(unix))]
pub fn is_wide() -> bool {
    false
}

/// Writes to C's `stdout`, after the host's own buffered `printf` output, so that the text appears in order. Only that
/// stream is flushed: flushing all of them would wait for a host thread that reads from `stdin`.
///
/// If a signal interrupts a flush, the C library loses the buffered text. So where that can happen (a pipe, a terminal,
/// a socket) the text is written past the stream, whose buffer is empty then. Writes to a regular file are not
/// interrupted; there the text goes through the stream, which tracks the file position.
#[cfg(unix)]
pub fn write(text: &str) {
    unsafe extern "C" {
        fn flockfile(stream: *mut libc::FILE);
        fn funlockfile(stream: *mut libc::FILE);
    }
    // SAFETY: C's stream lives as long as the process, and is unlocked again; a descriptor that is closed is an error.
    unsafe {
        flockfile(stdout);
        libc::fflush(stdout);
        let file = libc::fileno(stdout); // negative when it goes to a function or an array of the host
        if file >= 0 && libc::lseek(file, 0, libc::SEEK_CUR) < 0 {
            write_all(file, text.as_bytes());
        } else {
            libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
            libc::fflush(stdout);
        }
        funlockfile(stdout);
    }
}

/// Writes all of it, repeating interrupted calls; stops at any other error.
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
pub fn write(text: &str) {
    // SAFETY: the text is as long as said, and C's stream lives as long as the process.
    unsafe {
        libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout);
        libc::fflush(stdout);
    }
}
