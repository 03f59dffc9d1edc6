//! One optimizer step, in a fit or on its own.

use super::evaluate::check_batch_size;
use super::watch::{Divergence, Watch};
use crate::data::{Batch, BatchTargets, Dataset};
use crate::error::{At, Error, ErrorKind, Result};
use crate::layers::Step;
use crate::machines::{Share, Split, SyncRanks};
use crate::model::network::{Network, Optimize};
use crate::model::score::{Metrics, Tally};
use crate::model::scorer::{ScoredBatch, Scorer};
use crate::model::state::Moments;
use crate::model::{Logs, Model, history};

/// A batch to train on.
#[derive(Clone, Copy)]
pub(super) struct TrainingBatch<'a> {
    /// The samples, `[B, input]`.
    pub x: &'a [f32],
    /// The number of samples.
    pub samples: usize,
    /// Their targets.
    pub targets: BatchTargets<'a>,
    /// Their weights; `None`: all 1.
    pub weights: Option<&'a [f32]>,
}

/// Everything that a step needs.
pub(super) struct TrainingStep<'a, 's> {
    pub network: &'a mut Network,
    pub scorer: &'a mut Scorer,
    pub optimize: Optimize<'s>,
    pub step: Step<'s>,
}

impl<'a, 's> TrainingStep<'a, 's> {
    /// The same step on this rank's share of a batch of `samples` samples.
    pub fn among<'t>(self, ranks: &'t SyncRanks<'t>, samples: usize) -> TrainingStep<'a, 't>
    where
        's: 't,
    {
        let TrainingStep { network, scorer, optimize, step } = self;
        TrainingStep {
            network,
            scorer,
            optimize,
            step: Step { share: Share::Samples(Split::new(ranks, samples)), ..step },
        }
    }

    /// Takes the step on the weights `w`. If `may_step`, which gets the loss, returns false, nothing changes. The
    /// metrics, measured with the weights before the step, are added to `tally`.
    pub fn take(
        self,
        w: &mut [f32],
        training_batch: TrainingBatch<'_>,
        tally: &mut Tally,
        may_step: impl FnOnce(f64, &Network, &[f32]) -> bool,
    ) -> Result<bool> {
        let TrainingStep { network, scorer, optimize, step } = self;
        let TrainingBatch { x, samples, targets, weights } = training_batch;
        network.forward(&step, w, x)?;
        let loss =
            scorer.loss(ScoredBatch { network, samples, targets, weights }) + network.penalty(w) * samples as f64;
        if !may_step(loss, network, w) {
            return Ok(false);
        }
        let absorbed = scorer.absorbs(network);
        network.learn(&step, w, x, &mut |y| scorer.slope(targets, weights, absorbed, y), optimize)?;
        scorer.measure(ScoredBatch { network, samples, targets, weights }, loss, tally);
        Ok(true)
    }
}

impl Model {
    /// Takes one optimizer step on all of `data` as one batch, and returns its loss and accuracy, measured before the
    /// step. If the loss is NaN or infinite, the step is not taken and nothing changes. Continues from the current
    /// optimizer state; the position of an earlier fit is discarded. Dropout and other random operations depend on the
    /// step's number. The step's memory is kept for the next one. Exclusive.
    pub fn train_on_batch(&self, data: &Dataset) -> Result<(Metrics, Option<Divergence>)> {
        let _session = self.exclusive()?;
        let compiled = self.state.read().compiled.clone().ok_or_else(|| {
            Error::new(ErrorKind::State, "train_on_batch before compile").expected("a compiled model").at("model")
        })?;
        check_batch_size(data.len())?;
        self.check_data(data, &compiled, "argument `dataset`")?;
        let (pool, len, optimizer) = (self.pool()?, self.parameters.len(), &*compiled.optimizer);
        let build = |batch: usize| -> Result<()> {
            self.network(&pool, batch, true)?.prepare(optimizer, len)?;
            if self.state.read().moments.slots.is_empty() {
                Moments::new(optimizer, len)?;
            }
            Scorer::new(&compiled, self.architecture.output(), batch)?.tally()?;
            Batch::new(data, batch).map(drop)
        };
        let mut network = match self.take_learner(data.len(), &pool) {
            Some(network) => network,
            None => {
                self.check_memory(data.len(), build).at("argument `dataset`")?;
                let mut network = self.network(&pool, data.len(), true)?;
                network.prepare(optimizer, len)?;
                network
            }
        };
        let mut scorer = Scorer::new(&compiled, self.architecture.output(), data.len())?;
        let (mut tally, mut batch, mut watch) = (scorer.tally()?, Batch::new(data, data.len())?, Watch::new(true, 0)?);
        batch.fill(data, &(0..data.len() as u32).collect::<Vec<_>>())?;
        let mut state = self.state.write();
        if state.moments.slots.is_empty() {
            state.moments = Moments::new(optimizer, len)?;
        }
        let steps = state.moments.steps;
        let rate = state.learning_rate.unwrap_or_else(|| optimizer.rate(steps));
        let optimize = Optimize { optimizer, rate, number: steps + 1, slots: &mut state.moments.slots };
        let training_batch =
            TrainingBatch { x: batch.x(), samples: data.len(), targets: batch.targets(), weights: batch.weights() };
        let training_step =
            TrainingStep { network: &mut network, scorer: &mut scorer, optimize, step: Step::new(0, steps) };
        let sound =
            |loss: f64, network: &Network, w: &[f32]| watch.may_step((0, 0), loss, network, w, training_batch.x);
        let taken =
            self.parameters.write(|w| pool.run(|| training_step.take(w, training_batch, &mut tally, sound)))??;
        if taken {
            (state.moments.steps, state.position) = (steps + 1, None);
        }
        drop(state);
        let mut logs = Logs::new(history::names(&compiled.names(), false));
        logs.measure(&scorer.results(&tally), false);
        self.keep_learner(network);
        Ok((compiled.loss_and_accuracy(&logs), watch.end().0))
    }
}
