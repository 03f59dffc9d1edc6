//! A pair of IDX files, plain or gzipped according to their content. The first byte is the length of the image file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mnist::data::Dataset;
use mnist_fuzz::{archive, check_error, check_last_image, check_memory, folder, measured, write};
use std::path::PathBuf;
use std::sync::LazyLock;

static PATHS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["images", "labels"].map(|name| folder().join(name)));

/// The largest memory of reading in addition to the content.
const FIXED: usize = 5 << 18;

fuzz_target!(|files: &[u8]| {
    let Some((&len, files)) = files.split_first() else { return };
    let (images, labels) = files.split_at(files.len().min(len.into()));
    let [images_path, labels_path] = &*PATHS;
    write(images_path, images);
    write(labels_path, labels);
    let (data, most) = measured(|| Dataset::from_idx(images_path, labels_path));
    let (images, labels) = (archive::content(images), archive::content(labels));
    check_memory(most, FIXED + 8 * images.len() + 8 * labels.len());
    match data {
        Ok(data) => {
            check_last_image(&data, &images);
            assert!(labels[2] != 8 || data.labels().unwrap().iter().zip(&labels[8..]).all(|(&label, &byte)| label == u32::from(byte)));
        }
        Err(error) => check_error(&error),
    }
});
