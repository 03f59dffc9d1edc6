//! A path as the caller wrote it, and its absolute path at the beginning of the call.

use super::{again, names};
use crate::error::{At, Error, ErrorKind, Result, escaped};
use std::fmt;
use std::path::{Path, PathBuf};

/// A file's path. It is shown as the caller wrote it, with control characters escaped.
#[derive(Clone, Debug)]
pub struct FilePath {
    name: String,
    path: PathBuf,
}

impl FilePath {
    /// Resolves `path` now; a relative one against the current working folder.
    pub fn of(path: &Path) -> Result<Self> {
        let name = shown(path);
        expect_path(path, &name)?;
        let path = match path.is_absolute() {
            true => path.to_path_buf(),
            false => in_working_folder(path).at(&name)?,
        };
        Ok(FilePath { name, path })
    }

    /// `name` inside this folder, or `name` itself if it is absolute. It is shown as `name`.
    pub fn join(&self, name: &str) -> Result<Self> {
        let (path, name) = (Path::new(name), shown(Path::new(name)));
        expect_path(path, &name)?;
        Ok(FilePath { name, path: self.path.join(path) })
    }

    /// `name` in the folder of this file. It is shown as `name`.
    #[cfg(feature = "onnx")]
    pub fn sibling(&self, name: &str) -> Result<Self> {
        let (path, name) = (Path::new(name), shown(Path::new(name)));
        expect_path(path, &name)?;
        Ok(FilePath { name, path: self.path.with_file_name(path) })
    }

    /// The resolved path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file exists, following a link.
    pub fn exists(&self) -> bool {
        again(|| self.path.try_exists()).unwrap_or(false)
    }

    /// The system's error for this path. If nothing is there, it says which folder a relative path started from.
    pub fn error(&self, error: std::io::Error) -> Error {
        match error.kind() == std::io::ErrorKind::NotFound && Path::new(&self.name).is_relative() {
            true => Error::new(ErrorKind::NotFound, format!("{error}: looked for at {}", shown(&self.path))),
            false => Error::io(error),
        }
    }

    /// An error unless the path is absolute, so that it stays valid when the program changes its working folder.
    pub fn check_absolute(&self) -> Result<()> {
        match self.path.is_absolute() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Io, "the working folder's path does not lead to it").at(&self.name)),
        }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An error for an empty path, and on Windows for one that does not open the file that it names.
fn expect_path(path: &Path, name: &str) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::InvalidArgument, "is empty").at("path"));
    }
    if !cfg!(windows) {
        return Ok(());
    }
    let text = path.to_str().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "is not Unicode"));
    text.and_then(names::check).at(name)
}

/// Makes a relative path absolute, unless this process may use the working folder but not the folders above it (it has
/// dropped privileges since): then the relative path is kept for the current call.
fn in_working_folder(path: &Path) -> Result<PathBuf> {
    let folder = std::env::current_dir().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let what = "the path is relative, and the working folder was deleted or lies outside of the root";
            Error::new(ErrorKind::NotFound, what)
        }
        _ => Error::io(error).at("working folder"),
    })?;
    Ok(if is_here(&folder) { folder.join(path) } else { path.to_path_buf() })
}

fn is_here(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use super::identity::identity;
        let id = |path: &Path| again(|| std::fs::metadata(path)).ok().as_ref().map(identity);
        id(folder) == id(Path::new("."))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        true
    }
}

/// A path as text; invalid bytes as `\xff`.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&escaped(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn what_a_terminal_would_obey_is_shown_and_the_rest_is_as_it_is() {
        use std::os::unix::ffi::OsStrExt;
        let shown = |bytes: &[u8]| super::shown(Path::new(std::ffi::OsStr::from_bytes(bytes)));
        assert_eq!(shown("it's \"a\" café/重み".as_bytes()), "it's \"a\" café/重み");
        assert_eq!(shown("cafe\u{301}".as_bytes()), "cafe\u{301}", "as macOS writes it");
        assert_eq!(shown(b"a\x1b[31m\r\n\x7f"), "a\\u{1b}[31m\\r\\n\\u{7f}");
        assert_eq!(shown("\u{9b}31m\u{202e}".as_bytes()), "\\u{9b}31m\\u{202e}");
        assert_eq!(shown(b"a\xff\x9b/\xc3"), "a\\xff\\x9b/\\xc3");
    }

    #[test]
    fn a_place_stays_where_it_was() {
        let path = FilePath::of(Path::new("w")).unwrap();
        assert_eq!((path.to_string().as_str(), path.path()), ("w", &*std::env::current_dir().unwrap().join("w")));
        assert!(path.check_absolute().is_ok());
        let inside = path.join("x\u{202e}/y").unwrap();
        assert_eq!((inside.to_string().as_str(), inside.path()), ("x\\u{202e}/y", &*path.path().join("x\u{202e}/y")));
        #[cfg(unix)]
        assert_eq!(path.join("/z").unwrap().path(), Path::new("/z"));
        assert_eq!(FilePath::of(Path::new("")).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn where_nothing_is_a_relative_path_is_told_in_full() {
        let told = |path: &FilePath| path.error(std::io::ErrorKind::NotFound.into()).to_string();
        let path = FilePath::of(Path::new("none/w")).unwrap();
        assert!(told(&path).ends_with(&format!(": looked for at {}", path.path().display())), "{}", told(&path));
        let absolute = FilePath::of(path.path()).unwrap();
        assert!(!told(&absolute).contains("looked for"), "{}", told(&absolute));
    }

    #[test]
    #[cfg(windows)]
    fn what_leads_elsewhere_is_named() {
        let folder = FilePath::of(Path::new("folder")).unwrap();
        for error in [FilePath::of(Path::new("a/nul.txt")), folder.join("a/nul.txt")].map(Result::unwrap_err) {
            assert_eq!(error.to_string(), "a/nul.txt: cannot be opened: expected a file, found a device");
        }
        assert!(folder.join(r"C:\z").unwrap().path() == Path::new(r"C:\z") && folder.join("C:z").is_err());
        assert_eq!(folder.join("/z").unwrap().path().file_name().unwrap(), "z");
    }
}
