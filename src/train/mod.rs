//! Fit and evaluate: what is done with a model and data.
//!
//! ```text
//! fit         epochs of batches            evaluate    the forward pass, with loss and metrics
//! options     options of both; callbacks
//! progress    Keras's progress line        checkpoint  writes a fit's state, and resumes from it
//! step        one optimizer step           profile     the time of each layer
//! watch       stops at NaN and infinity, restores the last good weights
//! stop        how a caller has stopped a fit
//! agreement   what several ranks compare, and tell each other
//! fit_callbacks  configured callbacks      class_weight  sample weights by class
//! ```

mod agreement;
mod checkpoint;
mod class_weight;
mod evaluate;
mod fit;
mod fit_callbacks;
mod options;
mod profile;
mod progress;
mod step;
mod stop;
#[cfg(test)]
mod tests;
mod watch;

pub use evaluate::Evaluated;
pub use fit::Fitted;
pub use options::{Callbacks, CheckpointOptions, Control, EvaluateOptions, FitOptions, Progress};
pub use profile::{LayerTime, Profile};
pub use progress::{Output, Verbose};
pub use stop::Stop;
pub use watch::Divergence;
