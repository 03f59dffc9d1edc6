//! Writes safetensors files.

use super::{HEADER_MOST, Values};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::spare;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::io::Write;

/// One tensor to save.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// `conv2d/kernel`
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Its elements in C order, as many as `shape` says.
    pub values: Values<'a>,
}

/// The most bytes that a name, a shape and a position need in the header and while it is built.
const ENTRY_COST: usize = 4 << 10;

/// Writes `entries` as safetensors, with `metadata` (keys and texts) in the header. The same entries give the same
/// bytes: they are sorted, the wider elements first (so that each is aligned) and then by name.
///
/// Allocates only the header: values are written directly.
///
/// # Errors
/// `Shape` if values and shape disagree, `InvalidArgument` for a duplicate name, `Unsupported` for more names than a
/// header may hold, and errors of `out`.
pub fn write(out: &mut dyn Write, metadata: &[(&str, &str)], entries: &[Entry]) -> Result<()> {
    spare(entries.len() * ENTRY_COST)?;
    let sorted = sort(entries)?;
    out.write_all(&header(metadata, &sorted)?)?;
    sorted.iter().try_for_each(|entry| Ok(entry.values.write(out)?))
}

/// The entries in the file's order, each of them checked.
fn sort<'e, 'v>(entries: &'e [Entry<'v>]) -> Result<Vec<&'e Entry<'v>>> {
    let mut taken = HashSet::from(["__metadata__"]);
    for entry in entries {
        check(entry, &mut taken).at(format_args!("tensor {}", entry.name))?;
    }
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|entry| (std::cmp::Reverse(entry.values.width()), &entry.name));
    Ok(sorted)
}

fn check<'a>(entry: &'a Entry, taken: &mut HashSet<&'a str>) -> Result<()> {
    if !taken.insert(&entry.name) {
        return Err(Error::new(ErrorKind::InvalidArgument, "the name is taken"));
    }
    let elements = entry.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if elements != Some(entry.values.len()) {
        let error = Error::new(ErrorKind::Shape, "values and shape disagree");
        return Err(error
            .expected(format_args!("the elements of {:?}", entry.shape))
            .found(format_args!("{} values", entry.values.len())));
    }
    Ok(())
}

/// The header after its length, padded with spaces so that the data begin at a multiple of 8 bytes.
fn header(metadata: &[(&str, &str)], entries: &[&Entry]) -> Result<Vec<u8>> {
    let texts: Map<_, _> = metadata.iter().map(|&(key, text)| (key.to_string(), Value::from(text))).collect();
    let mut table = Map::from_iter([("__metadata__".to_string(), Value::from(texts))]);
    let mut end = 0;
    for entry in entries {
        let start = end;
        end += entry.values.len() * entry.values.width(); // they are in memory, so their sum cannot overflow
        let dtype = entry.values.dtype().to_string();
        let info = json!({ "dtype": dtype, "shape": entry.shape, "data_offsets": [start, end] });
        table.insert(entry.name.clone(), info);
    }
    let mut text = Value::from(table).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    if text.len() > HEADER_MOST {
        return Err(Error::new(ErrorKind::Unsupported, "too many names for a safetensors header")
            .expected(format_args!("at most {HEADER_MOST} bytes"))
            .found(text.len()));
    }
    Ok([&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat())
}
