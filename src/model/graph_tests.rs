//! Networks that are not a chain: their gradients against finite differences of the loss, what is frozen, what is
//! fused.

use super::compile::Compiled;
use super::network::{Network, Optimize, PREDICTING};
use super::parameters::Parameters;
use super::plan::{Plan, Purpose};
use super::scorer::{ScoredBatch, Scorer};
use crate::data::BatchTargets;
use crate::graph::{Architecture, Graph, Tensor};
use crate::json::{self, Named, Object};
use crate::kernels::{Isa, numbers};
use crate::layers::{self, Activation};
use crate::memory::Buffer;
use crate::optimizers::{Optimizer, Sgd};

/// Calls a layer of Keras's class.
fn layer(graph: &mut Graph, class: &str, config: &str, inputs: &[Tensor]) -> Tensor {
    let value = json::parse(config).unwrap();
    let object = Object::root(&value).unwrap();
    let entry = layers::entry(&Named::of(class, object.clone(), String::new())).unwrap();
    graph.add(layers::read(entry, &object).unwrap(), None, true, inputs).unwrap()
}

/// Values with several consumers, a layer that is called twice, a relu that is fused and one that cannot be, a softmax
/// in the middle, regularizers.
fn tangled() -> Architecture {
    let mut graph = Graph::new();
    let x = graph.input(&[6, 5, 2]).unwrap();
    let a = layer(&mut graph, "Conv2D", "{filters: 3, kernel_size: 3, activation: 'relu'}", &[x]);
    let flat = graph.flatten(a).unwrap();
    let b = layer(&mut graph, "Dense", "{units: 6, activation: 'tanh', kernel_regularizer: 'L2'}", &[flat]);
    let shared = layer(&mut graph, "Dense", "{units: 6, activation: 'relu', bias_regularizer: 'L1'}", &[b]);
    let again = graph.call_again(shared, &[shared]).unwrap();
    let soft = layer(&mut graph, "Softmax", "{}", &[again]);
    let sigmoid = layer(&mut graph, "Activation", "{activation: 'sigmoid'}", &[shared]);
    let c = layer(&mut graph, "Dense", "{units: 5}", &[soft]);
    let c = layer(&mut graph, "ReLU", "{}", &[c]);
    let d = layer(&mut graph, "Dense", "{units: 5}", &[sigmoid]);
    let d = layer(&mut graph, "ReLU", "{max_value: 1}", &[d]);
    let twice = graph.call_again(shared, &[b]).unwrap();
    let e = layer(&mut graph, "Dense", "{units: 5, activation: 'relu'}", &[twice]);
    let sum = layer(&mut graph, "Add", "{}", &[c, d, e, c]);
    let y = graph.dense(sum, 4, Activation::Softmax).unwrap();
    graph.architecture(x, y).unwrap()
}

/// A network of an architecture, ready to take one step of plain descent.
struct Once<'a> {
    architecture: &'a Architecture,
    trainable: Vec<bool>,
    parameters: Parameters,
    x: Vec<f32>,
    labels: Vec<u32>,
}

const BATCH: usize = 7;
const RATE: f64 = 1.0 / 64.0;

impl<'a> Once<'a> {
    fn new(architecture: &'a Architecture) -> Self {
        Once {
            trainable: vec![true; architecture.layers.len()],
            parameters: Parameters::new(architecture, 5).unwrap(),
            x: numbers(1, BATCH * architecture.input().len()),
            labels: (0..BATCH as u32).map(|i| i % 4).collect(),
            architecture,
        }
    }

    fn network(&self, isa: Isa, training: bool) -> Network {
        let purpose = Purpose { training, trainable: &self.trainable, omitted: Some(Activation::Softmax) };
        Network::new(self.architecture, &self.parameters, isa, 2, BATCH, purpose).unwrap()
    }

    fn scorer(&self) -> Scorer {
        Scorer::new(&Compiled::classifier(self.architecture).unwrap(), self.architecture.output(), BATCH).unwrap()
    }

