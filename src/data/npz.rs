//! numpy's archives: a zip whose members are arrays, stored or deflated.
//!
//! The memory a file can take, for each of its bytes:
//!
//! * the zip's directory and the arrays' headers: 64 bytes, and 32 MiB besides;
//! * an array that is read: its elements as this library keeps them (a pixel in one byte or four, a label in four), and as
//!   much again while it is read. It grows with what is really there; and a member whose directory claims more than deflate
//!   can give (1,032 bytes out of one), or more than 1 GiB and a hundred bytes out of one, is refused before anything is
//!   allocated for it.

use super::npy::Header;
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::{self, Input, Place};
use crate::memory;
use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// An archive of arrays, and what is in it.
pub struct Npz {
    place: Place,
    members: Vec<Member>,
}

struct Member {
    /// As numpy lists it, without `.npy`.
    name: String,
    header: Header,
    /// Its place in the zip.
    index: usize,
}

/// An array's elements, as far as this library takes them.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// `|u1`
    U8(Vec<u8>),
    /// `<f4`, `>f4`, and `<f8`, `>f8` rounded to it.
    F32(Vec<f32>),
}

impl Npz {
    /// Opens an archive and reads the headers of all its arrays.
    pub fn open(path: &Path) -> Result<Self> {
        Npz::at(Place::of(path)?)
    }

    /// The archive at a place that was found before.
    pub(super) fn at(path: Place) -> Result<Self> {
        let members = (|| {
            let (mut archive, _) = archive(&path)?;
            let (mut members, mut names) = (Vec::new(), HashSet::new());
            for index in 0..archive.len() {
                let mut file = archive.by_index(index).map_err(damaged).at(format_args!("member {index}"))?;
                let full = file.name().map_err(damaged)?.into_owned();
                let Some(name) = full.strip_suffix(".npy").map(str::to_string) else { continue };
                let header = Header::read(&mut file).at(place(&name))?;
                if !names.insert(name.clone()) {
                    return Err(Error::new(ErrorKind::Format, "two arrays of one name").at(place(&name)));
                }
                members.push(Member { name, header, index });
            }
            Ok(members)
        })()
        .at(&path)?;
        Ok(Npz { place: path, members })
    }

    /// The arrays' names in the archive's order, as numpy's `files`.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// The shape of an array.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.member(name).at(&self.place)?.header.shape)
    }

    /// The archive's file.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// An array of pixels, and its shape. Errors do not name the file: the caller does, as with labels.
    pub(super) fn pixels(&self, name: &str) -> Result<(Elements, Vec<usize>)> {
        self.read(name, |header, reader, start| {
            let n = header.elements();
            let elements = match header.descr.as_str() {
                "|u1" => Elements::U8(super::read_claimed(reader, n, start)?),
                "<f4" => Elements::F32(convert(reader, n, start, |b| Ok(f32::from_le_bytes(b)))?),
                ">f4" => Elements::F32(convert(reader, n, start, |b| Ok(f32::from_be_bytes(b)))?),
                "<f8" => Elements::F32(convert(reader, n, start, |b| Ok(f64::from_le_bytes(b) as f32))?),
                ">f8" => Elements::F32(convert(reader, n, start, |b| Ok(f64::from_be_bytes(b) as f32))?),
                _ => return Err(unsupported(header, "uint8, float32 or float64 pixels (|u1, <f4, <f8)")),
            };
            Ok((elements, header.shape.clone()))
        })
    }

    /// An array of labels, `[N]` or `[N, 1]`.
    pub(super) fn labels(&self, name: &str) -> Result<Vec<u32>> {
        self.read(name, |header, reader, start| {
            if !matches!(header.shape[..], [_] | [_, 1]) {
                return Err(Error::new(ErrorKind::Shape, "labels of a wrong shape")
                    .expected("[N] or [N, 1]")
                    .found(format_args!("{:?}", header.shape)));
            }
            let n = header.elements();
            match header.descr.as_str() {
                "|u1" => convert(reader, n, start, |b: [u8; 1]| Ok(u32::from(b[0]))),
                "|i1" => convert(reader, n, start, |b| label(i8::from_le_bytes(b))),
                "<u2" => convert(reader, n, start, |b| label(u16::from_le_bytes(b))),
                "<i2" => convert(reader, n, start, |b| label(i16::from_le_bytes(b))),
                "<u4" => convert(reader, n, start, |b| label(u32::from_le_bytes(b))),
                "<i4" => convert(reader, n, start, |b| label(i32::from_le_bytes(b))),
                "<u8" => convert(reader, n, start, |b| label(u64::from_le_bytes(b))),
                "<i8" => convert(reader, n, start, |b| label(i64::from_le_bytes(b))),
                _ => Err(unsupported(header, "integer labels (|u1, <i8, ...)")),
            }
        })
    }

    fn member(&self, name: &str) -> Result<&Member> {
        self.members.iter().find(|member| member.name == name).ok_or_else(|| {
            let names: Vec<_> = self.names().take(8).map(printable).collect();
            Error::new(ErrorKind::NotFound, "no such array")
                .expected(format_args!("one of {}", names.join(", ")))
                .found(format_args!("`{}`", printable(name)))
        })
    }

    /// Lets `task` read an array's data; it is given the header and where the data begin.
    fn read<R>(
        &self,
        name: &str,
        task: impl FnOnce(&Header, &mut BufReader<&mut dyn Read>, u64) -> Result<R>,
    ) -> Result<R> {
        let member = self.member(name)?;
        (|| {
            let (mut archive, len) = archive(&self.place)?;
            let mut file = archive.by_index(member.index).map_err(damaged)?;
            check_claims(&file, len)?;
            let (claimed, size) = (file.size(), member.header.elements() as u64);
            let header = Header::read(&mut file)?;
            if header != member.header {
                return Err(Error::new(ErrorKind::Format, "the file has changed since it was opened"));
            }
            // An element has a byte at least: a header that claims more than the directory has is damaged.
            if size.saturating_add(header.len as u64) > claimed {
                return Err(Error::new(ErrorKind::Format, "the array is longer than its member")
                    .expected(format_args!("at most {} elements", claimed.saturating_sub(header.len as u64)))
                    .found(size));
            }
            let file: &mut dyn Read = &mut file;
            let mut reader = BufReader::with_capacity(1 << 16, file);
            let result = task(&header, &mut reader, header.len as u64)?;
            // The end: nothing follows, and the zip's check sum is compared.
            let end = claimed;
            match reader.read(&mut [0]).map_err(|error| super::unreadable(error, end))? {
                0 => Ok(result),
                _ => Err(Error::new(ErrorKind::Format, "data behind the array's end")),
            }
        })()
        .at(place(name))
    }
}

