//! The temporary files that new content is written to first: `.mnist-0.tmp` in the target's folder, or a higher number.
//!
//! Who writes there holds the file's lock, and a lock ends with its process: what is found unlocked was left by a process that
//! was killed, and is removed by the next write in that folder. So there are never more of them than there were writers at
//! the same time. A lock does not depend on a process's number, which another one, or one in another container, may have.

use super::descriptors::{Taken, again, is_standard, opened};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// How many names are tried, and how many in a row must be free for those behind them to be taken for free as well.
const ATTEMPTS: usize = 1000;
const FREE: usize = 16;

fn name(slot: usize) -> String {
    format!(".mnist-{slot}.tmp")
}

/// Whether a name is one of these.
pub fn is_ours(name: &[u8]) -> bool {
    let slot = name.strip_prefix(b".mnist-").and_then(|rest| rest.strip_suffix(b".tmp"));
    slot.is_some_and(|slot| !slot.is_empty() && slot.iter().all(u8::is_ascii_digit))
}

/// A new, locked file in `folder`, which has to be on the target's file system for the renaming to be one step. Only its
/// owner may read it if it is to be `private`. What killed processes have left there is removed.
pub fn claim(folder: &Path, private: bool) -> io::Result<(PathBuf, File)> {
    let mut slot = 0;
    for _ in 0..ATTEMPTS {
        let path = folder.join(name(slot));
        let _taken = Taken::now();
        match again(|| new(&path, private)) {
            Ok(file) if holds(&file) && is_at(&file, &path) => {
                // What was printed may be in it: the host has closed a standard descriptor just now.
                if is_standard(&file) {
                    fs::remove_file(&path)?;
                    continue;
                }
                clear(folder, slot + 1);
                return Ok((path, file));
            }
            // Before it was locked, somebody may have taken it for a stale one.
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => slot += usize::from(!remove_stale(&path)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{ATTEMPTS} names are taken, the last {}", name(slot))))
}

fn new(path: &Path, private: bool) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o666 });
    let _ = private;
    options.write(true).create_new(true).open(path)
}

/// Removes the stale ones from a number on.
fn clear(folder: &Path, from: usize) {
    let mut free = 0;
    for slot in from.. {
        let path = folder.join(name(slot));
        match again(|| fs::symlink_metadata(&path)) {
            Ok(_) if slot < ATTEMPTS => {
                free = 0;
                remove_stale(&path);
            }
            _ => free += 1,
        }
        if free == FREE {
            return;
        }
    }
}

/// Locks a new file; where a file system has no locks, nobody else gets one either.
fn holds(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Removes a temporary file unless somebody is writing to it. Says whether its name is worth another try.
fn remove_stale(path: &Path) -> bool {
    match open_as_it_is(path) {
        Ok(file) if file.metadata().is_ok_and(|there| there.is_file()) && file.try_lock().is_ok() => {
            // While we hold its lock nobody else renames or removes it; before that, somebody may have.
            !is_at(&file, path) || again(|| fs::remove_file(path)).is_ok()
        }
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Opens what is there, without following a link or waiting for a pipe that somebody has put there. To be locked it has to be
/// writable on some file systems, and by its mode it may be no more than readable, or writable.
fn open_as_it_is(path: &Path) -> io::Result<File> {
    let open = |read, write| {
        let mut options = File::options();
        #[cfg(unix)]
        {
            let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
        }
        opened(|| options.clone().read(read).write(write).open(path))
    };
    let forbidden = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match open(true, true) {
        Err(error) if forbidden(&error) => open(true, false).or_else(|_| open(false, true)),
        result => result,
    }
}

/// Whether an open file is still the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |there: fs::Metadata| (there.dev(), there.ino());
        let named = again(|| fs::symlink_metadata(path)).ok().map(place);
        file.metadata().ok().map(place).is_some_and(|open| named == Some(open))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}
