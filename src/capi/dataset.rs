//! `mnist_dataset`: samples with their labels or targets.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, give, out, peek, take, write_dims};
use crate::data::{Dataset, Dtype};
use crate::error::{Error, ErrorKind, Result};
use parking_lot::{Mutex, RwLock};
use std::ffi::{CStr, CString};

/// Samples `[N, H, W]`, `[N, H, W, C]` or `[N, W]`, with or without a label or target for each, with or without sample
/// weights.
pub struct mnist_dataset {
    /// Held by calls that change it.
    exclusive: Mutex<()>,
    current: RwLock<Dataset>,
    /// The names of its classes.
    class_names: Vec<CString>,
}

impl Handle for mnist_dataset {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistdat");
}

/// An element type, one of the constants MNIST_DTYPE_...; a dataset's samples are MNIST_DTYPE_U8 or MNIST_DTYPE_F32.
pub type mnist_dtype = u32;

/// uint8_t.
pub const MNIST_DTYPE_U8: u32 = 1;
/// float.
pub const MNIST_DTYPE_F32: u32 = 2;
/// double.
pub const MNIST_DTYPE_F64: u32 = 3;
/// int8_t.
pub const MNIST_DTYPE_I8: u32 = 4;
/// int16_t.
pub const MNIST_DTYPE_I16: u32 = 5;
/// int32_t.
pub const MNIST_DTYPE_I32: u32 = 6;
/// int64_t.
pub const MNIST_DTYPE_I64: u32 = 7;
/// uint16_t.
pub const MNIST_DTYPE_U16: u32 = 8;
/// uint32_t.
pub const MNIST_DTYPE_U32: u32 = 9;
/// uint64_t.
pub const MNIST_DTYPE_U64: u32 = 10;

impl mnist_dataset {
    pub(super) fn new(data: Dataset) -> Self {
        // A table's names have no NUL.
        let class_names = data.class_names().iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
        mnist_dataset { exclusive: Mutex::new(()), current: RwLock::new(data), class_names }
    }

    /// A snapshot of the dataset; it shares the pixels.
    pub(super) fn get(&self) -> Dataset {
        self.current.read().clone()
    }

    /// The name of the class with this label.
    pub(super) fn class_name(&self, label: u32) -> Option<&CStr> {
        self.class_names.get(label as usize).map(CString::as_c_str)
    }

    /// Changes it, or returns `Busy`.
    pub(super) fn change(&self, task: impl FnOnce(&mut Dataset) -> Result<()>) -> Result<()> {
        let _exclusive = self.exclusive.try_lock().ok_or_else(|| {
            Error::new(ErrorKind::Busy, "another call that changes it is running").at("argument `dataset`")
        })?;
        let mut changed = self.get();
        task(&mut changed)?;
        *self.current.write() = changed;
        Ok(())
    }
}

/// Gives the caller a new dataset. `make` checks the other arguments.
///
/// # Safety
/// `out` is NULL or what the header says.
pub(super) unsafe fn create(
    out: *mut *mut mnist_dataset,
    make: impl FnOnce() -> Result<Dataset>,
) -> Result<mnist_status> {
    // SAFETY: by the contract.
    unsafe {
        let out = self::out(out, "out")?;
        out.write(give(mnist_dataset::new(make()?)));
    }
    Ok(MNIST_OK)
}

/// Creates a dataset of the samples `start` to `start + len - 1`. It shares the samples' memory with `dataset` and
/// stays valid when `dataset` is freed. On success `*out` is a new dataset; free it with mnist_dataset_free.
///
/// Errors: INVALID_ARGUMENT if a sample does not exist, and for a `len` of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_slice(
    dataset: *const mnist_dataset,
    start: usize,
    len: usize,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe { create(out, || borrow(dataset, "dataset")?.get().slice(start, len)) })
}

/// Returns the number of samples; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_len(dataset: *const mnist_dataset) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(dataset) }.map_or(0, |dataset| dataset.current.read().len()))
}

/// Gets the shape of all samples. Returns the rank: 3 for `[N, H, W]`, 4 for `[N, H, W, C]`, 2 for `[N, W]`, 0 for
/// NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0 `dims` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_shape(
    dataset: *const mnist_dataset,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    guard::value(0, || {
        // SAFETY: by the contract they are NULL or what the header says.
        unsafe { peek(dataset).map_or(0, |dataset| write_dims(&dataset.current.read().shape(), dims, capacity)) }
    })
}

/// Returns the type of the samples: MNIST_DTYPE_U8 for bytes, MNIST_DTYPE_F32 for floats, and for bytes that were
/// normalized (in memory they stay bytes); 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_dtype(dataset: *const mnist_dataset) -> mnist_dtype {
    guard::value(0, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { peek(dataset) }.map_or(0, |dataset| match dataset.current.read().dtype() {
            Dtype::U8 => MNIST_DTYPE_U8,
            Dtype::F32 => MNIST_DTYPE_F32,
        })
    })
}

/// Frees a dataset. NULL is allowed. Slices of it and running fits keep the data that they need.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_free(dataset: *mut mnist_dataset) {
    // SAFETY: by the contract it is NULL or came from this library and was not freed.
    guard::value((), || unsafe { take(dataset) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::dataset_change::{mnist_dataset_expand_dims, mnist_dataset_normalize};
    use crate::capi::error::MNIST_ERROR_BUSY;

    #[test]
    fn two_changes_at_once_are_refused_and_readers_are_not() {
        let pointer = give(mnist_dataset::new(Dataset::from_u8(vec![7; 4], &[1, 2, 2], vec![3]).unwrap()));
        let none = std::ptr::null_mut();
        // SAFETY: the dataset lives to the end of the test, and its fields are behind locks.
        unsafe {
            let changing = borrow(pointer, "dataset").unwrap().exclusive.lock();
            assert_eq!(mnist_dataset_normalize(pointer, 255.0, none), MNIST_ERROR_BUSY);
            assert_eq!(mnist_dataset_expand_dims(pointer, none), MNIST_ERROR_BUSY);
            assert_eq!((mnist_dataset_len(pointer), mnist_dataset_dtype(pointer)), (1, MNIST_DTYPE_U8));
            drop(changing);
            assert_eq!(mnist_dataset_normalize(pointer, 255.0, none), MNIST_OK);
            assert_eq!(mnist_dataset_dtype(pointer), MNIST_DTYPE_F32);
            mnist_dataset_free(pointer);
        }
    }
}
