//! The bytes of a file, and its superblock.

use super::SIGNATURE;
use super::checksum::lookup3;
use super::group::Group;
use crate::error::{At, Error, ErrorKind, Result};
use std::cell::Cell;

/// The total number of bytes that may be read, in multiples of the file's length. A valid file needs a few: its data
/// once, its names once for each lookup in a group.
pub const LOOKS: u64 = 32;

/// The undefined address.
pub const UNDEFINED_ADDRESS: u64 = u64::MAX;

/// A file in memory.
pub struct Hdf5<'a> {
    bytes: &'a [u8],
    /// Bytes that may still be read.
    left: Cell<u64>,
    /// The address of the root group's header.
    root: u64,
}

impl<'a> Hdf5<'a> {
    /// Reads the superblock. `Format` for a file that is not HDF5, `Unsupported` for HDF5 that h5py does not write.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let left = Cell::new((bytes.len() as u64).saturating_mul(LOOKS));
        let mut file = Hdf5 { bytes, left, root: UNDEFINED_ADDRESS };
        file.root = file.superblock().at("superblock")?;
        Ok(file)
    }

    /// The root group.
    pub fn root(&self) -> Result<Group<'_, 'a>> {
        Group::read(self, self.root, "/".to_string())
    }

    /// `len` bytes at an address.
    pub fn take(&self, at: u64, len: u64) -> Result<&'a [u8]> {
        let outside = || Error::new(ErrorKind::Format, "it lies outside the file").at(format_args!("byte {at}"));
        let range = usize::try_from(at).ok().zip(at.checked_add(len).and_then(|end| usize::try_from(end).ok()));
        let bytes = range.and_then(|(start, end)| self.bytes.get(start..end)).ok_or_else(outside)?;
        self.look(len.max(1))?;
        Ok(bytes)
    }

    /// Counts `len` bytes as read, possibly again.
    pub fn look(&self, len: u64) -> Result<()> {
        let left = self.left.get().checked_sub(len).ok_or_else(|| {
            Error::new(ErrorKind::Format, "its structures refer to each other in a cycle, or too often")
                .expected(format_args!("at most {LOOKS} times the file's length to read"))
        })?;
        self.left.set(left);
        Ok(())
    }

    /// A cursor over `len` bytes at an address.
    pub fn cursor(&self, at: u64, len: u64) -> Result<Cursor<'a>> {
        Ok(Cursor { bytes: self.take(at, len)? })
    }

    /// The same; it must begin with a signature.
    pub fn marked(&self, at: u64, len: u64, mark: &[u8]) -> Result<Cursor<'a>> {
        let mut cursor = self.cursor(at, len)?;
        let found = cursor.take(mark.len() as u64)?;
        match found == mark {
            true => Ok(cursor),
            false => {
                let error = Error::new(ErrorKind::Format, "a damaged structure");
                let error = error.expected(format_args!("`{}`", mark.escape_ascii()));
                Err(error.found(format_args!("`{}`", found.escape_ascii())).at(format_args!("byte {at}")))
            }
        }
    }

    fn superblock(&self) -> Result<u64> {
        if !self.bytes.starts_with(SIGNATURE) {
            return Err(Error::new(ErrorKind::Format, "not an HDF5 file"));
        }
        let version = self.take(8, 1)?[0];
        let (mut cursor, root) = match version {
            0 | 1 => {
                let mut cursor = self.cursor(8, if version == 0 { 88 } else { 92 })?;
                cursor.skip(5)?;
                let sizes = [cursor.u8()?, cursor.u8()?];
                check_sizes(sizes)?;
                cursor.skip(1 + 4 + 4 + if version == 0 { 0 } else { 4 })?;
                (cursor, None)
            }
            2 | 3 => {
                let mut cursor = self.cursor(8, 40)?;
                cursor.skip(1)?;
                let sizes = [cursor.u8()?, cursor.u8()?];
                check_sizes(sizes)?;
                cursor.skip(1)?;
                check_sum(self.take(0, 48)?)?;
                (cursor, Some(28))
            }
            other => return Err(unsupported("a superblock of version", "0 to 3", other)),
        };
        if cursor.u64()? != 0 {
            return Err(Error::new(ErrorKind::Unsupported, "an HDF5 file inside of another").expected("base address 0"));
        }
        match root {
            Some(_) => {
                cursor.skip(16)?;
                cursor.u64()
            }
            None => {
                // Free space, end of file, driver; then the root group's entry, its name first.
                cursor.skip(24 + 8)?;
                cursor.u64()
            }
        }
    }
}

/// h5py's addresses and lengths have eight bytes.
fn check_sizes(sizes: [u8; 2]) -> Result<()> {
    match sizes {
        [8, 8] => Ok(()),
        [offsets, lengths] => {
            let error = Error::new(ErrorKind::Unsupported, "addresses of another size").expected("8 bytes");
            Err(error.found(format_args!("{offsets} and {lengths}")))
        }
    }
}

/// An error unless the bytes end with the checksum of those before.
pub fn check_sum(bytes: &[u8]) -> Result<()> {
    let damaged = || Error::new(ErrorKind::Format, "a structure whose checksum is wrong");
    let (body, sum) = bytes.split_last_chunk().ok_or_else(damaged)?;
    if lookup3(body) == u32::from_le_bytes(*sum) { Ok(()) } else { Err(damaged()) }
}

/// The error for an HDF5 feature that this reader does not have.
pub fn unsupported(what: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} {found}")).expected(expected)
}

/// Reads fields from bytes.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor over bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let parts = usize::try_from(len).ok().and_then(|len| self.bytes.split_at_checked(len));
        let (taken, rest) = parts.ok_or_else(|| Error::new(ErrorKind::Format, "a structure ends too soon"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The rest.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Skips some bytes.
    pub fn skip(&mut self, len: u64) -> Result<()> {
        self.take(len).map(drop)
    }

    /// A little-endian number of `width` bytes, 8 at most.
    pub fn number(&mut self, width: u64) -> Result<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// A number of one byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.number(1)? as u8)
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(self.number(2)? as u16)
    }

    /// A number of four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.number(4)? as u32)
    }

    /// A number of eight bytes.
    pub fn u64(&mut self) -> Result<u64> {
        self.number(8)
    }
}
