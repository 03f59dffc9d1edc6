//! The element types of arrays in files, in either byte order, and their conversion.

use super::{read_claimed, unreadable};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory;
use std::io::Read;

/// A numeric type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

/// An element of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    pub kind: Type,
    pub big_endian: bool,
}

/// An array's elements as this library stores them.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Bytes.
    U8(Vec<u8>),
    /// All other types, rounded to single precision.
    F32(Vec<f32>),
}

/// NumPy's names without the byte order. A boolean is a byte, 0 or 1.
const NAMES: [(&str, Type); 12] = [
    ("b1", Type::U8),
    ("u1", Type::U8),
    ("i1", Type::I8),
    ("u2", Type::U16),
    ("i2", Type::I16),
    ("u4", Type::U32),
    ("i4", Type::I32),
    ("u8", Type::U64),
    ("i8", Type::I64),
    ("f2", Type::F16),
    ("f4", Type::F32),
    ("f8", Type::F64),
];

impl Element {
    /// The element that numpy calls `descr`: `|u1`, `<f4`, `>i8`.
    pub fn from_descr(descr: &str) -> Result<Self> {
        let found = descr.split_at_checked(1).and_then(|(order, name)| {
            let kind = NAMES.iter().find(|(known, _)| *known == name)?.1;
            let big_endian = match order {
                "<" => false,
                ">" => true,
                "|" | "=" if kind.width() == 1 => false,
                _ => return None,
            };
            Some(Element { kind, big_endian })
        });
        found.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "wrong dtype")
                .expected("b1, u1, i1, u2, i2, u4, i4, u8, i8, f2, f4 or f8, little- or big-endian")
                .found(format_args!("`{}`", crate::error::printable(descr)))
        })
    }

    /// How many bytes it is.
    pub fn width(&self) -> usize {
        self.kind.width()
    }

    /// Reads `n` pixels, which begin at byte `start`.
    pub fn pixels(self, reader: &mut impl Read, n: usize, start: u64) -> Result<Elements> {
        let input = Input { reader, n, start, big_endian: self.big_endian };
        Ok(Elements::F32(match self.kind {
            Type::U8 => return Ok(Elements::U8(read_claimed(input.reader, n, start)?)),
            Type::I8 => input.read(|b| Ok(f32::from(i8::from_le_bytes(b))))?,
            Type::U16 => input.read(|b| Ok(f32::from(u16::from_le_bytes(b))))?,
            Type::I16 => input.read(|b| Ok(f32::from(i16::from_le_bytes(b))))?,
            Type::U32 => input.read(|b| Ok(u32::from_le_bytes(b) as f32))?,
            Type::I32 => input.read(|b| Ok(i32::from_le_bytes(b) as f32))?,
            Type::U64 => input.read(|b| Ok(u64::from_le_bytes(b) as f32))?,
            Type::I64 => input.read(|b| Ok(i64::from_le_bytes(b) as f32))?,
            Type::F16 => input.read(|b| Ok(half(u16::from_le_bytes(b))))?,
            Type::F32 => input.read(|b| Ok(f32::from_le_bytes(b)))?,
            Type::F64 => input.read(|b| Ok(f64::from_le_bytes(b) as f32))?,
        }))
    }

    /// Reads `n` labels: integers, or floats that are whole numbers.
    pub fn labels(self, reader: &mut impl Read, n: usize, start: u64) -> Result<Vec<u32>> {
        let input = Input { reader, n, start, big_endian: self.big_endian };
        match self.kind {
            Type::U8 => input.read(|[b]| Ok(u32::from(b))),
            Type::I8 => input.read(|b| label(i8::from_le_bytes(b))),
            Type::U16 => input.read(|b| label(u16::from_le_bytes(b))),
            Type::I16 => input.read(|b| label(i16::from_le_bytes(b))),
            Type::U32 => input.read(|b| label(u32::from_le_bytes(b))),
            Type::I32 => input.read(|b| label(i32::from_le_bytes(b))),
            Type::U64 => input.read(|b| label(u64::from_le_bytes(b))),
            Type::I64 => input.read(|b| label(i64::from_le_bytes(b))),
            Type::F16 => input.read(|b| whole(half(u16::from_le_bytes(b)).into())),
            Type::F32 => input.read(|b| whole(f32::from_le_bytes(b).into())),
            Type::F64 => input.read(|b| whole(f64::from_le_bytes(b))),
        }
    }
}

