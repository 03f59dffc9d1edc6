//! An ONNX file: a model that loads can be inspected, predicts, and is written again and read unless it is too large.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use mnist::ErrorKind;
use mnist::onnx;
use mnist_fuzz::random::Random;
use mnist_fuzz::{check_error, check_memory, give_back, measured, predict, protobuf};

/// The largest memory of loading, per byte of the file, and for all its messages.
const FIXED: usize = 1 << 20;
const FILE: usize = 1 << 10;

fuzz_target!(|file: &[u8]| {
    let (model, most) = measured(|| onnx::read(file));
    check_memory(most, FIXED + FILE * file.len());
    let model = match model {
        Ok(model) => model,
        Err(error) => {
            assert!(error.kind() != ErrorKind::Internal, "{error}");
            return check_error(&error);
        }
    };
    assert!(!model.summary().is_empty() && !model.input_shape().dims().contains(&0));
    if !predict(&model) {
        return; // too large to be written here
    }
    let written = onnx::write(&model).expect("every layer has a form");
    if let Err(error) = onnx::read(&written) {
        assert!(error.kind() == ErrorKind::Unsupported, "what was written: {error}");
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let changed = protobuf::mutate(&data[..size], &mut Random::new(seed), max_size);
    give_back(data, size, max_size, changed)
});
