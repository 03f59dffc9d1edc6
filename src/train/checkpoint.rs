//! Writes a fit's state to a file, and resumes a fit from it.

use super::options::CheckpointOptions;
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{self, Content, FilePath};
use crate::json::difference;
use crate::memory::Buffer;
use crate::model::saved::{self, Saved};
use crate::model::state::{Moments, Plan, Position, Samples, State};
use crate::model::{Compiled, Model};
use crate::weights;
use serde_json::Value;
use std::time::Instant;

/// The checkpoints of a fit.
pub struct Checkpoints {
    path: FilePath,
    batches: usize,
    epochs: usize,
    seconds: f64,
    last: Instant,
    /// The epoch and batch of the file.
    written: Option<(usize, usize)>,
}

/// What has just happened in a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// A step was taken.
    Batch,
    /// An epoch and its validation have ended.
    Epoch,
    /// The fit ends, stopped or not.
    Fit,
}

/// A fit's state, read from a file.
pub struct Resumed {
    weights: Buffer,
    state: State,
}

impl Checkpoints {
    /// The checkpoints that `options` describe; an error if the file could not be written.
    pub fn new(options: &CheckpointOptions) -> Result<Self> {
        let CheckpointOptions { ref path, batches, epochs, seconds, .. } = *options;
        if !(seconds >= 0.0 && seconds.is_finite()) {
            return Err(Error::new(ErrorKind::InvalidArgument, "out of range")
                .expected("0 or more, and finite")
                .found(seconds)
                .at("option `checkpoint_seconds`"));
        }
        // The program may change its working folder during the fit.
        let path = FilePath::of(path)?;
        path.check_absolute()?;
        weights::check_writable(&path)?;
        Ok(Checkpoints { path, batches, epochs, seconds, last: Instant::now(), written: None })
    }

    /// Reads the file for a fit of `model` with `plan`; `None` if there is no file. It must match both. Nothing changes
    /// yet.
    pub fn read(&mut self, model: &Model, plan: &Plan) -> Result<Option<Resumed>> {
        let resumed = match Content::at(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.path.exists() => return Ok(None),
            opened => opened.and_then(|content| Resumed::of(content, model, plan)),
        }
        .at(&self.path)?;
        self.wrote(&resumed);
        Ok(Some(resumed))
    }

    /// The file's content, for other ranks; `None` if there is no file.
    pub fn bytes(&self) -> Result<Option<Vec<u8>>> {
        match Content::at(&self.path).and_then(Content::bytes) {
            Err(error) if error.kind() == ErrorKind::NotFound && !self.path.exists() => Ok(None),
            read => read.map(|bytes| Some(bytes.into_owned())).at(&self.path),
        }
    }

    /// Remembers that the file contains the state from which a fit resumes.
    pub fn wrote(&mut self, resumed: &Resumed) {
        self.written = resumed.position().map(epoch_and_batch);
    }

    /// Whether a checkpoint is due.
    pub fn is_due_after(&self, event: After, model: &Model) -> bool {
        model.state.read().position.as_ref().is_some_and(|position| self.is_due(event, position))
    }

    /// Writes a checkpoint if one is due and `sound` accepts the weights. Readers of the model do not wait meanwhile.
    pub fn after(&mut self, event: After, model: &Model, sound: impl FnOnce(&Position, &[f32]) -> bool) -> Result<()> {
        let state = model.state.read();
        let Some(position) = state.position.as_ref().filter(|position| self.is_due(event, position)) else {
            return Ok(());
        };
        let write = |weights: &[f32]| match sound(position, weights) {
            true => files::save(&self.path, |out| saved::write(out, model, weights, &state)).map(|()| true),
            false => Ok(false),
        };
        if model.parameters.read(write)?? {
            (self.last, self.written) = (Instant::now(), Some(epoch_and_batch(position)));
        }
        Ok(())
    }

    fn is_due(&self, event: After, position: &Position) -> bool {
        let every = |interval: usize, done: usize| interval > 0 && done.is_multiple_of(interval);
        let long_ago = self.seconds > 0.0 && self.last.elapsed().as_secs_f64() >= self.seconds;
        let due = match event {
            After::Batch => long_ago || position.batches_done().is_some_and(|done| every(self.batches, done)),
            After::Epoch => long_ago || every(self.epochs, position.epochs_done()),
            After::Fit => true,
        };
        due && self.written != Some(epoch_and_batch(position))
    }
}

fn epoch_and_batch(position: &Position) -> (usize, usize) {
    (position.epoch, position.batch)
}

/// An error unless a file is of this model and its fit had this plan.
fn check<'a>(saved: Saved<'a>, model: &Model, plan: &Plan) -> Result<Saved<'a>> {
    if [Some(&plan.data), plan.validation.as_ref()].into_iter().flatten().any(Samples::are_nameless) {
        let what = "a source without an identity cannot be matched with the checkpoint's samples";
        return Err(Error::new(ErrorKind::InvalidArgument, what).expected("an `identity` in its mnist_source"));
    }
    let Some(position) = saved.position() else {
        let error = Error::new(ErrorKind::InvalidArgument, "a model without the position of a fit");
        return Err(error.expected("a checkpoint of a fit").found("null").at("key fit").at("metadata model"));
    };
    let same = |kind, what, at: &str, expected: Value, found: Value| match difference(&expected, &found) {
        None => Ok(()),
        Some((key, expected, found)) => {
            let dot = if key.is_empty() || key.starts_with('[') { "" } else { "." };
            Err(Error::new(kind, what).expected(expected).found(found).at(format_args!("key {at}{dot}{key}")))
        }
    };
    let compiled = |compiled: Option<&Compiled>| compiled.map_or(Value::Null, Compiled::config);
    let (network, options) = (model.config(), compiled(model.state.read().compiled.as_ref()));
    let layers = |network: &Value| network["config"]["layers"].clone();
    same(
        ErrorKind::Shape,
        "not this model's network",
        "network.config.layers",
        layers(&network),
        layers(&saved.network()),
    )
    .and_then(|()| {
        let what = "not what this model was compiled with";
        same(ErrorKind::InvalidArgument, what, "compile", options, compiled(saved.compiled.as_ref()))
    })
    .and_then(|()| {
        let what = "not that of this fit";
        same(ErrorKind::InvalidArgument, what, "fit.plan", plan.config(), position.plan.config())
    })
    .at("metadata model")?;
    Ok(saved)
}

impl Resumed {
    /// Out of a checkpoint's content, which must be of this model and this plan.
    pub fn of(content: Content<'_>, model: &Model, plan: &Plan) -> Result<Self> {
        Resumed::read(check(Saved::open(content)?, model, plan)?, model)
    }

    fn read(mut saved: Saved, model: &Model) -> Result<Self> {
        let mut weights = Buffer::zeros(model.parameters.len())?;
        saved.weights(model.parameters.entries(), &mut weights)?;
        let mut state = saved.state(&model.parameters)?;
        if state.moments.slots.is_empty() {
            state.moments = Moments::new(&*state.compiled()?.optimizer, model.parameters.len())?;
        }
        Ok(Resumed { weights, state })
    }

    /// The position of the fit that wrote it.
    pub fn position(&self) -> Option<&Position> {
        self.state.position.as_ref()
    }

    /// Makes it the model's state.
    pub fn apply(self, model: &Model) -> Result<()> {
        let mut state = model.state.write();
        model.parameters.write(|all| all.copy_from_slice(&self.weights))?;
        *state = self.state;
        Ok(())
    }
}
