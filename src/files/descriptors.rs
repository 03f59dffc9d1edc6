//! Keeps descriptors 0, 1 and 2 free of the library's files, and repeats calls that signals interrupt.
//!
//! A program may have closed descriptor 0, 1 or 2. The next file opened gets that number, and the output of another
//! thread would go into it. So while this library opens a file, closed ones are occupied by descriptors that can be
//! neither read nor written.
//!
//! Windows assigns handles in another way, and a C runtime there tracks which were closed. But if a program closes a
//! standard handle directly, its number may come back as a file's: that file is moved to another handle.

#[cfg(unix)]
use super::identity::identity;
use crate::kernels::process::Process;
use parking_lot::{Mutex, MutexGuard};
#[cfg(unix)]
use std::fs;
use std::fs::File;
use std::io::{self, Seek};
use std::time::Duration;

/// The largest of the standard descriptors.
#[cfg(unix)]
const LAST: i32 = 2;

/// While it lives, no opened file gets a standard descriptor. `None`: a user of the process's placeholders; otherwise
/// those of its own, since the process's could not be locked.
pub struct Taken(Option<Vec<File>>);

/// The placeholders in the standard descriptors that were free, shared by all threads: they are closed when the last
/// thread no longer needs them, or another thread's file would get the number.
struct Placeholders {
    files: Vec<File>,
    users: usize,
}

static PLACEHOLDERS: Mutex<Placeholders> = Mutex::new(Placeholders { files: Vec::new(), users: 0 });

/// `None` in a forked child if a thread of its parent held the lock: nobody releases it there.
fn shared() -> Option<MutexGuard<'static, Placeholders>> {
    match Process::current().is_fork() {
        true => PLACEHOLDERS.try_lock_for(Duration::from_millis(20)),
        false => Some(PLACEHOLDERS.lock()),
    }
}

impl Taken {
    /// Occupies the free ones.
    pub fn now() -> Self {
        match shared() {
            Some(mut shared) => {
                shared.files.extend(free());
                shared.users += 1;
                Taken(None)
            }
            None => Taken(Some(free())),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(own) = &mut self.0 {
            close(own);
        } else if let Some(mut shared) = shared() {
            shared.users -= 1;
            if shared.users == 0 {
                close(&mut shared.files);
            }
        }
    }
}

/// Closes placeholders, except those that the host has replaced meanwhile (by `dup2`): these are the host's.
fn close(placeholders: &mut Vec<File>) {
    for file in placeholders.drain(..) {
        #[cfg(unix)]
        if !is_root(&file) {
            let _left_open = std::os::fd::IntoRawFd::into_raw_fd(file);
        }
        #[cfg(not(unix))]
        drop(file);
    }
}

/// The root folder, open once for each descriptor that was free. Where it cannot be opened, nothing can be done.
fn free() -> Vec<File> {
    #[cfg(unix)]
    return std::iter::from_fn(|| again(root).ok().filter(is_standard)).collect();
    #[cfg(not(unix))]
    Vec::new()
}

#[cfg(unix)]
fn root() -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    #[cfg(target_os = "linux")]
    let only_a_name = libc::O_PATH;
    #[cfg(not(target_os = "linux"))]
    let only_a_name = 0;
    File::options().read(true).custom_flags(libc::O_DIRECTORY | only_a_name).open("/")
}

/// Whether a placeholder's descriptor still refers to the root folder.
#[cfg(unix)]
fn is_root(file: &File) -> bool {
    let identity = |there: io::Result<fs::Metadata>| there.ok().as_ref().map(identity);
    identity(file.metadata()) == identity(fs::metadata("/"))
}

/// Whether a file has a descriptor that belongs to the program's input and output.
pub fn is_standard(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        file.as_raw_fd() <= LAST
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsRawHandle;
        crate::kernels::system::standard_handles().contains(&file.as_raw_handle())
    }
    #[cfg(not(any(unix, windows)))]
    {
        let _ = file;
        false
    }
}

/// A file that was just opened, moved to another handle if it got a standard one. If it is `new`, it is truncated,
/// since output may have been printed into it.
pub fn apart(file: File, new: bool) -> io::Result<File> {
    if !cfg!(windows) || !is_standard(&file) {
        return Ok(file);
    }
    let mut other = file.try_clone()?; // another number, since this one is not free
    drop(file);
    if new {
        other.set_len(0)?;
    }
    other.rewind()?;
    Ok(other)
}

/// Opens a file to read, and repeats that if the host closed a standard descriptor just then and the file got its
/// number.
pub fn opened(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let _taken = Taken::now();
        let file = apart(again(&open)?, false)?;
        if !is_standard(&file) {
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "no descriptor is free except 0, 1 and 2"))
}

/// Windows' error for a file that somebody has open and does not share.
pub const SHARING_VIOLATION: i32 = 32;

/// Whether a call has failed because somebody has the file open, as only Windows refuses it: to other programs that do not
/// share what they read, and for as long as a removed file is still open somewhere.
pub fn is_held(error: &io::Error) -> bool {
    const ACCESS_DENIED: i32 = 5; // it may have another cause
    cfg!(windows) && matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION))
}

/// The result of `call`, repeated for two seconds while another program has the file open: a virus scanner, for
/// example, soon closes it.
pub fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..200 {
        match again(&mut call) {
            Err(error) if is_held(&error) => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
    again(call)
}

/// The result of `call`, repeated while signals interrupt it.
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            result => return result,
        }
    }
}
