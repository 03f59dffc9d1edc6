//! Fit, its options and its callbacks.
#![allow(non_camel_case_types)]

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
use crate::memory;
use crate::train::{Callbacks, CheckpointOptions, Control, FitOptions, Output, Progress, Verbose};
use std::ffi::{c_char, c_void};

/// How far a fit has come.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The epoch that the fit stops before.
    pub epochs: usize,
    /// The batch that just ended, from 0; 0 when an epoch begins.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// The mean loss over the epoch's samples so far; NaN when it begins.
    pub loss: f64,
    /// The share of the epoch's samples so far that were classified right, 0 to 1; NaN when it begins, or when
    /// accuracy was not asked for.
    pub accuracy: f64,
    /// The loss on the validation data; NaN unless the epoch has ended and there are such data.
    pub val_loss: f64,
    /// The accuracy on the validation data; NaN likewise.
    pub val_accuracy: f64,
    /// Seconds since the epoch began.
    pub seconds: f64,
    /// What mnist_progress_get reads, good during the callback.
    pub metrics: *const mnist_progress_metrics,
}

/// All metrics of a progress, for mnist_progress_get.
pub struct mnist_progress_metrics {
    progress: Progress,
}

impl Handle for mnist_progress_metrics {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistprg");
}

/// Is called during a fit, on the thread that called it, between two steps. Non-zero stops the fit. It may use any
/// function that takes a const model, predict and save included; `progress` is good during the call. It must return: no
/// longjmp, no C++ exception and no pthread_exit may pass through the library. Its thread cannot be cancelled meanwhile.
pub type mnist_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, progress: *const mnist_progress) -> i32>;

/// How to fit; fill it in with mnist_fit_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_fit_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// Samples in a step, 1 or more; an epoch's last batch may be shorter. 32.
    pub batch_size: usize,
    /// The epoch to stop before, 1 or more. 1.
    pub epochs: usize,
    /// The epoch to start with, as when an earlier fit goes on; at `epochs` or past it there is nothing to do. 0.
    pub initial_epoch: usize,
    /// Whether each epoch goes through the samples in a fresh order. 1.
    pub shuffle: i32,
    /// 0: nothing is written. 1: Keras's progress line. 2: one line an epoch. 1.
    pub verbose: i32,
    /// The seed of the shuffling. 0.
    pub seed: u64,
    /// The share of the data, taken from its end, that is kept for validation, from 0 to below 1. 0.
    pub validation_split: f64,
    /// Data to validate on after each epoch; NULL: none. Takes precedence over the split. NULL.
    pub validation_data: *const mnist_dataset,
    /// Where the progress is written; NULL: stdout, where a line is redrawn only on a terminal (that does not call itself
    /// dumb), and kept within its width. NULL.
    pub write: mnist_write_fn,
    /// Handed to `write`.
    pub write_data: *mut c_void,
    /// Called after each step; NULL: nothing. NULL.
    pub on_batch_end: mnist_callback,
    /// Called before an epoch's first step; NULL: nothing. NULL.
    pub on_epoch_begin: mnist_callback,
    /// Called after an epoch and its validation; NULL: nothing. NULL.
    pub on_epoch_end: mnist_callback,
    /// Handed to the callbacks.
    pub user_data: *mut c_void,
    /// A file for the fit's state, as mnist_model_save writes it; NULL: none. It is written at each interval below that
    /// is not 0, and when the fit ends or is stopped. A relative path means the working folder when the fit begins. NULL.
    pub checkpoint_path: *const c_char,
    /// Written after every so many batches, counted from the fit's first one. 0.
    pub checkpoint_batches: usize,
    /// Written after every so many epochs, likewise. 0.
    pub checkpoint_epochs: usize,
    /// Written after a batch or an epoch when so many seconds have gone by since the last time. 0.
    pub checkpoint_seconds: f64,
    /// Whether to go on from the file at `checkpoint_path`; where there is none, the fit begins as without. 0.
    pub resume: i32,
    /// Whether the fit stops at a loss or a weight that is NaN or infinite and goes back to good weights. 1 (Keras goes on
    /// with weights that are good for nothing any more).
    pub terminate_on_nan: i32,
    /// Callbacks as Keras serialises them, in JSON5: "[{class_name: 'EarlyStopping', config: {patience: 3,
    /// restore_best_weights: true}}]". Classes: EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, CSVLogger, TensorBoard,
    /// TerminateOnNaN. NULL: none. NULL.
    pub callbacks_config: *const c_char,
    /// How much a sample of each class counts in the loss, each finite and 0 or more; NULL: all alike. Not together with sample
    /// weights of the dataset. The validation data are not weighted so. NULL.
    pub class_weight: *const f32,
    /// How many numbers `class_weight` has: one for each class. 0.
    pub class_weight_len: usize,
    /// Epochs from one validation to the next, 1 or more. 1.
    pub validation_freq: usize,
    /// Steps in an epoch; the next epoch goes on where this one has stopped. 0: as many as it takes to go through the samples
    /// once. 0.
    pub steps_per_epoch: usize,
    /// How many batches of an mnist_source are asked for ahead, on a thread of the library. 0: none, on the fit's thread. 0.
    pub prefetch: usize,
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
    };
    const FIRST: usize = std::mem::offset_of!(Self, checkpoint_path);
}

impl mnist_fit_options {
    /// The weights of the classes, if there are any.
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

    /// What the checkpoint's fields say.
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
            let what = "is NULL, where there is an interval or something to resume";
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

/// Fills in Keras's defaults. `struct_size` is sizeof the struct: so many bytes are written, those that this library does
/// not know with zeros. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_fit_options_init(options: *mut mnist_fit_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(options, struct_size) })
}

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_fit(
    model: *mut mnist_model,
    dataset: *const mnist_dataset,
    options: *const mnist_fit_options,
    out: *mut *mut mnist_history,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status_and_news(error, || {
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

/// Takes one step of the optimizer on all of a dataset, as one batch, and puts its loss and accuracy, measured before the step,
/// into `*out`. It goes on from the weights and the optimizer's state that are there; what the last fit's checkpoint would need is
/// forgotten. What is random (dropout) follows from the number of the step. Memory for the step is kept for the next, until
/// the model is fitted, compiled or freed.
///
/// Returns MNIST_DIVERGED, `*out` as it was and the model too, for a loss that is NaN or infinite; the message tells where it comes from.
///
/// Errors: STATE before mnist_model_compile; SHAPE and INVALID_ARGUMENT as mnist_model_fit; BUSY; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_train_on_batch(
    model: *mut mnist_model,
    dataset: *const mnist_dataset,
    out: *mut mnist_metrics,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status_and_news(error, || {
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

/// A metric of a fit's progress, during the callback that was given it: "loss", "accuracy", or any other that was compiled, into
/// `*value`; and, when an epoch has ended, "val_loss" and so on. NaN for what was not measured yet.
///
/// Of a progress of the caller's own making, whose `metrics` is NULL, the four metrics that are its fields are known.
///
/// Errors: NOT_FOUND for a metric that the fit does not measure; INVALID_ARGUMENT for a progress whose callback has returned.
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

/// Asks the fit that is running to stop after its step; mnist_model_fit then returns MNIST_CANCELLED. May be called
/// from any thread, from a callback and from a signal handler. Without a fit under way it does nothing. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_cancel(model: *const mnist_model) {
    guard::value((), || {
        // SAFETY: by the contract it is NULL or live.
        if let Some(model) = unsafe { peek(model) } {
            model.model.cancel();
        }
    })
}
