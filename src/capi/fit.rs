//! Fit, its options and its callbacks.
#![allow(non_camel_case_types)]

use super::communicator::{HostCommunicator, mnist_communicator};
use super::dataset::mnist_dataset;
use super::error::{MNIST_CANCELLED, MNIST_DIVERGED, MNIST_OK, mnist_error, mnist_status};
use super::evaluate::{mnist_metrics, verbose};
use super::guard;
use super::history::mnist_history;
use super::model::{config, mnist_model};
use super::options::{self, Options};
use super::output::{Sink, mnist_write_fn};
use super::pointers::{Handle, Tagged, borrow, give, out, path, peek, slice, string};
use crate::error::{Error, ErrorKind, Result, one_of, printable};
use crate::machines::Communicator;
use crate::memory;
use crate::train::{Callbacks, CheckpointOptions, Control, FitOptions, Output, Progress, Verbose};
use std::ffi::{c_char, c_void};

/// The progress of a fit, passed to callbacks.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The end epoch (exclusive).
    pub epochs: usize,
    /// The batch that just ended, from 0; 0 at the beginning of an epoch.
    pub batch: usize,
    /// The number of batches in an epoch.
    pub batches: usize,
    /// The mean loss over the epoch's samples so far; NaN at the beginning of an epoch.
    pub loss: f64,
    /// The fraction of the epoch's samples so far that were classified correctly, 0 to 1; NaN at the beginning of an
    /// epoch, and if accuracy was not compiled.
    pub accuracy: f64,
    /// The loss on the validation data; NaN unless the epoch has ended and there are validation data.
    pub val_loss: f64,
    /// The accuracy on the validation data; NaN in the same cases.
    pub val_accuracy: f64,
    /// Seconds since the epoch began.
    pub seconds: f64,
    /// All metrics, for mnist_progress_get; valid during the callback.
    pub metrics: *const mnist_progress_metrics,
}

/// All metrics of a progress, for mnist_progress_get.
pub struct mnist_progress_metrics {
    progress: Progress,
}

impl Handle for mnist_progress_metrics {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistprg");
}

/// Called during a fit, on the thread that called the fit, between two steps. A non-zero return value stops the fit. It
/// may call any function that takes a const model, such as predict and save. `progress` is valid during the call;
/// `user_data` is the pointer from the options. The callback must return: longjmp, C++ exceptions and pthread_exit must
/// not pass through the library. The thread cannot be cancelled during the call.
pub type mnist_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, progress: *const mnist_progress) -> i32>;

