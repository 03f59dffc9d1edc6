//! The environment's variables. All that are read are read here.

use crate::files::Taken;
use crate::kernels::process::is_privileged;
use std::ffi::OsString;
use std::path::PathBuf;

/// A variable that is set to something. A user who starts a program with elevated privileges (set-user-ID) must not
/// choose which files it reads and which hosts it calls: in such a program no variable counts as set.
pub fn get(name: &str) -> Option<OsString> {
    (!is_privileged()).then(|| std::env::var_os(name))?.filter(|value| !value.is_empty())
}

/// The user's home: `HOME`, or what the system's list of users says; on Windows `USERPROFILE`, or the user's profile.
pub fn home() -> Option<PathBuf> {
    let _taken = Taken::now(); // that list may be a file
    (!is_privileged()).then(std::env::home_dir)?.filter(|path| !path.as_os_str().is_empty())
}
