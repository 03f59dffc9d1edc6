//! Models and weights in the caller's memory: the bytes of a file, without the file.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, give, out, room, slice};
use crate::error::Result;
use crate::model::Model;
use std::ffi::c_void;
use std::io::{self, Write};

/// Reads a model from memory: `data` holds the `len` bytes of a file in any format of mnist_model_load, which is
/// detected by the bytes. The bytes need no alignment and may be read-only, such as a model that is a resource of the
/// program; they are not needed after the call. On success `*out` is a new model; free it with mnist_model_free.
///
/// ```c
/// extern const unsigned char digits[]; // the file, put into the program by xxd -i, the linker or C23's embed
/// extern const size_t digits_len;
/// mnist_model *model = NULL;
/// mnist_model_load_memory(digits, digits_len, &model, error);
/// ```
///
/// Errors: those of mnist_model_load, with the argument's name in place of the file's; no IO, and NOT_FOUND only for a
/// tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_memory(
    data: *const c_void,
    len: usize,
    out: *mut *mut mnist_model,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let model = Model::load_memory(slice(data.cast::<u8>(), len, "data")?)?;
            out.write(give(mnist_model::new(model)));
        }
        Ok(MNIST_OK)
    })
}

/// Reads weights from memory into the model: `data` holds the `len` bytes of a file in any format of
/// mnist_model_load_weights. The bytes need no alignment and are not needed after the call. On failure the model does
/// not change.
///
/// Errors: those of mnist_model_load_weights, with the argument's name in place of the file's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_load_weights_memory(
    model: *mut mnist_model,
    data: *const c_void,
    len: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { borrow(model, "model")?.get()?.load_weights_memory(slice(data.cast::<u8>(), len, "data")?)? };
        Ok(MNIST_OK)
    })
}

/// Writes the whole model to memory: the bytes that mnist_model_save would write to a file. `buffer` has room for
/// `capacity` bytes and needs no alignment; `*needed` receives the number of bytes. With a `capacity` of 0 `buffer` may
/// be NULL, and only `*needed` is written. The model is one snapshot, taken between two steps; while it is being
/// trained, a later call may need more bytes.
///
/// ```c
/// size_t needed = 0;
/// mnist_model_save_memory(model, NULL, 0, &needed, error);
/// void *bytes = malloc(needed);
/// mnist_model_save_memory(model, bytes, needed, &needed, error);
/// ```
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small (`*needed` is written, `buffer` is not);
/// OUT_OF_MEMORY; UNSUPPORTED for a network of too many layers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_memory(
    model: *const mnist_model,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { to_memory(buffer, capacity, needed, borrow(model, "model")?.get()?.saved()?) }
    })
}

/// Writes the weights to memory: the bytes that mnist_model_save_weights would write to a file. `buffer`, `capacity`
/// and `*needed` are as in mnist_model_save_memory.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small (`*needed` is written, `buffer` is not);
/// OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_save_weights_memory(
    model: *const mnist_model,
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { to_memory(buffer, capacity, needed, borrow(model, "model")?.get()?.saved_weights()?) }
    })
}

/// Copies the output of `write`, which must be the same on each call, to the caller's memory: the body of every
/// function that saves to memory, for any format. For existing bytes pass `|out| Ok(out.write_all(&bytes)?)`.
///
/// # Safety
/// `buffer` is NULL or has room for `capacity` bytes that nobody else uses meanwhile, `needed` is NULL or good to write.
pub unsafe fn to_memory(
    buffer: *mut c_void,
    capacity: usize,
    needed: *mut usize,
    write: impl Fn(&mut dyn Write) -> Result<()>,
) -> Result<mnist_status> {
    let needed = out(needed, "needed")?;
    let mut count = Count(0);
    write(&mut count)?;
    // SAFETY: the caller's.
    unsafe {
        match (capacity > 0).then(|| room(buffer.cast::<u8>(), "buffer", (capacity, "capacity"), count.0)).transpose() {
            Ok(Some(mut to)) => write(&mut to)?,
            Ok(None) => (),
            Err(error) => {
                needed.write(count.0);
                return Err(error);
            }
        }
        needed.write(count.0);
    }
    Ok(MNIST_OK)
}

/// Counts bytes.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
