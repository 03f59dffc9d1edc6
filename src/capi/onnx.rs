//! Models in ONNX's files.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::memory::to_memory;
use super::model::mnist_model;
use super::pointers::{borrow, give, out, path};
#[cfg(feature = "onnx")]
use crate::onnx;
#[cfg(not(feature = "onnx"))]
use missing as onnx;
use std::ffi::{c_char, c_void};

/// Writes the model to the ONNX file `path`, for onnxruntime and whoever else runs such files: its network and its weights,
/// those of one moment between two steps, with operators of opset 17, for any number of samples. What goes in and comes out
/// is the model's: images are `[batch, height, width, channels]`, float32. What is random in training (dropout, noise,
/// augmentation) is left out; so are the compile options and the optimizer's state. A layer that is called twice is written
/// twice. The file replaces what was there as mnist_model_save_weights does. Memory: twice the weights.
///
/// Errors, with the layer: those of mnist_model_save_weights; UNSUPPORTED for a layer or an activation that has no form in
/// ONNX, and for more than 2 GiB, and from a library that was built without its feature `onnx`.
///
/// ```c
/// status = mnist_model_save_onnx(model, "digits.onnx", error);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_onnx(
    model: *const mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { onnx::save(borrow(model, "model")?.get()?, &self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Writes the model to memory: the bytes of the file that mnist_model_save_onnx would write. `buffer`, `capacity` and `*needed`
/// are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_onnx but the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small, likewise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_onnx_memory(
    model: *const mnist_model,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let bytes = onnx::write(borrow(model, "model")?.get()?)?;
            to_memory(buffer, capacity, needed, |out| Ok(out.write_all(&bytes)?))
        }
    })
}

/// Reads the ONNX file `path`, as PyTorch, tf2onnx, skl2onnx and mnist_model_save_onnx write it: operators of opset 7 to 25,
/// one input and one output of float32, what this library's layers can do. On success `*out` is a new model, to be freed with
/// mnist_model_free, made of these layers; it is not compiled, and all of its weights can be trained. mnist_model_load reads
/// such a file as well, if it begins as they usually do, and mnist_model_load_memory one in memory.
///
/// What the model takes: samples as the file says, any number of them. But images whose channels come first, `[batch, channels,
/// height, width]`, as PyTorch has them, come last for the model: `[height, width, channels]`, and so do rows `[batch,
/// channels, steps]`. Channels come first where the nearest convolution, pool or normalization takes the input as it is, and
/// last where a transpose comes before that; where there is none of these, they come first in images of at most 4 of them and
/// more columns than that. (Of one channel the numbers are the same.) mnist_model_input_shape tells the shape. The kernels are
/// turned, also those behind a flatten. Images that come out have their channels last as well, unless those that go in are as
/// the file says.
///
/// Tensors may lie in other files (external data), which have to be in the folder of this one. Memory, whatever the file: some
/// times its size, and some hundred bytes for each of its nodes and settings, of which it may have 200,000.
///
/// Errors, with file and node or tensor: NOT_FOUND for the file; FORMAT for what is no ONNX file, or a damaged one; SHAPE
/// for nodes and weights that do not fit each other; UNSUPPORTED for an operator, a setting or a type that the layers do not
/// have, naming node and operator; IO; OUT_OF_MEMORY.
/// MNIST_ISA counts as in mnist_model_new.
///
/// ```c
/// mnist_model *model = NULL;
/// status = mnist_model_load_onnx("from_pytorch.onnx", &model, error);
/// ```
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_onnx(
    path: *const c_char,
    out: *mut *mut mnist_model,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let model = onnx::load(&self::path(path, "path")?)?;
            out.write(give(mnist_model::new(model)));
        }
        Ok(MNIST_OK)
    })
}

/// A build without ONNX's files.
#[cfg(not(feature = "onnx"))]
mod missing {
    use crate::error::Result;
    use crate::model::Model;
    use std::path::Path;

    pub fn load(_: &Path) -> Result<Model> {
        missing()
    }

    pub fn save(_: &Model, _: &Path) -> Result<()> {
        missing()
    }

    pub fn write(_: &Model) -> Result<Vec<u8>> {
        missing()
    }

    fn missing<T>() -> Result<T> {
        Err(super::super::built_without("ONNX's files", "onnx"))
    }
}
