//! Every callback compared with Keras's for the same values (tests/keras/callbacks.py), uninterrupted and in two halves
//! with a checkpoint between them; and the errors.

use super::format::{Number, Template, fixed, repr};
use super::*;
use crate::json;
use serde_json::json;
use std::cell::RefCell;
use std::path::PathBuf;

/// What Keras did.
fn recorded() -> Value {
    serde_json::from_str(include_str!("../../tests/data/keras/callbacks.json")).unwrap()
}

/// A number, or the name of one that JSON does not have.
fn real(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn logs(value: &Value) -> Logs {
    let pairs = value.as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_str().unwrap().to_string(), real(&pair[1]))).collect()
}

/// A fake fit.
#[derive(Debug, Default)]
struct FakeHost {
    rate: f64,
    steps: u64,
    weights: Vec<f32>,
    printed: String,
    saved: RefCell<Vec<(PathBuf, bool)>>,
}

impl Host for FakeHost {
    fn learning_rate(&self) -> Result<f64> {
        Ok(self.rate)
    }
    fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.rate = rate;
        Ok(())
    }
    fn steps(&self) -> u64 {
        self.steps
    }
    fn weights(&self, task: &mut dyn FnMut(&[f32])) -> Result<()> {
        task(&self.weights);
        Ok(())
    }
    fn set_weights(&mut self, weights: &[f32]) -> Result<()> {
        self.weights.copy_from_slice(weights);
        Ok(())
    }
    fn named_weights(&self) -> Vec<(String, Range<usize>)> {
        vec![("dense/kernel".into(), 0..6), ("dense/bias".into(), 6..8)]
    }
    fn save(&self, path: &FilePath, weights_only: bool) -> Result<()> {
        self.saved.borrow_mut().push((path.path().to_path_buf(), weights_only));
        Ok(())
    }
    fn print(&mut self, message: &str) -> Result<()> {
        self.printed += &format!("{message}\n");
        Ok(())
    }
}

/// A recorded case, running in a folder.
struct Replay<'a> {
    case: &'a Value,
    folder: PathBuf,
    weights: Vec<f32>,
    metrics: Vec<Metric>,
    host: FakeHost,
    number: u64,
}

/// Keras's file names with the extension that is written here.
fn renamed(text: &str) -> String {
    text.replace(".weights.h5", ".safetensors").replace(".keras", ".safetensors")
}

