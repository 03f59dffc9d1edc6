//! Entry and exit of every exported function: each runs inside one of these functions. They catch panics, set the
//! standard floating-point settings, and disable thread cancellation during the call.
//!
//! [`cancel::disable`] and [`cancel::restore`] may end the thread, which unwinds the stack. So their callers, and the
//! exported functions that call these, must have nothing to clean up (no drop glue, no personality routine): they call
//! nothing but `extern "C"` functions, which the compiler knows do not unwind. A test checks this.

use super::cancel;
use super::error::{MNIST_ERROR_OUT_OF_MEMORY, mnist_error, mnist_status};
#[cfg(feature = "reserve")]
use super::reserve::is_ready;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::environment::Standard;
use crate::memory;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Without the reserve a failed allocation aborts the process.
#[cfg(not(feature = "reserve"))]
fn is_ready() -> bool {
    true
}

/// Runs a function that can fail. Its error, or its panic, becomes a status, and a message in `error` if the caller
/// gave one. Does not start unless the memory reserve is available ([`reserve`](super::reserve)).
///
/// State that a panic leaves behind does no harm: locks here do not poison, and outputs are written last.
#[inline]
#[allow(improper_ctypes_definitions)] // Rust types in an extern "C" function: not called from C
pub extern "C" fn status(error: *mut mnist_error, task: impl FnOnce() -> Result<mnist_status>) -> mnist_status {
    let before = cancel::disable();
    let status = guarded(error, || task().map(|status| (status, None)));
    cancel::restore(before);
    status
}

/// As [`status`], for a function that may also return a notice: a positive status and a message.
#[inline]
#[allow(improper_ctypes_definitions)] // as above
pub extern "C" fn status_and_message(
    error: *mut mnist_error,
    task: impl FnOnce() -> Result<(mnist_status, Option<String>)>,
) -> mnist_status {
    let before = cancel::disable();
    let status = guarded(error, task);
    cancel::restore(before);
    status
}

#[inline(never)]
#[allow(improper_ctypes_definitions)] // as above
extern "C" fn guarded(
    error: *mut mnist_error,
    task: impl FnOnce() -> Result<(mnist_status, Option<String>)>,
) -> mnist_status {
    let _standard = Standard::enter();
    if !is_ready() {
        // SAFETY: by the contract `error` is NULL or a live mnist_error that no other thread uses meanwhile.
        unsafe { mnist_error::set_out_of_memory(error) };
        return MNIST_ERROR_OUT_OF_MEMORY;
    }
    let shortages = memory::shortages();
    let failure = match catch_unwind(AssertUnwindSafe(task)) {
        Ok(Ok((status, news))) => {
            // SAFETY: as above.
            unsafe { mnist_error::set(error, status, news) };
            return status;
        }
        Ok(Err(failure)) => failure,
        // Some of the libraries below panic when an allocation fails.
        Err(_) if memory::shortages() != shortages => out_of_memory(),
        Err(panic) => Error::new(ErrorKind::Internal, format!("a bug in the library: {}", panic_text(&*panic))),
    };
    let status = failure.kind() as mnist_status;
    // If the message cannot be allocated, the status is returned without it.
    let text = catch_unwind(AssertUnwindSafe(|| failure.to_string())).ok();
    // SAFETY: as above.
    unsafe { mnist_error::set(error, status, text) };
    status
}

/// Runs a function that cannot fail; if it panics all the same, returns `otherwise`.
#[inline]
#[allow(improper_ctypes_definitions)] // as above
pub extern "C" fn value<T: Copy>(otherwise: T, task: impl FnOnce() -> T) -> T {
    let before = cancel::disable();
    let value = guarded_value(otherwise, task);
    cancel::restore(before);
    value
}

#[inline(never)]
#[allow(improper_ctypes_definitions)] // as above
extern "C" fn guarded_value<T>(otherwise: T, task: impl FnOnce() -> T) -> T {
    let _standard = Standard::enter();
    catch_unwind(AssertUnwindSafe(task)).unwrap_or(otherwise)
}

/// Runs a function that makes an object; NULL when it panics, or when the memory reserve is used up.
#[inline]
#[allow(improper_ctypes_definitions)] // as above
pub extern "C" fn object<T>(task: impl FnOnce() -> *mut T) -> *mut T {
    value(std::ptr::null_mut(), || if is_ready() { task() } else { std::ptr::null_mut() })
}

/// An error unless the memory reserve is available.
pub fn ready() -> Result<()> {
    match is_ready() {
        true => Ok(()),
        false => Err(out_of_memory()),
    }
}

fn out_of_memory() -> Error {
    Error::new(ErrorKind::OutOfMemory, "memory has run out")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status() {
        std::panic::set_hook(Box::new(|_| ())); // the panic is intended
        let status = status(std::ptr::null_mut(), || panic!("boo"));
        let other = value(7, || panic!("boo"));
        drop(std::panic::take_hook());
        assert_eq!((status, other), (ErrorKind::Internal as i32, 7));
    }

    /// Every exported function enters through this file.
    #[test]
    fn no_exported_function_lacks_its_guard() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/capi");
        let mut exported = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for function in text.split(concat!("extern \"C\" fn ", "mnist_")).skip(1) {
                let body = function.split_once("{\n").unwrap().1;
                let code = body.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//"));
                let first = code.unwrap_or_default();
                assert!(
                    ["guard::status", "guard::value(", "guard::object("].iter().any(|guard| first.starts_with(guard)),
                    "{}: mnist_{}",
                    path.display(),
                    function.lines().next().unwrap()
                );
                exported += 1;
            }
        }
        assert!(exported > 40, "{exported}");
    }
}
