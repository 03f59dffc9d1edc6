//! A file replaced in one step: whoever opens it finds the old content or the new, whole, even after a crash.
//!
//! The new content is written to a temporary file in the same folder, `.mnist-0.tmp`, and renamed. Who writes there holds
//! the file's lock, and a lock ends with its process: what is found unlocked was left by a process that was killed, and is
//! removed by the next write in that folder. So there are never more of them than there were writers at the same time.

use crate::error::{At, Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Makes what `write` writes the content of `path`. When that fails, what was there before stays and nothing else is left
/// behind. A symbolic link is followed: what it leads to is replaced. What is there and is no file (a folder, a device, a
/// pipe) is left alone.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let Target { path, folder } = target(path)?;
    let (temporary, mut file) = claim(&folder).at("temporary file beside it")?;
    let written = write(&mut file)
        .and_then(|()| Ok(file.sync_all()?)) // the content has to be on the disk before the name points to it
        .and_then(|()| Ok(fs::rename(&temporary, &path)?));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary); // the first failure is the one to tell
        return Err(error);
    }
    sync_folder(&folder);
    Ok(())
}

/// Fails where [`replace`] would before it writes: no such folder, no right to write in it, no file to replace.
pub fn check(path: &Path) -> Result<()> {
    let (temporary, _file) = claim(&target(path)?.folder).at("temporary file beside it")?;
    Ok(fs::remove_file(temporary)?)
}

/// A file to be replaced, and the folder it is in.
struct Target {
    path: PathBuf,
    folder: PathBuf,
}

fn target(path: &Path) -> Result<Target> {
    if path.file_name().is_none() {
        return Err(Error::new(ErrorKind::InvalidArgument, "not the name of a file"));
    }
    let path = match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => fs::canonicalize(path)?,
        // No file can have such a name, and a temporary one beside it would not show that.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => path.to_path_buf(),
    };
    if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::new(ErrorKind::Io, "cannot be replaced").expected("a file").found("something else"));
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(Target { folder: folder.to_path_buf(), path })
}

/// A new, locked file in `folder`, which has to be on the target's file system for the renaming to be one step.
fn claim(folder: &Path) -> io::Result<(PathBuf, File)> {
    const ATTEMPTS: usize = 1000;
    let mut slot = 0;
    for _ in 0..ATTEMPTS {
        let path = folder.join(format!(".mnist-{slot}.tmp"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // Before it was locked, somebody may have taken it for a stale one.
            Ok(file) if holds(&file) && is_at(&file, &path) => return Ok((path, file)),
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => slot += usize::from(!remove_stale(&path)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{ATTEMPTS} names are taken, the last .mnist-{slot}.tmp")))
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
            !is_at(&file, path) || fs::remove_file(path).is_ok()
        }
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Opens what is there, without following a link or waiting for a pipe that somebody has put there.
fn open_as_it_is(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options.read(true).open(path)
}

/// Whether an open file is still the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |there: fs::Metadata| (there.dev(), there.ino());
        file.metadata().ok().map(place).is_some_and(|open| fs::symlink_metadata(path).ok().map(place) == Some(open))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

/// Puts the new name on the disk. The file is in place by now, so a file system that cannot do this is no failure.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names_in(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn text(to: &str) -> impl FnOnce(&mut File) -> Result<()> {
        move |file| Ok(file.write_all(to.as_bytes())?)
    }

    #[test]
    fn a_write_that_fails_midway_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        replace(&path, text("old")).unwrap();
        let full = replace(&path, |file| {
            file.write_all(b"half of the new")?;
            Err(io::Error::from(io::ErrorKind::StorageFull).into())
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::Io);
        assert_eq!((fs::read(&path).unwrap(), names_in(folder.path())), (b"old".to_vec(), vec!["w".to_string()]));
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_no_file_can_have_is_found_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(5000), "x".repeat(300)] {
            assert_eq!(check(&folder.path().join(name)).unwrap_err().kind(), ErrorKind::Io);
        }
    }

    #[test]
    fn what_killed_writers_left_is_removed_and_what_live_ones_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (live, _lock) = claim(folder.path()).unwrap();
        assert_eq!(live, at(".mnist-0.tmp"));
        fs::write(at(".mnist-1.tmp"), "stale").unwrap();
        for content in ["one", "two"] {
            replace(&at("w"), text(content)).unwrap();
            assert_eq!(fs::read_to_string(at("w")).unwrap(), content);
            assert_eq!(names_in(folder.path()), [".mnist-0.tmp", "w"]);
        }
        drop(_lock); // as when its process is killed
        check(&at("w")).unwrap();
        assert_eq!(names_in(folder.path()), ["w"]);
    }

    #[test]
    #[cfg(unix)]
    fn what_somebody_else_put_under_a_temporary_s_name_is_stepped_around() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        std::os::unix::fs::symlink("theirs", at(".mnist-0.tmp")).unwrap();
        fs::create_dir(at(".mnist-1.tmp")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at(".mnist-2.tmp")).status().unwrap().success());
        replace(&at("w"), text("ours")).unwrap();
        assert_eq!(fs::read_to_string(at("theirs")).unwrap(), "theirs");
        assert_eq!(names_in(folder.path()), [".mnist-0.tmp", ".mnist-1.tmp", ".mnist-2.tmp", "theirs", "w"]);
    }

    #[test]
    fn many_writers_at_once_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        std::thread::scope(|scope| {
            for writer in ["a", "b", "c", "d"] {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| replace(path, text(&writer.repeat(10_000))).unwrap()));
            }
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 10_000 && content.iter().all(|&byte| byte == content[0]));
        assert_eq!(names_in(folder.path()), ["w"]);
    }

    #[test]
    #[cfg(unix)]
    fn permissions_are_as_the_umask_says() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("plain"), "").unwrap();
        fs::write(at(".mnist-0.tmp"), "stale").unwrap();
        fs::set_permissions(at(".mnist-0.tmp"), fs::Permissions::from_mode(0o600)).unwrap();
        replace(&at("w"), text("")).unwrap();
        let mode = |name| fs::metadata(at(name)).unwrap().permissions().mode();
        assert_eq!(mode("w"), mode("plain"));
    }
}
