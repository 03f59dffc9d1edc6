// libmnist - train small image classifiers inside your own program.
//
// A program loads data, describes a network, makes a model of it, compiles, fits, evaluates, predicts and saves:
//
//     mnist_load_data      mnist_graph_new       mnist_model_new      mnist_model_fit         mnist_model_predict
//     mnist_dataset_...    mnist_input,          mnist_model_compile  mnist_model_evaluate    mnist_model_save,
//     mnist_image_prepare  mnist_conv2d, ...                                                  mnist_model_load
//
// CALLS. Every call that can fail returns an mnist_status: MNIST_OK (0), an error (negative) or news (positive). It takes
// an mnist_error* last, which gets the text: what is wrong, where, what was expected and what was found; NULL when the
// text is not wanted. Outputs are written only on success, and a call that fails changes nothing. No call ends the
// process (but see MEMORY and NOT CAUGHT), prints (unless asked to), or lets a panic or an exception out.
//
// OWNERSHIP. Objects are opaque. What a call gives through `mnist_X **out`, or returns from mnist_X_new, is yours:
//
//     mnist_error_new                                                         mnist_error_free
//     mnist_npz_open                                                          mnist_npz_free
//     mnist_load_data (two), mnist_dataset_from_..., mnist_dataset_slice      mnist_dataset_free
//     mnist_graph_new                                                         mnist_graph_free (its tensors with it)
//     mnist_model_new, mnist_model_load, mnist_model_load_memory              mnist_model_free
//     mnist_model_fit                                                         mnist_history_free
//
// Every _free takes NULL. Objects do not depend on each other's lives, except tensors on their graph's. What is handed in
// is borrowed during the call, or copied. Strings that come back belong to the object that gave them.
//
// THREADS. A call that takes `const mnist_X *` may run on many threads at once, also while another thread is inside a
// call that takes the same object without const. Two of those at once: the second gets MNIST_ERROR_BUSY; only on a graph,
// whose calls are short, it waits. Only _free must not race with anything. Different objects have nothing in common. An
// mnist_error is for one call at a time. A model computes on threads of its own (mnist_model_set_threads), or on the
// caller's where none can be started; callbacks and writes happen on the thread that called. No call is a cancellation
// point: a thread that is cancelled (pthread_cancel) in one ends after it. Nor are callbacks, until they return.
//
// MEMORY. A call for which there is not enough returns MNIST_ERROR_OUT_OF_MEMORY, mnist_X_new and the layer calls NULL; it
// changes nothing, except that a fit that has begun to train stops between two steps and keeps what it has learned. What
// fit, evaluate and predict take is compared with what the machine, the process's limits and its containers' have left
// before the first of it is taken; the message says which batch would fit. For what can only be asked for in small pieces
// the library has 2 MiB of its own to fall back on. What it has no power over: some hundred bytes that a thread takes while
// it starts (refused those, Rust or the C library ends the process), and a system that has promised more than it has.
//
// TEXT is UTF-8, NUL-terminated; paths too. A message is one line; what a terminal would obey in a path or a name is
// shown as \u{1b}.
//
// FILES. A relative path means the working folder at the time of the call, also where it is written to later. What is no
// regular file (a folder, a pipe, a socket, a device) is MNIST_ERROR_IO at once, to be read or to be replaced: nobody at its
// other end is waited for. (For a disk, or a server behind a file system, that does not answer the system itself waits.)
// A file is written beside its place, as .mnist-0.tmp or a higher number, synced, and renamed: whoever opens it finds the
// old one or the new one, whole, as far as the file system renames in one step. What a killed process has left is removed
// by the next write in that folder. The mode of a file that is replaced stays, and its owner and group where this process
// may set them (where the group cannot stay, it may do no more than everybody); ACLs and other attributes do not, and
// other hard links keep the old content. A symbolic link stays: what it leads to is replaced, or made. A file that is
// read-only, or that this process may not write to, is not replaced: MNIST_ERROR_IO; so is a file that is itself mounted.
// Descriptors 0, 1 and 2 are never the library's, though the program may have closed them: while something is being opened
// they are held by what can be neither read nor written. What a signal interrupts is taken up again.
//
// ON WINDOWS paths are UTF-8 all the same and may have more than 260 characters. What the system takes for something else
// than a file of that name is an error before anything is opened: a device or a pipe (NUL, con.npz, COM1 in any folder)
// MNIST_ERROR_IO; a second content of a file (w:b), a name that ends in a dot or a space, a drive without a folder (C:w)
// MNIST_ERROR_INVALID_ARGUMENT. A file that a program has open without sharing its deletion (fopen does not) is not
// replaced: MNIST_ERROR_IO after half a second. A file that is replaced gets the rights that its folder gives.
//
// CONSTANTS come in as plain integers; an unknown one is MNIST_ERROR_INVALID_ARGUMENT.
//
// OPTIONS are structs that begin with struct_size and are filled in by their _init function with Keras's defaults; NULL
// options mean those defaults. A program built against a newer header may hand in a longer struct as long as what this
// library does not know of it is zero.
//
// NUMBERS. The host's floating-point settings (rounding, flushing, traps) are put aside during a call and are what they
// were after it; callbacks run under the standard ones. Numbers too small to matter are taken for zero before they get
// among those that processors are slow with: pixels below 2^-126, the optimizer's running means below 2^-120.
//
// AFTER FORK a model of the parent's gives MNIST_ERROR_STATE in the child, which may free it, and make or load models of
// its own. A child that was forked while another thread was inside a call with a dataset or a graph leaves that one alone.
// In a child that a callback or a writer has forked off, the call around it returns MNIST_ERROR_STATE as well, and has
// written nothing since.
//
// CAUGHT, since every object begins with a word that says what it is: an object of another type, and one that was freed,
// as long as its memory is not used again, and one of another copy of the library in the process. They are
// MNIST_ERROR_INVALID_ARGUMENT; a function without a status does nothing.
//
// NOT CAUGHT: a pointer to where nothing can be read, a freed object whose memory has become another of its type, an array
// shorter than said, an output array that overlaps an input.
//
/// @file
/// The interface of libmnist, generated from the library's sources by cbindgen.

#ifndef MNIST_H
#define MNIST_H

#include <stddef.h>
#include <stdint.h>

/// All went well.
#define MNIST_OK 0

/// A fit was stopped by a callback or by mnist_model_cancel. The model is whole, what was learned is kept.
#define MNIST_CANCELLED 1

/// A fit met a loss or a weight that is NaN or infinite; the text says where. See mnist_model_fit.
#define MNIST_DIVERGED 2

/// An argument or option has a value that the function does not take: NULL, zero, an unknown constant, NaN.
#define MNIST_ERROR_INVALID_ARGUMENT -1

/// Sizes do not fit each other: data and network, kernel and input, file and model.
#define MNIST_ERROR_SHAPE -2

/// The call comes at the wrong time: fit before compile.
#define MNIST_ERROR_STATE -3

/// The object is inside another call that changes it.
#define MNIST_ERROR_BUSY -4

/// The operating system refused to read or write.
#define MNIST_ERROR_IO -5

/// A file's content is not what its format says.
#define MNIST_ERROR_FORMAT -6

/// A file, an array in it, a tensor or a metric of that name does not exist.
#define MNIST_ERROR_NOT_FOUND -7

/// A download failed.
#define MNIST_ERROR_NETWORK -8

/// A downloaded file is whole, but not the one that was asked for.
#define MNIST_ERROR_CHECKSUM -9

/// There is not the memory for it.
#define MNIST_ERROR_OUT_OF_MEMORY -10

/// Well-formed, but beyond what this library does.
#define MNIST_ERROR_UNSUPPORTED -11

/// A defect of the library. The call has no other effect; please report the message.
#define MNIST_ERROR_INTERNAL -12

/// Bytes, 0 to 255.
#define MNIST_DTYPE_U8 1

/// Single precision.
#define MNIST_DTYPE_F32 2

/// Double precision.
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

/// Nothing.
#define MNIST_ACTIVATION_LINEAR 0

/// max(0, x).
#define MNIST_ACTIVATION_RELU 1

/// Probabilities over the units of the last dense layer.
#define MNIST_ACTIVATION_SOFTMAX 2

/// 1 / (1 + exp(-x)).
#define MNIST_ACTIVATION_SIGMOID 3

/// The hyperbolic tangent.
#define MNIST_ACTIVATION_TANH 4

/// x above 0, exp(x) - 1 below.
#define MNIST_ACTIVATION_ELU 5

/// x times the normal distribution's cumulative function at x.
#define MNIST_ACTIVATION_GELU 6

/// x / (1 + exp(-x)), also called SiLU.
#define MNIST_ACTIVATION_SWISH 7

/// Adam (Kingma and Ba 2015) as Keras writes it.
#define MNIST_OPTIMIZER_ADAM 1

/// Stochastic gradient descent; learning rate 0.01, no momentum.
#define MNIST_OPTIMIZER_SGD 2

/// RMSprop (Tieleman and Hinton 2012); rho 0.9.
#define MNIST_OPTIMIZER_RMSPROP 3

/// AdamW (Loshchilov and Hutter 2019); weight decay 0.004.
#define MNIST_OPTIMIZER_ADAMW 4

/// The mean of -log(probability of the label), for a model that ends in softmax.
#define MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY 1

/// The same for a model whose last layer is linear and gives the logits.
#define MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS 2

/// Crossentropy of classes, told a number for each: targets `[N, classes]`.
#define MNIST_LOSS_CATEGORICAL_CROSSENTROPY 3

/// Crossentropy of each output apart, told 0 or 1, or what is between, for each; a model that ends in sigmoid.
#define MNIST_LOSS_BINARY_CROSSENTROPY 4

/// The mean of the squared errors.
#define MNIST_LOSS_MEAN_SQUARED_ERROR 5

/// The mean of the errors' magnitudes.
#define MNIST_LOSS_MEAN_ABSOLUTE_ERROR 6

/// Report the share of samples whose most probable class is their label.
#define MNIST_METRIC_ACCURACY 1

/// Weights as they are, four bytes each.
#define MNIST_WEIGHT_FLOAT 1

