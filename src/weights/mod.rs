//! Weights in files: safetensors, named tensors of little-endian float32 behind a JSON header.
//!
//! A file holds `conv2d/kernel`, `conv2d/bias`, `dense/kernel`, ... in Keras's layouts. It appears under its name whole
//! or not at all, and it is read whole or not at all: what does not fit is an error that names the file and the tensor.

mod load;
mod replace;
mod save;

pub use load::load;
pub use save::{Entry, save};

#[cfg(test)]
mod tests;
