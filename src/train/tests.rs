//! Whole models in files: equal to the bit after a round trip, an error with its location when damaged.

use super::*;
use crate::data::Dataset;
use crate::error::{ErrorKind, Result};
use crate::files::{Content, FilePath};
use crate::graph::Graph;
use crate::json::Named;
use crate::layers::Activation;
use crate::model::{CompileOptions, Logs, Model};
use crate::optimizers;
use crate::weights;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn data() -> Dataset {
    let pixels = (0..40 * 36u32).map(|i| (i * i % 251) as u8).collect();
    Dataset::from_u8(pixels, &[40, 6, 6], (0..40).map(|i| i % 3).collect()).unwrap()
}

fn model() -> Model {
    let mut graph = Graph::new();
    let x = graph.input(&[6, 6, 1]).unwrap();
    let y = graph.conv2d(x, 2, 3, Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 3, Activation::Softmax).unwrap();
    let model = Model::new(&graph, x, y, "a \"name\"\n").unwrap();
    model.set_threads(1).unwrap();
    model
}

fn fit(model: &Model, checkpoint: Option<CheckpointOptions>, callbacks: &mut StopAt) -> Result<Fitted> {
    let write = &mut |_: &str| ();
    let mut options = FitOptions::new(Output::file(write));
    (options.batch_size, options.epochs, options.validation_split) = (8, 3, 0.25);
    options.checkpoint = checkpoint;
    options.callbacks = Some(callbacks);
    model.fit(&data(), options)
}

/// Stops a fit at a batch of the second epoch.
struct StopAt(usize);

impl Callbacks for StopAt {
    fn on_batch_end(&mut self, progress: &Progress) -> Control {
        if (progress.epoch, progress.batch) == (1, self.0) { Control::Stop } else { Control::Continue }
    }
}

/// A folder with a model that was stopped in the middle of its second epoch.
fn stopped(folder: &Path) -> PathBuf {
    let (model, path) = (model(), folder.join("m"));
    model.compile(&CompileOptions::default()).unwrap();
    assert!(fit(&model, None, &mut StopAt(1)).unwrap().cancelled.is_some());
    model.save(&path).unwrap();
    path
}

/// The file's description, and the bytes around it.
fn description(path: &Path) -> Value {
    let content = Content::at(&FilePath::of(path).unwrap()).unwrap();
    serde_json::from_str(weights::open(content).unwrap().metadata("model").unwrap()).unwrap()
}

/// Writes the file again with other metadata, its tensors as they are.
fn rewrite(path: &Path, to: &Path, texts: &[(&str, &str)]) {
    let bytes = fs::read(path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut table: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    for (key, text) in texts {
        table["__metadata__"][key] = (*text).into();
    }
    let text = table.to_string();
    fs::write(to, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &bytes[header..]].concat()).unwrap();
}

#[test]
fn a_fit_that_resumes_ends_as_one_that_was_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = model();
    whole.compile(&CompileOptions::default()).unwrap();
    let expected = fit(&whole, None, &mut StopAt(99)).unwrap();
    whole.save(&at("whole")).unwrap();
    for batch in 0..4 {
        let checkpoint = CheckpointOptions { path: at("c"), batches: 0, epochs: 0, seconds: 0.0, resume: true };
        for mut stop in [StopAt(batch), StopAt(99)] {
            let model = model();
            model.compile(&CompileOptions::default()).unwrap();
            let fitted = fit(&model, Some(checkpoint.clone()), &mut stop).unwrap();
            let stopped = fitted.cancelled.map(|stop| stop.to_string());
            let expected_stop = format!("epoch 2: after step {} of 4: the fit was stopped by on_batch_end", batch + 1);
            assert_eq!(stopped, (stop.0 < 99).then_some(expected_stop));
            assert_eq!(fitted.history.epochs(), if stop.0 < 99 { 2 } else { 3 });
            if stopped.is_none() {
                assert_eq!(fitted.history, expected.history);
                model.save(&at("resumed")).unwrap();
                assert_eq!(fs::read(at("resumed")).unwrap(), fs::read(at("whole")).unwrap());
            }
        }
        fs::remove_file(at("c")).unwrap();
    }
}

