// libmnist - train neural networks inside your own program.
//
// A program loads data, describes a network, makes a model of it, compiles, fits, evaluates, predicts and saves:
//
//     mnist_load_data      mnist_graph_new       mnist_model_new      mnist_model_fit         mnist_model_predict
//     mnist_dataset_...    mnist_input,          mnist_model_compile  mnist_model_evaluate    mnist_model_save,
//     mnist_image_prepare  mnist_conv2d, ...                                                  mnist_model_load
//
// CALLS. Every function that can fail returns an mnist_status: MNIST_OK (0), an error (negative), or a notice (positive):
// the function did its work, but a fit was stopped (MNIST_CANCELLED) or met NaN or infinity (MNIST_DIVERGED). So `< 0`
// is a failure. The last parameter is an mnist_error*, which receives the message: what is wrong, where, what was
// expected and what was found. Pass NULL if you do not want the message. Output parameters are written only on success,
// and a function that fails changes nothing; a comment that says otherwise names the exception. The comments write
// `Errors: SHAPE` for MNIST_ERROR_SHAPE. Any function may also return INVALID_ARGUMENT for a NULL pointer or a wrong
// object, and OUT_OF_MEMORY. No function ends the process (two exceptions: MEMORY and NOT DETECTED below), prints
// unless you ask for it, or lets a Rust panic or a C++ exception out.
//
// OWNERSHIP. Objects are opaque. You own every object that a function gives you through `mnist_X **out` or returns from
// mnist_X_new, and you free it with the function on the right:
//
//     mnist_error_new                                                         mnist_error_free
//     mnist_npz_open                                                          mnist_npz_free
//     mnist_load_data (two), mnist_dataset_from_..., mnist_dataset_new        mnist_dataset_free
//     mnist_dataset_slice                                                     mnist_dataset_free
//     mnist_graph_new, mnist_graph_from_json                                  mnist_graph_free (frees its tensors too)
//     mnist_model_new, mnist_model_load, ..._load_memory, ..._load_onnx       mnist_model_free
//     mnist_model_fit, mnist_model_evaluate (option `results`)                mnist_history_free
//
// Every _free function accepts NULL. Objects may be freed in any order, except that a tensor lives only as long as its
// graph. Arguments are borrowed during the call or copied. A returned string belongs to the object it came from.
//
// THREADS. A function that takes `const mnist_X *` may run on many threads at once, even while another thread runs a
// function that takes the same object as non-const. Two non-const calls on one object at the same time: the second
// returns MNIST_ERROR_BUSY; on a graph, whose calls are short, it waits instead. Only _free must not run at the same
// time as any other call with that object. Different objects share nothing. Use an mnist_error in one call at a time.
// A model computes on its own threads (mnist_model_set_threads), or on the caller's thread where no thread can be
// started; callbacks and writers run on the thread that made the call. No function is a cancellation point: a thread
// that is cancelled (pthread_cancel) inside one ends when the function returns. The same holds for callbacks.
//
// MEMORY. An allocation failure is MNIST_ERROR_OUT_OF_MEMORY; mnist_X_new and the layer functions return NULL. The call
// changes nothing, with one exception: a fit that has begun to train stops between two steps and keeps the trained
// weights. Fit, evaluate and predict compare the memory they need with what the machine, the process's limits and its
// container's limits have left, before they allocate any of it; the message names a batch size that would fit. For
// small allocations that cannot fail in Rust the library keeps 2 MiB in reserve. Two cases are beyond its control:
// an allocation failure while a thread starts (some hundred bytes; Rust or the C library then ends the process), and a
// system that promises more memory than it has (overcommit).
//
// TEXT is NUL-terminated UTF-8; so are paths. A message is one line; control characters in a path or a name are
// escaped, as in \u{1b}.
//
// FILES. A relative path is resolved against the working folder at the time of the call, also for files that are written
// later. Anything but a regular file (a folder, pipe, socket or device) is MNIST_ERROR_IO at once, for reading and for
// replacing: the library never waits for the other end of a pipe. (It does wait for a disk or a file server that does
// not answer, because the system does.)
//
// - Writing is atomic. The new file is written in the same folder as .mnist-0.tmp or a higher number, synced, and
//   renamed. A reader finds the old file or the new file, never a part of one, as far as the file system renames
//   atomically. Temporary files of a killed process are removed by the next write in that folder.
// - A replaced file keeps its mode, and its owner and group where this process may set them. Where the group cannot be
//   kept, the group gets no more rights than everybody has. ACLs and other attributes are not kept, and other hard links
//   keep the old content. A symbolic link stays: its target is replaced or created.
// - MNIST_ERROR_IO, and nothing is replaced: a read-only file, a file that this process may not write to, a mount point.
// - Descriptors 0, 1 and 2 are never used for the library's files, even if the program has closed them: while a file is
//   being opened, they are occupied by descriptors that can be neither read nor written.
// - System calls that a signal interrupts are repeated.
//
// ON WINDOWS paths are UTF-8 too and may be longer than 260 characters. A path that Windows would not open as a file of
// that name is rejected before anything is opened: MNIST_ERROR_IO for a device or a pipe (NUL, con.npz, COM1 in any
// folder); MNIST_ERROR_INVALID_ARGUMENT for an alternate data stream (w:b), a name that ends in a dot or a space, and a
// drive without a folder (C:w). A file that a program holds open without sharing deletion (as fopen does) is not
// replaced: MNIST_ERROR_IO after two seconds. A replaced file gets the access rights that its folder gives.
//
// CONSTANTS are passed as plain integers; an unknown value is MNIST_ERROR_INVALID_ARGUMENT.
//
// OPTIONS are structs that begin with struct_size. Their _init function fills in Keras's defaults, and NULL options mean
// these defaults. The comments give a field's default as its last sentence. A program built with a newer header may pass
// a longer struct as long as the fields that this library does not know are zero.
//
// NUMBERS. A call runs with the standard floating-point settings (rounding, flushing, traps) and restores the caller's
// settings when it returns; callbacks run with the standard ones. Denormals are flushed to zero before they slow the
// processor down: pixels below 2^-126, and the optimizer's moments below 2^-120.
//
// AFTER FORK a call with a model of the parent returns MNIST_ERROR_STATE in the child. The child may free that model, and
// make or load its own. If another thread was inside a call with a dataset or a graph at the time of the fork, the child
// must not use that object. If a callback or a writer forks, then in the child the call around it returns
// MNIST_ERROR_STATE and writes nothing after the fork.
//
// DETECTED misuse: an object of another type, an object that was freed (as long as its memory has not been reused), and
// an object from another copy of the library in the process. Every object begins with a type tag; a wrong one is
// MNIST_ERROR_INVALID_ARGUMENT, and a function without a status does nothing.
//
// NOT DETECTED: a pointer to memory that cannot be read, a freed object whose memory now holds another object of the same
// type, an array shorter than its stated length, an output array that overlaps an input.
//
/// @file
/// The C interface of libmnist, generated from the library's sources by cbindgen.

#ifndef MNIST_H
#define MNIST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// @defgroup status Status and errors
/// `mnist_status` and `mnist_error`.
/// @{

/// Success.
#define MNIST_OK 0

/// A callback or mnist_model_cancel stopped the fit. The model is usable and keeps the trained weights.
#define MNIST_CANCELLED 1

/// A fit met a loss or a weight that is NaN or infinite; the message says where. See mnist_model_fit.
#define MNIST_DIVERGED 2

/// An argument or an option has a value that the function does not accept: NULL, zero, an unknown constant, NaN.
#define MNIST_ERROR_INVALID_ARGUMENT -1

/// Shapes do not fit each other: data and network, kernel and input, file and model.
#define MNIST_ERROR_SHAPE -2

/// The object is not in the right state for this call: fit before compile, for example.
#define MNIST_ERROR_STATE -3

/// Another call is changing the object.
#define MNIST_ERROR_BUSY -4

/// The operating system could not read or write.
#define MNIST_ERROR_IO -5

/// A file's content does not follow its format.
#define MNIST_ERROR_FORMAT -6

/// There is no file, array, tensor, layer or metric of that name.
#define MNIST_ERROR_NOT_FOUND -7

/// A download failed.
#define MNIST_ERROR_NETWORK -8

/// A download is complete, but its size or checksum is not the expected one.
#define MNIST_ERROR_CHECKSUM -9

/// Not enough memory.
#define MNIST_ERROR_OUT_OF_MEMORY -10

/// The input is valid, but this library does not support it.
#define MNIST_ERROR_UNSUPPORTED -11

/// A bug in the library. The call has no other effect; please report the message.
#define MNIST_ERROR_INTERNAL -12

/// The status and the message of the last call that it was passed to. The caller owns it; use it in one call at a time.
typedef struct mnist_error mnist_error;

/// The result of a call: 0 is success, a negative value an error, a positive value a notice.
typedef int32_t mnist_status;

/// Returns the library's version, for example "0.1.0". The string lives as long as the library is loaded.
const char *mnist_version(void);

/// Returns the name of a status, for example "MNIST_ERROR_SHAPE", or "MNIST_ERROR_UNKNOWN" for an unknown status. The
/// string lives as long as the library is loaded.
const char *mnist_status_name(mnist_status status);

/// Creates an error object. Pass it as the last argument of as many calls as you like, and free it with
/// mnist_error_free. Returns NULL only when memory has run out; every function accepts a NULL error as well.
struct mnist_error *mnist_error_new(void);

/// Frees an error object. NULL is allowed.
void mnist_error_free(struct mnist_error *error);

/// Returns the status of the last call that `error` was passed to; MNIST_OK before the first call and for NULL.
mnist_status mnist_error_status(const struct mnist_error *error);

/// Returns the message of the last call that `error` was passed to: one line of UTF-8 that names the file and byte,
/// tensor, argument or layer, what was expected and what was found. Returns "" if that call has no message, and for
/// NULL. The string is valid until `error` is passed to another call or freed.
const char *mnist_error_message(const struct mnist_error *error);

/// @}

/// @defgroup dataset Datasets
/// `mnist_npz`: the names and shapes in an archive of arrays.
/// Datasets from files.
/// Datasets from bytes and floats in memory.
/// `mnist_array`: arrays of any type in the caller's memory, and datasets made from them.
/// `mnist_source`: samples that a function of the host gives on request.
/// `mnist_dataset`: samples with their labels or targets.
/// Changes to a dataset: scaling, shape and order.
/// What a dataset contains: labels, targets, weights, images, statistics.
/// @{

/// uint8_t.
#define MNIST_DTYPE_U8 1

/// float.
#define MNIST_DTYPE_F32 2

/// double.
#define MNIST_DTYPE_F64 3

/// int8_t.
#define MNIST_DTYPE_I8 4

/// int16_t.
#define MNIST_DTYPE_I16 5

/// int32_t.
#define MNIST_DTYPE_I32 6

/// int64_t.
#define MNIST_DTYPE_I64 7

/// uint16_t.
#define MNIST_DTYPE_U16 8

/// uint32_t.
#define MNIST_DTYPE_U32 9

/// uint64_t.
#define MNIST_DTYPE_U64 10

/// Samples `[N, H, W]`, `[N, H, W, C]` or `[N, W]`, with or without a label or target for each, with or without sample
/// weights.
typedef struct mnist_dataset mnist_dataset;