    /// The mean loss with weights `w`.
    fn loss(&self, w: &[f32]) -> f64 {
        let mut network = self.network(Isa::PORTABLE, false);
        network.forward(&PREDICTING, w, &self.x).unwrap();
        let scored = ScoredBatch {
            network: &network,
            samples: BATCH,
            targets: BatchTargets::Labels(&self.labels),
            weights: None,
        };
        self.scorer().loss(scored) / BATCH as f64 + network.penalty(w)
    }

    /// The weights after a step of an optimizer.
    fn step(&self, isa: Isa, optimizer: &dyn Optimizer) -> Vec<f32> {
        let mut w = self.parameters.read(<[f32]>::to_vec).unwrap();
        let mut slots: Vec<Buffer> = optimizer.slots().iter().map(|_| Buffer::zeros(w.len()).unwrap()).collect();
        let mut network = self.network(isa, true);
        network.prepare(optimizer, w.len()).unwrap();
        let optimize = Optimize { optimizer, rate: optimizer.learning_rate(), number: 1, slots: &mut slots };
        network.forward(&PREDICTING, &w, &self.x).unwrap();
        let (mut scorer, targets) = (self.scorer(), BatchTargets::Labels(&self.labels));
        scorer.loss(ScoredBatch { network: &network, samples: BATCH, targets, weights: None });
        let absorbed = scorer.absorbs(&network);
        let mut slope = |y: &mut [f32]| scorer.slope(targets, None, absorbed, y);
        network.learn(&PREDICTING, &mut w, &self.x, &mut slope, optimize).unwrap();
        w
    }
}

fn descent() -> Sgd {
    Sgd { learning_rate: RATE, ..Sgd::default() }
}

#[test]
fn gradients_of_a_tangled_network_are_those_of_finite_differences() {
    let architecture = tangled();
    let once = Once::new(&architecture);
    let before = once.parameters.read(<[f32]>::to_vec).unwrap();
    let after = once.step(Isa::PORTABLE, &descent());
    for isa in Isa::available() {
        assert_eq!(once.step(isa, &descent()), after, "{isa:?}");
    }
    for entry in once.parameters.entries() {
        for i in entry.range.clone().step_by(entry.range.len().div_ceil(5)) {
            let at = |change: f32| {
                let mut w = before.clone();
                w[i] += change;
                once.loss(&w)
            };
            let slope = (at(1.0 / 1024.0) - at(-1.0 / 1024.0)) * 512.0;
            let gradient = f64::from(before[i] - after[i]) / RATE;
            let corner = entry.name.ends_with("bias") && before[i] == 0.0; // |w| has no slope at 0
            assert!(corner || (gradient - slope).abs() < 4e-3, "{} {i}: {gradient} {slope}", entry.name);
        }
    }
}

#[test]
fn what_is_frozen_stays_and_nothing_else_does() {
    let architecture = tangled();
    let mut once = Once::new(&architecture);
    let before = once.parameters.read(<[f32]>::to_vec).unwrap();
    let free = once.step(Isa::PORTABLE, &descent());
    for layer in (0..architecture.layers.len()).filter(|&layer| !architecture.layers[layer].parameters.is_empty()) {
        once.trainable = vec![true; architecture.layers.len()];
        once.trainable[layer] = false;
        let after = once.step(Isa::PORTABLE, &descent());
        for (index, entry) in once.parameters.entries().iter().enumerate() {
            let frozen = once.parameters.indices_of_layer(layer).contains(&index);
            let expected = if frozen { &before } else { &free };
            assert_eq!(after[entry.range.clone()], expected[entry.range.clone()], "{}", entry.name);
        }
    }
    once.trainable = vec![false; architecture.layers.len()];
    assert_eq!(once.step(Isa::PORTABLE, &descent()), before);
}

#[test]
fn a_fused_step_is_the_step_of_a_stored_gradient() {
    /// Adam, never fused.
    #[derive(Debug)]
    struct Stored(crate::optimizers::Adam);
    impl Optimizer for Stored {
        fn class(&self) -> &'static str {
            self.0.class()
        }
        fn learning_rate(&self) -> f64 {
            self.0.betas.learning_rate
        }
        fn slots(&self) -> Vec<&'static str> {
            self.0.slots()
        }
        fn step(&self, isa: Isa, rate: f64, number: u64, g: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
            self.0.step(isa, rate, number, g, w, slots);
        }
    }
    let architecture = tangled();
    let once = Once::new(&architecture);
    let adam = crate::optimizers::Adam::default();
    assert_eq!(once.step(Isa::PORTABLE, &adam), once.step(Isa::PORTABLE, &Stored(adam)));
}