/// The weights of kernels as whole numbers from -127 to 127, a byte each, times a scale for each output channel.
#define MNIST_WEIGHT_INT8 2

/// Images `[N, H, W]`, `[N, H, W, C]` or `[N, W]`; a label or targets for each of them, or neither; weights or none.
typedef struct mnist_dataset mnist_dataset;

/// The text of an error, owned by the caller and used by one call at a time.
typedef struct mnist_error mnist_error;

/// A network under construction.
typedef struct mnist_graph mnist_graph;

/// The metrics of a fit's epochs. It does not change; any number of threads may read it.
typedef struct mnist_history mnist_history;

/// A network with weights, and what is needed to train it.
typedef struct mnist_model mnist_model;

/// An open numpy archive (.npz). It does not change; any number of threads may look into it.
typedef struct mnist_npz mnist_npz;

/// All metrics of a progress, for mnist_progress_get.
typedef struct mnist_progress_metrics mnist_progress_metrics;

/// The output of a layer; it belongs to its graph and lives as long.
typedef struct mnist_tensor mnist_tensor;

/// What a call came to: 0 is success, negative an error, positive news.
typedef int32_t mnist_status;

/// The type of numbers, a constant MNIST_DTYPE_...; a dataset's are MNIST_DTYPE_U8 or MNIST_DTYPE_F32.
typedef uint32_t mnist_dtype;

/// An array in the caller's memory, row-major.
typedef struct mnist_array {
    /// Its numbers, as many as the product of `dims`.
    const void *data;
    /// Their type, a constant MNIST_DTYPE_...
    mnist_dtype dtype;
    /// How many sizes there are.
    size_t rank;
    /// The sizes, outermost first.
    const size_t *dims;
} mnist_array;

/// Gives samples: those of the numbers `indices`, of which there are `count`, written to `x`, `[count, ...]`, in their order; and
/// their labels to `labels`, `[count]`, or, when target_len is above 0, their targets to `targets`, `[count, target_len]`; the
/// other one is NULL. The same number must always give the same sample. 0 when it has; anything else ends the call that asked
/// with MNIST_ERROR_IO, its message having the numbers.
///
/// It is called on the thread that called fit, evaluate or predict, with prefetch in a fit's options on one of the library's;
/// one call at a time for each call that it serves, so that only two of those at once, with the same source, meet in it. It
/// must return, as a mnist_callback, and may call what that may, but nothing that waits for the call that it serves. What it
/// has written is looked at: a label past the class count, and a number that is NaN or infinite, is MNIST_ERROR_INVALID_ARGUMENT.
typedef int32_t (*mnist_fetch_fn)(void *user,
                                  const uint64_t *indices,
                                  size_t count,
                                  float *x,
                                  uint32_t *labels,
                                  float *targets);

/// Where samples come from; fill it in with mnist_source_init.
typedef struct mnist_source {
    /// sizeof this struct.
    size_t struct_size;
    /// How many samples there are, numbered from 0; 1 to 4294967295. 0.
    size_t len;
    /// How many sizes a sample has, 1 to 3. 0.
    size_t rank;
    /// The sizes of one sample without N, `[W]`, `[H, W]` or `[H, W, C]`. NULL.
    const size_t *dims;
    /// Floats in a sample's target; 0: samples have labels. 0.
    size_t target_len;
    /// Gives samples. NULL.
    mnist_fetch_fn fetch;
    /// Handed to `fetch`.
    void *user;
    /// What tells these samples from all others, the name and the version of their files, say: a fit goes on from a checkpoint
    /// only with a source of the same identity. NULL: from none. NULL.
    const char *identity;
} mnist_source;

/// What is done to a layer's sums: a constant MNIST_ACTIVATION_...
typedef uint32_t mnist_activation;

/// Takes a piece of text: UTF-8, `len` bytes, also NUL-terminated, good during the call.
typedef void (*mnist_write_fn)(void *user_data, const char *text, size_t len);

/// How a model is to be trained; fill it in with mnist_compile_options_init.
typedef struct mnist_compile_options {
    /// sizeof this struct.
    size_t struct_size;
    /// A constant MNIST_OPTIMIZER_..., whose other settings are Keras's defaults. MNIST_OPTIMIZER_ADAM.
    uint32_t optimizer;
    /// The length of a step, 0 or more. Left at 0.001, it is the optimizer's default: 0.01 for MNIST_OPTIMIZER_SGD. 0.001.
    double learning_rate;
    /// Adam and AdamW: the decay of the gradients' mean, from 0 to below 1. 0.9.
    double beta_1;
    /// Adam and AdamW: the decay of the gradients' mean square, from 0 to below 1. 0.999.
    double beta_2;
    /// Adam, AdamW, RMSprop: keeps a step finite, above 0. 1e-7.
    double epsilon;
    /// A constant MNIST_LOSS_.... MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY.
    uint32_t loss;
    /// A sum of MNIST_METRIC_ constants. MNIST_METRIC_ACCURACY.
    uint32_t metrics;
    /// The optimizer as Keras serialises it, in JSON5: "{class_name: 'SGD', config: {learning_rate: 0.1, momentum: 0.9,
    /// nesterov: true}}", or a class alone, "'RMSprop'". Takes precedence over `optimizer` and its settings. Classes: Adadelta,
    /// Adagrad, Adam, Adamax, AdamW, Ftrl, Lion, Nadam, RMSprop, SGD, with all of Keras's keys but loss_scale_factor;
    /// learning_rate may be a schedule: CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay,
    /// PiecewiseConstantDecay, PolynomialDecay (docs/optimizers.md). NULL: those settings. NULL.
    const char *optimizer_config;
    /// The loss likewise: "'mse'", or "{class_name: 'BinaryCrossentropy', config: {label_smoothing: 0.1}}". Classes:
    /// SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy, BinaryFocalCrossentropy,
    /// CategoricalFocalCrossentropy, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    /// MeanSquaredLogarithmicError, LogCosh, Poisson, KLDivergence, Hinge, SquaredHinge, Huber, CategoricalHinge,
    /// CosineSimilarity, and Keras's short names for them. The first takes labels, the others targets of the model's output's
    /// shape; labels too where that is one number. NULL: `loss`. NULL.
    const char *loss_config;
    /// The metrics likewise: "['accuracy', {class_name: 'AUC', config: {curve: 'PR'}}]" or "[]". Classes: every loss,
    /// SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy ("accuracy" is the one of these that fits),
    /// SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy, Precision, Recall, TruePositives, FalsePositives, TrueNegatives,
    /// FalseNegatives, F1Score, FBetaScore, AUC, RootMeanSquaredError, R2Score. What each is called in the history is its
    /// config's `name`, or the short name that was given, or its class: "auc". NULL: `metrics`. NULL.
    const char *metrics_config;
} mnist_compile_options;

/// How far a fit has come.
typedef struct mnist_progress {
    /// The epoch, from 0.
    size_t epoch;
    /// The epoch that the fit stops before.
    size_t epochs;
    /// The batch that just ended, from 0; 0 when an epoch begins.
    size_t batch;
    /// How many batches an epoch has.
    size_t batches;
    /// The mean loss over the epoch's samples so far; NaN when it begins.
    double loss;
    /// The share of the epoch's samples so far that were classified right, 0 to 1; NaN when it begins, or when
    /// accuracy was not asked for.
    double accuracy;
    /// The loss on the validation data; NaN unless the epoch has ended and there are such data.
    double val_loss;
    /// The accuracy on the validation data; NaN likewise.
    double val_accuracy;
    /// Seconds since the epoch began.
    double seconds;
    /// What mnist_progress_get reads, good during the callback.
    const struct mnist_progress_metrics *metrics;
} mnist_progress;

/// Is called during a fit, on the thread that called it, between two steps. Non-zero stops the fit. It may use any
/// function that takes a const model, predict and save included; `progress` is good during the call. It must return: no
/// longjmp, no C++ exception and no pthread_exit may pass through the library. Its thread cannot be cancelled meanwhile.
typedef int32_t (*mnist_callback)(void *user_data, const struct mnist_progress *progress);

/// How to fit; fill it in with mnist_fit_options_init.
typedef struct mnist_fit_options {
    /// sizeof this struct.
    size_t struct_size;
    /// Samples in a step, 1 or more; an epoch's last batch may be shorter. 32.
    size_t batch_size;
    /// The epoch to stop before, 1 or more. 1.
    size_t epochs;
    /// The epoch to start with, as when an earlier fit goes on; at `epochs` or past it there is nothing to do. 0.
    size_t initial_epoch;
    /// Whether each epoch goes through the samples in a fresh order. 1.
    int32_t shuffle;
    /// 0: nothing is written. 1: Keras's progress line. 2: one line an epoch. 1.
    int32_t verbose;
    /// The seed of the shuffling. 0.
    uint64_t seed;
    /// The share of the data, taken from its end, that is kept for validation, from 0 to below 1. 0.
    double validation_split;
    /// Data to validate on after each epoch; NULL: none. Takes precedence over the split. NULL.
    const struct mnist_dataset *validation_data;
    /// Where the progress is written; NULL: stdout, where a line is redrawn only on a terminal (that does not call itself
    /// dumb), and kept within its width. NULL.
    mnist_write_fn write;
    /// Handed to `write`.
    void *write_data;
    /// Called after each step; NULL: nothing. NULL.
    mnist_callback on_batch_end;
    /// Called before an epoch's first step; NULL: nothing. NULL.
    mnist_callback on_epoch_begin;
    /// Called after an epoch and its validation; NULL: nothing. NULL.
    mnist_callback on_epoch_end;
    /// Handed to the callbacks.
    void *user_data;
    /// A file for the fit's state, as mnist_model_save writes it; NULL: none. It is written at each interval below that
    /// is not 0, and when the fit ends or is stopped. A relative path means the working folder when the fit begins. NULL.
    const char *checkpoint_path;
    /// Written after every so many batches, counted from the fit's first one. 0.
    size_t checkpoint_batches;
    /// Written after every so many epochs, likewise. 0.
    size_t checkpoint_epochs;
    /// Written after a batch or an epoch when so many seconds have gone by since the last time. 0.
    double checkpoint_seconds;
    /// Whether to go on from the file at `checkpoint_path`; where there is none, the fit begins as without. 0.
    int32_t resume;
    /// Whether the fit stops at a loss or a weight that is NaN or infinite and goes back to good weights. 1 (Keras goes on
    /// with weights that are good for nothing any more).
    int32_t terminate_on_nan;
    /// Callbacks as Keras serialises them, in JSON5: "[{class_name: 'EarlyStopping', config: {patience: 3,
    /// restore_best_weights: true}}]". Classes: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, CSVLogger, TensorBoard,
    /// TerminateOnNaN. NULL: none. NULL.
    const char *callbacks_config;
    /// How much a sample of each class counts in the loss, each finite and 0 or more; NULL: all alike. Not together with sample
    /// weights of the dataset. The validation data are not weighted so. NULL.
    const float *class_weight;
    /// How many numbers `class_weight` has: one for each class. 0.
    size_t class_weight_len;
    /// Epochs from one validation to the next, 1 or more. 1.
    size_t validation_freq;
    /// Steps in an epoch; the next epoch goes on where this one has stopped. 0: as many as it takes to go through the samples
    /// once. 0.
    size_t steps_per_epoch;
    /// How many batches of an mnist_source are asked for ahead, on a thread of the library. 0: none, on the fit's thread. 0.
    size_t prefetch;
} mnist_fit_options;