/// An open NumPy archive (.npz). It never changes, so any number of threads may read it.
typedef struct mnist_npz mnist_npz;

/// An element type, one of the constants MNIST_DTYPE_...; a dataset's samples are MNIST_DTYPE_U8 or MNIST_DTYPE_F32.
typedef uint32_t mnist_dtype;

/// An array in the caller's memory, row-major.
typedef struct mnist_array {
    /// The elements, as many as the product of `dims`.
    const void *data;
    /// The element type, one of the constants MNIST_DTYPE_...
    mnist_dtype dtype;
    /// The number of dimensions.
    size_t rank;
    /// The sizes, outermost first.
    const size_t *dims;
} mnist_array;

/// Writes the samples with the numbers `indices` (`count` of them) to `x`, `[count, ...]`, in that order; and their
/// labels to `labels`, `[count]`, or, when target_len is above 0, their targets to `targets`, `[count, target_len]`.
/// The other of the two pointers is NULL. `user` is the source's `user`. The same number must always give the same
/// sample. Returns 0 on success; any other value ends the calling function with MNIST_ERROR_IO and a message with the
/// numbers of the samples.
///
/// It runs on the thread that called fit, evaluate or predict, or, with the fit option `prefetch`, on a thread of the
/// library. A function calls it once at a time; it runs twice at the same time only when two functions use the same
/// source at once. It must return, like an mnist_callback, and may call the same functions, but must not wait for the
/// call that it serves. The library checks its output: a label that is not below the number of classes, and a value
/// that is NaN or infinite, is MNIST_ERROR_INVALID_ARGUMENT.
typedef int32_t (*mnist_fetch_fn)(void *user,
                                  const uint64_t *indices,
                                  size_t count,
                                  float *x,
                                  uint32_t *labels,
                                  float *targets);

/// Describes where samples come from (mnist_dataset_from_source); fill it in with mnist_source_init.
typedef struct mnist_source {
    /// sizeof this struct.
    size_t struct_size;
    /// The number of samples, numbered from 0; 1 to 4294967295. Default: 0, must be set.
    size_t len;
    /// The number of dimensions of a sample, 1 to 3. Default: 0, must be set.
    size_t rank;
    /// The sizes of one sample without N: `[W]`, `[H, W]` or `[H, W, C]`. Default: NULL, must be set.
    const size_t *dims;
    /// The number of floats in a sample's target; 0: samples have labels. Default: 0.
    size_t target_len;
    /// The function that writes samples. Default: NULL, must be set.
    mnist_fetch_fn fetch;
    /// Passed to `fetch`. Default: NULL.
    void *user;
    /// The identity of the samples, for example the name and version of their files: a fit resumes from a checkpoint
    /// only with a source of the same identity. NULL: no identity, and no fit resumes with it. Default: NULL.
    const char *identity;
} mnist_source;

/// Opens the NumPy archive at `path` and reads the headers of its arrays, stored or deflated. An array whose header
/// cannot be read is listed too; the functions that ask for it report what is wrong. On success `*out` is a new
/// mnist_npz; free it with mnist_npz_free.
///
/// Errors: NOT_FOUND, IO; FORMAT for a file that is not a valid archive of arrays (if it is another known kind of file,
/// the message names the kind).
mnist_status mnist_npz_open(const char *path,
                            struct mnist_npz **out,
                            struct mnist_error *error);

/// Frees an archive. NULL is allowed.
void mnist_npz_free(struct mnist_npz *npz);

/// Returns the number of arrays; 0 for NULL.
size_t mnist_npz_len(const struct mnist_npz *npz);

/// Returns the name of array `i`, counted from 0 in the archive's order, without ".npy", as NumPy's `files` lists it.
/// Returns NULL if there is no array `i`, and for NULL. The string lives as long as the archive object.
const char *mnist_npz_name(const struct mnist_npz *npz,
                           size_t i);

/// Gets the shape of the array `name`: its number of dimensions in `*rank`, its sizes in `dims`, which has room for
/// `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is written.
///
/// Errors: NOT_FOUND; FORMAT or UNSUPPORTED for an array whose header cannot be read (damaged, a struct type,
/// encrypted, compressed other than by deflate); INVALID_ARGUMENT when `capacity` is above 0 but below the rank
/// (nothing is written then).
mnist_status mnist_npz_shape(const struct mnist_npz *npz,
                             const char *name,
                             size_t *dims,
                             size_t capacity,
                             size_t *rank,
                             struct mnist_error *error);

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
mnist_status mnist_load_data(const char *path,
                             struct mnist_dataset **train,
                             struct mnist_dataset **test,
                             struct mnist_error *error);

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
mnist_status mnist_dataset_from_npz(const char *path,
                                    const char *images,
                                    const char *labels,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// Creates a dataset from arrays of two npz archives: `images` from the archive at `images_path`, `labels` from the one
/// at `labels_path`. Kuzushiji-49 comes this way: `arr_0` of k49-train-imgs.npz and `arr_0` of k49-train-labels.npz.
/// Everything else is as in mnist_dataset_from_npz.
mnist_status mnist_dataset_from_npz_pair(const char *images_path,
                                         const char *images,
                                         const char *labels_path,
                                         const char *labels,
                                         struct mnist_dataset **out,
                                         struct mnist_error *error);

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
mnist_status mnist_dataset_from_idx(const char *images_path,
                                    const char *labels_path,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

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
mnist_status mnist_dataset_from_csv(const char *path,
                                    const char *label_column,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// Creates a dataset from images of bytes in memory. `dims` holds the `rank` sizes of the pixels, `[N, H, W]` or `[N,
/// H, W, C]`, each above 0; `pixels` holds that many bytes, row-major; `labels` holds N labels. All arrays are copied.
/// On success `*out` is a new dataset; free it with mnist_dataset_free. mnist_dataset_new takes other types and
/// targets.
///
/// Errors: SHAPE for another rank or a size of 0; OUT_OF_MEMORY.
mnist_status mnist_dataset_from_u8(const uint8_t *pixels,
                                   const size_t *dims,
                                   size_t rank,
                                   const uint8_t *labels,
                                   struct mnist_dataset **out,
                                   struct mnist_error *error);

/// Creates a dataset from images of floats in memory. Everything else is as in mnist_dataset_from_u8.
mnist_status mnist_dataset_from_f32(const float *pixels,
                                    const size_t *dims,
                                    size_t rank,
                                    const uint8_t *labels,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// Creates a dataset from arrays in memory. All arrays are copied. On success `*out` is a new dataset; free it with
/// mnist_dataset_free.
///
/// - `x`: the samples, `[N, features]`, `[N, H, W]`, `[N, steps, channels]` or `[N, H, W, C]` of any type. Bytes stay
///   bytes; every other type becomes float32.
/// - `y`: the labels or targets. Integers `[N]` or `[N, 1]` are labels, each from 0 to 2^32 - 1. Floats, and integers
///   of another shape (one-hot classes, `[N, classes]`), are targets of rank 1 to 4; they become float32, and `[N]`
///   becomes `[N, 1]`. NULL: neither, which is enough for mnist_model_predict_dataset.
/// - `sample_weight`: `[N]` or `[N, 1]` of any type: how much each sample counts in the loss, 0 or more. NULL: all
///   count the same.
///
/// Samples and targets may be NaN or infinite here; functions that train or evaluate with them report it.
///
/// Errors: SHAPE for another rank, a size of 0, or different numbers of samples, labels, targets and weights;
/// INVALID_ARGUMENT for an unknown type, a label out of range, or a weight that is negative, NaN or infinite;
/// OUT_OF_MEMORY.
mnist_status mnist_dataset_new(const struct mnist_array *x,
                               const struct mnist_array *y,
                               const struct mnist_array *sample_weight,
                               struct mnist_dataset **out,
                               struct mnist_error *error);

/// Fills `*source` with defaults; you then set the fields that are needed. Pass sizeof the struct as `struct_size`:
/// exactly that many bytes are written; bytes after the fields that this library knows become zero. NULL does nothing.
void mnist_source_init(struct mnist_source *source,
                       size_t struct_size);

/// Creates a dataset whose samples are requested from a function when they are needed, one batch at a time: for data
/// that do not fit into memory or are generated. On success `*out` is a new dataset; free it with mnist_dataset_free.
/// No sample is requested yet.
///
/// Slices, validation_split, shuffling, checkpoints and transformations (mnist_dataset_normalize and its like) work as
/// for samples in memory, and give the same bits. Everything in `*source` is copied except `fetch` and `user`: these
/// must stay valid as long as the dataset, its slices and calls with them.
///
/// Labels and targets are not kept: mnist_dataset_labels, mnist_dataset_targets and mnist_dataset_unique_labels return
/// INVALID_ARGUMENT. If `fetch` forks, then in the child the call around it returns MNIST_ERROR_STATE; with prefetch
/// the child ends when `fetch` returns.
///
/// Errors: INVALID_ARGUMENT for a NULL `source`, `dims` or `fetch`; SHAPE for a rank other than 1 to 3, and for a size
/// or a `len` of 0; UNSUPPORTED for more than 4294967295 samples; OUT_OF_MEMORY.
mnist_status mnist_dataset_from_source(const struct mnist_source *source,
                                       struct mnist_dataset **out,
                                       struct mnist_error *error);

/// Creates a dataset of the samples `start` to `start + len - 1`. It shares the samples' memory with `dataset` and
/// stays valid when `dataset` is freed. On success `*out` is a new dataset; free it with mnist_dataset_free.
///
/// Errors: INVALID_ARGUMENT if a sample does not exist, and for a `len` of 0.
mnist_status mnist_dataset_slice(const struct mnist_dataset *dataset,
                                 size_t start,
                                 size_t len,
                                 struct mnist_dataset **out,
                                 struct mnist_error *error);

/// Returns the number of samples; 0 for NULL.
size_t mnist_dataset_len(const struct mnist_dataset *dataset);

/// Gets the shape of all samples. Returns the rank: 3 for `[N, H, W]`, 4 for `[N, H, W, C]`, 2 for `[N, W]`, 0 for
/// NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0 `dims` may be NULL.
size_t mnist_dataset_shape(const struct mnist_dataset *dataset,
                           size_t *dims,
                           size_t capacity);

/// Returns the type of the samples: MNIST_DTYPE_U8 for bytes, MNIST_DTYPE_F32 for floats, and for bytes that were
/// normalized (in memory they stay bytes); 0 for NULL.
mnist_dtype mnist_dataset_dtype(const struct mnist_dataset *dataset);

/// Frees a dataset. NULL is allowed. Slices of it and running fits keep the data that they need.
void mnist_dataset_free(struct mnist_dataset *dataset);

/// Divides all pixels by `divisor` in single precision: 255 scales bytes to 0..1. Slices made earlier do not change.
///
/// Errors: INVALID_ARGUMENT for 0, NaN or infinity; BUSY.
mnist_status mnist_dataset_normalize(struct mnist_dataset *dataset,
                                     float divisor,
                                     struct mnist_error *error);

/// Adds a channel axis of size 1: `[N, H, W]` becomes `[N, H, W, 1]`. (A model with one channel accepts both.)
///
/// Errors: SHAPE if the samples have channels already; BUSY.
mnist_status mnist_dataset_expand_dims(struct mnist_dataset *dataset,
                                       struct mnist_error *error);

/// Gives each sample another shape with the same number of values, in the same order: 784 becomes 28, 28. `dims` holds
/// the `rank` sizes of one sample without N: `[H, W]`, `[H, W, C]` or `[W]`. A model sees `[W]` as one pixel with W
/// channels, `[1, 1, W]`. Slices made earlier do not change.
///
/// Errors: SHAPE for a rank other than 1 to 3, and for sizes whose product is not the number of values of a sample;
/// BUSY.
mnist_status mnist_dataset_reshape(struct mnist_dataset *dataset,
                                   const size_t *dims,
                                   size_t rank,
                                   struct mnist_error *error);

/// Swaps height and width: `[N, H, W]` becomes `[N, W, H]`, `[N, H, W, C]` becomes `[N, W, H, C]`. EMNIST's files need
/// it: their characters are stored transposed. Slices made earlier do not change.
///
/// Errors: SHAPE for samples without height and width (mnist_dataset_reshape adds them); BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_transpose(struct mnist_dataset *dataset,
                                     struct mnist_error *error);

/// Moves the channels from the first axis, as PyTorch stores them, to the last: `[N, C, H, W]` becomes `[N, H, W, C]`.
/// Slices made earlier do not change.
///
/// Errors: SHAPE for a rank other than 4; BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_channels_last(struct mnist_dataset *dataset,
                                         struct mnist_error *error);

/// Reorders the samples, with their labels, targets and weights, once: into the order of a fit's epoch 0 with this
/// seed. Use it before mnist_dataset_slice or validation_split when the data are sorted by class. Slices made earlier
/// do not change.
///
/// Errors: BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_shuffle(struct mnist_dataset *dataset,
                                   uint64_t seed,
                                   struct mnist_error *error);

/// Subtracts the mean from all pixels and divides by the standard deviation, which counts as at least 1e-7, in single
/// precision, as Keras's Normalization does. `mean` and `deviation` hold `len` values each: one for all pixels, one per
/// channel, or one per value of a sample. Slices made earlier do not change.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a value that is NaN or infinite, or a negative deviation;
/// BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_standardize(struct mnist_dataset *dataset,
                                       const float *mean,
                                       const float *deviation,
                                       size_t len,
                                       struct mnist_error *error);

