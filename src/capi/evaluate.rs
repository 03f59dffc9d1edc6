//! Evaluate and predict.
#![allow(non_camel_case_types)]

use super::dataset::mnist_dataset;
use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::history::mnist_history;
use super::model::mnist_model;
use super::options::{self, Options, unknown};
use super::output::{Sink, mnist_write_fn};
use super::pointers::{borrow, give, out, room, slice};
use crate::error::{Error, ErrorKind, Result};
use crate::train::{EvaluateOptions, Output, Verbose};
use std::ffi::c_void;

/// Options of mnist_model_evaluate; fill them in with mnist_evaluate_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_evaluate_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// Samples in a step, 1 or more; the result does not depend on it. Default: 32.
    pub batch_size: usize,
    /// 0: no output. 1: a progress line. 2: one line at the end. Default: 0.
    pub verbose: i32,
    /// Receives the output; NULL: stdout. Default: NULL.
    pub write: mnist_write_fn,
    /// Passed to `write`. Default: NULL.
    pub write_data: *mut c_void,
    /// Receives the confusion matrix, `[classes, classes]`, row-major, where classes is the length of the model's
    /// output: row = label, column = most probable class (the first of equals). Its sum is the number of samples; its
    /// diagonal divided by that is the accuracy. Written on success only. NULL: not wanted. Default: NULL.
    pub confusion: *mut u64,
    /// How many values `confusion` has room for: classes * classes or more. Values after the matrix are not changed.
    /// Default: 0.
    pub confusion_capacity: usize,
    /// Receives all metrics as a new history with one epoch; free it with mnist_history_free. Written on success only.
    /// NULL: not wanted. Default: NULL.
    pub results: *mut *mut mnist_history,
}

// SAFETY: numbers, a nullable function, and pointers that are handed on or checked for NULL, behind a usize.
unsafe impl Options for mnist_evaluate_options {
    const DEFAULT: Self = mnist_evaluate_options {
        struct_size: size_of::<Self>(),
        batch_size: 32,
        verbose: 0,
        write: None,
        write_data: std::ptr::null_mut(),
        confusion: std::ptr::null_mut(),
        confusion_capacity: 0,
        results: std::ptr::null_mut(),
    };
    const FIRST: usize = std::mem::offset_of!(Self, confusion);
}

impl mnist_evaluate_options {
    /// The caller's memory for the confusion matrix of a model with so many classes, if requested.
    ///
    /// # Safety
    /// `confusion` is NULL or has room for `confusion_capacity` numbers that nobody else uses during `'a`.
    unsafe fn confusion<'a>(&self, classes: usize) -> Result<Option<&'a mut [u64]>> {
        if self.confusion.is_null() {
            return Ok(None);
        }
        let needed = classes.saturating_mul(classes);
        let capacity = (self.confusion_capacity, "options.confusion_capacity");
        // SAFETY: the caller's.
        unsafe { room(self.confusion, "options.confusion", capacity, needed) }.map(Some)
    }
}

/// Loss and accuracy.
#[repr(C)]
pub struct mnist_metrics {
    /// The mean loss over the samples.
    pub loss: f64,
    /// The fraction of samples whose most probable class is their label, 0 to 1; NaN if it is not measured.
    pub accuracy: f64,
}

/// The meaning of a `verbose` field.
pub(super) fn verbose(value: i32) -> Result<Verbose> {
    match value {
        0 => Ok(Verbose::Silent),
        1 => Ok(Verbose::Bar),
        2 => Ok(Verbose::Line),
        _ => Err(unknown("verbose", "0, 1 or 2", value)),
    }
}

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_evaluate_options_init(options: *mut mnist_evaluate_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(options, struct_size) })
}

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
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_evaluate(
    model: *const mnist_model,
    dataset: *const mnist_dataset,
    options: *const mnist_evaluate_options,
    out: *mut mnist_metrics,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let data = borrow(dataset, "dataset")?.get();
            let options = options::read(options, "options")?;
            let out = self::out(out, "out")?;
            let sink = Sink::new(options.write, options.write_data);
            let verbose = verbose(options.verbose)?;
            if verbose != Verbose::Silent {
                sink.ready()?;
            }
            let found = model.evaluate(
                &data,
                EvaluateOptions {
                    batch_size: options.batch_size,
                    verbose,
                    output: Output {
                        write: &mut |text| sink.write(text),
                        redraw: sink.redraw(),
                        columns: &|| sink.columns(),
                        check: &|| sink.check(),
                    },
                    confusion: options.confusion(model.output_len())?,
                },
            )?;
            if !options.results.is_null() {
                let results = self::out(options.results, "options.results")?;
                results.write(give(mnist_history::new(found.results)));
            }
            out.write(mnist_metrics { loss: found.metrics.loss, accuracy: found.metrics.accuracy });
        }
        Ok(MNIST_OK)
    })
}

/// Computes the model's output for `count` images. `images` holds `[count, H, W, C]` floats with the scaling that the
/// model was trained with (as mnist_dataset_image gives them); `probabilities` receives `[count, classes]` floats and
/// has room for `capacity` floats. The result for an image depends neither on the other images nor on threads. During a
/// fit all images are computed with one snapshot of the weights, taken between two steps. A count of 0 does nothing;
/// the arrays may be NULL then.
///
/// Errors: INVALID_ARGUMENT when `capacity` is below count * classes; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_predict(
    model: *const mnist_model,
    images: *const f32,
    count: usize,
    probabilities: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let needed = |each: usize, argument: &str| {
                let error = || Error::new(ErrorKind::InvalidArgument, "too many images").found(count);
                count.checked_mul(each).ok_or_else(|| error().at(format_args!("argument `{argument}`")))
            };
            let images = slice(images, needed(model.input_shape().len(), "count")?, "images")?;
            let len = needed(model.output_len(), "count")?;
            model.predict(images, count, room(probabilities, "probabilities", (capacity, "capacity"), len)?)?;
        }
        Ok(MNIST_OK)
    })
}

/// Computes the model's output for all samples of a dataset: `probabilities` receives `[N, classes]` floats and has
/// room for `capacity` floats. Everything else is as in mnist_model_predict.
///
/// Errors: SHAPE for samples of another shape; INVALID_ARGUMENT when `capacity` is too small; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_predict_dataset(
    model: *const mnist_model,
    dataset: *const mnist_dataset,
    probabilities: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            let data = borrow(dataset, "dataset")?.get();
            let len = data.len().saturating_mul(model.output_len());
            model.predict_dataset(&data, room(probabilities, "probabilities", (capacity, "capacity"), len)?)?;
        }
        Ok(MNIST_OK)
    })
}
