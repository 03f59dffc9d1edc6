//! The effect of preparing a picture on accuracy, on a part of what `cargo bench --bench prepare` measures.

use mnist::data::{Dataset, load_data};
use mnist::graph::Graph;
use mnist::image::prepare;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{EvaluateOptions, FitOptions, Output, Verbose};
use std::path::Path;

#[path = "../benches/distort/mod.rs"]
mod distort;
use distort::{DISTORTIONS, digit};

const DIGITS: usize = 500;

/// A network of the tutorial's kind, smaller, after one epoch.
fn network(mut train: Dataset) -> Model {
    let mut graph = Graph::new();
    let x = graph.input(&[28, 28, 1]).unwrap();
    let y = graph.conv2d(x, 8, 3, Activation::Relu).unwrap();
    let y = graph.conv2d(y, 16, 3, Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 64, Activation::Relu).unwrap();
    let y = graph.dense(y, 10, Activation::Softmax).unwrap();
    let model = Model::new(&graph, x, y, "model").unwrap();
    model.compile(&CompileOptions::default()).unwrap();
    train.normalize(255.0).unwrap();
    let mut ignore = |_: &str| ();
    let options = FitOptions::new(Output::file(&mut ignore));
    model.fit(&train, FitOptions { verbose: Verbose::Silent, ..options }).unwrap();
    model
}

fn accuracy(model: &Model, images: Vec<f32>, labels: &[u32]) -> f64 {
    let data = Dataset::from_f32(images, &[labels.len(), 28, 28], labels.to_vec()).unwrap();
    let mut ignore = |_: &str| ();
    model.evaluate(&data, EvaluateOptions::new(Output::file(&mut ignore))).unwrap().metrics.accuracy
}

#[test]
fn a_network_gets_prepared_digits_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist.npz");
    let (train, test) = load_data(Some(&path)).unwrap();
    let test = test.slice(0, DIGITS).unwrap();
    let model = network(train.slice(0, 20_000).unwrap());
    let untouched = (0..DIGITS).flat_map(|i| digit(&test, i).squeezed()).collect();
    let untouched = accuracy(&model, untouched, test.labels().unwrap());
    assert!(untouched > 0.95, "{untouched}");
    for (name, distort) in DISTORTIONS {
        let (mut squeezed, mut prepared) = (Vec::new(), Vec::new());
        for i in 0..DIGITS {
            let picture = distort(digit(&test, i), i);
            squeezed.extend(picture.squeezed());
            prepared.extend(prepare(&picture.grey, picture.height, picture.width, 255.0).unwrap());
        }
        let squeezed = accuracy(&model, squeezed, test.labels().unwrap());
        let prepared = accuracy(&model, prepared, test.labels().unwrap());
        println!("{name}: squeezed {squeezed:.3}, prepared {prepared:.3}, untouched {untouched:.3}");
        // Another pen width changes the digit; all other changes are removed.
        let lost = match name.contains("pen") {
            true if name.contains("thicker by 2") => 0.15,
            true => 0.05,
            false => 0.02,
        };
        assert!(prepared >= untouched - lost, "{name}: {prepared}, untouched {untouched}");
        // Without preparation, moved, inverted or pale digits are not recognized.
        if name.contains("dark") || name.contains("anywhere") || name.contains("grey") || name.contains("all") {
            assert!(squeezed < 0.75 && prepared > squeezed + 0.2, "{name}: {squeezed}, {prepared}");
        }
    }
}
