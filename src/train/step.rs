//! A step of the optimizer, of a fit or alone.

use super::evaluate::check_batch_size;
use super::watch::{Divergence, Watch};
use crate::data::{Batch, Dataset, Truth};
use crate::error::{At, Error, ErrorKind, Result};
use crate::layers::Step;
use crate::model::judge::{Judge, Judged};
use crate::model::network::{Network, Optimize};
use crate::model::score::{Metrics, Tally};
use crate::model::state::Moments;
use crate::model::{Logs, Model, history};

/// A batch to learn from.
#[derive(Clone, Copy)]
pub(super) struct Lesson<'a> {
    /// The samples, `[B, input]`.
    pub x: &'a [f32],
    /// How many there are.
    pub samples: usize,
    /// What they are to give.
    pub told: Truth<'a>,
    /// How much each counts; `None`: 1.
    pub weights: Option<&'a [f32]>,
}

/// What takes a step.
pub(super) struct Taker<'a, 's> {
    pub network: &'a mut Network,
    pub judge: &'a mut Judge,
    pub optimize: Optimize<'s>,
    pub step: Step<'s>,
}

impl Taker<'_, '_> {
    /// Takes the step on the weights `w`, unless `may_step`, told the loss, has something against it: then nothing changes.
    /// What was measured, with the weights before, goes into `tally`.
    pub fn take(
        self,
        w: &mut [f32],
        lesson: Lesson<'_>,
        tally: &mut Tally,
        may_step: impl FnOnce(f64, &Network, &[f32]) -> bool,
    ) -> Result<bool> {
        let Taker { network, judge, optimize, step } = self;
        let Lesson { x, samples, told, weights } = lesson;
        network.forward(&step, w, x)?;
        let loss = judge.loss(Judged { network, samples, told, weights }) + network.penalty(w) * samples as f64;
        if !may_step(loss, network, w) {
            return Ok(false);
        }
        let absorbed = judge.absorbs(network);
        network.learn(&step, w, x, &mut |y| judge.slope(told, weights, absorbed, y), optimize)?;
        judge.measure(Judged { network, samples, told, weights }, loss, tally);
        Ok(true)
    }
}

impl Model {
    /// Takes one step of the optimizer on all of `data`, as one batch, and gives its loss and accuracy, measured before the
    /// step. A loss that is NaN or infinite: the step is not taken, and nothing changes. Goes on from the optimizer's state;
    /// the position of an earlier fit is forgotten. What is random (dropout) follows from the number of the step. Memory for
    /// the step is kept for the next. Exclusive.
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
            Judge::new(&compiled, self.architecture.output(), batch)?.tally()?;
            Batch::new(data, batch).map(drop)
        };
        let mut network = match self.take_learner(data.len(), &pool) {
            Some(network) => network,
            None => {
                self.afford(data.len(), build).at("argument `dataset`")?;
                let mut network = self.network(&pool, data.len(), true)?;
                network.prepare(optimizer, len)?;
                network
            }
        };
        let mut judge = Judge::new(&compiled, self.architecture.output(), data.len())?;
        let (mut tally, mut batch, mut watch) = (judge.tally()?, Batch::new(data, data.len())?, Watch::new(true, 0)?);
        batch.fill(data, &(0..data.len() as u32).collect::<Vec<_>>())?;
        let mut state = self.state.write();
        if state.moments.slots.is_empty() {
            state.moments = Moments::new(optimizer, len)?;
        }
        let steps = state.moments.steps;
        let rate = state.learning_rate.unwrap_or_else(|| optimizer.rate(steps));
        let optimize = Optimize { optimizer, rate, number: steps + 1, slots: &mut state.moments.slots };
        let lesson = Lesson { x: batch.x(), samples: data.len(), told: batch.truth(), weights: batch.weights() };
        let taker = Taker {
            network: &mut network,
            judge: &mut judge,
            optimize,
            step: Step { seed: 0, number: steps, epoch: 0, samples: &[] },
        };
        let sound = |loss: f64, network: &Network, w: &[f32]| watch.may_step((0, 0), loss, network, w, lesson.x);
        let taken = self.parameters.write(|w| pool.run(|| taker.take(w, lesson, &mut tally, sound)))??;
        if taken {
            (state.moments.steps, state.position) = (steps + 1, None);
        }
        drop(state);
        let mut logs = Logs::new(history::names(&compiled.names(), false));
        logs.measure(&judge.results(&tally), false);
        self.keep_learner(network);
        Ok((compiled.loss_and_accuracy(&logs), watch.end().0))
    }
}
