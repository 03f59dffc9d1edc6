//! Datasets from bytes and floats in memory.

use super::dataset::{create, mnist_dataset};
use super::error::{mnist_error, mnist_status};
use super::guard;
use super::pointers::slice;
use crate::data::Dataset;
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;

/// Creates a dataset from images of bytes in memory. `dims` holds the `rank` sizes of the pixels, `[N, H, W]` or `[N,
/// H, W, C]`, each above 0; `pixels` holds that many bytes, row-major; `labels` holds N labels. All arrays are copied.
/// On success `*out` is a new dataset; free it with mnist_dataset_free. mnist_dataset_new takes other types and
/// targets.
///
/// Errors: SHAPE for another rank or a size of 0; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_u8(
    pixels: *const u8,
    dims: *const usize,
    rank: usize,
    labels: *const u8,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe { create(out, || from_memory(pixels, dims, rank, labels, Dataset::from_u8)) })
}

/// Creates a dataset from images of floats in memory. Everything else is as in mnist_dataset_from_u8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_f32(
    pixels: *const f32,
    dims: *const usize,
    rank: usize,
    labels: *const u8,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe { create(out, || from_memory(pixels, dims, rank, labels, Dataset::from_f32)) })
}

/// Creates a dataset from pixels, sizes and labels.
type Make<T> = fn(Vec<T>, &[usize], Vec<u32>) -> Result<Dataset>;

/// Copies the caller's array into a dataset.
///
/// # Safety
/// The pointers are NULL or what the header says.
unsafe fn from_memory<T: Copy>(
    pixels: *const T,
    dims: *const usize,
    rank: usize,
    labels: *const u8,
    make: Make<T>,
) -> Result<Dataset> {
    if !(3..=4).contains(&rank) {
        return Err(Error::new(ErrorKind::Shape, "images of a wrong rank")
            .expected("3 or 4")
            .found(rank)
            .at("argument `rank`"));
    }
    // SAFETY: `dims` has `rank` sizes, `pixels` as many elements as their product, `labels` one for each image.
    unsafe {
        let dims = slice(dims, rank, "dims")?;
        let product = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim)).filter(|&n| n > 0);
        let len = product.ok_or_else(|| {
            let error = Error::new(ErrorKind::Shape, "sizes that are 0 or too large");
            error.found(format_args!("{dims:?}")).at("argument `dims`")
        })?;
        let pixels = slice(pixels, len, "pixels")?;
        let labels = slice(labels, dims[0], "labels")?;
        let mut copy = memory::reserve(len).at("argument `pixels`")?;
        copy.extend_from_slice(pixels);
        let mut labels_copy = memory::reserve(labels.len()).at("argument `labels`")?;
        labels_copy.extend(labels.iter().map(|&label| u32::from(label)));
        make(copy, dims, labels_copy)
    }
}
