//! A model's layers: looked at, frozen, asked for what they give, and their weights taken over from another model.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::output::{Sink, mnist_write_fn};
use super::pointers::{borrow, out, peek, room, slice, string, whole_shape};
use std::ffi::{c_char, c_void};

/// How many layers the model has, its input included; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layers_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.layer_names.len()))
}

/// The name of layer `i`, "conv2d_1". They come from the input on, in Keras's order. NULL for an `i` past the end or a NULL
/// model. The string is good as long as the model is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layer_name(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let names = unsafe { peek(model) }.and_then(|model| model.layer_names.get(i));
        names.map_or(std::ptr::null(), |(name, _)| name.as_ptr())
    })
}

/// Keras's class of layer `i`, "Conv2D". Otherwise as mnist_model_layer_name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_layer_class(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let names = unsafe { peek(model) }.and_then(|model| model.layer_names.get(i));
        names.map_or(std::ptr::null(), |(_, class)| class.as_ptr())
    })
}

/// The shape of what the layer called `layer` gives, without the batch: its number of dimensions in `*rank`, and in `dims`,
/// which has room for `capacity` numbers, the sizes. `dims` may be NULL when `capacity` is 0. Of a layer that is called more
/// than once it is its first call that counts.
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

/// Says whether training may change the layer called `layer`, or all of them when that is NULL; 0 freezes, any other number
/// unfreezes. It counts from the next fit on, and is saved with the model. A frozen BatchNormalization normalizes by its
/// moving statistics in training too, and leaves them as they are, as in Keras. Nothing is computed backward below the
/// lowest layer that may change. The position of an earlier fit is forgotten.
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

/// What the layer called `layer` gives for `count` samples: `images` are `[count, ...]` of the model's input shape, `values`,
/// which has room for `capacity` floats, becomes `[count, ...]` of the layer's (mnist_model_layer_shape). Of a layer that is
/// called more than once it is its first call that counts. Relu and other activations of the layer are applied. All samples
/// meet the weights of one moment. Memory is asked for at each call. A count of 0 does nothing; the arrays may be NULL then.
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

/// Copies those weights of `from` to `to` whose names and shapes agree, and writes how many that were to `*copied`, which may
/// be NULL: for a new head on an old body. The optimizer's state of `to` is kept; the position of an earlier fit is not.
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

/// Writes the network as Keras's `to_json()` would say it, layers' settings, names and connections, by `write`, which is given
/// `user_data`; NULL means stdout. mnist_graph_from_json reads it, and so does Keras's model_from_json.
///
/// Errors: IO for a stdout that is wide-oriented (fwide) and takes no bytes.
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

/// The learning rate of the next step, into `*learning_rate`; with a schedule, what that says of it.
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

/// Sets the learning rate from the next step on, 0 or more; also while a fit runs, from a callback of it or from another
/// thread. It is saved with the model. mnist_model_compile sets the optimizer's own again.
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
