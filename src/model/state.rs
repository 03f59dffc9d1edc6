//! What a model has besides its weights: how it is trained, and how far that has come.
//!
//! [`Model::state`](super::Model) is behind a lock of its own. A step of the optimizer holds it for writing together with
//! that of the parameters (this one first, as everybody who takes both), so that who holds both for reading sees weights,
//! moments and position of one and the same step.

use super::compile::Compiled;
use super::history::{History, Logs};
use super::score::Tally;
use crate::data::{Dataset, NAMELESS};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::Buffer;
use crate::optimizers::Optimizer;
use serde_json::Value;
use std::sync::Arc;

/// How a model is trained, and how far that has come.
#[derive(Default)]
pub struct State {
    /// Set by compile.
    pub compiled: Option<Compiled>,
    /// The learning rate of the next step, once it has been set to another than the optimizer's own.
    pub learning_rate: Option<f64>,
    /// What the optimizer has gathered since.
    pub moments: Moments,
    /// Where the last fit since is, or has ended.
    pub position: Option<Position>,
}

/// What the optimizer has gathered.
#[derive(Debug, Default)]
pub struct Moments {
    /// The moments of each weight, in the optimizer's order, each laid out as the parameters; none before the first fit.
    pub slots: Vec<Buffer>,
    /// Batches that were learned from; each is a step, where gradients are not gathered over several.
    pub steps: u64,
}

/// How far a fit has come. The order of an epoch's samples follows from the seed and the epoch's number, so that there is
/// no generator whose state would have to be kept.
#[derive(Clone, Debug)]
pub struct Position {
    /// What is fitted, and how.
    pub plan: Plan,
    /// The epoch under way.
    pub epoch: usize,
    /// How many of its batches are done.
    pub batch: usize,
    /// What was measured in these.
    pub tally: Tally,
    /// What the callbacks keep.
    pub callbacks: Kept,
    /// The epochs that have ended, validation included.
    pub history: History,
}

/// What two fits must have in common for one to go on where the other was.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Samples to train on.
    pub data: Samples,
    /// Samples to validate on.
    pub validation: Option<Samples>,
    /// Samples in a step, at most as many as there are.
    pub batch_size: usize,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// The seed of the order.
    pub seed: u64,
    /// The epoch it began with.
    pub initial_epoch: usize,
    /// Batches in an epoch; `None`: as many as it takes to go through the samples once.
    pub steps_per_epoch: Option<usize>,
    /// Epochs from one validation to the next.
    pub validation_freq: usize,
    /// How much a sample of each class counts, if not all count alike.
    pub class_weight: Option<Vec<f32>>,
    /// The callbacks, as Keras serialises them.
    pub callbacks: Value,
}

/// What the callbacks of a fit keep from one epoch to another.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Of each callback, its own.
    pub states: Vec<Value>,
    /// Of each, weights that it may bring back; shared, not copied.
    pub weights: Vec<Option<Arc<Buffer>>>,
}

/// A dataset, as far as it can be told from another.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// How many there are.
    pub count: usize,
    /// [`Dataset::fingerprint`].
    pub fingerprint: String,
}

impl State {
    /// What compile has set. `State` before it.
    pub fn compiled(&self) -> Result<&Compiled> {
        self.compiled.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::State, "the model is not compiled").expected("a compiled model").at("model")
        })
    }

    /// A copy, its memory asked for politely.
    pub fn copy(&self) -> Result<Self> {
        let slots = self.moments.slots.iter().map(|slot| Buffer::copy_of(slot)).collect::<Result<_>>();
        let slots = slots.at("a copy of the optimizer's state")?;
        let moments = Moments { slots, steps: self.moments.steps };
        let position = self.position.as_ref().map(Position::copy).transpose()?;
        let State { compiled, learning_rate, .. } = self;
        Ok(State { compiled: compiled.clone(), learning_rate: *learning_rate, moments, position })
    }
}

impl Moments {
    /// Those before the first step of `optimizer`, for `len` parameters.
    pub fn new(optimizer: &dyn Optimizer, len: usize) -> Result<Self> {
        let begin = |slot: &'static str| -> Result<Buffer> {
            let mut all = Buffer::zeros(len).at("the optimizer's state")?;
            match optimizer.beginning(slot) {
                0.0 => {} // memory that is not touched yet
                value => all.fill(value),
            }
            Ok(all)
        };
        Ok(Moments { slots: optimizer.slots().into_iter().map(begin).collect::<Result<_>>()?, steps: 0 })
    }
}

impl Samples {
    /// Those of `data`.
    pub fn of(data: &Dataset) -> Result<Self> {
        Ok(Samples { count: data.len(), fingerprint: data.fingerprint()? })
    }

    /// Whether nothing tells them from others: a source's that has no identity.
    pub fn are_nameless(&self) -> bool {
        self.fingerprint == NAMELESS
    }
}

impl Plan {
    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        self.steps_per_epoch.unwrap_or(self.pass())
    }

    /// How many batches it takes to go through the samples once.
    pub fn pass(&self) -> usize {
        self.data.count.div_ceil(self.batch_size)
    }

    /// Whether the model is validated after an epoch, counted from 0.
    pub fn validates(&self, epoch: usize) -> bool {
        self.validation.is_some() && (epoch + 1).is_multiple_of(self.validation_freq)
    }
}

impl Position {
    /// Where a fit begins that measures what `names` say; `tally` is that of nothing yet.
    pub fn start(plan: Plan, names: Arc<[String]>, tally: Tally) -> Self {
        let (epoch, callbacks) = (plan.initial_epoch, Kept::default());
        Position { epoch, batch: 0, tally, callbacks, history: History::new(names), plan }
    }

    /// After an epoch and its validation: at the beginning of the next. Out of memory it stays where it was.
    pub fn end_epoch(&mut self, logs: &Logs) -> Result<()> {
        let empty = self.tally.with_no_samples()?;
        self.history.push(logs)?;
        (self.epoch, self.batch, self.tally) = (self.epoch + 1, 0, empty);
        Ok(())
    }

    /// A copy, its memory asked for politely.
    fn copy(&self) -> Result<Self> {
        let Position { ref plan, epoch, batch, ref tally, ref callbacks, ref history } = *self;
        let (tally, callbacks) = (tally.copy()?, callbacks.clone());
        Ok(Position { plan: plan.clone(), epoch, batch, tally, callbacks, history: history.copy()? })
    }

    /// The epoch and batch of the last step taken; those of the first before it.
    pub fn last_step(&self) -> (usize, usize) {
        match self.batch {
            0 if self.epoch > self.plan.initial_epoch => (self.epoch - 1, self.plan.batches() - 1),
            batch => (self.epoch, batch.saturating_sub(1)),
        }
    }

    /// Epochs that have ended in this fit.
    pub fn epochs_done(&self) -> usize {
        self.epoch - self.plan.initial_epoch
    }

    /// Batches that have been done in this fit; `None` when that cannot be counted.
    pub fn batches_done(&self) -> Option<usize> {
        self.epochs_done().checked_mul(self.plan.batches())?.checked_add(self.batch)
    }
}