/// Options of mnist_model_fit; fill them in with mnist_fit_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_fit_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// Samples in a step, 1 or more; the last batch of an epoch may be smaller. Default: 32.
    pub batch_size: usize,
    /// The end epoch (exclusive), 1 or more. Default: 1.
    pub epochs: usize,
    /// The first epoch, from 0, to continue an earlier fit; if it is not below `epochs`, the fit does nothing. Default:
    /// 0.
    pub initial_epoch: usize,
    /// Not 0: every epoch takes the samples in a new random order. Default: 1.
    pub shuffle: i32,
    /// 0: no output. 1: Keras's progress line. 2: one line per epoch. Default: 1.
    pub verbose: i32,
    /// The seed for shuffling, and for dropout, noise and augmentation. Default: 0.
    pub seed: u64,
    /// The fraction of the data, taken from their end, that is used for validation, from 0 to below 1. Default: 0.
    pub validation_split: f64,
    /// Data to validate with after each epoch; NULL: none. It takes precedence over `validation_split`. Default: NULL.
    pub validation_data: *const mnist_dataset,
    /// Receives the progress text; NULL: stdout. On stdout the line is redrawn only on a terminal (with TERM other than
    /// "dumb") and kept within its width. Default: NULL.
    pub write: mnist_write_fn,
    /// Passed to `write`. Default: NULL.
    pub write_data: *mut c_void,
    /// Called after each step; NULL: nothing. Default: NULL.
    pub on_batch_end: mnist_callback,
    /// Called before the first step of an epoch; NULL: nothing. Default: NULL.
    pub on_epoch_begin: mnist_callback,
    /// Called after an epoch and its validation; NULL: nothing. Default: NULL.
    pub on_epoch_end: mnist_callback,
    /// Passed to the callbacks. Default: NULL.
    pub user_data: *mut c_void,
    /// A file for the fit's state, in the format of mnist_model_save; NULL: none. It is written at each of the
    /// intervals below that is not 0, and when the fit ends or is stopped. A relative path is resolved when the fit
    /// begins. Default: NULL.
    pub checkpoint_path: *const c_char,
    /// Write a checkpoint after this many batches, counted from the fit's first one; 0: no such interval. Default: 0.
    pub checkpoint_batches: usize,
    /// Write a checkpoint after this many epochs, counted from the fit's first one; 0: no such interval. Default: 0.
    pub checkpoint_epochs: usize,
    /// Write a checkpoint after a batch or an epoch when this many seconds have passed since the last one; 0: no such
    /// interval. Default: 0.
    pub checkpoint_seconds: f64,
    /// Not 0: resume from the file at `checkpoint_path`; if there is no such file, the fit begins as usual. Default: 0.
    pub resume: i32,
    /// Not 0: stop the fit at a loss or a weight that is NaN or infinite, and restore the last good weights. 0:
    /// continue, as Keras does, with weights that are useless from then on. Default: 1.
    pub terminate_on_nan: i32,
    /// Callbacks as Keras serializes them, in JSON5: "[{class_name: 'EarlyStopping', config: {patience: 3,
    /// restore_best_weights: true}}]". Classes: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, CSVLogger,
    /// TensorBoard, TerminateOnNaN. NULL: none. Default: NULL.
    pub callbacks_config: *const c_char,
    /// How much a sample of each class counts in the loss: finite values, 0 or more. NULL: all classes count the same.
    /// It cannot be combined with a dataset's sample weights, and does not affect validation. Default: NULL.
    pub class_weight: *const f32,
    /// The number of values in `class_weight`: one per class. Default: 0.
    pub class_weight_len: usize,
    /// Validate after every this many epochs, 1 or more. Default: 1.
    pub validation_freq: usize,
    /// Steps in an epoch; the next epoch continues with the samples where this one stopped. 0: as many as one pass over
    /// the samples takes. Default: 0.
    pub steps_per_epoch: usize,
    /// How many batches of an mnist_source are requested ahead, on a thread of the library. 0: none; the fit's thread
    /// requests each batch when it needs it. Default: 0.
    pub prefetch: usize,
    /// Connects the processes that train together, see mnist_model_fit. NULL: this process trains alone. Default: NULL.
    pub communicator: *const mnist_communicator,
}

// SAFETY: numbers, nullable functions and pointers that are handed on or checked for NULL, behind a usize.
unsafe impl Options for mnist_fit_options {
    const DEFAULT: Self = mnist_fit_options {
        struct_size: size_of::<Self>(),
        batch_size: 32,
        epochs: 1,
        initial_epoch: 0,
        shuffle: 1,
        verbose: 1,
        seed: 0,
        validation_split: 0.0,
        validation_data: std::ptr::null(),
        write: None,
        write_data: std::ptr::null_mut(),
        on_batch_end: None,
        on_epoch_begin: None,
        on_epoch_end: None,
        user_data: std::ptr::null_mut(),
        checkpoint_path: std::ptr::null(),
        checkpoint_batches: 0,
        checkpoint_epochs: 0,
        checkpoint_seconds: 0.0,
        resume: 0,
        terminate_on_nan: 1,
        callbacks_config: std::ptr::null(),
        class_weight: std::ptr::null(),
        class_weight_len: 0,
        validation_freq: 1,
        steps_per_epoch: 0,
        prefetch: 0,
        communicator: std::ptr::null(),
    };
    const FIRST: usize = std::mem::offset_of!(Self, checkpoint_path);
}

impl mnist_fit_options {
    /// The class weights, if there are any.
    ///
    /// # Safety
    /// `class_weight` is NULL or points to `class_weight_len` numbers.
    unsafe fn class_weight(&self) -> Result<Option<Vec<f32>>> {
        if self.class_weight.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's.
        let weights = unsafe { slice(self.class_weight, self.class_weight_len, "options.class_weight") }?;
        memory::collect(weights.iter().copied()).map(Some)
    }

