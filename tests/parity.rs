//! The same numbers as Keras: a smaller version of the tutorial's network, trained by Keras 3.15 on TensorFlow 2.21 from
//! the weights in `tests/data/reference.safetensors`, which has every number of that run: 650 training images in file
//! order, batches of 32 (the last of 10), 2 epochs, Adam, sparse categorical crossentropy.

use mnist::data::{Dataset, load_data};
use mnist::graph::Graph;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{Callbacks, Control, EvaluateOptions, FitOptions, Output, Progress, Verbose};
use safetensors::tensor::{SafeTensors, TensorView};
use std::path::Path;

fn file(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The numbers of a tensor.
fn numbers(reference: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = reference.tensor(name).unwrap();
    view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The tensors `prefix/...` as a weights file.
fn weights(reference: &SafeTensors<'_>, prefix: &str, path: &Path) {
    let names = reference.names().into_iter().filter_map(|name| name.strip_prefix(prefix));
    let tensors: Vec<(&str, TensorView<'_>)> =
        names.map(|name| (name, reference.tensor(&format!("{prefix}{name}")).unwrap())).collect();
    assert_eq!(tensors.len(), 8);
    std::fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

fn model() -> Model {
    let mut graph = Graph::new();
    let x = graph.input(&[28, 28, 1]).unwrap();
    let y = graph.conv2d(x, 4, 3, Activation::Relu).unwrap();
    let y = graph.conv2d(y, 8, 3, Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 16, Activation::Relu).unwrap();
    let y = graph.dense(y, 10, Activation::Softmax).unwrap();
    Model::new(&graph, x, y, "model").unwrap()
}

/// Each batch's own loss and accuracy, computed from the running means.
#[derive(Default)]
struct Steps {
    total: [f64; 2],
    seen: usize,
    steps: Vec<[f64; 2]>,
}

impl Callbacks for Steps {
    fn on_epoch_begin(&mut self, _: &Progress) -> Control {
        (self.total, self.seen) = ([0.0; 2], 0);
        Control::Continue
    }

    fn on_batch_end(&mut self, progress: &Progress) -> Control {
        let n = 32.min(650 - self.seen);
        self.seen += n;
        let total = ["loss", "accuracy"].map(|name| progress.get(name) * self.seen as f64);
        self.steps.push([(total[0] - self.total[0]) / n as f64, (total[1] - self.total[1]) / n as f64]);
        self.total = total;
        Control::Continue
    }
}

fn check(got: impl IntoIterator<Item = f64>, expected: &[f32], tolerance: impl Fn(f64) -> f64, what: &str) {
    let mut worst = 0f64;
    let mut count = 0;
    for (i, (got, &expected)) in got.into_iter().zip(expected).enumerate() {
        let (error, allowed) = ((got - f64::from(expected)).abs(), tolerance(f64::from(expected)));
        assert!(error <= allowed, "{what} {i}: {got}, Keras has {expected}");
        (worst, count) = (worst.max(error / allowed), count + 1);
    }
    assert_eq!(count, expected.len(), "{what}");
    println!("{what}: {count} numbers, the worst at {worst:.3} of what is allowed");
}

#[test]
fn a_run_of_keras_step_by_step() {
    let bytes = std::fs::read(file("tests/data/reference.safetensors")).unwrap();
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (mut train, mut test): (Dataset, Dataset) = load_data(Some(&file("examples/data/mnist.npz"))).unwrap();
    train.normalize(255.0).unwrap();
    test.normalize(255.0).unwrap();

    let model = model();
    weights(&reference, "initial/", &path);
    model.load_weights(&path).unwrap();
    model.compile(&CompileOptions::default()).unwrap();
    let (mut steps, mut ignore) = (Steps::default(), |_: &str| ());
    let mut options = FitOptions::new(Output::file(&mut ignore));
    options.epochs = 2;
    options.shuffle = false;
    options.verbose = Verbose::Silent;
    options.callbacks = Some(&mut steps);
    let history = model.fit(&train.slice(0, 650).unwrap(), options).unwrap().history;

    let relative = |share: f64| move |expected: f64| share * expected.abs();
    check(steps.steps.iter().map(|step| step[0]), &numbers(&reference, "step/loss"), relative(1e-4), "loss of a step");
    check(
        steps.steps.iter().map(|step| step[1]),
        &numbers(&reference, "step/accuracy"),
        |_| 1e-5,
        "accuracy of a step",
    );
    for metric in ["loss", "accuracy"] {
        let got = (0..2).map(|epoch| history.get(metric, epoch).unwrap());
        check(got, &numbers(&reference, &format!("epoch/{metric}")), relative(1e-4), metric);
    }

    model.save_weights(&path).unwrap();
    let saved = std::fs::read(&path).unwrap();
    let saved = SafeTensors::deserialize(&saved).unwrap();
    for name in saved.names() {
        let expected = numbers(&reference, &format!("trained/{name}"));
        check(numbers(&saved, name).into_iter().map(f64::from), &expected, |_| 1e-4, name);
    }

    let mut probabilities = vec![0.0; 160];
    model.predict_dataset(&test.slice(0, 16).unwrap(), &mut probabilities).unwrap();
    let expected = numbers(&reference, "test/probabilities");
    check(probabilities.into_iter().map(f64::from), &expected, |_| 1e-4, "probabilities");
    let options = EvaluateOptions::new(Output::file(&mut ignore));
    let metrics = model.evaluate(&test.slice(0, 1000).unwrap(), options).unwrap().metrics;
    check([metrics.loss, metrics.accuracy], &numbers(&reference, "test/evaluate"), relative(1e-4), "evaluate");
}
