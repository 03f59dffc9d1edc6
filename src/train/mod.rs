//! Fit and evaluate: what is done with a model and data.
//!
//! ```text
//! fit         epochs of batches            evaluate    the forward pass, and how good what it gives is
//! options     what both can be told; callbacks
//! progress    Keras's progress line        checkpoint  when a fit writes a file, and goes on from it
//! step        one step of the optimizer               profile   where its time goes
//! watch       numbers that are none, and the last good weights
//! stop        how a caller has stopped a fit
//! looking_on  the configured callbacks         class_weight  how much a sample counts
//! ```

mod checkpoint;
mod class_weight;
mod evaluate;
mod fit;
mod looking_on;
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