/// Computes the mean and the standard deviation of the pixels with their current scaling (the population's deviation,
/// as Keras's Normalization computes it). `mean` and `deviation` have room for `len` values each: 1 for all pixels
/// together, the number of channels for one value per channel, or the number of values of a sample for one per value.
/// Sums are in double precision, in the samples' order. Pass the result to mnist_dataset_standardize, for the test data
/// too: they use the training data's statistics.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a pixel that is NaN or infinite; a source's error;
/// OUT_OF_MEMORY.
mnist_status mnist_dataset_statistics(const struct mnist_dataset *dataset,
                                      float *mean,
                                      float *deviation,
                                      size_t len,
                                      struct mnist_error *error);

/// Gets the labels that occur in the dataset: their number in `*count`, the labels in ascending order in `labels`,
/// which has room for `capacity` values. With a `capacity` of 0 `labels` may be NULL, and only `*count` is written.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but below the count (nothing is written then), and for a dataset
/// without labels.
mnist_status mnist_dataset_unique_labels(const struct mnist_dataset *dataset,
                                         uint32_t *labels,
                                         size_t capacity,
                                         size_t *count,
                                         struct mnist_error *error);

/// Returns the name of the class with the label `label`, if the labels came as names (mnist_dataset_from_csv). Returns
/// NULL for an unknown label, for classes without names, and for NULL. The string lives as long as the dataset.
const char *mnist_dataset_class_name(const struct mnist_dataset *dataset,
                                     uint32_t label);

/// Copies all labels, in the samples' order, to `labels`, which has room for `capacity` values.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len, and for a dataset without labels.
mnist_status mnist_dataset_labels(const struct mnist_dataset *dataset,
                                  uint32_t *labels,
                                  size_t capacity,
                                  struct mnist_error *error);

/// Gets the shape of one sample's target. Returns its rank, 1 to 3; 0 for a dataset without targets (one with labels,
/// for example) and for NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0 `dims`
/// may be NULL.
size_t mnist_dataset_target_shape(const struct mnist_dataset *dataset,
                                  size_t *dims,
                                  size_t capacity);

/// Copies all targets, `[N, ...]` in the samples' order, to `targets`, which has room for `capacity` floats.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len times the product of mnist_dataset_target_shape's
/// sizes, and for a dataset without targets.
mnist_status mnist_dataset_targets(const struct mnist_dataset *dataset,
                                   float *targets,
                                   size_t capacity,
                                   struct mnist_error *error);

/// Copies the sample weights (how much each sample counts in the loss), in the samples' order, to `weights`, which has
/// room for `capacity` floats. They are all 1 for a dataset without weights.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len.
mnist_status mnist_dataset_weights(const struct mnist_dataset *dataset,
                                   float *weights,
                                   size_t capacity,
                                   struct mnist_error *error);

/// Copies sample `i`, counted from 0, to `pixels` as `[H, W, C]` floats with its scaling (mnist_dataset_normalize and
/// its like) applied; `pixels` has room for `capacity` floats. `*label` receives its label; `label` may be NULL.
///
/// Errors: INVALID_ARGUMENT if there is no sample `i`, for a `capacity` below H * W * C, and for a `label` that is not
/// NULL if the dataset has no labels.
mnist_status mnist_dataset_image(const struct mnist_dataset *dataset,
                                 size_t i,
                                 float *pixels,
                                 size_t capacity,
                                 uint32_t *label,
                                 struct mnist_error *error);

/// @}

/// @defgroup image Pictures
/// A picture converted to the form of MNIST's images.
/// @{

/// Converts a picture of a digit to the form of MNIST's images: 28 x 28 pixels, a light digit on a background of 0.
///
/// - `grey`: `[height, width]` bytes, row-major; each side is 1 to 16384.
/// - `divisor`: each result is a whole number from 0 to 255, divided by `divisor` in single precision. 255 gives the
///   input of mnist_model_predict for a model trained on data divided by 255 (mnist_dataset_normalize).
/// - `pixels`: receives `[28, 28]` floats and has room for `capacity` floats, 784 or more.
///
/// The picture should show one digit on an evenly lit background that surrounds it. The background level is the median
/// of the picture's border. Pixels that are lighter than the background, or those that are darker, whichever are more,
/// are the ink; its contrast is stretched to the full range. Small specks are removed. The ink's bounding box is scaled
/// to 20 x 20 pixels with its aspect ratio kept, and placed into 28 x 28 pixels with its centre of mass in the middle,
/// as MNIST was made. The result has the same bits on every machine. It uses at most about two megabytes of memory,
/// whatever the picture's size.
///
/// Errors: INVALID_ARGUMENT for a size out of range, a divisor of 0, NaN or infinity, a `capacity` below 784, and a
/// picture without a digit: the ink must differ from the background by 8 levels or more, and by four standard
/// deviations of the border's noise; OUT_OF_MEMORY.
mnist_status mnist_image_prepare(const uint8_t *grey,
                                 size_t height,
                                 size_t width,
                                 float divisor,
                                 float *pixels,
                                 size_t capacity,
                                 struct mnist_error *error);

/// @}

/// @defgroup graph Graphs and layers
/// `mnist_graph` and `mnist_tensor`: the functional API.
/// @{

/// No activation.
#define MNIST_ACTIVATION_LINEAR 0

/// max(0, x).
#define MNIST_ACTIVATION_RELU 1

/// Softmax over the last axis: probabilities of the units of a dense layer.
#define MNIST_ACTIVATION_SOFTMAX 2

/// 1 / (1 + exp(-x)).
#define MNIST_ACTIVATION_SIGMOID 3

/// The hyperbolic tangent.
#define MNIST_ACTIVATION_TANH 4

/// x above 0, exp(x) - 1 below.
#define MNIST_ACTIVATION_ELU 5

/// x times the cumulative distribution function of the normal distribution at x.
#define MNIST_ACTIVATION_GELU 6

/// x / (1 + exp(-x)), also called SiLU.
#define MNIST_ACTIVATION_SWISH 7

/// A network under construction.
typedef struct mnist_graph mnist_graph;

/// The output of a layer. It belongs to its graph and lives as long as the graph.
typedef struct mnist_tensor mnist_tensor;

/// An activation, one of the constants MNIST_ACTIVATION_...
typedef uint32_t mnist_activation;

/// Creates an empty graph; free it with mnist_graph_free. Returns NULL only when memory has run out.
struct mnist_graph *mnist_graph_new(void);

/// Frees a graph and its tensors. NULL is allowed. Models made from it stay valid.
void mnist_graph_free(struct mnist_graph *graph);

/// Sets the seed for the initial weights of models made later; the default is 0. NULL does nothing.
void mnist_graph_set_seed(struct mnist_graph *graph, uint64_t seed);

/// Returns the first error of a layer function of this graph, with its message; MNIST_OK if there was none.
/// mnist_model_new reports it too.
mnist_status mnist_graph_check(const struct mnist_graph *graph, struct mnist_error *error);

/// Adds an input of images `[height, width, channels]`, each size 1 or more. Returns NULL on failure and for a NULL
/// graph.
struct mnist_tensor *mnist_input(struct mnist_graph *graph,
                                 size_t height,
                                 size_t width,
                                 size_t channels);

/// Adds an input of any shape: `dims` holds its `rank` sizes, 1 to 3, without the batch: `[features]`, `[steps,
/// channels]` or `[height, width, channels]`. Returns NULL on failure and for a NULL graph.
struct mnist_tensor *mnist_input_shape(struct mnist_graph *graph,
                                       const size_t *dims,
                                       size_t rank);

/// Adds a Conv2D layer with `filters` kernels of `kernel_size` x `kernel_size`, stride 1, no padding ("valid") and a
/// bias: `[H, W, C]` to `[H - kernel_size + 1, W - kernel_size + 1, filters]`. Kernels are initialized Glorot uniform,
/// biases 0. Returns NULL on failure (a kernel larger than its input, a size of 0) and for a NULL tensor.
struct mnist_tensor *mnist_conv2d(struct mnist_tensor *x,
                                  size_t filters,
                                  size_t kernel_size,
                                  mnist_activation activation);

/// Adds a Flatten layer: `[H, W, C]` to `[H * W * C]`. Returns NULL on failure and for a NULL tensor.
struct mnist_tensor *mnist_flatten(struct mnist_tensor *x);

/// Adds a Dense layer with a bias: `[..., inputs]` to `[..., units]`. The kernel is initialized Glorot uniform, the
/// bias 0. Returns NULL on failure (a size of 0) and for a NULL tensor.
struct mnist_tensor *mnist_dense(struct mnist_tensor *x,
                                 size_t units,
                                 mnist_activation activation);

/// Adds a MaxPooling2D layer, the maximum of each `pool_size` x `pool_size` window, with strides of `pool_size` and no
/// padding: `[H, W, C]` to `[H / pool_size, W / pool_size, C]`, rounded down. Returns NULL on failure (a window larger
/// than its input, a size of 0) and for a NULL tensor.
struct mnist_tensor *mnist_max_pooling2d(struct mnist_tensor *x,
                                         size_t pool_size);

