//! Networks whose numbers Keras has recorded (`tests/keras/README.md`), computed here: outputs, gradients, and three steps
//! of training.

use super::compile::Compiled;
use super::network::{Network, Optimize};
use super::parameters::Parameters;
use super::plan::Purpose;
use super::scorer::{ScoredBatch, Scorer};
use super::state::Moments;
use crate::data::BatchTargets;
use crate::error::{ErrorKind, Result};
use crate::graph::{Architecture, Call, LayerSpec, Shape, keras};
use crate::json::Named;
use crate::kernels::Isa;
use crate::layers::{
    Activation, BuildContext, Initializer, Layer, Parameter, Pass, Regularizer, Role, Step, Weight, Work,
};
use crate::losses::Crossentropy;
use crate::optimizers::{self, Optimizer};
use parking_lot::Mutex;
use safetensors::SafeTensors;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tolerance, relative to the largest value of the array.
const NEAR: f64 = 1e-5;

/// The least value that tolerances are relative to: smaller arrays contain only rounding errors.
const SMALL: f64 = 1e-2;

const STEP: Step<'static> = Step::new(1, 0);

#[test]
fn layers_are_keras_s() {
    let bytes = std::fs::read(data("layers.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let table: Value = serde_json::from_slice(&std::fs::read(data("layers.json")).unwrap()).unwrap();
    let cases = table["cases"].as_array().unwrap();
    let (mut failures, mut unknown, mut numbers) = (Vec::new(), Vec::new(), 0);
    for line in cases {
        let mut case = Case { line, tensors: &tensors, failures: Vec::new(), compared: 0 };
        match case.run() {
            Ok(()) => numbers += case.compared,
            Err(error) if error.kind() == ErrorKind::Unsupported => unknown.push(format!("{}: {error}", case.name())),
            Err(error) => case.failures.push(format!("{}: {error}", case.name())),
        }
        failures.append(&mut case.failures);
    }
    println!("{} of {} cases, {numbers} arrays; not known yet: {unknown:#?}", cases.len() - unknown.len(), cases.len());
    assert!(failures.is_empty(), "{} arrays are off:\n{}", failures.len(), failures.join("\n"));
}

pub(super) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keras").join(name)
}

/// A case and its results so far.
struct Case<'a> {
    line: &'a Value,
    tensors: &'a SafeTensors<'a>,
    failures: Vec<String>,
    compared: usize,
}

impl Case<'_> {
    fn name(&self) -> &str {
        self.line["name"].as_str().unwrap()
    }

    fn run(&mut self) -> Result<()> {
        let network = Made::read(&self.line["model"])?;
        network.set(|name| self.array(&format!("weights/{name}")))?;
        self.same_names(&network);
        let x = self.array("x").unwrap();
        let found = network.predict(&x)?;
        self.compare("output", &found);
        if let Some(c) = self.array("c") {
            self.gradients(&network, &x, c)?;
        }
        match self.line.get("fit") {
            Some(fit) => self.fit(fit),
            None => Ok(()),
        }
    }

    /// An array of the case.
    fn array(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.tensors.tensor(&format!("{}/{name}", self.name())).ok()?;
        Some(match tensor.dtype() {
            safetensors::Dtype::U8 => tensor.data().iter().map(|&byte| f32::from(byte)).collect(),
            _ => tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        })
    }

    /// Checks that the weights are the same, and which of them are trainable.
    fn same_names(&mut self, network: &Made) {
        for (key, trained) in [("weights", false), ("trainable", true)] {
            let mut expected: Vec<&str> =
                self.line[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            let mut found = network.names(trained);
            expected.sort_unstable();
            found.sort_unstable();
            if found != expected {
                self.failures.push(format!("{}: {key} are {found:?}, not {expected:?}", self.name()));
            }
        }
    }

    fn compare(&mut self, name: &str, found: &[f32]) {
        let expected = self.array(name).unwrap_or_else(|| panic!("{}: no {name}", self.name()));
        assert_eq!(found.len(), expected.len(), "{}/{name}", self.name());
        self.compared += 1;
        let largest = expected.iter().fold(SMALL, |m, &x| m.max(f64::from(x.abs())));
        // Extreme values are compared one by one; but a function close to 1 is rounded there, and its slope is computed
        // from the rounded value.
        let scale = |x: f32| if self.line["extremes"] == true { f64::from(x.abs()).max(10.0 * SMALL) } else { largest };
        let off = |(&found, &expected): (&f32, &f32)| (f64::from(found) - f64::from(expected)).abs() / scale(expected);
        let errors = found.iter().zip(&expected).map(off);
        let worst = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((i, error)) = worst.filter(|(_, error)| error.is_nan() || *error > NEAR) {
            let name = format!("{}/{name}", self.name());
            self.failures.push(format!("{name}: element {i} is {}, not {}: off by {error:.1e}", found[i], expected[i]));
        }
    }

    /// The gradients of `sum(c * output)`, in training.
    fn gradients(&mut self, network: &Made, x: &[f32], c: Vec<f32>) -> Result<()> {
        let (start, end) = (Probe::default(), Probe { gradient: Some(c), ..Probe::default() });
        let mut probed = network.between(&start, &end)?;
        probed.set(|name| self.array(&format!("weights/{name}")))?;
        // The gradients are recorded without what regularizers add.
        let parameters = probed.architecture.layers.iter_mut().flat_map(|layer| &mut layer.parameters);
        parameters.for_each(|parameter| parameter.regularizer = Regularizer::NONE);
        let samples = x.len() / probed.architecture.input().len();
        let (_, gradients) = probed.train(&Keep, x, &vec![0; samples], samples)?;
        if self.array("training_output").is_some() {
            self.compare("training_output", &end.forward.lock());
        }
        self.compare("gradient/input", &start.backward.lock());
        for name in network.names(true) {
            self.compare(&format!("gradient/{name}"), probed.part(name, &gradients[0]));
        }
        Ok(())
    }

    /// Three training steps with a dense layer on top.
    fn fit(&mut self, fit: &Value) -> Result<()> {
        let network = Made::read(&fit["model"])?;
        network
            .set(|name| self.array(&format!("fit/before/{name}")).or_else(|| self.array(&format!("weights/{name}"))))?;
        let optimizer = optimizers::read(&Named::read(&fit["optimizer"], "optimizer".to_string())?)?;
        let labels: Vec<u32> = self.array("fit/labels").unwrap().into_iter().map(|label| label as u32).collect();
        let batch = fit["batch_size"].as_u64().unwrap() as usize;
        let x = self.array("fit/x").unwrap();
        let (losses, _) = network.train(&*optimizer, &x, &labels, batch)?;
        self.compare("fit/losses", &losses);
        for name in network.names(false) {
            let after = network.parameters.read(|all| network.part(name, all).to_vec())?;
            self.compare(&format!("fit/after/{name}"), &after);
        }
        Ok(())
    }
}

