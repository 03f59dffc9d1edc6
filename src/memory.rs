//! Fallible allocation: a request that the machine cannot meet is an error, never an abort.

mod available;
#[cfg(feature = "keras")]
mod bytes;
mod measure;

use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::kernels::system;
pub use available::{Available, available};
use bytemuck::allocation::try_zeroed_vec;
#[cfg(feature = "keras")]
pub use bytes::Bytes;
use measure::is_only_counted;
pub use measure::{Measured, measured, part, readable};
use memmap2::MmapMut;
use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A vector with room for `len` elements, or `OutOfMemory`.
pub fn reserve<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    grow(&mut vec, len)?;
    Ok(vec)
}

/// `OutOfMemory` for `len` elements that exceed the machine's memory: an operating system that overcommits would grant
/// them and kill the process when they are touched.
pub fn check<T>(len: usize) -> Result<()> {
    match len.checked_mul(size_of::<T>()).is_some_and(|bytes| bytes <= machine_memory()) {
        true => Ok(()),
        false => Err(cannot_allocate(len.saturating_mul(size_of::<T>()))),
    }
}

/// Gives `vec` room for `more` elements than it has, or `OutOfMemory`, likewise.
pub fn grow<T>(vec: &mut Vec<T>, more: usize) -> Result<()> {
    let len = vec.len().saturating_add(more);
    if is_only_counted(more.saturating_mul(size_of::<T>())) {
        return Ok(());
    }
    granted::<T, _>(len, || vec.try_reserve_exact(more).ok())
}

/// What `allocate` returns for `len` elements, or `OutOfMemory`.
fn granted<T, R>(len: usize, allocate: impl FnOnce() -> Option<R>) -> Result<R> {
    check::<T>(len)?;
    let before = shortages();
    // Memory granted while the system refused came from the reserve, which is kept for infallible allocations.
    allocate().filter(|_| shortages() == before).ok_or_else(|| cannot_allocate(len.saturating_mul(size_of::<T>())))
}

/// Appends `item`, or `OutOfMemory`.
pub fn push<T>(vec: &mut Vec<T>, item: T) -> Result<()> {
    if vec.len() == vec.capacity() {
        grow(vec, vec.len().max(4))?;
    }
    vec.push(item);
    Ok(())
}

/// A vector of `items`, or `OutOfMemory`.
pub fn collect<T>(items: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut vec = reserve(items.len())?;
    vec.extend(items);
    Ok(vec)
}

/// An error unless the system has `bytes` free now: for code that is about to allocate as much in small infallible
/// pieces.
pub fn spare(bytes: usize) -> Result<()> {
    black_box(reserve::<u8>(bytes)?);
    Ok(())
}

/// How often the system has refused memory so far.
static SHORTAGES: AtomicUsize = AtomicUsize::new(0);

/// To be called by an allocator that was refused memory.
#[cfg(feature = "reserve")]
pub fn note_shortage() {
    SHORTAGES.fetch_add(1, Ordering::Relaxed);
}

/// How often that has happened so far; always 0 without an allocator that calls [`note_shortage`].
pub fn shortages() -> usize {
    SHORTAGES.load(Ordering::Relaxed)
}

/// The error for `bytes` that cannot be allocated.
pub fn cannot_allocate(bytes: usize) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("cannot allocate {bytes} bytes"))
}

/// A vector of `len` copies of `value`, or `OutOfMemory`.
pub fn filled<T: Copy>(len: usize, value: T) -> Result<Vec<T>> {
    let mut vec = reserve(len)?;
    if vec.capacity() >= len {
        vec.resize(len, value); // otherwise it is measured
    }
    Ok(vec)
}

/// The machine's physical memory in bytes, as far as it can be told without a system call of our own.
fn machine_memory() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    let told = || {
        if let Some(memory) = system::memory() {
            return Some(memory.total);
        }
        let text = files::read_text(Path::new("/proc/meminfo"));
        if text.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutOfMemory) {
            return None; // to be asked again when there is memory to read it
        }
        let text = text.unwrap_or_default();
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib = total.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
        Some(kib.map_or(isize::MAX as usize, |kib| kib.saturating_mul(1024)))
    };
    BYTES.get().copied().or_else(|| told().map(|bytes| *BYTES.get_or_init(|| bytes))).unwrap_or(isize::MAX as usize)
}

/// How many `f32` fill a cache line, the alignment of every [`Buffer`].
pub const LINE: usize = 16;

/// A block of `f32`, zero at first, that starts on a cache line, so that no vector load straddles two of them.
#[derive(Debug, Default)]
pub struct Buffer {
    storage: Storage,
    len: usize,
}

#[derive(Debug)]
enum Storage {
    /// Memory of the allocator, used from `start` on.
    Heap { elements: Vec<f32>, start: usize },
    /// Pages of its own, large ones where the system has them: the memory of the tutorial's fit is touched for the first
    /// time in two thirds of the time that small pages take.
    Pages(MmapMut),
}

impl Default for Storage {
    fn default() -> Self {
        Storage::Heap { elements: Vec::new(), start: 0 }
    }
}

/// Buffers of this many bytes or more get pages of their own: two large ones. WebAssembly has no such pages.
const PAGES_FROM: usize = if cfg!(target_family = "wasm") { usize::MAX } else { 4 << 20 };

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Result<Self> {
        let bytes = len.saturating_mul(size_of::<f32>());
        if bytes >= PAGES_FROM && is_only_counted(bytes) {
            return Ok(Buffer::default());
        }
        let storage = if (PAGES_FROM..=machine_memory()).contains(&bytes) {
            let pages = MmapMut::map_anon(bytes).map_err(|_| cannot_allocate(bytes))?;
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage); // only a hint: small pages work as well
            Storage::Pages(pages)
        } else {
            let (elements, start) = aligned_zeros(len)?;
            if elements.len() < len {
                return Ok(Buffer::default()); // it is measured
            }
            Storage::Heap { elements, start }
        };
        Ok(Buffer { storage, len })
    }

    /// A copy of `values`.
    pub fn copy_of(values: &[f32]) -> Result<Self> {
        let mut copy = Buffer::zeros(values.len())?;
        copy.copy_from_slice(values);
        Ok(copy)
    }
}

/// A vector of zeros that holds `len` elements from a cache line's start on, and the index where that is.
///
/// New pages are zero already, so nothing is written here: each page is touched first by the thread that uses it.
pub fn aligned_zeros(len: usize) -> Result<(Vec<f32>, usize)> {
    let room = len.checked_add(LINE - 1).ok_or_else(|| Error::new(ErrorKind::OutOfMemory, "size above the limit"))?;
    if is_only_counted(room.saturating_mul(size_of::<f32>())) {
        return Ok((Vec::new(), 0));
    }
    let storage: Vec<f32> = granted::<f32, _>(room, || try_zeroed_vec(room).ok())?;
    let start = storage.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
    Ok((storage, start))
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match &self.storage {
            Storage::Heap { elements, start } => &elements[*start..start + self.len],
            Storage::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.storage {
            Storage::Heap { elements, start } => &mut elements[*start..*start + self.len],
            Storage::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_line() {
        for len in [0, 1, 16, 1000, (PAGES_FROM / 4) - 1, PAGES_FROM / 4, PAGES_FROM + 3] {
            let mut buffer = Buffer::zeros(len).unwrap();
            assert!(buffer.iter().all(|&x| x == 0.0));
            buffer.fill(1.0);
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