/// Where in an archive something is.
fn place(name: &str) -> String {
    format!("member {}", printable(name))
}

/// Refuses a member of an archive of `len` bytes for what the directory says of its length, whatever its bytes are.
fn check_claims<R: Read>(file: &ZipFile<'_, R>, len: u64) -> Result<()> {
    let packed = file.compressed_size().min(len);
    let stored = file.compression() == CompressionMethod::Stored;
    let most = if stored { packed } else { super::most_unpacked(packed) };
    match file.size() <= most {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Format, "the member claims to unpack to more than is believed")
            .expected(format_args!("at most {most} bytes out of {packed}"))
            .found(file.size())),
    }
}

/// Opens the zip, and gives its length.
fn archive(place: &Place) -> Result<(ZipArchive<BufReader<Input>>, u64)> {
    let file = files::open(place)?;
    let len = file.size()?;
    if len == 0 {
        return Err(Error::new(ErrorKind::Format, "the file is empty").expected("a zip archive of arrays (npz)"));
    }
    let archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    Ok((archive, len))
}

fn damaged(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => super::unreadable(error, 0),
        ZipError::UnsupportedArchive(what) => {
            Error::new(ErrorKind::Unsupported, format!("not a plain zip archive: {what}"))
        }
        other => Error::new(ErrorKind::Format, format!("not a sound zip archive: {other}")),
    }
}

fn unsupported(header: &Header, expected: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "wrong dtype")
        .expected(expected)
        .found(format_args!("`{}`", printable(&header.descr)))
}

/// A label that fits.
fn label<T: TryInto<u32> + std::fmt::Display + Copy>(value: T) -> Result<u32> {
    value.try_into().map_err(|_| {
        Error::new(ErrorKind::InvalidArgument, "a label is out of range").expected("0 to 4294967295").found(value)
    })
}

