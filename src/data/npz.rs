//! NumPy archives: a zip whose members are arrays, stored or deflated.
//!
//! The memory a file can take, for each of its bytes:
//!
//! * the zip's directory and the arrays' headers: 64 bytes, and 32 MiB besides;
//! * an array that is read: its elements as this library keeps them (a pixel in one byte or four, a label in four), and
//!   as   much again while it is read. It grows with the bytes that are really there. A member whose directory claims
//!   more than deflate's maximum ratio (1,032 to 1), or more than 1 GiB and a ratio above 100, is rejected before
//!   anything is allocated for it.

use super::archive::Archive;
use super::element::{Element, Elements, check_end};
use super::npy::Header;
use crate::error::{At, Error, ErrorKind, Result, one_of, printable};
use crate::files::FilePath;
use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::Path;

/// An archive of arrays.
pub struct Npz {
    path: FilePath,
    members: Vec<Member>,
}

struct Member {
    /// Its name as NumPy lists it, without `.npy`.
    name: String,
    /// Its header, or the error that is reported when this array is requested.
    header: Result<Header>,
    /// Its index in the zip.
    index: usize,
}

impl Npz {
    /// Opens an archive and reads the headers of all its arrays. A damaged or unsupported array does not affect the
    /// others.
    pub fn open(path: &Path) -> Result<Self> {
        Npz::at(FilePath::of(path)?)
    }

    /// The same for a resolved path.
    pub(super) fn at(path: FilePath) -> Result<Self> {
        let members = (|| {
            let mut archive = Archive::open(&path)?;
            let (mut members, mut names) = (Vec::new(), HashSet::new());
            for index in 0..archive.len() {
                let Some(name) = archive.array_name(index) else { continue };
                let header = match archive.member(index).and_then(|mut file| Header::read(&mut file)) {
                    Err(error) if error.kind() == ErrorKind::OutOfMemory => return Err(error.at(place(&name))),
                    _ if !names.insert(name.clone()) => Err(Error::new(ErrorKind::Format, "two arrays of one name")),
                    header => header,
                };
                members.push(Member { name, header, index });
            }
            match members.is_empty() && archive.len() > 0 {
                true => Err(archive.without_arrays()),
                false => Ok(members),
            }
        })()
        .at(&path)?;
        Ok(Npz { path, members })
    }

    /// The arrays' names in the archive's order, as in NumPy's `files`.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// The shape of an array.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        self.member(name).map(|(_, header)| &header.shape[..]).at(&self.path)
    }

    /// The archive's file.
    pub(super) fn path(&self) -> &FilePath {
        &self.path
    }

    /// An array of pixels, and its shape. Errors do not name the file: the caller does, as with labels.
    pub(super) fn pixels(&self, name: &str) -> Result<(Elements, Vec<usize>)> {
        self.read(name, |header, reader, start| {
            let elements = Element::from_descr(&header.descr)?.pixels(reader, header.elements(), start)?;
            let elements = if header.fortran_order { elements.into_c_order(&header.shape)? } else { elements };
            Ok((elements, header.shape.clone()))
        })
    }

    /// An array of labels, `[N]` or `[N, 1]`, for which C and Fortran order are the same.
    pub(super) fn labels(&self, name: &str) -> Result<Vec<u32>> {
        self.read(name, |header, reader, start| {
            if !matches!(header.shape[..], [_] | [_, 1]) {
                return Err(Error::new(ErrorKind::Shape, "labels of a wrong shape")
                    .expected("[N] or [N, 1]")
                    .found(format_args!("{:?}", header.shape)));
            }
            Element::from_descr(&header.descr)?.labels(reader, header.elements(), start)
        })
    }

    /// An array and its header. (Of two arrays with the same name the last one has an error.)
    fn member(&self, name: &str) -> Result<(&Member, &Header)> {
        let member = self.members.iter().rfind(|member| member.name == name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "no such array")
                .expected(one_of(self.names()))
                .found(format_args!("`{}`", printable(name)))
        })?;
        match &member.header {
            Ok(header) => Ok((member, header)),
            Err(error) => Err(error.clone().at(place(name))),
        }
    }

    /// Calls `task` to read an array's data, with the header and the offset of the data.
    fn read<R>(
        &self,
        name: &str,
        task: impl FnOnce(&Header, &mut BufReader<&mut dyn Read>, u64) -> Result<R>,
    ) -> Result<R> {
        let (member, expected) = self.member(name)?;
        (|| {
            let mut archive = Archive::open(&self.path)?;
            let mut file = archive.member_to_unpack(member.index)?;
            let (claimed, size) = (file.size(), expected.elements() as u64);
            let header = Header::read(&mut file)?;
            if header != *expected {
                return Err(Error::new(ErrorKind::Format, "the file has changed since it was opened"));
            }
            // An element has at least one byte: a header that claims more than the directory is damaged.
            if size.saturating_add(header.len as u64) > claimed {
                return Err(Error::new(ErrorKind::Format, "the array is longer than its member")
                    .expected(format_args!("at most {} elements", claimed.saturating_sub(header.len as u64)))
                    .found(size));
            }
            let file: &mut dyn Read = &mut file;
            let mut reader = BufReader::with_capacity(1 << 16, file);
            let result = task(&header, &mut reader, header.len as u64)?;
            // Reading to the end also compares the zip's checksum.
            check_end(&mut reader, claimed, || Error::new(ErrorKind::Format, "data after the array's end"))?;
            Ok(result)
        })()
        .at(place(name))
    }
}

/// The location of a member, for messages.
fn place(name: &str) -> String {
    format!("member {}", printable(name))
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
    fn arrays_in_fortran_s_order() {
        let columns = npy("|u1", true, "(2, 1, 3)", &[1, 4, 2, 5, 3, 6]);
        let bytes =
            npz(&[("x.npy", columns), ("y.npy", npy(">i2", true, "(2, 1)", &[0, 8, 1, 0]))], CompressionMethod::Stored);
        let (_file, npz) = open(&bytes);
        let npz = npz.unwrap();
        assert_eq!(npz.pixels("x").unwrap(), (Elements::U8(vec![1, 2, 3, 4, 5, 6]), vec![2, 1, 3]));
        assert_eq!(npz.labels("y").unwrap(), [8, 256]);
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
        let dtype = message(npy("<c8", false, "(1, 1, 1)", &[0; 8]));
        assert!(dtype.contains("wrong dtype") && dtype.contains("found `<c8`"), "{dtype}");
        let huge = message(npy("|u1", false, "(1048576, 1048576)", &[0; 64]));
        assert!(huge.contains("longer than its member") && huge.contains("found 1099511627776"), "{huge}");
        assert!(message(npy("|u1", false, "(1, 1, 1)", &[0, 0])).contains("after the array's end"));
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
