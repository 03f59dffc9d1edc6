//! A file written to memory.

use super::grow;
use crate::error::{Error, ErrorKind};
use std::io::{self, Seek, SeekFrom, Write};

/// Bytes that grow as they are written and can be overwritten. A failed allocation is an error.
#[derive(Debug, Default)]
pub struct Bytes {
    bytes: Vec<u8>,
    /// Where the next ones go, within what is there.
    at: usize,
}

impl Bytes {
    /// All that was written.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (over, behind) = bytes.split_at((self.bytes.len() - self.at).min(bytes.len()));
        if self.bytes.capacity() - self.bytes.len() < behind.len() {
            let more = behind.len().max(self.bytes.len());
            grow(&mut self.bytes, more).map_err(refused)?;
        }
        self.bytes[self.at..self.at + over.len()].copy_from_slice(over);
        self.bytes.extend_from_slice(behind);
        self.at += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (start, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at as u64, by),
            SeekFrom::End(by) => (self.bytes.len() as u64, by),
        };
        let within = |at: &u64| *at <= self.bytes.len() as u64;
        let at = start.checked_add_signed(by).filter(within).ok_or(io::ErrorKind::InvalidInput)?;
        self.at = at as usize;
        Ok(at)
    }
}

fn refused(error: Error) -> io::Error {
    match error.kind() {
        ErrorKind::OutOfMemory => io::Error::new(io::ErrorKind::OutOfMemory, error.to_string()),
        _ => io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there_where_it_was_written() {
        let mut bytes = Bytes::default();
        bytes.write_all(b"header, then data").unwrap();
        assert_eq!(bytes.seek(SeekFrom::Start(2)).unwrap(), 2);
        bytes.write_all(b"AD").unwrap();
        assert_eq!(bytes.seek(SeekFrom::End(-4)).unwrap(), 13);
        bytes.write_all(b"more data").unwrap();
        assert_eq!(bytes.stream_position().unwrap(), 22);
        assert_eq!(bytes.all(), b"heADer, then more data");
        assert!(bytes.seek(SeekFrom::Current(1)).is_err() && bytes.seek(SeekFrom::End(-23)).is_err());
    }
}
