//! Whether denormals slow a fit down: `cargo bench --bench tiny`.
//!
//! Two models train alternately on images whose left half is black. One of them was first trained for three steps on images
//! with a bright left half, and then for 1,200 steps on black ones. Unless they are flushed to zero, the moments of those
//! gradients shrink to denormals, with which some processors compute a hundred times slower, and remain denormals. A third
//! model trains on images with denormal pixels. Prints the time of a step of each, and its ratio to the first.

use mnist::data::Dataset;
use mnist::graph::Graph;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{FitOptions, Output, Verbose};
use std::time::Instant;

mod machine;
use machine::median;

/// 32 images with the left half `left` and noise in the right half.
fn images(left: f32) -> mnist::Result<Dataset> {
    let noise = machine::numbers(32 * 28 * 28);
    let pixels = noise.iter().enumerate().map(|(i, &x)| if i % 28 < 14 { left } else { x + 0.5 });
    Dataset::from_f32(pixels.collect(), &[32, 28, 28], (0..32).map(|i| i % 10).collect())
}

fn model() -> mnist::Result<Model> {
    let mut graph = Graph::new();
    let x = graph.input(&[28, 28, 1])?;
    let y = graph.flatten(x)?;
    let y = graph.dense(y, 1024, Activation::Relu)?;
    let y = graph.dense(y, 10, Activation::Softmax)?;
    let model = Model::new(&graph, x, y, "tiny")?;
    model.compile(&CompileOptions::default())?;
    model.set_threads(1)?;
    Ok(model)
}

/// Milliseconds per step.
fn fit(model: &Model, data: &Dataset, steps: usize) -> mnist::Result<f64> {
    let mut write = |_: &str| ();
    let mut options = FitOptions::new(Output::file(&mut write));
    (options.epochs, options.verbose) = (steps, Verbose::Silent);
    let start = Instant::now();
    model.fit(data, options)?;
    Ok(start.elapsed().as_secs_f64() * 1e3 / steps as f64)
}

fn main() -> mnist::Result<()> {
    let (bright, black, tiny) = (images(0.5)?, images(0.0)?, images(1e-40)?);
    let models =
        [("never bright", model()?, &black), ("once bright", model()?, &black), ("tiny pixels", model()?, &tiny)];
    fit(&models[1].1, &bright, 3)?;
    for (_, model, data) in &models {
        fit(model, data, 1200)?;
    }
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..9 {
        for ((_, model, data), times) in models.iter().zip(&mut times) {
            times.push(fit(model, data, 20)?);
        }
    }
    let medians = times.map(|times| median(times.into_iter()));
    for ((name, ..), time) in models.iter().zip(medians) {
        println!("{name:<14} {time:8.3} ms per step {:8.2}", time / medians[0]);
    }
    Ok(())
}
