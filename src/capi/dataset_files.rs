//! Datasets from files.

use super::dataset::{create, mnist_dataset};
use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{give, out, path, string};
use crate::data::{self, Dataset};
use std::ffi::c_char;

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
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || {
            let (path, images) = (self::path(path, "path")?, string(images, "images")?);
            Dataset::from_npz(&path, images, string(labels, "labels")?)
        })
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
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || {
            let (images_path, images) = (path(images_path, "images_path")?, string(images, "images")?);
            let (labels_path, labels) = (path(labels_path, "labels_path")?, string(labels, "labels")?);
            Dataset::from_npz_pair(&images_path, images, &labels_path, labels)
        })
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
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || Dataset::from_idx(&path(images_path, "images_path")?, &path(labels_path, "labels_path")?))
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
    // SAFETY: by the contract the pointers are NULL or what the header says.
    guard::status(error, || unsafe {
        create(out, || {
            let path = self::path(path, "path")?;
            let label = (!label_column.is_null()).then(|| string(label_column, "label_column")).transpose()?;
            Dataset::from_csv(&path, label)
        })
    })
}
