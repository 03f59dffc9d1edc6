//! Optimizers and schedules whose numbers Keras has recorded (`tests/keras/README.md`), computed here: the weights after each
//! batch of a fit and at its end, and the rates at some steps.

use super::{CompileOptions, Model};
use crate::data::Dataset;
use crate::graph::keras;
use crate::json::Named;
use crate::optimizers::{self, Optimizer};
use crate::train::{Callbacks, Control, FitOptions, Output, Progress};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tolerance, relative to the largest value of the array.
const NEAR: f32 = 1e-5;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name)
}

fn table() -> Value {
    serde_json::from_slice(&std::fs::read(data("optimizers.json")).unwrap()).unwrap()
}

fn optimizer(value: &Value) -> Arc<dyn Optimizer> {
    optimizers::read(&Named::read(value, "optimizer".to_string()).unwrap()).unwrap()
}

/// The worst value of `found`, if it is outside the tolerance.
fn off(found: &[f32], expected: &[f32]) -> Option<String> {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let errors = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs() / largest);
    let (i, error) = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (error.is_nan() || error > NEAR)
        .then(|| format!("element {i} is {}, not {}: off by {error:.1e}", found[i], expected[i]))
}

/// Keeps the weights after each batch.
struct Steps<'a> {
    model: &'a Model,
    names: &'a [&'a str],
    seen: Vec<Vec<f32>>,
}

impl Callbacks for Steps<'_> {
    fn on_batch_end(&mut self, _: &Progress) -> Control {
        self.seen.push(weights(self.model, self.names));
        Control::Continue
    }
}

fn weights(model: &Model, names: &[&str]) -> Vec<f32> {
    let one = |name: &&str| {
        let mut values = vec![f32::NAN; model.weight_len(name).unwrap()];
        model.get_weight(name, &mut values).unwrap();
        values
    };
    names.iter().flat_map(one).collect()
}

#[test]
fn optimizers_are_keras_s() {
    let (table, bytes) = (table(), std::fs::read(data("optimizers.safetensors")).unwrap());
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let tensor = tensors.tensor(name).unwrap();
        tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let names: Vec<&str> = table["weights"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let network = keras::read(&serde_json::from_str(table["model"].as_str().unwrap()).unwrap()).unwrap();
    let labels: Vec<u32> = tensors.tensor("labels").unwrap().data().iter().map(|&label| label.into()).collect();
    let train = Dataset::from_f32(floats("x"), &[labels.len(), floats("x").len() / labels.len()], labels).unwrap();
    let before = floats("before");
    let mut failures = Vec::new();
    for case in table["cases"].as_array().unwrap() {
        let (name, optimizer) = (case["name"].as_str().unwrap(), optimizer(&case["optimizer"]));
        let model = Model::new(&network.graph, network.input, network.output, "small").unwrap();
        let mut rest = &before[..];
        for name in &names {
            let (values, more) = rest.split_at(model.weight_len(name).unwrap());
            model.set_weight(name, values).unwrap();
            rest = more;
        }
        model.compile(&CompileOptions { optimizer: optimizer.clone(), ..CompileOptions::default() }).unwrap();
        let mut steps = Steps { model: &model, names: &names, seen: Vec::new() };
        let ignore = &mut |_: &str| ();
        let mut options = FitOptions::new(Output::file(ignore));
        options.batch_size = table["batch_size"].as_u64().unwrap() as usize;
        options.epochs = table["epochs"].as_u64().unwrap() as usize;
        options.shuffle = false;
        options.callbacks = Some(&mut steps);
        model.fit(&train, options).unwrap();
        let expected = floats(&format!("{name}/after"));
        assert_eq!(steps.seen.len() * before.len(), expected.len(), "{name}");
        let seen = steps.seen.iter().zip(expected.chunks(before.len())).enumerate();
        let after = seen.filter_map(|(step, (found, expected))| Some(format!("{step}: {}", off(found, expected)?)));
        failures.extend(after.take(1).map(|off| format!("{name}, step {off}")));
        let end = off(&weights(&model, &names), &floats(&format!("{name}/end")));
        failures.extend(end.map(|off| format!("{name}, end: {off}")));
        // Its config gives the same optimizer again.
        let said = optimizers::config(&*optimizer);
        assert_eq!(optimizers::config(&*self::optimizer(&said)), said, "{name}");
    }
    assert!(failures.is_empty(), "{} are off:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn schedules_are_keras_s() {
    let table = table();
    let steps: Vec<u64> = table["steps"].as_array().unwrap().iter().map(|step| step.as_u64().unwrap()).collect();
    let mut failures = Vec::new();
    for case in table["schedules"].as_array().unwrap() {
        let (name, schedule) = (case["name"].as_str().unwrap(), &case["schedule"]);
        let optimizer = optimizer(&json!({ "class_name": "SGD", "config": { "learning_rate": schedule } }));
        let found: Vec<f32> = steps.iter().map(|&step| optimizer.rate(step) as f32).collect();
        let rates = case["rates"].as_array().unwrap().iter();
        let expected: Vec<f32> = rates.map(|rate| rate.as_f64().unwrap() as f32).collect();
        // A cosine's end is the difference of two numbers that are nearly one.
        let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(*x));
        for ((found, expected), step) in found.iter().zip(&expected).zip(&steps) {
            if (found - expected).abs() > NEAR * expected.max(largest / 100.0) {
                failures.push(format!("{name} at step {step} is {found}, not {expected}"));
            }
        }
        let said = &optimizer.config()["learning_rate"];
        assert_eq!(said["class_name"], schedule["class_name"]);
        for (key, value) in said["config"].as_object().unwrap() {
            assert_eq!(value, &schedule["config"][key], "{name}: {key}");
        }
    }
    assert!(failures.is_empty(), "{} rates are off:\n{}", failures.len(), failures.join("\n"));
}
