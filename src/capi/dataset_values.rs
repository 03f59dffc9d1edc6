//! What a dataset contains: labels, targets, weights, images, statistics.

use super::dataset::mnist_dataset;
use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{borrow, out, peek, room, write_dims};
use crate::data::{Batch, BatchTargets, TargetKind};
use crate::error::{At, Error, ErrorKind};
use std::ffi::c_char;

/// Computes the mean and the standard deviation of the pixels with their current scaling (the population's deviation,
/// as Keras's Normalization computes it). `mean` and `deviation` have room for `len` values each: 1 for all pixels
/// together, the number of channels for one value per channel, or the number of values of a sample for one per value.
/// Sums are in double precision, in the samples' order. Pass the result to mnist_dataset_standardize, for the test data
/// too: they use the training data's statistics.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a pixel that is NaN or infinite; a source's error;
/// OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_statistics(
    dataset: *const mnist_dataset,
    mean: *mut f32,
    deviation: *mut f32,
    len: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let data = borrow(dataset, "dataset")?.get();
            data.check_statistics(len)?;
            let mean = room(mean, "mean", (len, "len"), len)?;
            data.statistics(mean, room(deviation, "deviation", (len, "len"), len)?)?;
        }
        Ok(MNIST_OK)
    })
}

/// Gets the labels that occur in the dataset: their number in `*count`, the labels in ascending order in `labels`,
/// which has room for `capacity` values. With a `capacity` of 0 `labels` may be NULL, and only `*count` is written.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but below the count (nothing is written then), and for a dataset
/// without labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_unique_labels(
    dataset: *const mnist_dataset,
    labels: *mut u32,
    capacity: usize,
    count: *mut usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let count = out(count, "count")?;
            let unique = borrow(dataset, "dataset")?.get().unique_labels().at("argument `dataset`")?;
            if capacity > 0 {
                room(labels, "labels", (capacity, "capacity"), unique.len())?.copy_from_slice(&unique);
            }
            count.write(unique.len());
        }
        Ok(MNIST_OK)
    })
}

/// Returns the name of the class with the label `label`, if the labels came as names (mnist_dataset_from_csv). Returns
/// NULL for an unknown label, for classes without names, and for NULL. The string lives as long as the dataset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_class_name(dataset: *const mnist_dataset, label: u32) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(dataset) }.and_then(|dataset| dataset.class_name(label));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// Copies all labels, in the samples' order, to `labels`, which has room for `capacity` values.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len, and for a dataset without labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_labels(
    dataset: *const mnist_dataset,
    labels: *mut u32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let data = borrow(dataset, "dataset")?.get();
            let all = data.need_labels().at("argument `dataset`")?;
            room(labels, "labels", (capacity, "capacity"), all.len())?.copy_from_slice(all);
        }
        Ok(MNIST_OK)
    })
}

/// Gets the shape of one sample's target. Returns its rank, 1 to 3; 0 for a dataset without targets (one with labels,
/// for example) and for NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0 `dims`
/// may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_target_shape(
    dataset: *const mnist_dataset,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    guard::value(0, || {
        // SAFETY: by the contract they are NULL or what the header says.
        unsafe {
            peek(dataset).map_or(0, |dataset| match dataset.get().target_kind() {
                TargetKind::Values(shape) => write_dims(shape, dims, capacity),
                TargetKind::None | TargetKind::Labels => 0,
            })
        }
    })
}

/// Copies all targets, `[N, ...]` in the samples' order, to `targets`, which has room for `capacity` floats.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len times the product of mnist_dataset_target_shape's
/// sizes, and for a dataset without targets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_targets(
    dataset: *const mnist_dataset,
    targets: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let data = borrow(dataset, "dataset")?.get();
            let (all, _) = data.need_targets().at("argument `dataset`")?;
            room(targets, "targets", (capacity, "capacity"), all.len())?.copy_from_slice(all);
        }
        Ok(MNIST_OK)
    })
}

/// Copies the sample weights (how much each sample counts in the loss), in the samples' order, to `weights`, which has
/// room for `capacity` floats. They are all 1 for a dataset without weights.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_weights(
    dataset: *const mnist_dataset,
    weights: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let data = borrow(dataset, "dataset")?.get();
            let weights = room(weights, "weights", (capacity, "capacity"), data.len())?;
            match data.weights() {
                Some(all) => weights.copy_from_slice(all),
                None => weights.fill(1.0),
            }
        }
        Ok(MNIST_OK)
    })
}

/// Copies sample `i`, counted from 0, to `pixels` as `[H, W, C]` floats with its scaling (mnist_dataset_normalize and
/// its like) applied; `pixels` has room for `capacity` floats. `*label` receives its label; `label` may be NULL.
///
/// Errors: INVALID_ARGUMENT if there is no sample `i`, for a `capacity` below H * W * C, and for a `label` that is not
/// NULL if the dataset has no labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_image(
    dataset: *const mnist_dataset,
    i: usize,
    pixels: *mut f32,
    capacity: usize,
    label: *mut u32,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let data = borrow(dataset, "dataset")?.get();
            if i >= data.len() {
                return Err(Error::new(ErrorKind::InvalidArgument, "no such image")
                    .expected(format_args!("below {}", data.len()))
                    .found(i)
                    .at("argument `i`"));
            }
            let pixels = room(pixels, "pixels", (capacity, "capacity"), data.image_shape().iter().product())?;
            if !label.is_null() && data.target_kind() != TargetKind::Labels {
                data.need_labels().at("argument `dataset`")?;
            }
            let mut one = Batch::new(&data, 1)?;
            one.fill(&data, &[i as u32]).at("argument `dataset`")?;
            pixels.copy_from_slice(one.x());
            if let (false, BatchTargets::Labels(&[found])) = (label.is_null(), one.targets()) {
                label.write(found);
            }
        }
        Ok(MNIST_OK)
    })
}