/// Optimizers, each with the most moments it may have.
const OPTIMIZERS: &[&str] = &[
    "class_name: 'SGD', config: {momentum: 0.9, nesterov: true",
    "class_name: 'RMSprop', config: {momentum: 0.5, centered: true",
    "class_name: 'Adam', config: {amsgrad: true",
    "class_name: 'Adam', config: {beta_1: 0.8",
    "class_name: 'AdamW', config: {beta_1: 0.8",
    "class_name: 'Adamax', config: {beta_1: 0.8",
    "class_name: 'Nadam', config: {beta_1: 0.8",
    "class_name: 'Adagrad', config: {initial_accumulator_value: 0.5",
    "class_name: 'Adadelta', config: {rho: 0.9",
    "class_name: 'Ftrl', config: {l1_regularization_strength: 0.01",
    "class_name: 'Ftrl', config: {learning_rate_power: -0.6",
    "class_name: 'Lion', config: {beta_2: 0.9",
];

/// Options that each of them may have.
const AROUND: &[&str] = &[
    "weight_decay: 0.01",
    "learning_rate: {class_name: 'ExponentialDecay', config: {initial_learning_rate: 0.1, decay_steps: 5, decay_rate: 0.5}}",
    "use_ema: true, ema_momentum: 0.8",
    "use_ema: true, ema_momentum: 0.8, ema_overwrite_frequency: 3",
    "gradient_accumulation_steps: 3, clipvalue: 0.1",
    "learning_rate: {class_name: 'CosineDecayRestarts', config: {initial_learning_rate: 0.1, first_decay_steps: 4}},
     weight_decay: 0.01, global_clipnorm: 0.5, use_ema: true, ema_overwrite_frequency: 2, gradient_accumulation_steps: 2",
];

/// The model with an optimizer that a config in JSON5 describes.
fn compiled(config: &str) -> Model {
    let value = crate::json::parse(config).unwrap();
    let optimizer = optimizers::read(&Named::read(&value, String::new()).unwrap()).unwrap();
    let model = model();
    model.compile(&CompileOptions { optimizer, ..CompileOptions::default() }).unwrap();
    model
}

#[test]
fn every_optimizer_resumes_and_is_saved_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let bytes = |model: &Model| {
        model.save(&at("model")).unwrap();
        fs::read(at("model")).unwrap()
    };
    let all = OPTIMIZERS.iter().flat_map(|own| AROUND.iter().map(move |around| format!("{{{own}, {around}}}}}")));
    for config in all {
        let whole = compiled(&config);
        let expected = fit(&whole, None, &mut StopAt(99)).unwrap();
        assert!(expected.diverged.is_none(), "{config}");
        // Stopped after the seventh batch, when accumulated gradients have not been applied yet.
        let checkpoint = CheckpointOptions { path: at("c"), batches: 0, epochs: 0, seconds: 0.0, resume: true };
        assert!(
            fit(&compiled(&config), Some(checkpoint.clone()), &mut StopAt(2)).unwrap().cancelled.is_some(),
            "{config}"
        );
        let resumed = compiled(&config);
        assert_eq!(fit(&resumed, Some(checkpoint), &mut StopAt(99)).unwrap().history, expected.history, "{config}");
        assert!(bytes(&resumed) == bytes(&whole), "{config}");
        fs::remove_file(at("c")).unwrap();
        // The loaded model is the same, and trains on like the saved one.
        let loaded = Model::load(&at("model")).unwrap();
        loaded.set_threads(1).unwrap();
        assert!(bytes(&loaded) == bytes(&whole), "{config}");
        for model in [&loaded, &whole] {
            fit(model, None, &mut StopAt(99)).unwrap();
        }
        assert!(bytes(&loaded) == bytes(&whole), "{config}");
    }
}

