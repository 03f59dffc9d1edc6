//! Fit, evaluate, predict: a model and what can be done with it.
//!
//! ```text
//! model       a network's description and parameters; who may do what at the same time
//! options     what compile, fit and evaluate can be told; callbacks
//! fit         epochs of batches      evaluate    the forward pass alone: scores and predictions
//! plan        how a network is computed    network    the layers at work on a batch
//! parameters  all weights, in one tensor      pool      a model's threads
//! state       how it is trained, how far      progress  Keras's progress line
//! saved       the whole model as a file       history   the metrics of each epoch
//! checkpoint  when a fit writes one           config    what both describe, as JSON
//! watch       numbers that are none, and the last good weights
//! budget      whether there is memory for it all
//! named_weights  weights by name, in memory
//! ```

mod budget;
mod checkpoint;
mod config;
mod evaluate;
mod fit;
#[cfg(test)]
mod graph_tests;
mod history;
#[cfg(test)]
mod keras_tests;
mod model;
mod named_weights;
mod network;
mod options;
mod parameters;
mod plan;
mod pool;
mod progress;
mod saved;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use evaluate::Metrics;
pub use fit::Fitted;
pub use history::{EpochMetrics, History};
pub use model::Model;
pub use options::{Callbacks, CheckpointOptions, CompileOptions, Control, EvaluateOptions, FitOptions, Loss, Progress};
pub use progress::{Output, Verbose};
pub use watch::Divergence;
