//! Memory that is asked for politely: a request the machine cannot meet is an error, never an abort.

use crate::error::{Error, ErrorKind, Result};
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// A vector with room for `len` elements, or `OutOfMemory`. Nothing is allocated that exceeds the machine's memory:
/// an operating system that overcommits would grant it and kill the process when it is touched.
pub fn reserve<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= machine_memory());
    if bytes.is_none() || vec.try_reserve_exact(len).is_err() {
        return Err(cannot_allocate(len.saturating_mul(size_of::<T>())));
    }
    Ok(vec)
}

/// The error for `bytes` that are not to be had.
pub fn cannot_allocate(bytes: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("cannot allocate {bytes} bytes"))
}

/// A vector of `len` copies of `value`, or `OutOfMemory`.
pub fn filled<T: Copy>(len: usize, value: T) -> Result<Vec<T>> {
    let mut vec = reserve(len)?;
    vec.resize(len, value);
    Ok(vec)
}

/// The machine's physical memory in bytes, as far as it can be told without a system call of our own.
fn machine_memory() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = total.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
        kib.map_or(isize::MAX as usize, |kib| kib.saturating_mul(1024))
    })
}

/// How many `f32` fill a cache line, the alignment of every [`Buffer`].
pub const LINE: usize = 16;

/// A block of `f32`, zero at first, that starts on a cache line, so that no vector load straddles two of them.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Result<Self> {
        let (storage, start) = aligned_zeros(len)?;
        Ok(Buffer { storage, start, len })
    }
}

/// A vector of zeros that holds `len` elements from a cache line's start on, and the index where that is.
pub fn aligned_zeros(len: usize) -> Result<(Vec<f32>, usize)> {
    let room = len.checked_add(LINE - 1).ok_or_else(|| Error::new(ErrorKind::OutOfMemory, "size past the limit"))?;
    let storage = filled(room, 0f32)?;
    let start = storage.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
    Ok((storage, start))
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_line() {
        for len in [0, 1, 16, 1000] {
            let buffer = Buffer::zeros(len).unwrap();
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % 64), (len, 0));
        }
    }

    #[test]
    fn what_the_machine_cannot_hold_is_an_error() {
        for len in [1 << 40, usize::MAX / 4, usize::MAX] {
            assert_eq!(Buffer::zeros(len).unwrap_err().kind(), ErrorKind::OutOfMemory);
        }
    }
}
