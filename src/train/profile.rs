//! The time of a step, layer by layer.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use std::time::{Duration, Instant};

/// The time of a layer, or of an activation, in some steps.
#[derive(Clone, Debug)]
pub struct LayerTime {
    /// The layer's name.
    pub name: String,
    /// The layer's class, or `Activation` for an activation of its own.
    pub class: String,
    /// Multiply-adds of its forward pass for one sample, counted as a textbook does; 0 for what has no kernel.
    pub multiply_adds: usize,
    /// The time of all the steps' forward passes.
    pub forward: Duration,
    /// That of their backward passes, the optimizer's step included where it is taken at once.
    pub backward: Duration,
}

/// The times of some steps.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The total time.
    pub whole: Duration,
    /// Each layer's, in the order in which they are computed.
    pub layers: Vec<LayerTime>,
}

impl Model {
    /// Takes `steps` steps on all of `data` as one batch, each as [`train_on_batch`](Model::train_on_batch) takes it,
    /// and measures the time of each layer.
    #[doc(hidden)] // for the benchmarks, not for use
    pub fn profile(&self, data: &Dataset, steps: usize) -> Result<Profile> {
        self.train_on_batch(data)?;
        let lost = || Error::internal("a step keeps its network");
        let pool = self.pool()?;
        let mut network = self.take_learner(data.len(), &pool).ok_or_else(lost)?;
        network.start_clock();
        self.keep_learner(network);
        let began = Instant::now();
        for _ in 0..steps {
            self.train_on_batch(data)?;
        }
        let whole = began.elapsed();
        let network = self.take_learner(data.len(), &pool).ok_or_else(lost)?;
        let layers = network.times().map(|(op, name, [forward, backward])| {
            let call = &self.architecture.calls[op.call];
            let layer = &self.architecture.layers[call.layer];
            let class = if op.activation.is_some() { "Activation" } else { layer.layer.class() };
            let kernels = layer.parameters.iter().filter(|p| op.activation.is_none() && p.name.ends_with("kernel"));
            let places: usize = call.output.dims().split_last().map_or(1, |(_, places)| places.iter().product());
            let multiply_adds = kernels.map(|p| places * p.shape.iter().product::<usize>()).sum();
            LayerTime { name: name.to_string(), class: class.to_string(), multiply_adds, forward, backward }
        });
        Ok(Profile { whole, layers: layers.collect() })
    }
}
