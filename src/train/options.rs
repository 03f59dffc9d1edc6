//! What `fit` and `evaluate` can be told, with Keras's defaults.

use super::progress::{Output, Verbose};
use crate::data::Dataset;
use crate::model::Logs;
use serde_json::Value;
use std::path::PathBuf;

/// How to fit.
pub struct FitOptions<'a> {
    /// Samples in a step of training; the last batch of an epoch may be shorter. Default: 32.
    pub batch_size: usize,
    /// The epoch to stop before. Default: 1.
    pub epochs: usize,
    /// The epoch to start with, as when an earlier fit goes on. Default: 0.
    pub initial_epoch: usize,
    /// Whether each epoch goes through the samples in a fresh order. Default: true.
    pub shuffle: bool,
    /// What is written while it runs. Default: the progress bar.
    pub verbose: Verbose,
    /// The seed of the shuffling. Default: 0.
    pub seed: u64,
    /// The share of the data, its end, that is kept for validation, in `[0, 1)`. Default: 0.
    pub validation_split: f64,
    /// Data to validate on after each epoch; takes precedence over the split. Default: none.
    pub validation_data: Option<&'a Dataset>,
    /// Where the progress is written.
    pub output: Output<'a>,
    /// What is called at each batch's end and each epoch's begin and end. Default: nothing.
    pub callbacks: Option<&'a mut dyn Callbacks>,
    /// Where and when the fit's state is written. Default: nowhere.
    pub checkpoint: Option<CheckpointOptions>,
    /// Callbacks, a list as Keras serialises it. Default: none.
    pub callbacks_config: Value,
    /// How much a sample of each class counts. Default: all alike.
    pub class_weight: Option<Vec<f32>>,
    /// Epochs from one validation to the next, 1 or more. Default: 1.
    pub validation_freq: usize,
    /// Batches in an epoch; the next epoch goes on where this one has stopped. Default: as many as it takes to go through the
    /// samples once.
    pub steps_per_epoch: Option<usize>,
    /// How many batches of a [source](Dataset::from_source) are asked for ahead, on another thread. Default: 0, none.
    pub prefetch: usize,
    /// Whether the fit stops at a loss or a weight that is NaN or infinite, and goes back to good weights. Default: true
    /// (Keras goes on with weights that are good for nothing any more).
    pub terminate_on_nan: bool,
}

/// Where and when a fit writes its state, so that another one can go on from there. It is written at each interval that
/// is not 0, and when the fit ends or is stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointOptions {
    /// The file, which [`Model::load`](crate::model::Model::load) reads as well.
    pub path: PathBuf,
    /// After every so many batches, counted from the fit's first one.
    pub batches: usize,
    /// After every so many epochs, likewise.
    pub epochs: usize,
    /// After the first batch that ends so many seconds after the last time.
    pub seconds: f64,
    /// Whether to go on from the file, if there is one.
    pub resume: bool,
}

impl<'a> FitOptions<'a> {
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
        }
    }
}

/// How to evaluate.
pub struct EvaluateOptions<'a> {
    /// Samples in a step. The result does not depend on it. Default: 32.
    pub batch_size: usize,
    /// What is written while it runs. Default: nothing.
    pub verbose: Verbose,
    /// Where the progress is written.
    pub output: Output<'a>,
    /// A place for the confusion matrix, `[classes, classes]`, the classes being all of the model's output: at
    /// `[label, class]` the number of samples with that label whose most probable class (the first of equals) was that one.
    /// It may be longer; what is past the matrix stays as it is. Written on success only. Default: none.
    pub confusion: Option<&'a mut [u64]>,
}

impl<'a> EvaluateOptions<'a> {
    /// The defaults, writing to `output`.
    pub fn new(output: Output<'a>) -> Self {
        EvaluateOptions { batch_size: 32, verbose: Verbose::Silent, output, confusion: None }
    }
}

/// How far a fit has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// How many epochs there will be.
    pub epochs: usize,
    /// The batch that just ended, from 0; 0 at an epoch's begin.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// What has been measured over the epoch's samples so far, and, at its end, on the validation data.
    pub logs: Logs,
    /// What the accuracy is called, if it is measured.
    pub accuracy: Option<String>,
    /// Seconds since the epoch began.
    pub seconds: f64,
}

impl Progress {
    /// A metric; NaN for what was not measured yet, or is not measured at all.
    pub fn get(&self, name: &str) -> f64 {
        self.logs.get(name).unwrap_or(f64::NAN)
    }
}

/// Whether a fit is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop after this step; the fit's result says that it was cancelled.
    Stop,
}

/// What a fit calls on its caller's thread. The model may be used meanwhile for everything but another exclusive call.
pub trait Callbacks {
    /// After each step of training.
    fn on_batch_end(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
    /// Before an epoch's first step.
    fn on_epoch_begin(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
    /// After an epoch and its validation.
    fn on_epoch_end(&mut self, _progress: &Progress) -> Control {
        Control::Continue
    }
}
