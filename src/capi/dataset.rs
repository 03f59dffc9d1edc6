//! `mnist_dataset`: images, and labels or targets.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, borrow, give, out, path, peek, room, slice, string, take, write_dims};
use crate::data::{self, Batch, BatchTargets, Dataset, Dtype, TargetKind};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use parking_lot::{Mutex, RwLock};
use std::ffi::{CString, c_char};

/// Images `[N, H, W]`, `[N, H, W, C]` or `[N, W]`; a label or targets for each of them, or neither; weights or none.
pub struct mnist_dataset {
    /// Held by calls that change it.
    exclusive: Mutex<()>,
    current: RwLock<Dataset>,
    /// What its classes are called.
    class_names: Vec<CString>,
}

impl Handle for mnist_dataset {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistdat");
}

/// The type of numbers, a constant MNIST_DTYPE_...; a dataset's are MNIST_DTYPE_U8 or MNIST_DTYPE_F32.
pub type mnist_dtype = u32;

/// Bytes, 0 to 255.
pub const MNIST_DTYPE_U8: u32 = 1;
/// Single precision.
pub const MNIST_DTYPE_F32: u32 = 2;
/// Double precision.
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

    /// The dataset as it is now; it shares the pixels.
    pub(super) fn get(&self) -> Dataset {
        self.current.read().clone()
    }

    /// Changes it, or is told that somebody else does.
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
/// NULL means Keras's cache, `$KERAS_HOME/datasets/mnist.npz` or `~/.keras/datasets/mnist.npz`; when that file does not
/// exist, or does not hold these arrays whole, it is downloaded there, its size and SHA-256 checked before it gets its name;
/// a damaged file stays until then, and is named when the download fails. On success `*train` and `*test`
/// are new datasets, to be freed with mnist_dataset_free; the pixels stay bytes, `[60000, 28, 28]` and `[10000, 28, 28]`.
/// Memory as mnist_dataset_from_npz.
///
/// The download comes from the address that Keras uses, or from the one in the environment variable MNIST_DATA_URL, which
/// may be http too: what is taken is Keras's file, or the same arrays as examples/data/mnist.npz of this project holds
/// them. At most 5 redirects are followed, from https only to https. Connecting and every pause are limited to 30 s, the
/// whole to 10 minutes. A proxy is taken from https_proxy, http_proxy or all_proxy (http, https or socks5; a plain http
/// address is asked for by CONNECT as well), hosts without one from no_proxy; each may be in capitals. Certificates are
/// checked against Mozilla's list.
///
/// Errors: NOT_FOUND, IO, FORMAT, SHAPE, UNSUPPORTED as mnist_dataset_from_npz; from the download NETWORK, CHECKSUM, IO
/// for a cache that cannot be written to, and INVALID_ARGUMENT for a variable with what is no address.
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

/// A dataset from two arrays of an npz archive: `images`, `[N, H, W]`, `[N, H, W, C]` or `[N, W]` (see
/// mnist_dataset_reshape), and `labels`, `[N]` or `[N, 1]`. Both may be of any type of numbers, bool, int8 to uint64 and
/// float16 to float64, in either order of bytes, in C's order or Fortran's. Images of bool and uint8 stay bytes, others are
/// rounded to float32; labels of floats must be whole numbers. What other arrays the archive holds does not matter. On
/// success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// Memory, whatever the file: the dataset (a byte a pixel of uint8, 4 of float; 4 a label) and as much again while it is
/// read; and for the archive's directory 64 bytes for each byte of the file and 32 MiB. An array that claims to unpack to
/// more than 1,032 times its bytes in the file (deflate's most), or to more than both 1 GiB and 100 times them, is refused
/// before memory is asked for; so is what exceeds the machine's.
///
/// Errors: NOT_FOUND, IO; FORMAT for another kind of file, which is named, and for a damaged archive or array; UNSUPPORTED
/// for another dtype (structs, objects, texts, complex numbers) and for another compression than deflate or an encryption;
/// SHAPE for another rank or numbers of images and labels that differ; INVALID_ARGUMENT for a label that is no whole number
/// from 0 to 4294967295.
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

/// As mnist_dataset_from_npz, `images` being an array of the archive at `images_path` and `labels` one of the archive at
/// `labels_path`, as Kuzushiji-49 comes: `arr_0` of k49-train-imgs.npz and `arr_0` of k49-train-labels.npz.
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

