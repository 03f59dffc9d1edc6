//! `mnist_dataset`: samples with their labels or targets.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, give, out, path, peek, room, slice, string, take, write_dims};
use crate::data::{self, Batch, BatchTargets, Dataset, Dtype, TargetKind};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use parking_lot::{Mutex, RwLock};
use std::ffi::{CString, c_char};

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

    /// Changes it, or returns `Busy`.
    fn change(&self, task: impl FnOnce(&mut Dataset) -> Result<()>) -> Result<()> {
        let _exclusive = self.exclusive.try_lock().ok_or_else(|| {
            Error::new(ErrorKind::Busy, "another call that changes it is running").at("argument `dataset`")
        })?;
        let mut changed = self.get();
        task(&mut changed)?;
        *self.current.write() = changed;
        Ok(())
    }
}

/// Loads MNIST's training and test data from the npz archive at `path`: its arrays x_train, y_train, x_test and y_test.
/// On success `*train` and `*test` are new datasets; free them with mnist_dataset_free. The pixels stay bytes, `[60000,
/// 28, 28]` and `[10000, 28, 28]`. Memory as in mnist_dataset_from_npz.
///
/// A NULL `path` means Keras's cache, `$KERAS_HOME/datasets/mnist.npz` or `~/.keras/datasets/mnist.npz`. If that file
/// does not exist or does not hold these arrays undamaged, the library downloads it. Size and SHA-256 are checked
/// before the download replaces the file; a damaged file stays until then, and the message names it if the download
/// fails.
///
/// The download uses Keras's address, or the one in the environment variable MNIST_DATA_URL, which may be http too.
/// Accepted are Keras's file and the same arrays as in examples/data/mnist.npz of this project. At most 5 redirects are
/// followed, from https only to https. Connecting and every pause may take 30 s, the whole download 10 minutes. The
/// variables https_proxy, http_proxy and all_proxy name a proxy (http, https or socks5; plain http addresses use
/// CONNECT as well), no_proxy the hosts without a proxy; capitals work too. Certificates are checked against Mozilla's
/// list.
///
/// Errors: NOT_FOUND, IO, FORMAT, SHAPE and UNSUPPORTED as in mnist_dataset_from_npz; from the download NETWORK,
/// CHECKSUM, IO if the cache cannot be written, and INVALID_ARGUMENT if a variable does not hold a valid address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_load_data(
    path: *const c_char,
    train: *mut *mut mnist_dataset,
    test: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let (train, test) = (out(train, "train")?, out(test, "test")?);
            let path = (!path.is_null()).then(|| self::path(path, "path")).transpose()?;
            let (train_data, test_data) = data::load_data(path.as_deref())?;
            train.write(give(mnist_dataset::new(train_data)));
            test.write(give(mnist_dataset::new(test_data)));
        }
        Ok(MNIST_OK)
    })
}

/// Creates a dataset from two arrays of the npz archive at `path`: the array `images`, `[N, H, W]`, `[N, H, W, C]` or
/// `[N, W]` (see mnist_dataset_reshape), and the array `labels`, `[N]` or `[N, 1]`. On success `*out` is a new dataset;
/// free it with mnist_dataset_free.
///
/// Both arrays may have any numeric type (bool, int8 to uint64, float16 to float64), either byte order, and C or
/// Fortran order. Images of bool and uint8 stay bytes; others are rounded to float32. Labels of a float type must be
/// whole numbers. Other arrays in the archive are ignored.
///
/// Memory, whatever the file claims: the dataset (1 byte for a uint8 pixel, 4 for a float pixel, 4 for a label) and as
/// much again while it is read; for the archive's directory 64 bytes for each byte of the file, and 32 MiB. The library
/// rejects, before it allocates, an array that claims to unpack to more than 1,032 times its compressed size (deflate's
/// maximum), or to more than both 1 GiB and 100 times that size, or to more than the machine's memory.
///
/// Errors: NOT_FOUND, IO; FORMAT for another kind of file, which the message names, and for a damaged archive or array;
/// UNSUPPORTED for other types (structs, objects, strings, complex numbers), for a compression other than deflate and
/// for encryption; SHAPE for another rank, and if the numbers of images and labels differ; INVALID_ARGUMENT for a label
/// that is not a whole number from 0 to 4294967295.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_npz(
    path: *const c_char,
    images: *const c_char,
    labels: *const c_char,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let (path, images) = (self::path(path, "path")?, string(images, "images")?);
            let data = Dataset::from_npz(&path, images, string(labels, "labels")?)?;
            out.write(give(mnist_dataset::new(data)));
        }
        Ok(MNIST_OK)
    })
}

/// Creates a dataset from arrays of two npz archives: `images` from the archive at `images_path`, `labels` from the one
/// at `labels_path`. Kuzushiji-49 comes this way: `arr_0` of k49-train-imgs.npz and `arr_0` of k49-train-labels.npz.
/// Everything else is as in mnist_dataset_from_npz.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_npz_pair(
    images_path: *const c_char,
    images: *const c_char,
    labels_path: *const c_char,
    labels: *const c_char,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let (images_path, images) = (path(images_path, "images_path")?, string(images, "images")?);
            let (labels_path, labels) = (path(labels_path, "labels_path")?, string(labels, "labels")?);
            let data = Dataset::from_npz_pair(&images_path, images, &labels_path, labels)?;
            out.write(give(mnist_dataset::new(data)));
        }
        Ok(MNIST_OK)
    })
}

