//! Paths that Windows would not open as a file of that name. They are an error before anything is opened.
//!
//! ```text
//! NUL   folder\con.txt   \\.\COM1   \\server\pipe\x     a device or a pipe, whatever its folder and extension
//! w.npz:b   w.npz::$DATA                                another content of the same file
//! w.npz.   folder \w                                    w.npz and folder\w, since dots and spaces at the end are left out
//! C:w                                                   in the folder that the program was in last on drive C
//! ```

use crate::error::{Error, ErrorKind, Result, printable};

/// Names of devices, and of those of which there are several: with a digit, or what Windows takes for one.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const NUMBERED: [&str; 2] = ["COM", "LPT"];

/// Share names through which a server's pipes are reached.
const PIPES: [&str; 2] = ["pipe", "mailslot"];

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// An error unless Windows opens `path` as a file of that name.
pub fn check(path: &str) -> Result<()> {
    names(path)?.split(is_separator).try_for_each(check_name)
}

/// The names of folders and the file: what follows a drive, or a server.
fn names(path: &str) -> Result<&str> {
    if let Some(long) = path.strip_prefix(r"\\?\") {
        return match long.get(..4) {
            Some(unc) if unc.eq_ignore_ascii_case(r"UNC\") => share(&long[4..]),
            _ => drive(long)?.ok_or_else(device),
        };
    }
    if path.starts_with(r"\??\") {
        return Err(device());
    }
    match path.strip_prefix(is_separator).and_then(|rest| rest.strip_prefix(is_separator)) {
        Some(rest) => share(rest),
        None => Ok(drive(path)?.unwrap_or(path)),
    }
}

/// What follows `C:`; `None` if that is not how it begins.
fn drive(path: &str) -> Result<Option<&str>> {
    match path.strip_prefix(|c: char| c.is_ascii_alphabetic()).and_then(|rest| rest.strip_prefix(':')) {
        Some(rest) if rest.starts_with(is_separator) => Ok(Some(rest)),
        Some(_) => Err(Error::new(ErrorKind::InvalidArgument, "means another folder at another time")
            .expected(r"a path from the drive on, like C:\w, or one without a drive")
            .found("a drive without a folder")),
        None => Ok(None),
    }
}

/// What follows the name of a server: its share, and the names in it.
fn share(path: &str) -> Result<&str> {
    let (server, rest) = path.split_once(is_separator).unwrap_or((path, ""));
    let share = rest.split(is_separator).next().unwrap_or_default();
    if matches!(server, "." | "?") {
        return Err(device());
    }
    match PIPES.iter().any(|pipe| pipe.eq_ignore_ascii_case(share)) {
        true => Err(no_file("a pipe")),
        false => Ok(rest),
    }
}

fn check_name(name: &str) -> Result<()> {
    if matches!(name, "" | "." | "..") {
        return Ok(());
    }
    if is_device(name) {
        return Err(device());
    }
    let refused = |what| Err(Error::new(ErrorKind::InvalidArgument, what).found(format_args!("`{}`", printable(name))));
    if name.contains(':') {
        return refused("names an alternate data stream");
    }
    if name.contains(|c: char| c.is_ascii_control() || "<>\"|?*".contains(c)) {
        return refused("has a character that Windows does not allow in names");
    }
    match name.ends_with(['.', ' ']) {
        true => refused("ends in a dot or a space, which Windows leaves out"),
        false => Ok(()),
    }
}

/// Whether a name is a device's. An extension does not matter, nor do spaces before it.
fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end_matches(' ').to_ascii_uppercase();
    let is_digit = |c: char| matches!(c, '0'..='9' | '¹' | '²' | '³');
    let numbered = |stem: &str| NUMBERED.iter().any(|device| stem.strip_suffix(is_digit) == Some(device));
    DEVICES.contains(&stem.as_str()) || numbered(&stem)
}

fn device() -> Error {
    no_file("a device")
}

fn no_file(found: &str) -> Error {
    Error::new(ErrorKind::Io, "cannot be opened").expected("a file").found(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of the error, and a part of its text.
    fn refused(paths: &[&str], kind: ErrorKind, text: &str) {
        for path in paths {
            let error = check(path).expect_err(path);
            assert!(error.kind() == kind && error.to_string().contains(text), "{path}: {error}");
        }
    }

    #[test]
    fn names_of_files() {
        let names = [
            "w",
            "a/b/w.npz",
            r"C:\a\b\w.safetensors",
            "c:/a/../w",
            r"\a\w",
            r"..\.\w",
            r"\\server\share\w",
            r"//server/share/w",
            r"\\server\C$\w",
            r"\\?\C:\a\w",
            r"\\?\unc\server\share\w",
            "Zürich-数字",
            ".hidden",
            "console",
            "nul_",
            "com",
            "com10",
            "lptx",
            "xcon.txt",
            "a.con",
            r"pipe\x",
            "x",
            "",
        ];
        names.iter().for_each(|name| check(name).unwrap());
    }

    #[test]
    fn devices_and_pipes() {
        let devices = [
            "NUL",
            "con",
            "Aux.npz",
            "prn.tar.gz",
            "com1",
            "LPT9.txt",
            "COM0",
            "com¹",
            "CONIN$",
            "conout$.x",
            "nul ",
            "nul.",
            "nul .txt",
            "nul:",
            r"a\nul\w",
            "/a/b/CON",
            r"C:\a\aux",
            r"\\.\COM1",
            "//./nul",
            r"\\.\pipe\x",
            r"\\.\C:\w",
            r"//?/C:/w",
            r"\\?\pipe\x",
            r"\\?\GLOBALROOT\Device\Null",
            r"\\?\C:\a\nul",
            r"\??\C:\w",
            r"\\server\share\con",
        ];
        refused(&devices, ErrorKind::Io, "cannot be opened: expected a file, found a device");
        let pipes = [r"\\server\pipe\x", "//localhost/PIPE/x", r"\\?\UNC\server\pipe\x", r"\\s\mailslot\x"];
        refused(&pipes, ErrorKind::Io, "found a pipe");
    }

    #[test]
    fn what_would_be_another_name() {
        refused(&["a.npz:b", r"C:\a.npz::$DATA", "a:bc/d:e", r"\\?\C:\w:x"], ErrorKind::InvalidArgument, "");
        refused(&["a.npz:b", r"C:\a:b\w"], ErrorKind::InvalidArgument, "alternate data stream");
        refused(&["w.", "w ", "...", r"a. \w", r"C:\a\w. ."], ErrorKind::InvalidArgument, "a dot or a space");
        refused(&["a*", "a?b", "<", "a\"", "a|b", "a\nb"], ErrorKind::InvalidArgument, "Windows does not allow");
        refused(&["C:", "C:w", "z:a/b", r"\\?\C:"], ErrorKind::InvalidArgument, "a drive without a folder");
    }
}
