//! A tensor's elements in memory and in a file, where they are little-endian.

use safetensors::Dtype;
use std::io::{Read, Result, Write};

/// The elements of a tensor to save.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Weights and moments.
    F32(&'a [f32]),
    /// Metrics.
    F64(&'a [f64]),
}

/// Elements that are converted at once.
const CHUNK: usize = 2048;

impl Values<'_> {
    /// How many there are.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
        }
    }

    pub(super) fn dtype(&self) -> Dtype {
        match self {
            Values::F32(_) => Dtype::F32,
            Values::F64(_) => Dtype::F64,
        }
    }

    /// Bytes of an element.
    pub(super) fn width(&self) -> usize {
        match self {
            Values::F32(_) => 4,
            Values::F64(_) => 8,
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> Result<()> {
        match *self {
            Values::F32(values) => write(values, f32::to_le_bytes, out),
            Values::F64(values) => write(values, f64::to_le_bytes, out),
        }
    }
}

fn write<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N], out: &mut dyn Write) -> Result<()> {
    let mut buffer = [[0; N]; CHUNK];
    for values in values.chunks(CHUNK) {
        let buffer = &mut buffer[..values.len()];
        for (to, &value) in buffer.iter_mut().zip(values) {
            *to = bytes(value);
        }
        out.write_all(buffer.as_flattened())?;
    }
    Ok(())
}

/// Fills `values` with the next elements of `from`.
pub(super) fn read<T, const N: usize>(
    values: &mut [T],
    value: impl Fn([u8; N]) -> T,
    from: &mut impl Read,
) -> Result<()> {
    let mut buffer = [[0; N]; CHUNK];
    for values in values.chunks_mut(CHUNK) {
        let buffer = &mut buffer[..values.len()];
        from.read_exact(buffer.as_flattened_mut())?;
        for (to, &bytes) in values.iter_mut().zip(buffer.iter()) {
            *to = value(bytes);
        }
    }
    Ok(())
}
