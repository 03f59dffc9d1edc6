//! The C ABI, and nothing else: a file for each kind of object.
//!
//! An exported function checks its arguments, calls one safe function of the crate, and writes its outputs, all inside
//! [`guard`]: the one place where errors and panics become a status and a message. The header is generated from these
//! files; their doc comments are its text.
//!
//! | file | what crosses the boundary |
//! |---|---|
//! | `guard` | nothing: entry and exit of every function |
//! | `cancel` | nothing: disables thread cancellation during a call |
//! | `pointers` | who owns what a pointer points to |
//! | `error`, `npz`, `dataset`, `graph`, `model`, `history` | an object each, named as in the header |
//! | `dataset_files`, `dataset_memory`, `array`, `source` | where the samples of a dataset come from |
//! | `dataset_change`, `dataset_values` | changes to a dataset; what it contains |
//! | `fit`, `evaluate`, `weights`, `named_weights` | what is done with a model |
//! | `memory` | models and weights in the caller's memory |
//! | `c_source` | a model as a file of C |
//! | `keras`, `onnx` | models in their files |
//! | `image` | a picture converted to MNIST's form |
//! | `options` | structs that begin with their size |
//! | `output`, `stdout` | text for the caller's function, or for C's `stdout` |
//! | `reserve` | nothing: the memory reserve |

mod array;
#[cfg(feature = "c-source")]
mod c_source;
mod cancel;
mod communicator;
mod dataset;
mod dataset_change;
mod dataset_files;
mod dataset_memory;
mod dataset_values;
mod error;
mod evaluate;
mod fit;
mod graph;
mod guard;
mod history;
mod image;
mod keras;
mod layers;
mod memory;
mod model;
mod named_weights;
mod npz;
mod onnx;
mod options;
mod output;
mod pointers;
#[cfg(feature = "reserve")]
mod reserve;
mod source;
#[cfg_attr(windows, path = "stdout_windows.rs")]
mod stdout;
mod weights;

/// The error of a build without a feature.
#[cfg(not(all(feature = "keras", feature = "onnx")))]
fn built_without(what: &str, feature: &str) -> crate::error::Error {
    use crate::error::{Error, ErrorKind};
    let error = Error::new(ErrorKind::Unsupported, format!("the library was built without {what}"));
    error.expected(format_args!("its feature `{feature}`"))
}
