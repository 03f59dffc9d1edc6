//! The header of an array in numpy's `.npy` format (numpy's `format.py`): a magic, a version, and a Python dictionary.
//!
//! ```text
//! \x93NUMPY  major minor  length (2 or 4 bytes)  {'descr': '|u1', 'fortran_order': False, 'shape': (60000, 28, 28), }
//! ```

use crate::error::{At, Error, ErrorKind, Result, printable};
use std::io::Read;

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// NumPy's name of the dtype, `|u1`.
    pub descr: String,
    /// Whether the first index changes fastest.
    pub fortran_order: bool,
    /// The array's sizes; their product is known to fit.
    pub shape: Vec<usize>,
    /// The header's length in bytes; the data begin after it.
    pub len: usize,
}

/// The longest accepted dictionary; NumPy's own limit.
const LONGEST: usize = 10_000;
/// The most dimensions of an array, and the longest name of a dtype: an archive may hold thousands of headers, each of
/// which packs ten thousand characters into a few bytes. The former is NumPy's own limit.
const MOST_DIMENSIONS: usize = 64;
const LONGEST_DESCR: usize = 64;

impl Header {
    /// Reads the header of an array.
    pub fn read(reader: &mut impl Read) -> Result<Self> {
        let mut start = [0; 8];
        fill(reader, &mut start, 0)?;
        if start[..6] != *b"\x93NUMPY" {
            return Err(format("not a numpy array")
                .expected("\\x93NUMPY")
                .found(start[..6].escape_ascii())
                .at("byte 0"));
        }
        let wide = match start[6] {
            1 => false,
            2 | 3 => true,
            version => return Err(format("unknown version").expected("1, 2 or 3").found(version).at("byte 6")),
        };
        let mut length = [0; 4];
        let width = if wide { 4 } else { 2 };
        fill(reader, &mut length[..width], 8)?;
        let text_len = u32::from_le_bytes(length) as usize;
        if text_len > LONGEST {
            let error = format("the header is too long").expected(format_args!("at most {LONGEST}"));
            return Err(error.found(text_len).at("byte 8"));
        }
        let mut text = vec![0; text_len];
        fill(reader, &mut text, 8 + width)?;
        let text = String::from_utf8(text)
            .map_err(|_| format("the header is not text").at(format_args!("byte {}", 8 + width)))?;
        let (descr, fortran_order, shape) = parse(&text).at(format_args!("byte {}", 8 + width))?;
        Ok(Header { descr, fortran_order, shape, len: 8 + width + text_len })
    }

    /// How many elements there are.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

fn format(what: &'static str) -> Error {
    Error::new(ErrorKind::Format, what)
}

fn fill(reader: &mut impl Read, bytes: &mut [u8], at: usize) -> Result<()> {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => format("the header ends too soon")
            .expected(format_args!("{} bytes", bytes.len()))
            .at(format_args!("byte {at}")),
        _ => super::unreadable(error, at as u64),
    })
}

/// Parses the dictionary: dtype, Fortran order, shape.
fn parse(text: &str) -> Result<(String, bool, Vec<usize>)> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{').ok_or_else(|| format("the header is not a dictionary"))?.trim_start();
    while !rest.starts_with('}') {
        let (key, after) = quoted(rest)?;
        let value = after
            .trim_start()
            .strip_prefix(':')
            .ok_or_else(|| format("a key without a value").found(printable(key)))?;
        let value = value.trim_start();
        rest = match key {
            "descr" if value.starts_with(['\'', '"']) => {
                let (name, after) = quoted(value)?;
                if name.len() > LONGEST_DESCR {
                    return Err(Error::new(ErrorKind::Unsupported, "a long dtype").found(printable(name)));
                }
                descr = Some(name.to_string());
                after
            }
            "descr" => return Err(Error::new(ErrorKind::Unsupported, "a dtype with fields").expected("a plain one")),
            "fortran_order" => {
                let (is, after) = boolean(value)?;
                fortran_order = Some(is);
                after
            }
            "shape" => {
                let (dims, after) = tuple(value)?;
                shape = Some(dims);
                after
            }
            _ => return Err(format("an unknown key in the header").found(format_args!("`{}`", printable(key)))),
        };
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return Err(format("the header's dictionary does not end")),
        };
    }
    match (descr, fortran_order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => Ok((descr, fortran_order, shape)),
        _ => Err(format("the header lacks a key").expected("descr, fortran_order and shape")),
    }
}

