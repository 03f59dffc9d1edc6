//! Changes to a dataset: scaling, shape and order.

use super::dataset::mnist_dataset;
use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{borrow, slice};
use crate::data::{self, Dataset};

/// Divides all pixels by `divisor` in single precision: 255 scales bytes to 0..1. Slices made earlier do not change.
///
/// Errors: INVALID_ARGUMENT for 0, NaN or infinity; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_normalize(
    dataset: *mut mnist_dataset,
    divisor: f32,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(|data| data.normalize(divisor))?;
        Ok(MNIST_OK)
    })
}

/// Adds a channel axis of size 1: `[N, H, W]` becomes `[N, H, W, 1]`. (A model with one channel accepts both.)
///
/// Errors: SHAPE if the samples have channels already; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_expand_dims(
    dataset: *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(Dataset::expand_dims)?;
        Ok(MNIST_OK)
    })
}

/// Gives each sample another shape with the same number of values, in the same order: 784 becomes 28, 28. `dims` holds
/// the `rank` sizes of one sample without N: `[H, W]`, `[H, W, C]` or `[W]`. A model sees `[W]` as one pixel with W
/// channels, `[1, 1, W]`. Slices made earlier do not change.
///
/// Errors: SHAPE for a rank other than 1 to 3, and for sizes whose product is not the number of values of a sample;
/// BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_reshape(
    dataset: *mut mnist_dataset,
    dims: *const usize,
    rank: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        data::check_sample_rank(rank)?;
        // SAFETY: by the contract the pointers are NULL or what the header says.
        let (dataset, dims) = unsafe { (borrow(dataset, "dataset")?, slice(dims, rank, "dims")?) };
        dataset.change(|data| data.reshape(dims))?;
        Ok(MNIST_OK)
    })
}

/// Swaps height and width: `[N, H, W]` becomes `[N, W, H]`, `[N, H, W, C]` becomes `[N, W, H, C]`. EMNIST's files need
/// it: their characters are stored transposed. Slices made earlier do not change.
///
/// Errors: SHAPE for samples without height and width (mnist_dataset_reshape adds them); BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_transpose(dataset: *mut mnist_dataset, error: *mut mnist_error) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(Dataset::transpose)?;
        Ok(MNIST_OK)
    })
}

/// Moves the channels from the first axis, as PyTorch stores them, to the last: `[N, C, H, W]` becomes `[N, H, W, C]`.
/// Slices made earlier do not change.
///
/// Errors: SHAPE for a rank other than 4; BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_channels_last(
    dataset: *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(Dataset::channels_last)?;
        Ok(MNIST_OK)
    })
}

/// Reorders the samples, with their labels, targets and weights, once: into the order of a fit's epoch 0 with this
/// seed. Use it before mnist_dataset_slice or validation_split when the data are sorted by class. Slices made earlier
/// do not change.
///
/// Errors: BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_shuffle(
    dataset: *mut mnist_dataset,
    seed: u64,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(|data| {
            *data = data.shuffle(seed)?;
            Ok(())
        })?;
        Ok(MNIST_OK)
    })
}

/// Subtracts the mean from all pixels and divides by the standard deviation, which counts as at least 1e-7, in single
/// precision, as Keras's Normalization does. `mean` and `deviation` hold `len` values each: one for all pixels, one per
/// channel, or one per value of a sample. Slices made earlier do not change.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a value that is NaN or infinite, or a negative deviation;
/// BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_standardize(
    dataset: *mut mnist_dataset,
    mean: *const f32,
    deviation: *const f32,
    len: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let dataset = borrow(dataset, "dataset")?;
            dataset.get().check_statistics(len)?;
            let (mean, deviation) = (slice(mean, len, "mean")?, slice(deviation, len, "deviation")?);
            dataset.change(|data| data.standardize(mean, deviation))?;
        }
        Ok(MNIST_OK)
    })
}
