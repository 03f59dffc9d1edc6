//! A safetensors file to tensors, with everything that can be wrong with it.

use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::{filled, reserve};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Reads the tensors `expected` names, each with its shape, from the file `path`, in the order of `expected`.
///
/// The file has to hold just those, as float32; what values they have, infinities and NaN included, is not judged.
/// Needs memory for the file's bytes and for the tensors. Nothing is memory-mapped: a mapped file that shrinks kills
/// the process.
///
/// # Errors
/// Each names the file and, where there is one, the tensor: `NotFound` when either is missing, `Io` when the file
/// cannot be read, `Format` when it is no whole safetensors file, `Shape` when a tensor's shape is another or a tensor
/// is one too many, `Unsupported` for another dtype than float32, `OutOfMemory` when it is too large.
pub fn load(path: &Path, expected: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>> {
    read(path).and_then(|bytes| parse(&bytes, expected)).at(path.display())
}

/// The file's content. Only a regular file has a size that can be known, and does not block when opened.
fn read(path: &Path) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a directory" } else { "something else" };
        return Err(Error::new(ErrorKind::Io, "cannot be read").expected("a file").found(found));
    }
    let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX); // which `filled` refuses
    let mut bytes = filled(len, 0)?;
    File::open(path)?.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn parse(bytes: &[u8], expected: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>> {
    let (header_len, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| explain(error, bytes, expected))?;
    compare(&metadata, expected)?;
    let data = &bytes[8 + header_len..]; // the header was read from before it
    let tensor = |(name, _): &(String, Vec<usize>)| values(&metadata, name, data);
    expected.iter().map(tensor).collect()
}

/// Checks that the file holds what is expected and no more, before any of it is copied.
fn compare(metadata: &Metadata, expected: &[(String, Vec<usize>)]) -> Result<()> {
    for (name, shape) in expected {
        let wanted = describe(Dtype::F32, shape);
        let Some(info) = metadata.info(name) else {
            let error = Error::new(ErrorKind::NotFound, "missing tensor").expected(wanted).found("none of that name");
            return Err(error.at(format_args!("tensor {name}")));
        };
        let error = match info {
            TensorInfo { dtype, .. } if *dtype != Dtype::F32 => Error::new(ErrorKind::Unsupported, "wrong dtype"),
            info if info.shape != *shape => Error::new(ErrorKind::Shape, "wrong shape"),
            _ => continue,
        };
        return Err(error.expected(wanted).found(describe(info.dtype, &info.shape)).at(format_args!("tensor {name}")));
    }
    let extra = metadata.offset_keys().into_iter().find(|name| expected.iter().all(|(known, _)| known != name));
    match extra.as_ref().and_then(|name| Some((name, metadata.info(name)?))) {
        Some((name, info)) => Err(Error::new(ErrorKind::Shape, "unexpected tensor")
            .expected("none of that name")
            .found(describe(info.dtype, &info.shape))
            .at(format_args!("tensor {}", printable(name)))),
        None => Ok(()),
    }
}

/// The values of one tensor; the parser has checked its offsets, and tensors in a file are not aligned.
fn values(metadata: &Metadata, name: &str, data: &[u8]) -> Result<Vec<f32>> {
    let bytes = metadata.info(name).and_then(|info| data.get(info.data_offsets.0..info.data_offsets.1));
    let (words, _) = bytes.unwrap_or_default().as_chunks::<4>();
    let mut values = reserve(words.len()).at(format_args!("tensor {name}"))?;
    values.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
    Ok(values)
}

/// What the parser's error means to somebody who has the file before them.
fn explain(error: SafeTensorError, bytes: &[u8], expected: &[(String, Vec<usize>)]) -> Error {
    let error = match error {
        SafeTensorError::MetadataIncompleteBuffer => match cut_tensor(bytes, expected) {
            Some(name) => {
                Error::new(ErrorKind::Format, "the file ends before it does").at(format_args!("tensor {name}"))
            }
            None => Error::new(ErrorKind::Format, "the header's tensors do not end where the file ends"),
        },
        SafeTensorError::InvalidHeaderLength => Error::new(ErrorKind::Format, "the file ends inside its header"),
        other => Error::new(ErrorKind::Format, format!("not safetensors: {}", printable(&other.to_string()))),
    };
    error.found(format_args!("{} bytes", bytes.len()))
}

/// The tensor a shortened file breaks off in. The parser judges a header only beside all of its data, so it is shown
/// the header with as much data as the expected tensors have.
fn cut_tensor<'a>(bytes: &[u8], expected: &'a [(String, Vec<usize>)]) -> Option<&'a str> {
    let header = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?.checked_add(8)?;
    let end = expected.iter().try_fold(header, |end, (_, shape)| end.checked_add(byte_len(shape)?))?;
    let mut whole = filled(end, 0u8).ok()?;
    whole.get_mut(..header)?.copy_from_slice(bytes.get(..header)?);
    let (_, metadata) = SafeTensors::read_metadata(&whole).ok()?;
    let is_cut = |info: &TensorInfo| (info.data_offsets.0..info.data_offsets.1).contains(&(bytes.len() - header));
    let mut names = expected.iter().map(|(name, _)| name.as_str());
    names.find(|name| metadata.info(name).is_some_and(is_cut))
}

fn byte_len(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(size_of::<f32>(), |bytes, &size| bytes.checked_mul(size))
}

/// `F32 [3, 3, 1, 32]`
fn describe(dtype: Dtype, shape: &[usize]) -> String {
    match shape.len() {
        0..=8 => format!("{dtype} {shape:?}"),
        rank => format!("{dtype} of rank {rank}"), // a file may claim a million sizes
    }
}

/// Text out of a file, fit for a message: of bounded length and without control characters.
fn printable(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}
