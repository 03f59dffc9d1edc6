//! Counts the messages of a file before they are read: each takes some hundred bytes of memory, but may take only two
//! bytes of the file.

use crate::error::{Error, ErrorKind, Result};
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The most messages of a file.
const MOST: usize = 200_000;

/// The fields of a message that are counted, and for each the fields of its own messages.
struct Fields(&'static [(u32, &'static Fields)]);

/// The fields of a string or a small message.
static NONE: Fields = Fields(&[]);
static MODEL: Fields = Fields(&[(7, &GRAPH), (8, &NONE), (14, &NONE)]);
static GRAPH: Fields = Fields(&[(1, &NODE), (5, &TENSOR), (11, &VALUE), (12, &VALUE)]);
static NODE: Fields = Fields(&[(1, &NONE), (2, &NONE), (5, &ATTRIBUTE)]); // names are counted too
static ATTRIBUTE: Fields = Fields(&[(5, &TENSOR)]);
static TENSOR: Fields = Fields(&[(13, &NONE)]);
static VALUE: Fields = Fields(&[(2, &TYPE)]);
static TYPE: Fields = Fields(&[(1, &TENSOR_TYPE)]);
static TENSOR_TYPE: Fields = Fields(&[(2, &SHAPE)]);
static SHAPE: Fields = Fields(&[(1, &NONE)]);

/// An error for a file that is not a message, or has too many messages.
pub fn check(file: &[u8]) -> Result<()> {
    let mut left = MOST;
    visit(file, &MODEL, &mut left)
}

/// Walks through a message. The recursion is as deep as `MODEL`.
fn visit(mut bytes: &[u8], fields: &Fields, left: &mut usize) -> Result<()> {
    while bytes.has_remaining() {
        let (tag, wire) = decode_key(&mut bytes).map_err(damaged)?;
        let message = fields.0.iter().find(|(field, _)| *field == tag).filter(|_| wire == WireType::LengthDelimited);
        let Some((_, inner)) = message else {
            skip_field(wire, tag, &mut bytes, DecodeContext::default()).map_err(damaged)?;
            continue;
        };
        *left = left.checked_sub(1).ok_or_else(|| {
            let error = Error::new(ErrorKind::Unsupported, "too many nodes, tensors and settings");
            error.expected(format_args!("at most {MOST}"))
        })?;
        let len = decode_varint(&mut bytes).map_err(damaged)?;
        let Some((message, rest)) = usize::try_from(len).ok().and_then(|len| bytes.split_at_checked(len)) else {
            let error = Error::new(ErrorKind::Format, "a message ends after the end of the file");
            return Err(error.expected(format_args!("at most {} bytes", bytes.len())).found(len));
        };
        if !inner.0.is_empty() {
            visit(message, inner, left)?;
        }
        bytes = rest;
    }
    Ok(())
}

/// The error for a file that is not ONNX.
pub fn damaged(error: prost::DecodeError) -> Error {
    Error::new(ErrorKind::Format, "not an ONNX file, or a damaged one").found(error)
}
