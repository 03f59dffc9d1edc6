//! How good a model's output is, over some samples.

use crate::kernels::softmax::Score;

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// The mean loss over the samples.
    pub loss: f64,
    /// The share of samples whose most probable class is their label.
    pub accuracy: f64,
}

/// Scores gathered over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    pub(crate) score: Score,
    pub(crate) samples: usize,
}

impl Mean {
    pub(crate) fn add(&mut self, score: Score, samples: usize) {
        self.score.loss += score.loss;
        self.score.correct += score.correct;
        self.samples += samples;
    }

    /// The means; NaN over nothing.
    pub(crate) fn metrics(&self) -> Metrics {
        let samples = self.samples as f64;
        Metrics { loss: self.score.loss / samples, accuracy: self.score.correct as f64 / samples }
    }
}
