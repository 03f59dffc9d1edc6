//! An embeddable library that trains feed-forward networks inside somebody else's program.
//!
//! Data flows one way, and every folder is one stage:
//!
//! ```text
//! data  ->  train   ->  model     ->  layers  ->  kernels
//! files     fit         its plan,     what a      the inner loops,
//! and       evaluate    predict,      layer       per instruction set
//! memory                files         computes
//!
//! graph     what a network is: layers and their calls, names, Keras's JSON, the summary
//! optimizers  what turns gradients into steps
//! losses    what training minimizes           metrics   what is measured besides
//! callbacks what runs during a fit: early stopping, files
//! machines  a fit on several machines
//! image     converts a picture to the form of MNIST's digits
//! c_source  exports a model as C source that predicts
//! keras_files  models in Keras files
//! weights   tensors in safetensors files      json   configs and descriptions, read key by key
//! onnx      models in ONNX files, written and read
//! files     every path that is opened, read or written
//! capi      the C ABI over all of it; nothing depends on it
//! ```
//!
//! Three promises run through all of them: the same seed, data and options give the same weights to the last bit, at
//! any thread count and on any instruction set; a call that fails changes nothing; nothing is global.

#![deny(unsafe_code)] // except in the two folders that allow it
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

#[cfg(feature = "c-source")]
pub mod c_source;
pub mod callbacks;
#[allow(unsafe_code)]
mod capi;
pub mod data;
pub mod error;
pub mod files;
#[cfg(test)]
mod golden;
pub mod graph;
pub mod image;
#[doc(hidden)] // for the fuzzing and the tests, not for use
pub mod json;
#[cfg(feature = "keras")]
pub mod keras_files;
#[doc(hidden)] // for the benchmarks, not for use
#[allow(unsafe_code)]
pub mod kernels;
mod kind;
pub mod layers;
pub mod losses;
pub mod machines;
mod memory;
pub mod metrics;
pub mod model;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod optimizers;
pub mod train;
mod variables;
pub mod weights;

pub use error::{Error, ErrorKind, Result};