#[test]
fn a_schedule_says_the_learning_rate_and_nobody_else() {
    let schedule =
        "{class_name: 'InverseTimeDecay', config: {initial_learning_rate: 0.25, decay_steps: 12, decay_rate: 1}}";
    let model = compiled(&format!("{{class_name: 'SGD', config: {{learning_rate: {schedule}}}}}"));
    assert_eq!(model.learning_rate().unwrap(), 0.25);
    fit(&model, None, &mut StopAt(99)).unwrap();
    assert_eq!(model.learning_rate().unwrap(), 0.125); // after twelve batches
    let error = model.set_learning_rate(0.1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("set by the optimizer's schedule"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("m"), folder.path().join("to"));
    model.save(&path).unwrap();
    let mut bad = description(&path);
    bad["learning_rate"] = json!(0.1);
    rewrite(&path, &to, &[("model", &bad.to_string())]);
    let error = Model::load(&to).err().unwrap();
    assert!(
        error.to_string().contains("key learning_rate: the learning rate is set by the optimizer's schedule"),
        "{error}"
    );
}

#[test]
fn a_fit_ends_with_the_average_of_what_it_changes() {
    let config = "{class_name: 'SGD', config: {use_ema: true, ema_momentum: 0.5, learning_rate: 0.5}}";
    let model = compiled(config);
    model.set_trainable(Some("conv2d"), false).unwrap();
    let weights = |model: &Model| model.parameters.read(<[f32]>::to_vec).unwrap();
    let before = weights(&model);
    fit(&model, None, &mut StopAt(99)).unwrap();
    let (after, state) = (weights(&model), model.state.read());
    assert!(state.position.is_none());
    for entry in model.parameters.entries() {
        let range = entry.range.clone();
        assert_eq!(after[range.clone()], state.moments.slots[0][range.clone()], "{}", entry.name);
        assert_eq!(after[range.clone()] == before[range], entry.name.starts_with("conv2d"), "{}", entry.name);
    }
}

#[test]
fn metrics_that_are_no_numbers_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = stopped(folder.path());
    let model = Model::load(&path).unwrap();
    let odd = [f64::NAN, f64::NEG_INFINITY, -0.0, 1e-310];
    {
        let mut state = model.state.write();
        let position = state.position.as_mut().unwrap();
        position.tally.loss = f64::NAN;
        for loss in odd {
            let mut logs = Logs::new(position.history.names().clone());
            [false, true].into_iter().for_each(|validation| logs.measure(&[loss; 2], validation));
            position.end_epoch(&logs).unwrap();
        }
        position.epoch = 5;
        state.moments.steps = 99;
    }
    model.save(&path).unwrap();
    let state = Model::load(&path).unwrap();
    let history = state.state.read().position.clone().unwrap().history;
    for (epoch, loss) in (1..).zip(odd) {
        assert_eq!(history.get("val_accuracy", epoch).unwrap().to_bits(), loss.to_bits());
    }
}

#[test]
fn versions_and_formats() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (stopped(folder.path()), folder.path().join("to"));
    for (key, text, kind, message) in [
        (
            "version",
            "3",
            ErrorKind::Unsupported,
            "metadata version: the file is newer than this library: expected `1` to `2`, found `3`",
        ),
        ("version", "18446744073709551616", ErrorKind::Format, "metadata version: no version"),
        ("version", "0", ErrorKind::Format, "metadata version: no version: expected `1` to `2`, found `0`"),
        ("format", "pt", ErrorKind::Format, "metadata format: not a whole model: expected `mnist-model`, found `pt`"),
        ("model", "{", ErrorKind::Format, "metadata model: not JSON: EOF"),
        ("model", "[]", ErrorKind::Format, "metadata model: wrong value: expected an object, found []"),
        ("model", &"[".repeat(100_000), ErrorKind::Format, "metadata model: not JSON: recursion"),
        ("model", &" ".repeat(2 << 20), ErrorKind::Format, "metadata model: too long"),
    ] {
        rewrite(&path, &to, &[(key, text)]);
        let error = Model::load(&to).err().unwrap();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(&format!("{}: {message}", to.display())), "{error}");
    }
    rewrite(&path, &to, &[]);
    assert!(Model::load(&to).is_ok());
}