    /// Reads the checkpoint's fields.
    ///
    /// # Safety
    /// `checkpoint_path` is NULL or points to a NUL-terminated string.
    unsafe fn checkpoint(&self) -> Result<Option<CheckpointOptions>> {
        let mnist_fit_options { checkpoint_batches: batches, checkpoint_epochs: epochs, .. } = *self;
        let (seconds, resume) = (self.checkpoint_seconds, self.resume != 0);
        if self.checkpoint_path.is_null() {
            if batches == 0 && epochs == 0 && seconds == 0.0 && !resume {
                return Ok(None);
            }
            let what = "is NULL, but an interval or `resume` is set";
            return Err(Error::new(ErrorKind::InvalidArgument, what).at("option `checkpoint_path`"));
        }
        // SAFETY: the caller's.
        let path = unsafe { path(self.checkpoint_path, "options.checkpoint_path") }?;
        Ok(Some(CheckpointOptions { path, batches, epochs, seconds, resume }))
    }
}

/// The caller's callbacks.
struct CCallbacks<'a>(&'a mnist_fit_options);

impl CCallbacks<'_> {
    fn call(&self, callback: mnist_callback, progress: &Progress) -> Control {
        let Some(callback) = callback else { return Control::Continue };
        let Progress { epoch, epochs, batch, batches, seconds, ref accuracy, .. } = *progress;
        let of = |name: Option<String>| name.map_or(f64::NAN, |name| progress.get(&name));
        let mut metrics = Tagged::new(mnist_progress_metrics { progress: progress.clone() });
        let progress = mnist_progress {
            epoch,
            epochs,
            batch,
            batches,
            loss: progress.get("loss"),
            accuracy: of(accuracy.clone()),
            val_loss: progress.get("val_loss"),
            val_accuracy: of(accuracy.as_ref().map(|name| format!("val_{name}"))),
            seconds,
            metrics: metrics.pointer(),
        };
        // SAFETY: by the contract it is a function of this type that may be called until the fit returns.
        match unsafe { callback(self.0.user_data, &raw const progress) } {
            0 => Control::Continue,
            _ => Control::Stop,
        }
    }
}

impl Callbacks for CCallbacks<'_> {
    fn on_batch_end(&mut self, progress: &Progress) -> Control {
        self.call(self.0.on_batch_end, progress)
    }
    fn on_epoch_begin(&mut self, progress: &Progress) -> Control {
        self.call(self.0.on_epoch_begin, progress)
    }
    fn on_epoch_end(&mut self, progress: &Progress) -> Control {
        self.call(self.0.on_epoch_end, progress)
    }
}

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_fit_options_init(options: *mut mnist_fit_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(options, struct_size) })
}

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_fit(
    model: *mut mnist_model,
    dataset: *const mnist_dataset,
    options: *const mnist_fit_options,
    out: *mut *mut mnist_history,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status_and_message(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let data = borrow(dataset, "dataset")?.get();
            let options = options::read(options, "options")?;
            let validation = match options.validation_data.is_null() {
                true => None,
                false => Some(borrow(options.validation_data, "options.validation_data")?.get()),
            };
            let sink = Sink::new(options.write, options.write_data);
            let verbose = verbose(options.verbose)?;
            let communicator = HostCommunicator::of(options.communicator)?;
            if verbose != Verbose::Silent {
                sink.ready()?;
            }
            let fitted = model.fit(
                &data,
                FitOptions {
                    batch_size: options.batch_size,
                    epochs: options.epochs,
                    initial_epoch: options.initial_epoch,
                    shuffle: options.shuffle != 0,
                    verbose,
                    seed: options.seed,
                    validation_split: options.validation_split,
                    validation_data: validation.as_ref(),
                    output: Output {
                        write: &mut |text| sink.write(text),
                        redraw: sink.redraw(),
                        columns: &|| sink.columns(),
                        check: &|| sink.check(),
                    },
                    callbacks: Some(&mut CCallbacks(&options)),
                    checkpoint: options.checkpoint()?,
                    terminate_on_nan: options.terminate_on_nan != 0,
                    callbacks_config: config(options.callbacks_config, "callbacks_config")?.unwrap_or_default(),
                    class_weight: options.class_weight()?,
                    validation_freq: options.validation_freq,
                    steps_per_epoch: Some(options.steps_per_epoch).filter(|&steps| steps > 0),
                    prefetch: options.prefetch,
                    communicator: communicator.as_ref().map(|communicator| communicator as &dyn Communicator),
                },
            )?;
            if !out.is_null() {
                out.write(give(mnist_history::new(fitted.history)));
            }
            Ok(match (fitted.diverged, fitted.cancelled) {
                (Some(diverged), _) => (MNIST_DIVERGED, Some(diverged.to_string())),
                (None, Some(stop)) => (MNIST_CANCELLED, Some(stop.to_string())),
                (None, None) => (MNIST_OK, None),
            })
        }
    })
}

