//! Weights and whole models in files.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, give, out, path, string};
use crate::error::{At, Error};
use crate::json;
use crate::model::Model;
use std::ffi::c_char;

/// Writes the weights to the file `path` in the safetensors format: `conv2d/kernel` `[k, k, in, out]`, `dense/kernel`
/// `[in, out]`, `.../bias` `[out]`, float32. The weights are those of one moment between two steps. The file is written
/// beside its place and renamed: whoever opens `path` finds the old file or the new one, and on failure the old one (see
/// FILES above).
///
/// Errors: IO for what cannot be written, or replaced; NOT_FOUND for a folder that is not there; INVALID_ARGUMENT for a path
/// that does not end in a file's name; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_weights(
    model: *const mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.get()?.save_weights(&self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Reads weights that mnist_model_save_weights wrote, or any other program in that form; of a file that mnist_model_save
/// wrote, the weights alone. A file of Keras's, `.weights.h5`, `.h5` or `.keras`, is taken likewise, told by its content: layers
/// are met in Keras's order, their names do not count. The file must have exactly this model's weights; otherwise the model stays as it was. What
/// the optimizer has gathered is kept.
///
/// A safetensors file of a PyTorch state_dict will do as well: one whose tensors are called `conv1.weight`, `bn1.running_mean`,
/// `fc.bias` and so on, none of them as a weight of this model, float32, float16, bfloat16 or float64. Kernels are brought from
/// `[out, in, k, k]` into `[k, k, in, out]`, `[out, in]` into `[in, out]`, and where a picture is flattened the order C, H, W into
/// H, W, C. Names are not compared: what a module holds, names of tensors and shapes, says which layer it is. Modules that
/// hold the same are told by the numbers in their names, if these differ in nothing else and the layers follow on each
/// other. What that leaves open is UNSUPPORTED; mnist_model_load_weights_mapped takes it. The layers themselves must be
/// PyTorch's: a batch normalization's epsilon is 1e-5 there (docs/interop.md tells what differs).
///
/// Memory, whatever the file: a copy of this model's weights (of PyTorch's, and the largest of them once more), and 64 bytes
/// for each byte of the file's header, which is refused beyond 16 MiB.
///
/// Errors, with file and tensor: NOT_FOUND for the file or a missing tensor; SHAPE for a wrong shape or a tensor that
/// the model does not have; UNSUPPORTED for another dtype than float32 (of PyTorch's: no float), a state_dict that can be taken
/// in several ways, or a format that this build does not have; FORMAT for what is no such file, the kind of which is
/// named if it is a known one; IO; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_weights(
    model: *mut mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.get()?.load_weights(&self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Reads weights of a PyTorch state_dict, a safetensors file, whose names `map` explains: JSON5, an object in which
/// a tensor's name has the weight's that it is, or a module's name has a layer's, or either has null, for what is to be left out.
/// Every weight of the model must be in it once, and every tensor of the file (but num_batches_tracked). Layouts are PyTorch's,
/// as in mnist_model_load_weights. On failure the model stays as it was.
///
/// ```c
/// mnist_model_load_weights_mapped(model, "net.safetensors",
///     "{'left': 'conv2d', 'right': 'conv2d_1', 'fc.weight': 'dense/kernel', 'fc.bias': 'dense/bias', aux: null}", error);
/// ```
///
/// Errors: those of mnist_model_load_weights; INVALID_ARGUMENT for a map that is no such object or names something twice;
/// NOT_FOUND for a name that the file or the model does not have, and for a weight that the map leaves out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_weights_mapped(
    model: *mut mnist_model,
    path: *const c_char,
    map: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let (model, path) = (borrow(model, "model")?.get()?, self::path(path, "path")?);
            let map = json::parse(string(map, "map")?).map_err(Error::as_argument).at("argument `map`")?;
            model.load_weights_mapped(&path, &map)?;
        }
        Ok(MNIST_OK)
    })
}

/// Writes the whole model to the file `path`: the network and its name, the weights, what it was compiled with, the
/// optimizer's state, and how far the fit that is running, or was the last, has come. All are of one step, also when
/// another thread trains meanwhile; a callback may call this too. The file is safetensors, its tensors those of
/// mnist_model_save_weights, `optimizer/...`, `fit/...` and `history/...`, its header telling the rest. It replaces what
/// was there as mnist_model_save_weights does. A fit can resume from it (see mnist_fit_options). It takes memory for a copy
/// of the weights and the optimizer's state; a fit's checkpoint does not.
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED for a network of too many layers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save(
    model: *const mnist_model,
    path: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.get()?.save(&self::path(path, "path")?)? };
        Ok(MNIST_OK)
    })
}

/// Reads a model that mnist_model_save or a fit's checkpoint wrote. (The format is told by the file's content; others are for
/// builds that have them, and UNSUPPORTED in those that do not.) On success `*out` is a new model, to be freed with
/// mnist_model_free, which is as the saved one was: it predicts and evaluates, and if that was compiled, a fit goes on from
/// its weights and optimizer's state. A file of Keras's, `.keras` or a whole model in `.h5`, is taken likewise, told by its
/// content: with what it was compiled with and the optimizer's state, so that a fit goes on where Keras stopped. So is an
/// ONNX file, as by mnist_model_load_onnx: not compiled. (To go on in the midst of a fit, see `resume` in mnist_fit_options.)
///
/// Memory, whatever the file: 64 bytes for each byte of its header, which is refused beyond 16 MiB, and 8 for each byte
/// behind it; a file of Keras's, 3 for each of its bytes, or of what it unpacks to; an ONNX file, what mnist_model_load_onnx
/// says. (What predicting takes is for the network's sizes to say, which a small file can make large.)
///
/// Errors, with file and key or tensor: NOT_FOUND for the file or a missing tensor; FORMAT for what is no whole model (a
/// file of weights, say) or contradicts itself; SHAPE for a tensor of another shape than the network asks for, or one too
/// many; INVALID_ARGUMENT for options that mnist_model_compile would refuse; UNSUPPORTED for a file that is newer than this
/// library or holds what it does not know; IO; OUT_OF_MEMORY.
/// MNIST_ISA counts as in mnist_model_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load(
    path: *const c_char,
    out: *mut *mut mnist_model,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let model = Model::load(&self::path(path, "path")?)?;
            out.write(give(mnist_model::new(model)));
        }
        Ok(MNIST_OK)
    })
}
