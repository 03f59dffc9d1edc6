//! Scores a network's output: the loss and its gradient, and the metrics.

use super::compile::Compiled;
use super::network::Network;
use super::score::Tally;
use crate::data::BatchTargets;
use crate::error::{At, Result};
use crate::graph::Shape;
use crate::losses::{Loss, TargetKind};
use crate::memory::Buffer;
use crate::metrics::{NamedMetric, Outcome, Truth};
use std::sync::Arc;

/// A loss and metrics, with the memory that they need.
pub struct Scorer {
    loss: Arc<dyn Loss>,
    metrics: Arc<[NamedMetric]>,
    /// The length of the output's last axis, and the number of such rows in a sample.
    width: usize,
    rows: usize,
    /// The targets prepared for the loss.
    prepared: Buffer,
    /// The result of the model's last activation, if the network omits it and a metric needs it.
    finished: Buffer,
}

/// A batch's output and its targets.
#[derive(Clone, Copy)]
pub struct ScoredBatch<'a> {
    /// The network whose output, `[B, output]`, is scored.
    pub network: &'a Network,
    /// Samples in the batch.
    pub samples: usize,
    /// The targets.
    pub targets: BatchTargets<'a>,
    /// The sample weights; `None`: all 1.
    pub weights: Option<&'a [f32]>,
}

impl Scorer {
    /// For batches of up to `batch` samples with such an output.
    pub fn new(compiled: &Compiled, output: &Shape, batch: usize) -> Result<Self> {
        let width = output.dims().last().copied().unwrap_or(1);
        let (loss, metrics) = (compiled.loss.clone(), compiled.metrics.clone());
        let len = batch.saturating_mul(output.len());
        let values = loss.wants() == TargetKind::Values || width == 1;
        let finished = metrics.iter().any(|named| !named.metric.takes_logits());
        let buffer = |wanted: bool| Buffer::zeros(if wanted { len } else { 0 }).at("the loss");
        Ok(Scorer {
            loss,
            metrics,
            width,
            rows: output.len() / width,
            prepared: buffer(values)?,
            finished: buffer(finished)?,
        })
    }

    /// An empty tally.
    pub fn tally(&self) -> Result<Tally> {
        Tally::new(&self.metrics, self.width)
    }

    /// The sum of the samples' losses.
    pub fn loss(&mut self, scored: ScoredBatch<'_>) -> f64 {
        let y = scored.network.output(scored.samples);
        self.prepare(scored.targets, y.len());
        let absorbed = self.absorbs(scored.network);
        let truth = self.truth(scored.targets, y.len());
        let row = |(i, y): (usize, &[f32])| {
            let value = self.loss.value(truth.row(i, self.width), y, absorbed);
            scored.weights.map_or(value, |weights| value * f64::from(weights[i / self.rows]))
        };
        let sum: f64 = y.chunks_exact(self.width).enumerate().map(row).sum();
        sum / self.rows as f64
    }

    /// Replaces the output `y` by the gradient of the batch's mean loss; [`loss`](Self::loss) was called for the same
    /// batch before.
    pub fn slope(&self, targets: BatchTargets<'_>, weights: Option<&[f32]>, absorbed: bool, y: &mut [f32]) {
        let truth = self.truth(targets, y.len());
        let all = (y.len() / self.width) as f32;
        for (i, y) in y.chunks_exact_mut(self.width).enumerate() {
            self.loss.slope(truth.row(i, self.width), y, absorbed);
            if let Some(weights) = weights {
                y.iter_mut().for_each(|y| *y *= weights[i / self.rows]);
            }
            y.iter_mut().for_each(|y| *y /= all);
        }
    }

    /// Adds a batch with the loss `loss` to the tally; called after [`slope`](Self::slope), since it overwrites the
    /// prepared targets.
    pub fn measure(&mut self, scored: ScoredBatch<'_>, loss: f64, tally: &mut Tally) {
        let ScoredBatch { network, samples, targets, .. } = scored;
        let y = network.output(samples);
        let omitted = network.omitted().filter(|_| !self.finished.is_empty());
        if omitted.is_some() {
            let all = &mut self.finished[..y.len()];
            all.copy_from_slice(y);
            network.finish(all);
        }
        let finished = omitted.map_or(y, |_| &self.finished[..y.len()]);
        let truth = match targets {
            BatchTargets::Values(values) => Truth::Values(values),
            BatchTargets::Labels(labels) if self.width > 1 => Truth::Labels(labels),
            BatchTargets::Labels(labels) => {
                as_numbers(labels, &mut self.prepared);
                Truth::Values(&self.prepared[..labels.len()])
            }
        };
        let before = omitted.map(|omitted| (y, omitted));
        let mut kept = &mut tally.kept[..];
        for NamedMetric { metric, .. } in self.metrics.iter() {
            let (own, rest) = std::mem::take(&mut kept).split_at_mut(metric.kept(self.width));
            kept = rest;
            let y = if metric.takes_logits() { y } else { finished };
            metric.add(own, &Outcome { y, width: self.width, truth, before });
        }
        tally.loss += loss;
        tally.samples += samples;
    }

    /// The mean loss and the result of each metric.
    pub fn results(&self, tally: &Tally) -> Vec<f64> {
        tally.results(&self.metrics, self.width)
    }

    /// Whether the loss includes the network's last activation.
    pub fn absorbs(&self, network: &Network) -> bool {
        network.omitted().is_some_and(|omitted| self.loss.absorbs(omitted))
    }

    /// Prepares the targets for the loss.
    fn prepare(&mut self, targets: BatchTargets<'_>, len: usize) {
        if self.loss.wants() == TargetKind::Labels {
            return;
        }
        let all = &mut self.prepared[..len];
        match targets {
            BatchTargets::Values(values) => all.copy_from_slice(values),
            BatchTargets::Labels(labels) => as_numbers(labels, all),
        }
        self.loss.prepare(all, self.width);
    }

    /// The prepared targets.
    fn truth<'a>(&'a self, targets: BatchTargets<'a>, len: usize) -> Truth<'a> {
        match targets {
            BatchTargets::Labels(labels) if self.loss.wants() == TargetKind::Labels => Truth::Labels(labels),
            _ => Truth::Values(&self.prepared[..len]),
        }
    }
}

/// Labels as floats, for one output.
fn as_numbers(labels: &[u32], to: &mut [f32]) {
    to.iter_mut().zip(labels).for_each(|(to, &label)| *to = label as f32);
}

/// Updates a confusion matrix: for each row adds 1 at `[label, class]` of `counts` (`[classes, classes]`), where class
/// is the index of the largest value, the first of equals.
pub fn confusion(y: &[f32], labels: &[u32], classes: usize, counts: &mut [u64]) {
    for (y, &label) in y.chunks_exact(classes).zip(labels) {
        counts[label as usize * classes + crate::metrics::greatest(y)] += 1;
    }
}
