//! An ONNX file: what loads can be looked at, predicts, and is written again if ONNX has a form for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mnist::ErrorKind;
use mnist::onnx;
use mnist_fuzz::{check_error, check_memory, measured};

/// What loading takes, for each byte of the file at most, and for all its messages.
const FIXED: usize = 1 << 20;
const FILE: usize = 1 << 10;
/// The largest network that is made to predict here.
const LARGEST: usize = 4096;

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
    let (input, output) = (model.input_shape().len(), model.output_len());
    if input > LARGEST || output > LARGEST || model.count_params() > LARGEST {
        return;
    }
    if let Ok(again) = onnx::write(&model) {
        assert!(!again.is_empty());
    }
});
