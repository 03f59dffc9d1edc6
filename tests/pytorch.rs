//! Recorded outputs of random PyTorch networks (`tests/interop/pytorch.py`): the library, given their state_dicts, computes
//! the same.

use mnist::graph::keras;
use mnist::model::Model;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::Path;

const TOLERANCE: f32 = 1e-5;

/// A tensor of floats.
fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = tensors.tensor(name).unwrap().data().to_vec();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn state_dicts_predict_what_pytorch_predicted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/interop");
    let recorded: Value = serde_json::from_slice(&std::fs::read(folder.join("pytorch.json")).unwrap()).unwrap();
    let bytes = std::fs::read(folder.join("pytorch.safetensors")).unwrap();
    let numbers = SafeTensors::deserialize(&bytes).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    for (i, case) in cases.iter().enumerate() {
        let name = case["name"].as_str().unwrap();
        let network = keras::read(&case["network"]).unwrap();
        let model = Model::new(&network.graph, network.input, network.output, "model").unwrap();
        model.set_threads(1).unwrap();
        let file = folder.join(format!("pytorch-{i}.safetensors"));
        let loaded = match &case["map"] {
            Value::Null => model.load_weights(&file),
            map => {
                assert!(model.load_weights(&file).is_err(), "{name}: a map was needed");
                model.load_weights_mapped(&file, map)
            }
        };
        loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (x, y) = (floats(&numbers, &format!("{i}/x")), floats(&numbers, &format!("{i}/y")));
        let mut found = vec![f32::NAN; y.len()];
        model.predict(&x, x.len() / model.input_shape().len(), &mut found).unwrap();
        let far = found.iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far <= TOLERANCE, "{name}: {far} apart");
    }
    assert!(cases.len() >= 14, "{}", cases.len());
}
