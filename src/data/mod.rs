//! Datasets from files and memory, and batches from datasets.

mod archive;
mod batches;
mod cache;
mod csv;
mod dataset;
#[cfg(feature = "download")]
mod download;
mod element;
mod fingerprint;
mod idx;
mod npy;
mod npz;
mod prefetch;
#[cfg(feature = "download")]
mod proxy;
mod source;
mod targets;
mod transform;

#[cfg(feature = "keras")]
pub(crate) use archive::Archive;
pub use batches::{Batch, BatchTargets, order};
pub use cache::load_data;
pub use dataset::{Dataset, Dtype};
pub use element::Elements;
pub(crate) use element::half;
pub(crate) use fingerprint::NAMELESS;
pub use npz::Npz;
pub use prefetch::Prefetch;
pub use source::Source;
pub use targets::{Shared, TargetKind, Targets};
pub(crate) use transform::{check_divisor, check_sample_rank};

use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use std::io::Read;

/// The most bytes that `packed` bytes of deflate may unpack to: deflate's maximum (a match of 258 bytes takes two bits:
/// 1,032 to 1), but above 1 GiB no more than 100 to 1, which images never reach.
fn most_unpacked(packed: u64) -> u64 {
    const BEST: u64 = 1032;
    packed.saturating_mul(BEST).min(packed.saturating_mul(100).max(1 << 30))
}

/// Reads exactly `len` bytes, a length that a header claims. The memory grows with the bytes that are really there, so
/// a false claim costs at most 1 MiB; while it grows, it needs twice its size, and never more than the machine has.
/// `start` is their offset, for the message.
fn read_claimed(reader: &mut impl Read, len: usize, start: u64) -> Result<Vec<u8>> {
    const STEP: usize = 1 << 20;
    memory::check::<u8>(len)?;
    let mut bytes = memory::reserve(len.min(STEP))?;
    while bytes.len() < len {
        let before = bytes.len();
        let step = STEP.min(len - before);
        if bytes.capacity() - before < step {
            memory::grow(&mut bytes, (2 * before).min(len) - before)?;
        }
        reader
            .by_ref()
            .take(step as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(error, start + before as u64))?;
        if bytes.len() - before < step {
            return Err(Error::new(ErrorKind::Format, "the data end too soon")
                .expected(format_args!("{len} bytes"))
                .found(bytes.len())
                .at(format_args!("byte {}", start + bytes.len() as u64)));
        }
    }
    Ok(bytes)
}

/// An error in the middle of a file: a damaged archive is reported as an I/O error.
fn unreadable(error: std::io::Error, byte: u64) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let damaged = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
        || (error.raw_os_error().is_none() && error.kind() == std::io::ErrorKind::Other);
    match damaged {
        true => Error::new(ErrorKind::Format, format!("damaged data: {error}")),
        false => Error::io(error),
    }
    .at(format_args!("byte {byte}"))
}
