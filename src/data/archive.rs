//! The zip archive around arrays and around Keras models. Its end record and directory are checked here before the zip
//! crate searches for them: the crate reads a file byte by byte, and again for each false end record.

#[cfg(feature = "keras")]
use crate::error::At;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FilePath, Input};
use crate::kind::{self, Kind};
use crate::memory;
#[cfg(feature = "keras")]
use std::io::Cursor;
use std::io::{BufReader, Read, Seek, SeekFrom};
use zip::read::{ArchiveOffset, Config, ZipFile, ZipFileEntry};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// An open archive.
pub struct Archive<R = Input> {
    zip: ZipArchive<BufReader<R>>,
    /// The file's length.
    len: u64,
    /// The file's first bytes, to name its kind in an error.
    start: Vec<u8>,
}

impl Archive {
    /// Opens the file at `path`. The error for another kind of file names the kind.
    pub fn open(path: &FilePath) -> Result<Self> {
        let file = files::open(path)?;
        let len = file.size()?;
        let mut file = BufReader::new(file);
        let start = kind::start(&mut file)?;
        match check_directory(&mut file, len) {
            Ok(offset) => Archive::sound(file, len, start, offset),
            Err(error) => Err(Kind::Npz.other(&start).unwrap_or(error)),
        }
    }
}

#[cfg(feature = "keras")]
impl<'a> Archive<Cursor<&'a [u8]>> {
    /// The archive in a file's bytes.
    pub fn of(bytes: &'a [u8]) -> Result<Self> {
        let (mut file, len) = (BufReader::new(Cursor::new(bytes)), bytes.len() as u64);
        let offset = check_directory(&mut file, len)?;
        Archive::sound(file, len, Vec::new(), offset)
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Checks the directory against the end record, then opens the archive.
    fn sound(file: BufReader<R>, len: u64, start: Vec<u8>, offset: u64) -> Result<Self> {
        let config = Config { archive_offset: ArchiveOffset::Known(offset) };
        let zip = ZipArchive::with_config(config, file).map_err(damaged)?;
        Ok(Archive { zip, len, start })
    }

    /// The bytes of the member `name`, at most `most`; `None` if there is no such member.
    #[cfg(feature = "keras")]
    pub fn read(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(index) = self.zip.index_for_name(name) else { return Ok(None) };
        let mut read = || {
            let mut member = self.member_to_unpack(index)?;
            let size = member.size();
            if size > most {
                let error = Error::new(ErrorKind::Unsupported, "the member is too long");
                return Err(error.expected(format_args!("at most {most} bytes")).found(size));
            }
            let bytes = super::read_claimed(&mut member, size as usize, 0)?;
            // Reading to the end also compares the checksum.
            match member.read(&mut [0]).map_err(|error| super::unreadable(error, size))? {
                0 => Ok(Some(bytes)),
                _ => Err(Error::new(ErrorKind::Format, "the member is longer than it claims").expected(size)),
            }
        };
        read().at(format_args!("member {name}"))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.zip.len()
    }

    /// The error for an archive without arrays.
    pub fn without_arrays(&self) -> Error {
        let none = || Error::new(ErrorKind::Format, "no array in the archive").expected("members that end in .npy");
        Kind::Npz.other(&self.start).unwrap_or_else(none)
    }

    /// The array name of a member, as NumPy lists it, without `.npy`.
    pub fn array_name(&self, index: usize) -> Option<String> {
        let entry = self.zip.by_index_data(index).ok()?;
        let name = entry.name().unwrap_or_else(|_| String::from_utf8_lossy(entry.name_raw()));
        name.strip_suffix(".npy").map(str::to_string)
    }

    /// A member, ready to be read.
    pub fn member(&mut self, index: usize) -> Result<ZipFile<'_, BufReader<R>>> {
        check_method(&self.zip.by_index_data(index).map_err(damaged)?)?;
        self.zip.by_index(index).map_err(damaged)
    }

    /// The same, unless the directory claims an implausible size for it.
    pub fn member_to_unpack(&mut self, index: usize) -> Result<ZipFile<'_, BufReader<R>>> {
        let len = self.len;
        let member = self.member(index)?;
        let packed = member.compressed_size().min(len);
        let stored = member.compression() == CompressionMethod::Stored;
        let most = if stored { packed } else { super::most_unpacked(packed) };
        match member.size() <= most {
            true => Ok(member),
            false => Err(Error::new(ErrorKind::Format, "the member claims an implausible unpacked size")
                .expected(format_args!("at most {most} bytes out of {packed}"))
                .found(member.size())),
        }
    }
}

/// `Unsupported`, with its name, for another compression or an encryption.
fn check_method(entry: &ZipFileEntry<'_>) -> Result<()> {
    #[allow(deprecated)] // to make one; the number of a method that is not there has no other value
    let number = match entry.compression() {
        CompressionMethod::Unsupported(number) => Some(number),
        _ => None,
    };
    let found = match number {
        Some(99) => "AES encryption".to_string(),
        _ if entry.encrypted() => "encryption with a password (ZipCrypto)".to_string(),
        Some(number) => method_name(number),
        None => return Ok(()),
    };
    Err(Error::new(ErrorKind::Unsupported, "a member with an unsupported compression or encryption")
        .expected("stored or deflated")
        .found(found))
}

fn method_name(number: u16) -> String {
    let name = match number {
        1 => "Shrink",
        2..=5 => "Reduce",
        6 => "Implode",
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        20 | 93 => "Zstandard",
        95 => "xz",
        97 => "WavPack",
        98 => "PPMd",
        _ => return format!("compression method {number}"),
    };
    format!("{name} (compression method {number})")
}