fn quoted(text: &str) -> Result<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    quote
        .and_then(|quote| text[1..].split_once(quote))
        .ok_or_else(|| format("the header's dictionary is damaged").expected("a quoted word"))
}

fn boolean(text: &str) -> Result<(bool, &str)> {
    let word = |word, is| text.strip_prefix(word).map(|rest| (is, rest));
    word("True", true).or_else(|| word("False", false)).ok_or_else(|| format("fortran_order is neither True nor False"))
}

/// A tuple of sizes whose product, and whose product in bytes of 16 each, fits.
fn tuple(text: &str) -> Result<(Vec<usize>, &str)> {
    let bad = || format("the shape is not a tuple of sizes");
    let (inside, rest) = text.strip_prefix('(').and_then(|text| text.split_once(')')).ok_or_else(bad)?;
    let mut dims = Vec::new();
    for size in inside.split(',').map(str::trim) {
        match size.trim_end_matches('L').parse() {
            Ok(_) if dims.len() == MOST_DIMENSIONS => {
                let error = Error::new(ErrorKind::Unsupported, "too many dimensions");
                return Err(error.expected(format_args!("at most {MOST_DIMENSIONS}")));
            }
            Ok(size) => dims.push(size),
            Err(_) if size.is_empty() => (),
            Err(_) => return Err(bad().found(format_args!("({})", printable(inside)))),
        }
    }
    let product = dims.iter().try_fold(16usize, |product, &dim: &usize| product.checked_mul(dim));
    match product {
        Some(_) => Ok((dims, rest)),
        None => {
            Err(format("the array is larger than the address space").found(format_args!("({})", printable(inside))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Header> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        Header::read(&mut &bytes[..])
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let header = read("{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 28, 28), }      \n").unwrap();
        assert_eq!((header.descr.as_str(), &header.shape[..]), ("|u1", &[60000, 28, 28][..]));
        assert_eq!(header.len, 10 + 75);
        assert_eq!(read("{\"shape\": (3,), 'fortran_order': False, 'descr': '<f4'}").unwrap().shape, [3]);
        assert_eq!(read("{'descr': '<f4', 'fortran_order': False, 'shape': ()}").unwrap().elements(), 1);
    }

    #[test]
    fn damage_is_named() {
        let message = |text: &str| read(text).unwrap_err().to_string();
        assert!(read("{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }").unwrap().fortran_order);
        assert!(message("{'descr': '|u1', 'shape': (1,), }").contains("lacks a key"));
        assert!(message("{'descr': [('a', '<i4')], 'fortran_order': False}").contains("dtype with fields"));
        assert!(message("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }").contains("not a tuple of sizes"));
        let huge = "{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296), }";
        assert!(message(huge).contains("larger than the address space"));
        for broken in ["", "{", "{'descr", "{'descr' '|u1'", "{'shape': (1", "{'descr': '|u1' 'a'", "{'x': 1}"] {
            assert_eq!(read(broken).unwrap_err().kind(), ErrorKind::Format, "{broken}");
        }
        assert!(
            Header::read(&mut &b"\x93NUMPX\x01\x00"[..]).unwrap_err().to_string().contains("byte 0: not a numpy array")
        );
        assert!(Header::read(&mut &b"\x93NUMPY\x07\x00"[..]).unwrap_err().to_string().contains("unknown version"));
        assert!(Header::read(&mut &b"\x93NU"[..]).unwrap_err().to_string().contains("ends too soon"));
        assert!(
            Header::read(&mut &b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..]).unwrap_err().to_string().contains("too long")
        );
    }
}
