//! A whole model in Keras's own files: a model that loads can be inspected, predicts, and is saved to an equivalent file.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::model::Model;
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, give_back, hdf5, measured, predict, trained};
use std::sync::LazyLock;

/// The largest memory of loading, and per byte of the file: a member may be 1,032 times as long as its compressed form.
const FIXED: usize = 4 << 20;
const FILE: usize = 1 << 13;

static SMALL: LazyLock<Model> = LazyLock::new(trained::model);

fuzz_target!(|file: &[u8]| {
    if !file.starts_with(b"PK") && !file.starts_with(b"\x89HDF") {
        return; // for another reader
    }
    if let Err(error) = SMALL.load_weights_memory(file) {
        check_error(&error);
    }
    let (model, most) = measured(|| Model::load_memory(file));
    check_memory(most, FIXED + FILE * file.len());
    let model = match model {
        Ok(model) => model,
        Err(error) => return check_error(&error),
    };
    assert!(!model.summary().is_empty() && !model.input_shape().dims().contains(&0));
    let first = match model.saved_keras() {
        Ok(first) => first,
        Err(error) => return check_error(&error),
    };
    let again = Model::load_memory(first.all()).expect("what was saved loads");
    let second = again.saved_keras().expect("room for the model");
    assert!(first.all() == second.all(), "saved, loaded and saved is another file");
    predict(&model);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = hdf5::mutate_model(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
