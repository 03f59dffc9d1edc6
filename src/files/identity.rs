//! Which file a name or a descriptor refers to.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The same for all names and descriptors of a file, and of no other that exists.
pub fn identity(there: &Metadata) -> (u64, u64) {
    (there.dev(), there.ino())
}
