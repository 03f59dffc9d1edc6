//! C's own `stdout` on Windows: that of the C runtime that this library is linked to.
//!
//! A console interprets bytes in its code page, so text goes to it as UTF-16 unless it is ASCII. Pipes and files get
//! UTF-8.

use std::ffi::{c_int, c_void};

/// `COORD` and `SMALL_RECT`, one after the other, as `CONSOLE_SCREEN_BUFFER_INFO` has them.
#[repr(C)]
#[derive(Default)]
struct Screen {
    size: [i16; 2],
    cursor: [i16; 2],
    attributes: u16,
    left: i16,
    top: i16,
    right: i16,
    bottom: i16,
    most: [i16; 2],
}

unsafe extern "C" {
    fn __acrt_iob_func(index: u32) -> *mut libc::FILE;
    fn _lock_file(stream: *mut libc::FILE);
    fn _unlock_file(stream: *mut libc::FILE);
    fn _setmode(file: c_int, mode: c_int) -> c_int;
}

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetConsoleMode(console: *mut c_void, mode: *mut u32) -> i32;
    fn GetConsoleScreenBufferInfo(console: *mut c_void, screen: *mut Screen) -> i32;
    fn WriteConsoleW(console: *mut c_void, text: *const u16, len: u32, written: *mut u32, reserved: *mut c_void)
    -> i32;
}

/// C's own stream, locked.
struct Stdout(*mut libc::FILE);

impl Stdout {
    fn lock() -> Self {
        // SAFETY: the stream lives as long as the process, and is unlocked again.
        unsafe {
            let stream = __acrt_iob_func(1);
            _lock_file(stream);
            Stdout(stream)
        }
    }

    /// Its descriptor; `None` in a program without a console, and where it is closed.
    fn file(&self) -> Option<c_int> {
        // SAFETY: the stream is one.
        Some(unsafe { libc::fileno(self.0) }).filter(|&file| file >= 0)
    }

    /// The console that it goes to, if it does.
    fn console(&self) -> Option<*mut c_void> {
        let mut mode = 0;
        // SAFETY: looks up a number, and asks the system what it is the handle of.
        unsafe {
            let handle = libc::get_osfhandle(self.file()?) as *mut c_void;
            (GetConsoleMode(handle, &raw mut mode) != 0).then_some(handle)
        }
    }
}

impl Drop for Stdout {
    fn drop(&mut self) {
        // SAFETY: it was locked by this thread.
        unsafe { _unlock_file(self.0) }
    }
}

/// Whether a line can be redrawn there: in a console.
pub fn is_terminal() -> bool {
    Stdout::lock().console().is_some()
}

/// The columns of the console's window; `None` where the stream goes elsewhere.
pub fn columns() -> Option<usize> {
    let mut screen = Screen::default();
    let console = Stdout::lock().console()?;
    // SAFETY: the call fills in the struct of its kind, or fails.
    let told = unsafe { GetConsoleScreenBufferInfo(console, &raw mut screen) } != 0;
    told.then(|| usize::try_from(i32::from(screen.right) - i32::from(screen.left) + 1).unwrap_or(0))
}

/// Whether C's stream takes wide characters only, by `_setmode`. Reading the mode means setting it.
pub fn is_wide() -> bool {
    const BINARY: c_int = 0x8000;
    const WIDE: c_int = 0x10000 | 0x20000 | 0x40000; // _O_WTEXT, _O_U16TEXT, _O_U8TEXT
    let stdout = Stdout::lock();
    let Some(file) = stdout.file() else { return false };
    // SAFETY: as it is set nobody writes, and it is set back.
    unsafe {
        let mode = _setmode(file, BINARY);
        if mode != -1 {
            _setmode(file, mode);
        }
        mode != -1 && mode & WIDE != 0
    }
}

/// Writes where C's stream goes, after what the host's own `printf` has left in it.
pub fn write(text: &str) {
    let stdout = Stdout::lock();
    if stdout.file().is_none() {
        return;
    }
    // SAFETY: the text is as long as said, and the stream is one.
    unsafe {
        match stdout.console().filter(|_| !text.is_ascii()) {
            Some(console) => {
                libc::fflush(stdout.0);
                write_console(console, text);
            }
            None => {
                libc::fwrite(text.as_ptr().cast(), 1, text.len(), stdout.0);
                libc::fflush(stdout.0);
            }
        }
    }
}

/// Writes all of it to a console; gives up at an error.
fn write_console(console: *mut c_void, text: &str) {
    let text: Vec<u16> = text.encode_utf16().collect();
    let mut rest = text.as_slice();
    while !rest.is_empty() {
        let (len, mut written) = (rest.len().min(1 << 12), 0);
        // SAFETY: there are as many letters as said.
        let went = unsafe { WriteConsoleW(console, rest.as_ptr(), len as u32, &raw mut written, std::ptr::null_mut()) };
        if went == 0 || written == 0 {
            return;
        }
        rest = rest.get(written as usize..).unwrap_or_default();
    }
}
