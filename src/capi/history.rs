//! `mnist_history`.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, out, peek, string, take};
use crate::model::History;
use std::ffi::{CString, c_char};

/// The metrics of a fit's epochs. It never changes, so any number of threads may read it.
pub struct mnist_history {
    history: History,
    names: Vec<CString>,
    reason: Option<CString>,
}

impl mnist_history {
    /// The handle of a history.
    pub(super) fn new(history: History) -> Self {
        let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
        let names = history.names().iter().map(|name| text(name)).collect();
        mnist_history { names, reason: history.stopped().map(text), history }
    }
}

impl Handle for mnist_history {
    const TAG: u64 = u64::from_ne_bytes(*b"mnisthis");
}

/// Returns the number of epochs, including one that was not completed; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_epochs(history: *const mnist_history) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(history) }.map_or(0, |history| history.history.epochs()))
}

/// Gets a metric of an epoch; epochs count from 0, the fit's first one. `metric` is "loss", "accuracy", "val_loss",
/// "val_accuracy" or another name of mnist_history_metric_name.
///
/// Errors: NOT_FOUND for a metric that was not measured, in this epoch (validation_freq) or at all; INVALID_ARGUMENT
/// for an epoch that does not exist.
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

/// Returns the number of metrics, including the loss; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_metrics_len(history: *const mnist_history) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(history) }.map_or(0, |history| history.names.len()))
}

/// Returns the name of metric `i`, counted from 0: "loss", then the compiled metrics, then the same for the validation
/// data ("val_loss" and so on), then metrics that callbacks add. Returns NULL if there is no metric `i`, and for NULL.
/// The string lives as long as the history.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_metric_name(history: *const mnist_history, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(history) }.and_then(|history| history.names.get(i));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// Returns the reason why a callback in callbacks_config ended the fit early: "EarlyStopping: ...". Returns NULL if
/// none did, and for NULL. The string lives as long as the history.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_stop_reason(history: *const mnist_history) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let reason = unsafe { peek(history) }.and_then(|history| history.reason.as_ref());
        reason.map_or(std::ptr::null(), |reason| reason.as_ptr())
    })
}

/// Frees a history. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_history_free(history: *mut mnist_history) {
    // SAFETY: by the contract it is NULL or came from mnist_model_fit and was not freed.
    guard::value((), || unsafe { take(history) })
}
