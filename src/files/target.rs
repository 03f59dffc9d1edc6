//! The file to be replaced, and whether it can be.

use super::again;
#[cfg(windows)]
use super::descriptors::{SHARING_VIOLATION, opened, patiently};
use super::open::kind;
use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A file to be replaced or created.
pub struct Target {
    /// Its path, with links resolved.
    pub path: PathBuf,
    /// Its folder.
    pub folder: PathBuf,
    /// Its metadata, if it exists.
    there: Option<Metadata>,
}

impl Target {
    /// Resolves `path`. An error if no file can be there, or if the file must not be replaced.
    pub fn of(path: &Path) -> Result<Self> {
        expect_name(path)?;
        let there = match again(|| fs::metadata(path)) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None, // or a dangling link
            Err(error) => return Err(error.into()),
        };
        if let Some(there) = there.as_ref().filter(|there| !there.is_file()) {
            return Err(Error::new(ErrorKind::Io, "cannot be replaced").expected("a file").found(kind(there)));
        }
        let path = followed(path)?;
        expect_name(&path)?;
        if let Some(there) = &there {
            expect_writable(&path, there)?;
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Target { folder: folder.to_path_buf(), path, there })
    }

    /// Whether the file exists already; then the temporary file must not be readable by everybody.
    pub fn is_there(&self) -> bool {
        self.there.is_some()
    }

    /// An error if the folder is sticky and the file belongs to another user. `ours` is a file that this process
    /// created.
    #[cfg(unix)]
    pub fn check_owner(&self, ours: &File) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        const STICKY: u32 = 0o1000;
        let (Some(there), folder) = (&self.there, again(|| fs::metadata(&self.folder))?) else { return Ok(()) };
        let us = ours.metadata()?.uid();
        let may = us == 0 || us == there.uid() || us == folder.uid();
        if folder.mode() & STICKY == 0 || may {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Io, "cannot be replaced: in a sticky folder only its owner may")
            .expected(format_args!("user {us}'s file"))
            .found(format_args!("user {}'s", there.uid())))
    }

    /// Gives the new file the mode, owner and group of the old one, as far as this process may set them. If the group
    /// cannot be kept, the new group gets no more rights than everybody.
    #[cfg(unix)]
    pub fn hand_on(&self, file: &File) -> Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let Some(there) = &self.there else { return Ok(()) };
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (there.uid(), there.gid()) {
            let _ =
                fchown(file, Some(there.uid()), Some(there.gid())).or_else(|_| fchown(file, None, Some(there.gid())));
        }
        let new = file.metadata()?;
        let mut mode = there.mode() & 0o777;
        if new.gid() != there.gid() {
            mode &= !0o070 | (mode & 0o007) << 3;
        }
        if new.mode() & 0o777 != mode {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn check_owner(&self, _: &File) -> Result<()> {
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn hand_on(&self, _: &File) -> Result<()> {
        Ok(())
    }
}

/// An error unless the path ends in what can be a file's name.
fn expect_name(path: &Path) -> Result<()> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let last = bytes.rsplit(|&byte| std::path::is_separator(byte.into())).next().unwrap_or_default();
    let what = match last {
        b"" | b"." | b".." => "not the name of a file",
        _ if super::temporary::is_ours(last) => "a name that is reserved for temporary files",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidArgument, what).expected("a path that ends in a file's name"))
}

/// The end of a chain of links, whether something exists there or not.
fn followed(path: &Path) -> Result<PathBuf> {
    const MOST: usize = 40; // as in the kernel
    let mut path = path.to_path_buf();
    for _ in 0..MOST {
        match again(|| link(&path))? {
            Some(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            None => return Ok(path),
        }
    }
    Err(Error::new(ErrorKind::Io, "cannot be replaced: too many links"))
}

/// The target of a link; `None` if there is nothing or no link (not every system has a distinct error for that).
fn link(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_link(path) {
        Ok(to) => Ok(Some(to)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => Ok(None),
            _ if fs::symlink_metadata(path).is_ok_and(|there| !there.is_symlink()) => Ok(None),
            _ => Err(error),
        },
    }
}

/// A file that this process may not write to is not replaced either, even if the folder would allow it.
fn expect_writable(path: &Path, there: &Metadata) -> Result<()> {
    // For root this check decides; for other users the system reports it. (WASI has no permissions.)
    if cfg!(not(target_family = "wasm")) && there.permissions().readonly() {
        return refused("it is read-only");
    }
    expect_allowed(path)
}

fn refused(why: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Io, format!("cannot be replaced: {why}")).expected("a file that may be written to"))
}

#[cfg(unix)]
fn expect_allowed(path: &Path) -> Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    match again(|| Ok(accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?)).map_err(|e| Errno::from_io_error(&e)) {
        Ok(()) | Err(Some(Errno::NOSYS | Errno::INVAL)) => (),
        Err(Some(Errno::ROFS)) => return refused("the file system is read-only"),
        Err(_) => return refused("no permission to write to it"),
    }
    if is_mount_point(path) {
        let error = Error::new(ErrorKind::Io, "cannot be replaced: something is mounted there");
        return Err(error.expected("a file in its folder").found("a mount point"));
    }
    Ok(())
}

#[cfg(windows)]
fn expect_allowed(path: &Path) -> Result<()> {
    use std::os::windows::fs::OpenOptionsExt;
    const DELETE: u32 = 0x0001_0000; // every open handle must share deletion, or the file cannot be renamed
    let to_write = patiently(|| opened(|| File::options().write(true).open(path)));
    if to_write.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return refused("no permission to write to it");
    }
    let to_replace = patiently(|| opened(|| File::options().access_mode(DELETE).open(path)));
    if to_replace.is_err_and(|error| error.raw_os_error() == Some(SHARING_VIOLATION)) {
        return refused("a program has it open");
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn expect_allowed(_: &Path) -> Result<()> {
    Ok(())
}

/// Whether the file is a mount point, as containers mount single files: a rename to it fails.
#[cfg(unix)]
fn is_mount_point(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
        let told = again(|| Ok(statx(CWD, path, AtFlags::empty(), StatxFlags::empty())?));
        told.is_ok_and(|told| told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}
