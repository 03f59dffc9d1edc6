//! What the fuzz targets share: the file that the library is told to read, the count of the memory it holds meanwhile, and
//! mutators that know the formats, so that a changed byte gets past check sums, deflate and lengths.

pub mod archive;
pub mod random;
pub mod tensors;
pub mod trained;
#[path = "../../tests/files/mod.rs"]
pub mod files;

use peak_alloc::PeakAlloc;
use std::path::{Path, PathBuf};

/// Counts what is allocated, a block that is moved twice: the old place and the new.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What `task` gives, and the most bytes that were allocated at once during it besides those that were before.
pub fn measured<R>(task: impl FnOnce() -> R) -> (R, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = task();
    (result, MEMORY.peak_usage().saturating_sub(before))
}

/// Makes sure that no more memory was taken than is promised.
pub fn check_memory(most: usize, promised: usize) {
    assert!(most <= promised, "{most} bytes of memory, at most {promised} were promised");
}

/// Makes sure that a refusal is one: a kind that a file can deserve, and a message that can be shown.
pub fn check_error(error: &mnist::Error) {
    let text = error.to_string();
    assert!(error.kind() != mnist::ErrorKind::Internal, "{text}");
    assert!((1..2000).contains(&text.len()) && !text.contains(char::is_control), "{} bytes: {text:?}", text.len());
}

/// A folder of this process in memory, if there is such a place.
pub fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    let folder = place.join(format!("mnist-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    folder
}

/// Makes `bytes` the content of a file.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("room for a file");
}

/// libFuzzer's own mutation of a part of a file, which may grow to `most` bytes.
pub fn mutate_bytes(bytes: &[u8], most: usize) -> Vec<u8> {
    let len = bytes.len().min(most);
    let mut changed = bytes[..len].to_vec();
    changed.resize(most.max(1), 0);
    let len = libfuzzer_sys::fuzzer_mutate(&mut changed, len, most.max(1));
    changed.truncate(len);
    changed
}

/// Gives a mutated file back to libFuzzer: one that is too long is changed byte by byte instead.
pub fn give_back(data: &mut [u8], size: usize, max_size: usize, changed: Option<Vec<u8>>) -> usize {
    match changed.filter(|changed| (1..=max_size).contains(&changed.len())) {
        Some(changed) => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}
