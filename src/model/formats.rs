//! The formats of models and weights, recognized by their first bytes: a line each in [`FORMATS`].

use super::Model;
use super::saved::{self, Saved};
use crate::error::{Error, ErrorKind, Result};
use crate::files::Content;
use crate::kind::{self, Kind};
use crate::memory::Buffer;
use std::io::Seek;

/// A supported format.
struct Format {
    /// The kind that it is recognized by.
    kind: Kind,
    /// Reads a whole model.
    model: fn(Content<'_>) -> Result<Model>,
    /// Reads the weights of this model, in the layout of its parameters.
    weights: fn(&Model, Content<'_>) -> Result<Buffer>,
}

/// The library's own format, also used for unknown kinds: its reader reports the error.
const OWN: Format =
    Format { kind: Kind::Safetensors, model: |content| Saved::load(content), weights: saved::read_weights };

/// The others.
const FORMATS: &[Format] = &[
    Format { kind: Kind::Keras, model: keras::model, weights: keras::weights },
    Format { kind: Kind::Hdf5, model: keras::model, weights: keras::weights },
    Format { kind: Kind::Onnx, model: onnx::model, weights: onnx::weights },
];

/// The format of some content.
fn format(content: &mut Content<'_>) -> Result<&'static Format> {
    let kind = Kind::of(&kind::start(content)?);
    content.rewind()?;
    Ok(FORMATS.iter().find(|format| Some(format.kind) == kind).unwrap_or(&OWN))
}

/// Reads a model in any format.
pub fn model(mut content: Content<'_>) -> Result<Model> {
    (format(&mut content)?.model)(content)
}

/// Reads weights for `model` in any format.
pub fn weights(model: &Model, mut content: Content<'_>) -> Result<Buffer> {
    (format(&mut content)?.weights)(model, content)
}

/// The error for a format that this build does not have.
#[cfg(not(all(feature = "keras", feature = "onnx")))]
fn missing<T>(feature: &str) -> Result<T> {
    let error = Error::new(ErrorKind::Unsupported, "this build of the library does not have the format");
    Err(error.expected(format_args!("one with the feature `{feature}`")))
}

/// Keras files.
#[cfg(feature = "keras")]
mod keras {
    use super::*;
    use crate::keras_files;

    pub fn model(content: Content<'_>) -> Result<Model> {
        keras_files::read(&content.bytes()?)
    }

    pub fn weights(model: &Model, content: Content<'_>) -> Result<Buffer> {
        keras_files::read_weights(&content.bytes()?, &model.architecture, &model.parameters)
    }
}

#[cfg(not(feature = "keras"))]
mod keras {
    use super::*;

    pub fn model(_: Content<'_>) -> Result<Model> {
        missing("keras")
    }

    pub fn weights(_: &Model, _: Content<'_>) -> Result<Buffer> {
        missing("keras")
    }
}

/// ONNX files, which are read as whole models only: their weights have no names that assign them to layers.
mod onnx {
    use super::*;

    #[cfg(feature = "onnx")]
    pub fn model(content: Content<'_>) -> Result<Model> {
        crate::onnx::model(content)
    }

    #[cfg(not(feature = "onnx"))]
    pub fn model(_: Content<'_>) -> Result<Model> {
        missing("onnx")
    }

    pub fn weights(_: &Model, _: Content<'_>) -> Result<Buffer> {
        let error = Error::new(ErrorKind::Unsupported, "weights alone are not read from an ONNX file");
        Err(error.expected("a file of weights; mnist_model_load takes this one"))
    }
}
