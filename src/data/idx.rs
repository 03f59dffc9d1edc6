//! IDX, the format in which MNIST was first published (LeCun, Cortes, Burges): a magic number `0 0 type rank`, the sizes
//! as big-endian 32-bit integers, the elements. Plain or gzipped, told apart by the first two bytes.
//!
//! Memory: the array, and as much again while it is read; it grows with the bytes that are really there. A gzipped file
//! whose header claims more than deflate can give, or more than 1 GiB and a hundred bytes out of one, is refused before.

use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{self, Place};
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, BufReader, Read};

/// An array of bytes.
pub struct Idx {
    /// Its sizes.
    pub dims: Vec<usize>,
    /// Its elements.
    pub bytes: Vec<u8>,
}

/// Type 0x08 of the format: unsigned bytes.
const U8: u8 = 0x08;

impl Idx {
    /// Reads a file of unsigned bytes whose rank is one of `ranks`.
    pub fn read(place: &Place, ranks: &[u8]) -> Result<Self> {
        (|| {
            let file = files::open(place)?;
            let packed = file.size()?;
            let mut file = BufReader::new(file);
            let gzipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
            match gzipped {
                true => parse(&mut MultiGzDecoder::new(file), ranks, super::most_unpacked(packed)),
                false => parse(&mut file, ranks, u64::MAX),
            }
        })()
        .at(place)
    }
}

/// Reads an array of at most `most` bytes.
fn parse(reader: &mut impl Read, ranks: &[u8], most: u64) -> Result<Idx> {
    let magic = word(reader, 0)?;
    let good = |rank: &u8| magic == u32::from_be_bytes([0, 0, U8, *rank]);
    let Some(&rank) = ranks.iter().find(|rank| good(rank)) else {
        let expected: Vec<_> =
            ranks.iter().map(|&rank| format!("{:#010x}", u32::from_be_bytes([0, 0, U8, rank]))).collect();
        return Err(Error::new(ErrorKind::Format, "wrong magic number")
            .expected(expected.join(" or "))
            .found(format_args!("{magic:#010x}"))
            .at("byte 0"));
    };
    let mut dims = Vec::new();
    for i in 0..u64::from(rank) {
        dims.push(word(reader, 4 + 4 * i)? as usize);
    }
    let start = 4 + 4 * u64::from(rank);
    let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)).ok_or_else(|| {
        Error::new(ErrorKind::Format, "the array is larger than memory can be")
            .found(format_args!("{dims:?}"))
            .at("byte 4")
    })?;
    if len as u64 > most {
        return Err(Error::new(ErrorKind::Format, "the array claims to unpack to more than is believed")
            .expected(format_args!("at most {most} bytes"))
            .found(format_args!("{dims:?}"))
            .at("byte 4"));
    }
    let bytes = super::read_claimed(reader, len, start).at(format_args!("an array of {dims:?}"))?;
    let end = start + len as u64;
    match reader.read(&mut [0]).map_err(|error| super::unreadable(error, end))? {
        0 => Ok(Idx { dims, bytes }),
        _ => Err(Error::new(ErrorKind::Format, "more data than the header's counts")
            .expected(format_args!("{end} bytes for {dims:?}"))
            .found("more")
            .at(format_args!("byte {end}"))),
    }
}

fn word(reader: &mut impl Read, at: u64) -> Result<u32> {
    let mut bytes = [0; 4];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(u32::from_be_bytes(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(Error::new(ErrorKind::Format, "the header ends too soon")
                .expected("4 bytes")
                .at(format_args!("byte {at}")))
        }
        Err(error) => Err(super::unreadable(error, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn read(file: &tempfile::NamedTempFile, ranks: &[u8]) -> Result<Idx> {
        Idx::read(&Place::of(file.path())?, ranks)
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    const IMAGES: [u8; 20] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6, 7, 8];

    #[test]
    fn plain_and_gzipped() {
        for bytes in [IMAGES.to_vec(), gzip(&IMAGES), [gzip(&IMAGES[..9]), gzip(&IMAGES[9..])].concat()] {
            let idx = read(&file(&bytes), &[3]).unwrap();
            assert_eq!((idx.dims, idx.bytes), (vec![2, 1, 2], vec![5, 6, 7, 8]));
        }
    }

    #[test]
    fn damage_is_named_by_file_and_byte() {
        let message = |bytes: &[u8]| {
            let file = file(bytes);
            let error = read(&file, &[3]).err().unwrap();
            let text = error.to_string();
            assert!(text.starts_with(file.path().to_str().unwrap()), "{text}");
            (error.kind(), text)
        };
        let magic = message(&[0, 0, 8, 1, 0, 0, 0, 0]);
        assert!(magic.1.contains("byte 0: wrong magic number: expected 0x00000803, found 0x00000801"), "{}", magic.1);
        let short = message(&IMAGES[..18]);
        assert!(short.1.contains("byte 18: the data end too soon: expected 4 bytes, found 2"), "{}", short.1);
        let long = message(&[&IMAGES[..], &[1]].concat());
        assert!(long.1.contains("byte 20: more data than the header's counts"), "{}", long.1);
        assert!(message(&[]).1.contains("byte 0: the header ends too soon"));
        assert!(message(&IMAGES[..10]).1.contains("byte 8: the header ends too soon"));
        let mut claims = IMAGES;
        claims[4..16].fill(0xff);
        assert!(message(&claims).1.contains("larger than memory can be"));
        claims[4..8].fill(0);
        claims[8..12].copy_from_slice(&[0, 0, 0, 1]);
        assert_eq!(message(&gzip(&IMAGES)[..25]).0, ErrorKind::Format);
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..100, byte: u8, cut in 0usize..30, gzipped: bool) {
            let mut bytes = if gzipped { gzip(&IMAGES) } else { IMAGES.to_vec() };
            let len = bytes.len();
            bytes[at % len] ^= byte;
            bytes.truncate(len - cut % len);
            let _ = read(&file(&bytes), &[3, 4]);
        }
    }
}
