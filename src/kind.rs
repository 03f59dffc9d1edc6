//! Recognizes the kind of a file by its first bytes, so that the error for a wrong file names its kind.

use crate::error::{Error, ErrorKind, Result, printable};
use crate::memory;
use flate2::bufread::GzDecoder;
use std::io::{Read, Seek, SeekFrom};

/// The kinds that this library reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// numpy's archive of arrays.
    Npz,
    /// The format in which MNIST was first published.
    Idx,
    /// Weights, whole models and checkpoints.
    Safetensors,
    /// Lines of fields.
    Csv,
    /// Keras's zip archive of a model.
    Keras,
    /// The format in which Keras writes weights, and wrote models.
    Hdf5,
    /// A network and its weights as ONNX.
    Onnx,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Npz => "an npz archive of arrays (numpy.savez)",
            Kind::Idx => "an IDX file, plain or gzipped",
            Kind::Safetensors => "a safetensors file",
            Kind::Csv => "a table in text (CSV)",
            Kind::Keras => "a Keras model (.keras)",
            Kind::Hdf5 => "an HDF5 file (.h5, as Keras writes)",
            Kind::Onnx => "an ONNX model",
        }
    }

    /// The kind of a file that begins with `start`; `None` for any other.
    pub fn of(start: &[u8]) -> Option<Kind> {
        match recognise(start)? {
            Found::Ours(kind) => Some(kind),
            Found::Other(_) => None,
        }
    }

    /// An error if a file that begins with `start` is known to be of another kind. A file of this kind (even if
    /// damaged) or of an unknown kind is left to its reader.
    pub fn other(self, start: &[u8]) -> Option<Error> {
        if start.is_empty() {
            return Some(Error::new(ErrorKind::Format, "the file is empty").expected(self.name()));
        }
        match recognise(start)? {
            Found::Ours(kind) if kind == self => None,
            Found::Ours(kind) => Some(self.wrong(kind.name())),
            Found::Other(what) => Some(self.wrong(&what)),
        }
    }

    fn wrong(self, found: &str) -> Error {
        Error::new(ErrorKind::Format, "the wrong kind of file").expected(self.name()).found(found)
    }
}

