//! A file replaced in one step: whoever opens it finds the old content or the new, whole, even after a crash.

use crate::error::{At, Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes `bytes` the content of `path`. When that fails, what was there before stays and nothing else is left behind.
/// A symbolic link is followed: what it leads to is replaced. What is there and is no file (a folder, a device, a pipe) is
/// left alone.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.file_name().is_none() {
        return Err(Error::new(ErrorKind::InvalidArgument, "not the name of a file"));
    }
    let followed;
    let path = match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            followed = fs::canonicalize(path)?;
            followed.as_path()
        }
        _ => path,
    };
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::new(ErrorKind::Io, "cannot be replaced").expected("a file").found("something else"));
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (temporary, file) = temporary_in(folder).at("temporary file beside it")?;
    let written = write(file, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary); // the first failure is the one to tell
        return Err(error.into());
    }
    sync_folder(folder);
    Ok(())
}

/// A new file in `folder`, which has to be on the target's file system for the renaming to be one step.
fn temporary_in(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut attempt = 0u64;
    loop {
        let path = folder.join(format!(".mnist-{}-{attempt}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            opened => return opened.map(|file| (path, file)),
        }
    }
}

fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all() // the content has to be on the disk before the name points to it
}

/// Puts the new name on the disk. The file is in place by now, so a file system that cannot do this is no failure.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
