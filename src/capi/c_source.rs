//! A model exported as C source.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::memory::to_memory;
use super::model::mnist_model;
use super::options::{self, Options, unknown};
use super::pointers::{borrow, path, string};
use crate::c_source;
use crate::error::Result;
use std::ffi::{c_char, c_void};

/// Weights as float, four bytes each.
pub const MNIST_WEIGHT_FLOAT: u32 = 1;
/// Kernel weights as integers from -127 to 127, one byte each, times a scale for each output channel.
pub const MNIST_WEIGHT_INT8: u32 = 2;

/// Options of mnist_model_save_c_with; fill them in with mnist_c_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_c_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// How weights are stored, MNIST_WEIGHT_FLOAT or MNIST_WEIGHT_INT8. With MNIST_WEIGHT_INT8 a kernel's weight is
    /// rounded to the nearest multiple of 1/127 of the largest absolute weight of its output channel (after a batch
    /// normalization has been folded into the kernel, where that is possible); biases stay float, and the file computes
    /// in float. To measure the loss of accuracy, compile the file on your computer with -ffp-contract=off, call
    /// PREFIX_predict for each image of a test set and count the correct ones (examples/c_file_accuracy.c). Default:
    /// MNIST_WEIGHT_FLOAT.
    pub weights: u32,
    /// Not 0: the caller passes the memory between the layers as a third argument, `float *scratch`. 0: it is a static
    /// array in the file. Default: 0.
    pub caller_scratch: i32,
    /// Attributes for the weight arrays, for example "__attribute__((section(\".model\")))". NULL: none. Default: NULL.
    pub placement: *const c_char,
    /// A qualifier for the weights' type, for an address space: "__flash" or "__memx" of avr-gcc. NULL: none. Default:
    /// NULL.
    pub qualifier: *const c_char,
}

// SAFETY: numbers, and pointers that are checked for NULL, behind a usize.
unsafe impl Options for mnist_c_options {
    const DEFAULT: Self = mnist_c_options {
        struct_size: size_of::<Self>(),
        weights: MNIST_WEIGHT_FLOAT,
        caller_scratch: 0,
        placement: std::ptr::null(),
        qualifier: std::ptr::null(),
    };
    const FIRST: usize = size_of::<Self>();
}

impl mnist_c_options {
    /// Reads the options.
    ///
    /// # Safety
    /// The strings are NULL or NUL-terminated and live during `'a`.
    unsafe fn convert<'a>(&self) -> Result<c_source::Options<'a>> {
        // SAFETY: the caller's.
        let text = |text: *const c_char, name: &str| match text.is_null() {
            true => Ok(""),
            false => unsafe { string(text, name) },
        };
        Ok(c_source::Options {
            weights: match self.weights {
                MNIST_WEIGHT_FLOAT => c_source::Weights::Float,
                MNIST_WEIGHT_INT8 => c_source::Weights::Int8,
                other => return Err(unknown("weights", "a constant MNIST_WEIGHT_...", other)),
            },
            placement: text(self.placement, "options.placement")?,
            qualifier: text(self.qualifier, "options.qualifier")?,
            caller_scratch: self.caller_scratch != 0,
        })
    }
}

/// Fills `*options` with the defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are written;
/// bytes after the fields that this library knows become zero. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_c_options_init(options: *mut mnist_c_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes long.
    guard::value((), || unsafe { options::init(options, struct_size) });
}

/// Writes the model to `path` as one C99 file that predicts, for a microcontroller, for example:
///
/// ```c
/// mnist_model_save_c(model, "digits.c", "digits", error);
///
/// // in the other program:
/// #define DIGITS_DECLARE_ONLY
/// #include "digits.c"
/// float image[DIGITS_INPUT_LEN], out[DIGITS_OUTPUT_LEN];
/// digits_predict(image, out);
/// ```
///
/// The file needs neither this library nor the C library, no heap and no double. Compiled with -ffp-contract=off it
/// gives the same bits as mnist_model_predict for one image; a comment in the file says so too
/// (docs/microcontrollers.md). Its names begin with `prefix`: a letter, then letters, digits and `_`, at most 32
/// characters. The macro PREFIX_SCRATCH_LEN (the prefix in capitals) is the memory it needs between the layers, in
/// floats. The weights are one snapshot, taken between two steps. The file is replaced atomically, as in
/// mnist_model_save_weights. The function allocates two copies of the weights.
///
/// Errors: INVALID_ARGUMENT for the prefix; UNSUPPORTED, with the layer's name, for weights that are not finite and for
/// a layer that has no C code; those of mnist_model_save_weights.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_c(
    model: *const mnist_model,
    path: *const c_char,
    prefix: *const c_char,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says; NULL options are the defaults.
    guard::status(error, || unsafe { save(model, path, prefix, std::ptr::null()) })
}

/// Writes the model to `path` as one C99 file, with options. NULL options mean the defaults; everything else is as in
/// mnist_model_save_c.
///
/// Errors: those of mnist_model_save_c; INVALID_ARGUMENT for an option.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_c_with(
    model: *const mnist_model,
    path: *const c_char,
    prefix: *const c_char,
    options: *const mnist_c_options,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe { save(model, path, prefix, options) })
}

/// Writes the model to memory as C99: the bytes that mnist_model_save_c_with would write to a file, without a NUL at
/// the end. `buffer`, `capacity` and `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_c_with except the file's; INVALID_ARGUMENT when `capacity` is above 0 but too
/// small (`*needed` is written, `buffer` is not).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_c_memory(
    model: *const mnist_model,
    prefix: *const c_char,
    options: *const mnist_c_options,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let prefix = string(prefix, "prefix")?;
            let options: mnist_c_options = options::read(options, "options")?;
            to_memory(buffer, capacity, needed, model.saved_c(prefix, &options.convert()?)?)
        }
    })
}

/// # Safety
/// Each pointer is NULL or what the header says.
unsafe fn save(
    model: *const mnist_model,
    path: *const c_char,
    prefix: *const c_char,
    options: *const mnist_c_options,
) -> Result<mnist_status> {
    // SAFETY: the caller's.
    unsafe {
        let model = borrow(model, "model")?.get()?;
        let (path, prefix) = (self::path(path, "path")?, string(prefix, "prefix")?);
        let options: mnist_c_options = options::read(options, "options")?;
        model.save_c(&path, prefix, &options.convert()?)?;
    }
    Ok(MNIST_OK)
}