/// What an evaluation found.
typedef struct mnist_metrics {
    /// The mean loss over the samples.
    double loss;
    /// The share of samples whose most probable class is their label, 0 to 1; NaN where it is not measured.
    double accuracy;
} mnist_metrics;

/// How to evaluate; fill it in with mnist_evaluate_options_init.
typedef struct mnist_evaluate_options {
    /// sizeof this struct.
    size_t struct_size;
    /// Samples in a step, 1 or more; the result does not depend on it. 32.
    size_t batch_size;
    /// 0: nothing is written. 1: a progress line. 2: one line at the end. 0.
    int32_t verbose;
    /// Where it is written; NULL: stdout. NULL.
    mnist_write_fn write;
    /// Handed to `write`.
    void *write_data;
    /// A place for the confusion matrix, `[classes, classes]`, row-major, the classes being all of the model's output: row
    /// = label, column = most probable class (the first of equals). Its sum is the number of samples, and its diagonal
    /// over that the accuracy. Written on success only; NULL: unwanted. NULL.
    uint64_t *confusion;
    /// How many numbers `confusion` has room for: classes * classes or more. What is past the matrix stays as it is. 0.
    size_t confusion_capacity;
    /// A place for everything that was measured, as the one epoch of a new history, to be freed with mnist_history_free.
    /// Written on success only; NULL: unwanted. NULL.
    struct mnist_history **results;
} mnist_evaluate_options;

/// How a model becomes a file of C; fill it in with mnist_c_options_init.
typedef struct mnist_c_options {
    /// sizeof this struct.
    size_t struct_size;
    /// How weights are written. With MNIST_WEIGHT_INT8 a kernel's weight is the nearest whole number of 127ths of its output
    /// channel's greatest (a batch normalization that can be is in the kernel already); biases stay floats, and all is
    /// computed in floats. What that costs is measured with the file itself: compile it for the machine at hand, with
    /// -ffp-contract=off, call PREFIX_predict for each image of a test set, and count (examples/c_file_accuracy.c).
    /// MNIST_WEIGHT_FLOAT.
    uint32_t weights;
    /// Not 0: the memory between the layers is given by the caller, as a third argument, `float *scratch`; else it is static
    /// in the file. 0.
    int32_t caller_scratch;
    /// Attributes for the arrays of weights: "__attribute__((section(\".model\")))". NULL: none. NULL.
    const char *placement;
    /// A qualifier of the weights' type, for an address space: "__flash" or "__memx" of avr-gcc. NULL: none. NULL.
    const char *qualifier;
} mnist_c_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// The library's version, "0.1.0". The string lives as long as the library.
const char *mnist_version(void);

/// A status's name, "MNIST_ERROR_SHAPE"; "MNIST_ERROR_UNKNOWN" for a number that is none. The string lives as long
/// as the library.
const char *mnist_status_name(mnist_status status);

/// A place for the text of errors, to be handed to calls as their last argument, again and again. Free it with
/// mnist_error_free. Never NULL unless memory has run out, and NULL may be handed to every call as well.
struct mnist_error *mnist_error_new(void);

/// Frees it; NULL is allowed.
void mnist_error_free(struct mnist_error *error);

/// The status of the last call that was given `error`; MNIST_OK before the first one or for NULL.
mnist_status mnist_error_status(const struct mnist_error *error);

/// What went wrong in the last call that was given `error`, in one line of UTF-8: which file and byte, tensor,
/// argument or layer, what was expected and what was found. "" when nothing did, or for NULL. The string is good until
/// `error` is handed to another call or freed.
const char *mnist_error_message(const struct mnist_error *error);

/// Opens the archive at `path` and reads the headers of its arrays, stored or deflated. An array whose header cannot be
/// read is listed all the same; what is wrong with it is told by the calls that ask for it. On success `*out` is a new
/// mnist_npz, to be freed with mnist_npz_free.
///
/// Errors: NOT_FOUND, IO; FORMAT for what is no sound archive of arrays; another kind of file is named.
mnist_status mnist_npz_open(const char *path,
                            struct mnist_npz **out,
                            struct mnist_error *error);

/// Frees it; NULL is allowed.
void mnist_npz_free(struct mnist_npz *npz);

/// How many arrays there are; 0 for NULL.
size_t mnist_npz_len(const struct mnist_npz *npz);

/// The name of array `i`, in the archive's order and without ".npy", as numpy's `files` lists it. NULL for an `i` past
/// the end or a NULL archive. The string is good as long as the archive is.
const char *mnist_npz_name(const struct mnist_npz *npz,
                           size_t i);

