//! Opens files to read; and the content of a file in memory.

use super::descriptors::{again, opened};
use super::file_path::FilePath;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{self, cannot_allocate};
use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A regular file that is open for reading. Interrupted reads are repeated.
pub struct Input(File);

/// Opens a file to read. Anything but a regular file (a folder, a pipe, a socket, a device) is an error at once. Errors
/// do not name the file: the caller does.
pub fn open(path: &FilePath) -> Result<Input> {
    // Checked before opening, since opening some devices has an effect; and after, since the path may have changed
    // meanwhile.
    expect_file(&again(|| fs::metadata(path.path())).map_err(|error| path.error(error))?, READ)?;
    let file = opened(|| without_waiting(File::options().read(true)).open(path.path()))?;
    expect_file(&file.metadata()?, READ)?;
    Ok(Input(file))
}

/// Opens the file `name` in the same folder as `path`, for a file that another file refers to: `name` is a plain file
/// name, and not a symbolic link.
#[cfg(feature = "onnx")]
pub fn open_beside(path: &FilePath, name: &str) -> Result<Input> {
    let plain = !name.contains(['/', '\\', ':', '\0']) && !matches!(name, "" | "." | "..");
    if !plain {
        let error = Error::new(ErrorKind::Unsupported, "not the name of a file in the same folder");
        return Err(error.expected("a name without folders").found(crate::error::printable(name)));
    }
    let beside = path.sibling(name)?;
    if again(|| fs::symlink_metadata(beside.path()))?.is_symlink() {
        return Err(Error::new(ErrorKind::Unsupported, "cannot be read").expected("a file").found("a symbolic link"));
    }
    open(&beside)
}

/// The text of one of the system's own files.
pub fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    open(&FilePath::of(path)?)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Options that do not block on a pipe and do not make a terminal the controlling one.
pub(super) fn without_waiting(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// The message for anything but a regular file.
const READ: &str = "cannot be read";

pub(super) fn expect_file(there: &Metadata, what: &'static str) -> Result<()> {
    match there.is_file() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Io, what).expected("a file").found(kind(there))),
    }
}

/// The kind of anything but a regular file.
pub(super) fn kind(there: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let is = there.file_type();
        if is.is_fifo() {
            return "a pipe";
        } else if is.is_socket() {
            return "a socket";
        } else if is.is_char_device() || is.is_block_device() {
            return "a device";
        }
    }
    if there.is_dir() { "a directory" } else { "something else" }
}

/// The content of a file, on disk or in the caller's memory.
pub enum Content<'a> {
    /// In an open file, with its path.
    File(Input, FilePath),
    /// In memory.
    Memory(Cursor<&'a [u8]>),
}

impl<'a> Content<'a> {
    /// The content of the file at `path`. Errors do not name the file: the caller does.
    pub fn at(path: &FilePath) -> Result<Self> {
        Ok(Content::File(open(path)?, path.clone()))
    }

    /// Content in memory.
    pub fn of(bytes: &'a [u8]) -> Self {
        Content::Memory(Cursor::new(bytes))
    }

    /// The path, if it is a file.
    pub fn path(&self) -> Option<&FilePath> {
        match self {
            Content::File(_, path) => Some(path),
            Content::Memory(_) => None,
        }
    }

    /// How many bytes there are.
    pub fn size(&self) -> Result<u64> {
        match self {
            Content::File(file, _) => file.size(),
            Content::Memory(bytes) => Ok(bytes.get_ref().len() as u64),
        }
    }

    /// All bytes: borrowed from memory, or read from the file.
    pub fn bytes(self) -> Result<Cow<'a, [u8]>> {
        let size = self.size()?;
        match self {
            Content::Memory(bytes) => Ok(Cow::Borrowed(bytes.into_inner())),
            Content::File(mut file, _) => {
                let size = usize::try_from(size).map_err(|_| cannot_allocate(usize::MAX))?;
                let mut bytes = memory::filled(size, 0)?;
                file.rewind()?;
                file.read_exact(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::File(file, _) => file.read(bytes),
            Content::Memory(from) => from.read(bytes),
        }
    }
}

impl Seek for Content<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Content::File(file, _) => file.seek(to),
            Content::Memory(from) => from.seek(to),
        }
    }
}

impl Input {
    /// How many bytes it has now.
    pub fn size(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        again(|| self.0.read(bytes))
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
