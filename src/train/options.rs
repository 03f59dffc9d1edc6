//! What `fit` and `evaluate` can be told, with Keras's defaults.

use super::progress::{Output, Verbose};
use crate::data::Dataset;
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// How many epochs there will be.
    pub epochs: usize,
    /// The batch that just ended, from 0; 0 at an epoch's begin.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// The mean loss over the epoch's samples so far; NaN before the first.
    pub loss: f64,
    /// The share of the epoch's samples so far that were classified right; NaN before the first, or when not asked for.
    pub accuracy: f64,
    /// The loss on the validation data; NaN unless the epoch has ended and there are such data.
    pub val_loss: f64,
    /// The accuracy on the validation data; NaN likewise.
    pub val_accuracy: f64,
    /// Seconds since the epoch began.
    pub seconds: f64,
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
