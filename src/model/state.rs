//! What a model has besides its weights: how it is trained, and how far that has come.
//!
//! [`Model::state`](super::Model) is behind a lock of its own. A step of the optimizer holds it for writing together with
//! that of the parameters (this one first, as everybody who takes both), so that who holds both for reading sees weights,
//! moments and position of one and the same step.

use super::compile::CompileOptions;
use super::history::{EpochMetrics, History};
use super::score::Mean;
use crate::data::{Dataset, NAMELESS};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::softmax::Score;
use crate::memory::Buffer;

/// How a model is trained, and how far that has come.
#[derive(Default)]
pub struct State {
    /// Set by compile.
    pub compiled: Option<CompileOptions>,
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
    /// The moments of each weight, in the optimizer's order, each laid out as the parameters; none before the first fit,
    /// which means zeros.
    pub slots: Vec<Buffer>,
    /// Steps taken.
    pub steps: u64,
}

/// How far a fit has come. The order of an epoch's samples follows from the seed and the epoch's number, so that there is
/// no generator whose state would have to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// What is fitted, and how.
    pub plan: Plan,
    /// The epoch under way.
    pub epoch: usize,
    /// How many of its batches are done.
    pub batch: usize,
    /// The scores of these.
    pub mean: Mean,
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
    pub fn compiled(&self) -> Result<&CompileOptions> {
        self.compiled.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::State, "the model is not compiled").expected("a compiled model").at("model")
        })
    }

    /// A copy, its memory asked for politely.
    pub fn copy(&self) -> Result<Self> {
        let slots = self.moments.slots.iter().map(copy).collect::<Result<_>>()?;
        let moments = Moments { slots, steps: self.moments.steps };
        let position = self.position.as_ref().map(Position::copy).transpose()?;
        let State { compiled, learning_rate, .. } = self;
        Ok(State { compiled: compiled.clone(), learning_rate: *learning_rate, moments, position })
    }
}

fn copy(buffer: &Buffer) -> Result<Buffer> {
    let mut copy = Buffer::zeros(buffer.len()).at("a copy of the optimizer's state")?;
    copy.copy_from_slice(buffer);
    Ok(copy)
}

impl Moments {
    /// Those before the first step: `slots` for each of `len` parameters.
    pub fn zeros(slots: usize, len: usize) -> Result<Self> {
        let slots = (0..slots).map(|_| Buffer::zeros(len).at("the optimizer's state")).collect::<Result<_>>()?;
        Ok(Moments { slots, steps: 0 })
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
        self.data.count.div_ceil(self.batch_size)
    }
}

impl Position {
    /// Where a fit begins.
    pub fn start(plan: Plan) -> Self {
        Position { epoch: plan.initial_epoch, batch: 0, mean: Mean::default(), history: History::default(), plan }
    }

    /// After a step: one batch further.
    pub fn step(&mut self, score: Score, samples: usize) {
        self.mean.add(score, samples);
        self.batch += 1;
    }

    /// After an epoch and its validation: at the beginning of the next. Out of memory it stays where it was.
    pub fn end_epoch(&mut self, metrics: EpochMetrics) -> Result<()> {
        self.history.push(metrics)?;
        (self.epoch, self.batch, self.mean) = (self.epoch + 1, 0, Mean::default());
        Ok(())
    }

    /// A copy, its memory asked for politely.
    fn copy(&self) -> Result<Self> {
        let Position { ref plan, epoch, batch, mean, ref history } = *self;
        Ok(Position { plan: plan.clone(), epoch, batch, mean, history: history.copy()? })
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
