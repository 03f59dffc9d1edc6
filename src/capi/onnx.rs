//! Models in ONNX files.

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

/// Writes the model to the ONNX file `path`, for onnxruntime and other programs that run ONNX: the network and its
/// weights, one snapshot taken between two steps, with operators of opset 17, for any batch size. Input and output are
/// those of the model: images are `[batch, height, width, channels]`, float32. Layers that only act in training
/// (dropout, noise, augmentation) are left out, as are the compile options and the optimizer state. A layer that is
/// called twice is written twice. The file is replaced atomically, as in mnist_model_save_weights. The function
/// allocates two copies of the weights.
///
/// ```c
/// status = mnist_model_save_onnx(model, "digits.onnx", error);
/// ```
///
/// Errors, with the layer: those of mnist_model_save_weights; UNSUPPORTED for a layer or an activation that ONNX cannot
/// express, for more than 2 GiB, and if the library was built without its feature `onnx`.
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

/// Writes the model to memory: the bytes that mnist_model_save_onnx would write to a file. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_onnx except the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small
/// (`*needed` is written, `buffer` is not).
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

/// Reads a model from the ONNX file `path`, as PyTorch, tf2onnx, skl2onnx and mnist_model_save_onnx write it: operators
/// of opset 7 to 25 that this library's layers can compute, with one input and one output of float32. On success `*out`
/// is a new model made of these layers; free it with mnist_model_free. It is not compiled, and all its weights are
/// trainable. mnist_model_load reads such a file too, if it begins as they usually do, and mnist_model_load_memory
/// reads one from memory. The environment variable MNIST_ISA is used as in mnist_model_new.
///
/// ```c
/// mnist_model *model = NULL;
/// status = mnist_model_load_onnx("from_pytorch.onnx", &model, error);
/// ```
///
/// The model takes samples of the shape that the file states, in batches of any size, with one exception: images with
/// channels first, `[batch, channels, height, width]`, as PyTorch has them, become `[height, width, channels]`, and
/// `[batch, channels, steps]` becomes `[steps, channels]`. The library decides as follows whether channels come first.
/// They do if the nearest convolution, pooling or normalization takes the input directly; they do not if a transpose
/// comes before it. Without any such operator, they come first in images of at most 4 channels and more columns than
/// channels. (With one channel the numbers are the same.) mnist_model_input_shape gives the resulting shape. Kernels
/// are transposed to match, also those after a flatten. Images in the output have their channels last too, unless the
/// input is as the file states.
///
/// Tensors may be stored in other files (external data) in the same folder. Memory, whatever the file: a few times its
/// size, and some hundred bytes for each of its nodes and attributes, of which it may have 200,000.
///
/// Errors, with file and node or tensor: NOT_FOUND for the file; FORMAT for a file that is not ONNX or is damaged;
/// SHAPE for nodes and weights that do not fit each other; UNSUPPORTED for an operator, an attribute or a type that the
/// layers do not have, with node and operator; IO; OUT_OF_MEMORY.
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

/// A build without ONNX files.
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
