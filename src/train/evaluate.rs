//! Evaluate: the forward pass, and its loss and metrics.

use super::agreement::{self, Standing};
use super::options::EvaluateOptions;
use super::progress::ProgressLine;
use crate::data::{Batch, BatchTargets, Dataset, TargetKind, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::layers::Step;
use crate::losses::TargetKind as LossTargets;
use crate::machines::{Machines, Share, Split};
use crate::memory::{self, Buffer};
use crate::model::network::{Network, PREDICTING};
use crate::model::pool::Pool;
use crate::model::score::Metrics;
use crate::model::scorer::{ScoredBatch, Scorer, confusion};
use crate::model::{Compiled, History, Logs, Model, history};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The result of an evaluation.
#[derive(Debug)]
pub struct Evaluated {
    /// Loss and accuracy.
    pub metrics: Metrics,
    /// All metrics, as epoch 0.
    pub results: History,
}

/// The samples that are scored.
#[derive(Clone, Copy)]
pub(super) struct ScoredSamples<'a> {
    pub data: &'a Dataset,
    pub batch_size: usize,
    /// The ranks that share the forward pass of each batch.
    pub machines: Option<&'a Machines<'a>>,
}

impl Model {
    /// The compiled loss and metrics on `data`, whose samples have the model's input shape (`[H, W]` is accepted for
    /// one channel). All samples are computed with one snapshot of the weights, taken at the start of the call. A model
    /// that is not compiled is evaluated with sparse categorical crossentropy if it ends in softmax or logits. If the
    /// loss takes labels, the accuracy is measured even if it was not compiled.
    pub fn evaluate(&self, data: &Dataset, options: EvaluateOptions<'_>) -> Result<Evaluated> {
        let compiled = match &self.state.read().compiled {
            Some(compiled) => compiled.clone().with_accuracy(),
            None => Compiled::classifier(&self.architecture)?,
        };
        check_batch_size(options.batch_size)?;
        self.check_data(data, &compiled, "argument `dataset`")?;
        let EvaluateOptions { verbose, mut output, confusion, .. } = options;
        let pool = self.pool()?;
        let batch = options.batch_size.min(data.len());
        self.check_memory(batch, |batch| self.build_score(&pool, &compiled, data, batch)).at("option `batch_size`")?;
        let (confusion, mut counts) = self.confusion(data, confusion)?.unzip();
        let weights = self.parameters.snapshot()?;
        let start = Instant::now();
        let steps = data.len().div_ceil(options.batch_size);
        let mut line = ProgressLine::new(verbose, 0, steps);
        let mut done = 0;
        let mut logs = Logs::new(history::names(&compiled.names(), false));
        let samples = ScoredSamples { data, batch_size: options.batch_size, machines: None };
        self.score(&compiled, &weights, samples, counts.as_deref_mut(), &mut |results| {
            done += 1;
            logs.measure(results, false);
            let (shown, seconds) = (logs.measured().collect::<Vec<_>>(), start.elapsed().as_secs_f64());
            match done == steps {
                true => line.finish(&mut output, done, &shown, seconds)?,
                false => line.update(&mut output, done, &shown, seconds)?,
            }
            Ok(true)
        })?;
        if let (Some(confusion), Some(counts)) = (confusion, counts) {
            confusion.copy_from_slice(&counts);
        }
        let mut results = History::new(logs.names().clone());
        results.push(&logs)?;
        Ok(Evaluated { metrics: compiled.loss_and_accuracy(&logs), results })
    }