/// A dataset from two IDX files, plain or gzipped: images of rank 3 or 4, or 2 (see mnist_dataset_reshape), and labels of
/// rank 1. Both may be of any of the format's six types: 0x08 unsigned and 0x09 signed bytes, 0x0b and 0x0c integers of 16
/// and 32 bits, 0x0d and 0x0e floats of 32 and 64. Images of unsigned bytes stay bytes, others become float32; labels of
/// floats must be whole numbers. Zeros behind the end of a gzip file are padding, as gzip itself takes them; anything else
/// there is an error. On success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// Memory, whatever the files: the dataset (a byte a pixel of unsigned bytes, else 4; 5 a label), as much again while it is read, and 2 MiB; it grows
/// with what is really there. A gzipped file whose header claims more than 1,032 times its bytes (deflate's most), or more
/// than both 1 GiB and 100 times them, is refused before memory is asked for; so is what exceeds the machine's.
///
/// Errors: NOT_FOUND, IO; FORMAT for another kind of file, which is named, and, with the byte, for a wrong magic number, too
/// few or too many data; UNSUPPORTED for another type of elements; SHAPE for numbers of images and labels that differ;
/// INVALID_ARGUMENT for a label that is no whole number from 0 to 4294967295.
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

/// A dataset from a table in text (CSV), a sample a line, its numbers `[N, columns]` (see mnist_dataset_reshape), bytes when all are whole
/// and from 0 to 255, else float32. Kaggle's digits are "label" and 784 pixels.
///
/// `label_column` is the name of the column with the labels, or, where none is called so, its number from 0, as "0"; NULL: there
/// is none, and the samples are to be predicted. The first line has the columns' names, unless all of its fields but the
/// label's are numbers. Fields are separated by commas, or by what the first line has instead: semicolons, else tabs. They may
/// be quoted and have blanks around them; lines end with LF or CRLF, those without anything are passed over, and so is a mark of
/// UTF-8.
///
/// Labels that are whole numbers from 0 to 4294967295 become labels; when one of them is another number, they all become targets
/// `[1]` (see mnist_dataset_target_shape); when the first one is no number, they are names, and labels number them in the names'
/// order (by their bytes), see mnist_dataset_class_name. On success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// Memory, whatever the file: the dataset and as much again while it grows, at most sixteen times the file, and a line, of
/// which 16 MiB are the most.
///
/// Errors, with line and column: NOT_FOUND, IO; FORMAT for another kind of file, which is named, a number of fields other than
/// the first line's, a field that is no finite number (nothing in it, say), several columns of the label's name; NOT_FOUND for a column that is
/// not there, with the names of those that are; UNSUPPORTED for UTF-16 and more than 65536 names; SHAPE for a table
/// without another column than the label's; OUT_OF_MEMORY.
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

