//! Files written by Keras (`tests/interop/keras_fixtures.py`), whole and damaged.

use super::*;
use crate::data::Dataset;
use crate::model::CompileOptions;
use crate::train::{FitOptions, Output, Verbose};
use serde_json::{Value, json};
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

fn predicts(model: &Model, recorded: &Value, expected: &Value, file: &str) {
    let x = floats(&recorded["x"]);
    let expected = floats(&expected["predictions"]);
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
        for name in ["functional", "sequential", "tiny"] {
            for form in forms {
                let file = format!("{name}.{form}");
                let model = read(&bytes(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
                predicts(&model, &recorded, &recorded[name], &file);
                assert_eq!(model.state.read().moments.steps, 3, "{file}");
                model.parameters.write(|all| all.fill(0.0)).unwrap();
                let file = format!("{name}.{weights}");
                let all = read_weights(&bytes(&file), &model.architecture, &model.parameters).unwrap();
                model.parameters.write(|own| own.copy_from_slice(&all)).unwrap();
                predicts(&model, &recorded, &recorded[name], &file);
            }
        }
    }
}

/// One epoch over the recorded samples in their order: the mean of its losses.
fn loss_of(model: &Model, recorded: &Value) -> f64 {
    let (x, labels) = (floats(&recorded["x"]), floats(&recorded["labels"]));
    let labels = labels.iter().map(|&label| label as u32).collect();
    let data = Dataset::from_f32(x, &[24, 6, 6], labels).unwrap();
    let mut nowhere = |_: &str| ();
    let options = FitOptions {
        batch_size: 8,
        shuffle: false,
        verbose: Verbose::Silent,
        ..FitOptions::new(Output::file(&mut nowhere))
    };
    model.fit(&data, options).unwrap().history.get("loss", 0).unwrap()
}

/// Files of Keras versions with another format (`tests/interop/keras_versions.py`).
#[test]
fn what_other_versions_wrote_goes_on_as_there() {
    let recorded = recorded("versions/said.json");
    for (file, expected) in recorded["files"].as_object().unwrap() {
        let model = read(&bytes(&format!("versions/{file}"))).unwrap_or_else(|error| panic!("{file}: {error}"));
        predicts(&model, &recorded, expected, file);
        let losses = floats(&expected["losses"]);
        let mean = f64::from(losses.iter().sum::<f32>()) / losses.len() as f64;
        let found = loss_of(&model, &recorded);
        assert!((found - mean).abs() < 1e-4, "{file}: {found}, {mean}");
    }
}

#[test]
fn what_is_written_is_read_back_to_the_bit() {
    for name in ["functional.keras", "sequential.keras", "functional.legacy.h5"] {
        let model = read(&bytes(name)).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        model.save_keras(&file).unwrap();
        let again = Model::load(&file).unwrap();
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
fn losses_that_keras_has_no_metric_for_are_written_around_their_function() {
    let model = dense();
    let metrics = json!([
        { "class_name": "Huber", "config": { "delta": 0.5, "name": "h" } },
        { "class_name": "CategoricalFocalCrossentropy", "config": { "gamma": 3.0 } },
        "mean_absolute_error",
    ]);
    let loss = crate::losses::mean_squared_error().unwrap();
    model.compile(&CompileOptions { loss, metrics, ..CompileOptions::default() }).unwrap();
    let file = model.saved_keras().unwrap();
    let config = member(&mut Archive::of(file.all()).unwrap(), CONFIG, LONGEST).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let huber = &config["compile_config"]["metrics"][0];
    assert_eq!((&huber["class_name"], &huber["module"]), (&json!("MeanMetricWrapper"), &json!("keras.metrics")));
    assert_eq!((&huber["config"]["fn"]["config"], &huber["config"]["delta"]), (&json!("huber"), &json!(0.5)));
    let again = read(file.all()).unwrap();
    let compiled = |model: &Model| model.state.read().compiled.as_ref().map(|compiled| compiled.config());
    assert_eq!(compiled(&again), compiled(&model));
}

/// Whether these are the weights of `tests/interop/h5_forms.py`.
fn are_forms(weights: &[f32], model: &Model) -> bool {
    let number = |i: i32| (i * 7 % 33 - 16) as f32 / 8.0;
    let mut entries = model.parameters.entries().iter();
    entries.all(|entry| weights[entry.range.clone()].iter().zip(0..).all(|(&weight, i)| weight == number(i)))
}

fn dense() -> Model {
    let mut graph = crate::graph::Graph::new();
    let x = graph.input(&[5]).unwrap();
    let y = graph.dense(x, 7, crate::layers::Activation::Linear).unwrap();
    Model::new(&graph, x, y, "dense").unwrap()
}

#[test]
fn every_form_of_a_dataset_gives_its_numbers_or_is_named() {
    let model = dense();
    let kernel = "layer dense: dataset /layers/dense/vars/0: ";
    for (form, refused) in [
        ("contiguous", ""),
        ("gzip", ""),
        ("parts", ""),
        ("parts-gzip-shuffle", ""),
        ("growing", ""),
        ("compact", ""),
        ("float16", ""),
        ("float64-parts", ""),
        ("big-endian", ""),
        ("ordered", ""),
        ("latest", ""),
        ("latest-compact", ""),
        ("latest-gzip", "a layout of version 4 in chunks"),
        ("latest-parts", "a layout of version 4 in chunks"),
        ("latest-parts-gzip", "a layout of version 4 in chunks"),
        ("latest-growing", "a layout of version 4 in chunks"),
        ("fletcher32", "data compressed by fletcher32"),
        ("lzf", "data compressed by lzf"),
        ("integers", "wrong dtype: expected float32, found int32"),
    ] {
        let read = read_weights(&bytes(&format!("forms/{form}.h5")), &model.architecture, &model.parameters);
        match read {
            Ok(weights) => assert!(refused.is_empty() && are_forms(&weights, &model), "{form}"),
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with(kernel) && text.contains(refused) && !refused.is_empty(), "{form}: {text}");
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{form}");
            }
        }
    }
    let many = read_weights(&bytes("forms/latest-many.h5"), &model.architecture, &model.parameters);
    let text = many.unwrap_err().to_string();
    assert!(text.starts_with("group /layers: a group with links in a fractal heap"), "{text}");
    let circle = read_weights(&bytes("forms/circle.h5"), &model.architecture, &model.parameters);
    let text = circle.unwrap_err().to_string();
    assert!(text.contains("a path of too many names: expected at most 32"), "{text}");
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
