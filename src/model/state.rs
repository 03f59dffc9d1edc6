//! The training state of a model: compiled options, optimizer state, position of a fit.
//!
//! [`Model::state`](super::Model) is behind a lock of its own. An optimizer step holds it for writing together with
//! that of the parameters (this one first, as everywhere), so a reader that holds both sees weights, moments and
//! position of the same step.

use super::compile::Compiled;
use super::history::{History, Logs};
use super::score::Tally;
use crate::data::{Dataset, NAMELESS};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::Buffer;
use crate::optimizers::Optimizer;
use serde_json::Value;
use std::sync::Arc;

/// The training state of a model.
#[derive(Default)]
pub struct State {
    /// Set by compile.
    pub compiled: Option<Compiled>,
    /// The learning rate of the next step, if it was set by hand.
    pub learning_rate: Option<f64>,
    /// The optimizer state since then.
    pub moments: Moments,
    /// The position of the running or last fit since then.
    pub position: Option<Position>,
}

/// The optimizer state.
#[derive(Debug, Default)]
pub struct Moments {
    /// The moments of each weight, in the optimizer's order, each laid out as the parameters; none before the first fit.
    pub slots: Vec<Buffer>,
    /// Batches trained on; each is a step, unless gradients are accumulated over several.
    pub steps: u64,
}

/// The position of a fit. The order of an epoch's samples depends only on the seed and the epoch's number, so there is
/// no generator state to keep.
#[derive(Clone, Debug)]
pub struct Position {
    /// The data and the options of the fit.
    pub plan: Plan,
    /// The current epoch.
    pub epoch: usize,
    /// The number of its batches that are done.
    pub batch: usize,
    /// The sums over these batches.
    pub tally: Tally,
    /// The state of the callbacks.
    pub callbacks: Kept,
    /// The completed epochs, including validation.
    pub history: History,
}

/// What two fits must have in common for one to resume from the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Samples to train on.
    pub data: Samples,
    /// Samples to validate on.
    pub validation: Option<Samples>,
    /// Samples in a step, at most as many as there are.
    pub batch_size: usize,
    /// Whether each epoch has its own order.
    pub shuffle: bool,
    /// The seed of the order.
    pub seed: u64,
    /// The epoch it began with.
    pub initial_epoch: usize,
    /// Batches in an epoch; `None`: one pass over the samples.
    pub steps_per_epoch: Option<usize>,
    /// Epochs from one validation to the next.
    pub validation_freq: usize,
    /// The class weights, if there are any.
    pub class_weight: Option<Vec<f32>>,
    /// The callbacks, as Keras serializes them.
    pub callbacks: Value,
}

/// The state of a fit's callbacks.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The state of each callback.
    pub states: Vec<Value>,
    /// For each, the weights that it may restore; shared, not copied.
    pub weights: Vec<Option<Arc<Buffer>>>,
}

/// The identity of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The number of samples.
    pub count: usize,
    /// [`Dataset::fingerprint`].
    pub fingerprint: String,
}

impl State {
    /// The compiled options; `State` before compile.
    pub fn compiled(&self) -> Result<&Compiled> {
        self.compiled.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::State, "the model is not compiled").expected("a compiled model").at("model")
        })
    }

    /// A copy, or `OutOfMemory`.
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
    /// The state before the first step of `optimizer`, for `len` parameters.
    pub fn new(optimizer: &dyn Optimizer, len: usize) -> Result<Self> {
        let begin = |slot: &'static str| -> Result<Buffer> {
            let mut all = Buffer::zeros(len).at("the optimizer's state")?;
            match optimizer.beginning(slot) {
                0.0 => {} // zeroed memory that is not touched yet
                value => all.fill(value),
            }
            Ok(all)
        };
        Ok(Moments { slots: optimizer.slots().into_iter().map(begin).collect::<Result<_>>()?, steps: 0 })
    }
}

impl Samples {
    /// The identity of `data`.
    pub fn of(data: &Dataset) -> Result<Self> {
        Ok(Samples { count: data.len(), fingerprint: data.fingerprint()? })
    }

    /// Whether they are of a source without an identity.
    pub fn are_nameless(&self) -> bool {
        self.fingerprint == NAMELESS
    }
}

impl Plan {
    /// How many batches an epoch has.
    pub fn batches(&self) -> usize {
        self.steps_per_epoch.unwrap_or(self.pass())
    }

    /// The batches of one pass over the samples.
    pub fn pass(&self) -> usize {
        self.data.count.div_ceil(self.batch_size)
    }

    /// Whether the model is validated after an epoch, counted from 0.
    pub fn validates(&self, epoch: usize) -> bool {
        self.validation.is_some() && (epoch + 1).is_multiple_of(self.validation_freq)
    }
}

impl Position {
    /// The start of a fit with the metrics `names`; `tally` is empty.
    pub fn start(plan: Plan, names: Arc<[String]>, tally: Tally) -> Self {
        let (epoch, callbacks) = (plan.initial_epoch, Kept::default());
        Position { epoch, batch: 0, tally, callbacks, history: History::new(names), plan }
    }

    /// Moves to the beginning of the next epoch, after validation. On `OutOfMemory` it does not change.
    pub fn end_epoch(&mut self, logs: &Logs) -> Result<()> {
        let empty = self.tally.with_no_samples()?;
        self.history.push(logs)?;
        (self.epoch, self.batch, self.tally) = (self.epoch + 1, 0, empty);
        Ok(())
    }

    /// A copy, or `OutOfMemory`.
    fn copy(&self) -> Result<Self> {
        let Position { ref plan, epoch, batch, ref tally, ref callbacks, ref history } = *self;
        let (tally, callbacks) = (tally.copy()?, callbacks.clone());
        Ok(Position { plan: plan.clone(), epoch, batch, tally, callbacks, history: history.copy()? })
    }

    /// The epoch and batch of the last step; before any step, those of the first.
    pub fn last_step(&self) -> (usize, usize) {
        match self.batch {
            0 if self.epoch > self.plan.initial_epoch => (self.epoch - 1, self.plan.batches() - 1),
            batch => (self.epoch, batch.saturating_sub(1)),
        }
    }

    /// The completed epochs of this fit.
    pub fn epochs_done(&self) -> usize {
        self.epoch - self.plan.initial_epoch
    }

    /// The batches done in this fit; `None` on overflow.
    pub fn batches_done(&self) -> Option<usize> {
        self.epochs_done().checked_mul(self.plan.batches())?.checked_add(self.batch)
    }
}