impl<'a> Replay<'a> {
    fn new(all: &'a Value, case: &'a Value, folder: PathBuf) -> Self {
        if let Some(before) = case["before"].as_str() {
            std::fs::write(folder.join("log.csv"), before).unwrap();
        }
        let base = |name: &str| -> Vec<f32> {
            all["weights"][name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
        };
        let better = |name: &str| match all["metrics"].as_array().unwrap().iter().find(|metric| metric[0] == name) {
            None => (name == "loss").then_some(Better::Lower),
            Some(metric) => Some(if metric[1] == "higher" { Better::Higher } else { Better::Lower }),
        };
        let mut metrics: Vec<Metric> = Vec::new();
        for (name, _) in case["epochs"].as_array().unwrap().iter().flat_map(|epoch| logs(&epoch["logs"])) {
            if metrics.iter().all(|metric| metric.name != name) {
                metrics.push(Metric { better: better(name.trim_start_matches("val_")), name });
            }
        }
        let weights = [base("kernel"), base("bias")].concat();
        let host = FakeHost { rate: all["rate"].as_f64().unwrap(), weights: weights.clone(), ..FakeHost::default() };
        Replay { case, folder, weights, metrics, host, number: 0 }
    }

    /// The callbacks, with their files in the folder, ready to begin.
    fn callbacks(&self) -> Vec<Box<dyn Callback>> {
        let mut list = self.case["callbacks"].clone();
        for callback in list.as_array_mut().unwrap() {
            for key in ["filepath", "filename", "log_dir"] {
                if let Some(name) = callback["config"][key].as_str() {
                    callback["config"][key] = renamed(self.folder.join(name).to_str().unwrap()).into();
                }
            }
        }
        let mut list = read(&list).unwrap();
        // Their configs give the same callbacks again.
        let told: Vec<Value> = list.iter().map(|callback| config(&**callback)).collect();
        let again: Vec<Value> = read(&json!(told)).unwrap().iter().map(|callback| config(&**callback)).collect();
        assert_eq!(told, again);
        check(&mut list, self.metrics.clone(), true).unwrap();
        list
    }

    fn begin(&mut self, list: &mut [Box<dyn Callback>]) -> bool {
        each(list, |callback| callback.begin(&mut self.host)).unwrap() != Verdict::Continue
    }

    /// Replays an epoch as far as it was recorded; returns whether the fit is to stop.
    fn epoch(&mut self, list: &mut [Box<dyn Callback>], i: usize) -> bool {
        let (given, told) = (&self.case["epochs"][i], &self.case["told"][i]);
        let epoch = given["epoch"].as_u64().unwrap() as usize;
        self.host.weights = self.weights.iter().map(|w| (epoch + 1) as f32 + w).collect();
        let mut stop = false;
        for (batch, expected) in told["batches"].as_array().unwrap().iter().enumerate() {
            self.number += 1;
            self.host.steps = self.number;
            let (at, logs) = (Step { epoch, batch, number: self.number }, logs(&given["batches"][batch]));
            let verdict = each(list, |callback| callback.batch_end(&mut self.host, at, &logs)).unwrap();
            stop |= verdict != Verdict::Continue;
            self.compare(expected, stop);
        }
        if stop {
            return true;
        }
        let mut seen = logs(&given["logs"]);
        let verdict = each(list, |callback| callback.epoch_end(&mut self.host, epoch, &mut seen)).unwrap();
        stop |= verdict != Verdict::Continue;
        self.compare(told, stop);
        let expected = if told["logs"].is_null() { logs(&given["logs"]) } else { logs(&told["logs"]) };
        assert_eq!(format!("{seen:?}"), format!("{expected:?}"), "{}", self.case["name"]);
        stop
    }

    /// What was printed and saved, and the learning rate.
    fn compare(&mut self, expected: &Value, stop: bool) {
        let name = &self.case["name"];
        let folder = format!("{}{}", self.folder.display(), std::path::MAIN_SEPARATOR);
        let printed = std::mem::take(&mut self.host.printed).replace(&folder, "");
        assert_eq!(printed, renamed(expected["printed"].as_str().unwrap_or_default()), "{name}");
        let saved = self.host.saved.take().into_iter();
        let saved: Vec<_> = saved.map(|(path, only)| json!([path.strip_prefix(&self.folder).unwrap(), only])).collect();
        let expected_saved = expected["saved"].as_array().cloned().unwrap_or_default();
        let expected_saved: Vec<_> =
            expected_saved.iter().map(|s| json!([renamed(s[0].as_str().unwrap()), s[1]])).collect();
        assert_eq!(saved, expected_saved, "{name}");
        assert_eq!(stop, expected["stop"].as_bool().unwrap_or(false), "{name}");
        if let Some(rate) = expected["rate"].as_f64() {
            assert_eq!(self.host.rate as f32, rate as f32, "{name}");
        }
    }

    fn end(&mut self, list: &mut [Box<dyn Callback>], stop: bool) {
        list.iter_mut().for_each(|callback| callback.end(&mut self.host).unwrap());
        self.compare(&self.case["end"], stop);
        let name = &self.case["name"];
        assert_eq!(
            self.host.weights.last().copied().unwrap(),
            self.case["end"]["weights"].as_f64().unwrap() as f32,
            "{name}"
        );
        if let Some(csv) = self.case["csv"].as_str() {
            assert_eq!(std::fs::read_to_string(self.folder.join("log.csv")).unwrap(), csv, "{name}");
        }
    }

    /// The events in the folder's files, as hexadecimal digits.
    fn events(&self, side: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("logs").join(side)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let events = paths.iter().flat_map(|path| events::timeless(&std::fs::read(path).unwrap()));
        events.map(|event| event.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
    }
}

/// Runs `test` with each case in a folder of its own.
fn each_case(test: impl Fn(Replay<'_>, usize)) {
    let all = recorded();
    let cases = all["cases"].as_array().unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let epochs = case["told"].as_array().unwrap().len();
        test(Replay::new(&all, case, folder.path().to_path_buf()), epochs);
    }
}

#[test]
fn they_do_what_keras_s_do() {
    each_case(|mut replay, epochs| {
        let mut list = replay.callbacks();
        assert!(!replay.begin(&mut list));
        let mut stop = false;
        for i in 0..epochs {
            assert!(!stop);
            stop = replay.epoch(&mut list, i);
        }
        replay.end(&mut list, stop);
        for side in ["train", "validation"] {
            let expected = replay.case["events"][side].as_array().cloned().unwrap_or_default();
            assert_eq!(replay.events(side), expected, "{}", replay.case["name"]);
        }
    });
}

/// The callbacks' state, through a checkpoint's text and back.
fn checkpoint(list: &[Box<dyn Callback>]) -> (Value, Vec<Option<Vec<f32>>>) {
    let text = json!(list.iter().map(|callback| callback.state()).collect::<Vec<_>>()).to_string();
    let weights = list.iter().map(|callback| callback.weights().map(<[f32]>::to_vec)).collect();
    (serde_json::from_str(&text).unwrap(), weights)
}

fn resume(list: &mut [Box<dyn Callback>], (states, weights): &(Value, Vec<Option<Vec<f32>>>)) {
    for ((callback, state), weights) in list.iter_mut().zip(states.as_array().unwrap()).zip(weights) {
        callback.restore(&Object::root(state).unwrap()).unwrap();
        if let Some(weights) = weights {
            let mut buffer = Buffer::zeros(weights.len()).unwrap();
            buffer.copy_from_slice(weights);
            callback.restore_weights(buffer);
        }
    }
}

#[test]
fn a_fit_that_was_killed_and_resumed_does_the_same() {
    each_case(|mut replay, epochs| {
        let mut list = replay.callbacks();
        replay.begin(&mut list);
        let half = epochs / 2;
        (0..half).for_each(|i| assert!(!replay.epoch(&mut list, i)));
        let (saved, number, rate) = (checkpoint(&list), replay.number, replay.host.rate);
        // It continues for a while; all of that is lost except the files.
        (half..epochs).for_each(|i| {
            replay.epoch(&mut list, i);
        });
        drop(list);

        (replay.number, replay.host.rate) = (number, rate);
        let mut list = replay.callbacks();
        resume(&mut list, &saved);
        assert_eq!(checkpoint(&list).1, saved.1);
        assert!(!replay.begin(&mut list));
        let stop = (half..epochs).fold(false, |_, i| replay.epoch(&mut list, i));
        let last = checkpoint(&list);
        replay.end(&mut list, stop);

        // A finished fit is resumed: it ends in the same way.
        let mut list = replay.callbacks();
        resume(&mut list, &last);
        let early = list.iter().any(|callback| callback.class() == "EarlyStopping");
        let again = replay.begin(&mut list);
        assert!(again == (stop && early));
        replay.end(&mut list, stop);
    });
}

#[test]
fn numbers_and_names_are_python_s() {
    let all = recorded();
    for pair in all["reprs"].as_array().unwrap() {
        let number = f64::from_bits(u64::from_str_radix(pair[0].as_str().unwrap(), 16).unwrap());
        assert_eq!(repr(number), pair[1]);
    }
    for line in all["formats"].as_array().unwrap() {
        let text = Template::parse(line[0].as_str().unwrap()).unwrap();
        let whole = |name: &str| name == "epoch";
        let value = |name: &str| match whole(name) {
            true => Number::Whole(line[1].as_u64().unwrap()),
            false => Number::Real(real(&line[1])),
        };
        assert_eq!(text.fill(|name| Some(value(name))).unwrap(), line[2], "{line}");
    }
    assert_eq!(fixed(f64::NAN, 5), "nan");
}

/// The error of a config in a fit with loss, accuracy and validation.
fn error(text: &str) -> (ErrorKind, String) {
    let names = [
        ("loss", Some(Better::Lower)),
        ("accuracy", Some(Better::Higher)),
        ("val_loss", Some(Better::Lower)),
        ("mine", None),
    ];
    let metrics = names.map(|(name, better)| Metric { name: name.into(), better }).to_vec();
    let list = json::parse(text).and_then(|list| read(&list));
    let error = list.and_then(|mut list| check(&mut list, metrics, true)).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn what_is_wrong_is_named_before_the_fit() {
    let cases = [
        ("7", "wrong value: expected a list of callbacks"),
        ("[7]", "key [0]: wrong value: expected a name, or an object with class_name and config, found 7"),
        ("['EarlyStoping']", "key [0]: unknown callback: expected EarlyStopping, or another of "),
        (
            "['TerminateOnNaN', {class_name: 'LearningRateScheduler'}]",
            "key [1].class_name: LearningRateScheduler is no callback here: expected mnist_model_set_learning_rate, called from ",
        ),
        (
            "[{class_name: 'EarlyStopping', config: {patince: 1}}]",
            "key [0].config.patince: unknown key: expected patience, or ",
        ),
        (
            "[{class_name: 'EarlyStopping', config: {patience: -1}}]",
            "key [0].config.patience: wrong value: expected a whole ",
        ),
        (
            "[{class_name: 'EarlyStopping', config: {mode: 'least'}}]",
            "key [0].config.mode: wrong value: expected auto, min or ",
        ),
        (
            "[{class_name: 'EarlyStopping', config: {monitor: 'val_acc'}}]",
            "callback [0], EarlyStopping: key monitor: not measured in this fit: expected one of loss, accuracy, val_loss, mine, ",
        ),
        (
            "[{class_name: 'EarlyStopping', config: {monitor: 'mine'}}]",
            "callback [0], EarlyStopping: key mode: it is not known whether a higher or a lower mine is better: expected min or max, found auto",
        ),
        (
            "[{class_name: 'ReduceLROnPlateau', config: {factor: 1}}]",
            "key [0].config.factor: wrong value: expected 0 or more ",
        ),
        ("['ModelCheckpoint']", "key [0].filepath: missing key: expected a text"),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: 'm.keras'}}]",
            "key [0].config.filepath: this format is not ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: '{epoch:q}'}}]",
            "key [0].config.filepath: field epoch:q: an unsupported format",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: '{val_acc:.2f}'}}]",
            "callback [0], ModelCheckpoint: key filepath: not measured in this fit: expected one of epoch, loss, ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: '{batch}'}}]",
            "callback [0], ModelCheckpoint: key filepath: not measured in this fit: expected one of epoch, loss, ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: '{val_loss}', save_freq: 5}}]",
            "callback [0], ModelCheckpoint: key filepath: not measured in this fit: expected one of epoch, batch, loss, ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: 'm', save_best_only: true, save_freq: 5}}]",
            "callback [0], ModelCheckpoint: key monitor: not measured in this fit: expected one of loss, accuracy, mine, found ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: 'm', save_freq: 0}}]",
            "key [0].config.save_freq: wrong value: ",
        ),
        (
            "[{class_name: 'ModelCheckpoint', config: {filepath: '/dev/null/m'}}]",
            "callback [0], ModelCheckpoint: /dev/null/m: ",
        ),
        ("[{class_name: 'CSVLogger', config: {filename: '/none/of/it'}}]", "callback [0], CSVLogger: /none/of/it: "),
        ("[{class_name: 'CSVLogger', config: {filename: ''}}]", "key [0].config.filename: path: is empty"),
        (
            "[{class_name: 'CSVLogger', config: {filename: 'x', separator: ', '}}]",
            "key [0].config.separator: wrong value: ",
        ),
        (
            "[{class_name: 'TensorBoard', config: {write_images: true}}]",
            "key [0].config.write_images: not supported: expected ",
        ),
        ("[{class_name: 'TensorBoard', config: {log_dir: '/dev/null'}}]", "callback [0], TensorBoard: /dev/null: "),
        (
            "[{class_name: 'TerminateOnNaN', config: {raise_error: true}}]",
            "key [0].config.raise_error: not supported: expected ",
        ),
    ];
    for (text, expected) in cases {
        let (_, found) = error(text);
        assert!(found.starts_with(expected), "{text}\n{found}\n{expected}");
    }
    assert_eq!(error("['LearningRateScheduler']").0, ErrorKind::Unsupported);
    assert!(read(&Value::Null).unwrap().is_empty());
}