fn damaged(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => super::unreadable(error, 0),
        ZipError::UnsupportedArchive(what) => {
            Error::new(ErrorKind::Unsupported, format!("not a plain zip archive: {what}"))
        }
        ZipError::CompressionMethodNotSupported(number) => {
            Error::new(ErrorKind::Unsupported, format!("not a plain zip archive: {}", method_name(number)))
        }
        other => unsound(other),
    }
}

fn unsound(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("not a valid zip archive: {what}"))
}

/// The sizes of an end record without its comment, and of the two records before it in a Zip64 archive.
const END: usize = 22;
const LOCATOR: u64 = 20;
const END_64: u64 = 56;
/// The most end record signatures in a file's last 64 KiB: one, and those of archives stored inside the archive.
const MOST_ENDS: usize = 64;

/// The position of a directory, from an end record.
struct Directory {
    count: u64,
    size: u64,
    offset: u64,
    /// The position of that end record.
    end: u64,
}

/// Checks that the last end record in a file of `len` bytes describes a directory directly before it, and returns the
/// offset at which the archive begins. The time is proportional to the directory's size plus 64 KiB, for any content.
fn check_directory<R: Read + Seek>(file: &mut BufReader<R>, len: u64) -> Result<u64> {
    let last = len.min(END as u64 + u64::from(u16::MAX));
    file.seek(SeekFrom::Start(len - last))?;
    let mut tail = memory::filled(last as usize, 0)?;
    file.read_exact(&mut tail).map_err(|error| super::unreadable(error, len - last))?;
    let mut ends = (0..tail.len().saturating_sub(END - 1)).rev().filter(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    let at = ends.next().ok_or_else(|| unsound("its end record is missing, as in a truncated file"))?;
    if ends.take(MOST_ENDS).count() == MOST_ENDS {
        return Err(unsound(format_args!("more than {MOST_ENDS} end records")));
    }
    let record = &tail[at..];
    let half = |at| number(record, at, 2);
    if at + END + half(20) as usize > tail.len() {
        return Err(
            unsound("its comment ends after the end of the file").at(format_args!("byte {}", len - last + at as u64))
        );
    }
    let end = len - last + at as u64;
    let (count, size, offset) = (half(10), number(record, 12, 4), number(record, 16, 4));
    let large = count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff;
    let mut locator = None;
    if large && end >= LOCATOR + END_64 {
        let found = read_at::<{ LOCATOR as usize }>(file, end - LOCATOR)?;
        locator = found.starts_with(b"PK\x06\x07").then(|| number(&found, 8, 8));
    }
    let directory = match locator {
        Some(offset) => large_directory(file, end - LOCATOR, offset)?,
        None if half(4) != 0 || half(6) != 0 || half(8) != count => return Err(in_parts()),
        None => Directory { count, size, offset, end },
    };
    walk(file, &directory)?;
    let offset = (directory.end - directory.size).checked_sub(directory.offset);
    let offset = offset.ok_or_else(|| unsound("its directory is not at the position that its end record states"))?;
    match locator {
        Some(position) if position.checked_add(offset) != Some(directory.end) => {
            Err(unsound("its Zip64 end record is not at the stated position"))
        }
        _ => Ok(offset),
    }
}

fn in_parts() -> Error {
    Error::new(ErrorKind::Unsupported, "a zip archive in several parts").expected("one file")
}

/// The Zip64 end record, of an archive with more than 65,535 members or 4 GiB. It ends at `end`; its offset counts from
/// the beginning of the archive, which is `offset` in most files.
fn large_directory<R: Read + Seek>(file: &mut BufReader<R>, end: u64, offset: u64) -> Result<Directory> {
    for start in [offset, end - END_64] {
        if start > end - END_64 {
            continue;
        }
        let record = read_at::<{ END_64 as usize }>(file, start)?;
        let len = number(&record, 4, 8).checked_add(12).and_then(|len| start.checked_add(len));
        if !record.starts_with(b"PK\x06\x06") || len != Some(end) {
            continue;
        }
        let (here, count) = (number(&record, 24, 8), number(&record, 32, 8));
        if number(&record, 16, 4) != 0 || number(&record, 20, 4) != 0 || here != count {
            return Err(in_parts());
        }
        return Ok(Directory { count, size: number(&record, 40, 8), offset: number(&record, 48, 8), end: start });
    }
    Err(unsound("its Zip64 end record is missing"))
}

/// Walks through a directory's entries, which must fill it exactly.
fn walk<R: Read + Seek>(file: &mut BufReader<R>, directory: &Directory) -> Result<()> {
    const ENTRY: u64 = 46;
    let &Directory { count, size, end, .. } = directory;
    let start = end.checked_sub(size).ok_or_else(|| unsound("its directory is larger than the file"))?;
    file.seek(SeekFrom::Start(start))?;
    let mut left = size;
    for i in 0..count {
        let wrong = || unsound(format_args!("no entry {i} in its directory of {count}"));
        let mut entry = [0; ENTRY as usize];
        left = left.checked_sub(ENTRY).ok_or_else(wrong)?;
        file.read_exact(&mut entry).map_err(|error| super::unreadable(error, end - left))?;
        let names = number(&entry, 28, 2) + number(&entry, 30, 2) + number(&entry, 32, 2);
        left = left.checked_sub(names).filter(|_| entry.starts_with(b"PK\x01\x02")).ok_or_else(wrong)?;
        file.seek_relative(names as i64)?;
    }
    match left {
        0 => Ok(()),
        _ => Err(unsound("its directory does not have the size that its end record states")),
    }
}

fn read_at<const N: usize>(file: &mut BufReader<impl Read + Seek>, at: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes).map_err(|error| super::unreadable(error, at))?;
    Ok(bytes)
}

/// The little-endian number of `width` bytes at `at`; they exist.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
