//! All file access goes through this folder: reading and writing.
//!
//! ```text
//! file_path     a path as the caller wrote it, and its absolute path
//! names         on Windows: paths that do not open the file that they name
//! descriptors   keeps 0, 1 and 2 free of this library's files; repeats interrupted calls
//! identity      which file a name or a descriptor refers to
//! open          a regular file to read, without blocking; or its content in memory
//! target        the file to be replaced, and whether it can be
//! temporary     the file beside it that is written first
//! replace       both together: the new content in one step
//! folders       creates parent folders
//! log           a file that is appended to
//! ```

mod descriptors;
mod file_path;
mod folders;
#[cfg(unix)]
mod identity;
mod log;
mod names;
mod open;
mod replace;
mod target;
mod temporary;

pub use descriptors::{Taken, again};
pub use file_path::FilePath;
pub use folders::{check_with_folders, make_folders};
pub use log::Log;
#[cfg(feature = "onnx")]
pub use open::open_beside;
pub use open::{Content, Input, open, read_text};
pub use replace::{check, replace, save};

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    /// The sources that are not of this folder, up to their tests.
    fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("tests"));
            if path.is_dir() && !path.ends_with("src/files") && !is_test {
                sources(&path, found);
            } else if path.extension().is_some_and(|name| name == "rs") && !is_test {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
                found.push((path, code));
            }
        }
    }

    #[test]
    fn nothing_else_opens_or_shows_a_path() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 60, "{}", found.len());
        let ways = [
            "fs::File",
            " File::",
            "(File::",
            "OpenOptions",
            "std::fs",
            "fs::read",
            "fs::write",
            "TcpStream",
            "UnixStream",
            "pipe()",
            "libc::open",
            ".display()",
        ];
        for (path, code) in found {
            // A type's name is not a call; and the cache creates and removes folders, which opens no file.
            let harmless = ["use std::fs::File;", "std::fs::create_dir_all(", "std::fs::remove_dir)"];
            let code = harmless.iter().fold(code, |code, harmless| code.replace(harmless, ""));
            let line = code.lines().find(|line| ways.iter().any(|way| line.contains(way)));
            assert_eq!(line, None, "{}: goes past src/files", path.display());
        }
    }
}