#[test]
fn a_state_that_is_none_is_refused() {
    for (class, state) in [
        ("{class_name: 'EarlyStopping'}", json!({})),
        (
            "{class_name: 'EarlyStopping'}",
            json!({"best": "x", "best_epoch": 0, "kept": false, "stopped_epoch": null, "wait": 0}),
        ),
        ("{class_name: 'ReduceLROnPlateau'}", json!({"best": null, "wait": -1, "cooling": 0})),
        ("{class_name: 'CSVLogger', config: {filename: 'x'}}", json!({"bytes": 1, "columns": [1]})),
        ("{class_name: 'ModelCheckpoint', config: {filepath: 'x'}}", json!({"best": 1.5})),
        ("{class_name: 'TerminateOnNaN'}", json!({"x": 1})),
    ] {
        let mut list = read(&json::parse(&format!("[{class}]")).unwrap()).unwrap();
        assert!(list[0].restore(&Object::root(&state).unwrap()).is_err(), "{class}");
    }
    // The state lacks the best epoch's weights.
    let mut list = read(&json!([{"class_name": "EarlyStopping", "config": {"restore_best_weights": true}}])).unwrap();
    let state = json!({"best": bits(0.5), "best_epoch": 0, "kept": true, "stopped_epoch": null, "wait": 0});
    list[0].restore(&Object::root(&state).unwrap()).unwrap();
    let mut host = FakeHost { weights: vec![0.0; 8], ..FakeHost::default() };
    assert_eq!(list[0].begin(&mut host).unwrap_err().kind(), ErrorKind::Format);
}

#[test]
fn who_stops_a_fit_says_why() {
    let mut list =
        read(&json!([{"class_name": "EarlyStopping", "config": {"monitor": "loss", "patience": 2}}, "TerminateOnNaN"]))
            .unwrap();
    let mut host = FakeHost::default();
    let loss = |loss: f64| vec![("loss".to_string(), loss)];
    for (epoch, value) in [0.05, 0.06].into_iter().enumerate() {
        assert_eq!(list[0].epoch_end(&mut host, epoch, &mut loss(value)).unwrap(), Verdict::Continue);
    }
    let expected = Verdict::Stop("EarlyStopping: loss has not improved from 0.05 for 2 epochs".into());
    assert_eq!(list[0].epoch_end(&mut host, 2, &mut loss(0.06)).unwrap(), expected);
    let at = Step { epoch: 1, batch: 3, number: 7 };
    let expected = Verdict::Stop("TerminateOnNaN: loss is nan in batch 3 of epoch 2".into());
    assert_eq!(list[1].batch_end(&mut host, at, &loss(f64::NAN)).unwrap(), expected);
}
