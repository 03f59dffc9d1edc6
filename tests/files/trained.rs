//! A small network, its data, and its files.

use super::{Member, npy, zip};
use mnist::data::Dataset;
use mnist::graph::Graph;
use mnist::layers::Activation;
use mnist::model::{CompileOptions, Model};
use mnist::train::{Callbacks, CheckpointOptions, Control, FitOptions, Fitted, Output, Progress, Verbose};
use mnist::{Error, Result};
use std::path::Path;

/// A network with each kind of layer, for images of 5 x 4.
pub fn model() -> Model {
    let mut graph = Graph::new();
    let model = (|| {
        let x = graph.input(&[5, 4, 1])?;
        let y = graph.conv2d(x, 2, 2, Activation::Relu)?;
        let y = graph.flatten(y)?;
        let y = graph.dense(y, 3, Activation::Softmax)?;
        let model = Model::new(&graph, x, y, "small")?;
        model.set_threads(1)?;
        model.compile(&CompileOptions::default())?;
        Ok::<_, Error>(model)
    })();
    model.expect("a network that fits itself")
}

/// Seven images to train on.
pub fn data() -> Dataset {
    let pixels = (0..7 * 5 * 4).map(|i| (i * 37) as u8).collect();
    let mut data = Dataset::from_u8(pixels, &[7, 5, 4], (0..7).map(|i| i % 3).collect()).expect("seven images");
    data.normalize(255.0).expect("a divisor");
    data
}

/// Fits `epochs` of three batches each, writes the state to `checkpoint` at the end, and resumes from there if `resume` is set. It
/// stops after `batches` steps.
pub fn fit(model: &Model, data: &Dataset, epochs: usize, checkpoint: (&Path, bool), batches: usize) -> Result<Fitted> {
    let (path, resume) = (checkpoint.0.to_path_buf(), checkpoint.1);
    let (mut stop, mut nowhere) = (Stop(batches), |_: &str| ());
    let options = FitOptions {
        batch_size: 2,
        epochs,
        verbose: Verbose::Silent,
        validation_split: 0.2,
        callbacks: Some(&mut stop),
        checkpoint: Some(CheckpointOptions { path, batches: 0, epochs: 0, seconds: 0.0, resume }),
        ..FitOptions::new(Output::file(&mut nowhere))
    };
    model.fit(data, options)
}

struct Stop(usize);

impl Callbacks for Stop {
    fn on_batch_end(&mut self, _: &Progress) -> Control {
        self.0 -= 1;
        if self.0 == 0 { Control::Stop } else { Control::Continue }
    }
}

/// The bits of a model's weights, from a file written by [`Model::save_weights`].
pub fn weights(model: &Model, path: &Path) -> Vec<u8> {
    model.save_weights(path).expect("room for the weights");
    std::fs::read(path).expect("what was written")
}

/// The checkpoint of a fit that was stopped after `batches` steps.
pub fn checkpoint(path: &Path, batches: usize) -> Vec<u8> {
    fit(&model(), &data(), 9, (path, false), batches).expect("a fit");
    std::fs::read(path).expect("a checkpoint")
}

/// A small archive with images of the tutorial's kind and labels.
pub fn archive(deflated: bool) -> Vec<u8> {
    let member = |name: &str, array: Vec<u8>| Member::new(name, deflated, &array);
    zip(&[
        member("x_train.npy", npy("|u1", "(3, 2, 2)", &[7; 12])),
        member("y_train.npy", npy("|u1", "(3,)", &[1, 0, 2])),
        member("x_test.npy", npy("<f4", "(2, 2, 1, 1)", &[0; 16])),
        member("y_test.npy", npy("<i8", "(2, 1)", &[0; 16])),
    ])
}
