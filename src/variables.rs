//! The environment's variables. All that are read are read here.

use crate::files::Taken;
use crate::kernels::process::is_privileged;
use std::ffi::OsString;
use std::path::PathBuf;

/// A variable that is set to something. Whoever starts a program with more rights than their own (set-user-ID, say) must not
/// choose which files it reads and whom it calls: there none is set.
pub fn get(name: &str) -> Option<OsString> {
    (!is_privileged()).then(|| std::env::var_os(name))?.filter(|value| !value.is_empty())
}

/// The user's home: `HOME`, or what the system's list of users says; on Windows `USERPROFILE`, or the user's profile.
pub fn home() -> Option<PathBuf> {
    let _taken = Taken::now(); // that list may be a file
    (!is_privileged()).then(std::env::home_dir)?.filter(|path| !path.as_os_str().is_empty())
}
