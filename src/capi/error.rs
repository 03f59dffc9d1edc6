//! `mnist_status` and `mnist_error`.
#![allow(non_camel_case_types)]

use super::guard;
use super::pointers::{Handle, give, peek, peek_mut, take};
use crate::error::ErrorKind;
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// The result of a call: 0 is success, a negative value an error, a positive value a notice.
pub type mnist_status = i32;

/// Success.
pub const MNIST_OK: i32 = 0;
/// A callback or mnist_model_cancel stopped the fit. The model is usable and keeps the trained weights.
pub const MNIST_CANCELLED: i32 = 1;
/// A fit met a loss or a weight that is NaN or infinite; the message says where. See mnist_model_fit.
pub const MNIST_DIVERGED: i32 = 2;
/// An argument or an option has a value that the function does not accept: NULL, zero, an unknown constant, NaN.
pub const MNIST_ERROR_INVALID_ARGUMENT: i32 = -1;
/// Shapes do not fit each other: data and network, kernel and input, file and model.
pub const MNIST_ERROR_SHAPE: i32 = -2;
/// The object is not in the right state for this call: fit before compile, for example.
pub const MNIST_ERROR_STATE: i32 = -3;
/// Another call is changing the object.
pub const MNIST_ERROR_BUSY: i32 = -4;
/// The operating system could not read or write.
pub const MNIST_ERROR_IO: i32 = -5;
/// A file's content does not follow its format.
pub const MNIST_ERROR_FORMAT: i32 = -6;
/// There is no file, array, tensor, layer or metric of that name.
pub const MNIST_ERROR_NOT_FOUND: i32 = -7;
/// A download failed.
pub const MNIST_ERROR_NETWORK: i32 = -8;
/// A download is complete, but its size or checksum is not the expected one.
pub const MNIST_ERROR_CHECKSUM: i32 = -9;
/// Not enough memory.
pub const MNIST_ERROR_OUT_OF_MEMORY: i32 = -10;
/// The input is valid, but this library does not support it.
pub const MNIST_ERROR_UNSUPPORTED: i32 = -11;
/// A bug in the library. The call has no other effect; please report the message.
pub const MNIST_ERROR_INTERNAL: i32 = -12;

/// The status and the message of the last call that it was passed to. The caller owns it; use it in one call at a time.
pub struct mnist_error {
    status: mnist_status,
    message: Cow<'static, CStr>,
}

impl Handle for mnist_error {
    const TAG: u64 = u64::from_ne_bytes(*b"mnisterr");
}

impl mnist_error {
    /// Sets status and message.
    ///
    /// # Safety
    /// `error` is NULL or points to a live `mnist_error` that no other thread uses meanwhile.
    pub(super) unsafe fn set(error: *mut mnist_error, status: mnist_status, text: Option<String>) {
        // SAFETY: the caller's.
        if let Some(error) = unsafe { peek_mut(error) } {
            error.status = status;
            error.message = text.map_or(Cow::Borrowed(c""), |text| Cow::Owned(message(text)));
        }
    }

    /// Sets OUT_OF_MEMORY, without an allocation.
    ///
    /// # Safety
    /// As [`set`](Self::set).
    pub(super) unsafe fn set_out_of_memory(error: *mut mnist_error) {
        // SAFETY: the caller's.
        if let Some(error) = unsafe { peek_mut(error) } {
            error.status = MNIST_ERROR_OUT_OF_MEMORY;
            error.message = Cow::Borrowed(c"out of memory: not enough to start the call");
        }
    }
}

/// The message as one line without NUL bytes, for any file name or panic text.
fn message(text: String) -> CString {
    CString::new(text.replace(['\0', '\n', '\r'], " ")).unwrap_or_default()
}

/// Returns the library's version, for example "0.1.0". The string lives as long as the library is loaded.
#[unsafe(no_mangle)]
pub extern "C" fn mnist_version() -> *const c_char {
    guard::value(c"".as_ptr(), || {
        const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
        VERSION.as_ptr()
    })
}

