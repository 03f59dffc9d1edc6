//! The way in and out: every exported function runs inside one of these. Panics end here, and the host's floating-point
//! settings are put aside meanwhile.

use super::error::{mnist_error, mnist_status};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::environment::Standard;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a function that can fail. Its error, or its panic, becomes a status, and a message in `error` if the caller
/// gave one.
///
/// State that a panic leaves behind is not looked at again in a way that could hurt: locks here do not poison, and
/// outputs are written last.
pub fn status(error: *mut mnist_error, task: impl FnOnce() -> Result<mnist_status>) -> mnist_status {
    status_and_news(error, || task().map(|status| (status, None)))
}

/// As [`status`], for a function that has something to say when it has not failed.
pub fn status_and_news(
    error: *mut mnist_error,
    task: impl FnOnce() -> Result<(mnist_status, Option<String>)>,
) -> mnist_status {
    let _standard = Standard::enter();
    let failure = match catch_unwind(AssertUnwindSafe(task)) {
        Ok(Ok((status, news))) => {
            // SAFETY: by the contract `error` is NULL or a live mnist_error that no other thread uses meanwhile.
            unsafe { mnist_error::set(error, status, news) };
            return status;
        }
        Ok(Err(failure)) => failure,
        Err(panic) => Error::new(ErrorKind::Internal, format!("a defect of the library: {}", panic_text(&*panic))),
    };
    let status = failure.kind() as mnist_status;
    // A message that cannot be made must not end the process: the status stands without it.
    let text = catch_unwind(AssertUnwindSafe(|| failure.to_string())).ok();
    // SAFETY: as above.
    unsafe { mnist_error::set(error, status, text) };
    status
}

/// Runs a function that cannot fail; should it panic all the same, `otherwise` is returned.
pub fn value<T>(otherwise: T, task: impl FnOnce() -> T) -> T {
    let _standard = Standard::enter();
    catch_unwind(AssertUnwindSafe(task)).unwrap_or(otherwise)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status() {
        std::panic::set_hook(Box::new(|_| ())); // it is meant to happen
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
                    first.starts_with("guard::status") || first.starts_with("guard::value("),
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