impl Type {
    fn width(self) -> usize {
        match self {
            Type::U8 | Type::I8 => 1,
            Type::U16 | Type::I16 | Type::F16 => 2,
            Type::U32 | Type::I32 | Type::F32 => 4,
            Type::U64 | Type::I64 | Type::F64 => 8,
        }
    }
}

impl Elements {
    /// Converts Fortran order (the first index changes fastest) to C order (the last one does). It takes as much memory
    /// again.
    pub fn into_c_order(self, shape: &[usize]) -> Result<Self> {
        match self {
            // With at most one size above 1 both orders are the same.
            same if shape.iter().filter(|&&dim| dim > 1).count() < 2 => Ok(same),
            Elements::U8(values) => reorder(&values, shape).map(Elements::U8),
            Elements::F32(values) => reorder(&values, shape).map(Elements::F32),
        }
    }
}

/// Converts `from` from Fortran to C order, in blocks of the first index, so that the written part stays in the cache.
fn reorder<T: Copy + Default>(from: &[T], shape: &[usize]) -> Result<Vec<T>> {
    const BLOCK: usize = 64;
    let mut to = memory::filled(from.len(), T::default())?;
    let (Some((&first, rest)), false) = (shape.split_first(), from.is_empty()) else { return Ok(to) };
    let len = rest.iter().product::<usize>();
    for block in (0..first).step_by(BLOCK) {
        let rows = BLOCK.min(first - block);
        let mut index = vec![0; rest.len()];
        for column in 0..len {
            // In Fortran order the indices after the first count up from the left; their offset in C order:
            let place = index.iter().zip(rest).fold(0, |place, (&i, &dim)| place * dim + i);
            let run = &from[column * first + block..][..rows];
            for (row, &value) in run.iter().enumerate() {
                to[(block + row) * len + place] = value;
            }
            for (i, &dim) in index.iter_mut().zip(rest) {
                *i += 1;
                if *i < dim {
                    break;
                }
                *i = 0;
            }
        }
    }
    Ok(to)
}

/// The bytes of the elements.
struct Input<'a, R> {
    reader: &'a mut R,
    n: usize,
    start: u64,
    big_endian: bool,
}

impl<R: Read> Input<'_, R> {
    /// Reads elements of `SIZE` bytes, given little-endian, memory grows with the bytes that are really there.
    fn read<T, const SIZE: usize>(self, element: impl Fn([u8; SIZE]) -> Result<T>) -> Result<Vec<T>> {
        const STEP: usize = 1 << 16;
        let Input { reader, n, start, big_endian } = self;
        memory::check::<T>(n)?;
        let mut out: Vec<T> = Vec::new();
        while out.len() < n {
            let at = out.len();
            let step = STEP.min(n - at);
            let mut bytes = read_claimed(reader, step * SIZE, start + (at * SIZE) as u64)?;
            if big_endian {
                bytes.as_chunks_mut::<SIZE>().0.iter_mut().for_each(|bytes| bytes.reverse());
            }
            if out.capacity() - at < step {
                memory::grow(&mut out, at.max(step).min(n - at))?;
            }
            for (i, &bytes) in bytes.as_chunks().0.iter().enumerate() {
                out.push(element(bytes).at(format_args!("element {}", at + i))?);
            }
        }
        Ok(out)
    }
}

/// A label, if it is in range.
fn label<T: TryInto<u32> + std::fmt::Display + Copy>(value: T) -> Result<u32> {
    value.try_into().map_err(|_| out_of_range(value))
}

/// The same from a float that must be a whole number.
fn whole(value: f64) -> Result<u32> {
    match value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value) {
        true => Ok(value as u32),
        false => Err(out_of_range(value)),
    }
}

fn out_of_range(value: impl std::fmt::Display) -> Error {
    let error = Error::new(ErrorKind::InvalidArgument, "a label is out of range");
    error.expected("a whole number, 0 to 4294967295").found(value)
}