/// The shape of the array called `name`: its number of dimensions in `*rank`, and in `dims`, which has room for
/// `capacity` numbers, the sizes. `dims` may be NULL when `capacity` is 0.
///
/// Errors: NOT_FOUND; FORMAT or UNSUPPORTED for an array whose header cannot be read: damaged, of structs, encrypted, packed
/// otherwise than by deflate; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
mnist_status mnist_npz_shape(const struct mnist_npz *npz,
                             const char *name,
                             size_t *dims,
                             size_t capacity,
                             size_t *rank,
                             struct mnist_error *error);

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
mnist_status mnist_load_data(const char *path,
                             struct mnist_dataset **train,
                             struct mnist_dataset **test,
                             struct mnist_error *error);

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
mnist_status mnist_dataset_from_npz(const char *path,
                                    const char *images,
                                    const char *labels,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// As mnist_dataset_from_npz, `images` being an array of the archive at `images_path` and `labels` one of the archive at
/// `labels_path`, as Kuzushiji-49 comes: `arr_0` of k49-train-imgs.npz and `arr_0` of k49-train-labels.npz.
mnist_status mnist_dataset_from_npz_pair(const char *images_path,
                                         const char *images,
                                         const char *labels_path,
                                         const char *labels,
                                         struct mnist_dataset **out,
                                         struct mnist_error *error);

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
mnist_status mnist_dataset_from_idx(const char *images_path,
                                    const char *labels_path,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

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
mnist_status mnist_dataset_from_csv(const char *path,
                                    const char *label_column,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// What the class with the label `label` is called, where labels came as names; it is good as long as the dataset. NULL for a
/// label that is not there, for classes without names, and for a NULL dataset.
const char *mnist_dataset_class_name(const struct mnist_dataset *dataset,
                                     uint32_t label);

/// A dataset from memory. `dims` are the `rank` sizes of the pixels, `[N, H, W]` or `[N, H, W, C]`, each above 0; `pixels`
/// are that many bytes, row-major; `labels` are N. All are copied. On success `*out` is a new dataset, to be freed with
/// mnist_dataset_free.
///
/// Errors: SHAPE for another rank or a size of 0; OUT_OF_MEMORY.
mnist_status mnist_dataset_from_u8(const uint8_t *pixels,
                                   const size_t *dims,
                                   size_t rank,
                                   const uint8_t *labels,
                                   struct mnist_dataset **out,
                                   struct mnist_error *error);

/// As mnist_dataset_from_u8, the pixels being floats.
mnist_status mnist_dataset_from_f32(const float *pixels,
                                    const size_t *dims,
                                    size_t rank,
                                    const uint8_t *labels,
                                    struct mnist_dataset **out,
                                    struct mnist_error *error);

/// The images `start` to `start + len - 1` as a dataset of their own, which shares the pixels and outlives `dataset` if
/// need be. On success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// Errors: INVALID_ARGUMENT for images that are not there, or none.
mnist_status mnist_dataset_slice(const struct mnist_dataset *dataset,
                                 size_t start,
                                 size_t len,
                                 struct mnist_dataset **out,
                                 struct mnist_error *error);

/// How many images there are; 0 for NULL.
size_t mnist_dataset_len(const struct mnist_dataset *dataset);

/// Returns the rank, 3 for `[N, H, W]`, 4 for `[N, H, W, C]` or 2 for `[N, W]`, and writes as many of the sizes to `dims` as `capacity`
/// has room for (`dims` may be NULL when that is 0). 0 for a NULL dataset.
size_t mnist_dataset_shape(const struct mnist_dataset *dataset,
                           size_t *dims,
                           size_t capacity);

/// MNIST_DTYPE_U8 for bytes, MNIST_DTYPE_F32 for floats, which bytes count as once they are normalized (in memory they
/// stay bytes). 0 for NULL.
mnist_dtype mnist_dataset_dtype(const struct mnist_dataset *dataset);

/// Divides all pixels by `divisor` in single precision: 255 takes bytes to 0..1. Slices made before are not changed.
///
/// Errors: INVALID_ARGUMENT for 0, NaN or infinity; BUSY.
mnist_status mnist_dataset_normalize(struct mnist_dataset *dataset,
                                     float divisor,
                                     struct mnist_error *error);

/// Gives images without channels one: `[N, H, W]` to `[N, H, W, 1]`. (A model with one channel takes both.)
///
/// Errors: SHAPE when they have channels already; BUSY.
mnist_status mnist_dataset_expand_dims(struct mnist_dataset *dataset, struct mnist_error *error);

/// Gives each image another shape of as many numbers, which stay in their order: 784 to 28, 28. `dims` are the `rank` sizes
/// of one image without N, `[H, W]`, `[H, W, C]` or `[W]`. A model sees `[W]` as one pixel with W channels, `[1, 1, W]`.
/// Slices made before are not changed.
///
/// Errors: SHAPE for another rank than 1 to 3, or sizes whose product is not an image's number of pixels; BUSY.
mnist_status mnist_dataset_reshape(struct mnist_dataset *dataset,
                                   const size_t *dims,
                                   size_t rank,
                                   struct mnist_error *error);

/// Height and width change places: `[N, H, W]` becomes `[N, W, H]`, `[N, H, W, C]` becomes `[N, W, H, C]`. EMNIST's figures lie on
/// their side without it. Slices made before are not changed.
///
/// Errors: SHAPE for samples without height and width (mnist_dataset_reshape gives them both); BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_transpose(struct mnist_dataset *dataset,
                                     struct mnist_error *error);

/// Channels that come first, as in PyTorch, come last: `[N, C, H, W]` becomes `[N, H, W, C]`. Slices made before are not changed.
///
/// Errors: SHAPE for another rank than 4; BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_channels_last(struct mnist_dataset *dataset,
                                         struct mnist_error *error);

/// Puts the samples into another order, with their labels, targets and weights, once and for all: that of a fit's epoch 0 with
/// this seed. So data that lie class by class can be cut by mnist_dataset_slice or validation_split. Slices made before are not
/// changed.
///
/// Errors: BUSY; OUT_OF_MEMORY.
mnist_status mnist_dataset_shuffle(struct mnist_dataset *dataset,
                                   uint64_t seed,
                                   struct mnist_error *error);

/// Mean and standard deviation (of the population, as Keras's Normalization takes it) of all pixels as they are scaled now, in
/// `mean` and `deviation`, which have room for `len` numbers each: 1 for all pixels together, the number of channels for each of
/// them, or that of one sample's pixels for each. The sums are in double precision and in the samples' order. For
/// mnist_dataset_standardize, of the test data too: they get the training data's numbers.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a pixel that is NaN or infinite; what a source fails with;
/// OUT_OF_MEMORY.
mnist_status mnist_dataset_statistics(const struct mnist_dataset *dataset,
                                      float *mean,
                                      float *deviation,
                                      size_t len,
                                      struct mnist_error *error);

/// Subtracts the mean from all pixels and divides by the standard deviation, of which 1e-7 is the least that counts, in single
/// precision: Keras's Normalization. `mean` and `deviation` are `len` numbers each: one for all pixels, one for each channel, or
/// one for each pixel of a sample. Slices made before are not changed.
///
/// Errors: SHAPE for another `len`; INVALID_ARGUMENT for a number that is NaN or infinite, or a negative deviation; BUSY;
/// OUT_OF_MEMORY.
mnist_status mnist_dataset_standardize(struct mnist_dataset *dataset,
                                       const float *mean,
                                       const float *deviation,
                                       size_t len,
                                       struct mnist_error *error);

/// The labels that occur: how many in `*count`, and in `labels`, which has room for `capacity` numbers, themselves in
/// ascending order. `labels` may be NULL when `capacity` is 0.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but below the count (nothing is written then), and for a dataset
/// without labels.
mnist_status mnist_dataset_unique_labels(const struct mnist_dataset *dataset,
                                         uint32_t *labels,
                                         size_t capacity,
                                         size_t *count,
                                         struct mnist_error *error);

/// All labels, in the samples' order, into `labels`, which has room for `capacity` numbers.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len, and for a dataset without labels.
mnist_status mnist_dataset_labels(const struct mnist_dataset *dataset,
                                  uint32_t *labels,
                                  size_t capacity,
                                  struct mnist_error *error);

/// Returns the rank of one sample's targets, 1 to 3, and writes as many of their sizes to `dims` as `capacity` has room for
/// (`dims` may be NULL when that is 0). 0 for a dataset without targets, with labels, say, and for NULL.
size_t mnist_dataset_target_shape(const struct mnist_dataset *dataset,
                                  size_t *dims,
                                  size_t capacity);

/// All targets, `[N, ...]` in the samples' order, into `targets`, which has room for `capacity` floats.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len times the product of mnist_dataset_target_shape's sizes,
/// and for a dataset without targets.
mnist_status mnist_dataset_targets(const struct mnist_dataset *dataset,
                                   float *targets,
                                   size_t capacity,
                                   struct mnist_error *error);

/// How much each sample counts in the loss, in their order, into `weights`, which has room for `capacity` floats; 1 for all
/// of a dataset without weights.
///
/// Errors: INVALID_ARGUMENT for a `capacity` below mnist_dataset_len.
mnist_status mnist_dataset_weights(const struct mnist_dataset *dataset,
                                   float *weights,
                                   size_t capacity,
                                   struct mnist_error *error);

/// Image `i` as `[H, W, C]` floats, scaled as it was normalized, into `pixels`, which has room for `capacity` floats; its
/// label into `*label`, which may be NULL when it is not wanted.
///
/// Errors: INVALID_ARGUMENT for an image that is not there or a `capacity` below H * W * C, and for a label that is wanted of
/// a dataset without labels.
mnist_status mnist_dataset_image(const struct mnist_dataset *dataset,
                                 size_t i,
                                 float *pixels,
                                 size_t capacity,
                                 uint32_t *label,
                                 struct mnist_error *error);

/// Frees it; NULL is allowed. Slices of it, and fits under way, keep what they need.
void mnist_dataset_free(struct mnist_dataset *dataset);

/// A dataset from memory. `x` are the samples, `[N, features]`, `[N, H, W]`, `[N, steps, channels]` or `[N, H, W, C]` of any type:
/// bytes stay bytes, all else becomes float32. `y` is what they are to give: integers `[N]` or `[N, 1]` are labels, each 0 or
/// more and below 2^32; floats, and integers of another shape (one-hot classes, `[N, classes]`), are targets of rank 1 to 4,
/// float32 in the dataset, `[N]` being taken for `[N, 1]`. NULL: nothing is known of it, as is enough for
/// mnist_model_predict_dataset. `sample_weight` is `[N]` or `[N, 1]` of any type: how much each sample counts in the loss, 0 or
/// more; NULL: all the same. Everything is copied. On success `*out` is a new dataset, to be freed with mnist_dataset_free.
///
/// A target that is NaN or infinite is an error of what trains on it or evaluates it, not of this call; so are such samples.
///
/// Errors: SHAPE for another rank, a size of 0, or numbers of samples, labels, targets and weights that differ;
/// INVALID_ARGUMENT for an unknown type, a label out of its range, or a weight that is negative, NaN or infinite;
/// OUT_OF_MEMORY.
mnist_status mnist_dataset_new(const struct mnist_array *x,
                               const struct mnist_array *y,
                               const struct mnist_array *sample_weight,
                               struct mnist_dataset **out,
                               struct mnist_error *error);

/// Fills in what is nothing yet: all of it is to be set. `struct_size` is sizeof the struct: so many bytes are written, those
/// that this library does not know with zeros. NULL does nothing.
void mnist_source_init(struct mnist_source *source,
                       size_t struct_size);

/// A dataset of samples that are asked for when they are needed, a batch at a time, for data that do not fit into memory or
/// are made anew. Slices, validation_split, shuffling, checkpoints, what is done to samples (mnist_dataset_normalize and its
/// like) mean what they mean in memory, and give the same bits. Everything but `fetch` and `user` is copied; these must be
/// good as long as the dataset, its slices and calls with them. Nothing is asked for yet. On success `*out` is a new dataset,
/// to be freed with mnist_dataset_free.
///
/// Its labels and targets are not kept: mnist_dataset_labels, mnist_dataset_targets and mnist_dataset_unique_labels are
/// INVALID_ARGUMENT. In a child that is forked off inside `fetch` the call around it returns MNIST_ERROR_STATE; with prefetch
/// that child ends when `fetch` returns.
///
/// Errors: INVALID_ARGUMENT for a NULL `source`, `dims` or `fetch`; SHAPE for another rank than 1 to 3, a size or a `len` of 0;
/// UNSUPPORTED for more samples; OUT_OF_MEMORY.
mnist_status mnist_dataset_from_source(const struct mnist_source *source,
                                       struct mnist_dataset **out,
                                       struct mnist_error *error);

/// Brings the figure in a picture into the form of MNIST's digits: `grey` is `[height, width]` bytes, row-major, each side
/// 1 to 16384; `pixels`, which has room for `capacity` floats, becomes `[28, 28]`: light on a ground of 0, whole numbers
/// from 0 to 255, each divided by `divisor` in single precision. 255 gives what mnist_model_predict wants of a model that
/// was trained on data divided by 255 with mnist_dataset_normalize.
///
/// The ground is the median of the picture's border. Ink is what is lighter than that, or what is darker, whichever is
/// more; its contrast is stretched to the full range. The box of the ink, small specks left out, is scaled to 20 x 20
/// pixels, its shape kept, and placed in 28 x 28 with the centre of its mass in the middle, as MNIST was made. The picture
/// should show one figure, on an evenly lit ground that surrounds it. The result is the same to the bit on every machine.
/// It takes at most some two megabytes of memory, whatever the picture's size.
///
/// Errors: INVALID_ARGUMENT for a size out of its range, a divisor of 0, NaN or infinity, a `capacity` below 784, and a
/// picture without a figure, that is one which differs from its ground by 8 levels or more, and by four standard deviations
/// of the border's noise; OUT_OF_MEMORY.
mnist_status mnist_image_prepare(const uint8_t *grey,
                                 size_t height,
                                 size_t width,
                                 float divisor,
                                 float *pixels,
                                 size_t capacity,
                                 struct mnist_error *error);

/// An empty graph, to be freed with mnist_graph_free. NULL only when memory has run out.
struct mnist_graph *mnist_graph_new(void);

/// Frees a graph and its tensors; NULL is allowed. Models made of it live on.
void mnist_graph_free(struct mnist_graph *graph);

/// Sets the seed of the initial weights of models made after this; 0 unless set. NULL does nothing.
void mnist_graph_set_seed(struct mnist_graph *graph, uint64_t seed);

/// The first failure of a layer call of this graph, MNIST_OK if there was none. mnist_model_new reports it as well.
mnist_status mnist_graph_check(const struct mnist_graph *graph,
                               struct mnist_error *error);

/// Input: images `[height, width, channels]`, each size 1 or more. NULL on failure or for a NULL graph.
struct mnist_tensor *mnist_input(struct mnist_graph *graph, size_t height, size_t width, size_t channels);

/// Input: samples of any shape: `dims` are its `rank` sizes, 1 to 3, without the batch: `[features]`, `[steps, channels]`,
/// `[height, width, channels]`. NULL on failure or for a NULL graph.
struct mnist_tensor *mnist_input_shape(struct mnist_graph *graph,
                                       const size_t *dims,
                                       size_t rank);

/// Conv2D: `filters` kernels of `kernel_size` x `kernel_size`, stride 1, no padding ("valid"), with a bias:
/// `[H, W, C]` to `[H - kernel_size + 1, W - kernel_size + 1, filters]`. Kernels start Glorot uniform, biases 0.
/// NULL on failure (a kernel larger than its input, a size of 0) or for a NULL tensor.
struct mnist_tensor *mnist_conv2d(struct mnist_tensor *x,
                                  size_t filters,
                                  size_t kernel_size,
                                  mnist_activation activation);

/// Flatten: `[H, W, C]` to `[H * W * C]`. NULL on failure or for a NULL tensor.
struct mnist_tensor *mnist_flatten(struct mnist_tensor *x);

/// Dense: `[..., inputs]` to `[..., units]`, with a bias. The kernel starts Glorot uniform, the bias 0. NULL on failure (a
/// size of 0) or for a NULL tensor.
struct mnist_tensor *mnist_dense(struct mnist_tensor *x,
                                 size_t units,
                                 mnist_activation activation);

/// MaxPooling2D: the largest number of each `pool_size` x `pool_size` window, strides the same, no padding: `[H, W, C]` to
/// `[H / pool_size, W / pool_size, C]`, rounded down. NULL on failure (a window larger than its input, a size of 0) or for a
/// NULL tensor.
struct mnist_tensor *mnist_max_pooling2d(struct mnist_tensor *x,
                                         size_t pool_size);

/// AveragePooling2D: the mean of each window; otherwise as mnist_max_pooling2d.
struct mnist_tensor *mnist_average_pooling2d(struct mnist_tensor *x, size_t pool_size);

/// GlobalAveragePooling2D: the mean over height and width: `[H, W, C]` to `[C]`. NULL on failure or for a NULL tensor.
struct mnist_tensor *mnist_global_average_pooling2d(struct mnist_tensor *x);

/// Dropout: in training each number is 0 with probability `rate`, from 0 to below 1, and else divided by `1 - rate`; in
/// prediction nothing is done. Which ones is a function of the fit's seed, the step, the sample and the layer, whatever the
/// threads. NULL on failure or for a NULL tensor.
struct mnist_tensor *mnist_dropout(struct mnist_tensor *x,
                                   double rate);

/// BatchNormalization over the last axis, with Keras's defaults: momentum 0.99, epsilon 0.001, gamma and beta. In training
/// the batch's mean and variance count, in prediction the moving ones. NULL on failure or for a NULL tensor.
struct mnist_tensor *mnist_batch_normalization(struct mnist_tensor *x);

/// Activation: `activation` as a layer of its own, on a tensor of any shape; softmax is over the last axis. NULL on failure
/// or for a NULL tensor.
struct mnist_tensor *mnist_activate(struct mnist_tensor *x,
                                    mnist_activation activation);

/// Add: the sum of two tensors of one shape. NULL on failure or for a NULL tensor.
struct mnist_tensor *mnist_add(struct mnist_tensor *a, struct mnist_tensor *b);

/// Concatenate: two tensors, one behind the other along the last axis; their other sizes are equal. NULL on failure or for
/// a NULL tensor.
struct mnist_tensor *mnist_concatenate(struct mnist_tensor *a,
                                       struct mnist_tensor *b);

/// Any layer that takes one tensor, by Keras's class and config:
///
/// ```c
/// mnist_layer(x, "Conv2D", "{filters: 32, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}")
/// ```
///
/// The config is JSON5: keys need no quotes, strings may have single ones. What Keras's get_config() gives is valid as it
/// is; keys that are left out have Keras's defaults; `name` and `trainable` are keys too. NULL: `{}`.
///
/// Classes: Activation, AveragePooling1D, AveragePooling2D, BatchNormalization, Conv1D, Conv2D, Conv2DTranspose,
/// Cropping2D, Dense, DepthwiseConv2D, Dropout, ELU, Flatten, GaussianNoise, GlobalAveragePooling1D,
/// GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, LayerNormalization, LeakyReLU,
/// MaxPooling1D, MaxPooling2D, Normalization, PReLU, Permute, RandomBrightness, RandomContrast, RandomElasticTransform,
/// RandomErasing, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, ReLU, Rescaling, Reshape, SeparableConv2D,
/// Softmax, SpatialDropout2D, UpSampling2D, ZeroPadding2D.
///
/// The classes whose names begin with Random are augmentation: `mnist_layer(x, "RandomRotation", "{factor: 0.05}")`. They
/// change each image at random in training and leave it alone otherwise. How an image is changed follows from the seed, the
/// layer, the epoch and the sample's place in the dataset, and from nothing else.
///
/// NULL for a NULL tensor, and on failure, which mnist_graph_check and mnist_model_new tell: INVALID_ARGUMENT for a wrong
/// value (named by its key), or a text that is no JSON5 (by line and column); UNSUPPORTED for an unknown class or key (the
/// nearest known one is told), or a value that this library does not support; SHAPE for an input that does not fit.
struct mnist_tensor *mnist_layer(struct mnist_tensor *x,
                                 const char *class_name,
                                 const char *config);

/// Any layer that takes several tensors, by Keras's class and config: Add, Average, Concatenate, Maximum, Minimum, Multiply,
/// Subtract (of two). `inputs` are `count` tensors of one graph, 2 or more. Otherwise as mnist_layer; NULL if one of them is.
struct mnist_tensor *mnist_merge(struct mnist_tensor *const *inputs,
                                 size_t count,
                                 const char *class_name,
                                 const char *config);

/// The shape of a tensor, without the batch: writes as many of its sizes to `dims` as `capacity` has room for (`dims` may be
/// NULL when that is 0), and returns how many there are; 0 for NULL.
size_t mnist_tensor_shape(const struct mnist_tensor *tensor,
                          size_t *dims,
                          size_t capacity);

/// A graph out of a network as Keras writes it: the text of `model.to_json()` of a Functional or a Sequential model with one
/// input and one output. (JSON5 is taken, too.) On success `*graph` is a new graph, to be freed with mnist_graph_free, and
/// `*input` and `*output`, which belong to it, are what mnist_model_new takes. At most 10,000 layers, 16 MiB of text, 64
/// objects and lists inside each other.
///
/// Errors: FORMAT for a text that is no such network: line and column, or the key, are told; UNSUPPORTED for a class or a
/// setting that this library does not have; INVALID_ARGUMENT for a name that no layer can have; SHAPE for layers that do not
/// fit each other; OUT_OF_MEMORY.
mnist_status mnist_graph_from_json(const char *json,
                                   struct mnist_graph **graph,
                                   struct mnist_tensor **input,
                                   struct mnist_tensor **output,
                                   struct mnist_error *error);

/// A model of the layers from `input`, which an mnist_input call gave, to `output`; its weights are drawn from the
/// graph's seed. `name` is for the summary; NULL means "model". On success `*out` is a new model, to be freed with
/// mnist_model_free; the graph is not needed any more.
///
/// Errors: the first failure of a layer call of the graph; INVALID_ARGUMENT for tensors that do not belong together;
/// OUT_OF_MEMORY. The environment variable MNIST_ISA ("avx512", "avx2", "portable"; empty: unset) forces the instruction
/// set that the model computes with: INVALID_ARGUMENT for another word, UNSUPPORTED where the machine lacks it. (The
/// results are the same with each.)
mnist_status mnist_model_new(const struct mnist_tensor *input,
                             const struct mnist_tensor *output,
                             const char *name,
                             struct mnist_model **out,
                             struct mnist_error *error);

/// Frees a model, waiting for its threads to end; NULL is allowed. No other call may use it then. In a process that was
/// forked from the one that made the model it waits for nothing, and the memory stays in use.
void mnist_model_free(struct mnist_model *model);

/// Writes Keras's table of the layers, their output shapes and numbers of parameters, by `write`, which is given
/// `user_data`; NULL means stdout.
///
/// Errors: IO for a stdout that is wide-oriented (fwide) and takes no bytes.
mnist_status mnist_model_summary(const struct mnist_model *model,
                                 mnist_write_fn write,
                                 void *user_data,
                                 struct mnist_error *error);

/// How many numbers the model's weights are, those included that training does not change; 0 for NULL.
size_t mnist_model_count_params(const struct mnist_model *model);

/// The shape of a sample that the model takes, without the batch, `[height, width, channels]`, say: writes as many of its
/// sizes to `dims` as `capacity` has room for (`dims` may be NULL when that is 0), and returns how many there are, 1 to 3; 0
/// for a NULL model.
size_t mnist_model_input_shape(const struct mnist_model *model,
                               size_t *dims,
                               size_t capacity);

/// How many floats the model gives for a sample, the classes; 0 for a NULL model.
size_t mnist_model_output_len(const struct mnist_model *model);

/// Sets how many threads work for this model, 1 to 1024; 0, as at first, means all cores that the process may run on.
/// The results do not depend on it.
///
/// Errors: INVALID_ARGUMENT; BUSY; OUT_OF_MEMORY when the threads cannot be started.
mnist_status mnist_model_set_threads(struct mnist_model *model,
                                     size_t threads,
                                     struct mnist_error *error);

/// Fills in Keras's defaults. `struct_size` is sizeof the struct: so many bytes are written, those that this library does
/// not know with zeros. NULL does nothing.
void mnist_compile_options_init(struct mnist_compile_options *options,
                                size_t struct_size);

/// Prepares a model for mnist_model_fit; NULL options mean the defaults: Adam, sparse categorical crossentropy,
/// accuracy. What the optimizer has gathered in earlier fits is forgotten, the weights are kept.
///
/// Errors: INVALID_ARGUMENT for an option out of its range, a config that is no JSON5 or has a wrong value (its key is told),
/// or a loss that does not fit the last layer's activation; UNSUPPORTED for an unknown class or key in a config; SHAPE,
/// UNSUPPORTED when the model does not give a row of classes; BUSY.
mnist_status mnist_model_compile(struct mnist_model *model,
                                 const struct mnist_compile_options *options,
                                 struct mnist_error *error);

/// How many layers the model has, its input included; 0 for NULL.
size_t mnist_model_layers_len(const struct mnist_model *model);

/// The name of layer `i`, "conv2d_1". They come from the input on, in Keras's order. NULL for an `i` past the end or a NULL
/// model. The string is good as long as the model is.
const char *mnist_model_layer_name(const struct mnist_model *model,
                                   size_t i);

/// Keras's class of layer `i`, "Conv2D". Otherwise as mnist_model_layer_name.
const char *mnist_model_layer_class(const struct mnist_model *model, size_t i);

/// The shape of what the layer called `layer` gives, without the batch: its number of dimensions in `*rank`, and in `dims`,
/// which has room for `capacity` numbers, the sizes. `dims` may be NULL when `capacity` is 0. Of a layer that is called more
/// than once it is its first call that counts.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
mnist_status mnist_model_layer_shape(const struct mnist_model *model,
                                     const char *layer,
                                     size_t *dims,
                                     size_t capacity,
                                     size_t *rank,
                                     struct mnist_error *error);

/// Says whether training may change the layer called `layer`, or all of them when that is NULL; 0 freezes, any other number
/// unfreezes. It counts from the next fit on, and is saved with the model. A frozen BatchNormalization normalizes by its
/// moving statistics in training too, and leaves them as they are, as in Keras. Nothing is computed backward below the
/// lowest layer that may change. The position of an earlier fit is forgotten.
///
/// Errors: NOT_FOUND; BUSY.
mnist_status mnist_model_set_trainable(struct mnist_model *model,
                                       const char *layer,
                                       int32_t trainable,
                                       struct mnist_error *error);

/// What the layer called `layer` gives for `count` samples: `images` are `[count, ...]` of the model's input shape, `values`,
/// which has room for `capacity` floats, becomes `[count, ...]` of the layer's (mnist_model_layer_shape). Of a layer that is
/// called more than once it is its first call that counts. Relu and other activations of the layer are applied. All samples
/// meet the weights of one moment. Memory is asked for at each call. A count of 0 does nothing; the arrays may be NULL then.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
mnist_status mnist_model_predict_layer(const struct mnist_model *model,
                                       const char *layer,
                                       const float *images,
                                       size_t count,
                                       float *values,
                                       size_t capacity,
                                       struct mnist_error *error);

/// Copies those weights of `from` to `to` whose names and shapes agree, and writes how many that were to `*copied`, which may
/// be NULL: for a new head on an old body. The optimizer's state of `to` is kept; the position of an earlier fit is not.
///
/// Errors: BUSY; OUT_OF_MEMORY.
mnist_status mnist_model_copy_weights(struct mnist_model *to,
                                      const struct mnist_model *from,
                                      size_t *copied,
                                      struct mnist_error *error);

/// Writes the network as Keras's `to_json()` would say it, layers' settings, names and connections, by `write`, which is given
/// `user_data`; NULL means stdout. mnist_graph_from_json reads it, and so does Keras's model_from_json.
///
/// Errors: IO for a stdout that is wide-oriented (fwide) and takes no bytes.
mnist_status mnist_model_config(const struct mnist_model *model,
                                mnist_write_fn write,
                                void *user_data,
                                struct mnist_error *error);

/// The learning rate of the next step, into `*learning_rate`; with a schedule, what that says of it.
///
/// Errors: STATE before mnist_model_compile.
mnist_status mnist_model_get_learning_rate(const struct mnist_model *model,
                                           double *learning_rate,
                                           struct mnist_error *error);

/// Sets the learning rate from the next step on, 0 or more; also while a fit runs, from a callback of it or from another
/// thread. It is saved with the model. mnist_model_compile sets the optimizer's own again.
///
/// Errors: INVALID_ARGUMENT; STATE before mnist_model_compile, and for an optimizer with a schedule, as in Keras.
mnist_status mnist_model_set_learning_rate(struct mnist_model *model,
                                           double learning_rate,
                                           struct mnist_error *error);

/// Fills in Keras's defaults. `struct_size` is sizeof the struct: so many bytes are written, those that this library does
/// not know with zeros. NULL does nothing.
void mnist_fit_options_init(struct mnist_fit_options *options,
                            size_t struct_size);

/// Trains a compiled model on a dataset, whose images are `[H, W, C]` as the model's input (`[H, W]` will do for one
/// channel). It goes on from the weights and the optimizer's state that an earlier fit has left. NULL options mean the
/// defaults: one epoch of batches of 32, shuffled, with a progress line on stdout. `*out`, unless `out` is NULL, becomes
/// a new history, to be freed with mnist_history_free.
///
/// The same data, seeds and options give the same weights to the last bit, on any number of threads and on any
/// instruction set.
///
/// Returns MNIST_CANCELLED, the model whole and the history delivered, when a callback or mnist_model_cancel stopped it; the
/// message tells which and where: `epoch 2: after step 40 of 469: the fit was stopped by on_batch_end`. A callback of
/// callbacks_config that ends the fit, early stopping, say, is a success: MNIST_OK, and mnist_history_stop_reason tells why.
///
/// Returns MNIST_DIVERGED, the model whole and the history of the steps taken delivered, when a loss or a weight became
/// NaN or infinite, by a learning rate that is too large, say; the message tells epoch, step and layer, as
/// `epoch 1: step 4: layer dense: output: expected a finite number, found NaN`. With terminate_on_nan that step is not
/// taken, and the model has its last good weights again: those of at most 128 steps before, with which the loss was
/// finite. What the optimizer had gathered is forgotten then. When the first step is it already, by weights or images,
/// the model stays as it was. Without terminate_on_nan the fit goes on to its end. No checkpoint is written from then on.
///
/// With an optimizer that averages the weights (use_ema) the fit ends, stopped or not, with the averages in the weights' place,
/// as in Keras. What is validated meanwhile, and in checkpoints, are the weights as they are trained; after the fit the
/// model has forgotten its position, which was that of other weights.
///
/// All arguments are checked before the first step. Errors: STATE before mnist_model_compile; SHAPE for images of another
/// shape; INVALID_ARGUMENT for a label past the class count, a pixel that is NaN or infinite, or made so by
/// mnist_dataset_normalize (the message says which), or an option out of its range; BUSY; IO for a stdout that is to be
/// written to and is wide-oriented (fwide); OUT_OF_MEMORY for a batch that there is no memory for (the message says what
/// takes how much, and which batch would fit), and it can come later too: the model keeps what it has learned.
///
/// With a checkpoint_path the fit's state goes to a file, all of one step: network, weights, the optimizer's state, epoch
/// and batch, the metrics so far. A process that is killed at any moment leaves the file before or the next one, whole; a
/// fit that then resumes ends with the same weights to the last bit, and the same history, as if nothing had happened,
/// callbacks being called from where it goes on (on_epoch_begin also in the midst of an epoch, with the metrics up to
/// there). Its `epochs` may be others. The file must be of this network, compiled like this, and of a fit with as many samples (of which some are
/// compared), this batch size, shuffling, seed, initial epoch and validation; otherwise the call fails and the model stays
/// as it was. Errors: those of mnist_model_load; SHAPE for another network; INVALID_ARGUMENT for the rest, the message
/// saying which key of the file, what was expected and what is there. A path that cannot be
/// written to (see FILES above: no such folder, no right to it, a read-only file, no file, a mount point, another user's file
/// in a sticky folder) is found before the first step. IO when a checkpoint cannot be written later: the fit stops, the file
/// is the one before, and the model, which keeps what it has learned, can be saved elsewhere.
mnist_status mnist_model_fit(struct mnist_model *model,
                             const struct mnist_dataset *dataset,
                             const struct mnist_fit_options *options,
                             struct mnist_history **out,
                             struct mnist_error *error);

/// Takes one step of the optimizer on all of a dataset, as one batch, and puts its loss and accuracy, measured before the step,
/// into `*out`. It goes on from the weights and the optimizer's state that are there; what the last fit's checkpoint would need is
/// forgotten. What is random (dropout) follows from the number of the step. Memory for the step is kept for the next, until
/// the model is fitted, compiled or freed.
///
/// Returns MNIST_DIVERGED, `*out` as it was and the model too, for a loss that is NaN or infinite; the message tells where it comes from.
///
/// Errors: STATE before mnist_model_compile; SHAPE and INVALID_ARGUMENT as mnist_model_fit; BUSY; OUT_OF_MEMORY.
mnist_status mnist_model_train_on_batch(struct mnist_model *model,
                                        const struct mnist_dataset *dataset,
                                        struct mnist_metrics *out,
                                        struct mnist_error *error);

/// A metric of a fit's progress, during the callback that was given it: "loss", "accuracy", or any other that was compiled, into
/// `*value`; and, when an epoch has ended, "val_loss" and so on. NaN for what was not measured yet.
///
/// Of a progress of the caller's own making, whose `metrics` is NULL, the four metrics that are its fields are known.
///
/// Errors: NOT_FOUND for a metric that the fit does not measure; INVALID_ARGUMENT for a progress whose callback has returned.
mnist_status mnist_progress_get(const struct mnist_progress *progress,
                                const char *metric,
                                double *value,
                                struct mnist_error *error);

/// Asks the fit that is running to stop after its step; mnist_model_fit then returns MNIST_CANCELLED. May be called
/// from any thread, from a callback and from a signal handler. Without a fit under way it does nothing. NULL is allowed.
void mnist_model_cancel(const struct mnist_model *model);

/// Fills in Keras's defaults. `struct_size` is sizeof the struct: so many bytes are written, those that this library does
/// not know with zeros. NULL does nothing.
void mnist_evaluate_options_init(struct mnist_evaluate_options *options,
                                 size_t struct_size);

/// The loss that was compiled, and the accuracy, of the model on a dataset, into `*out`; options.results takes all metrics. The
/// samples are of the shape of the model's input (`[H, W]` will do for one channel). All samples meet the weights of one moment,
/// also while a fit is under way. Sample weights of the dataset count in the loss. The accuracy is NaN where the loss is told
/// targets and no accuracy was compiled. A model that is not compiled is taken for a classifier if it ends in a row of softmax, or
/// in a linear layer, taken for logits: sparse categorical crossentropy. NULL options mean the defaults.
///
/// Errors: SHAPE for samples of another shape, and for labels where the loss takes targets, or targets of another shape than the
/// model's output; INVALID_ARGUMENT for a label past the class count, a pixel that is NaN or
/// infinite, or made so by mnist_dataset_normalize, an option out of its range, too little room for the confusion matrix;
/// UNSUPPORTED for another last layer; IO for a stdout that is to be written to and is wide-oriented (fwide);
/// OUT_OF_MEMORY, the message saying which batch there would be memory for.
mnist_status mnist_model_evaluate(const struct mnist_model *model,
                                  const struct mnist_dataset *dataset,
                                  const struct mnist_evaluate_options *options,
                                  struct mnist_metrics *out,
                                  struct mnist_error *error);

/// The model's output for `count` images: `images` are `[count, H, W, C]` floats in the scale the model was trained on
/// (what mnist_dataset_image gives), the probabilities `[count, classes]` floats; `capacity` says how many floats
/// `probabilities` has room for. An image's result does not depend on the others, nor on threads. While a fit is under
/// way the weights are those between two of its steps. A count of 0 does nothing; the arrays may be NULL then.
///
/// Errors: INVALID_ARGUMENT when `capacity` is below count * classes; OUT_OF_MEMORY.
mnist_status mnist_model_predict(const struct mnist_model *model,
                                 const float *images,
                                 size_t count,
                                 float *probabilities,
                                 size_t capacity,
                                 struct mnist_error *error);

/// The model's output for all images of a dataset: `[N, classes]` floats into `probabilities`, which has room for
/// `capacity` floats. Otherwise as mnist_model_predict.
///
/// Errors: SHAPE for images of another shape; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
mnist_status mnist_model_predict_dataset(const struct mnist_model *model,
                                         const struct mnist_dataset *dataset,
                                         float *probabilities,
                                         size_t capacity,
                                         struct mnist_error *error);

/// How many weights the model has, a layer's kernel and its bias being two; 0 for NULL.
size_t mnist_model_weights_len(const struct mnist_model *model);

/// The name of weight `i`, as in a file of weights, "conv2d/kernel"; they come layer by layer, a layer's kernel before its
/// bias. NULL for an `i` past the end or a NULL model. The string is good as long as the model is.
const char *mnist_model_weight_name(const struct mnist_model *model,
                                    size_t i);

/// The shape of the weight called `name`: its number of dimensions in `*rank`, and in `dims`, which has room for
/// `capacity` numbers, the sizes: a convolution's kernel is `[k, k, in, out]`, a dense layer's `[in, out]`, a bias `[out]`.
/// `dims` may be NULL when `capacity` is 0.
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is above 0 but below the rank (nothing is written then).
mnist_status mnist_model_weight_shape(const struct mnist_model *model,
                                      const char *name,
                                      size_t *dims,
                                      size_t capacity,
                                      size_t *rank,
                                      struct mnist_error *error);

/// Copies the weight called `name` to `values`, which has room for `capacity` floats: as many as the product of its shape,
/// row-major. While a fit is under way they are those of one moment between two steps; two calls may meet two moments
/// (mnist_model_save_weights writes all weights of one).
///
/// Errors: NOT_FOUND; INVALID_ARGUMENT when `capacity` is too small.
mnist_status mnist_model_get_weight(const struct mnist_model *model,
                                    const char *name,
                                    float *values,
                                    size_t capacity,
                                    struct mnist_error *error);

/// Sets the weight called `name` to `values`, `count` floats, row-major as its shape says; whether they are finite is not
/// judged. What the optimizer has gathered is kept.
///
/// Errors: NOT_FOUND; SHAPE when `count` is not the product of the weight's shape; BUSY.
mnist_status mnist_model_set_weight(struct mnist_model *model,
                                    const char *name,
                                    const float *values,
                                    size_t count,
                                    struct mnist_error *error);

/// Writes the weights to the file `path` in the safetensors format: `conv2d/kernel` `[k, k, in, out]`, `dense/kernel`
/// `[in, out]`, `.../bias` `[out]`, float32. The weights are those of one moment between two steps. The file is written
/// beside its place and renamed: whoever opens `path` finds the old file or the new one, and on failure the old one (see
/// FILES above).
///
/// Errors: IO for what cannot be written, or replaced; NOT_FOUND for a folder that is not there; INVALID_ARGUMENT for a path
/// that does not end in a file's name; OUT_OF_MEMORY.
mnist_status mnist_model_save_weights(const struct mnist_model *model,
                                      const char *path,
                                      struct mnist_error *error);

/// Reads weights that mnist_model_save_weights wrote, or any other program in that form; of a file that mnist_model_save
/// wrote, the weights alone. A file of Keras's, `.weights.h5`, `.h5` or `.keras`, is taken likewise, told by its content: layers
/// are met in Keras's order, their names do not count. The file must have exactly this model's weights; otherwise the model stays as it was. What
/// the optimizer has gathered is kept.
///
/// A safetensors file of a PyTorch state_dict will do as well: one whose tensors are called `conv1.weight`, `bn1.running_mean`,
/// `fc.bias` and so on, none of them as a weight of this model, float32, float16, bfloat16 or float64. Kernels are brought from
/// `[out, in, k, k]` into `[k, k, in, out]`, `[out, in]` into `[in, out]`, and where a picture is flattened the order C, H, W into
/// H, W, C. Names are not compared: what a module holds, names of tensors and shapes, says which layer it is. Modules that
/// hold the same are told by the numbers in their names, if these differ in nothing else and the layers follow on each
/// other. What that leaves open is UNSUPPORTED; mnist_model_load_weights_mapped takes it. The layers themselves must be
/// PyTorch's: a batch normalization's epsilon is 1e-5 there (docs/interop.md tells what differs).
///
/// Memory, whatever the file: a copy of this model's weights (of PyTorch's, and the largest of them once more), and 64 bytes
/// for each byte of the file's header, which is refused beyond 16 MiB.
///
/// Errors, with file and tensor: NOT_FOUND for the file or a missing tensor; SHAPE for a wrong shape or a tensor that
/// the model does not have; UNSUPPORTED for another dtype than float32 (of PyTorch's: no float), a state_dict that can be taken
/// in several ways, or a format that this build does not have; FORMAT for what is no such file, the kind of which is
/// named if it is a known one; IO; BUSY.
mnist_status mnist_model_load_weights(struct mnist_model *model,
                                      const char *path,
                                      struct mnist_error *error);

/// Reads weights of a PyTorch state_dict, a safetensors file, whose names `map` explains: JSON5, an object in which
/// a tensor's name has the weight's that it is, or a module's name has a layer's, or either has null, for what is to be left out.
/// Every weight of the model must be in it once, and every tensor of the file (but num_batches_tracked). Layouts are PyTorch's,
/// as in mnist_model_load_weights. On failure the model stays as it was.
///
/// ```c
/// mnist_model_load_weights_mapped(model, "net.safetensors",
///     "{'left': 'conv2d', 'right': 'conv2d_1', 'fc.weight': 'dense/kernel', 'fc.bias': 'dense/bias', aux: null}", error);
/// ```
///
/// Errors: those of mnist_model_load_weights; INVALID_ARGUMENT for a map that is no such object or names something twice;
/// NOT_FOUND for a name that the file or the model does not have, and for a weight that the map leaves out.
mnist_status mnist_model_load_weights_mapped(struct mnist_model *model,
                                             const char *path,
                                             const char *map,
                                             struct mnist_error *error);

/// Writes the whole model to the file `path`: the network and its name, the weights, what it was compiled with, the
/// optimizer's state, and how far the fit that is running, or was the last, has come. All are of one step, also when
/// another thread trains meanwhile; a callback may call this too. The file is safetensors, its tensors those of
/// mnist_model_save_weights, `optimizer/...`, `fit/...` and `history/...`, its header telling the rest. It replaces what
/// was there as mnist_model_save_weights does. A fit can resume from it (see mnist_fit_options). It takes memory for a copy
/// of the weights and the optimizer's state; a fit's checkpoint does not.
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED for a network of too many layers.
mnist_status mnist_model_save(const struct mnist_model *model,
                              const char *path,
                              struct mnist_error *error);

/// Reads a model that mnist_model_save or a fit's checkpoint wrote. (The format is told by the file's content; others are for
/// builds that have them, and UNSUPPORTED in those that do not.) On success `*out` is a new model, to be freed with
/// mnist_model_free, which is as the saved one was: it predicts and evaluates, and if that was compiled, a fit goes on from
/// its weights and optimizer's state. A file of Keras's, `.keras` or a whole model in `.h5`, is taken likewise, told by its
/// content: with what it was compiled with and the optimizer's state, so that a fit goes on where Keras stopped. So is an
/// ONNX file, as by mnist_model_load_onnx: not compiled. (To go on in the midst of a fit, see `resume` in mnist_fit_options.)
///
/// Memory, whatever the file: 64 bytes for each byte of its header, which is refused beyond 16 MiB, and 8 for each byte
/// behind it; a file of Keras's, 3 for each of its bytes, or of what it unpacks to; an ONNX file, what mnist_model_load_onnx
/// says. (What predicting takes is for the network's sizes to say, which a small file can make large.)
///
/// Errors, with file and key or tensor: NOT_FOUND for the file or a missing tensor; FORMAT for what is no whole model (a
/// file of weights, say) or contradicts itself; SHAPE for a tensor of another shape than the network asks for, or one too
/// many; INVALID_ARGUMENT for options that mnist_model_compile would refuse; UNSUPPORTED for a file that is newer than this
/// library or holds what it does not know; IO; OUT_OF_MEMORY.
/// MNIST_ISA counts as in mnist_model_new.
mnist_status mnist_model_load(const char *path,
                              struct mnist_model **out,
                              struct mnist_error *error);

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
mnist_status mnist_model_load_memory(const void *data,
                                     size_t len,
                                     struct mnist_model **out,
                                     struct mnist_error *error);

/// Reads weights from memory: `data` are the `len` bytes of a file that mnist_model_load_weights would take, of any of its
/// formats. Alignment and ownership as in mnist_model_load_memory. On failure the model stays as it was.
///
/// Errors: those of mnist_model_load_weights, with the argument in the place of the file.
mnist_status mnist_model_load_weights_memory(struct mnist_model *model,
                                             const void *data,
                                             size_t len,
                                             struct mnist_error *error);

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
mnist_status mnist_model_save_memory(const struct mnist_model *model,
                                     void *buffer,
                                     size_t capacity,
                                     size_t *needed,
                                     struct mnist_error *error);

/// Writes the weights to memory: the bytes of the file that mnist_model_save_weights would write. `buffer`, `capacity` and
/// `*needed` are as in mnist_model_save_memory.
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small, likewise; OUT_OF_MEMORY.
mnist_status mnist_model_save_weights_memory(const struct mnist_model *model,
                                             void *buffer,
                                             size_t capacity,
                                             size_t *needed,
                                             struct mnist_error *error);

/// Fills in the defaults. `struct_size` is sizeof the caller's struct.
void mnist_c_options_init(struct mnist_c_options *options, size_t struct_size);

/// Writes the model to `path` as one file of C99 that predicts, on a microcontroller, say:
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
/// The file needs neither this library nor C's, no heap and no double; what it gives is what mnist_model_predict gives for
/// one image, to the bit, if it is compiled with -ffp-contract=off, as it says itself (docs/microcontrollers.md). `prefix` begins
/// its names: a letter, then letters, digits and `_`, at most 32. The memory that it needs between the layers is the macro
/// PREFIX_SCRATCH_LEN, in floats, the prefix being in capitals. The weights are those of one moment between two steps. The file
/// is replaced as mnist_model_save_weights does; it takes memory for two copies of the weights.
///
/// Errors: INVALID_ARGUMENT for the prefix; UNSUPPORTED, naming the layer, for weights that are not finite and for a layer that
/// there is not in C; those of mnist_model_save_weights.
mnist_status mnist_model_save_c(const struct mnist_model *model,
                                const char *path,
                                const char *prefix,
                                struct mnist_error *error);

/// The same as `options` say; NULL: the defaults.
///
/// Errors: those of mnist_model_save_c; INVALID_ARGUMENT for an option.
mnist_status mnist_model_save_c_with(const struct mnist_model *model,
                                     const char *path,
                                     const char *prefix,
                                     const struct mnist_c_options *options,
                                     struct mnist_error *error);

/// Writes the same to memory: the bytes of the file that mnist_model_save_c_with would write, which end without a NUL.
/// `buffer`, `capacity` and `*needed` are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_c_with but for the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small:
/// `*needed` is written even then, `buffer` is not.
mnist_status mnist_model_save_c_memory(const struct mnist_model *model,
                                       const char *prefix,
                                       const struct mnist_c_options *options,
                                       void *buffer,
                                       size_t capacity,
                                       size_t *needed,
                                       struct mnist_error *error);

/// Writes the whole model to the file `path` as Keras 3 does, a `.keras` file, which Keras loads, compiles and goes on
/// training: the network and its name, the weights, what it was compiled with, and the optimizer's state, all of one step,
/// also when another thread trains meanwhile. How far a fit has come is no part of such a file (mnist_model_save's has it).
/// Keras asks for a name that ends in `.keras`; mnist_model_load takes the file by its content. The file is replaced as
/// mnist_model_save_weights does. It takes memory for a copy of the weights and the optimizer's state.
///
/// ```c
/// mnist_model_save_keras(model, "digits.keras", error);   // in Python: keras.models.load_model("digits.keras")
/// ```
///
/// Errors: those of mnist_model_save_weights; UNSUPPORTED from a library that was built without its feature `keras`.
mnist_status mnist_model_save_keras(const struct mnist_model *model,
                                    const char *path,
                                    struct mnist_error *error);

/// Writes the same to memory: the bytes of the file that mnist_model_save_keras would write. `buffer`, `capacity` and `*needed`
/// are as in mnist_model_save_memory. It takes memory for the weights and the state once, and for these bytes twice at most.
///
/// ```c
/// size_t needed = 0;
/// mnist_model_save_keras_memory(model, NULL, 0, &needed, error);
/// void *bytes = malloc(needed);
/// mnist_model_save_keras_memory(model, bytes, needed, &needed, error);
/// ```
///
/// Errors: INVALID_ARGUMENT when `capacity` is above 0 but too small: `*needed` is written even then, `buffer` is not;
/// OUT_OF_MEMORY; UNSUPPORTED from a library that was built without its feature `keras`.
mnist_status mnist_model_save_keras_memory(const struct mnist_model *model,
                                           void *buffer,
                                           size_t capacity,
                                           size_t *needed,
                                           struct mnist_error *error);

/// Writes the model to the ONNX file `path`, for onnxruntime and whoever else runs such files: its network and its weights,
/// those of one moment between two steps, with operators of opset 17, for any number of samples. What goes in and comes out
/// is the model's: images are `[batch, height, width, channels]`, float32. What is random in training (dropout, noise,
/// augmentation) is left out; so are the compile options and the optimizer's state. A layer that is called twice is written
/// twice. The file replaces what was there as mnist_model_save_weights does. Memory: twice the weights.
///
/// Errors, with the layer: those of mnist_model_save_weights; UNSUPPORTED for a layer or an activation that has no form in
/// ONNX, and for more than 2 GiB, and from a library that was built without its feature `onnx`.
///
/// ```c
/// status = mnist_model_save_onnx(model, "digits.onnx", error);
/// ```
mnist_status mnist_model_save_onnx(const struct mnist_model *model,
                                   const char *path,
                                   struct mnist_error *error);

/// Writes the model to memory: the bytes of the file that mnist_model_save_onnx would write. `buffer`, `capacity` and `*needed`
/// are as in mnist_model_save_memory.
///
/// Errors: those of mnist_model_save_onnx but the file's; INVALID_ARGUMENT when `capacity` is above 0 but too small, likewise.
mnist_status mnist_model_save_onnx_memory(const struct mnist_model *model,
                                          void *buffer,
                                          size_t capacity,
                                          size_t *needed,
                                          struct mnist_error *error);

/// Reads the ONNX file `path`, as PyTorch, tf2onnx, skl2onnx and mnist_model_save_onnx write it: operators of opset 7 to 25,
/// one input and one output of float32, what this library's layers can do. On success `*out` is a new model, to be freed with
/// mnist_model_free, made of these layers; it is not compiled, and all of its weights can be trained. mnist_model_load reads
/// such a file as well, if it begins as they usually do, and mnist_model_load_memory one in memory.
///
/// What the model takes: samples as the file says, any number of them. But images whose channels come first, `[batch, channels,
/// height, width]`, as PyTorch has them, come last for the model: `[height, width, channels]`, and so do rows `[batch,
/// channels, steps]`. Channels come first where the nearest convolution, pool or normalization takes the input as it is, and
/// last where a transpose comes before that; where there is none of these, they come first in images of at most 4 of them and
/// more columns than that. (Of one channel the numbers are the same.) mnist_model_input_shape tells the shape. The kernels are
/// turned, also those behind a flatten. Images that come out have their channels last as well, unless those that go in are as
/// the file says.
///
/// Tensors may lie in other files (external data), which have to be in the folder of this one. Memory, whatever the file: some
/// times its size, and some hundred bytes for each of its nodes and settings, of which it may have 200,000.
///
/// Errors, with file and node or tensor: NOT_FOUND for the file; FORMAT for what is no ONNX file, or a damaged one; SHAPE
/// for nodes and weights that do not fit each other; UNSUPPORTED for an operator, a setting or a type that the layers do not
/// have, naming node and operator; IO; OUT_OF_MEMORY.
/// MNIST_ISA counts as in mnist_model_new.
///
/// ```c
/// mnist_model *model = NULL;
/// status = mnist_model_load_onnx("from_pytorch.onnx", &model, error);
/// ```
mnist_status mnist_model_load_onnx(const char *path,
                                   struct mnist_model **out,
                                   struct mnist_error *error);

/// How many epochs it holds, one that was cut short included; 0 for NULL.
size_t mnist_history_epochs(const struct mnist_history *history);

/// A metric of an epoch, which counts from 0 at the fit's first one, into `*value`: "loss", "accuracy", "val_loss",
/// "val_accuracy", or any of mnist_history_metric_name.
///
/// Errors: NOT_FOUND for a metric that was not measured, in this epoch (validation_freq) or at all; INVALID_ARGUMENT for an epoch that is not there.
mnist_status mnist_history_get(const struct mnist_history *history,
                               const char *metric,
                               size_t epoch,
                               double *value,
                               struct mnist_error *error);

/// How many metrics it holds, the loss included; 0 for NULL.
size_t mnist_history_metrics_len(const struct mnist_history *history);

/// The name of metric `i`, from 0: "loss" first, then what was compiled, then the same for the validation data, "val_loss" and so
/// on, then what a callback has measured. The text lives as long as the history. NULL for no such metric, and for NULL.
const char *mnist_history_metric_name(const struct mnist_history *history,
                                      size_t i);

/// Why the fit ended before its last epoch, when a callback of callbacks_config ended it: "EarlyStopping: ...". The text lives as
/// long as the history. NULL when none did, and for NULL.
const char *mnist_history_stop_reason(const struct mnist_history *history);

/// Frees it; NULL is allowed.
void mnist_history_free(struct mnist_history *history);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MNIST_H */
