//! Datatypes and shapes.

use super::file::{Cursor, unsupported};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// The most dimensions of a shape, HDF5's own limit.
const MOST_RANK: u8 = 32;

/// A datatype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IEEE 754 float of 2, 4 or 8 bytes.
    Float { bytes: u32, big_endian: bool },
    /// A whole number.
    Integer { bytes: u32, big_endian: bool, signed: bool },
    /// A string of so many bytes, padded with NUL or spaces.
    Text { bytes: u32 },
    /// A string in the global heap.
    LongText,
}

impl Kind {
    /// The datatype in a message.
    pub fn read(body: &mut Cursor<'_>) -> Result<Self> {
        let class = body.u8()?;
        let bits = body.number(3)?;
        let bytes = body.u32()?;
        let big_endian = bits & 1 != 0;
        match class & 0x0f {
            0 if matches!(bytes, 1 | 2 | 4 | 8) && body.u32()? == bytes << 19 => {
                Ok(Kind::Integer { bytes, big_endian, signed: bits & 8 != 0 })
            }
            1 if matches!(bytes, 2 | 4 | 8) && is_ieee(bytes, bits, body.take(12)?) => {
                Ok(Kind::Float { bytes, big_endian })
            }
            3 => Ok(Kind::Text { bytes }),
            9 if bits & 0x0f == 1 && bytes == 16 => Ok(Kind::LongText),
            class => {
                const NAMES: [&str; 11] = [
                    "an integer",
                    "a float",
                    "a time",
                    "a string",
                    "bits",
                    "opaque",
                    "a compound",
                    "a reference",
                    "an enumeration",
                    "a sequence",
                    "an array",
                ];
                let name = NAMES.get(usize::from(class)).copied().unwrap_or("unknown");
                Err(Error::new(ErrorKind::Unsupported, "wrong datatype")
                    .expected("float16, float32, float64, an integer or a string")
                    .found(format_args!("{name} of {bytes} bytes")))
            }
        }
    }

    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Kind::Float { bytes, .. } | Kind::Integer { bytes, .. } | Kind::Text { bytes } => u64::from(bytes),
            Kind::LongText => 16,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Float { bytes, .. } => write!(f, "float{}", bytes * 8),
            Kind::Integer { bytes, signed: true, .. } => write!(f, "int{}", bytes * 8),
            Kind::Integer { bytes, signed: false, .. } => write!(f, "uint{}", bytes * 8),
            Kind::Text { .. } | Kind::LongText => f.write_str("text"),
        }
    }
}

/// Whether a float has the layout of IEEE 754: sign, exponent, mantissa without its leading one.
fn is_ieee(bytes: u32, bits: u64, layout: &[u8]) -> bool {
    let width = bytes as u8 * 8;
    let (exponent, mantissa): (u8, u8) = match bytes {
        2 => (5, 10),
        4 => (8, 23),
        _ => (11, 52),
    };
    let bias = (1u32 << (exponent - 1)) - 1;
    let expected = [&[0, 0, width, 0, mantissa, exponent, 0, mantissa][..], &bias.to_le_bytes()].concat();
    let (form, sign) = (bits & 0x70, (bits >> 8) as u8); // the mantissa's leading one is not stored; the sign comes first
    layout == expected && form == 0x20 && sign == width - 1
}

/// The shape in a dataspace message.
pub fn shape(body: &mut Cursor<'_>) -> Result<Vec<u64>> {
    let (version, rank, flags) = (body.u8()?, body.u8()?, body.u8()?);
    match version {
        1 => body.skip(5)?,
        2 => body.skip(1)?,
        other => return Err(unsupported("a dataspace of version", "1 or 2", other)),
    }
    if rank > MOST_RANK {
        return Err(Error::new(ErrorKind::Format, "a shape of too high a rank").found(rank));
    }
    let shape = (0..rank).map(|_| body.u64()).collect();
    body.skip(if flags & 1 != 0 { 8 * u64::from(rank) } else { 0 })?; // the maximum sizes
    shape
}

/// How many elements a shape has.
pub fn elements(shape: &[u64]) -> Result<u64> {
    shape
        .iter()
        .try_fold(1u64, |product, &size| product.checked_mul(size))
        .ok_or_else(|| Error::new(ErrorKind::Format, "a shape of more elements than can be counted"))
}