    /// The caller's memory for the confusion matrix, cut to its size for this model, and a second matrix to count in.
    fn confusion<'a>(&self, data: &Dataset, place: Option<&'a mut [u64]>) -> Result<Option<(&'a mut [u64], Vec<u64>)>> {
        let Some(place) = place else { return Ok(None) };
        if data.target_kind() != TargetKind::Labels || self.architecture.output().dims().len() != 1 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a confusion matrix needs classes and labels")
                .expected("a model that gives a row of classes, and labels")
                .found(format_args!("an output of {}", self.architecture.output()))
                .at("option `confusion`"));
        }
        let (classes, found) = (self.output_len(), place.len());
        match classes.checked_mul(classes).and_then(|len| place.get_mut(..len)) {
            Some(place) => {
                let counts = memory::filled(place.len(), 0).at("the confusion matrix")?;
                Ok(Some((place, counts)))
            }
            None => Err(Error::new(ErrorKind::InvalidArgument, "too few counts")
                .expected(format_args!("{classes} x {classes} or more"))
                .found(found)
                .at("option `confusion`")),
        }
    }

    /// Allocates what [`score`](Self::score) with a snapshot of the weights will, so that it can be measured.
    pub(super) fn build_score(&self, pool: &Pool, compiled: &Compiled, data: &Dataset, batch: usize) -> Result<()> {
        let batch = batch.min(data.len());
        if !self.has_idle(batch, pool) {
            self.network(pool, batch, false)?;
        }
        {
            let _part = memory::part("a copy of the weights");
            Buffer::zeros(self.parameters.len())?;
        }
        Scorer::new(compiled, self.architecture.output(), batch)?.tally()?;
        let _part = memory::part("the batch's images");
        Batch::new(data, batch)?;
        memory::reserve::<u32>(data.len()).map(drop)
    }

    /// Scores all samples in order, and counts labels and predicted classes in `counts` (`[classes, classes]`). After each
    /// batch `report` gets the results so far and returns whether to continue. Returns the results of all batches.
    pub(super) fn score(
        &self,
        compiled: &Compiled,
        weights: &[f32],
        samples: ScoredSamples<'_>,
        mut counts: Option<&mut [u64]>,
        report: &mut dyn FnMut(&[f64]) -> Result<bool>,
    ) -> Result<Vec<f64>> {
        let ScoredSamples { data, batch_size, machines } = samples;
        let batch = batch_size.min(data.len());
        let mut batches = Batch::new(data, batch)?.checked(compiled.classes(self.output_len()));
        let mut scorer = Scorer::new(compiled, self.architecture.output(), batch)?;
        let mut tally = scorer.tally()?;
        let order = order(data.len(), None)?;
        self.with_network(batch, |pool, network| {
            for indices in order.chunks(batch) {
                let filled = batches.fill(data, indices);
                let filled = filled.and_then(|()| check_truth(batches.targets(), compiled, self.output_len()));
                if self.ends_here(machines, filled)? {
                    break;
                }
                let (samples, targets) = (indices.len(), batches.targets());
                forward(pool, network, weights, batches.x(), machines.map(|machines| (machines, samples)))?;
                pool.run(|| {
                    let network = &mut *network; // exclusive: a network is not Sync
                    let scored = ScoredBatch { network, samples, targets, weights: batches.weights() };
                    let loss = scorer.loss(scored) + network.penalty(weights) * samples as f64;
                    scorer.measure(scored, loss, &mut tally);
                    if let (Some(counts), BatchTargets::Labels(labels)) = (counts.as_deref_mut(), targets) {
                        confusion(network.output(samples), labels, self.output_len(), counts);
                    }
                });
                if !report(&scorer.results(&tally))? {
                    break;
                }
            }
            Ok(scorer.results(&tally))
        })?
    }

    /// Whether the ranks, if there are several, stop scoring because one of them was cancelled. If `filled` is an error on
    /// one of them, all return an error.
    fn ends_here(&self, machines: Option<&Machines<'_>>, filled: Result<()>) -> Result<bool> {
        let Some(machines) = machines else { return filled.map(|()| false) };
        let own = Standing { stopped: self.cancel.load(Ordering::Acquire), learning_rate: None };
        agreement::agree(machines, filled, own)
    }

    /// Checks data for training and evaluation: the samples' shape, the targets that the loss takes, finite values.
    pub(super) fn check_data(&self, data: &Dataset, compiled: &Compiled, at: &str) -> Result<()> {
        self.check_images(data, at)?;
        let (outputs, output) = (self.output_len(), self.architecture.output());
        let class = compiled.loss.class();
        match (compiled.loss.wants(), data.target_kind()) {
            (LossTargets::Labels, TargetKind::Labels) => {
                let labels = data.labels().unwrap_or_default(); // a source's labels are checked with each batch
                check_truth(BatchTargets::Labels(labels), compiled, outputs).at(at)?;
            }
            (LossTargets::Values, TargetKind::Values(shape)) if shape.iter().product::<usize>() == outputs => (),
            (LossTargets::Values, TargetKind::Labels) if outputs == 1 => (),
            (wants, found) => {
                let (kind, what) = match found {
                    TargetKind::None => (ErrorKind::InvalidArgument, "the dataset has neither labels nor targets"),
                    _ => (ErrorKind::Shape, "the dataset's labels or targets do not fit the loss"),
                };
                let found = match found {
                    TargetKind::Values(shape) => format!("targets of {shape:?}"),
                    TargetKind::Labels => "labels".to_string(),
                    TargetKind::None => "neither".to_string(),
                };
                let expected = match wants {
                    LossTargets::Labels => format!("labels, as the loss {class} takes them"),
                    LossTargets::Values if outputs == 1 => {
                        format!("labels, or targets of {output}, as the loss {class} takes them")
                    }
                    LossTargets::Values => format!("targets of {output}, as the loss {class} takes them"),
                };
                let error = Error::new(kind, what);
                return Err(error.expected(expected).found(found).at(at));
            }
        }
        data.check_finite().at(at)
    }
}

