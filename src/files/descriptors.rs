//! Which descriptors the library's files get, and calls that signals interrupt.
//!
//! A program may have closed descriptor 0, 1 or 2. Whatever is opened next gets that number, and then what another thread
//! prints goes into it. So they are taken as long as this library opens something, by what can be neither read nor written.
//!
//! Windows gives out handles in no such order, and a C library there keeps account of which were closed. But who closes a
//! standard handle past it may see the number come back as a file's: that file goes on by another handle.

use parking_lot::{Mutex, MutexGuard};
use std::fs::File;
use std::io::{self, Seek};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Standard input, output and error are those up to this one.
#[cfg(unix)]
const LAST: i32 = 2;

/// As long as it lives, nothing that is opened gets a standard descriptor.
pub struct Taken(Option<Arc<Held>>);

/// Those that were free, by what they are held; and those that were taken before.
#[derive(Default)]
struct Held {
    _own: Vec<File>,
    _before: Option<Arc<Held>>,
}

/// What is held now. Threads have to share it: what one gave back, another's file would get.
static HELD: Mutex<Weak<Held>> = Mutex::new(Weak::new());

/// `None` after a while: in a child that was forked off, nobody gives back what another thread had then.
fn shared() -> Option<MutexGuard<'static, Weak<Held>>> {
    HELD.try_lock_for(Duration::from_millis(20))
}

impl Taken {
    /// Takes those that are free.
    pub fn now() -> Self {
        let mut shared = shared();
        let before = shared.as_deref().and_then(Weak::upgrade);
        let own = free();
        let held = match before {
            Some(before) if own.is_empty() => before,
            before => Arc::new(Held { _own: own, _before: before }),
        };
        if let Some(shared) = &mut shared {
            **shared = Arc::downgrade(&held);
        }
        Taken(Some(held))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _shared = shared(); // nobody counts on what is being given back
        self.0 = None;
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

/// A file that was just opened, by another handle if it has got one that was the program's input or output; what was
/// printed into a new one since is gone then.
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

/// Opens a file to read, again where the host has closed a standard descriptor just then and the file has got it.
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
    const ACCESS_DENIED: i32 = 5; // which may have another reason
    cfg!(windows) && matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION))
}

/// What `call` gives, asked again for half a second while somebody has the file open: who looks at every new file, a search
/// for viruses, say, has it soon done.
pub fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    const LONGEST: Duration = Duration::from_millis(256);
    let mut pause = Duration::from_millis(1);
    loop {
        match again(&mut call) {
            Err(error) if is_held(&error) && pause <= LONGEST => std::thread::sleep(pause),
            result => return result,
        }
        pause *= 2;
    }
}

/// What `call` gives, once no signal has interrupted it.
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            result => return result,
        }
    }
}
