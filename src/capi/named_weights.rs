//! Weights by their names, in memory.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, out, peek, room, slice, string, whole_shape};
use std::ffi::c_char;

/// Returns the number of weight arrays; a layer's kernel and its bias are two. Returns 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_weights_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.weight_names.len()))
}

/// Returns the name of weight array `i`, as in a weights file: "conv2d/kernel". The order is layer by layer, kernel
/// before bias. Returns NULL if there is no array `i`, and for NULL. The string lives as long as the model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_weight_name(model: *const mnist_model, i: usize) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(model) }.and_then(|model| model.weight_names.get(i));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// Gets the shape of the weight array `name`: its number of dimensions in `*rank`, its sizes in `dims`, which has room
/// for `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is written. A convolution's
/// kernel is `[k, k, in, out]`, a dense layer's `[in, out]`, a bias `[out]`.
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

/// Copies the weight array `name` to `values`, row-major, as many floats as the product of its shape; `values` has room
/// for `capacity` floats. During a fit it is a snapshot taken between two steps; two calls may get weights of different
/// steps (mnist_model_save_weights writes all weights of one step).
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

/// Sets the weight array `name` to the `count` floats in `values`, row-major. Values may be NaN or infinite. The
/// optimizer state is kept.
///
/// Errors: NOT_FOUND; SHAPE when `count` is not the product of the array's shape; BUSY.
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