/// A network with its parameters.
struct Made {
    architecture: Architecture,
    parameters: Parameters,
    trainable: Vec<bool>,
}

impl Made {
    /// From the text of Keras's JSON.
    fn read(text: &Value) -> Result<Self> {
        let network = keras::read(&serde_json::from_str(text.as_str().unwrap()).unwrap())?;
        Made::of(network.graph.architecture(network.input, network.output)?)
    }

    fn of(architecture: Architecture) -> Result<Self> {
        let parameters = Parameters::zeros(&architecture)?;
        let trainable = architecture.layers.iter().map(|layer| layer.trainable).collect();
        Ok(Made { architecture, parameters, trainable })
    }

    /// Sets all parameters to the values of their names in `values`.
    fn set(&self, values: impl Fn(&str) -> Option<Vec<f32>>) -> Result<()> {
        self.parameters.write(|all| {
            for entry in self.parameters.entries() {
                match values(&entry.name) {
                    Some(values) => all[entry.range.clone()].copy_from_slice(&values),
                    None => assert!(entry.name.starts_with("probe"), "no {}", entry.name),
                }
            }
        })
    }

    /// The names of its parameters, or of those that training changes.
    fn names(&self, trained: bool) -> Vec<&str> {
        let layers = self.architecture.layers.iter().enumerate();
        let of_layer = |(index, layer): (usize, &LayerSpec)| {
            let wanted: Vec<bool> = layer
                .parameters
                .iter()
                .map(|parameter| !trained || (parameter.role == Role::Trainable && self.trainable[index]))
                .collect();
            let entries = self.parameters.of_layer(index).iter().zip(wanted);
            entries.filter(|(_, wanted)| *wanted).map(|(entry, _)| entry.name.as_str()).collect::<Vec<_>>()
        };
        layers.flat_map(of_layer).collect()
    }

