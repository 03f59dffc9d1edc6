//! The tutorial's network for the benchmarks: trained for some steps, then split into its layers' weights.

#![allow(dead_code)] // each benchmark uses only a part of it

use crate::machine::{Floats, time, zeros};
use mnist::data::{Dataset, load_data};
use mnist::graph::Graph;
use mnist::kernels::conv2d::ConvShape;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{FitOptions, Output, Verbose};
use std::error::Error;
use std::path::Path;

pub const BATCH: usize = 32;
pub const CONV_1: ConvShape = ConvShape::new(28, 28, 1, 32, [3, 3]);
pub const CONV_2: ConvShape = ConvShape::new(26, 26, 32, 64, [3, 3]);
pub const INPUTS: usize = 24 * 24 * 64;
pub const UNITS: usize = 128;

/// The normalized digits: training data and test data.
pub fn digits() -> mnist::Result<(Dataset, Dataset)> {
    let (mut train, mut test) =
        load_data(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist.npz")))?;
    train.normalize(255.0)?;
    test.normalize(255.0)?;
    Ok((train, test))
}

/// The network after some steps: each layer's kernel and bias, and the time of a step.
pub struct Trained {
    pub conv_1: [Floats; 2],
    pub conv_2: [Floats; 2],
    pub dense: [Floats; 2],
    pub dense_1: [Floats; 2],
    /// Seconds per step, on one thread.
    pub step: f64,
}

/// Trains it on the first of the digits.
pub fn train(data: &Dataset, steps: usize) -> Result<Trained, Box<dyn Error>> {
    let mut graph = Graph::new();
    let x = graph.input(&[28, 28, 1])?;
    let y = graph.conv2d(x, 32, 3, Activation::Relu)?;
    let y = graph.conv2d(y, 64, 3, Activation::Relu)?;
    let y = graph.flatten(y)?;
    let y = graph.dense(y, UNITS, Activation::Relu)?;
    let y = graph.dense(y, 10, Activation::Softmax)?;
    let model = Model::new(&graph, x, y, "model")?;
    model.set_threads(1)?;
    model.compile(&CompileOptions::default())?;
    fit(&model, &data.slice(0, BATCH * steps)?)?;
    let few = data.slice(BATCH * steps, BATCH * 10)?;
    let step = time(|| drop(fit(&model, &few))) / 10.0;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("weights.safetensors");
    model.save_weights(&path)?;
    let bytes = std::fs::read(&path)?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes)?;
    let values = |name: &str| -> Result<Floats, Box<dyn Error>> {
        let bytes = tensors.tensor(name)?.data().as_chunks().0;
        let mut floats = zeros(bytes.len());
        floats.iter_mut().zip(bytes).for_each(|(float, bytes)| *float = f32::from_le_bytes(*bytes));
        Ok(floats)
    };
    Ok(Trained {
        conv_1: [values("conv2d/kernel")?, values("conv2d/bias")?],
        conv_2: [values("conv2d_1/kernel")?, values("conv2d_1/bias")?],
        dense: [values("dense/kernel")?, values("dense/bias")?],
        dense_1: [values("dense_1/kernel")?, values("dense_1/bias")?],
        step,
    })
}

/// One epoch without output.
fn fit(model: &Model, data: &Dataset) -> mnist::Result<()> {
    let mut ignore = |_: &str| ();
    let output = Output::file(&mut ignore);
    model.fit(data, FitOptions { verbose: Verbose::Silent, ..FitOptions::new(output) }).map(drop)
}

/// Item `i` of many that are `len` floats long.
pub fn of(all: &[f32], i: usize, len: usize) -> &[f32] {
    &all[i * len..(i + 1) * len]
}

/// The same, mutable.
pub fn of_mut(all: &mut [f32], i: usize, len: usize) -> &mut [f32] {
    &mut all[i * len..(i + 1) * len]
}