/// `tests/data/version1.safetensors` is a checkpoint after the first of three epochs, written by the last library that wrote
/// version 1; `version1-end.safetensors` are the weights with which it ended.
#[test]
fn a_checkpoint_of_version_1_goes_on_to_the_same_bits() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let folder = tempfile::tempdir().unwrap();
    let (path, end) = (folder.path().join("checkpoint"), folder.path().join("end"));
    fs::copy(data.join("version1.safetensors"), &path).unwrap();
    let loaded = Model::load(&path).unwrap();
    assert_eq!((loaded.name(), loaded.state.read().moments.steps), ("a \"name\"\n", 4));
    let model = model();
    model.compile(&CompileOptions::default()).unwrap();
    let checkpoint = CheckpointOptions { path, batches: 0, epochs: 0, seconds: 0.0, resume: true };
    assert_eq!(fit(&model, Some(checkpoint), &mut StopAt(99)).unwrap().history.epochs(), 3);
    model.save_weights(&end).unwrap();
    assert_eq!(fs::read(end).unwrap(), fs::read(data.join("version1-end.safetensors")).unwrap());
}

/// Every location in a JSON value, as JSON pointers.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    let children: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    children.iter().for_each(|(key, value)| places(value, format!("{at}/{key}"), found));
    found.push(at);
}

