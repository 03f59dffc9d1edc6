//! A file that is appended to while other programs read it.

use super::descriptors::{again, opened};
use super::file_path::FilePath;
use super::open::{expect_file, without_waiting};
use crate::error::Result;
use std::fs::File;
use std::io::Write;

/// An open file to which whole records are appended.
#[derive(Debug)]
pub struct Log(File);

impl Log {
    /// Opens or creates the file at `path`. Anything but a regular file is an error at once. Errors do not name the
    /// file: the caller does.
    pub fn open(path: &FilePath) -> Result<Self> {
        let file = opened(|| without_waiting(File::options().append(true).create(true)).open(path.path()))?;
        expect_file(&file.metadata()?, "cannot be appended to")?;
        Ok(Log(file))
    }

    /// Appends a record. If the process is killed meanwhile, a part of it may remain.
    pub fn append(&mut self, mut record: &[u8]) -> Result<()> {
        while !record.is_empty() {
            match again(|| self.0.write(record))? {
                0 => return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()),
                written => record = record.get(written..).unwrap_or_default(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_log_grows_and_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| FilePath::of(&folder.path().join(name)).unwrap();
        for record in ["one", "two"] {
            Log::open(&path("log")).unwrap().append(record.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "onetwo");
        assert_eq!(Log::open(&path("no/log")).unwrap_err().kind(), ErrorKind::NotFound);
        #[cfg(unix)]
        {
            assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
            assert_eq!(Log::open(&path("pipe")).unwrap_err().kind(), ErrorKind::Io);
            assert_eq!(
                Log::open(&FilePath::of(std::path::Path::new("/dev/full")).unwrap()).unwrap_err().kind(),
                ErrorKind::Io
            );
        }
    }
}
