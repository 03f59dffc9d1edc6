//! A model's layers: their names, shapes and outputs, freezing, and copying weights from another model.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::output::{Sink, mnist_write_fn};
use super::pointers::{borrow, out, peek, room, slice, string, whole_shape};
use std::ffi::{c_char, c_void};

/// Returns the number of layers, including the input; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layers_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.layer_names.len()))
}

/// Returns the name of layer `i`, for example "conv2d_1". Layer 0 is the input; the order is Keras's. Returns NULL if
/// there is no layer `i`, and for NULL. The string lives as long as the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layer_name(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let names = unsafe { peek(model) }.and_then(|model| model.layer_names.get(i));
        names.map_or(std::ptr::null(), |(name, _)| name.as_ptr())
    })
}

/// Returns Keras's class name of layer `i`, for example "Conv2D". Everything else is as in mnist_model_layer_name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layer_class(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let names = unsafe { peek(model) }.and_then(|model| model.layer_names.get(i));
        names.map_or(std::ptr::null(), |(_, class)| class.as_ptr())
    })
}

/// Gets the output shape of the layer `layer`, without the batch: its number of dimensions in `*rank`, its sizes in
/// `dims`, which has room for `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is
/// written. For a layer that is called more than once, the first call counts.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layer_shape(
    model: *const mnist_model,
    layer: *const c_char,
    dims: *mut usize,
    capacity: usize,
    rank: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let rank = out(rank, "rank")?;
            let shape = model.layer_shape(string(layer, "layer")?)?.dims();
            rank.write(whole_shape(shape, dims, capacity)?);
        }
        Ok(MNIST_OK)
    })
}

/// Freezes (0) or unfreezes (any other value) the layer `layer`, or all layers if `layer` is NULL. It takes effect with
/// the next fit and is saved with the model. A frozen BatchNormalization uses its moving statistics in training too and
/// does not update them, as in Keras. No gradients are computed below the lowest layer that is not frozen. The position
/// of an earlier fit is discarded.
///
/// Errors: NOT_FOUND; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_set_trainable(
    model: *mut mnist_model,
    layer: *const c_char,
    trainable: i32,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let layer = if layer.is_null() { None } else { Some(string(layer, "layer")?) };
            model.set_trainable(layer, trainable != 0)?;
        }
        Ok(MNIST_OK)
    })
}

/// Computes the output of the layer `layer`, its activation applied, for `count` samples. `images` holds `[count, ...]`
/// floats of the model's input shape; `values` receives `[count, ...]` floats of the layer's shape
/// (mnist_model_layer_shape) and has room for `capacity` floats. For a layer that is called more than once, the first
/// call counts. All samples are computed with one snapshot of the weights. Memory is allocated on each call. A count of
/// 0 does nothing; the arrays may be NULL then.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_predict_layer(
    model: *const mnist_model,
    layer: *const c_char,
    images: *const f32,
    count: usize,
    values: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let layer = string(layer, "layer")?;
            let (input, output) = (model.input_shape().len(), model.layer_shape(layer)?.len());
            let values = room(values, "values", (capacity, "capacity"), count.saturating_mul(output))?;
            let images = slice(images, count.saturating_mul(input), "images")?;
            model.predict_layer(layer, images, count, values)?;
        }
        Ok(MNIST_OK)
    })
}

/// Copies to `to` those weights of `from` that have the same name and shape, and writes their number to `*copied`,
/// which may be NULL. Use it for transfer learning: a new last layer on trained ones. The optimizer state of `to` is
/// kept; the position of an earlier fit is discarded.
///
/// Errors: BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_copy_weights(
    to: *mut mnist_model,
    from: *const mnist_model,
    copied: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let (to, from) = (borrow(to, "to")?.get()?, borrow(from, "from")?.get()?);
            let count = to.copy_weights(from)?;
            if !copied.is_null() {
                copied.write(count);
            }
        }
        Ok(MNIST_OK)
    })
}

/// Writes the network as Keras's `to_json()` does: the layers' settings, names and connections. The text goes to
/// `write`, which receives `user_data`; a NULL `write` means stdout. mnist_graph_from_json and Keras's model_from_json
/// read it.
///
/// Errors: IO if stdout is wide-oriented (fwide) and takes no bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_config(
    model: *const mnist_model,
    write: mnist_write_fn,
    user_data: *mut c_void,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        let text = unsafe { borrow(model, "model") }?.get()?.config().to_string();
        let sink = Sink::new(write, user_data);
        sink.ready()?;
        sink.write(&text);
        sink.check()?;
        Ok(MNIST_OK)
    })
}

/// Gets the learning rate of the next step; with a schedule, the schedule's value for it.
///
/// Errors: STATE before mnist_model_compile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_get_learning_rate(
    model: *const mnist_model,
    learning_rate: *mut f64,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let rate = out(learning_rate, "learning_rate")?;
            rate.write(borrow(model, "model")?.get()?.learning_rate()?);
        }
        Ok(MNIST_OK)
    })
}

/// Sets the learning rate, 0 or more, from the next step on; also during a fit, from its callback or from another
/// thread. It is saved with the model. mnist_model_compile restores the optimizer's own learning rate.
///
/// Errors: INVALID_ARGUMENT; STATE before mnist_model_compile, and for an optimizer with a schedule, as in Keras.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_set_learning_rate(
    model: *mut mnist_model,
    learning_rate: f64,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(model, "model") }?.get()?.set_learning_rate(learning_rate)?;
        Ok(MNIST_OK)
    })
}
