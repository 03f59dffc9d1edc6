//! The parts of a fit that only several ranks need.
//!
//! All ranks take the same path through an epoch, and reach the same exchanges in the same order. An error of one rank between
//! two steps is therefore kept until the next exchange at which the ranks [agree](Fit::agree) how to continue.

use super::{Epoch, Fit};
use crate::error::{At, Error, Result};
use crate::files::Content;
use crate::machines::{Machines, Ranks};
use crate::model::state::{Moments, Plan};
use crate::train::agreement::{self, Standing};
use crate::train::checkpoint::{After, Checkpoints, Resumed};
use serde_json::{Value, json};

/// What of the model this rank does not have.
#[derive(Clone, Copy, Default)]
pub(super) struct Missing {
    /// Whether other ranks have changed their parts of the weights, or of the moments, since the last exchange of these.
    weights: bool,
    moments: bool,
    /// Whether a step has begun and not ended.
    in_step: bool,
}

impl Missing {
    pub(super) fn begin_step(&mut self) {
        self.in_step = true;
    }

    /// `divided`: whether each rank has changed only its parts of some weights.
    pub(super) fn end_step(&mut self, divided: bool) {
        *self = Missing { weights: divided, moments: divided, in_step: false };
    }
}

/// The fit, if all ranks have prepared the same one.
pub(super) fn compared<'f, 'o>(
    machines: &Machines<'_>,
    prepared: Result<(Fit<'f, 'o>, Plan)>,
) -> Result<(Fit<'f, 'o>, Plan)> {
    let described = prepared.and_then(|(fit, plan)| Ok((fit.describe(&plan)?, fit, plan)));
    agreement::compare(machines, described.as_ref().map(|(description, ..)| description.clone()))?;
    described.map(|(_, fit, plan)| (fit, plan))
}

impl Fit<'_, '_> {
    /// Writes a checkpoint if one is due. With several ranks, rank 0 decides this, and writes it.
    pub(super) fn checkpoint(&mut self, event: After) -> Result<()> {
        let Some(machines) = self.machines else { return self.write_checkpoint(event) };
        if !self.checkpointing {
            return Ok(());
        }
        let due = self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.is_due_after(event, self.model));
        if machines.gather_numbers(u64::from(due))?[0] == 0 {
            return Ok(());
        }
        self.complete_model()?;
        let written = self.write_checkpoint(event);
        self.fail_later(written)
    }

    /// What must be the same on all ranks.
    pub(super) fn describe(&self, plan: &Plan) -> Result<Value> {
        let (model, state) = (self.model, self.model.state.read());
        let moments = state.moments.slots.iter().map(|slot| &slot[..]);
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "network": model.config(),
            "compile": self.compiled.config(),
            "fit": {
                "plan": plan.config(),
                "epochs": self.epochs,
                "terminate_on_nan": self.watch.terminates(),
                "checkpoint": self.checkpointing,
                "resume": self.resumes,
            },
            "weights": model.parameters.read(|weights| agreement::fingerprint([weights]))?,
            "moments": agreement::fingerprint(moments),
            "steps": state.moments.steps,
            "learning_rate": state.learning_rate,
        }))
    }

    /// Returns an error at once if there are no other ranks; otherwise keeps it until they can be told.
    pub(super) fn fail_later(&mut self, outcome: Result<()>) -> Result<()> {
        match (self.machines, outcome) {
            (None, outcome) => outcome,
            (Some(machines), Err(error)) if machines.have_failed() => Err(error),
            (Some(_), outcome) => {
                if self.failed.is_ok() {
                    self.failed = outcome;
                }
                Ok(())
            }
        }
    }

    /// Tells the other ranks whether this one has failed or stops, and learns it from them. `at` is where a fit is that one
    /// of them stops.
    pub(super) fn agree(&mut self, at: Option<&Epoch>) -> Result<()> {
        let Some(machines) = self.machines else { return Ok(()) };
        let own = Standing { stopped: self.stopped.is_some(), learning_rate: self.model.state.read().learning_rate };
        let failed = std::mem::replace(&mut self.failed, Ok(()));
        let stopped = agreement::agree(machines, failed, own)?;
        if let Some(at) = at.filter(|_| stopped) {
            self.stopped.get_or_insert_with(|| at.stopped_by("another rank"));
        }
        Ok(())
    }

    /// Ends the fit on all ranks if one of them has no next batch because its source failed. Data in memory cannot fail, and
    /// need no exchange.
    pub(super) fn agree_on_batch<T>(&mut self, batch: Result<T>) -> Result<T> {
        if self.machines.is_none() || self.train.source().is_none() {
            return batch;
        }
        let (batch, outcome) = match batch {
            Ok(batch) => (Some(batch), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.fail_later(outcome)?;
        self.agree(None)?;
        batch.ok_or_else(|| Error::internal("no batch, and no error"))
    }

    /// Receives the weights and moments that only other ranks have.
    pub(super) fn complete_model(&mut self) -> Result<()> {
        let Some(machines) = self.machines else { return Ok(()) };
        let (model, network) = (self.model, &self.network);
        let mut state = model.state.write();
        if self.missing.moments {
            state.moments.slots.iter_mut().try_for_each(|slot| network.gather_divided(machines, slot))?;
            self.missing.moments = false;
        }
        self.complete_weights()
    }

    /// Receives the weights that only other ranks have. Without the moments the model cannot be read yet.
    pub(super) fn complete_weights(&mut self) -> Result<()> {
        let Some(machines) = self.machines else { return Ok(()) };
        let (parameters, network, missing) = (&self.model.parameters, &self.network, self.missing);
        parameters.write(|all| {
            if missing.weights {
                network.gather_divided(machines, all)?;
            }
            parameters.set_incomplete(missing.moments);
            Ok::<_, Error>(())
        })??;
        self.missing.weights = false;
        Ok(())
    }

    /// Restores the last good weights if a failed exchange has left the model in the middle of a step, or without the
    /// weights or moments that other ranks have.
    pub(super) fn restore_good_weights(&mut self) -> Result<()> {
        let Missing { weights, moments, in_step } = self.missing;
        let (model, mut state) = (self.model, self.model.state.write());
        // There are none before the first step, which then has changed nothing.
        let good = self.watch.good().filter(|_| weights || moments || in_step);
        model.parameters.write(|all| {
            if let Some(good) = good {
                all.copy_from_slice(good);
            }
            model.parameters.set_incomplete(false);
        })?;
        if good.is_some() {
            (state.moments, state.position) = (Moments::default(), None);
        }
        Ok(())
    }

    /// The checkpoint from which to resume, which rank 0 reads.
    pub(super) fn checkpoint_of_first(&mut self, machines: &Machines<'_>, plan: &Plan) -> Result<Option<Resumed>> {
        let own = self.checkpoints.as_ref().map_or(Ok(None), Checkpoints::bytes);
        let Some(bytes) = agreement::file_of_first(machines, own)? else { return Ok(None) };
        let resumed = Resumed::of(Content::of(&bytes), self.model, plan).at("the checkpoint")?;
        self.checkpoints.iter_mut().for_each(|checkpoints| checkpoints.wrote(&resumed));
        Ok(Some(resumed))
    }
}
