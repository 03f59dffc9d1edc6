//! The options of `fit` and `evaluate`, with Keras's defaults.

use super::progress::{Output, Verbose};
use crate::data::Dataset;
use crate::machines::Communicator;
use crate::model::Logs;
use serde_json::Value;
use std::path::PathBuf;

/// The options of `fit`.
pub struct FitOptions<'a> {
    /// Samples in a step of training; the last batch of an epoch may be shorter. Default: 32.
    pub batch_size: usize,
    /// The end epoch (exclusive). Default: 1.
    pub epochs: usize,
    /// The first epoch, to continue an earlier fit. Default: 0.
    pub initial_epoch: usize,
    /// Whether each epoch takes the samples in a new random order. Default: true.
    pub shuffle: bool,
    /// The output during the fit. Default: the progress bar.
    pub verbose: Verbose,
    /// The seed of the shuffling. Default: 0.
    pub seed: u64,
    /// The fraction of the data, taken from their end, that is used for validation, in `[0, 1)`. Default: 0.
    pub validation_split: f64,
    /// Data to validate on after each epoch; takes precedence over the split. Default: none.
    pub validation_data: Option<&'a Dataset>,
    /// Where the progress is written.
    pub output: Output<'a>,
    /// The functions called at each batch's end and each epoch's begin and end. Default: nothing.
    pub callbacks: Option<&'a mut dyn Callbacks>,
    /// Where and when checkpoints are written. Default: never.
    pub checkpoint: Option<CheckpointOptions>,
    /// Callbacks, a list as Keras serializes it. Default: none.
    pub callbacks_config: Value,
    /// How much a sample of each class counts. Default: all the same.
    pub class_weight: Option<Vec<f32>>,
    /// Epochs from one validation to the next, 1 or more. Default: 1.
    pub validation_freq: usize,
    /// Batches in an epoch; the next epoch continues with the samples where this one stopped. Default: one pass over
    /// the samples.
    pub steps_per_epoch: Option<usize>,
    /// How many batches of a [source](Dataset::from_source) are requested ahead, on another thread. Default: 0, none.
    pub prefetch: usize,
    /// Whether the fit stops at a loss or a weight that is NaN or infinite, and restores the last good weights.
    /// Default: true (Keras continues with useless weights).
    pub terminate_on_nan: bool,
    /// The ranks that take the fit together, all of which call it with the same model, data and options. Default: none.
    pub communicator: Option<&'a dyn Communicator>,
}

/// Where and when a fit writes its state, so that another fit can resume from it. It is written at each interval that
/// is not 0, and when the fit ends or is stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointOptions {
    /// The file, which [`Model::load`](crate::model::Model::load) reads as well.
    pub path: PathBuf,
    /// Write after this many batches, counted from the fit's first one.
    pub batches: usize,
    /// Write after this many epochs, counted from the fit's first one.
    pub epochs: usize,
    /// Write after the first batch that ends this many seconds after the last checkpoint.
    pub seconds: f64,
    /// Whether to resume from the file, if it exists.
    pub resume: bool,
}

impl<'a> FitOptions<'a> {
    /// Whether to resume from a checkpoint, if it exists.
    pub fn resumes(&self) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.resume)
    }

    /// Keras's defaults, writing to `output`.
    pub fn new(output: Output<'a>) -> Self {
        FitOptions {
            batch_size: 32,
            epochs: 1,
            initial_epoch: 0,
            shuffle: true,
            verbose: Verbose::Bar,
            seed: 0,
            validation_split: 0.0,
            validation_data: None,
            output,
            callbacks: None,
            checkpoint: None,
            callbacks_config: Value::Null,
            class_weight: None,
            validation_freq: 1,
            steps_per_epoch: None,
            prefetch: 0,
            terminate_on_nan: true,
            communicator: None,
        }
    }
}

/// The options of `evaluate`.
pub struct EvaluateOptions<'a> {
    /// Samples in a step. The result does not depend on it. Default: 32.
    pub batch_size: usize,
    /// The output during the evaluation. Default: none.
    pub verbose: Verbose,
    /// Where the progress is written.
    pub output: Output<'a>,
    /// Receives the confusion matrix, `[classes, classes]`, where classes is the length of the model's output: at
    /// `[label, class]` the number of samples with that label whose most probable class (the first of equals) was that
    /// one. It may be longer; values after the matrix do not change. Written on success only. Default: none.
    pub confusion: Option<&'a mut [u64]>,
}

impl<'a> EvaluateOptions<'a> {
    /// The defaults, writing to `output`.
    pub fn new(output: Output<'a>) -> Self {
        EvaluateOptions { batch_size: 32, verbose: Verbose::Silent, output, confusion: None }
    }
}

/// The progress of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The end epoch (exclusive).
    pub epochs: usize,
    /// The batch that just ended, from 0; 0 at an epoch's begin.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// The metrics over the epoch's samples so far, and, at its end, on the validation data.
    pub logs: Logs,
    /// The accuracy's name, if it is measured.
    pub accuracy: Option<String>,
    /// Seconds since the epoch began.
    pub seconds: f64,
}

impl Progress {
    /// A metric; NaN if it has not been measured yet, or is not measured at all.
    pub fn get(&self, name: &str) -> f64 {
        self.logs.get(name).unwrap_or(f64::NAN)
    }
}

/// Whether a fit is to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Continue.
    Continue,
    /// Stop after this step; the fit's result says that it was cancelled.
    Stop,
}

/// Functions that a fit calls on its caller's thread. They may use the model for everything except another exclusive
/// call.
pub trait Callbacks {
    /// After each step of training.
    fn on_batch_end(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
    /// Before the first step of an epoch.
    fn on_epoch_begin(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
    /// After an epoch and its validation.
    fn on_epoch_end(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
}
