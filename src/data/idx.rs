//! IDX, the format in which MNIST was first published (LeCun, Cortes, Burges): a magic number `0 0 type rank`, the
//! sizes as big-endian 32-bit integers, the elements. Plain or gzipped, recognized by the first two bytes.
//!
//! Memory: the array, and as much again while it is read; it grows with the bytes that are really there. A gzipped file
//! whose header claims more than deflate's maximum ratio, or more than 1 GiB and a ratio above 100, is rejected before.

use super::element::{Element, Elements, Type, check_end};
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{self, FilePath};
use crate::kind::Kind;
use flate2::bufread::GzDecoder;
use std::io::{BufRead, BufReader, Read};

/// The format's types of elements.
const TYPES: [(u8, Type); 6] =
    [(0x08, Type::U8), (0x09, Type::I8), (0x0b, Type::I16), (0x0c, Type::I32), (0x0d, Type::F32), (0x0e, Type::F64)];

/// A file of images, of rank 3 or 4, or 2 for images of one row: their pixels and their sizes.
pub fn images(path: &FilePath) -> Result<(Elements, Vec<usize>)> {
    read(path, "images", &[2, 3, 4], |element, mut reader, dims, start| {
        Ok((element.pixels(&mut reader, dims.iter().product(), start)?, dims.to_vec()))
    })
}

/// A file of labels, of rank 1.
pub fn labels(path: &FilePath) -> Result<Vec<u32>> {
    read(path, "labels", &[1], |element, mut reader, dims, start| element.labels(&mut reader, dims[0], start))
}

/// Opens a file of `what` whose rank is one of `ranks`, and calls `task` to read its elements, with the offset where
/// they begin.
fn read<R>(
    path: &FilePath,
    what: &str,
    ranks: &[u8],
    task: impl FnOnce(Element, &mut dyn Read, &[usize], u64) -> Result<R>,
) -> Result<R> {
    (|| {
        let file = files::open(path)?;
        let packed = file.size()?;
        let mut file = BufReader::new(file);
        match file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            true => {
                let mut plain = BufReader::new(Gzip::new(file));
                check_kind(&mut plain).at("what is gzipped")?;
                parse(&mut plain, what, ranks, super::most_unpacked(packed), task)
            }
            false => {
                check_kind(&mut file)?;
                parse(&mut file, what, ranks, u64::MAX, task)
            }
        }
    })()
    .at(path)
}

/// An error for a known other kind of file.
fn check_kind(reader: &mut impl BufRead) -> Result<()> {
    let begin = reader.fill_buf().map_err(|error| super::unreadable(error, 0))?;
    Kind::Idx.other(begin).map_or(Ok(()), |error| Err(error.at("byte 0")))
}

/// Reads an array of at most `most` bytes.
fn parse<R>(
    reader: &mut impl Read,
    what: &str,
    ranks: &[u8],
    most: u64,
    task: impl FnOnce(Element, &mut dyn Read, &[usize], u64) -> Result<R>,
) -> Result<R> {
    let (element, rank) = magic(word(reader, 0)?, what, ranks).at("byte 0")?;
    let mut dims = Vec::new();
    for i in 0..u64::from(rank) {
        dims.push(word(reader, 4 + 4 * i)? as usize);
    }
    let start = 4 + 4 * u64::from(rank);
    let len = dims.iter().try_fold(element.width(), |len, &dim| len.checked_mul(dim)).ok_or_else(|| {
        Error::new(ErrorKind::Format, "the array is larger than the address space")
            .found(format_args!("{dims:?}"))
            .at("byte 4")
    })? as u64;
    if len > most {
        return Err(Error::new(ErrorKind::Format, "the array claims an implausible size")
            .expected(format_args!("at most {most} bytes"))
            .found(format_args!("{dims:?}"))
            .at("byte 4"));
    }
    let result = task(element, reader, &dims, start).at(format_args!("an array of {dims:?}"))?;
    let end = start + len;
    check_end(reader, end, || {
        Error::new(ErrorKind::Format, "more data than the header's sizes")
            .expected(format_args!("{end} bytes for {dims:?}"))
            .found("more")
            .at(format_args!("byte {end}"))
    })?;
    Ok(result)
}

/// The element type and the rank from the first four bytes.
fn magic(magic: u32, what: &str, ranks: &[u8]) -> Result<(Element, u8)> {
    let [zero, nought, number, rank] = magic.to_be_bytes();
    let kind = TYPES.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind);
    let fits = [zero, nought] == [0, 0] && ranks.contains(&rank);
    match kind {
        Some(kind) if fits => Ok((Element { kind, big_endian: true }, rank)),
        None if fits => {
            let known = TYPES.map(|(number, _)| format!("{number:#04x}")).join(", ");
            Err(Error::new(ErrorKind::Unsupported, "elements of an unknown type")
                .expected(format_args!("one of {known}"))
                .found(format_args!("{number:#04x}")))
        }
        _ => {
            let good = ranks.iter().map(|&rank| format!("{:#010x}", u32::from_be_bytes([0, 0, 0x08, rank])));
            let good = good.collect::<Vec<_>>().join(" or ");
            Err(Error::new(ErrorKind::Format, "wrong magic number")
                .expected(format_args!("{good} for {what}, or that of another type"))
                .found(format_args!("{magic:#010x}")))
        }
    }
}

/// The content of a gzip file: its members, with zeros before the next one or the end, as padding of tape archives.
/// Anything else is an error.
///
/// The current member; `None` at the end.
struct Gzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Gzip<R> {
    fn new(reader: R) -> Self {
        Gzip(Some(GzDecoder::new(reader)))
    }