/// Returns the name of a status, for example "MNIST_ERROR_SHAPE", or "MNIST_ERROR_UNKNOWN" for an unknown status. The
/// string lives as long as the library is loaded.
#[unsafe(no_mangle)]
pub extern "C" fn mnist_status_name(status: mnist_status) -> *const c_char {
    guard::value(c"".as_ptr(), || {
        let name = match status {
            MNIST_OK => c"MNIST_OK",
            MNIST_CANCELLED => c"MNIST_CANCELLED",
            MNIST_DIVERGED => c"MNIST_DIVERGED",
            MNIST_ERROR_INVALID_ARGUMENT => c"MNIST_ERROR_INVALID_ARGUMENT",
            MNIST_ERROR_SHAPE => c"MNIST_ERROR_SHAPE",
            MNIST_ERROR_STATE => c"MNIST_ERROR_STATE",
            MNIST_ERROR_BUSY => c"MNIST_ERROR_BUSY",
            MNIST_ERROR_IO => c"MNIST_ERROR_IO",
            MNIST_ERROR_FORMAT => c"MNIST_ERROR_FORMAT",
            MNIST_ERROR_NOT_FOUND => c"MNIST_ERROR_NOT_FOUND",
            MNIST_ERROR_NETWORK => c"MNIST_ERROR_NETWORK",
            MNIST_ERROR_CHECKSUM => c"MNIST_ERROR_CHECKSUM",
            MNIST_ERROR_OUT_OF_MEMORY => c"MNIST_ERROR_OUT_OF_MEMORY",
            MNIST_ERROR_UNSUPPORTED => c"MNIST_ERROR_UNSUPPORTED",
            MNIST_ERROR_INTERNAL => c"MNIST_ERROR_INTERNAL",
            _ => c"MNIST_ERROR_UNKNOWN",
        };
        name.as_ptr()
    })
}

/// Creates an error object. Pass it as the last argument of as many calls as you like, and free it with
/// mnist_error_free. Returns NULL only when memory has run out; every function accepts a NULL error as well.
#[unsafe(no_mangle)]
pub extern "C" fn mnist_error_new() -> *mut mnist_error {
    guard::object(|| give(mnist_error { status: MNIST_OK, message: Cow::Borrowed(c"") }))
}

/// Frees an error object. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_error_free(error: *mut mnist_error) {
    // SAFETY: by the contract it is NULL or came from mnist_error_new and was not freed.
    guard::value((), || unsafe { take(error) })
}

/// Returns the status of the last call that `error` was passed to; MNIST_OK before the first call and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_error_status(error: *const mnist_error) -> mnist_status {
    // SAFETY: by the contract it is NULL or live.
    guard::value(MNIST_OK, || unsafe { peek(error) }.map_or(MNIST_OK, |error| error.status))
}

/// Returns the message of the last call that `error` was passed to: one line of UTF-8 that names the file and byte,
/// tensor, argument or layer, what was expected and what was found. Returns "" if that call has no message, and for
/// NULL. The string is valid until `error` is passed to another call or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_error_message(error: *const mnist_error) -> *const c_char {
    // SAFETY: by the contract it is NULL or live.
    guard::value(c"".as_ptr(), || unsafe { peek(error) }.map_or(c"".as_ptr(), |error| error.message.as_ptr()))
}

// The header's numbers are those of the crate's error kinds.
const _: () = assert!(
    MNIST_ERROR_INVALID_ARGUMENT == ErrorKind::InvalidArgument as i32
        && MNIST_ERROR_SHAPE == ErrorKind::Shape as i32
        && MNIST_ERROR_STATE == ErrorKind::State as i32
        && MNIST_ERROR_BUSY == ErrorKind::Busy as i32
        && MNIST_ERROR_IO == ErrorKind::Io as i32
        && MNIST_ERROR_FORMAT == ErrorKind::Format as i32
        && MNIST_ERROR_NOT_FOUND == ErrorKind::NotFound as i32
        && MNIST_ERROR_NETWORK == ErrorKind::Network as i32
        && MNIST_ERROR_CHECKSUM == ErrorKind::Checksum as i32
        && MNIST_ERROR_OUT_OF_MEMORY == ErrorKind::OutOfMemory as i32
        && MNIST_ERROR_UNSUPPORTED == ErrorKind::Unsupported as i32
        && MNIST_ERROR_INTERNAL == ErrorKind::Internal as i32
);
