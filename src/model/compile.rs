//! The options of `compile`, with Keras's defaults, and the compiled result.

use super::history::Logs;
use super::score::Metrics;
use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::Architecture;
use crate::layers::Activation;
use crate::losses::{Crossentropy, Loss, TargetKind};
use crate::metrics::{self, NamedMetric};
use crate::optimizers::{Adam, Optimizer};
use serde_json::{Value, json};
use std::sync::Arc;

/// The options of `compile`.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The optimizer. Default: Adam.
    pub optimizer: Arc<dyn Optimizer>,
    /// The loss. Default: sparse categorical crossentropy of probabilities.
    pub loss: Arc<dyn Loss>,
    /// The metrics: a list as Keras serializes it. Default: `["accuracy"]`.
    pub metrics: Value,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            optimizer: Arc::new(Adam::default()),
            loss: Arc::new(Crossentropy::sparse(false)),
            metrics: json!(["accuracy"]),
        }
    }
}

/// The compiled options of a model.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The optimizer.
    pub optimizer: Arc<dyn Optimizer>,
    /// The loss.
    pub loss: Arc<dyn Loss>,
    /// The metrics, each with a unique name.
    pub metrics: Arc<[NamedMetric]>,
}

impl Compiled {
    /// Compiles options for a network. An error for options out of range, or a loss or a metric that does not fit the
    /// network's output.
    pub fn new(options: &CompileOptions, architecture: &Architecture) -> Result<Self> {
        let CompileOptions { optimizer, loss, metrics } = options;
        optimizer.check()?;
        if architecture.layers.iter().all(|layer| layer.parameters.is_empty()) {
            let error = Error::new(ErrorKind::Unsupported, "the model has no weights to train");
            return Err(error.expected("a layer with weights"));
        }
        loss.check(end(architecture), architecture.output()).at(place(architecture))?;
        let metrics = metrics::read(metrics, width(architecture), loss.wants()).at("metrics")?.into();
        Ok(Compiled { optimizer: optimizer.clone(), loss: loss.clone(), metrics })
    }

    /// The options for a model that was not compiled but ends in a row of classes: crossentropy and accuracy.
    pub fn classifier(architecture: &Architecture) -> Result<Self> {
        let output = architecture.output();
        if output.dims().len() != 1 {
            return Err(Error::new(ErrorKind::Shape, "the loss needs a row of classes from the last layer")
                .expected("[classes]")
                .found(output)
                .at(place(architecture)));
        }
        let from_logits = match last(architecture) {
            Activation::Softmax => false,
            Activation::Linear => true,
            found => {
                let what = "the last layer gives neither probabilities nor logits, and the model is not compiled";
                let error = Error::new(ErrorKind::Unsupported, what).expected("softmax or linear").found(found.name());
                return Err(error.at(place(architecture)));
            }
        };
        let loss = Arc::new(Crossentropy::sparse(from_logits));
        let metrics = [metrics::classes()].into();
        Ok(Compiled { optimizer: Arc::new(Adam::default()), loss, metrics })
    }

    /// The same with accuracy among the metrics, if the loss takes labels.
    pub fn with_accuracy(self) -> Self {
        if self.accuracy().is_some() || self.loss.wants() != TargetKind::Labels {
            return self;
        }
        let metrics = self.metrics.iter().cloned().chain([metrics::classes()]).collect();
        Compiled { metrics, ..self }
    }

    /// The index of the accuracy among the metrics.
    pub fn accuracy(&self) -> Option<usize> {
        self.metrics.iter().position(|called| metrics::is_accuracy(&called.name))
    }

    /// Loss and accuracy from the measured metrics; NaN if not measured.
    pub fn loss_and_accuracy(&self, logs: &Logs) -> Metrics {
        let accuracy = self.accuracy().and_then(|i| logs.get(&self.metrics[i].name));
        Metrics { loss: logs.get("loss").unwrap_or(f64::NAN), accuracy: accuracy.unwrap_or(f64::NAN) }
    }

    /// The metrics' names.
    pub fn names(&self) -> Vec<String> {
        self.metrics.iter().map(|called| called.name.clone()).collect()
    }

    /// The number of classes for a network with so many outputs, if the targets are labels.
    pub fn classes(&self, outputs: usize) -> Option<usize> {
        (self.loss.wants() == TargetKind::Labels).then_some(outputs)
    }

    /// The network's last activation, if the loss computes it.
    pub fn absorbs(&self, architecture: &Architecture) -> Option<Activation> {
        Some(last(architecture)).filter(|&end| end != Activation::Linear && self.loss.absorbs(end))
    }
}

/// The length of the output's last axis.
pub fn width(architecture: &Architecture) -> usize {
    architecture.output().dims().last().copied().unwrap_or(1)
}

/// The activation of the last layer.
pub fn last(architecture: &Architecture) -> Activation {
    architecture.last().layer.activation()
}

/// The same, for a last layer that could have another activation.
fn end(architecture: &Architecture) -> Option<Activation> {
    let last = architecture.last();
    Some(last.layer.activation()).filter(|&end| end != Activation::Linear || !last.parameters.is_empty())
}

fn place(architecture: &Architecture) -> String {
    format!("layer {}", architecture.last().name)
}
