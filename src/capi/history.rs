//! `mnist_history`.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, out, peek, string, take};
use crate::model::History;
use std::ffi::c_char;

/// The metrics of a fit's epochs. It does not change; any number of threads may read it.
pub struct mnist_history {
    pub(super) history: History,
}

impl Handle for mnist_history {
    const TAG: u64 = u64::from_ne_bytes(*b"mnisthis");
}

/// How many epochs it holds, one that was cut short included; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_epochs(history: *const mnist_history) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(history) }.map_or(0, |history| history.history.epochs()))
}

/// A metric of an epoch, which counts from 0 at the fit's first one, into `*value`: "loss", "accuracy", "val_loss" or
/// "val_accuracy".
///
/// Errors: NOT_FOUND for a metric that was not measured; INVALID_ARGUMENT for an epoch that is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_get(
    history: *const mnist_history,
    metric: *const c_char,
    epoch: usize,
    value: *mut f64,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let history = borrow(history, "history")?;
            let metric = string(metric, "metric")?;
            out(value, "value")?.write(history.history.get(metric, epoch)?);
        }
        Ok(MNIST_OK)
    })
}

/// Frees it; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_free(history: *mut mnist_history) {
    // SAFETY: by the contract it is NULL or came from mnist_model_fit and was not freed.
    guard::value((), || unsafe { take(history) })
}
