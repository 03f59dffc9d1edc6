//! The effect of `mnist_image_prepare` on accuracy: `cargo bench --bench prepare [-- WEIGHTS]`.
//!
//! Enlarges, moves and inverts the 10,000 test digits, redraws them with another pen, and prints the accuracy of the
//! tutorial's network on them: the picture only scaled to 28 x 28 pixels, and prepared. The network has the weights of a
//! file that `make -C examples run` has saved, or is first trained for three epochs.

use mnist::data::{Dataset, load_data};
use mnist::graph::Graph;
use mnist::image::prepare;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{EvaluateOptions, FitOptions, Output, Verbose};
use rayon::prelude::*;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

mod distort;
use distort::{DISTORTIONS, Picture, digit};

/// The tutorial's network, trained.
fn network(weights: Option<&str>, train: Dataset) -> mnist::Result<Model> {
    let mut graph = Graph::new();
    let x = graph.input(&[28, 28, 1])?;
    let y = graph.conv2d(x, 32, 3, Activation::Relu)?;
    let y = graph.conv2d(y, 64, 3, Activation::Relu)?;
    let y = graph.flatten(y)?;
    let y = graph.dense(y, 128, Activation::Relu)?;
    let y = graph.dense(y, 10, Activation::Softmax)?;
    let model = Model::new(&graph, x, y, "model")?;
    let Some(weights) = weights else {
        let mut train = train;
        train.normalize(255.0)?;
        model.compile(&CompileOptions::default())?;
        let mut print = |text: &str| print!("{text}");
        model.fit(
            &train,
            FitOptions { epochs: 3, verbose: Verbose::Line, ..FitOptions::new(Output::file(&mut print)) },
        )?;
        return Ok(model);
    };
    model.load_weights(Path::new(weights))?;
    Ok(model)
}

/// The accuracy in percent.
fn accuracy(model: &Model, images: Vec<Vec<f32>>, labels: &[u32]) -> mnist::Result<f64> {
    let data = Dataset::from_f32(images.concat(), &[labels.len(), 28, 28], labels.to_vec())?;
    Ok(100.0 * model.evaluate(&data, EvaluateOptions::new(Output::file(&mut |_| ())))?.metrics.accuracy)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist.npz");
    let (train, test) = load_data(Some(&path))?;
    let weights = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let model = network(weights.as_deref(), train)?;

    println!("| change of the {} test digits | scaled only | prepared | prepared: wrong, no digit found |", test.len());
    println!("|---|---|---|---|");
    for (name, distort) in DISTORTIONS {
        let pictures = (0..test.len()).into_par_iter().map(|i| {
            let picture = distort(digit(&test, i), i);
            let prepared = prepare(&picture.grey, picture.height, picture.width, 255.0);
            let seen = prepared.is_ok();
            (picture.squeezed(), prepared.unwrap_or([0.0; 28 * 28]).to_vec(), seen)
        });
        let pictures: Vec<_> = pictures.collect();
        let unseen = pictures.iter().filter(|(_, _, seen)| !seen).count();
        let (squeezed, prepared): (Vec<_>, Vec<_>) = pictures.into_iter().map(|(a, b, _)| (a, b)).unzip();
        let squeezed = accuracy(&model, squeezed, test.labels().unwrap())?;
        let prepared = accuracy(&model, prepared, test.labels().unwrap())?;
        let wrong = ((100.0 - prepared) / 100.0 * test.len() as f64).round();
        println!("| {name} | {squeezed:.2} % | {prepared:.2} % | {wrong}, {unseen} |");
    }

    println!("\n| size | to prepare, ms |\n|---|---|");
    for (height, width) in [(28, 28), (400, 400), (3000, 4000), (16384, 16384)] {
        let picture = digit(&test, 0).enlarged(height.min(4000), width.min(4000));
        let canvas = Picture::new(height, width, |y, x| {
            picture.grey[(y * picture.height / height) * picture.width + x * picture.width / width]
        });
        let best = (0..3).map(|_| {
            let start = Instant::now();
            let done = prepare(&canvas.grey, height, width, 255.0);
            done.map(|_| start.elapsed().as_secs_f64() * 1e3)
        });
        let best = best.collect::<mnist::Result<Vec<_>>>()?.into_iter().fold(f64::INFINITY, f64::min);
        println!("| {height} x {width} | {best:.3} |");
    }
    Ok(())
}
