//! The compiled options and the position of a fit, as JSON.
//!
//! ```text
//! "compile": {"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.001, "beta_1": 0.9, ...}},
//!             "loss": {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": false}},
//!             "metrics": [{"class_name": "SparseCategoricalAccuracy", "config": {"name": "accuracy"}}]},
//! "fit": {"plan": {"data": {"count": 60000, "fingerprint": "..."}, "validation": null, "batch_size": 32,
//!                  "shuffle": true, "seed": 0, "initial_epoch": 0, "steps_per_epoch": null, "validation_freq": 1,
//!                  "class_weight": null, "callbacks": []},
//!         "epoch": 1, "batch": 500, "samples": 16000, "names": ["loss", "accuracy"], "callbacks": [], "weights": []}
//! ```
//!
//! Values that may be NaN or must keep their bits are not JSON: losses, the metrics' sums and histories are tensors of
//! the file. Version 1 had the optimizer's config and its class in one object, and Adam alone; the loss as a name, with
//! `from_logits` beside it; and, for the accuracy, the number of hits as `correct`.

use super::compile::{CompileOptions, Compiled};
use super::history::{self, History, VALIDATION};
use super::score::Tally;
use super::state::{Kept, Plan, Position, Samples};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Architecture;
use crate::json::{Object, count};
use crate::losses::{self, Crossentropy, Loss};
use crate::metrics;
use crate::optimizers::{self, Adam, Betas, Optimizer};
use serde_json::{Value, json};
use std::sync::Arc;

/// Keras's name of the one loss that version 1 had.
const LOSS: &str = "sparse_categorical_crossentropy";

impl Compiled {
    /// The compiled options as JSON.
    pub(crate) fn config(&self) -> Value {
        json!({
            "optimizer": optimizers::config(&*self.optimizer),
            "loss": losses::config(&*self.loss),
            "metrics": self.metrics.iter().map(metrics::config).collect::<Vec<_>>(),
        })
    }

    /// Reads such an object, for a network of that architecture.
    pub(crate) fn from_config(object: &Object<'_>, architecture: &Architecture) -> Result<Self> {
        object.only(&["optimizer", "loss", "from_logits", "metrics"])?;
        let missing = |key: &str| object.at_key(Error::new(ErrorKind::Format, "missing"), key);
        let flat = !object.object("optimizer")?.has("config");
        let optimizer = match flat {
            true => flat_adam(&object.object("optimizer")?)?,
            false => optimizers::read(&object.named("optimizer")?.ok_or_else(|| missing("optimizer"))?)?,
        };
        let loss: Arc<dyn Loss> = match object.has("from_logits") {
            true => {
                object.get("loss", LOSS, |value| (value == LOSS).then_some(()))?;
                Arc::new(Crossentropy::sparse(object.bool("from_logits")?))
            }
            false => losses::read(&object.named("loss")?.ok_or_else(|| missing("loss"))?)?,
        };
        let metrics = object.get("metrics", "a list of metrics", |value| value.as_array().map(|_| value.clone()))?;
        let options = CompileOptions { optimizer, loss, metrics };
        Compiled::new(&options, architecture)
    }
}

/// Adam as version 1 wrote it.
fn flat_adam(object: &Object<'_>) -> Result<Arc<dyn Optimizer>> {
    object.only(&["class_name", "learning_rate", "beta_1", "beta_2", "epsilon"])?;
    object.get("class_name", "Adam", |value| (value == "Adam").then_some(()))?;
    let betas = Betas {
        learning_rate: object.f64("learning_rate")?,
        beta_1: object.f64("beta_1")?,
        beta_2: object.f64("beta_2")?,
        epsilon: object.f64("epsilon")?,
        ..Betas::default()
    };
    Ok(Arc::new(Adam { betas, amsgrad: false }))
}

impl Position {
    /// This position as JSON, without the values in tensors.
    pub(crate) fn config(&self) -> Value {
        json!({
            "plan": self.plan.config(),
            "epoch": self.epoch,
            "batch": self.batch,
            "samples": self.tally.samples,
            "names": self.history.names()[..],
            "callbacks": self.callbacks.states,
            "weights": self.callbacks.weights.iter().map(Option::is_some).collect::<Vec<_>>(),
        })
    }