/// Adds an AveragePooling2D layer, the mean of each window. Everything else is as in mnist_max_pooling2d.
struct mnist_tensor *mnist_average_pooling2d(struct mnist_tensor *x, size_t pool_size);

/// Adds a GlobalAveragePooling2D layer, the mean over height and width: `[H, W, C]` to `[C]`. Returns NULL on failure
/// and for a NULL tensor.
struct mnist_tensor *mnist_global_average_pooling2d(struct mnist_tensor *x);

/// Adds a Dropout layer. In training each value becomes 0 with probability `rate` (from 0 to below 1), and is divided
/// by `1 - rate` otherwise; in prediction nothing changes. Which values are dropped depends only on the fit's seed, the
/// step, the sample and the layer, not on threads. Returns NULL on failure and for a NULL tensor.
struct mnist_tensor *mnist_dropout(struct mnist_tensor *x,
                                   double rate);

/// Adds a BatchNormalization layer over the last axis with Keras's defaults: momentum 0.99, epsilon 0.001, gamma and
/// beta. Training uses the batch's mean and variance, prediction the moving ones. Returns NULL on failure and for a
/// NULL tensor.
struct mnist_tensor *mnist_batch_normalization(struct mnist_tensor *x);

/// Adds an Activation layer: `activation` applied to a tensor of any shape; softmax is over the last axis. Returns NULL
/// on failure and for a NULL tensor.
struct mnist_tensor *mnist_activate(struct mnist_tensor *x,
                                    mnist_activation activation);

/// Adds an Add layer: the sum of two tensors of the same shape. Returns NULL on failure and for a NULL tensor.
struct mnist_tensor *mnist_add(struct mnist_tensor *a,
                               struct mnist_tensor *b);

/// Adds a Concatenate layer: joins two tensors along the last axis; their other sizes must be equal. Returns NULL on
/// failure and for a NULL tensor.
struct mnist_tensor *mnist_concatenate(struct mnist_tensor *a,
                                       struct mnist_tensor *b);

/// Adds any layer with one input tensor, by Keras's class name and config:
///
/// ```c
/// mnist_layer(x, "Conv2D", "{filters: 32, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}")
/// ```
///
/// `config` is JSON5: keys need no quotes, strings may have single quotes. The output of Keras's get_config() is valid
/// as it is. Missing keys have Keras's defaults; `name` and `trainable` are keys too. NULL means `{}`.
///
/// Classes: Activation, AveragePooling1D, AveragePooling2D, BatchNormalization, Conv1D, Conv2D, Conv2DTranspose,
/// Cropping2D, Dense, DepthwiseConv2D, Dropout, ELU, Flatten, GaussianNoise, GlobalAveragePooling1D,
/// GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, LayerNormalization, LeakyReLU,
/// MaxPooling1D, MaxPooling2D, Normalization, PReLU, Permute, RandomBrightness, RandomContrast, RandomElasticTransform,
/// RandomErasing, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, ReLU, Rescaling, Reshape, SeparableConv2D,
/// Softmax, SpatialDropout2D, UpSampling2D, ZeroPadding2D.
///
/// The classes whose names begin with Random are data augmentation: `mnist_layer(x, "RandomRotation", "{factor:
/// 0.05}")`. They change each image at random in training and do nothing in prediction. The change depends only on the
/// seed, the layer, the epoch and the sample's index in the dataset.
///
/// Returns NULL for a NULL tensor and on failure; mnist_graph_check and mnist_model_new then report the error:
/// INVALID_ARGUMENT for a wrong value (the message names its key) or for text that is not JSON5 (the message names line
/// and column); UNSUPPORTED for an unknown class or key (the message names the most similar known one), and for a value
/// that this library does not support; SHAPE for an input that does not fit.
struct mnist_tensor *mnist_layer(struct mnist_tensor *x,
                                 const char *class_name,
                                 const char *config);

/// Adds any layer with several input tensors, by Keras's class name and config: Add, Average, Concatenate, Maximum,
/// Minimum, Multiply or Subtract (which takes two). `inputs` holds `count` tensors of one graph, 2 or more. Returns
/// NULL if one of them is NULL; everything else is as in mnist_layer.
struct mnist_tensor *mnist_merge(struct mnist_tensor *const *inputs,
                                 size_t count,
                                 const char *class_name,
                                 const char *config);

/// Gets the shape of a tensor, without the batch. Returns the rank; 0 for NULL. Writes as many sizes to `dims` as
/// `capacity` has room for; with a `capacity` of 0 `dims` may be NULL.
size_t mnist_tensor_shape(const struct mnist_tensor *tensor,
                          size_t *dims,
                          size_t capacity);

/// Creates a graph from a network as Keras writes it: the text of `model.to_json()` of a Functional or Sequential model
/// with one input and one output. (JSON5 is accepted too.) On success `*graph` is a new graph; free it with
/// mnist_graph_free. `*input` and `*output` belong to it: pass them to mnist_model_new. Limits: 10,000 layers, 16 MiB
/// of text, 64 levels of nested objects and lists.
///
/// Errors: FORMAT for text that does not describe such a network, with line and column, or the key; UNSUPPORTED for a
/// class or a setting that this library does not have; INVALID_ARGUMENT for an invalid layer name; SHAPE for layers
/// that do not fit each other; OUT_OF_MEMORY.
mnist_status mnist_graph_from_json(const char *json,
                                   struct mnist_graph **graph,
                                   struct mnist_tensor **input,
                                   struct mnist_tensor **output,
                                   struct mnist_error *error);

/// @}

/// @defgroup model Models
/// Where text goes: to the caller's function, or to C's own `stdout`.
/// `mnist_model`.
/// A model's layers: their names, shapes and outputs, freezing, and copying weights from another model.
/// @{

/// Adam (Kingma and Ba 2015) with Keras's formula.
#define MNIST_OPTIMIZER_ADAM 1

/// Stochastic gradient descent without momentum; learning rate 0.01.
#define MNIST_OPTIMIZER_SGD 2

/// RMSprop (Tieleman and Hinton 2012); rho 0.9.
#define MNIST_OPTIMIZER_RMSPROP 3

/// AdamW (Loshchilov and Hutter 2019); weight decay 0.004.
#define MNIST_OPTIMIZER_ADAMW 4

/// Crossentropy of labels, the mean of -log(probability of the label), for a model that ends in softmax.
#define MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY 1

/// The same for a model that ends in a linear layer and gives logits.
#define MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS 2

/// Crossentropy of targets `[N, classes]`, one probability per class.
#define MNIST_LOSS_CATEGORICAL_CROSSENTROPY 3

/// Crossentropy of each output on its own, with targets from 0 to 1, for a model that ends in sigmoid.
#define MNIST_LOSS_BINARY_CROSSENTROPY 4

/// The mean of the squared errors.
#define MNIST_LOSS_MEAN_SQUARED_ERROR 5

/// The mean of the absolute errors.
#define MNIST_LOSS_MEAN_ABSOLUTE_ERROR 6

/// The fraction of samples whose most probable class is their label.
#define MNIST_METRIC_ACCURACY 1

/// A network with its weights and its training state.
typedef struct mnist_model mnist_model;

/// Receives a piece of text: `len` bytes of UTF-8, also NUL-terminated, valid during the call. `user_data` is the
/// pointer that was given with the function.
typedef void (*mnist_write_fn)(void *user_data, const char *text, size_t len);

/// Options of mnist_model_compile; fill them in with mnist_compile_options_init.
typedef struct mnist_compile_options {
    /// sizeof this struct.
    size_t struct_size;
    /// The optimizer, one of the constants MNIST_OPTIMIZER_..., with Keras's defaults for its other settings. Default:
    /// MNIST_OPTIMIZER_ADAM.
    uint32_t optimizer;
    /// The learning rate, 0 or more. The value 0.001 means the optimizer's own default, which is 0.01 for
    /// MNIST_OPTIMIZER_SGD. Default: 0.001.
    double learning_rate;
    /// Adam and AdamW: the decay of the first moment (the gradients' mean), from 0 to below 1. Default: 0.9.
    double beta_1;
    /// Adam and AdamW: the decay of the second moment (the gradients' mean square), from 0 to below 1. Default: 0.999.
    double beta_2;
    /// Adam, AdamW and RMSprop: added to the denominator of a step, above 0. Default: 1e-7.
    double epsilon;
    /// The loss, one of the constants MNIST_LOSS_.... Default: MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY.
    uint32_t loss;
    /// The metrics, a sum of constants MNIST_METRIC_.... Default: MNIST_METRIC_ACCURACY.
    uint32_t metrics;
    /// The optimizer as Keras serializes it, in JSON5: "{class_name: 'SGD', config: {learning_rate: 0.1, momentum: 0.9,
    /// nesterov: true}}", or a class name alone, "'RMSprop'". It replaces `optimizer` and its settings. Classes:
    /// Adadelta, Adagrad, Adam, Adamax, AdamW, Ftrl, Lion, Nadam, RMSprop, SGD, with all of Keras's keys except
    /// loss_scale_factor. learning_rate may be a schedule: CosineDecay, CosineDecayRestarts, ExponentialDecay,
    /// InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay (docs/optimizers.md). NULL: `optimizer` and its
    /// settings. Default: NULL.
    const char *optimizer_config;
    /// The loss in the same form: "'mse'", or "{class_name: 'BinaryCrossentropy', config: {label_smoothing: 0.1}}".
    /// Classes: SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy, BinaryFocalCrossentropy,
    /// CategoricalFocalCrossentropy, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    /// MeanSquaredLogarithmicError, LogCosh, Poisson, KLDivergence, Hinge, SquaredHinge, Huber, CategoricalHinge,
    /// CosineSimilarity, and Keras's short names for them. The first takes labels; the others take targets of the shape
    /// of the model's output, and labels if the output is one number. NULL: `loss`. Default: NULL.
    const char *loss_config;
    /// The metrics in the same form: "['accuracy', {class_name: 'AUC', config: {curve: 'PR'}}]" or "[]". Classes: every
    /// loss, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy ("accuracy" selects the one that fits),
    /// SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy, Precision, Recall, TruePositives, FalsePositives,
    /// TrueNegatives, FalseNegatives, F1Score, FBetaScore, AUC, RootMeanSquaredError, R2Score. A metric's name in the
    /// history is the `name` in its config, or the short name you gave, or its class in snake_case: "auc". NULL:
    /// `metrics`. Default: NULL.
    const char *metrics_config;
} mnist_compile_options;

/// Creates a model of the layers from `input`, a tensor of mnist_input or mnist_input_shape, to `output`. Its weights
/// are initialized with the graph's seed. `name` appears in the summary; NULL means "model". On success `*out` is a new
/// model; free it with mnist_model_free. The graph is not needed any more.
///
/// Errors: the first error of a layer function of the graph; INVALID_ARGUMENT for tensors that are not connected;
/// OUT_OF_MEMORY. The environment variable MNIST_ISA ("avx512", "avx2" or "portable"; empty means unset) forces the
/// instruction set that the model computes with: INVALID_ARGUMENT for another word, UNSUPPORTED if the machine does not
/// have it. (All instruction sets give the same results.)
mnist_status mnist_model_new(const struct mnist_tensor *input,
                             const struct mnist_tensor *output,
                             const char *name,
                             struct mnist_model **out,
                             struct mnist_error *error);

