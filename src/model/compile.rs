//! What `compile` can be told, with Keras's defaults.

use crate::optimizers::{Adam, Optimizer};
use std::sync::Arc;

/// How a model is to be trained.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// What turns gradients into steps. Default: Adam.
    pub optimizer: Arc<dyn Optimizer>,
    /// What is made small. Default: [`Loss::SparseCategoricalCrossentropy`].
    pub loss: Loss,
    /// Whether accuracy, the share of samples whose most probable class is their label, is reported. Default: true.
    pub accuracy: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            optimizer: Arc::new(Adam::default()),
            loss: Loss::SparseCategoricalCrossentropy,
            accuracy: true,
        }
    }
}

/// What training makes small: the mean over a batch's samples of `-log(probability of the label)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// For a model that ends in softmax. It is computed from the logits under the softmax.
    SparseCategoricalCrossentropy,
    /// The same for a model that ends without an activation and so gives the logits themselves.
    SparseCategoricalCrossentropyFromLogits,
}
