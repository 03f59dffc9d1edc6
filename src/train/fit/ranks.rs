//! Where several ranks take a fit together.
//!
//! All of them go the same way through an epoch, and are at one place whenever they exchange something. What goes wrong on one
//! alone, between two steps, is therefore kept until the next place where they [agree](Fit::agree).

use super::{Epoch, Fit};
use crate::error::{At, Error, Result};
use crate::files::Content;
use crate::machines::{Machines, Team};
use crate::model::state::{Moments, Plan};
use crate::train::checkpoint::{After, Checkpoints, Resumed};
use crate::train::together::{self, Now};
use serde_json::{Value, json};

/// What of a model is on other ranks.
#[derive(Clone, Copy, Default)]
pub(super) struct Scattered {
    /// Weights that are dealt out, changed since they were whole; and their moments.
    weights: bool,
    moments: bool,
    /// Whether a step has begun that has not ended.
    torn: bool,
}

impl Scattered {
    pub(super) fn begin_step(&mut self) {
        self.torn = true;
    }

    /// After a step in which weights were dealt out or not.
    pub(super) fn end_step(&mut self, deals: bool) {
        *self = Scattered { weights: deals, moments: deals, torn: false };
    }
}

impl Fit<'_, '_> {
    /// Writes a checkpoint if one is due; of several ranks the first one knows when, and does.
    pub(super) fn checkpoint(&mut self, event: After) -> Result<()> {
        let Some(machines) = self.machines else { return self.write_checkpoint(event) };
        if !self.checkpointing {
            return Ok(());
        }
        let due = self.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.is_due_after(event, self.model));
        if machines.gather_numbers(u64::from(due))?[0] == 0 {
            return Ok(());
        }
        self.make_whole(true)?;
        let written = self.write_checkpoint(event);
        self.later(written)
    }

    /// What all ranks must have in common.
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
            "weights": model.parameters.read(|weights| together::fingerprint([weights]))?,
            "moments": together::fingerprint(moments),
            "steps": state.moments.steps,
            "learning_rate": state.learning_rate,
        }))
    }

    /// Keeps an error of this rank's alone until the others can be told; where there are no others it is one at once.
    pub(super) fn later(&mut self, outcome: Result<()>) -> Result<()> {
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

    /// The ranks tell each other how they stand: what has failed, whether one wants to stop.
    pub(super) fn agree(&mut self, at: Option<&Epoch>) -> Result<()> {
        let Some(machines) = self.machines else { return Ok(()) };
        let own = Now { stopped: self.stopped.is_some(), learning_rate: self.model.state.read().learning_rate };
        let failed = std::mem::replace(&mut self.failed, Ok(()));
        let stopped = together::agree(machines, failed, own)?.stopped;
        if let Some(at) = at.filter(|_| stopped) {
            self.stopped.get_or_insert_with(|| at.stopped_by("another rank"));
        }
        Ok(())
    }

    /// Gets the weights that are on other ranks, and the moments if they are wanted; then the model is whole for everybody.
    pub(super) fn make_whole(&mut self, moments: bool) -> Result<()> {
        let Some(machines) = self.machines else { return Ok(()) };
        let (model, network) = (self.model, &self.network);
        let mut state = model.state.write();
        if self.scattered.moments && moments {
            state.moments.slots.iter_mut().try_for_each(|slot| network.gather_dealt(machines, slot))?;
            self.scattered.moments = false;
        }
        if self.scattered.weights || !self.scattered.moments {
            model.parameters.write(|all| {
                if self.scattered.weights {
                    network.gather_dealt(machines, all)?;
                }
                model.parameters.scatter(self.scattered.moments);
                Ok::<_, Error>(())
            })??;
            self.scattered.weights = false;
        }
        Ok(())
    }

    /// Puts the last good weights into a model that is left in the midst of a step, or without what other ranks have.
    pub(super) fn fall_back(&mut self) -> Result<()> {
        let Scattered { weights, moments, torn } = self.scattered;
        let (model, mut state) = (self.model, self.model.state.write());
        // Without any, the first step has ended before it has changed anything.
        let good = self.watch.good().filter(|_| weights || moments || torn);
        model.parameters.write(|all| {
            if let Some(good) = good {
                all.copy_from_slice(good);
            }
            model.parameters.scatter(false);
        })?;
        if good.is_some() {
            (state.moments, state.position) = (Moments::default(), None);
        }
        Ok(())
    }

    /// The checkpoint that the first rank reads, where there is one.
    pub(super) fn resume_from_first(&mut self, machines: &Machines<'_>, plan: &Plan) -> Result<Option<Resumed>> {
        let own = self.checkpoints.as_ref().map_or(Ok(None), Checkpoints::bytes);
        let Some(bytes) = together::file(machines, own)? else { return Ok(None) };
        let resumed = Resumed::of(Content::of(&bytes), self.model, plan).at("the checkpoint")?;
        self.checkpoints.iter_mut().for_each(|checkpoints| checkpoints.wrote(&resumed));
        Ok(Some(resumed))
    }
}
