//! An npz archive: it is opened, the shape of each array is read, and arrays are read as pixels and labels.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::data::{Dataset, Npz, load_data};
use mnist_fuzz::random::Random;
use mnist_fuzz::{archive, check_error, check_memory, folder, give_back, measured, write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static PATH: LazyLock<PathBuf> = LazyLock::new(|| folder().join("file.npz"));

/// The largest memory of opening: a directory in the old format may claim 65535 members.
const FIXED: usize = 32 << 20;
/// The largest memory per byte of the file.
const DIRECTORY: usize = 64;
/// Deflate's largest compression ratio.
const RATIO: usize = 1032;

fuzz_target!(|file: &[u8]| {
    write(&PATH, file);
    let (npz, most) = measured(|| Npz::open(&PATH));
    check_memory(most, FIXED + DIRECTORY * file.len());
    let names: Vec<String> = match &npz {
        Ok(npz) => npz.names().take(3).map(String::from).collect(),
        Err(error) => return check_error(error),
    };
    for images in &names {
        npz.as_ref().map(|npz| npz.shape(images).map(<[usize]>::len)).ok();
        names.iter().for_each(|labels| load(images, labels, file.len()));
    }
    match load_data(Some(&PATH)) {
        Ok((train, test)) => [train, test].iter().for_each(look),
        Err(error) => check_error(&error),
    }
});

fn load(images: &str, labels: &str, len: usize) {
    let (data, most) = measured(|| Dataset::from_npz(Path::new(&*PATH), images, labels));
    let (open, all) = (FIXED + DIRECTORY * len, RATIO * len);
    match data {
        Ok(data) => {
            look(&data);
            let pixels = data.shape().iter().product::<usize>() * 4;
            assert!(pixels / 4 <= all);
            check_memory(most, open + (1 << 20) + 2 * (pixels + 4 * data.len()));
        }
        Err(error) => {
            check_error(&error);
            check_memory(most, open + (1 << 20) + 2 * 4 * all);
        }
    }
}

/// Calls everything that reads a dataset.
fn look(data: &Dataset) {
    assert_eq!(data.labels().unwrap().len(), data.len());
    let mut image = vec![0.0; data.image_shape().iter().product()];
    data.image(data.len() - 1, &mut image).unwrap();
    let _ = (data.unique_labels(), data.check_finite(), data.fingerprint());
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = archive::mutate_zip(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