/// The bytes that decide: a file's first ones, and for a zip archive also its last ones, which hold its directory.
pub fn start(file: &mut (impl Read + Seek)) -> Result<Vec<u8>> {
    const FIRST: u64 = 4096;
    const LAST: u64 = 1 << 14;
    let len = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut bytes = memory::reserve(FIRST as usize)?;
    file.by_ref().take(FIRST).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"PK") && len > FIRST {
        memory::grow(&mut bytes, LAST as usize)?;
        file.seek(SeekFrom::Start(FIRST.max(len.saturating_sub(LAST))))?;
        file.by_ref().take(LAST).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What a file was recognised as.
enum Found {
    Ours(Kind),
    Other(String),
}

/// An offset in a file, the bytes there, and the kind they mean.
const MARKS: [(usize, &[u8], &str); 30] = [
    (0, b"\x93NUMPY", "a single NumPy array (.npy)"),
    (
        0,
        b"version https://git-lfs.github.com",
        "a Git LFS pointer, not the file it stands for (`git lfs pull` gets that)",
    ),
    (0, b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", "a PyTorch file (torch.save, the old format)"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (0, b"\x04\x22\x4d\x18", "an LZ4 file"),
    (0, b"\x5d\0\0", "an LZMA file"),
    (0, b"\x1f\x9d", "a file of `compress` (.Z)"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"PAR1", "a Parquet table"),
    (0, b"ARROW1", "an Arrow table"),
    (0, b"MATLAB ", "a MATLAB file (.mat)"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"GGUF", "a GGUF model"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"\x7fELF", "a program or library"),
    (0, b"MZ\x90\0", "a program or library"),
    (0, b"(dp", "a Python pickle"),
    (0, b"(lp", "a Python pickle"),
    (0, b"ccopy_reg\n", "a Python pickle"),
    (0, b"cnumpy", "a Python pickle"),
];

/// What is inside of a zip archive, by the name of a member.
const MEMBERS: [(&[u8], &str); 2] =
    [(b"data.pkl", "a PyTorch file (torch.save)"), (b"word/document.xml", "a Word document")];

fn recognise(start: &[u8]) -> Option<Found> {
    let other = |what: &str| Some(Found::Other(what.to_string()));
    if is_safetensors(start) {
        return Some(Found::Ours(Kind::Safetensors));
    }
    if let Some((_, _, what)) = MARKS.iter().find(|(at, mark, _)| start.get(*at..).is_some_and(|s| s.starts_with(mark)))
    {
        return other(what);
    }
    match start {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Some(zip(start)),
        [0x1f, 0x8b, 8, ..] => Some(Found::Other(gzip(start))),
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Found::Ours(Kind::Hdf5)),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => other("a bzip2 file"),
        [0, 0, 8 | 9 | 0xb | 0xc | 0xd | 0xe, 1..=8, ..] => Some(Found::Ours(Kind::Idx)),
        [0x80, 2..=5, b'(' | b')' | b'A'..=b'Z' | b']' | b'c' | b'}' | 0x88..=0x8f | 0x95, ..] => {
            other("a Python pickle")
        }
        [0x78, 0x01 | 0x9c | 0xda, ..] => other("zlib data"),
        // The version of the format, and the tag of what comes next.
        [8, 3..=20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Some(Found::Ours(Kind::Onnx)),
        [8, 1, 0x12, ..] => other("a TensorFlow model"),
        [0, ..] if start.len() >= 4 && start.iter().all(|&byte| byte == 0) => {
            other("only zeros, as in a file that was never written")
        }
        _ => text(start),
    }
}

/// The length of a header, and the header, which is an object in JSON.
fn is_safetensors(start: &[u8]) -> bool {
    const MOST: u64 = 100_000_000; // the format's own limit
    let len = start.first_chunk().map(|&len| u64::from_le_bytes(len));
    len.is_some_and(|len| (2..=MOST).contains(&len)) && start.get(8) == Some(&b'{')
}

fn zip(start: &[u8]) -> Found {
    let holds = |name: &[u8]| start.windows(name.len()).any(|bytes| bytes == name);
    let ours = [(&b".npy"[..], Kind::Npz), (b"model.weights.h5", Kind::Keras)];
    if let Some(&(_, kind)) = ours.iter().find(|(name, _)| holds(name)) {
        return Found::Ours(kind);
    }
    let what = MEMBERS.iter().find(|(name, _)| holds(name)).map(|(_, what)| *what);
    Found::Other(what.unwrap_or("a zip archive without arrays").to_string())
}

/// A gzipped file, and what is in it.
fn gzip(start: &[u8]) -> String {
    const MOST: u64 = 1024;
    let mut plain = Vec::new();
    let _ = GzDecoder::new(start).take(MOST).read_to_end(&mut plain); // what there is before the end of `start`
    let inside = match &plain[..] {
        [] => None,
        [0x1f, 0x8b, ..] => Some("a gzip file".to_string()),
        plain => recognise(plain).map(|found| match found {
            Found::Ours(kind) => kind.name().to_string(),
            Found::Other(what) => what,
        }),
    };
    inside.map_or("a gzip file".to_string(), |inside| format!("a gzip file of {inside}"))
}

/// The kind of a text, which may begin with a byte order mark and blanks.
fn text(start: &[u8]) -> Option<Found> {
    let start = &start[..start.len().min(1024)];
    let narrow: Vec<u8> = match start {
        [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] => rest.iter().copied().filter(|&byte| byte != 0).collect(),
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        start => start.to_vec(),
    };
    let text = match std::str::from_utf8(&narrow) {
        Ok(text) => text,
        // A character that is cut where `start` ends.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&narrow[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    }
    .trim_start();
    if text.is_empty() || text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let begins = |with: &[&str]| with.iter().any(|with| lower.starts_with(with));
    let line = text.lines().next().unwrap_or_default();
    let what = if begins(&["<!doctype html", "<html", "<head", "<body", "<title", "<script"]) || lower.contains("<html")
    {
        "a web page (HTML), perhaps what a server said instead of sending the file"
    } else if begins(&["<"]) {
        "an XML document, perhaps what a server said instead of sending the file"
    } else if begins(&["("]) && text.contains("cnumpy") {
        "a Python pickle"
    } else if begins(&["{", "["]) {
        "JSON text"
    } else if line.contains([',', ';', '\t']) {
        return Some(Found::Ours(Kind::Csv));
    } else {
        let begin: String = line.chars().take(40).collect();
        return Some(Found::Other(format!("text that begins `{}`", printable(begin.trim_end()))));
    };
    Some(Found::Other(what.to_string()))
}
