//! Writes and reads models in ONNX files.
//!
//! ```text
//! proto      the messages                     count       counts messages before they are read
//! export     writes a model                   out         the table of layers, as ONNX operators
//! import     reads a model                    operators   the table of operators, as layers
//! constants  the constant tensors             layout      the order of ONNX's axes
//! ```
//!
//! **Export.** Operators of opset 17, any batch size, in the model's layout: images are `[N, H, W, C]`. Layers that are
//! random in training are left out. A layer that is called twice is written twice, each with its weights.
//!
//! **Import.** Operators of opset 7 to 25, one input and one output, as far as the layers support them. The model takes
//! the graph's samples, with an exception: images with channels first (`[N, C, H, W]`, as from PyTorch) become `[N, H,
//! W, C]`. Channels come first if a convolution, a pooling or a normalization takes them so; without such a node, if
//! there are at most 4 channels and more columns than channels, unless the file's metadata say that channels come last,
//! as in files of this library. Kernels are transposed accordingly. Output images have channels last too, unless the
//! input keeps the file's layout. All weights are trainable, and attributes that ONNX omits have Keras's defaults.

mod constants;
mod count;
mod export;
mod import;
mod layout;
mod operators;
mod out;
mod proto;
#[cfg(test)]
mod tests;

use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{self, Content, FilePath};
use crate::kind::Kind;
use crate::memory;
use crate::model::Model;
use prost::bytes::Bytes;
use std::borrow::Cow;
use std::path::Path;

/// Protobuf's limit, in bytes.
const LARGEST: u64 = i32::MAX as u64;
/// The bytes of a file that are used to name its kind, if it is not ONNX.
const START: usize = 4096;

/// The model as an ONNX file's bytes. Memory: twice its weights.
///
/// # Errors
/// `Unsupported` for a layer that cannot be expressed in ONNX (the message names it), and for more than 2 GiB; `OutOfMemory`.
pub fn write(model: &Model) -> Result<Vec<u8>> {
    export::write(model)
}

/// Writes the model to an ONNX file. The file is replaced atomically.
///
/// # Errors
/// Those of [`write()`], and file errors.
pub fn save(model: &Model, path: &Path) -> Result<()> {
    let path = FilePath::of(path)?;
    let bytes = write(model)?;
    files::save(&path, |file| Ok(file.write_all(&bytes)?))
}

/// Reads a model from an ONNX file's bytes, which must contain all tensors.
///
/// # Errors
/// They name the node or tensor: `Format` for a file that is not ONNX or is damaged; `Shape` for nodes that do not fit
/// each other; `Unsupported` for operators, settings and types that the layers do not have; `OutOfMemory`.
pub fn read(bytes: &[u8]) -> Result<Model> {
    model(Content::of(bytes))
}

/// Reads a model from an ONNX file; its tensors may be in other files of the same folder.
///
/// # Errors
/// Those of [`read`], and file errors.
pub fn load(path: &Path) -> Result<Model> {
    let path = FilePath::of(path)?;
    Content::at(&path).and_then(model).at(&path)
}

/// Reads a model from an ONNX file's content; errors do not name the file.
pub(crate) fn model(content: Content<'_>) -> Result<Model> {
    let size = content.size()?;
    if size > LARGEST {
        let error = Error::new(ErrorKind::Unsupported, "too large for an ONNX file");
        return Err(error.expected(format_args!("at most {LARGEST} bytes")).found(size));
    }
    let path = content.path().cloned();
    let bytes = match content.bytes()? {
        Cow::Owned(bytes) => bytes,
        Cow::Borrowed(bytes) => memory::collect(bytes.iter().copied())?,
    };
    let bytes = Bytes::from(bytes);
    let start = bytes.slice(..bytes.len().min(START));
    import::read(bytes, path.as_ref()).map_err(|error| match error.kind() {
        ErrorKind::Format => Kind::Onnx.other(&start).unwrap_or(error),
        _ => error,
    })
}
