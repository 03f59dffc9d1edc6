//! A model as a file of C.
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

/// Weights as they are, four bytes each.
pub const MNIST_WEIGHT_FLOAT: u32 = 1;
/// The weights of kernels as whole numbers from -127 to 127, a byte each, times a scale for each output channel.
pub const MNIST_WEIGHT_INT8: u32 = 2;

/// How a model becomes a file of C; fill it in with mnist_c_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_c_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// How weights are written. With MNIST_WEIGHT_INT8 a kernel's weight is the nearest whole number of 127ths of its output
    /// channel's greatest (a batch normalization that can be is in the kernel already); biases stay floats, and all is
    /// computed in floats. What that costs is measured with the file itself: compile it for the machine at hand, with
    /// -ffp-contract=off, call PREFIX_predict for each image of a test set, and count (examples/c_file_accuracy.c).
    /// MNIST_WEIGHT_FLOAT.
    pub weights: u32,
    /// Not 0: the memory between the layers is given by the caller, as a third argument, `float *scratch`; else it is static
    /// in the file. 0.
    pub caller_scratch: i32,
    /// Attributes for the arrays of weights: "__attribute__((section(\".model\")))". NULL: none. NULL.
    pub placement: *const c_char,
    /// A qualifier of the weights' type, for an address space: "__flash" or "__memx" of avr-gcc. NULL: none. NULL.
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
    /// What they say.
    ///
    /// # Safety
    /// The texts are NULL or NUL-terminated strings that live during `'a`.
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

/// Fills in the defaults. `struct_size` is sizeof the caller's struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_c_options_init(options: *mut mnist_c_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes long.
    guard::value((), || unsafe { options::init(options, struct_size) });
}

/// Writes the model to `path` as one file of C99 that predicts, on a microcontroller, say:
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
/// The file needs neither this library nor C's, no heap and no double; what it gives is what mnist_model_predict gives for
/// one image, to the bit, if it is compiled with -ffp-contract=off, as it says itself (docs/microcontrollers.md). `prefix` begins
/// its names: a letter, then letters, digits and `_`, at most 32. The memory that it needs between the layers is the macro
/// PREFIX_SCRATCH_LEN, in floats, the prefix being in capitals. The weights are those of one moment between two steps. The file
/// is replaced as mnist_model_save_weights does; it takes memory for two copies of the weights.
///
/// Errors: INVALID_ARGUMENT for the prefix; UNSUPPORTED, naming the layer, for weights that are not finite and for a layer that
/// there is not in C; those of mnist_model_save_weights.
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

/// The same as `options` say; NULL: the defaults.
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

/// Writes the same to memory: the bytes of the file that mnist_model_save_c_with would write, which end without a NUL.
/// `buffer`, `capacity` and `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_c_with but for the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small:
/// `*needed` is written even then, `buffer` is not.
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
