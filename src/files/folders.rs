//! Creates the parent folders of a file.

use super::descriptors::again;
use super::file_path::FilePath;
use super::replace::{check, check_folder};
use crate::error::Result;
use std::fs;
use std::path::Path;

/// Creates the missing parent folders of `path`. Errors do not name the file: the caller does.
pub fn make_folders(path: &FilePath) -> Result<()> {
    let folder = path.path().parent().unwrap_or(Path::new("/"));
    Ok(again(|| fs::create_dir_all(folder))?)
}

/// Fails where [`make_folders`] would, or [`replace`](super::replace()) after it: checks the nearest existing parent
/// folder.
pub fn check_with_folders(path: &FilePath) -> Result<()> {
    let folder = path.path().parent().unwrap_or(Path::new("/"));
    match folder.ancestors().find(|folder| again(|| folder.try_exists()).unwrap_or(true)) {
        Some(there) if there != folder => check_folder(there),
        _ => check(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn folders_are_made_and_looked_for_before() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| FilePath::of(&root.path().join(name)).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        for name in ["w", "a/w", "a/b/c/w"] {
            check_with_folders(&path(name)).unwrap();
            assert!(!root.path().join("a").exists());
        }
        make_folders(&path("a/b/c/w")).unwrap();
        make_folders(&path("a/b/c/w")).unwrap();
        check_with_folders(&path("a/b/c/w")).unwrap();
        assert_eq!(fs::read_dir(root.path().join("a/b/c")).unwrap().count(), 0);
        let no_folder = if cfg!(windows) { ErrorKind::NotFound } else { ErrorKind::Io };
        for name in ["file/w", "file/a/w"] {
            assert_eq!(check_with_folders(&path(name)).unwrap_err().kind(), no_folder);
            assert!(make_folders(&path(name)).is_err());
        }
        assert!(check_with_folders(&path("a")).unwrap_err().to_string().contains("a directory"));
    }
}