/// A float of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
pub fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let size = match exponent {
        0 => fraction as f32 / (1 << 24) as f32,
        31 => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// An error unless `reader` is at its end, which is at byte `end`.
pub fn check_end(reader: &mut impl Read, end: u64, error: impl FnOnce() -> Error) -> Result<()> {
    match reader.read(&mut [0]).map_err(|error| unreadable(error, end))? {
        0 => Ok(()),
        _ => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2 and 3 as each type and in each order has them.
    fn bytes(name: &str, big_endian: bool) -> Vec<u8> {
        let width = usize::from(name.as_bytes()[1] - b'0');
        let one = |value: u8| match name {
            "f2" => [0x3c00u16, 0x4000, 0x4200][usize::from(value) - 1].to_le_bytes().to_vec(),
            "f4" => f32::from(value).to_le_bytes().to_vec(),
            "f8" => f64::from(value).to_le_bytes().to_vec(),
            _ => std::iter::once(value).chain(std::iter::repeat_n(0, width - 1)).collect(),
        };
        let mut all: Vec<_> = [1, 2, 3].map(one).concat();
        if big_endian {
            all.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        all
    }

    #[test]
    fn every_type_in_both_orders() {
        for (name, kind) in NAMES {
            for order in ['<', '>'] {
                let element = Element::from_descr(&format!("{order}{name}")).unwrap();
                let file = bytes(name, order == '>');
                assert_eq!((element.kind, element.width() * 3), (kind, file.len()));
                assert_eq!(element.labels(&mut &file[..], 3, 0).unwrap(), [1, 2, 3], "{order}{name}");
                let pixels = match element.pixels(&mut &file[..], 3, 0).unwrap() {
                    Elements::U8(pixels) => pixels.into_iter().map(f32::from).collect(),
                    Elements::F32(pixels) => pixels,
                };
                assert_eq!(pixels, [1.0, 2.0, 3.0], "{order}{name}");
            }
        }
        assert_eq!(Element::from_descr("|u1").unwrap().kind, Type::U8);
        for other in ["", "u", "u1", "|u2", "<c8", "|O", "<U3", "|V4", "<M8[ns]", "<f16", "é"] {
            assert_eq!(Element::from_descr(other).unwrap_err().kind(), ErrorKind::Unsupported, "{other}");
        }
    }

    #[test]
    fn labels_are_whole_numbers_that_fit() {
        let labels = |descr: &str, bytes: &[u8]| {
            let element = Element::from_descr(descr).unwrap();
            element.labels(&mut &bytes[..], bytes.len() / element.width(), 0)
        };
        assert_eq!(labels("<f8", &4294967295f64.to_le_bytes()).unwrap(), [u32::MAX]);
        assert_eq!(labels(">u4", &[0xff; 4]).unwrap(), [u32::MAX]);
        for value in [0.5, -1.0, 4294967296.0, f64::NAN, f64::INFINITY] {
            let error = labels(">f8", &value.to_be_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().starts_with("element 0: a label is out of range"), "{error}");
        }
        assert_eq!(labels("<i2", &[1, 0, 0xff, 0xff]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(labels("<u8", &(1u64 << 32).to_le_bytes()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn halves() {
        let cases = [(0, 0.0), (0x8000, -0.0), (1, 1.0 / 16_777_216.0), (0x3ff, 1023.0 / 16_777_216.0)];
        let more = [(0x0400, 1.0 / 16384.0), (0x3555, 0.333_251_95), (0xc000, -2.0), (0x7bff, 65504.0)];
        for (bits, value) in cases.into_iter().chain(more).chain([(0x7c00, f32::INFINITY)]) {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn fortran_s_order_is_undone() {
        for shape in [&[3, 2, 4][..], &[150, 3, 2, 2], &[1, 3, 5], &[7, 1, 1], &[5], &[], &[0, 3], &[2, 130]] {
            let n: usize = shape.iter().product();
            // For each element its index in C order, stored at its index in Fortran order.
            let mut fortran = vec![0f32; n];
            for place in 0..n {
                let (mut rest, mut index) = (place, vec![0; shape.len()]);
                for (i, &dim) in index.iter_mut().zip(shape).rev() {
                    (*i, rest) = (rest % dim, rest / dim);
                }
                fortran[index.iter().zip(shape).rev().fold(0, |at, (&i, &dim)| at * dim + i)] = place as f32;
            }
            let expected = (0..n).map(|place| place as f32).collect();
            assert_eq!(Elements::F32(fortran).into_c_order(shape).unwrap(), Elements::F32(expected), "{shape:?}");
        }
    }
}