#[test]
fn every_key_damaged_is_an_error_or_another_whole_model() {
    // Keras's keys may be missing: they have defaults.
    let is_keras_s = |path: &str| {
        ["/network/", "/compile/optimizer/config/", "/compile/loss/config", "/compile/metrics/"]
            .iter()
            .any(|key| path.starts_with(key))
    };
    let folder = tempfile::tempdir().unwrap();
    let (path, to, again) = (stopped(folder.path()), folder.path().join("to"), folder.path().join("again"));
    let good = description(&path);
    let mut all = Vec::new();
    places(&good, String::new(), &mut all);
    assert!(all.len() > 40);
    let damages = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(7),
        json!(0.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("relu"),
        json!("0123456789abcdef"),
        json!([]),
        json!([1, 2, 3]),
        json!({}),
        json!([{}]),
    ];
    let mut refused = 0;
    let mut load = |bad: &Value, what: &str| {
        rewrite(&path, &to, &[("model", &bad.to_string())]);
        match Model::load(&to) {
            Ok(model) => {
                // Then it is a whole model, which survives a round trip.
                model.save(&again).unwrap();
                let once = description(&again);
                Model::load(&again).unwrap().save(&to).unwrap();
                assert_eq!(description(&to), once, "{what}");
                true
            }
            Err(error) => {
                assert!(!matches!(error.kind(), ErrorKind::Internal | ErrorKind::OutOfMemory), "{error}");
                refused += 1;
                false
            }
        }
    };
    for path in &all {
        for damage in &damages {
            let mut bad = good.clone();
            let value = bad.pointer_mut(path).unwrap();
            if value == damage {
                continue;
            }
            *value = damage.clone();
            load(&bad, &format!("{path}: {damage}"));
        }
        let Some((above, key)) = path.rsplit_once('/') else { continue };
        let mut bad = good.clone();
        if let Some(Value::Object(map)) = bad.pointer_mut(above) {
            let value = map.remove(key);
            let taken = load(&bad, &format!("without {path}"));
            assert!(!taken || is_keras_s(path) || key == "learning_rate", "without {path}");
            bad.pointer_mut(above).unwrap()["unheard-of"] = value.unwrap_or_default();
            assert!(!load(&bad, path) || path.contains("/args/"), "{path} renamed");
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn tensors_that_are_missing_or_one_too_many_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (stopped(folder.path()), folder.path().join("to"));
    let load = |change: &dyn Fn(&mut Value)| {
        let mut bad = description(&path);
        change(&mut bad);
        rewrite(&path, &to, &[("model", &bad.to_string())]);
        let text = Model::load(&to).err().unwrap().to_string();
        text[to.display().to_string().len() + 2..].to_string()
    };
    let moments = load(&|model| (model["steps"], model["fit"]) = (json!(0), json!(null)));
    assert!(moments.starts_with("tensor fit/loss: unexpected tensor"), "{moments}");
    let epochs = load(&|model| model["fit"]["plan"]["initial_epoch"] = json!(1));
    assert_eq!(epochs, "tensor history/loss: wrong shape: expected F64 [0], found F64 [1]");
    let many = load(&|model| (model["fit"]["epoch"], model["steps"]) = (json!(1u64 << 40), json!(1u64 << 53)));
    assert_eq!(many, "tensor history/loss: wrong shape: expected F64 [1099511627776], found F64 [1]");
    let steps = load(&|model| model["steps"] = json!(u64::MAX));
    assert!(steps.contains("key steps: wrong value: expected a whole number up to 9007199254740992"), "{steps}");
    let units = load(&|model| model["network"]["config"]["layers"][3]["config"]["units"] = json!(1u64 << 25));
    assert!(units.contains("wrong shape: expected F32 [32, 33554432], found F32 [32, 3]"), "{units}");
    let validation = load(&|model| model["fit"]["plan"]["validation"] = json!(null));
    assert!(validation.starts_with("metadata model: key fit.names: not what was compiled"), "{validation}");
    let metrics = load(&|model| model["compile"]["metrics"] = json!([]));
    assert!(metrics.starts_with("metadata model: key fit.names: not what was compiled"), "{metrics}");
    let loss = load(&|model| model["compile"]["loss"]["config"]["from_logits"] = json!(true));
    assert!(loss.starts_with("metadata model: key compile: layer dense: the loss"), "{loss}");
    let rate = load(&|model| model["compile"]["optimizer"]["config"]["epsilon"] = json!(0));
    assert!(rate.starts_with("metadata model: key compile: option `epsilon`: out of range"), "{rate}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    /// Bytes flipped, cut off, repeated and swapped, the header's more often than the data's.
    #[test]
    fn damaged_models_never_panic(
        flips in proptest::collection::vec((0usize..100_000, 1u8..), 0..3),
        cut in proptest::option::of(0usize..100_000),
        repeat in proptest::option::of((0usize..3000, 1usize..200)),
        swap in proptest::option::of((0usize..3000, 0usize..3000, 1usize..40)),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = stopped(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for (at, bits) in flips {
            let at = if bits % 4 == 0 { at % bytes.len() } else { at % header };
            bytes[at] ^= bits;
        }
        if let Some((at, len)) = repeat {
            let at = at % header;
            let piece = bytes[at..(at + len).min(header)].to_vec();
            bytes.splice(at..at, piece);
        }
        if let Some((a, b, len)) = swap {
            (0..len).for_each(|i| bytes.swap((a + i) % header, (b + i) % header));
        }
        if let Some(cut) = cut {
            bytes.truncate(cut % bytes.len());
        }
        fs::write(&path, &bytes).unwrap();
        match Model::load(&path) {
            Ok(model) => proptest::prop_assert!(model.save(&folder.path().join("again")).is_ok()),
            Err(error) => {
                let text = error.to_string();
                proptest::prop_assert!(error.kind() != ErrorKind::Internal && text.len() < 2000, "{}", text);
            }
        }
    }
}