    /// A parameter's part of an array with the layout of all parameters.
    fn part<'a>(&self, name: &str, all: &'a [f32]) -> &'a [f32] {
        let entry = self.parameters.entries().iter().find(|entry| entry.name == name);
        &all[entry.unwrap_or_else(|| panic!("no {name}")).range.clone()]
    }

    fn network(&self, threads: usize, batch: usize, training: bool) -> Result<Network> {
        let purpose =
            Purpose { training, trainable: &self.trainable, omitted: Some(Activation::Softmax).filter(|_| training) };
        Network::new(&self.architecture, &self.parameters, Isa::choose()?, threads, batch, purpose)
    }

    fn predict(&self, x: &[f32]) -> Result<Vec<f32>> {
        let samples = x.len() / self.architecture.input().len();
        let mut out = vec![f32::NAN; samples * self.architecture.output().len()];
        let mut network = self.network(1, samples, false)?;
        self.parameters.read(|weights| network.predict(weights, x, &mut out))??;
        Ok(out)
    }

    /// The losses of training steps on the batches in order, and the optimizer's moments after them.
    fn train(
        &self,
        optimizer: &dyn Optimizer,
        x: &[f32],
        labels: &[u32],
        batch: usize,
    ) -> Result<(Vec<f32>, Vec<crate::memory::Buffer>)> {
        const THREADS: usize = 2;
        let pool = super::pool::Pool::new(THREADS)?;
        let mut network = self.network(THREADS, batch, true)?;
        network.prepare(optimizer, self.parameters.len())?;
        let mut moments = Moments::new(optimizer, self.parameters.len())?;
        // If only a gradient is wanted, the network's output does not matter; the probe gives the gradient.
        let compiled =
            Compiled { optimizer: Arc::new(Keep), loss: Arc::new(Crossentropy::sparse(false)), metrics: [].into() };
        let flat = Shape::new(&[self.architecture.output().len()])?;
        let mut scorer = Scorer::new(&compiled, &flat, batch)?;
        let input = self.architecture.input().len();
        let mut step = |(x, labels): (&[f32], &[u32])| -> Result<f32> {
            let (number, rate) = (moments.steps + 1, optimizer.rate(moments.steps));
            let loss = self.parameters.write(|w| {
                pool.run(|| -> Result<f64> {
                    network.forward(&STEP, w, x)?;
                    let (samples, targets) = (labels.len(), BatchTargets::Labels(labels));
                    let scored = ScoredBatch { network: &network, samples, targets, weights: None };
                    let loss = scorer.loss(scored) + network.penalty(w) * samples as f64;
                    let absorbed = scorer.absorbs(&network);
                    let optimize = Optimize { optimizer, rate, number, slots: &mut moments.slots };
                    network.learn(&STEP, w, x, &mut |y| scorer.slope(targets, None, absorbed, y), optimize)?;
                    Ok(loss)
                })
            })??;
            moments.steps += 1;
            Ok((loss / labels.len() as f64) as f32)
        };
        let losses = x.chunks(batch * input).zip(labels.chunks(batch)).map(&mut step).collect::<Result<_>>()?;
        Ok((losses, moments.slots))
    }

    /// The same network with a probe after its input and one at its end.
    fn between(&self, start: &Probe, end: &Probe) -> Result<Made> {
        let Architecture { mut layers, calls } = self.architecture.clone();
        let spec = |(name, probe): (&str, &Probe)| LayerSpec {
            name: name.to_string(),
            layer: Arc::new(probe.clone()),
            trainable: true,
            parameters: probe.parameters(&[]),
        };
        let first = layers.len();
        layers.extend([("probe_start", start), ("probe_end", end)].map(spec));
        let input = calls[0].output.clone();
        let output = Shape::new(&[self.architecture.output().len()])?;
        let (last, mut all) =
            (calls.len(), vec![calls[0].clone(), Call { layer: first, inputs: vec![0], output: input }]);
        let moved = |call: Call| Call { inputs: call.inputs.iter().map(|input| input + 1).collect(), ..call };
        all.extend(calls.into_iter().skip(1).map(moved));
        all.push(Call { layer: first + 1, inputs: vec![last], output });
        Made::of(Architecture { layers, calls: all })
    }
}

/// A layer that passes values through and records them.
#[derive(Clone, Debug, Default)]
struct Probe {
    forward: Arc<Mutex<Vec<f32>>>,
    backward: Arc<Mutex<Vec<f32>>>,
    /// The gradient that it passes down in place of the one from above.
    gradient: Option<Vec<f32>>,
}

impl Layer for Probe {
    fn class(&self) -> &'static str {
        "Probe"
    }

    fn config(&self) -> Map<String, Value> {
        Map::new()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    /// Trainable, so that gradients reach this layer.
    fn parameters(&self, _: &[&Shape]) -> Vec<Parameter> {
        vec![Parameter::trainable("nothing", vec![1], Initializer::ZEROS, Regularizer::NONE)]
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(self.clone()))
    }
}

impl Work for Probe {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        y.copy_from_slice(x[0]);
        *self.forward.lock() = y.to_vec();
        Ok(())
    }

    fn backward(&mut self, _: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        *self.backward.lock() = pass.dz.to_vec();
        weights[0].take(Isa::PORTABLE, &[0.0]);
        if let Some(dx) = pass.take_dx() {
            dx.copy_from_slice(self.gradient.as_deref().unwrap_or(pass.dz));
        }
        Ok(())
    }
}

/// An optimizer that changes no weight and keeps the gradients.
#[derive(Debug)]
struct Keep;

impl Optimizer for Keep {
    fn class(&self) -> &'static str {
        "Keep"
    }

    fn learning_rate(&self) -> f64 {
        0.0
    }

    fn slots(&self) -> Vec<&'static str> {
        vec!["gradient"]
    }

    fn step(&self, _: Isa, _: f64, _: u64, gradient: &[f32], _: &mut [f32], slots: &mut [&mut [f32]]) {
        slots[0].copy_from_slice(gradient);
    }
}
