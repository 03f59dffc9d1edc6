//! Damage to weights files, whole models and checkpoints: their bytes, and each value of their headers.

use super::{Trials, of};
use crate::files::{safetensors, trained};
use mnist::Result;
use mnist::model::{CompileOptions, Model};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::path::Path;

/// The memory limit of loading, and per byte of the file.
const PROMISED: (usize, usize) = (1 << 19, 64);

/// After a weights file has loaded, the model has the file's bits; a refused file changes nothing.
pub fn weights() {
    let mut trials = Trials::new("weights", PROMISED.0, PROMISED.1);
    let (model, saved) = (trained::model(), trials.path("saved"));
    let mut before = trained::weights(&model, &saved);
    for damaged in all(&before.clone(), 1) {
        let result = trials.load(&damaged, |path| model.load_weights(path));
        let after = trained::weights(&model, &saved);
        match result {
            Ok(()) => same_tensors(&damaged, &after),
            Err(error) => assert!(after == before, "changed by a file that was refused: {error}"),
        }
        before = after;
    }
    trials.report(10_000);
}

/// Every model that loads equals its file, as shown by saving it. Network, optimizer and loss have several forms, as in Keras; saving
/// a second time must give the same form.
pub fn models() {
    let mut trials = Trials::new("models", PROMISED.0, PROMISED.1);
    let saved = trials.path("saved");
    let good = trained::checkpoint(&saved, 5);
    for damaged in all(&good, 3) {
        let Ok(model) = trials.load(&damaged, Model::load) else { continue };
        model.save(&saved).unwrap();
        let after = std::fs::read(&saved).unwrap();
        same_tensors(&damaged, &after);
        let (given, taken) = (description(&damaged), description(&after));
        assert!(same(&given, &taken), "{given}\n{taken}");
        predict(&model).unwrap();
        Model::load(&saved).unwrap().save(&saved).unwrap();
        assert!(std::fs::read(&saved).unwrap() == after, "{taken}");
    }
    trials.report(10_000);
}

/// Every checkpoint can be resumed, or is refused and leaves the model unchanged.
pub fn checkpoints() {
    let mut trials = Trials::new("checkpoints", PROMISED.0, PROMISED.1);
    let (model, data, saved) = (trained::model(), trained::data(), trials.path("saved"));
    let save = |model: &Model, saved: &Path| {
        model.save(saved).unwrap();
        std::fs::read(saved).unwrap()
    };
    let good = trained::checkpoint(&saved, 5);
    for damaged in all(&good, 11) {
        model.compile(&CompileOptions::default()).unwrap();
        let before = save(&model, &saved);
        match trials.load(&damaged, |path| trained::fit(&model, &data, 3, (path, true), usize::MAX)) {
            // Weights that are NaN make the fit diverge; the file is not damaged.
            Ok(fitted) => {
                assert!(fitted.diverged.is_some() || fitted.history.epochs() >= 3 && fitted.cancelled.is_none())
            }
            Err(error) => assert!(save(&model, &saved) == before, "changed by a file that was refused: {error}"),
        }
    }
    trials.report(4_000);
}

/// Changes to the bytes, of which one in `step` is used, and to each value of the header and of the description in it.
fn all(file: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> {
    let (header, data) = split(file);
    let text: Value = serde_json::from_slice(header).unwrap();
    let start = 8 + header.len();
    let mut changed: Vec<Vec<u8>> =
        changes(&text).into_iter().map(|header| safetensors(&header.to_string(), data)).collect();
    if let Some(model) = text.pointer("/__metadata__/model").and_then(Value::as_str) {
        changed.extend(changes(&serde_json::from_str(model).unwrap()).into_iter().map(|model| {
            let mut header = text.clone();
            header["__metadata__"]["model"] = model.to_string().into();
            safetensors(&header.to_string(), data)
        }));
    }
    let bytes: Vec<Vec<u8>> = of(file, &[8, start, start + data.len() / 2]).step_by(step).collect();
    changed.into_iter().chain(bytes)
}

fn split(file: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = file.split_first_chunk::<8>().unwrap();
    rest.split_at(u64::from_le_bytes(*len) as usize)
}

/// `value` with each value in it removed or replaced.
fn changes(value: &Value) -> Vec<Value> {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(2),
        json!(-1),
        json!(0.5),
        json!(1e308),
        json!(1u64 << 53),
        json!(u64::MAX),
        json!(i32::MAX),
        json!(""),
        json!("relu"),
        json!("a\u{0}\n"),
        json!([]),
        json!({}),
        json!([1, 1]),
    ];
    let mut all: Vec<Value> = others.to_vec();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let with = |inner: Option<Value>| {
                    let mut map = map.clone();
                    match inner {
                        Some(inner) => map.insert(key.clone(), inner),
                        None => map.remove(key),
                    };
                    Value::Object(map)
                };
                all.push(with(None));
                all.extend(changes(inner).into_iter().map(|inner| with(Some(inner))));
            }
        }
        Value::Array(list) => {
            for i in 0..list.len() {
                let with = |inner: &[Value]| Value::Array([&list[..i], inner, &list[i + 1..]].concat());
                all.extend([with(&[]), with(&[list[i].clone(), list[i].clone()])]);
                all.extend(changes(&list[i]).into_iter().map(|inner| with(&[inner])));
            }
        }
        _ => (),
    }
    all
}

/// Checks that every tensor of the file `taken` is in the file `given`, with the same shape and bits.
fn same_tensors(given: &[u8], taken: &[u8]) {
    let (given, taken) = (SafeTensors::deserialize(given).unwrap(), SafeTensors::deserialize(taken).unwrap());
    for (name, tensor) in taken.iter() {
        let other = given.tensor(name).unwrap();
        assert!((other.shape(), other.data()) == (tensor.shape(), tensor.data()), "{name}");
    }
}

/// The description in a model file, without the parts that have several forms.
fn description(file: &[u8]) -> Value {
    let header: Value = serde_json::from_slice(split(file).0).unwrap();
    let mut said: Value = serde_json::from_str(header["__metadata__"]["model"].as_str().unwrap()).unwrap();
    let all = said.as_object_mut().unwrap();
    ["network", "compile"].iter().for_each(|key| drop(all.remove(*key)));
    all.retain(|_, value| !value.is_null()); // null means the same as a missing key
    said
}

/// Whether two values are equal; 1 and 1.0 are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn predict(model: &Model) -> Result<()> {
    let mut probabilities = vec![0.0; model.output_len()];
    model.set_threads(1)?;
    model.predict(&vec![0.5; model.input_shape().len()], 1, &mut probabilities)
}