/// What the class with the label `label` is called, where labels came as names; it is good as long as the dataset. NULL for a
/// label that is not there, for classes without names, and for a NULL dataset.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_class_name(dataset: *const mnist_dataset, label: u32) -> *const c_char {
    guard::value(std::ptr::null(), || {
        // SAFETY: by the contract it is NULL or live.
        let name = unsafe { peek(dataset) }.and_then(|dataset| dataset.class_names.get(label as usize));
        name.map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// A dataset from memory. `dims` are the `rank` sizes of the pixels, `[N, H, W]` or `[N, H, W, C]`, each above 0; `pixels`
/// are that many bytes, row-major; `labels` are N. All are copied. On success `*out` is a new dataset, to be freed with
/// mnist_dataset_free.
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

/// As mnist_dataset_from_u8, the pixels being floats.
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

/// Makes a dataset of pixels, sizes and labels.
type Make<T> = fn(Vec<T>, &[usize], Vec<u32>) -> Result<Dataset>;

/// Copies an array of the caller's into a dataset.
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

/// The images `start` to `start + len - 1` as a dataset of their own, which shares the pixels and outlives `dataset` if
/// need be. On success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// Errors: INVALID_ARGUMENT for images that are not there, or none.
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

/// How many images there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_len(dataset: *const mnist_dataset) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(dataset) }.map_or(0, |dataset| dataset.current.read().len()))
}

/// Returns the rank, 3 for `[N, H, W]`, 4 for `[N, H, W, C]` or 2 for `[N, W]`, and writes as many of the sizes to `dims` as `capacity`
/// has room for (`dims` may be NULL when that is 0). 0 for a NULL dataset.
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

/// MNIST_DTYPE_U8 for bytes, MNIST_DTYPE_F32 for floats, which bytes count as once they are normalized (in memory they
/// stay bytes). 0 for NULL.
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

/// Divides all pixels by `divisor` in single precision: 255 takes bytes to 0..1. Slices made before are not changed.
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

/// Gives images without channels one: `[N, H, W]` to `[N, H, W, 1]`. (A model with one channel takes both.)
///
/// Errors: SHAPE when they have channels already; BUSY.
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

/// Gives each image another shape of as many numbers, which stay in their order: 784 to 28, 28. `dims` are the `rank` sizes
/// of one image without N, `[H, W]`, `[H, W, C]` or `[W]`. A model sees `[W]` as one pixel with W channels, `[1, 1, W]`.
/// Slices made before are not changed.
///
/// Errors: SHAPE for another rank than 1 to 3, or sizes whose product is not an image's number of pixels; BUSY.
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

/// Height and width change places: `[N, H, W]` becomes `[N, W, H]`, `[N, H, W, C]` becomes `[N, W, H, C]`. EMNIST's figures lie on
/// their side without it. Slices made before are not changed.
///
/// Errors: SHAPE for samples without height and width (mnist_dataset_reshape gives them both); BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dataset_transpose(dataset: *mut mnist_dataset, error: *mut mnist_error) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(dataset, "dataset") }?.change(Dataset::transpose)?;
        Ok(MNIST_OK)
    })
}

/// Channels that come first, as in PyTorch, come last: `[N, C, H, W]` becomes `[N, H, W, C]`. Slices made before are not changed.
///
/// Errors: SHAPE for another rank than 4; BUSY; OUT_OF_MEMORY.
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

/// Puts the samples into another order, with their labels, targets and weights, once and for all: that of a fit's epoch 0 with
/// this seed. So data that lie class by class can be cut by mnist_dataset_slice or validation_split. Slices made before are not
/// changed.
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

/// Mean and standard deviation (of the population, as Keras's Normalization takes it) of all pixels as they are scaled now, in
/// `mean` and `deviation`, which have room for `len` numbers each: 1 for all pixels together, the number of channels for each of
/// them, or that of one sample's pixels for each. The sums are in double precision and in the samples' order. For
/// mnist_dataset_standardize, of the test data too: they get the training data's numbers.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a pixel that is NaN or infinite; what a source fails with;
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

/// Subtracts the mean from all pixels and divides by the standard deviation, of which 1e-7 is the least that counts, in single
/// precision: Keras's Normalization. `mean` and `deviation` are `len` numbers each: one for all pixels, one for each channel, or
/// one for each pixel of a sample. Slices made before are not changed.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a number that is NaN or infinite, or a negative deviation; BUSY;
/// OUT_OF_MEMORY.
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

/// The labels that occur: how many in `*count`, and in `labels`, which has room for `capacity` numbers, themselves in
/// ascending order. `labels` may be NULL when `capacity` is 0.
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

/// All labels, in the samples' order, into `labels`, which has room for `capacity` numbers.
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

/// Returns the rank of one sample's targets, 1 to 3, and writes as many of their sizes to `dims` as `capacity` has room for
/// (`dims` may be NULL when that is 0). 0 for a dataset without targets, with labels, say, and for NULL.
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

/// All targets, `[N, ...]` in the samples' order, into `targets`, which has room for `capacity` floats.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len times the product of mnist_dataset_target_shape's sizes,
/// and for a dataset without targets.
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

/// How much each sample counts in the loss, in their order, into `weights`, which has room for `capacity` floats; 1 for all
/// of a dataset without weights.
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

/// Image `i` as `[H, W, C]` floats, scaled as it was normalized, into `pixels`, which has room for `capacity` floats; its
/// label into `*label`, which may be NULL when it is not wanted.
///
/// Errors: INVALID_ARGUMENT for an image that is not there or a `capacity` below H * W * C, and for a label that is wanted of
/// a dataset without labels.
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

/// Frees it; NULL is allowed. Slices of it, and fits under way, keep what they need.
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
