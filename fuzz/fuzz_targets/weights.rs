//! A weights file: a small model gets exactly the file's weights; a refused file does not change the model.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::model::Model;
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, folder, give_back, measured, tensors, trained, write};
use safetensors::{Dtype, SafeTensors};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

static PATHS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["weights", "saved"].map(|name| folder().join(name)));

/// The model, and its weights as a file.
static MODEL: LazyLock<Mutex<(Model, Vec<u8>)>> = LazyLock::new(|| {
    let model = trained::model();
    let weights = trained::weights(&model, &PATHS[1]);
    Mutex::new((model, weights))
});

/// The largest memory of loading for this model, and per byte of the file's header.
const FIXED: usize = 3 << 15;
const HEADER: usize = 64;

fuzz_target!(|file: &[u8]| {
    let [path, saved] = &*PATHS;
    let mut guard = MODEL.lock().expect("one thread");
    let (model, before) = &mut *guard;
    write(path, file);
    let (result, most) = measured(|| model.load_weights(path));
    check_memory(most, FIXED + HEADER * file.len());
    let after = trained::weights(model, saved);
    if let Err(error) = result {
        check_error(&error);
        assert!(model.load_weights_memory(file).is_err(), "a file and the same in memory");
        assert!(after == *before, "a file was refused, and the weights are others");
        return;
    }
    let (given, taken) = (SafeTensors::deserialize(file), SafeTensors::deserialize(&after));
    let (given, taken) = (given.expect("what was taken"), taken.expect("what was saved"));
    if given.tensor("dense/kernel").is_err() {
        check_permuted(&given, &taken);
    } else {
        for (name, tensor) in taken.iter() {
            let same = given.tensor(name).expect("the tensor that was taken");
            assert!(same.data() == tensor.data() && same.shape() == tensor.shape(), "{name}");
        }
    }
    model.load_weights_memory(file).expect("what a file held, in memory");
    assert!(trained::weights(model, saved) == after, "a file and the same in memory");
    *before = after;
});

/// All numbers of PyTorch's tensors are used, each once, in another order.
fn check_permuted(given: &SafeTensors<'_>, taken: &SafeTensors<'_>) {
    let floats = |tensors: &SafeTensors<'_>| {
        let all = tensors.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
        let mut bits: Vec<[u8; 4]> = all.flat_map(|(_, t)| t.data().as_chunks().0.to_vec()).collect();
        bits.sort();
        bits
    };
    if given.iter().all(|(_, tensor)| tensor.dtype() == Dtype::F32) {
        assert!(floats(given) == floats(taken), "not the numbers that were given");
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = tensors::mutate(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
