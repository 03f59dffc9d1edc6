//! Models and weights in the caller's memory: what a file would hold, without one.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::model::mnist_model;
use super::pointers::{borrow, give, out, room, slice};
use crate::error::Result;
use crate::model::Model;
use std::ffi::c_void;
use std::io::{self, Write};

/// Reads a model from memory: `data` are the `len` bytes of a file that mnist_model_load would take, of any of its formats,
/// which is told by the bytes themselves. They may lie anywhere, on no particular alignment, in read-only memory, say, of a
/// program that has the model as a resource; nothing of them is kept. On success `*out` is a new model, to be freed with
/// mnist_model_free.
///
/// ```c
/// extern const unsigned char digits[]; // the file, put into the program by xxd -i, the linker or C23's embed
/// extern const size_t digits_len;
/// mnist_model *model = NULL;
/// mnist_model_load_memory(digits, digits_len, &model, error);
/// ```
///
/// Errors: those of mnist_model_load, with the argument in the place of the file; never NOT_FOUND for a file, nor IO.
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

/// Reads weights from memory: `data` are the `len` bytes of a file that mnist_model_load_weights would take, of any of its
/// formats. Alignment and ownership as in mnist_model_load_memory. On failure the model stays as it was.
///
/// Errors: those of mnist_model_load_weights, with the argument in the place of the file.
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

/// Writes the whole model to memory: the bytes of the file that mnist_model_save would write, to `buffer`, which has room for
/// `capacity` bytes, on any alignment. `*needed` is how many bytes they are. With a `capacity` of 0, for which `buffer` may be
/// NULL, nothing is written but that. The model is of one moment between two steps; of one that is being trained a later call
/// may need more.
///
/// ```c
/// size_t needed = 0;
/// mnist_model_save_memory(model, NULL, 0, &needed, error);
/// void *bytes = malloc(needed);
/// mnist_model_save_memory(model, bytes, needed, &needed, error);
/// ```
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small: `*needed` is written even then, `buffer` is not;
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

/// Writes the weights to memory: the bytes of the file that mnist_model_save_weights would write. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small, likewise; OUT_OF_MEMORY.
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

/// Writes what `write` writes, which is the same each time it is called, to the caller's memory: the body of every function
/// that saves to memory, whatever the format. Bytes that are there already are `|out| Ok(out.write_all(&bytes)?)`.
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