/// An error for a label that is not a class.
fn check_truth(truth: BatchTargets<'_>, compiled: &Compiled, classes: usize) -> Result<()> {
    let BatchTargets::Labels(labels) = truth else { return Ok(()) };
    let bad = |&(_, &label): &(usize, &u32)| label as usize >= classes;
    match labels.iter().enumerate().find(bad).filter(|_| compiled.loss.wants() == LossTargets::Labels) {
        None => Ok(()),
        Some((i, label)) => {
            Err(Error::new(ErrorKind::InvalidArgument, "a label that is not below the number of classes")
                .expected(format_args!("below {classes}"))
                .found(label)
                .at(format_args!("label {i}")))
        }
    }
}

pub(super) fn check_batch_size(batch_size: usize) -> Result<()> {
    match batch_size {
        0 => Err(Error::new(ErrorKind::InvalidArgument, "no samples in a batch")
            .expected("1 or more")
            .found(0)
            .at("option `batch_size`")),
        _ => Ok(()),
    }
}

/// Computes the network's output for a batch; several ranks share the number of samples that is given with them.
fn forward(
    pool: &Pool,
    network: &mut Network,
    weights: &[f32],
    x: &[f32],
    shared: Option<(&Machines<'_>, usize)>,
) -> Result<()> {
    let Some((machines, samples)) = shared else { return pool.run(|| network.forward(&PREDICTING, weights, x)) };
    machines.run_on(pool, |ranks| {
        let step = Step { share: Share::Samples(Split::new(ranks, samples)), ..PREDICTING };
        network.forward(&step, weights, x)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::layers::Activation;
    use crate::train::Output;

    #[test]
    fn a_confusion_matrix_is_as_large_as_the_model_says() {
        let mut graph = Graph::new();
        let x = graph.input(&[2, 2, 1]).unwrap();
        let y = graph.flatten(x).unwrap();
        let y = graph.dense(y, 3, Activation::Softmax).unwrap();
        let model = Model::new(&graph, x, y, "model").unwrap();
        let data = Dataset::from_u8((0..20).collect(), &[5, 2, 2], vec![0, 2, 2, 0, 2]).unwrap();
        let evaluate = |confusion: &mut [u64]| {
            let mut ignore = |_: &str| ();
            let mut options = EvaluateOptions::new(Output::file(&mut ignore));
            options.confusion = Some(confusion);
            model.evaluate(&data, options)
        };
        let error = evaluate(&mut [7; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.to_string(), "option `confusion`: too few counts: expected 3 x 3 or more, found 8");
        let mut counts = [7; 10];
        let accuracy = evaluate(&mut counts).unwrap().metrics.accuracy;
        let rows: Vec<u64> = counts[..9].chunks(3).map(|row| row.iter().sum()).collect();
        assert_eq!((rows, counts[9]), (vec![2, 0, 3], 7));
        assert_eq!((counts[0] + counts[4] + counts[8]) as f64 / 5.0, accuracy);
    }
}
