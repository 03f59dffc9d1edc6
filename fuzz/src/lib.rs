//! Shared by the fuzz targets: the file that the library reads, the measurement of its memory, and mutators that know the formats,
//! so that a changed byte passes checksums, deflate and length fields.

pub mod archive;
#[path = "../../tests/files/mod.rs"]
pub mod files;
pub mod hdf5;
pub mod protobuf;
pub mod random;
pub mod tensors;

pub use files::trained;
pub use files::verdict::{check_error, check_memory, measured};

use mnist::data::Dataset;
use mnist::model::Model;
use std::path::{Path, PathBuf};

/// The signature of an HDF5 file.
pub const HDF5: &[u8] = mnist::keras_files::h5::SIGNATURE;

/// A folder for this process; `fuzz/run` creates it in memory and removes it.
pub fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mnist-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    folder
}

/// Writes `bytes` to a file.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("room for a file");
}

/// Checks that the last image of `data` equals the end of its IDX file's content, if that consists of bytes.
pub fn check_last_image(data: &Dataset, content: &[u8]) {
    if content[2] != 8 {
        return;
    }
    let mut image = vec![0.0; data.image_shape().iter().product()];
    data.image(data.len() - 1, &mut image).unwrap();
    let end: Vec<f32> = content[content.len() - image.len()..].iter().map(|&byte| byte.into()).collect();
    assert_eq!(image, end);
}

/// The largest network that is run here.
const LARGEST: usize = 4096;

/// Runs a network that is not too large; returns whether it was small enough.
pub fn predict(model: &Model) -> bool {
    let (input, output) = (model.input_shape().len(), model.output_len());
    if input > LARGEST || output > LARGEST || model.count_params() > LARGEST {
        return false;
    }
    model.set_threads(1).expect("a thread");
    if let Err(error) = model.predict(&vec![0.5; input], 1, &mut vec![f32::NAN; output]) {
        check_error(&error);
    }
    true
}

/// Applies libFuzzer's own mutation to a part of a file, which may grow to `most` bytes.
pub fn mutate_bytes(bytes: &[u8], most: usize) -> Vec<u8> {
    let len = bytes.len().min(most);
    let mut changed = bytes[..len].to_vec();
    changed.resize(most.max(1), 0);
    let len = libfuzzer_sys::fuzzer_mutate(&mut changed, len, most.max(1));
    changed.truncate(len);
    changed
}

/// Returns a mutated file to libFuzzer; if it is too long, the original is mutated byte by byte instead.
pub fn give_back(data: &mut [u8], size: usize, max_size: usize, changed: Option<Vec<u8>>) -> usize {
    match changed.filter(|changed| (1..=max_size).contains(&changed.len())) {
        Some(changed) => {
            data[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        None => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}
