//! The configured callbacks of a fit, and their access to it.

use super::progress::Output;
use crate::callbacks::{self, Better, Callback, Host, Metric, Step, Verdict};
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::FilePath;
use crate::json::Object;
use crate::memory::Buffer;
use crate::model::history::{Logs, VALIDATION};
use crate::model::state::Kept;
use crate::model::{Compiled, Model, history};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// The callbacks of a fit.
pub struct FitCallbacks {
    callbacks: Vec<Box<dyn Callback>>,
    /// The names of the metrics of the fit and of the callbacks.
    names: Arc<[String]>,
    /// Whether those that write files do.
    writes: bool,
}

impl FitCallbacks {
    /// The callbacks in `config`, checked against the metrics of the fit. Unless this rank `writes` files,
    /// callbacks that write files do nothing.
    pub fn new(config: &Value, compiled: &Compiled, validates: bool, writes: bool) -> Result<Self> {
        let mut callbacks = callbacks::read(config)?;
        let better = |name: &str| {
            let metric = compiled.metrics.iter().find(|called| called.name == name).map(|called| &called.metric);
            if metric.is_some_and(|metric| metric.higher_is_better()) { Better::Higher } else { Better::Lower }
        };
        let names = history::names(&compiled.names(), validates);
        let metric = |name: &String| Metric {
            name: name.clone(),
            better: Some(better(name.strip_prefix(VALIDATION).unwrap_or(name))),
        };
        let measured = callbacks::check(&mut callbacks, names.iter().map(metric).collect(), writes)?;
        Ok(FitCallbacks { callbacks, names: measured.into_iter().map(|metric| metric.name).collect(), writes })
    }

    /// The names of the metrics of the fit and of the callbacks.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Their config in Keras's form.
    pub fn config(&self) -> Value {
        self.callbacks.iter().map(|callback| callbacks::config(&**callback)).collect()
    }

    /// Whether one of them reads the weights after this step.
    pub fn need_weights(&self, at: Step) -> bool {
        self.callbacks.iter().any(|callback| callback.needs_weights(at))
    }

    /// The most copies of the weights that they may hold.
    pub fn copies(&self) -> usize {
        self.callbacks.iter().filter(|callback| callback.keeps_weights()).count()
    }

    /// Updates their saved states after a step; copies of weights are those of the last epoch.
    pub fn keep_states(&self, kept: &mut Kept) {
        kept.states = self.callbacks.iter().map(|callback| Value::Object(callback.state())).collect();
        kept.weights.resize(self.callbacks.len(), None);
    }

    /// Their state for a fit that resumes.
    pub fn keep(&self) -> Result<Kept> {
        let mut kept = Kept::default();
        self.keep_states(&mut kept);
        for (callback, kept) in self.callbacks.iter().zip(&mut kept.weights) {
            let weights = callback.weights().map(Buffer::copy_of).transpose().at("a callback's copy of the weights")?;
            *kept = weights.map(Arc::new);
        }
        Ok(kept)
    }

    /// Restores their state.
    pub fn restore(&mut self, kept: &Kept) -> Result<()> {
        if kept.states.is_empty() {
            return Ok(()); // no epoch had ended
        }
        if kept.states.len() != self.callbacks.len() || kept.weights.len() != self.callbacks.len() {
            let error = Error::new(ErrorKind::Format, "the states of other callbacks");
            return Err(error.expected(self.callbacks.len()).found(kept.states.len()).at("key callbacks"));
        }
        for (i, callback) in self.callbacks.iter_mut().enumerate() {
            callback.restore(&Object::of(&kept.states[i], &format!("callbacks[{i}]"))?)?;
            if let Some(weights) = &kept.weights[i] {
                callback.restore_weights(Buffer::copy_of(weights)?);
            }
        }
        Ok(())
    }

    /// Before the first step.
    pub fn begin(&mut self, model: &Model, output: &mut Output<'_>) -> Result<Verdict> {
        self.each(model, output, |callback, host| callback.begin(host))
    }

    /// After a step.
    pub fn batch_end(&mut self, model: &Model, output: &mut Output<'_>, at: Step, logs: &Logs) -> Result<Verdict> {
        if self.callbacks.is_empty() {
            return Ok(Verdict::Continue);
        }
        let logs = listed(logs);
        self.each(model, output, |callback, host| callback.batch_end(host, at, &logs))
    }

    /// After an epoch. Their metrics are added to `logs`.
    pub fn epoch_end(
        &mut self,
        model: &Model,
        output: &mut Output<'_>,
        epoch: usize,
        logs: &mut Logs,
    ) -> Result<Verdict> {
        let mut all = listed(logs);
        let verdict = self.each(model, output, |callback, host| callback.epoch_end(host, epoch, &mut all))?;
        all.iter().for_each(|(name, value)| logs.set(name, *value));
        Ok(verdict)
    }

    /// After the last step.
    pub fn end(&mut self, model: &Model, output: &mut Output<'_>) -> Result<()> {
        let end = |callback: &mut dyn Callback, host: &mut dyn Host| callback.end(host).map(|()| Verdict::Continue);
        self.each(model, output, end).map(drop)
    }

    /// Calls all of them in order; the first that stops the fit gives the reason.
    fn each(
        &mut self,
        model: &Model,
        output: &mut Output<'_>,
        mut ask: impl FnMut(&mut dyn Callback, &mut dyn Host) -> Result<Verdict>,
    ) -> Result<Verdict> {
        let mut host = FitHost { model, output };
        let writes = self.writes;
        callbacks::each(&mut self.callbacks, |callback| match writes || !callback.writes() {
            true => ask(callback, &mut host),
            false => Ok(Verdict::Continue),
        })
    }
}

/// The measured metrics, as callbacks see them.
fn listed(logs: &Logs) -> callbacks::Logs {
    logs.measured().map(|(name, value)| (name.to_string(), value)).collect()
}

/// A fit between two steps, as its callbacks see it.
struct FitHost<'a, 'o> {
    model: &'a Model,
    output: &'a mut Output<'o>,
}

impl Host for FitHost<'_, '_> {
    fn learning_rate(&self) -> Result<f64> {
        self.model.learning_rate()
    }

    fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.model.set_learning_rate(rate)
    }

    fn steps(&self) -> u64 {
        self.model.state.read().moments.steps
    }

    fn weights(&self, task: &mut dyn FnMut(&[f32])) -> Result<()> {
        self.model.parameters.read(task)
    }

    fn set_weights(&mut self, weights: &[f32]) -> Result<()> {
        self.model.parameters.write(|all| all.copy_from_slice(weights))
    }

    fn named_weights(&self) -> Vec<(String, Range<usize>)> {
        self.model.parameters.entries().iter().map(|entry| (entry.name.clone(), entry.range.clone())).collect()
    }

    fn save(&self, path: &FilePath, weights_only: bool) -> Result<()> {
        match weights_only {
            true => self.model.save_weights_at(path),
            false => self.model.save_at(path),
        }
    }

    fn print(&mut self, message: &str) -> Result<()> {
        self.output.write(&format!("{message}\n"))
    }
}
