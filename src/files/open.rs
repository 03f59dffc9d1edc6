//! A file to read, and what stands for one in memory.

use super::descriptors::{again, opened};
use super::file_path::FilePath;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{self, cannot_allocate};
use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A regular file that is open to be read. No signal interrupts it.
pub struct Input(File);

/// Opens a file to read. What is none (a folder, a pipe, a socket, a device) is refused at once. Errors do not name the file:
/// its opener does.
pub fn open(path: &FilePath) -> Result<Input> {
    // Looked at before, since to open some devices does something; and after, since it may have become another meanwhile.
    expect_file(&again(|| fs::metadata(path.path()))?, READ)?;
    let file = opened(|| without_waiting(File::options().read(true)).open(path.path()))?;
    expect_file(&file.metadata()?, READ)?;
    Ok(Input(file))
}

/// Opens a file called `name` that lies in the same folder as `place`, for what a file says of another one: a name and no
/// path, and no link that leads elsewhere.
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

/// For a pipe nobody is waited for, and no terminal becomes the process's own.
pub(super) fn without_waiting(options: &mut fs::OpenOptions) -> &mut fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// What cannot be done with what is no file.
const READ: &str = "cannot be read";

pub(super) fn expect_file(there: &Metadata, what: &'static str) -> Result<()> {
    match there.is_file() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Io, what).expected("a file").found(kind(there))),
    }
}

/// What is there, if it is no file.
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

/// What a file holds, in a file or in memory of the caller's.
pub enum Content<'a> {
    /// In a file that is open, and where that is.
    File(Input, FilePath),
    /// In memory.
    Memory(Cursor<&'a [u8]>),
}

impl<'a> Content<'a> {
    /// What the file at `place` holds. Errors do not name the file: its opener does.
    pub fn at(path: &FilePath) -> Result<Self> {
        Ok(Content::File(open(path)?, path.clone()))
    }

    /// What `bytes` are.
    pub fn of(bytes: &'a [u8]) -> Self {
        Content::Memory(Cursor::new(bytes))
    }

    /// Where the file is, if it is one.
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

    /// All of it at once: as it lies in memory, and read from a file.
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
