//! Weights by their names, in memory.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, out, peek, room, slice, string, whole_shape};
use std::ffi::c_char;

/// How many weights the model has, a layer's kernel and its bias being two; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_weights_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.weight_names.len()))
}

/// The name of weight `i`, as in a file of weights, "conv2d/kernel"; they come layer by layer, a layer's kernel before its
/// bias. NULL for an `i` past the end or a NULL model. The string is good as long as the model is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_weight_name(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(model) }.and_then(|model| model.weight_names.get(i));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// The shape of the weight called `name`: its number of dimensions in `*rank`, and in `dims`, which has room for
/// `capacity` numbers, the sizes: a convolution's kernel is `[k, k, in, out]`, a dense layer's `[in, out]`, a bias `[out]`.
/// `dims` may be NULL when `capacity` is 0.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_weight_shape(
    model: *const mnist_model,
    name: *const c_char,
    dims: *mut usize,
    capacity: usize,
    rank: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let name = string(name, "name")?;
            let rank = out(rank, "rank")?;
            let shape = model.weight_shape(name)?;
            rank.write(whole_shape(shape, dims, capacity)?);
        }
        Ok(MNIST_OK)
    })
}

/// Copies the weight called `name` to `values`, which has room for `capacity` floats: as many as the product of its shape,
/// row-major. While a fit is under way they are those of one moment between two steps; two calls may meet two moments
/// (mnist_model_save_weights writes all weights of one).
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_get_weight(
    model: *const mnist_model,
    name: *const c_char,
    values: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let name = string(name, "name")?;
            let len = model.weight_len(name)?;
            model.get_weight(name, room(values, "values", (capacity, "capacity"), len)?)?;
        }
        Ok(MNIST_OK)
    })
}

/// Sets the weight called `name` to `values`, `count` floats, row-major as its shape says; whether they are finite is not
/// judged. What the optimizer has gathered is kept.
///
/// Errors: NOT_FOUND; SHAPE when `count` is not the product of the weight's shape; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_set_weight(
    model: *mut mnist_model,
    name: *const c_char,
    values: *const f32,
    count: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            model.set_weight(string(name, "name")?, slice(values, count, "values")?)?;
        }
        Ok(MNIST_OK)
    })
}