/// Frees a model after its threads have ended. NULL is allowed. No other call may use the model at the same time. In a
/// child process that was forked after the model was made it does not wait, and the memory is not released.
void mnist_model_free(struct mnist_model *model);

/// Writes Keras's summary table: layers, output shapes and numbers of parameters. The text goes to `write`, which
/// receives `user_data`; a NULL `write` means stdout.
///
/// Errors: IO if stdout is wide-oriented (fwide) and takes no bytes.
mnist_status mnist_model_summary(const struct mnist_model *model,
                                 mnist_write_fn write,
                                 void *user_data,
                                 struct mnist_error *error);

/// Returns the number of parameters of the model, including those that training does not change; 0 for NULL.
size_t mnist_model_count_params(const struct mnist_model *model);

/// Gets the shape of a sample that the model takes, without the batch, for example `[height, width, channels]`. Returns
/// the rank, 1 to 3; 0 for NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0
/// `dims` may be NULL.
size_t mnist_model_input_shape(const struct mnist_model *model,
                               size_t *dims,
                               size_t capacity);

/// Returns the number of floats that the model gives for a sample, which is the number of classes of a classifier; 0
/// for NULL.
size_t mnist_model_output_len(const struct mnist_model *model);

/// Sets the number of threads that this model computes with, 1 to 1024; 0, the default, means all cores that the
/// process may run on. The results do not depend on it.
///
/// Errors: INVALID_ARGUMENT; BUSY; OUT_OF_MEMORY if the threads cannot be started.
mnist_status mnist_model_set_threads(struct mnist_model *model,
                                     size_t threads,
                                     struct mnist_error *error);

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
void mnist_compile_options_init(struct mnist_compile_options *options,
                                size_t struct_size);

/// Sets the optimizer, the loss and the metrics for mnist_model_fit. NULL options mean the defaults: Adam, sparse
/// categorical crossentropy, accuracy. The optimizer state of earlier fits is discarded; the weights are kept.
///
/// Errors: INVALID_ARGUMENT for an option out of range, for a config that is not JSON5 or has a wrong value (the
/// message names its key), and for a loss that does not fit the last layer's activation; UNSUPPORTED for an unknown
/// class or key in a config; SHAPE or UNSUPPORTED if the model's output is not a row of classes; BUSY.
mnist_status mnist_model_compile(struct mnist_model *model,
                                 const struct mnist_compile_options *options,
                                 struct mnist_error *error);

/// Returns the number of layers, including the input; 0 for NULL.
size_t mnist_model_layers_len(const struct mnist_model *model);

/// Returns the name of layer `i`, for example "conv2d_1". Layer 0 is the input; the order is Keras's. Returns NULL if
/// there is no layer `i`, and for NULL. The string lives as long as the model.
const char *mnist_model_layer_name(const struct mnist_model *model,
                                   size_t i);

/// Returns Keras's class name of layer `i`, for example "Conv2D". Everything else is as in mnist_model_layer_name.
const char *mnist_model_layer_class(const struct mnist_model *model,
                                    size_t i);

/// Gets the output shape of the layer `layer`, without the batch: its number of dimensions in `*rank`, its sizes in
/// `dims`, which has room for `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is
/// written. For a layer that is called more than once, the first call counts.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
mnist_status mnist_model_layer_shape(const struct mnist_model *model,
                                     const char *layer,
                                     size_t *dims,
                                     size_t capacity,
                                     size_t *rank,
                                     struct mnist_error *error);

/// Freezes (0) or unfreezes (any other value) the layer `layer`, or all layers if `layer` is NULL. It takes effect with
/// the next fit and is saved with the model. A frozen BatchNormalization uses its moving statistics in training too and
/// does not update them, as in Keras. No gradients are computed below the lowest layer that is not frozen. The position
/// of an earlier fit is discarded.
///
/// Errors: NOT_FOUND; BUSY.
mnist_status mnist_model_set_trainable(struct mnist_model *model,
                                       const char *layer,
                                       int32_t trainable,
                                       struct mnist_error *error);

/// Computes the output of the layer `layer`, its activation applied, for `count` samples. `images` holds `[count, ...]`
/// floats of the model's input shape; `values` receives `[count, ...]` floats of the layer's shape
/// (mnist_model_layer_shape) and has room for `capacity` floats. For a layer that is called more than once, the first
/// call counts. All samples are computed with one snapshot of the weights. Memory is allocated on each call. A count of
/// 0 does nothing; the arrays may be NULL then.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
mnist_status mnist_model_predict_layer(const struct mnist_model *model,
                                       const char *layer,
                                       const float *images,
                                       size_t count,
                                       float *values,
                                       size_t capacity,
                                       struct mnist_error *error);

/// Copies to `to` those weights of `from` that have the same name and shape, and writes their number to `*copied`,
/// which may be NULL. Use it for transfer learning: a new last layer on trained ones. The optimizer state of `to` is
/// kept; the position of an earlier fit is discarded.
///
/// Errors: BUSY; OUT_OF_MEMORY.
mnist_status mnist_model_copy_weights(struct mnist_model *to,
                                      const struct mnist_model *from,
                                      size_t *copied,
                                      struct mnist_error *error);

/// Writes the network as Keras's `to_json()` does: the layers' settings, names and connections. The text goes to
/// `write`, which receives `user_data`; a NULL `write` means stdout. mnist_graph_from_json and Keras's model_from_json
/// read it.
///
/// Errors: IO if stdout is wide-oriented (fwide) and takes no bytes.
mnist_status mnist_model_config(const struct mnist_model *model,
                                mnist_write_fn write,
                                void *user_data,
                                struct mnist_error *error);

/// Gets the learning rate of the next step; with a schedule, the schedule's value for it.
///
/// Errors: STATE before mnist_model_compile.
mnist_status mnist_model_get_learning_rate(const struct mnist_model *model,
                                           double *learning_rate,
                                           struct mnist_error *error);

/// Sets the learning rate, 0 or more, from the next step on; also during a fit, from its callback or from another
/// thread. It is saved with the model. mnist_model_compile restores the optimizer's own learning rate.
///
/// Errors: INVALID_ARGUMENT; STATE before mnist_model_compile, and for an optimizer with a schedule, as in Keras.
mnist_status mnist_model_set_learning_rate(struct mnist_model *model,
                                           double learning_rate,
                                           struct mnist_error *error);

/// @}

/// @defgroup fit Fit
/// `mnist_communicator`: the host's functions that exchange bytes between the ranks of a fit.
/// Fit, its options and its callbacks.
/// `mnist_history`.
/// @{

/// The metrics of a fit's epochs. It never changes, so any number of threads may read it.
typedef struct mnist_history mnist_history;

/// All metrics of a progress, for mnist_progress_get.
typedef struct mnist_progress_metrics mnist_progress_metrics;

/// Sends `bytes` bytes at `send` to all ranks, and writes what each rank sends to `receive`, one rank after the other, this one
/// included. `counts` has `size` numbers, the bytes of each rank; some may be 0. `send` and `receive` do not overlap.
///
/// Returns 0 on success. Any other value ends the fit with MNIST_ERROR_NETWORK: 1 plus the number of a rank that does not
/// answer, or a negative number if that is unknown. The function must stop waiting for a lost rank by itself; the library has
/// no time limit.
typedef int32_t (*mnist_allgather_fn)(void *user,
                                      const void *send,
                                      size_t bytes,
                                      void *receive,
                                      const size_t *counts);

/// Sends `bytes` bytes at `data` of rank `root` to all other ranks, which write them to their `data`. Returns what
/// mnist_allgather_fn returns.
typedef int32_t (*mnist_broadcast_fn)(void *user, void *data, size_t bytes, int32_t root);

/// Exchanges bytes between the ranks of a fit: processes, on one or several machines, that call mnist_model_fit with the same
/// model, data and options. Initialize it with mnist_communicator_init. mnist_mpi.h provides one for MPI.
///
/// Its functions are called on the thread that called mnist_model_fit, one at a time, in the same order on all ranks, and with
/// the same `counts` or `root`. They must not do what an mnist_callback must not do.
typedef struct mnist_communicator {
    /// sizeof this struct.
    size_t struct_size;
    /// Passed to the functions. Default: NULL.
    void *user;
    /// The number of this rank, from 0. Default: 0.
    int32_t rank;
    /// The number of ranks, 1 to 65536. Default: 1.
    int32_t size;
    /// Sends each rank's bytes to all. Required.
    mnist_allgather_fn allgather;
    /// Sends one rank's bytes to all others. Required.
    mnist_broadcast_fn broadcast;
} mnist_communicator;

/// The progress of a fit, passed to callbacks.
typedef struct mnist_progress {
    /// The epoch, from 0.
    size_t epoch;
    /// The end epoch (exclusive).
    size_t epochs;
    /// The batch that just ended, from 0; 0 at the beginning of an epoch.
    size_t batch;
    /// The number of batches in an epoch.
    size_t batches;
    /// The mean loss over the epoch's samples so far; NaN at the beginning of an epoch.
    double loss;
    /// The fraction of the epoch's samples so far that were classified correctly, 0 to 1; NaN at the beginning of an
    /// epoch, and if accuracy was not compiled.
    double accuracy;
    /// The loss on the validation data; NaN unless the epoch has ended and there are validation data.
    double val_loss;
    /// The accuracy on the validation data; NaN in the same cases.
    double val_accuracy;
    /// Seconds since the epoch began.
    double seconds;
    /// All metrics, for mnist_progress_get; valid during the callback.
    const struct mnist_progress_metrics *metrics;
} mnist_progress;

/// Called during a fit, on the thread that called the fit, between two steps. A non-zero return value stops the fit. It
/// may call any function that takes a const model, such as predict and save. `progress` is valid during the call;
/// `user_data` is the pointer from the options. The callback must return: longjmp, C++ exceptions and pthread_exit must
/// not pass through the library. The thread cannot be cancelled during the call.
typedef int32_t (*mnist_callback)(void *user_data, const struct mnist_progress *progress);

