//! An embeddable library that trains small image classifiers inside somebody else's program.
//!
//! Data flows one way, and every folder is one station on its road:
//!
//! ```text
//! data  ->  train  ->  layers  ->  kernels
//! files     fit        what a      the inner loops,
//! and       evaluate   layer       per instruction set
//! memory    predict    computes
//!
//! image     a picture of any size in the form of MNIST's digits
//! graph     what a network is: descriptions of layers, shapes, names, the summary
//! weights   tensors in safetensors files      json   the descriptions in their headers
//! files     every path that is opened, read or written
//! capi      the C ABI over all of it; nothing depends on it
//! ```
//!
//! Three promises run through all of them: the same seed, data and options give the same weights to the last bit, at
//! any thread count and on any instruction set; a call that fails changes nothing; nothing is global.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod capi;
pub mod data;
pub mod error;
pub mod files;
pub mod graph;
pub mod image;
#[doc(hidden)] // for the fuzzing and the tests, not for use
pub mod json;
#[doc(hidden)] // for the benchmarks, not for use
pub mod kernels;
mod kind;
pub mod layers;
mod memory;
pub mod optimizers;
pub mod train;
mod variables;
pub mod weights;

pub use error::{Error, ErrorKind, Result};
