//! A whole model: a model that loads can be inspected, predicts, and is saved to an equivalent file.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::model::Model;
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, folder, give_back, measured, predict, tensors, write};
use std::path::PathBuf;
use std::sync::LazyLock;

static PATHS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["model", "saved"].map(|name| folder().join(name)));

/// The largest memory of loading, and per byte of the file.
const FIXED: usize = 3 << 15;
const FILE: usize = 64;
/// The same for an ONNX file, whose messages may be as short as two bytes.
const ONNX: [usize; 2] = [1 << 20, 1 << 10];

fuzz_target!(|file: &[u8]| {
    let [path, saved] = &*PATHS;
    let [fixed, each] = if file.starts_with(&[8]) { ONNX } else { [FIXED, FILE] };
    write(path, file);
    let (model, most) = measured(|| Model::load(path));
    check_memory(most, fixed + each * file.len());
    let (from_memory, most) = measured(|| Model::load_memory(file));
    check_memory(most, fixed + each * file.len());
    assert_eq!(from_memory.is_ok(), model.is_ok(), "a file and the same in memory");
    let model = match model {
        Ok(model) => model,
        Err(error) => return check_error(&error),
    };
    assert!(!model.summary().is_empty() && !model.input_shape().dims().contains(&0));
    model.save(saved).expect("room for the model");
    let first = std::fs::read(saved).expect("what was written");
    let again = Model::load(saved).expect("what was saved loads");
    again.save(saved).expect("room for the model");
    assert!(std::fs::read(saved).expect("what was written") == first, "saved, loaded and saved is another file");
    predict(&model);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = tensors::mutate(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