/// Options of mnist_model_fit; fill them in with mnist_fit_options_init.
typedef struct mnist_fit_options {
    /// sizeof this struct.
    size_t struct_size;
    /// Samples in a step, 1 or more; the last batch of an epoch may be smaller. Default: 32.
    size_t batch_size;
    /// The end epoch (exclusive), 1 or more. Default: 1.
    size_t epochs;
    /// The first epoch, from 0, to continue an earlier fit; if it is not below `epochs`, the fit does nothing. Default:
    /// 0.
    size_t initial_epoch;
    /// Not 0: every epoch takes the samples in a new random order. Default: 1.
    int32_t shuffle;
    /// 0: no output. 1: Keras's progress line. 2: one line per epoch. Default: 1.
    int32_t verbose;
    /// The seed for shuffling, and for dropout, noise and augmentation. Default: 0.
    uint64_t seed;
    /// The fraction of the data, taken from their end, that is used for validation, from 0 to below 1. Default: 0.
    double validation_split;
    /// Data to validate with after each epoch; NULL: none. It takes precedence over `validation_split`. Default: NULL.
    const struct mnist_dataset *validation_data;
    /// Receives the progress text; NULL: stdout. On stdout the line is redrawn only on a terminal (with TERM other than
    /// "dumb") and kept within its width. Default: NULL.
    mnist_write_fn write;
    /// Passed to `write`. Default: NULL.
    void *write_data;
    /// Called after each step; NULL: nothing. Default: NULL.
    mnist_callback on_batch_end;
    /// Called before the first step of an epoch; NULL: nothing. Default: NULL.
    mnist_callback on_epoch_begin;
    /// Called after an epoch and its validation; NULL: nothing. Default: NULL.
    mnist_callback on_epoch_end;
    /// Passed to the callbacks. Default: NULL.
    void *user_data;
    /// A file for the fit's state, in the format of mnist_model_save; NULL: none. It is written at each of the
    /// intervals below that is not 0, and when the fit ends or is stopped. A relative path is resolved when the fit
    /// begins. Default: NULL.
    const char *checkpoint_path;
    /// Write a checkpoint after this many batches, counted from the fit's first one; 0: no such interval. Default: 0.
    size_t checkpoint_batches;
    /// Write a checkpoint after this many epochs, counted from the fit's first one; 0: no such interval. Default: 0.
    size_t checkpoint_epochs;
    /// Write a checkpoint after a batch or an epoch when this many seconds have passed since the last one; 0: no such
    /// interval. Default: 0.
    double checkpoint_seconds;
    /// Not 0: resume from the file at `checkpoint_path`; if there is no such file, the fit begins as usual. Default: 0.
    int32_t resume;
    /// Not 0: stop the fit at a loss or a weight that is NaN or infinite, and restore the last good weights. 0:
    /// continue, as Keras does, with weights that are useless from then on. Default: 1.
    int32_t terminate_on_nan;
    /// Callbacks as Keras serializes them, in JSON5: "[{class_name: 'EarlyStopping', config: {patience: 3,
    /// restore_best_weights: true}}]". Classes: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, CSVLogger,
    /// TensorBoard, TerminateOnNaN. NULL: none. Default: NULL.
    const char *callbacks_config;
    /// How much a sample of each class counts in the loss: finite values, 0 or more. NULL: all classes count the same.
    /// It cannot be combined with a dataset's sample weights, and does not affect validation. Default: NULL.
    const float *class_weight;
    /// The number of values in `class_weight`: one per class. Default: 0.
    size_t class_weight_len;
    /// Validate after every this many epochs, 1 or more. Default: 1.
    size_t validation_freq;
    /// Steps in an epoch; the next epoch continues with the samples where this one stopped. 0: as many as one pass over
    /// the samples takes. Default: 0.
    size_t steps_per_epoch;
    /// How many batches of an mnist_source are requested ahead, on a thread of the library. 0: none; the fit's thread
    /// requests each batch when it needs it. Default: 0.
    size_t prefetch;
    /// Connects the processes that train together, see mnist_model_fit. NULL: this process trains alone. Default: NULL.
    const struct mnist_communicator *communicator;
} mnist_fit_options;

/// Loss and accuracy.
typedef struct mnist_metrics {
    /// The mean loss over the samples.
    double loss;
    /// The fraction of samples whose most probable class is their label, 0 to 1; NaN if it is not measured.
    double accuracy;
} mnist_metrics;

/// Fills `*communicator` with the defaults; set `rank`, `size` and the functions afterwards. Pass sizeof the struct as
/// `struct_size`: exactly that many bytes are written; bytes after the fields that this library knows become zero. NULL does
/// nothing.
void mnist_communicator_init(struct mnist_communicator *communicator,
                             size_t struct_size);

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
void mnist_fit_options_init(struct mnist_fit_options *options,
                            size_t struct_size);

/// Trains a compiled model on a dataset. The samples have the model's input shape `[H, W, C]` (`[H, W]` is accepted for
/// one channel). The fit continues from the current weights and optimizer state. NULL options mean the defaults: one
/// epoch of batches of 32, shuffled, with a progress line on stdout. Unless `out` is NULL, `*out` becomes a new
/// history; free it with mnist_history_free.
///
/// The same data, seeds and options give the same weights to the last bit, with any number of threads and any
/// instruction set.
///
/// **MNIST_CANCELLED**: a callback or mnist_model_cancel stopped the fit. The model is usable, `*out` is written, and
/// the message says which and where: `epoch 2: after step 40 of 469: the fit was stopped by on_batch_end`. If a callback
/// in callbacks_config ends the fit (early stopping, for example), the result is MNIST_OK, and mnist_history_stop_reason
/// gives the reason.
///
/// **MNIST_DIVERGED**: a loss or a weight became NaN or infinite, because the learning rate is too large, for example.
/// The model is usable, and `*out` holds the steps that were taken. The message names epoch, step and layer: `epoch 1:
/// step 4: layer dense: output: expected a finite number, found NaN`. With terminate_on_nan this step is not taken, and
/// the model gets its last good weights back: those of at most 128 steps before, which gave a finite loss. The
/// optimizer state is discarded then. If already the first step meets NaN or infinity, in the weights or the images,
/// the model does not change. Without terminate_on_nan the fit continues to its end. No checkpoint is written after the
/// divergence.
///
/// An optimizer that averages the weights (use_ema) replaces the weights by their averages when the fit ends or is
/// stopped, as in Keras. Validation and checkpoints during the fit use the weights without averaging. After the fit the
/// model has no position to resume from, because that belongs to the weights before averaging.
///
/// **Checkpoints**: with a checkpoint_path the fit writes its state to a file: network, weights, optimizer state, epoch
/// and batch, and the metrics so far, all of the same step. A process that is killed at any moment leaves the previous
/// file or the next one, complete. A fit that resumes from it ends with the same weights to the last bit and the same
/// history as an uninterrupted one. Callbacks are called from the point where it continues (on_epoch_begin also in the
/// middle of an epoch, with the metrics up to there). `epochs` may differ. Everything else must match: the network, the
/// compile options, the number of samples (some of them are compared), batch size, shuffling, seed, initial epoch and
/// validation. Otherwise the call fails and the model does not change.
///
/// All arguments are checked before the first step.
///
/// Errors: STATE before mnist_model_compile; SHAPE for samples of another shape; INVALID_ARGUMENT for a label that is
/// not below the number of classes, for a pixel that is NaN or infinite or becomes so by mnist_dataset_normalize (the
/// message names it), and for an option out of range; BUSY; IO if the output goes to a stdout that is wide-oriented
/// (fwide); OUT_OF_MEMORY for a batch that does not fit into memory (the message lists what needs how much, and names a
/// batch size that would fit). OUT_OF_MEMORY may also come during the training: the model keeps the trained weights.
///
/// Errors of checkpoints: those of mnist_model_load; SHAPE for a checkpoint of another network; INVALID_ARGUMENT for
/// another difference, with the key in the file, the expected and the found value. A path that cannot be written is
/// reported before the first step (see FILES at the top: the folder does not exist or is not writable, the file is
/// read-only, is not a regular file, is a mount point, or belongs to another user in a sticky folder). IO if a
/// checkpoint cannot be written later: the fit stops and the previous file stays; the model keeps the trained weights
/// and can be saved elsewhere.
///
/// With a communicator several processes, its ranks, train together: each calls this function with the same model, data
/// and options, computes its share of every step, and gets the weights, moments and history that one process would
/// get, to the last bit. Only `verbose`, `write`, the callback functions and the threads may differ; everything else is
/// compared before the first step. A rank that stops stops all of them after the same step. Rank 0 writes the
/// checkpoints and the files of callbacks_config; to resume, on any number of ranks, only rank 0 needs the checkpoint.
/// Within an epoch each rank may have only a part of a large Dense layer's weights: calls that read the model's weights
/// then are MNIST_ERROR_STATE, also in on_batch_end; in on_epoch_begin, in on_epoch_end and after the fit the model is
/// complete. Errors: NETWORK if the ranks differ (the message names rank, key, expected and found value), if another
/// rank failed, or if the communicator failed; the model then has its weights from between two steps or, if these are
/// lost, the last good weights, those of at most 128 steps before, and the optimizer starts again. UNSUPPORTED in a
/// library without threads.
mnist_status mnist_model_fit(struct mnist_model *model,
                             const struct mnist_dataset *dataset,
                             const struct mnist_fit_options *options,
                             struct mnist_history **out,
                             struct mnist_error *error);

/// Takes one optimizer step on the whole dataset as one batch. `*out` receives its loss and accuracy, measured before
/// the step. It continues from the current weights and optimizer state; the position of an earlier fit is discarded.
/// Dropout and other random operations depend on the number of the step. The memory for the step is kept for the next
/// one until the model is fitted, compiled or freed.
///
/// Returns MNIST_DIVERGED if the loss is NaN or infinite: then neither `*out` nor the model changes, and the message
/// says which layer it comes from.
///
/// Errors: STATE before mnist_model_compile; SHAPE and INVALID_ARGUMENT as in mnist_model_fit; BUSY; OUT_OF_MEMORY.
mnist_status mnist_model_train_on_batch(struct mnist_model *model,
                                        const struct mnist_dataset *dataset,
                                        struct mnist_metrics *out,
                                        struct mnist_error *error);

/// Gets a metric of a fit's progress during the callback: "loss", "accuracy" or any other compiled metric; after an
/// epoch also "val_loss" and so on. `*value` is NaN for a metric that has not been measured yet.
///
/// If you fill in an mnist_progress yourself, with a NULL `metrics`, the four metrics that are its fields can be read.
///
/// Errors: NOT_FOUND for a metric that the fit does not measure; INVALID_ARGUMENT for a progress whose callback has
/// returned.
mnist_status mnist_progress_get(const struct mnist_progress *progress,
                                const char *metric,
                                double *value,
                                struct mnist_error *error);

/// Asks a running fit to stop after its current step; mnist_model_fit then returns MNIST_CANCELLED. It may be called
/// from any thread, from a callback and from a signal handler. It does nothing if no fit is running. NULL is allowed.
void mnist_model_cancel(const struct mnist_model *model);

/// Returns the number of epochs, including one that was not completed; 0 for NULL.
size_t mnist_history_epochs(const struct mnist_history *history);

/// Gets a metric of an epoch; epochs count from 0, the fit's first one. `metric` is "loss", "accuracy", "val_loss",
/// "val_accuracy" or another name of mnist_history_metric_name.
///
/// Errors: NOT_FOUND for a metric that was not measured, in this epoch (validation_freq) or at all; INVALID_ARGUMENT
/// for an epoch that does not exist.
mnist_status mnist_history_get(const struct mnist_history *history,
                               const char *metric,
                               size_t epoch,
                               double *value,
                               struct mnist_error *error);

/// Returns the number of metrics, including the loss; 0 for NULL.
size_t mnist_history_metrics_len(const struct mnist_history *history);

/// Returns the name of metric `i`, counted from 0: "loss", then the compiled metrics, then the same for the validation
/// data ("val_loss" and so on), then metrics that callbacks add. Returns NULL if there is no metric `i`, and for NULL.
/// The string lives as long as the history.
const char *mnist_history_metric_name(const struct mnist_history *history,
                                      size_t i);

