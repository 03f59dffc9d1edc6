//! Weights and whole models in files.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, give, out, path, string};
use crate::error::{At, Error};
use crate::json;
use crate::model::Model;
use std::ffi::c_char;

/// Writes the weights to the file `path` in the safetensors format, float32: `conv2d/kernel` `[k, k, in, out]`,
/// `dense/kernel` `[in, out]`, `.../bias` `[out]`. All weights are one snapshot, taken between two steps. The file is
/// replaced atomically: a reader of `path` finds the old file or the new one, and after an error the old one (see FILES
/// at the top).
///
/// Errors: IO if the file cannot be written or replaced; NOT_FOUND if the folder does not exist; INVALID_ARGUMENT for a
/// path that does not end in a file name; OUT_OF_MEMORY.
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

/// Reads weights from a file into the model. The file must have exactly this model's weights; on failure the model does
/// not change. The optimizer state is kept. The format is detected by the content:
///
/// - a safetensors file of mnist_model_save_weights, or of another program with the same names and shapes;
/// - a file of mnist_model_save: only its weights are read;
/// - a Keras file, `.weights.h5`, `.h5` or `.keras`: its layers are matched in Keras's order; their names are ignored;
/// - a safetensors file of a PyTorch state_dict: see below.
///
/// A PyTorch state_dict has tensors with names such as `conv1.weight`, `bn1.running_mean` and `fc.bias`, none of which
/// is the name of a weight of this model. Its types are float32, float16, bfloat16 or float64. Kernels are transposed
/// from `[out, in, k, k]` to `[k, k, in, out]` and from `[out, in]` to `[in, out]`; after a flatten the order C, H, W
/// becomes H, W, C. Module names are not compared with layer names: the tensors of a module, by name and shape, decide
/// which layer it is. Modules with the same tensors are ordered by the numbers in their names, if the names differ in
/// nothing else and the layers follow each other. If more than one assignment remains, the error is UNSUPPORTED; then
/// use mnist_model_load_weights_mapped. The layers must compute what PyTorch's do: the epsilon of its batch
/// normalization is 1e-5 (docs/interop.md lists the differences).
///
/// Memory, whatever the file: a copy of this model's weights (for PyTorch also the largest of them once more), and 64
/// bytes for each byte of the file's header; a header above 16 MiB is rejected.
///
/// Errors, with file and tensor: NOT_FOUND for the file or a missing tensor; SHAPE for a wrong shape or a tensor that
/// the model does not have; UNSUPPORTED for a type other than float32 (for PyTorch: a type that is not a float), a
/// state_dict with several possible assignments, and a format that this build does not include; FORMAT for a file in
/// none of these formats (if it is another known kind of file, the message names the kind); IO; BUSY.
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

/// Reads the weights of a PyTorch state_dict, a safetensors file, with names assigned by `map`. `map` is a JSON5
/// object. Its keys are the file's tensor or module names. The value of a tensor name is the name of a weight; the
/// value of a module name is the name of a layer; null skips the tensor or module. Every weight of the model must occur
/// once, and every tensor of the file must be covered (except num_batches_tracked). Layouts are PyTorch's, as in
/// mnist_model_load_weights. On failure the model does not change.
///
/// ```c
/// mnist_model_load_weights_mapped(model, "net.safetensors",
///     "{'left': 'conv2d', 'right': 'conv2d_1', 'fc.weight': 'dense/kernel', 'fc.bias': 'dense/bias', aux: null}", error);
/// ```
///
/// Errors: those of mnist_model_load_weights; INVALID_ARGUMENT for a map that is not such an object or uses a name
/// twice; NOT_FOUND for a name that the file or the model does not have, and for a weight that is missing from the map.
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

/// Writes the whole model to the file `path`: the network and its name, the weights, the compile options, the optimizer
/// state, and the position of the running or last fit. All of it belongs to the same step, also while another thread
/// trains; a callback may call this function too. The file is safetensors with the tensors of mnist_model_save_weights,
/// `optimizer/...`, `fit/...` and `history/...`; its header holds the rest. It is replaced atomically, as in
/// mnist_model_save_weights. A fit can resume from it (`resume` in mnist_fit_options). It allocates a copy of the
/// weights and the optimizer state; a fit's checkpoint does not.
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

/// Reads a model from a file of mnist_model_save or a fit's checkpoint. On success `*out` is a new model in the saved
/// state; free it with mnist_model_free. It can predict and evaluate, and, if the saved model was compiled, a fit
/// continues from its weights and optimizer state. (To continue in the middle of a fit, use `resume` in
/// mnist_fit_options.)
///
/// The format is detected by the content. Other formats: a Keras file, `.keras` or a whole model in `.h5`, with its
/// compile options and optimizer state, so that a fit continues where Keras stopped; an ONNX file, not compiled (see
/// mnist_model_load_onnx). A format that this build does not include is UNSUPPORTED. The environment variable MNIST_ISA
/// is used as in mnist_model_new.
///
/// Memory, whatever the file: 64 bytes for each byte of its header (a header above 16 MiB is rejected) and 8 for each
/// byte after it; for a Keras file 3 for each byte of the file or of its unpacked content; for an ONNX file see
/// mnist_model_load_onnx. (The memory for predictions depends on the network's sizes, which may be large in a small
/// file.)
///
/// Errors, with file and key or tensor: NOT_FOUND for the file or a missing tensor; FORMAT for a file that is not a
/// whole model (a weights file, for example) or contradicts itself; SHAPE for a tensor whose shape differs from the
/// network's, or an additional tensor; INVALID_ARGUMENT for options that mnist_model_compile would reject; UNSUPPORTED
/// for a file that is newer than this library or contains something unknown; IO; OUT_OF_MEMORY.
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
