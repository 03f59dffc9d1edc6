//! Tensors in files: safetensors, named tensors of little-endian numbers behind a JSON header.
//!
//! A file of weights holds `conv2d/kernel`, `conv2d/bias`, `dense/kernel`, ... in Keras's layouts, as float32. It appears
//! under its name whole or not at all: what does not fit is an error that names the file and the tensor. (What a whole
//! model's file holds besides is told in `model::saved`.)

mod load;
pub mod pytorch;
mod save;
mod values;

pub use load::{Expected, TensorFile, open};
pub use safetensors::Dtype;
pub use save::{Entry, write};
pub use values::Values;

use crate::error::{At, Result};
use crate::files::{self, FilePath};

/// The longest header that is written or believed, in bytes: more than the tensors of ten thousand layers take. To read
/// one takes some fifty times its length at worst (48 seen), which is not for a file to choose.
const HEADER_MOST: usize = 1 << 24;
/// How many times its length must be to spare before one is read. One that is made to harm takes more, as said.
const HEADER_COST: usize = 20;

/// Fails where [`files::save`] would before it writes: no such folder, no right to write in it, no file that can be replaced.
pub fn check_writable(path: &FilePath) -> Result<()> {
    files::check(path).at(path)
}

#[cfg(test)]
mod tests;