/// Reads `n` elements of `SIZE` bytes, memory growing with what is there.
fn convert<T, const SIZE: usize>(
    reader: &mut impl Read,
    n: usize,
    start: u64,
    element: impl Fn([u8; SIZE]) -> Result<T>,
) -> Result<Vec<T>> {
    const STEP: usize = 1 << 16;
    memory::check::<T>(n)?;
    let mut out: Vec<T> = Vec::new();
    while out.len() < n {
        let at = out.len();
        let step = STEP.min(n - at);
        let bytes = super::read_claimed(reader, step * SIZE, start + (at * SIZE) as u64)?;
        if out.capacity() - at < step {
            memory::grow(&mut out, at.max(step).min(n - at))?;
        }
        for (i, &bytes) in bytes.as_chunks().0.iter().enumerate() {
            out.push(element(bytes).at(format_args!("element {}", at + i))?);
        }
    }
    Ok(out)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Cursor, Write};
    use zip::CompressionMethod;
    use zip::write::SimpleFileOptions;

    /// An array's bytes.
    pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    pub fn npz(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn open(bytes: &[u8]) -> (tempfile::NamedTempFile, Result<Npz>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let npz = Npz::open(file.path());
        (file, npz)
    }

    #[test]
    fn stored_and_deflated_arrays_of_every_dtype() {
        let f8: Vec<u8> = [0.5f64, -1.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let i8: Vec<u8> = [3i64, 7].iter().flat_map(|x| x.to_le_bytes()).collect();
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let bytes = npz(
                &[
                    ("a.npy", npy("|u1", false, "(1, 2, 2)", &[1, 2, 3, 4])),
                    ("b.npy", npy("<f8", false, "(2, 1, 1)", &f8)),
                    ("readme.txt", b"no array".to_vec()),
                    ("y.npy", npy("<i8", false, "(2, 1)", &i8)),
                ],
                method,
            );
            let (_file, npz) = open(&bytes);
            let npz = npz.unwrap();
            assert_eq!(npz.names().collect::<Vec<_>>(), ["a", "b", "y"]);
            assert_eq!(npz.shape("b").unwrap(), [2, 1, 1]);
            assert_eq!(npz.pixels("a").unwrap(), (Elements::U8(vec![1, 2, 3, 4]), vec![1, 2, 2]));
            assert_eq!(npz.pixels("b").unwrap().0, Elements::F32(vec![0.5, -1.0]));
            assert_eq!(npz.labels("y").unwrap(), [3, 7]);
        }
    }

    #[test]
    fn bad_arrays_name_file_member_and_what_is_wrong() {
        let file_of = |member: Vec<u8>| npz(&[("x.npy", member)], CompressionMethod::Deflated);
        let message = |member: Vec<u8>| {
            let (_file, npz) = open(&file_of(member));
            match npz {
                Ok(npz) => npz.pixels("x").unwrap_err().to_string(),
                Err(error) => error.to_string(),
            }
        };
        let short = message(npy("<f4", false, "(2, 2, 2)", &[0; 20]));
        assert!(
            short.contains("member x: byte") && short.contains("end too soon: expected 32 bytes, found 20"),
            "{short}"
        );
        let dtype = message(npy("<i4", false, "(1, 1, 1)", &[0; 4]));
        assert!(dtype.contains("wrong dtype") && dtype.contains("found `<i4`"), "{dtype}");
        assert!(message(npy("|u1", true, "(1, 1, 1)", &[0])).contains("member x: the array is in Fortran order"));
        let huge = message(npy("|u1", false, "(1048576, 1048576)", &[0; 64]));
        assert!(huge.contains("longer than its member") && huge.contains("found 1099511627776"), "{huge}");
        assert!(message(npy("|u1", false, "(1, 1, 1)", &[0, 0])).contains("behind the array's end"));
        assert!(message(b"hello, I am no array".to_vec()).contains("member x: byte 0: not a numpy array"));

        let (_file, npz) = open(&file_of(npy("|i1", false, "(2,)", &[1, 0xff])));
        let error = npz.unwrap().labels("x").unwrap_err().to_string();
        assert!(error.contains("element 1: a label is out of range") && error.contains("found -1"), "{error}");
        let (_file, npz) = open(&file_of(npy("|u1", false, "(2, 2)", &[0; 4])));
        let npz = npz.unwrap();
        assert!(npz.labels("x").unwrap_err().to_string().contains("expected [N] or [N, 1], found [2, 2]"));
        assert_eq!(npz.shape("z").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_archive_is_told_so() {
        assert!(open(b"").1.err().unwrap().to_string().contains("the file is empty"));
        assert_eq!(open(b"PK, or so it says").1.err().unwrap().kind(), ErrorKind::Format);
        let folder = tempfile::tempdir().unwrap();
        assert!(Npz::open(folder.path()).err().unwrap().to_string().contains("found a directory"));
        assert_eq!(Npz::open(&folder.path().join("none")).err().unwrap().kind(), ErrorKind::NotFound);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn damage_never_panics(at in 0usize..1000, byte: u8, cut in 0usize..20, deflated: bool) {
            let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
            let array = npy("|u1", false, "(2, 4, 4)", &[7; 32]);
            let mut bytes = npz(&[("x.npy", array.clone()), ("y.npy", npy("|u1", false, "(2,)", &[0, 1]))], method);
            let len = bytes.len();
            bytes[at % len] ^= byte;
            bytes.truncate(len - cut);
            if let (_file, Ok(npz)) = open(&bytes) {
                let _ = (npz.pixels("x"), npz.labels("y"));
            }
        }
    }
}
