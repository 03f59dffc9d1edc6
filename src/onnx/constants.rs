//! The constant tensors of a file, and values computed from shapes: exporters compute the shape of a reshape with
//! integer arithmetic.

use super::layout::permuted;
use super::proto::{EXTERNAL, TensorProto, element};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::{self, FilePath};
use crate::memory;
use prost::bytes::Bytes;
use std::io::{Read, Seek, SeekFrom};

/// The unknown batch size among the values of a shape.
pub const BATCH: i64 = i64::MIN;

/// A tensor that does not depend on the input.
#[derive(Clone, Debug)]
pub struct Constant {
    /// Its sizes.
    pub dims: Vec<usize>,
    /// Its values, as many as the sizes say.
    pub data: Data,
}

/// The values of a tensor.
#[derive(Clone, Debug)]
pub enum Data {
    /// From any supported float type.
    Floats(Vec<f32>),
    /// Integers and booleans.
    Ints(Vec<i64>),
}

impl Constant {
    /// A row of integers.
    pub fn row(ints: Vec<i64>) -> Self {
        Constant { dims: vec![ints.len()], data: Data::Ints(ints) }
    }

    /// Its values, which must be floats.
    pub fn floats(&self) -> Result<&[f32]> {
        match &self.data {
            Data::Floats(values) => Ok(values),
            Data::Ints(_) => Err(Error::new(ErrorKind::Unsupported, "whole numbers where weights are expected")),
        }
    }

    /// Its values, which must be integers.
    pub fn ints(&self) -> Result<&[i64]> {
        match &self.data {
            Data::Ints(values) => Ok(values),
            Data::Floats(_) => Err(Error::new(ErrorKind::Format, "numbers where whole ones are expected")),
        }
    }

    /// Its only value.
    pub fn scalar(&self) -> Option<f64> {
        match &self.data {
            Data::Floats(values) => values[..].first().filter(|_| values.len() == 1).map(|&value| plain(value)),
            Data::Ints(values) => {
                values[..].first().filter(|&&value| values.len() == 1 && value != BATCH).map(|&value| value as f64)
            }
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Floats(values) => values.len(),
            Data::Ints(values) => values.len(),
        }
    }

    /// The same with another shape.
    pub fn reshaped(&self, dims: Vec<usize>) -> Result<Self> {
        match count(&dims) == Some(self.len()) {
            true => Ok(Constant { dims, data: self.data.clone() }),
            false => Err(Error::new(ErrorKind::Shape, "the shapes have different numbers of elements")
                .expected(format_args!("{:?}, or as many", self.dims))
                .found(format_args!("{dims:?}"))),
        }
    }

    /// With its axes in another order.
    pub fn transposed(&self, order: &[usize]) -> Result<Self> {
        let dims = order.iter().map(|&axis| self.dims[axis]).collect();
        let data = match &self.data {
            Data::Floats(values) => Data::Floats(permuted(values, &self.dims, order)?),
            Data::Ints(values) => Data::Ints(permuted(values, &self.dims, order)?),
        };
        Ok(Constant { dims, data })
    }
}

/// A float as its shortest decimal number: 0.1 and not 0.10000000149.
pub fn plain(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The number of elements of these sizes, if it does not overflow.
pub fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))
}

/// Reads a tensor in the file, or in another file of the folder of `beside`.
pub fn read(tensor: &TensorProto, beside: Option<&FilePath>) -> Result<Constant> {
    let dims: Option<Vec<usize>> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let Some((len, dims)) = dims.and_then(|dims| Some((count(&dims)?, dims))) else {
        let error = Error::new(ErrorKind::Format, "invalid sizes");
        return Err(error.found(format_args!("{:?}", &tensor.dims[..tensor.dims.len().min(8)])));
    };
    let raw = match tensor.data_location {
        Some(EXTERNAL) => Some(external(tensor, beside)?),
        _ => tensor.raw_data.clone(),
    };
    let data = match (tensor.data_type.unwrap_or_default(), &raw) {
        (element::FLOAT, Some(raw)) => Data::Floats(numbers(raw, len, f32::from_le_bytes)?),
        (element::FLOAT, None) => Data::Floats(listed(&tensor.float_data, len, |value| value)?),
        (element::DOUBLE, Some(raw)) => Data::Floats(numbers(raw, len, |bytes| f64::from_le_bytes(bytes) as f32)?),
        (element::DOUBLE, None) => Data::Floats(listed(&tensor.double_data, len, |value| value as f32)?),
        (element::INT64, Some(raw)) => Data::Ints(numbers(raw, len, i64::from_le_bytes)?),
        (element::INT64, None) => Data::Ints(listed(&tensor.int64_data, len, |value| value)?),
        (element::INT32, Some(raw)) => Data::Ints(numbers(raw, len, |bytes| i64::from(i32::from_le_bytes(bytes)))?),
        (element::BOOL, Some(raw)) => Data::Ints(numbers(raw, len, |[byte]| i64::from(byte != 0))?),
        (element::INT32 | element::BOOL, None) => Data::Ints(listed(&tensor.int32_data, len, i64::from)?),
        (other, _) => {
            let error = Error::new(ErrorKind::Unsupported, "a tensor of a type that is not supported");
            let expected = "float (1), double (11), int32 (6), int64 (7) or bool (9)";
            return Err(error.expected(expected).found(format_args!("type {other}")));
        }
    };
    Ok(Constant { dims, data })
}

/// The values of contiguous little-endian data.
fn numbers<T, const N: usize>(raw: &[u8], len: usize, number: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
    if len.checked_mul(N) != Some(raw.len()) {
        return Err(wrong_length(len, raw.len() / N));
    }
    memory::collect(raw.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)))
}

fn listed<T: Copy, U>(list: &[T], len: usize, number: impl Fn(T) -> U) -> Result<Vec<U>> {
    match list.len() == len {
        true => memory::collect(list.iter().map(|&value| number(value))),
        false => Err(wrong_length(len, list.len())),
    }
}

fn wrong_length(expected: usize, found: usize) -> Error {
    let error = Error::new(ErrorKind::Format, "its data have another length");
    error.expected(format_args!("{expected} numbers")).found(found)
}

/// The bytes of a tensor in a separate file, which must be in the folder of the ONNX file.
fn external(tensor: &TensorProto, beside: Option<&FilePath>) -> Result<Bytes> {
    let value = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value[..]);
    let location = value("location").unwrap_or_default();
    let Some(beside) = beside else {
        let error = Error::new(ErrorKind::Unsupported, "its data are in a file of their own").expected("data inside");
        return Err(error.found(printable(location)));
    };
    let number = |key: &str| match value(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
            let error = Error::new(ErrorKind::Format, "wrong value").expected("a whole number");
            error.found(printable(text)).at(format_args!("external_data {key}"))
        }),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let read = || {
        let mut file = files::open_beside(beside, location)?;
        let size = file.size()?;
        let length = length.unwrap_or(size.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(Error::new(ErrorKind::Format, "its data end after the end of the file")
                .expected(format_args!("at most {size} bytes"))
                .found(format_args!("{length} from {offset} on")));
        }
        let mut bytes = memory::filled(usize::try_from(length).unwrap_or(usize::MAX), 0u8)?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(Bytes::from(bytes))
    };
    read().at(printable(location))
}
