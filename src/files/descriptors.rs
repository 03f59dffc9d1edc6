//! Which descriptors the library's files get, and calls that signals interrupt.
//!
//! A program may have closed descriptor 0, 1 or 2. Whatever is opened next gets that number, and then what another thread
//! prints goes into it. So they are taken as long as this library opens something, by what can be neither read nor written.

use parking_lot::{Mutex, MutexGuard};
use std::fs::File;
use std::io;
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
    let mut own = Vec::new();
    #[cfg(unix)]
    while let Ok(root) = again(root) {
        if !is_standard(&root) {
            break;
        }
        own.push(root);
    }
    own
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
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Opens a file to read, again where the host has closed a standard descriptor just then and the file has got it.
pub fn opened(open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let _taken = Taken::now();
        let file = again(&open)?;
        if !is_standard(&file) {
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "there is no descriptor but those of standard input and output"))
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
