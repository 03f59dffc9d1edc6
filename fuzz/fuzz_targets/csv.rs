//! A CSV table: the first byte selects the column of the labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mnist::data::Dataset;
use mnist_fuzz::{check_error, check_memory, folder, measured, write};
use std::path::PathBuf;
use std::sync::LazyLock;

static PATH: LazyLock<PathBuf> = LazyLock::new(|| folder().join("table.csv"));

/// The largest memory of reading, and per byte of the file.
const FIXED: usize = 1 << 20;
const EACH: usize = 24;

fuzz_target!(|file: &[u8]| {
    let Some((&which, file)) = file.split_first() else { return };
    write(&PATH, file);
    let label = [None, Some("0"), Some("1"), Some("label"), Some("")][usize::from(which) % 5];
    let (data, most) = measured(|| Dataset::from_csv(&PATH, label));
    check_memory(most, FIXED + EACH * file.len());
    match data {
        Ok(data) => {
            let mut sample = vec![0.0; data.image_shape().iter().product()];
            data.image(data.len() - 1, &mut sample).unwrap();
            assert!(data.check_finite().is_ok() && data.fingerprint().is_ok());
            assert!(data.labels().is_none_or(|labels| labels.len() == data.len()));
        }
        Err(error) => check_error(&error),
    }
});
