//! Tensors to a safetensors file.

use super::replace::replace;
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::reserve;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

/// One tensor to save.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// `conv2d/kernel`
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
    /// Its elements in C order, as many as `shape` says.
    pub values: &'a [f32],
}

/// Writes `entries` to the file `path` as float32. The file lists them sorted by name, whatever their order here.
///
/// Needs memory for the file's content and once more for its largest tensor.
///
/// # Errors
/// `Shape` when values and shape disagree, `InvalidArgument` for a name given twice, `OutOfMemory`, `Io` or `NotFound`
/// when the file cannot be written. A file that was there before is then still there.
pub fn save(path: &Path, entries: &[Entry]) -> Result<()> {
    serialize(entries).and_then(|bytes| replace(path, |file| Ok(file.write_all(&bytes)?))).at(path.display())
}

fn serialize(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut taken = HashSet::from(["__metadata__"]);
    let (mut total, mut largest) = (0usize, 0);
    for entry in entries {
        check(entry, &mut taken).at(format_args!("tensor {}", entry.name))?;
        total = total.saturating_add(entry.data_len());
        largest = largest.max(entry.data_len());
    }
    // The crate's own allocations would abort where this one is refused.
    drop(reserve::<u8>(total.saturating_add(largest))?);
    let metadata = HashMap::from([("format".to_string(), "mnist".to_string())]);
    let tensors = entries.iter().map(|entry| (&entry.name, entry));
    safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| Error::new(ErrorKind::Internal, format!("safetensors: {error}")))
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

impl View for &Entry<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}
