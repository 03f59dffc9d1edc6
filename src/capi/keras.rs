//! Models in Keras files.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::memory::to_memory;
use super::model::mnist_model;
use super::pointers::{borrow, path};
use crate::error::Result;
use crate::model::Model;
use std::ffi::{c_char, c_void};
use std::io::Write;
use std::path::Path;

/// Writes the whole model to the file `path` in Keras 3's `.keras` format, for Keras to load and continue to train: the
/// network and its name, the weights, the compile options and the optimizer state. All of it belongs to the same step,
/// also while another thread trains. The file does not contain the position of a fit (a file of mnist_model_save does).
/// Keras requires a name that ends in `.keras`; mnist_model_load detects the format by the content. The file is
/// replaced atomically, as in mnist_model_save_weights. The function allocates a copy of the weights and the optimizer
/// state.
///
/// ```c
/// mnist_model_save_keras(model, "digits.keras", error);   // in Python: keras.models.load_model("digits.keras")
/// ```
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED if the library was built without its feature `keras`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_keras(
    model: *const mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { save(borrow(model, "model")?.get()?, &self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Writes the model to memory: the bytes that mnist_model_save_keras would write to a file. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory. The function allocates a copy of the weights and the optimizer state,
/// and at most twice these bytes.
///
/// ```c
/// size_t needed = 0;
/// mnist_model_save_keras_memory(model, NULL, 0, &needed, error);
/// void *bytes = malloc(needed);
/// mnist_model_save_keras_memory(model, bytes, needed, &needed, error);
/// ```
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small (`*needed` is written, `buffer` is not);
/// OUT_OF_MEMORY; UNSUPPORTED if the library was built without its feature `keras`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_keras_memory(
    model: *const mnist_model,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { to_memory(buffer, capacity, needed, saved(borrow(model, "model")?.get()?)?) }
    })
}

#[cfg(feature = "keras")]
fn save(model: &Model, path: &Path) -> Result<()> {
    model.save_keras(path)
}

#[cfg(feature = "keras")]
fn saved(model: &Model) -> Result<impl Fn(&mut dyn Write) -> Result<()> + use<>> {
    let bytes = model.saved_keras()?;
    Ok(move |out: &mut dyn Write| Ok(out.write_all(bytes.all())?))
}

#[cfg(not(feature = "keras"))]
fn save(_: &Model, _: &Path) -> Result<()> {
    Err(missing())
}

#[cfg(not(feature = "keras"))]
fn saved(_: &Model) -> Result<impl Fn(&mut dyn Write) -> Result<()> + use<>> {
    Err::<fn(&mut dyn Write) -> Result<()>, _>(missing())
}

#[cfg(not(feature = "keras"))]
fn missing() -> crate::error::Error {
    super::built_without("Keras's files", "keras")
}