    /// Reads a position from such an object, without the values in tensors; `steps` are the optimizer's.
    pub(crate) fn from_config(object: &Object<'_>, compiled: &Compiled, width: usize, steps: u64) -> Result<Self> {
        let old = object.has("correct"); // version 1 counted the hits of its one metric, the accuracy, here
        match old {
            true => object.only(&["plan", "epoch", "batch", "correct"])?,
            false => object.only(&["plan", "epoch", "batch", "samples", "names", "callbacks", "weights"])?,
        }
        let plan = Plan::from_config(&object.object("plan")?, old)?;
        let range = |key: &str, expected: String, found: u64| {
            let error = Error::new(ErrorKind::Format, "out of range").expected(expected).found(found);
            Err(object.at_key(error, key))
        };
        let (epoch, batch) = (object.usize("epoch")?, object.usize("batch")?);
        if epoch < plan.initial_epoch {
            return range("epoch", format!("{} or more", plan.initial_epoch), epoch as u64);
        }
        if batch > plan.batches() {
            return range("batch", format!("at most {}", plan.batches()), batch as u64);
        }
        let most = batch.saturating_mul(plan.batch_size);
        let mut tally = Tally::new(&compiled.metrics, width)?;
        tally.samples = if old { most.min(plan.data.count) } else { object.usize("samples")? };
        if tally.samples > most {
            return range("samples", format!("at most {most}"), tally.samples as u64);
        }
        let own = history::names(&compiled.names(), plan.validation.is_some());
        let (mut names, mut callbacks) = (own.clone(), Kept::default());
        if old {
            let correct = object.usize("correct")?;
            if correct > tally.samples {
                return range("correct", format!("at most {}", tally.samples), correct as u64);
            }
            if tally.kept.len() == 2 {
                tally.kept = vec![correct as f64, tally.samples as f64];
            }
        } else {
            names = object.get("names", "a list of names", |value| {
                value.as_array()?.iter().map(|name| name.as_str().map(str::to_string)).collect()
            })?;
            callbacks.states = object.get("callbacks", "a list", |value| value.as_array().cloned())?;
            let weights = object.get("weights", "a list of as many booleans", |value| {
                value.as_array().filter(|list| list.len() == callbacks.states.len())
            })?;
            callbacks.weights = weights.iter().map(|there| (*there == true).then(Arc::default)).collect();
        }
        let more = names.get(own.len()..).unwrap_or_default(); // the metrics of callbacks
        if !names.starts_with(&own) || more.iter().any(|name| name.starts_with(VALIDATION) || own.contains(name)) {
            let error = Error::new(ErrorKind::Format, "not what was compiled").expected(format_args!("{own:?}"));
            return Err(object.at_key(error.found(format_args!("{names:?}")), "names"));
        }
        let position = Position { plan, epoch, batch, tally, callbacks, history: History::new(names) };
        match position.batches_done() {
            Some(done) if done as u64 <= steps => Ok(position),
            _ => range("epoch", format!("at most the {steps} steps that were taken"), epoch as u64),
        }
    }
}

impl Plan {
    /// This plan as JSON.
    pub(crate) fn config(&self) -> Value {
        let samples = |samples: &Samples| json!({ "count": samples.count, "fingerprint": samples.fingerprint });
        json!({
            "data": samples(&self.data),
            "validation": self.validation.as_ref().map(samples),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "initial_epoch": self.initial_epoch,
            "steps_per_epoch": self.steps_per_epoch,
            "validation_freq": self.validation_freq,
            "class_weight": self.class_weight,
            "callbacks": self.callbacks,
        })
    }

    fn from_config(object: &Object<'_>, old: bool) -> Result<Self> {
        const OLD: &[&str] = &["data", "validation", "batch_size", "shuffle", "seed", "initial_epoch"];
        const NEW: &[&str] = &["steps_per_epoch", "validation_freq", "class_weight", "callbacks"];
        match old {
            true => object.only(OLD)?,
            false => object.only(&[OLD, NEW].concat())?,
        }
        let data = Samples::from_config(&object.object("data")?)?;
        let validation = object.object_or_null("validation")?;
        let batch_size = object.get("batch_size", &format!("1 to {}", data.count), |value| {
            value.as_u64()?.try_into().ok().filter(|size| (1..=data.count).contains(size))
        })?;
        let plan = Plan {
            validation: validation.map(|object| Samples::from_config(&object)).transpose()?,
            data,
            batch_size,
            shuffle: object.bool("shuffle")?,
            seed: object.u64("seed")?,
            initial_epoch: object.usize("initial_epoch")?,
            steps_per_epoch: None,
            validation_freq: 1,
            class_weight: None,
            callbacks: json!([]),
        };
        if old {
            return Ok(plan);
        }
        let weight = |value: &Value| value.as_f64().map(|weight| weight as f32);
        Ok(Plan {
            steps_per_epoch: object.get(
                "steps_per_epoch",
                "a whole number, 1 or more, or null",
                |value| match value {
                    Value::Null => Some(None),
                    value => count(value).filter(|&steps| steps > 0).map(Some),
                },
            )?,
            validation_freq: object.size("validation_freq")?,
            class_weight: object.get("class_weight", "a list of numbers, or null", |value| match value {
                Value::Null => Some(None),
                value => value.as_array()?.iter().map(weight).collect::<Option<_>>().map(Some),
            })?,
            callbacks: object.get("callbacks", "a list", |value| value.as_array().map(|_| value.clone()))?,
            ..plan
        })
    }
}

impl Samples {
    fn from_config(object: &Object<'_>) -> Result<Self> {
        object.only(&["count", "fingerprint"])?;
        let count =
            object.get("count", "1 or more", |value| value.as_u64()?.try_into().ok().filter(|&count| count > 0))?;
        let fingerprint = object.get("fingerprint", "16 hexadecimal digits", |value| {
            value.as_str().filter(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })?;
        Ok(Samples { count, fingerprint: fingerprint.to_string() })
    }
}