/// Takes one optimizer step on the whole dataset as one batch. `*out` receives its loss and accuracy, measured before
/// the step. It continues from the current weights and optimizer state; the position of an earlier fit is discarded.
/// Dropout and other random operations depend on the number of the step. The memory for the step is kept for the next
/// one until the model is fitted, compiled or freed.
///
/// Returns MNIST_DIVERGED if the loss is NaN or infinite: then neither `*out` nor the model changes, and the message
/// says which layer it comes from.
///
/// Errors: STATE before mnist_model_compile; SHAPE and INVALID_ARGUMENT as in mnist_model_fit; BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_train_on_batch(
    model: *mut mnist_model,
    dataset: *const mnist_dataset,
    out: *mut mnist_metrics,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status_and_message(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let data = borrow(dataset, "dataset")?.get();
            let out = self::out(out, "out")?;
            let (metrics, diverged) = model.train_on_batch(&data)?;
            if let Some(diverged) = diverged {
                return Ok((MNIST_DIVERGED, Some(diverged.to_string())));
            }
            out.write(mnist_metrics { loss: metrics.loss, accuracy: metrics.accuracy });
            Ok((MNIST_OK, None))
        }
    })
}

/// Gets a metric of a fit's progress during the callback: "loss", "accuracy" or any other compiled metric; after an
/// epoch also "val_loss" and so on. `*value` is NaN for a metric that has not been measured yet.
///
/// If you fill in an mnist_progress yourself, with a NULL `metrics`, the four metrics that are its fields can be read.
///
/// Errors: NOT_FOUND for a metric that the fit does not measure; INVALID_ARGUMENT for a progress whose callback has
/// returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_progress_get(
    progress: *const mnist_progress,
    metric: *const c_char,
    value: *mut f64,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let progress = &slice(progress, 1, "progress")?[0];
            let name = string(metric, "metric")?;
            let own = [
                ("loss", progress.loss),
                ("accuracy", progress.accuracy),
                ("val_loss", progress.val_loss),
                ("val_accuracy", progress.val_accuracy),
            ];
            let (names, found): (Vec<&str>, f64) = match progress.metrics.is_null() {
                true => {
                    let found = own.iter().find(|(known, _)| *known == name);
                    (own.map(|(known, _)| known).to_vec(), found.map_or(f64::NAN, |(_, value)| *value))
                }
                false => {
                    let progress = &borrow(progress.metrics, "progress.metrics")?.progress;
                    (progress.logs.names().iter().map(String::as_str).collect(), progress.get(name))
                }
            };
            if !names.contains(&name) {
                return Err(Error::new(ErrorKind::NotFound, "the fit does not measure it")
                    .expected(one_of(names))
                    .found(format_args!("`{}`", printable(name)))
                    .at("argument `metric`"));
            }
            out(value, "value")?.write(found);
        }
        Ok(MNIST_OK)
    })
}

/// Asks a running fit to stop after its current step; mnist_model_fit then returns MNIST_CANCELLED. It may be called
/// from any thread, from a callback and from a signal handler. It does nothing if no fit is running. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_cancel(model: *const mnist_model) {
    guard::value((), || {
        // SAFETY: by the contract it is NULL or live.
        if let Some(model) = unsafe { peek(model) } {
            model.model.cancel();
        }
    })
}
