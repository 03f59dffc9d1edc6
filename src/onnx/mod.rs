//! Models in ONNX's files, out and in.
//!
//! ```text
//! proto      the messages                     count       how many there are, told before they are read
//! export     a model to a file                out         the table of layers, in ONNX's operators
//! import     a file to a model                operators   the table of operators, in layers
//! constants  the tensors of a file            layout      how ONNX's axes lie in the network's
//! ```
//!
//! **Out.** Operators of opset 17, any number of samples, whose layout is the model's: images are `[N, H, W, C]`. What is
//! random in training is left out. A layer that is called twice is written twice, each with its weights.
//!
//! **In.** Operators of opset 7 to 25, one input and one output, within what the layers can do. The model's samples are the
//! graph's, except that images that go to a convolution, a pool or a normalization with their channels first (`[N, C, H, W]`,
//! as from PyTorch) are `[N, H, W, C]` for the model; so are those that go to none of these and have at most 4 channels and
//! more columns than that, unless the file says that its channels come last, as those do that are written here. The kernels
//! are turned accordingly. Images that come out have their channels last, too, unless those that go in are as they are. All
//! of the weights can be trained, and what ONNX leaves out counts as Keras's default.

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
/// How much of a file tells what it is, if it is none of ONNX's.
const START: usize = 4096;

/// The model as an ONNX file's bytes. Memory: twice its weights.
///
/// # Errors
/// `Unsupported` for a layer that cannot be expressed in ONNX (the message names it), and for more than 2 GiB; `OutOfMemory`.
pub fn write(model: &Model) -> Result<Vec<u8>> {
    export::write(model)
}

/// Writes the model to an ONNX file. The file is whole or as it was before.
///
/// # Errors
/// Those of [`write()`], and those of the file.
pub fn save(model: &Model, path: &Path) -> Result<()> {
    let path = FilePath::of(path)?;
    let bytes = write(model)?;
    files::save(&path, |file| Ok(file.write_all(&bytes)?))
}

/// The model in an ONNX file's bytes, whose tensors have to be inside.
///
/// # Errors
/// They name the node or tensor: `Format` for what is no ONNX file or a damaged one; `Shape` for nodes that do not fit each
/// other; `Unsupported` for operators, settings and types that the layers do not have; `OutOfMemory`.
pub fn read(bytes: &[u8]) -> Result<Model> {
    model(Content::of(bytes))
}

/// The model in an ONNX file; its tensors may lie in other files of the same folder.
///
/// # Errors
/// Those of [`read`], and those of the files.
pub fn load(path: &Path) -> Result<Model> {
    let path = FilePath::of(path)?;
    Content::at(&path).and_then(model).at(&path)
}

/// The model in what an ONNX file holds; errors do not name the file.
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
