//! A checkpoint: a small fit resumes from it and ends, or refuses it and leaves its model unchanged.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::data::Dataset;
use mnist::model::{CompileOptions, Model};
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, folder, give_back, measured, tensors, trained, write};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

static PATHS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["checkpoint", "saved"].map(|name| folder().join(name)));
static FIT: LazyLock<Mutex<(Model, Dataset)>> = LazyLock::new(|| Mutex::new((trained::model(), trained::data())));

/// The largest memory of the fit, and per byte of the checkpoint.
const FIXED: usize = 1 << 18;
const FILE: usize = 64;
const EPOCHS: usize = 3;

fuzz_target!(|file: &[u8]| {
    let [path, saved] = &*PATHS;
    let guard = FIT.lock().expect("one thread");
    let (model, data) = &*guard;
    model.compile(&CompileOptions::default()).expect("the same as before");
    let save = || {
        model.save(saved).expect("room for the model");
        std::fs::read(saved).expect("what was written")
    };
    let before = save();
    write(path, file);
    let (fitted, most) = measured(|| trained::fit(model, data, EPOCHS, (path, true), usize::MAX));
    check_memory(most, FIXED + FILE * file.len());
    match fitted {
        Ok(fitted) => {
            // Weights that are NaN make the fit diverge; the file is not damaged.
            assert!(fitted.diverged.is_some() || fitted.cancelled.is_none() && fitted.history.epochs() >= EPOCHS);
            Model::load(path).expect("the checkpoint at the end loads");
        }
        Err(error) => {
            check_error(&error);
            assert!(save() == before, "a checkpoint was refused, and the model is another");
        }
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = tensors::mutate(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
