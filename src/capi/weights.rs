//! Weights in files.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, path};
use std::ffi::c_char;

/// Writes the weights to the file `path` in the safetensors format: `conv2d/kernel` `[k, k, in, out]`, `dense/kernel`
/// `[in, out]`, `.../bias` `[out]`, float32. The weights are those of one moment between two steps. The file is written
/// beside its place and renamed, so that what is at `path` is whole at any time, and on failure what it was.
///
/// Errors: IO, NOT_FOUND for a folder that is not there; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_weights(
    model: *const mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.model.save_weights(&self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Reads weights that mnist_model_save_weights wrote, or any other program in that form. The file must have exactly
/// this model's tensors; otherwise the model stays as it was. What the optimizer has gathered is kept.
///
/// Errors, with file and tensor: NOT_FOUND for the file or a missing tensor; SHAPE for a wrong shape or a tensor that
/// the model does not have; UNSUPPORTED for another dtype than float32; FORMAT for what is no such file; IO; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_weights(
    model: *mut mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.model.load_weights(&self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}