/// Returns the reason why a callback in callbacks_config ended the fit early: "EarlyStopping: ...". Returns NULL if
/// none did, and for NULL. The string lives as long as the history.
const char *mnist_history_stop_reason(const struct mnist_history *history);

/// Frees a history. NULL is allowed.
void mnist_history_free(struct mnist_history *history);

/// @}

/// @defgroup predict Evaluate and predict
/// Evaluate and predict.
/// @{

/// Options of mnist_model_evaluate; fill them in with mnist_evaluate_options_init.
typedef struct mnist_evaluate_options {
    /// sizeof this struct.
    size_t struct_size;
    /// Samples in a step, 1 or more; the result does not depend on it. Default: 32.
    size_t batch_size;
    /// 0: no output. 1: a progress line. 2: one line at the end. Default: 0.
    int32_t verbose;
    /// Receives the output; NULL: stdout. Default: NULL.
    mnist_write_fn write;
    /// Passed to `write`. Default: NULL.
    void *write_data;
    /// Receives the confusion matrix, `[classes, classes]`, row-major, where classes is the length of the model's
    /// output: row = label, column = most probable class (the first of equals). Its sum is the number of samples; its
    /// diagonal divided by that is the accuracy. Written on success only. NULL: not wanted. Default: NULL.
    uint64_t *confusion;
    /// How many values `confusion` has room for: classes * classes or more. Values after the matrix are not changed.
    /// Default: 0.
    size_t confusion_capacity;
    /// Receives all metrics as a new history with one epoch; free it with mnist_history_free. Written on success only.
    /// NULL: not wanted. Default: NULL.
    struct mnist_history **results;
} mnist_evaluate_options;

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
void mnist_evaluate_options_init(struct mnist_evaluate_options *options,
                                 size_t struct_size);

/// Computes the compiled loss and the accuracy of the model on a dataset; the option `results` gives all metrics. The
/// samples have the model's input shape (`[H, W]` is accepted for one channel). All samples are computed with one
/// snapshot of the weights, also during a fit. A dataset's sample weights count in the loss. The accuracy is NaN if the
/// loss takes targets and no accuracy was compiled. A model that is not compiled is evaluated with sparse categorical
/// crossentropy if it ends in softmax or in a linear layer (taken as logits). NULL options mean the defaults.
///
/// Errors: SHAPE for samples of another shape, for labels if the loss takes targets, and for targets that do not have
/// the shape of the model's output; INVALID_ARGUMENT for a label that is not below the number of classes, for a pixel
/// that is NaN or infinite or becomes so by mnist_dataset_normalize, for an option out of range, and for too little
/// room for the confusion matrix; UNSUPPORTED for a model that is not compiled and ends in another layer; IO if the
/// output goes to a stdout that is wide-oriented (fwide); OUT_OF_MEMORY (the message names a batch size that would
/// fit).
mnist_status mnist_model_evaluate(const struct mnist_model *model,
                                  const struct mnist_dataset *dataset,
                                  const struct mnist_evaluate_options *options,
                                  struct mnist_metrics *out,
                                  struct mnist_error *error);

/// Computes the model's output for `count` images. `images` holds `[count, H, W, C]` floats with the scaling that the
/// model was trained with (as mnist_dataset_image gives them); `probabilities` receives `[count, classes]` floats and
/// has room for `capacity` floats. The result for an image depends neither on the other images nor on threads. During a
/// fit all images are computed with one snapshot of the weights, taken between two steps. A count of 0 does nothing;
/// the arrays may be NULL then.
///
/// Errors: INVALID_ARGUMENT when `capacity` is below count * classes; OUT_OF_MEMORY.
mnist_status mnist_model_predict(const struct mnist_model *model,
                                 const float *images,
                                 size_t count,
                                 float *probabilities,
                                 size_t capacity,
                                 struct mnist_error *error);

/// Computes the model's output for all samples of a dataset: `probabilities` receives `[N, classes]` floats and has
/// room for `capacity` floats. Everything else is as in mnist_model_predict.
///
/// Errors: SHAPE for samples of another shape; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
mnist_status mnist_model_predict_dataset(const struct mnist_model *model,
                                         const struct mnist_dataset *dataset,
                                         float *probabilities,
                                         size_t capacity,
                                         struct mnist_error *error);

/// @}

/// @defgroup weights Weights by name
/// Weights by their names, in memory.
/// @{

/// Returns the number of weight arrays; a layer's kernel and its bias are two. Returns 0 for NULL.
size_t mnist_model_weights_len(const struct mnist_model *model);

/// Returns the name of weight array `i`, as in a weights file: "conv2d/kernel". The order is layer by layer, kernel
/// before bias. Returns NULL if there is no array `i`, and for NULL. The string lives as long as the model.
const char *mnist_model_weight_name(const struct mnist_model *model,
                                    size_t i);

/// Gets the shape of the weight array `name`: its number of dimensions in `*rank`, its sizes in `dims`, which has room
/// for `capacity` values. With a `capacity` of 0 `dims` may be NULL, and only `*rank` is written. A convolution's
/// kernel is `[k, k, in, out]`, a dense layer's `[in, out]`, a bias `[out]`.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
mnist_status mnist_model_weight_shape(const struct mnist_model *model,
                                      const char *name,
                                      size_t *dims,
                                      size_t capacity,
                                      size_t *rank,
                                      struct mnist_error *error);

/// Copies the weight array `name` to `values`, row-major, as many floats as the product of its shape; `values` has room
/// for `capacity` floats. During a fit it is a snapshot taken between two steps; two calls may get weights of different
/// steps (mnist_model_save_weights writes all weights of one step).
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small.
mnist_status mnist_model_get_weight(const struct mnist_model *model,
                                    const char *name,
                                    float *values,
                                    size_t capacity,
                                    struct mnist_error *error);

/// Sets the weight array `name` to the `count` floats in `values`, row-major. Values may be NaN or infinite. The
/// optimizer state is kept.
///
/// Errors: NOT_FOUND; SHAPE when `count` is not the product of the array's shape; BUSY.
mnist_status mnist_model_set_weight(struct mnist_model *model,
                                    const char *name,
                                    const float *values,
                                    size_t count,
                                    struct mnist_error *error);

/// @}

/// @defgroup file Files and memory
/// Weights and whole models in files.
/// Models and weights in the caller's memory: the bytes of a file, without the file.
/// @{

/// Writes the weights to the file `path` in the safetensors format, float32: `conv2d/kernel` `[k, k, in, out]`,
/// `dense/kernel` `[in, out]`, `.../bias` `[out]`. All weights are one snapshot, taken between two steps. The file is
/// replaced atomically: a reader of `path` finds the old file or the new one, and after an error the old one (see FILES
/// at the top).
///
/// Errors: IO if the file cannot be written or replaced; NOT_FOUND if the folder does not exist; INVALID_ARGUMENT for a
/// path that does not end in a file name; OUT_OF_MEMORY.
mnist_status mnist_model_save_weights(const struct mnist_model *model,
                                      const char *path,
                                      struct mnist_error *error);

/// Reads weights from a file into the model. The file must have exactly this model's weights; on failure the model does
/// not change. The optimizer state is kept. The format is detected by the content:
///
/// - a safetensors file of mnist_model_save_weights, or of another program with the same names and shapes;
/// - a file of mnist_model_save: only its weights are read;
/// - a Keras file, `.weights.h5`, `.h5` or `.keras`: its layers are matched in Keras's order; their names are ignored;
/// - a safetensors file of a PyTorch state_dict: see below.
///
/// A PyTorch state_dict has tensors with names such as `conv1.weight`, `bn1.running_mean` and `fc.bias`, none of which
/// is the name of a weight of this model. Its types are float32, float16, bfloat16 or float64. Kernels are transposed
/// from `[out, in, k, k]` to `[k, k, in, out]` and from `[out, in]` to `[in, out]`; after a flatten the order C, H, W
/// becomes H, W, C. Module names are not compared with layer names: the tensors of a module, by name and shape, decide
/// which layer it is. Modules with the same tensors are ordered by the numbers in their names, if the names differ in
/// nothing else and the layers follow each other. If more than one assignment remains, the error is UNSUPPORTED; then
/// use mnist_model_load_weights_mapped. The layers must compute what PyTorch's do: the epsilon of its batch
/// normalization is 1e-5 (docs/interop.md lists the differences).
///
/// Memory, whatever the file: a copy of this model's weights (for PyTorch also the largest of them once more), and 64
/// bytes for each byte of the file's header; a header above 16 MiB is rejected.
///
/// Errors, with file and tensor: NOT_FOUND for the file or a missing tensor; SHAPE for a wrong shape or a tensor that
/// the model does not have; UNSUPPORTED for a type other than float32 (for PyTorch: a type that is not a float), a
/// state_dict with several possible assignments, and a format that this build does not include; FORMAT for a file in
/// none of these formats (if it is another known kind of file, the message names the kind); IO; BUSY.
mnist_status mnist_model_load_weights(struct mnist_model *model,
                                      const char *path,
                                      struct mnist_error *error);

/// Reads the weights of a PyTorch state_dict, a safetensors file, with names assigned by `map`. `map` is a JSON5
/// object. Its keys are the file's tensor or module names. The value of a tensor name is the name of a weight; the
/// value of a module name is the name of a layer; null skips the tensor or module. Every weight of the model must occur
/// once, and every tensor of the file must be covered (except num_batches_tracked). Layouts are PyTorch's, as in
/// mnist_model_load_weights. On failure the model does not change.
///
/// ```c
/// mnist_model_load_weights_mapped(model, "net.safetensors",
///     "{'left': 'conv2d', 'right': 'conv2d_1', 'fc.weight': 'dense/kernel', 'fc.bias': 'dense/bias', aux: null}", error);
/// ```
///
/// Errors: those of mnist_model_load_weights; INVALID_ARGUMENT for a map that is not such an object or uses a name
/// twice; NOT_FOUND for a name that the file or the model does not have, and for a weight that is missing from the map.
mnist_status mnist_model_load_weights_mapped(struct mnist_model *model,
                                             const char *path,
                                             const char *map,
                                             struct mnist_error *error);

/// Writes the whole model to the file `path`: the network and its name, the weights, the compile options, the optimizer
/// state, and the position of the running or last fit. All of it belongs to the same step, also while another thread
/// trains; a callback may call this function too. The file is safetensors with the tensors of mnist_model_save_weights,
/// `optimizer/...`, `fit/...` and `history/...`; its header holds the rest. It is replaced atomically, as in
/// mnist_model_save_weights. A fit can resume from it (`resume` in mnist_fit_options). It allocates a copy of the
/// weights and the optimizer state; a fit's checkpoint does not.
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED for a network of too many layers.
mnist_status mnist_model_save(const struct mnist_model *model,
                              const char *path,
                              struct mnist_error *error);

