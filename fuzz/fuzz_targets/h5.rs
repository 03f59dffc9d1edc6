//! An HDF5 file with any content: every object in its groups is visited, and its texts and numbers are read.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::Result;
use mnist::keras_files::h5::{Dataset, Group, Hdf5};
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, give_back, hdf5, measured};

/// The largest memory of reading, without the numbers, and per byte of the file.
const FIXED: usize = 2 << 20;
const FILE: usize = 512;
/// The largest number of values read from one dataset.
const MOST: usize = 1 << 14;
/// The largest depth of groups.
const DEEPEST: usize = 20;

fuzz_target!(|file: &[u8]| {
    let mut numbers = vec![0.0; MOST];
    let (result, most) = measured(|| Hdf5::open(file).and_then(|file| visit(&file.root()?, DEEPEST, &mut numbers)));
    check_memory(most, FIXED + FILE * file.len());
    if let Err(error) = result {
        check_error(&error);
    }
});

/// Visits everything in a group that can be read.
fn visit(group: &Group<'_, '_>, deepest: usize, numbers: &mut [f32]) -> Result<()> {
    for name in ["layer_names", "weight_names", "model_config", "training_config", "name", "keras_version"] {
        judge(group.texts(name));
    }
    for name in group.names() {
        assert!(group.has(name));
        if name.contains('/') {
            continue; // it is reached under another name
        }
        match group.group(name) {
            Ok(child) if deepest > 0 => visit(&child, deepest - 1, numbers)?,
            Ok(_) => (),
            Err(error) => {
                check_error(&error);
                judge(group.dataset(name).and_then(|dataset| read(&dataset, numbers)));
            }
        }
    }
    Ok(())
}

fn read(dataset: &Dataset<'_, '_>, numbers: &mut [f32]) -> Result<()> {
    judge(dataset.count());
    match usize::try_from(dataset.size()).ok().and_then(|len| numbers.get_mut(..len)) {
        Some(numbers) => dataset.floats(numbers),
        None => Ok(()),
    }
}

fn judge<T>(result: Result<T>) {
    if let Err(error) = result {
        check_error(&error);
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = hdf5::mutate(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
