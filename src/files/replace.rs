//! Replaces a file atomically: a reader finds the old content or the new, complete, even after a crash.
//!
//! The new content is written to a temporary file in the same folder, which is synced and renamed.

use super::descriptors::{again, is_held, opened, patiently};
use super::file_path::FilePath;
use super::target::Target;
use super::temporary::claim;
use crate::error::{At, Error, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// How messages refer to the temporary file.
const BESIDE: &str = "temporary file beside it";

/// Replaces the content of the file at `path` by what `write` writes. On failure the old content stays and nothing else
/// is left behind. A symbolic link is followed: its target is replaced or created. Mode, owner and group are kept as
/// far as this process may set them. Anything but a regular file (a folder, a device, a pipe) is an error, and so is a
/// file that this process may not write to. Errors do not name the file: the caller does.
pub fn replace(path: &FilePath, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let target = Target::of(path.path())?;
    let (temporary, mut file) = claim(&target.folder, target.is_there()).at(BESIDE)?;
    let written = target
        .check_owner(&file)
        .and_then(|()| target.hand_on(&file).at(BESIDE))
        .and_then(|()| write(&mut file))
        .and_then(|()| Ok(again(|| file.sync_all())?)) // the content must be on the disk before the name refers to it
        .and_then(|()| rename(&temporary, &target.path));
    if let Err(error) = written {
        let _ = again(|| fs::remove_file(&temporary)); // the first error is the one to report
        return Err(error);
    }
    sync_folder(&target.folder);
    Ok(())
}

/// The same for buffered writing in small pieces. Errors name the file.
pub fn save(path: &FilePath, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    replace(path, |file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        Ok(out.flush()?)
    })
    .at(path)
}

/// Fails if [`replace`] would fail before it writes: the folder does not exist or is not writable, or the file is not a
/// regular file or cannot be replaced.
pub fn check(path: &FilePath) -> Result<()> {
    let target = Target::of(path.path())?;
    let (temporary, file) = claim(&target.folder, target.is_there()).at(BESIDE)?;
    let checked = target.check_owner(&file).and_then(|()| target.hand_on(&file).at(BESIDE));
    let removed = again(|| fs::remove_file(&temporary)).at(BESIDE);
    checked.and(removed)
}

/// Fails if no file can be created in a folder.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    let (temporary, _file) = claim(folder, false).at(BESIDE)?;
    again(|| fs::remove_file(&temporary)).at(BESIDE)
}

/// Renames the temporary file, atomically.
fn rename(from: &Path, to: &Path) -> Result<()> {
    patiently(|| fs::rename(from, to)).map_err(|error| match is_held(&error) {
        true => Error::io(error).at("cannot be replaced, perhaps since a program has it open"),
        false => error.into(),
    })
}

/// Syncs the folder. The file is already renamed, so it is no error if a file system cannot do this.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = opened(|| File::open(folder)).and_then(|folder| again(|| folder.sync_all()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::io;

    fn names_in(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        super::replace(&FilePath::of(path)?, write)
    }

    fn check(path: &Path) -> Result<()> {
        super::check(&FilePath::of(path)?)
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
        let (live, _lock) = claim(folder.path(), false).unwrap();
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
    fn what_is_left_is_removed_whatever_its_number_and_nothing_of_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for slot in [0, 1, 4, 19, 30] {
            fs::write(at(&format!(".mnist-{slot}.tmp")), "stale").unwrap();
        }
        let others = [
            ".mnist-.tmp",
            ".mnist-1.tmp~",
            ".mnist-1a.tmp",
            "mnist-1.tmp",
            #[cfg(unix)]
            ".mnist-2.TMP",
        ];
        others.iter().for_each(|name| fs::write(at(name), "theirs").unwrap());
        let live = File::create(at(".mnist-7.tmp")).unwrap();
        live.lock().unwrap();
        replace(&at("w"), text("ours")).unwrap();
        let mut expected = [&others[..], &[".mnist-7.tmp", "w"]].concat();
        expected.sort();
        assert_eq!(names_in(folder.path()), expected);
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
