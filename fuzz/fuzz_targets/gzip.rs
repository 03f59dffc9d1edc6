//! A gzipped IDX file of images, with a matching number of labels.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::data::Dataset;
use mnist_fuzz::random::Random;
use mnist_fuzz::{archive, check_error, check_last_image, check_memory, files, folder, give_back, measured, write};
use std::path::PathBuf;
use std::sync::LazyLock;

static PATHS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["images.gz", "labels"].map(|name| folder().join(name)));

/// The largest memory of reading in addition to the content: buffers, inflate's state, the texts of a gzip header.
const FIXED: usize = 3 << 19;

fuzz_target!(|file: &[u8]| {
    let [images_path, labels_path] = &*PATHS;
    let content = archive::content(file);
    let count = content.get(4..8).map_or(0, |bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let labels = files::idx(&[count], &vec![1; count.min(1 << 16) as usize]);
    write(images_path, file);
    write(labels_path, &labels);
    let (data, most) = measured(|| Dataset::from_idx(images_path, labels_path));
    check_memory(most, FIXED + 8 * content.len() + 5 * labels.len());
    match data {
        Ok(data) => check_last_image(&data, &content),
        Err(error) => check_error(&error),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = archive::mutate_gzip(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
