//! The temporary files that new content is written to first: `.mnist-0.tmp` in the target's folder, or a higher number.
//!
//! The writer holds the file's lock, which ends with its process: an unlocked file was left by a killed process and is
//! removed by the next write in that folder. So there are never more of them than there were concurrent writers. A lock
//! does not depend on process numbers, which may be reused or repeated in another container.
//!
//! On Windows a lock would keep readers out after the rename. There the writer opens the file without sharing
//! (`share_mode`), which ends with its process too.

use super::descriptors::{Taken, again, apart, is_held, is_standard, opened};
use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// How many names are tried, and after how many free names in a row the search for stale files stops.
const ATTEMPTS: usize = 1000;
const FREE: usize = 16;

/// Sharing modes, and the flag that opens a link itself instead of its target.
#[cfg(windows)]
const SHARE_READ: u32 = 1;
#[cfg(windows)]
const SHARE_DELETE: u32 = 4;
#[cfg(windows)]
const OPEN_THE_LINK: u32 = 0x0020_0000;

fn name(slot: usize) -> String {
    format!(".mnist-{slot}.tmp")
}

/// Whether a name is one of a temporary file; on Windows capitals count too.
pub fn is_ours(name: &[u8]) -> bool {
    let name = if cfg!(windows) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
    let slot = name.strip_prefix(b".mnist-").and_then(|rest| rest.strip_suffix(b".tmp"));
    slot.is_some_and(|slot| !slot.is_empty() && slot.iter().all(u8::is_ascii_digit))
}

/// Creates a locked file in `folder`, which must be on the target's file system for an atomic rename. If `private`,
/// only its owner may read it. Stale files are removed.
pub fn claim(folder: &Path, private: bool) -> io::Result<(PathBuf, File)> {
    let mut slot = 0;
    for _ in 0..ATTEMPTS {
        let path = folder.join(name(slot));
        let _taken = Taken::now();
        match again(|| new(&path, private)) {
            Ok(file) if holds(&file) && is_at(&file, &path) => {
                // It may contain output of the host, which closed a standard descriptor just now.
                if is_standard(&file) {
                    fs::remove_file(&path)?;
                    continue;
                }
                clear(folder, slot + 1);
                return Ok((path, file));
            }
            // Before it was locked, another process may have removed it as stale.
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => slot += usize::from(!remove_stale(&path)),
            // Perhaps a removed file that is still open somewhere.
            Err(error) if is_held(&error) && slot < FREE => slot += 1,
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{ATTEMPTS} names are taken, the last {}", name(slot))))
}

fn new(path: &Path, private: bool) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if private { 0o600 } else { 0o666 });
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, SHARE_READ | SHARE_DELETE);
    let _ = private;
    apart(options.write(true).create_new(true).open(path)?, true)
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

/// Locks a file. On Windows it is exclusive since it was opened.
fn lock(file: &File) -> Result<(), TryLockError> {
    if cfg!(windows) { Ok(()) } else { file.try_lock() }
}

/// Locks a new file. If the file system has no locks, no other process gets one either.
fn holds(file: &File) -> bool {
    !matches!(lock(file), Err(TryLockError::WouldBlock))
}

/// Removes a temporary file unless a process is writing to it. Returns whether its name can be tried again.
fn remove_stale(path: &Path) -> bool {
    match open_as_it_is(path) {
        Ok(file) if file.metadata().is_ok_and(|there| there.is_file()) && lock(&file).is_ok() => {
            // While this process holds the lock no other renames or removes it; before, one may have.
            !is_at(&file, path) || again(|| fs::remove_file(path)).is_ok()
        }
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Opens the file without following a link or blocking on a pipe. Some file systems require write access for a lock,
/// but the mode may allow only reading or only writing. On Windows it fails while another process writes there or
/// checks the file.
fn open_as_it_is(path: &Path) -> io::Result<File> {
    let open = |read, write| {
        let mut options = File::options();
        options.read(read).write(write);
        #[cfg(unix)]
        {
            let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
        }
        #[cfg(windows)]
        {
            use std::os::windows::fs::OpenOptionsExt;
            options.share_mode(SHARE_DELETE).custom_flags(OPEN_THE_LINK);
        }
        opened(|| options.open(path))
    };
    let forbidden = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match open(true, true) {
        Err(error) if forbidden(&error) => open(true, false).or_else(|_| open(false, true)),
        result => result,
    }
}

/// Whether an open file still has that name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use super::identity::identity;
        let named = again(|| fs::symlink_metadata(path)).ok();
        file.metadata().is_ok_and(|open| named.is_some_and(|named| identity(&named) == identity(&open)))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}