#[test]
fn what_a_frozen_layer_adds_to_the_loss_is_gone_at_once() {
    use crate::data::Dataset;
    use crate::model::{CompileOptions, Model};
    use crate::train::{EvaluateOptions, Output};
    let mut graph = Graph::new();
    let x = graph.input(&[2, 2, 1]).unwrap();
    let flat = graph.flatten(x).unwrap();
    let y = layer(
        &mut graph,
        "Dense",
        "{units: 2, activation: 'softmax', kernel_regularizer: {class_name: 'L2', config: {l2: 0.5}}}",
        &[flat],
    );
    let model = Model::new(&graph, x, y, "m").unwrap();
    model.compile(&CompileOptions::default()).unwrap();
    let data = Dataset::from_f32(numbers(1, 12), &[3, 2, 2], vec![0, 1, 0]).unwrap();
    let write = &mut |_: &str| ();
    let mut loss = || model.evaluate(&data, EvaluateOptions::new(Output::file(write))).unwrap().metrics.loss;
    let mut kernel = [0.0; 8];
    model.get_weight("dense/kernel", &mut kernel).unwrap();
    let penalty = 0.5 * kernel.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>();
    let free = loss();
    model.set_trainable(Some("dense"), false).unwrap();
    assert!((free - loss() - penalty).abs() < 1e-6, "{free} {} {penalty}", loss());
    model.set_trainable(None, true).unwrap();
    assert_eq!(loss(), free);
}

#[test]
fn zeros_of_relu_are_known_through_what_keeps_them() {
    let mut graph = Graph::new();
    let x = graph.input(&[8, 8, 1]).unwrap();
    let layers = [
        ("Dropout", "{rate: 0.5}"),
        ("Conv2D", "{filters: 2, kernel_size: 3, activation: 'relu'}"),
        ("MaxPooling2D", "{}"),
        ("Dropout", "{rate: 0.5}"),
        ("AveragePooling2D", "{}"),
        ("Conv2D", "{filters: 2, kernel_size: 1, activation: 'tanh'}"),
        ("Dropout", "{rate: 0.5}"),
    ];
    let y = layers.iter().fold(x, |y, (class, config)| layer(&mut graph, class, config, &[y]));
    let purpose = Purpose { training: true, trainable: &[true; 8], omitted: None };
    let plan = Plan::new(&graph.architecture(x, y).unwrap(), purpose);
    let known: Vec<_> = plan.values.iter().map(|value| (value.gated, value.hollow)).collect();
    let (no, gated, hollow) = ((false, false), (true, false), (false, true));
    assert_eq!(known, [no, no, gated, hollow, hollow, no, no, no, no]);
}

#[test]
fn a_network_that_computes_nothing_is_evaluated_as_others_are() {
    use crate::data::Dataset;
    use crate::model::Model;
    use crate::train::{EvaluateOptions, Output};
    for (class, config) in [("Flatten", "{}"), ("Activation", "{activation: 'softmax'}")] {
        let mut graph = Graph::new();
        let x = graph.input(&[2, 1]).unwrap();
        let mut y = layer(&mut graph, "Flatten", "{}", &[x]);
        if class != "Flatten" {
            y = layer(&mut graph, class, config, &[y]);
        }
        let model = Model::new(&graph, x, y, "model").unwrap();
        let data = Dataset::from_f32(vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0], &[3, 2, 1], vec![0, 1, 1]).unwrap();
        let quiet = &mut |_: &str| ();
        let evaluated = model.evaluate(&data, EvaluateOptions::new(Output::file(quiet))).unwrap();
        assert!((evaluated.metrics.accuracy - 2.0 / 3.0).abs() < 1e-6, "{class}: {:?}", evaluated.metrics);
    }
}
