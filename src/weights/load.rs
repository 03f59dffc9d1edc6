//! Reads safetensors files and reports everything that can be wrong with them.

use super::pytorch::PyTorchTensor;
use super::values::read;
use super::{HEADER_COST, HEADER_MOST};
use crate::data::half;
use crate::error::{At, Error, ErrorKind, Result, listed, printable};
use crate::files::Content;
use crate::kind::{self, Kind};
use crate::memory::{filled, spare};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

/// The float types that are accepted where any float is.
const FLOATS: [Dtype; 4] = [Dtype::F16, Dtype::BF16, Dtype::F32, Dtype::F64];

/// A tensor that a file must contain.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `conv2d/kernel`
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
}

/// An open safetensors file whose header was read and fits the file's length.
///
/// Memory is used only for the header and for what the caller reads. Nothing is memory-mapped: a mapped file that
/// shrinks kills the process. Values are not checked; they may be NaN or infinite.
///
/// Errors name the tensor; the caller adds the file's name. `Format` for anything but a complete safetensors file.
pub struct TensorFile<R> {
    reader: R,
    table: Metadata,
    /// The offset of the data.
    data: u64,
}

/// Reads the header of a safetensors file.
pub fn open(mut content: Content<'_>) -> Result<TensorFile<Content<'_>>> {
    let len = content.size()?;
    let start = kind::start(&mut content)?;
    content.rewind()?;
    TensorFile::new(content, len).map_err(|error| Kind::Safetensors.other(&start).unwrap_or(error))
}

impl<R: Read + Seek> TensorFile<R> {
    /// Reads the header of a file of `len` bytes.
    pub fn new(mut reader: R, len: u64) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Format, what).found(format_args!("{len} bytes"));
        if len < 8 {
            return Err(wrong("not safetensors: header too small".into()));
        }
        let mut size = [0; 8];
        reader.read_exact(&mut size)?;
        let size = u64::from_le_bytes(size);
        if size > HEADER_MOST as u64 {
            let error = Error::new(ErrorKind::Format, "not safetensors: header too large");
            return Err(error.expected(format_args!("at most {HEADER_MOST} bytes")).found(size));
        }
        if size > len - 8 {
            return Err(wrong("the file ends inside its header".into()));
        }
        spare(size as usize * HEADER_COST)?;
        let mut text = filled(size as usize, 0)?;
        reader.read_exact(&mut text)?;
        let table = std::str::from_utf8(&text).map_err(|error| wrong(format!("not safetensors: {error}"))).and_then(
            |text| {
                serde_json::from_str::<Metadata>(text)
                    .map_err(|error| wrong(format!("not safetensors: {}", printable(&error.to_string()))))
            },
        )?;
        let file = TensorFile { reader, table, data: 8 + size };
        file.check_len(len)?;
        Ok(file)
    }

    /// The tensors must end where the file ends.
    fn check_len(&self, len: u64) -> Result<()> {
        let end = self.data.checked_add(self.table.data_len() as u64);
        if end == Some(len) {
            return Ok(());
        }
        let there = (len - self.data) as usize;
        let is_cut = |name: &&String| {
            self.table.info(name).is_some_and(|info| (info.data_offsets.0..info.data_offsets.1).contains(&there))
        };
        let names = self.table.offset_keys();
        Err(match names.iter().find(is_cut) {
            Some(name) => {
                Error::new(ErrorKind::Format, "the file ends inside it").at(format_args!("tensor {}", printable(name)))
            }
            None => Error::new(ErrorKind::Format, "the header's tensors do not end where the file ends"),
        }
        .found(format_args!("{len} bytes")))
    }

    /// A value of the header's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.table.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// An error unless the file has the expected tensors, and no others except those that `ignored` accepts by name.
    /// `NotFound` for a missing tensor, `Shape` for another shape or an additional tensor, `Unsupported` for another
    /// dtype.
    pub fn check(&self, expected: &[Expected], ignored: impl Fn(&str) -> bool) -> Result<()> {
        for Expected { name, dtype, shape } in expected {
            self.info(name, *dtype, Some(shape)).at(format_args!("tensor {name}"))?;
        }
        let known: HashSet<_> = expected.iter().map(|expected| expected.name.as_str()).collect();
        let extra = self.table.offset_keys().into_iter().find(|name| !known.contains(name.as_str()) && !ignored(name));
        match extra.as_ref().and_then(|name| Some((name, self.table.info(name)?))) {
            Some((name, info)) => Err(Error::new(ErrorKind::Shape, "unexpected tensor")
                .expected("none of that name")
                .found(describe(info.dtype, &info.shape))
                .at(format_args!("tensor {}", printable(name)))),
            None => Ok(()),
        }
    }

    /// The position of a tensor, which must have this dtype and, if given, this shape.
    fn info(&self, name: &str, dtype: Dtype, shape: Option<&[usize]>) -> Result<&TensorInfo> {
        let wanted = || shape.map_or(dtype.to_string(), |shape| describe(dtype, shape));
        let Some(info) = self.table.info(name) else {
            return Err(Error::new(ErrorKind::NotFound, "missing tensor")
                .expected(wanted())
                .found(format_args!("none of that name; the file has {}", listed(self.table.offset_keys()))));
        };
        let error = match shape {
            _ if info.dtype != dtype => Error::new(ErrorKind::Unsupported, "wrong dtype"),
            Some(shape) if info.shape != shape => Error::new(ErrorKind::Shape, "wrong shape"),
            _ => return Ok(info),
        };
        Err(error.expected(wanted()).found(describe(info.dtype, &info.shape)))
    }

    /// Fills `values` with the tensor of that name and length.
    pub fn read_f32(&mut self, name: &str, values: &mut [f32]) -> Result<()> {
        self.seek(name, Dtype::F32, values.len())
            .and_then(|()| read(values, f32::from_le_bytes, &mut self.reader).map_err(shrunk))
            .at(format_args!("tensor {name}"))
    }

    /// The same for double precision.
    pub fn read_f64(&mut self, name: &str, values: &mut [f64]) -> Result<()> {
        self.seek(name, Dtype::F64, values.len())
            .and_then(|()| read(values, f64::from_le_bytes, &mut self.reader).map_err(shrunk))
            .at(format_args!("tensor {name}"))
    }

    /// The same for a tensor of any float type, rounded to single precision.
    pub fn read_floats(&mut self, name: &str, values: &mut [f32]) -> Result<()> {
        let dtype = self.table.info(name).map(|info| info.dtype);
        let dtype = dtype.filter(|dtype| FLOATS.contains(dtype)).unwrap_or(Dtype::F32);
        self.seek(name, dtype, values.len())
            .and_then(|()| {
                let from = &mut self.reader;
                match dtype {
                    Dtype::F64 => read(values, |bytes| f64::from_le_bytes(bytes) as f32, from),
                    Dtype::F16 => read(values, |bytes| half(u16::from_le_bytes(bytes)), from),
                    Dtype::BF16 => read(values, |[low, high]: [u8; 2]| f32::from_le_bytes([0, 0, low, high]), from),
                    _ => read(values, f32::from_le_bytes, from),
                }
                .map_err(shrunk)
            })
            .at(format_args!("tensor {}", printable(name)))
    }

    /// The names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.table.offset_keys()
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> Result<Vec<PyTorchTensor>> {
        let mut names = self.names();
        names.sort();
        let tensor = |name: String| {
            let info = self.table.info(&name).ok_or_else(|| Error::internal("a tensor without a name"))?;
            Ok(PyTorchTensor { shape: info.shape.clone(), name })
        };
        names.into_iter().map(tensor).collect()
    }

    /// Seeks to the beginning of a tensor.
    fn seek(&mut self, name: &str, dtype: Dtype, len: usize) -> Result<()> {
        let info = self.info(name, dtype, None)?;
        let found: usize = info.shape.iter().product(); // checked by the header's reader
        if found != len {
            return Err(Error::new(ErrorKind::Shape, "wrong length").expected(len).found(found));
        }
        let start = self.data + info.data_offsets.0 as u64; // within the file's length
        self.reader.seek(SeekFrom::Start(start))?;
        Ok(())
    }
}

/// The file has become shorter since its header was read.
fn shrunk(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Format, "the file ends inside it"),
        _ => Error::io(error),
    }
}

/// `F32 [3, 3, 1, 32]`
fn describe(dtype: Dtype, shape: &[usize]) -> String {
    match shape.len() {
        0..=8 => format!("{dtype} {shape:?}"),
        rank => format!("{dtype} of rank {rank}"), // a file may claim a million sizes
    }
}