/// Creates a dataset from two IDX files, plain or gzipped: images of rank 3 or 4, or 2 (see mnist_dataset_reshape), and
/// labels of rank 1. On success `*out` is a new dataset; free it with mnist_dataset_free.
///
/// Both files may use any of the format's six element types: 0x08 unsigned and 0x09 signed bytes, 0x0b and 0x0c
/// integers of 16 and 32 bits, 0x0d and 0x0e floats of 32 and 64 bits. Images of unsigned bytes stay bytes; others
/// become float32. Labels of a float type must be whole numbers. Zeros after the end of a gzip stream are padding, as
/// for gzip itself; anything else there is an error.
///
/// Memory, whatever the files claim: the dataset (1 byte for an unsigned byte pixel, else 4; 5 for a label), as much
/// again while it is read, and 2 MiB. It grows with the data that are really read. The library rejects, before it
/// allocates, a gzipped file whose header claims more than 1,032 times the file's size (deflate's maximum), or more
/// than both 1 GiB and 100 times that size, or more than the machine's memory.
///
/// Errors: NOT_FOUND, IO; FORMAT for another kind of file, which the message names, and, with the byte offset, for a
/// wrong magic number and for too few or too many data; UNSUPPORTED for another element type; SHAPE if the numbers of
/// images and labels differ; INVALID_ARGUMENT for a label that is not a whole number from 0 to 4294967295.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_idx(
    images_path: *const c_char,
    labels_path: *const c_char,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let data = Dataset::from_idx(&path(images_path, "images_path")?, &path(labels_path, "labels_path")?)?;
            out.write(give(mnist_dataset::new(data)));
        }
        Ok(MNIST_OK)
    })
}

/// Creates a dataset from a text table (CSV): each line is a sample, its numbers are `[N, columns]` (see
/// mnist_dataset_reshape). Samples are bytes if all numbers are whole and from 0 to 255, else float32. On success
/// `*out` is a new dataset; free it with mnist_dataset_free. Kaggle's digits, for example, have the column "label" and
/// 784 pixels.
///
/// `label_column` is the name of the column with the labels, or, if no column has that name, its index from 0, as "0".
/// NULL: there is no label column, as for data to predict.
///
/// The first line holds the column names, unless all its fields except the label's are numbers. Fields are separated by
/// commas, or, if the first line has none, by semicolons, or else by tabs. Fields may be quoted and surrounded by
/// blanks. Lines end with LF or CRLF; empty lines and a UTF-8 byte order mark are skipped.
///
/// If all labels are whole numbers from 0 to 4294967295, they are labels. If one of them is another number, all become
/// targets `[1]` (see mnist_dataset_target_shape). If the first one is not a number, they are class names, and the
/// labels number the names in byte order (see mnist_dataset_class_name).
///
/// Memory, whatever the file: the dataset and as much again while it grows, at most sixteen times the file's size, and
/// one line, which may be 16 MiB long.
///
/// Errors, with line and column: NOT_FOUND, IO; FORMAT for another kind of file, which the message names, for a line
/// with another number of fields than the first, for a field that is not a finite number (an empty one, for example),
/// and for several columns with the label's name; NOT_FOUND for a label column that does not exist, with the names of
/// the existing columns; UNSUPPORTED for UTF-16 and more than 65536 class names; SHAPE for a table without a column
/// besides the label; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_from_csv(
    path: *const c_char,
    label_column: *const c_char,
    out: *mut *mut mnist_dataset,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let path = self::path(path, "path")?;
            let label = (!label_column.is_null()).then(|| string(label_column, "label_column")).transpose()?;
            out.write(give(mnist_dataset::new(Dataset::from_csv(&path, label)?)));
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
        let name = unsafe { peek(dataset) }.and_then(|dataset| dataset.class_names.get(label as usize));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

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
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { from_memory(pixels, dims, rank, labels, out, Dataset::from_u8) }
    })
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
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe { from_memory(pixels, dims, rank, labels, out, Dataset::from_f32) }
    })
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
    out: *mut *mut mnist_dataset,
    make: Make<T>,
) -> Result<mnist_status> {
    let out = self::out(out, "out")?;
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
        out.write(give(mnist_dataset::new(make(copy, dims, labels_copy)?)));
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
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let slice = borrow(dataset, "dataset")?.get().slice(start, len)?;
            out.write(give(mnist_dataset::new(slice)));
        }
        Ok(MNIST_OK)
    })
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
            peek(dataset).map_or(0, |dataset| match dataset.current.read().target_kind() {
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

/// Frees a dataset. NULL is allowed. Slices of it and running fits keep the data that they need.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_free(dataset: *mut mnist_dataset) {
    // SAFETY: by the contract it is NULL or came from this library and was not freed.
    guard::value((), || unsafe { take(dataset) })
}

#[cfg(test)]
mod tests {
    use super::*;
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