/// Reads a model from a file of mnist_model_save or a fit's checkpoint. On success `*out` is a new model in the saved
/// state; free it with mnist_model_free. It can predict and evaluate, and, if the saved model was compiled, a fit
/// continues from its weights and optimizer state. (To continue in the middle of a fit, use `resume` in
/// mnist_fit_options.)
///
/// The format is detected by the content. Other formats: a Keras file, `.keras` or a whole model in `.h5`, with its
/// compile options and optimizer state, so that a fit continues where Keras stopped; an ONNX file, not compiled (see
/// mnist_model_load_onnx). A format that this build does not include is UNSUPPORTED. The environment variable MNIST_ISA
/// is used as in mnist_model_new.
///
/// Memory, whatever the file: 64 bytes for each byte of its header (a header above 16 MiB is rejected) and 8 for each
/// byte after it; for a Keras file 3 for each byte of the file or of its unpacked content; for an ONNX file see
/// mnist_model_load_onnx. (The memory for predictions depends on the network's sizes, which may be large in a small
/// file.)
///
/// Errors, with file and key or tensor: NOT_FOUND for the file or a missing tensor; FORMAT for a file that is not a
/// whole model (a weights file, for example) or contradicts itself; SHAPE for a tensor whose shape differs from the
/// network's, or an additional tensor; INVALID_ARGUMENT for options that mnist_model_compile would reject; UNSUPPORTED
/// for a file that is newer than this library or contains something unknown; IO; OUT_OF_MEMORY.
mnist_status mnist_model_load(const char *path,
                              struct mnist_model **out,
                              struct mnist_error *error);

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
mnist_status mnist_model_load_memory(const void *data,
                                     size_t len,
                                     struct mnist_model **out,
                                     struct mnist_error *error);

/// Reads weights from memory into the model: `data` holds the `len` bytes of a file in any format of
/// mnist_model_load_weights. The bytes need no alignment and are not needed after the call. On failure the model does
/// not change.
///
/// Errors: those of mnist_model_load_weights, with the argument's name in place of the file's.
mnist_status mnist_model_load_weights_memory(struct mnist_model *model,
                                             const void *data,
                                             size_t len,
                                             struct mnist_error *error);

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
mnist_status mnist_model_save_memory(const struct mnist_model *model,
                                     void *buffer,
                                     size_t capacity,
                                     size_t *needed,
                                     struct mnist_error *error);

/// Writes the weights to memory: the bytes that mnist_model_save_weights would write to a file. `buffer`, `capacity`
/// and `*needed` are as in mnist_model_save_memory.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small (`*needed` is written, `buffer` is not);
/// OUT_OF_MEMORY.
mnist_status mnist_model_save_weights_memory(const struct mnist_model *model,
                                             void *buffer,
                                             size_t capacity,
                                             size_t *needed,
                                             struct mnist_error *error);

/// @}

/// @defgroup interop Keras, ONNX and C
/// Models in Keras files.
/// Models in ONNX files.
/// A model exported as C source.
/// @{

/// Weights as float, four bytes each.
#define MNIST_WEIGHT_FLOAT 1

/// Kernel weights as integers from -127 to 127, one byte each, times a scale for each output channel.
#define MNIST_WEIGHT_INT8 2

/// Options of mnist_model_save_c_with; fill them in with mnist_c_options_init.
typedef struct mnist_c_options {
    /// sizeof this struct.
    size_t struct_size;
    /// How weights are stored, MNIST_WEIGHT_FLOAT or MNIST_WEIGHT_INT8. With MNIST_WEIGHT_INT8 a kernel's weight is
    /// rounded to the nearest multiple of 1/127 of the largest absolute weight of its output channel (after a batch
    /// normalization has been folded into the kernel, where that is possible); biases stay float, and the file computes
    /// in float. To measure the loss of accuracy, compile the file on your computer with -ffp-contract=off, call
    /// PREFIX_predict for each image of a test set and count the correct ones (examples/c_file_accuracy.c). Default:
    /// MNIST_WEIGHT_FLOAT.
    uint32_t weights;
    /// Not 0: the caller passes the memory between the layers as a third argument, `float *scratch`. 0: it is a static
    /// array in the file. Default: 0.
    int32_t caller_scratch;
    /// Attributes for the weight arrays, for example "__attribute__((section(\".model\")))". NULL: none. Default: NULL.
    const char *placement;
    /// A qualifier for the weights' type, for an address space: "__flash" or "__memx" of avr-gcc. NULL: none. Default:
    /// NULL.
    const char *qualifier;
} mnist_c_options;

/// Writes the whole model to the file `path` in Keras 3's `.keras` format, for Keras to load and continue to train: the
/// network and its name, the weights, the compile options and the optimizer state. All of it belongs to the same step,
/// also while another thread trains. The file does not contain the position of a fit (a file of mnist_model_save does).
/// Keras requires a name that ends in `.keras`; mnist_model_load detects the format by the content. The file is
/// replaced atomically, as in mnist_model_save_weights. The function allocates a copy of the weights and the optimizer
/// state.
///
/// ```c
/// mnist_model_save_keras(model, "digits.keras", error);   // in Python: keras.models.load_model("digits.keras")
/// ```
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED if the library was built without its feature `keras`.
mnist_status mnist_model_save_keras(const struct mnist_model *model,
                                    const char *path,
                                    struct mnist_error *error);

/// Writes the model to memory: the bytes that mnist_model_save_keras would write to a file. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory. The function allocates a copy of the weights and the optimizer state,
/// and at most twice these bytes.
///
/// ```c
/// size_t needed = 0;
/// mnist_model_save_keras_memory(model, NULL, 0, &needed, error);
/// void *bytes = malloc(needed);
/// mnist_model_save_keras_memory(model, bytes, needed, &needed, error);
/// ```
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small (`*needed` is written, `buffer` is not);
/// OUT_OF_MEMORY; UNSUPPORTED if the library was built without its feature `keras`.
mnist_status mnist_model_save_keras_memory(const struct mnist_model *model,
                                           void *buffer,
                                           size_t capacity,
                                           size_t *needed,
                                           struct mnist_error *error);

/// Writes the model to the ONNX file `path`, for onnxruntime and other programs that run ONNX: the network and its
/// weights, one snapshot taken between two steps, with operators of opset 17, for any batch size. Input and output are
/// those of the model: images are `[batch, height, width, channels]`, float32. Layers that only act in training
/// (dropout, noise, augmentation) are left out, as are the compile options and the optimizer state. A layer that is
/// called twice is written twice. The file is replaced atomically, as in mnist_model_save_weights. The function
/// allocates two copies of the weights.
///
/// ```c
/// status = mnist_model_save_onnx(model, "digits.onnx", error);
/// ```
///
/// Errors, with the layer: those of mnist_model_save_weights; UNSUPPORTED for a layer or an activation that ONNX cannot
/// express, for more than 2 GiB, and if the library was built without its feature `onnx`.
mnist_status mnist_model_save_onnx(const struct mnist_model *model,
                                   const char *path,
                                   struct mnist_error *error);

/// Writes the model to memory: the bytes that mnist_model_save_onnx would write to a file. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_onnx except the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small
/// (`*needed` is written, `buffer` is not).
mnist_status mnist_model_save_onnx_memory(const struct mnist_model *model,
                                          void *buffer,
                                          size_t capacity,
                                          size_t *needed,
                                          struct mnist_error *error);

/// Reads a model from the ONNX file `path`, as PyTorch, tf2onnx, skl2onnx and mnist_model_save_onnx write it: operators
/// of opset 7 to 25 that this library's layers can compute, with one input and one output of float32. On success `*out`
/// is a new model made of these layers; free it with mnist_model_free. It is not compiled, and all its weights are
/// trainable. mnist_model_load reads such a file too, if it begins as they usually do, and mnist_model_load_memory
/// reads one from memory. The environment variable MNIST_ISA is used as in mnist_model_new.
///
/// ```c
/// mnist_model *model = NULL;
/// status = mnist_model_load_onnx("from_pytorch.onnx", &model, error);
/// ```
///
/// The model takes samples of the shape that the file states, in batches of any size, with one exception: images with
/// channels first, `[batch, channels, height, width]`, as PyTorch has them, become `[height, width, channels]`, and
/// `[batch, channels, steps]` becomes `[steps, channels]`. The library decides as follows whether channels come first.
/// They do if the nearest convolution, pooling or normalization takes the input directly; they do not if a transpose
/// comes before it. Without any such operator, they come first in images of at most 4 channels and more columns than
/// channels. (With one channel the numbers are the same.) mnist_model_input_shape gives the resulting shape. Kernels
/// are transposed to match, also those after a flatten. Images in the output have their channels last too, unless the
/// input is as the file states.
///
/// Tensors may be stored in other files (external data) in the same folder. Memory, whatever the file: a few times its
/// size, and some hundred bytes for each of its nodes and attributes, of which it may have 200,000.
///
/// Errors, with file and node or tensor: NOT_FOUND for the file; FORMAT for a file that is not ONNX or is damaged;
/// SHAPE for nodes and weights that do not fit each other; UNSUPPORTED for an operator, an attribute or a type that the
/// layers do not have, with node and operator; IO; OUT_OF_MEMORY.
mnist_status mnist_model_load_onnx(const char *path,
                                   struct mnist_model **out,
                                   struct mnist_error *error);

/// Fills `*options` with the defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are written;
/// bytes after the fields that this library knows become zero. NULL does nothing.
void mnist_c_options_init(struct mnist_c_options *options,
                          size_t struct_size);

/// Writes the model to `path` as one C99 file that predicts, for a microcontroller, for example:
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
/// The file needs neither this library nor the C library, no heap and no double. Compiled with -ffp-contract=off it
/// gives the same bits as mnist_model_predict for one image; a comment in the file says so too
/// (docs/microcontrollers.md). Its names begin with `prefix`: a letter, then letters, digits and `_`, at most 32
/// characters. The macro PREFIX_SCRATCH_LEN (the prefix in capitals) is the memory it needs between the layers, in
/// floats. The weights are one snapshot, taken between two steps. The file is replaced atomically, as in
/// mnist_model_save_weights. The function allocates two copies of the weights.
///
/// Errors: INVALID_ARGUMENT for the prefix; UNSUPPORTED, with the layer's name, for weights that are not finite and for
/// a layer that has no C code; those of mnist_model_save_weights.
mnist_status mnist_model_save_c(const struct mnist_model *model,
                                const char *path,
                                const char *prefix,
                                struct mnist_error *error);

/// Writes the model to `path` as one C99 file, with options. NULL options mean the defaults; everything else is as in
/// mnist_model_save_c.
///
/// Errors: those of mnist_model_save_c; INVALID_ARGUMENT for an option.
mnist_status mnist_model_save_c_with(const struct mnist_model *model,
                                     const char *path,
                                     const char *prefix,
                                     const struct mnist_c_options *options,
                                     struct mnist_error *error);

/// Writes the model to memory as C99: the bytes that mnist_model_save_c_with would write to a file, without a NUL at
/// the end. `buffer`, `capacity` and `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_c_with except the file's; INVALID_ARGUMENT when `capacity` is above 0 but too
/// small (`*needed` is written, `buffer` is not).
mnist_status mnist_model_save_c_memory(const struct mnist_model *model,
                                       const char *prefix,
                                       const struct mnist_c_options *options,
                                       void *buffer,
                                       size_t capacity,
                                       size_t *needed,
                                       struct mnist_error *error);

/// @}

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MNIST_H */
