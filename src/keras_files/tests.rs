//! Files that Keras has written (`tests/interop/keras_fixtures.py`), and what becomes of them when they are damaged.

use super::*;
use serde_json::Value;
use std::path::PathBuf;

fn bytes(name: &str) -> Vec<u8> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "data", "interop", "keras"].iter().collect();
    std::fs::read(folder.join(name)).unwrap()
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn predicts(model: &Model, recorded: &Value, name: &str, file: &str) {
    let x = floats(&recorded["x"]);
    let expected = floats(&recorded[name]["predictions"]);
    let mut found = vec![0.0; expected.len()];
    model.predict(&x, x.len() / 36, &mut found).unwrap();
    let wrong = found.iter().zip(&expected).find(|(a, b)| (*a - *b).abs() > 1e-5 * b.abs().max(1.0));
    assert_eq!(wrong, None, "{file}");
}

#[test]
fn what_keras_wrote_predicts_what_keras_does() {
    for (json, forms, weights) in [
        ("keras.json", ["keras", "h5"], "weights.h5"),
        ("legacy.json", ["legacy.keras", "legacy.h5"], "legacy.weights.h5"),
    ] {
        let recorded = recorded(json);
        for name in ["functional", "sequential"] {
            for form in forms {
                let file = format!("{name}.{form}");
                let model = read(&bytes(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                predicts(&model, &recorded, name, &file);
                assert_eq!(model.state.read().moments.steps, 3, "{file}");
                model.parameters.write(|all| all.fill(0.0)).unwrap();
                let file = format!("{name}.{weights}");
                let all = read_weights(&bytes(&file), &model.architecture, &model.parameters).unwrap();
                model.parameters.write(|own| own.copy_from_slice(&all)).unwrap();
                predicts(&model, &recorded, name, &file);
            }
        }
    }
}

#[test]
fn what_is_written_is_read_back_to_the_bit() {
    for name in ["functional.keras", "sequential.keras", "functional.legacy.h5"] {
        let model = read(&bytes(name)).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        model.save_keras(file.path()).unwrap();
        let again = Model::load(file.path()).unwrap();
        assert_eq!(again.config(), model.config(), "{name}");
        assert_eq!(again.parameters.snapshot().unwrap()[..], model.parameters.snapshot().unwrap()[..], "{name}");
        let (a, b) = (again.state.read(), model.state.read());
        assert_eq!(a.moments.steps, b.moments.steps);
        assert!(a.moments.slots.iter().zip(&b.moments.slots).all(|(a, b)| a[..] == b[..]), "{name}");
        let compiled = |state: &State| state.compiled.as_ref().map(|compiled| compiled.config());
        assert_eq!(compiled(&a), compiled(&b), "{name}");
    }
}

#[test]
fn damage_is_an_error_and_ends() {
    for name in ["functional.h5", "sequential.legacy.h5", "sequential.keras"] {
        let whole = bytes(name);
        for (at, byte) in (0..whole.len()).step_by(37).zip((0u8..=255).cycle()) {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            let _ = read(&damaged);
        }
        for len in (0..whole.len()).step_by(997) {
            assert!(read(&whole[..len]).is_err(), "{name} cut to {len}");
        }
    }
}
