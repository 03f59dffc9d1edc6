//! Tensors in files: safetensors, named tensors of little-endian numbers after a JSON header.
//!
//! A file of weights holds `conv2d/kernel`, `conv2d/bias`, `dense/kernel`, ... in Keras's layouts, as float32. It is
//! written atomically. Errors name the file and the tensor. (`model::saved` describes the file of a whole model.)

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

/// The longest header that is written or accepted, in bytes: enough for the tensors of ten thousand layers. Reading one
/// takes up to about fifty times its length (48 measured), so a file must not choose it freely.
const HEADER_MOST: usize = 1 << 24;
/// The free memory required before a header is read, in multiples of its length. A malicious one takes more, as stated
/// above.
const HEADER_COST: usize = 20;

/// Fails if [`files::save`] would fail before it writes: the folder does not exist or is not writable, or the file
/// cannot be replaced.
pub fn check_writable(path: &FilePath) -> Result<()> {
    files::check(path).at(path)
}

#[cfg(test)]
mod tests;