    /// Moves from a member's end to the next one, if there is one.
    fn next(&mut self) -> std::io::Result<()> {
        let Some(mut reader) = self.0.take().map(GzDecoder::into_inner) else { return Ok(()) };
        loop {
            let bytes = reader.fill_buf()?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            match bytes.get(zeros) {
                None if zeros == 0 => return Ok(()),
                None => reader.consume(zeros),
                Some(0x1f) => {
                    reader.consume(zeros);
                    *self = Gzip::new(reader);
                    return Ok(());
                }
                Some(_) => {
                    let what = "after the end of the gzip stream there is neither another one nor zeros";
                    return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            match member.read(buffer)? {
                0 if !buffer.is_empty() => self.next()?,
                count => return Ok(count),
            }
        }
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
    use std::path::Path;

    fn images(path: &Path) -> Result<(Elements, Vec<usize>)> {
        super::images(&FilePath::of(path)?)
    }

    fn labels(path: &Path) -> Result<Vec<u32>> {
        super::labels(&FilePath::of(path)?)
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
            let found = images(file(&bytes).path()).unwrap();
            assert_eq!(found, (Elements::U8(vec![5, 6, 7, 8]), vec![2, 1, 2]));
        }
    }

    #[test]
    fn every_type_of_elements() {
        let elements: [(u8, &[u8], f32); 6] = [
            (0x08, &[200], 200.0),
            (0x09, &[0xfe], -2.0),
            (0x0b, &[1, 2], 258.0),
            (0x0c, &[0, 1, 0, 0], 65536.0),
            (0x0d, &[0x3f, 0xc0, 0, 0], 1.5),
            (0x0e, &[0x3f, 0xe0, 0, 0, 0, 0, 0, 0], 0.5),
        ];
        for (number, bytes, value) in elements {
            let pixel = [&[0, 0, number, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], bytes].concat();
            for pixel in [gzip(&pixel), pixel] {
                let expected = if number == 8 { Elements::U8(vec![200]) } else { Elements::F32(vec![value]) };
                assert_eq!(images(file(&pixel).path()).unwrap(), (expected, vec![1, 1, 1]), "{number:#x}");
            }
            let label = labels(file(&[&[0, 0, number, 1, 0, 0, 0, 1], bytes].concat()).path());
            match value >= 0.0 && value.fract() == 0.0 {
                true => assert_eq!(label.unwrap(), [value as u32]),
                false => assert_eq!(label.unwrap_err().kind(), ErrorKind::InvalidArgument),
            }
        }
        for number in [0, 7, 0x0a, 0x0f, 0xff] {
            let error = labels(file(&[0, 0, number, 1, 0, 0, 0, 1, 5]).path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let text = format!(
                "byte 0: elements of an unknown type: expected one of 0x08, 0x09, 0x0b, 0x0c, \
                                0x0d, 0x0e, found {number:#04x}"
            );
            assert!(error.to_string().ends_with(&text), "{error}");
        }
    }

    #[test]
    fn zeros_behind_a_gzip_file_are_padding_and_all_else_is_not() {
        let (first, second) = (gzip(&IMAGES[..9]), gzip(&IMAGES[9..]));
        let zeros = |n| vec![0; n];
        for padded in [
            [gzip(&IMAGES), zeros(1)].concat(),
            [gzip(&IMAGES), zeros(100_000)].concat(),
            [first.clone(), zeros(512), second.clone(), zeros(7)].concat(),
        ] {
            assert_eq!(images(file(&padded).path()).unwrap().1, [2, 1, 2]);
        }
        for garbage in [&b"garbage"[..], &[0, 0, 1], &[0x1f], &[0x1f, 0x8b, 8], &[0x1f, 0x8c, 8, 0, 0, 0, 0, 0, 0, 0]] {
            let error = images(file(&[gzip(&IMAGES), garbage.to_vec()].concat()).path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        }
        let error = images(file(&[gzip(&IMAGES), b"tail".to_vec()].concat()).path()).unwrap_err().to_string();
        assert!(error.contains("byte 20: damaged data: after the end of the gzip stream"), "{error}");
        let inside = images(file(&gzip(&[&IMAGES[..], &[0]].concat())).path()).unwrap_err().to_string();
        assert!(inside.contains("byte 20: more data than the header's sizes"), "{inside}");
    }

    #[test]
    fn damage_is_named_by_file_and_byte() {
        let message = |bytes: &[u8]| {
            let file = file(bytes);
            let error = images(file.path()).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(file.path().to_str().unwrap()), "{text}");
            (error.kind(), text)
        };
        let magic = message(&[0, 0, 8, 1, 0, 0, 0, 0]);
        assert!(
            magic.1.contains("byte 0: wrong magic number: expected 0x00000802 or 0x00000803 or 0x00000804"),
            "{}",
            magic.1
        );
        assert!(magic.1.ends_with("for images, or that of another type, found 0x00000801"), "{}", magic.1);
        let short = message(&IMAGES[..18]);
        assert!(short.1.contains("byte 18: the data end too soon: expected 4 bytes, found 2"), "{}", short.1);
        let long = message(&[&IMAGES[..], &[1]].concat());
        assert!(long.1.contains("byte 20: more data than the header's sizes"), "{}", long.1);
        assert!(message(&[]).1.contains("byte 0: the file is empty"));
        assert!(message(&IMAGES[..10]).1.contains("byte 8: the header ends too soon"));
        let mut claims = IMAGES;
        claims[4..16].fill(0xff);
        assert!(message(&claims).1.contains("larger than the address space"));
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
            let _ = images(file(&bytes).path());
        }
    }
}
