//! How a model is trained, and how far a fit has come, as JSON.
//!
//! ```text
//! "compile": {"optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.001, "beta_1": 0.9, ...}},
//!             "loss": "sparse_categorical_crossentropy", "from_logits": false, "metrics": ["accuracy"]},
//! "fit": {"plan": {"data": {"count": 60000, "fingerprint": "..."}, "validation": null, "batch_size": 32,
//!                  "shuffle": true, "seed": 0, "initial_epoch": 0},
//!         "epoch": 1, "batch": 500, "correct": 15731}
//! ```
//!
//! (Version 1 of the file had the optimizer's config and its class in one object, and Adam alone.) What may be NaN or has to come back to the bit is no JSON: losses and histories are tensors of the file.

use super::compile::{CompileOptions, Loss};
use super::history::History;
use super::score::Mean;
use super::state::{Plan, Position, Samples};
use crate::error::{At, Error, ErrorKind, Result};
use crate::json::{Named, Object};
use crate::kernels::softmax::Score;
use crate::optimizers::{self, Adam, Optimizer};
use serde_json::{Value, json};
use std::sync::Arc;

/// Keras's name of the one loss there is.
const LOSS: &str = "sparse_categorical_crossentropy";
/// Keras's name of the one metric there is.
const ACCURACY: &str = "accuracy";

impl CompileOptions {
    /// These options as JSON.
    pub(crate) fn config(&self) -> Value {
        let metrics: &[&str] = if self.accuracy { &[ACCURACY] } else { &[] };
        json!({
            "optimizer": optimizers::config(&*self.optimizer),
            "loss": LOSS,
            "from_logits": self.loss == Loss::SparseCategoricalCrossentropyFromLogits,
            "metrics": metrics,
        })
    }

    /// The options that such an object describes. Whether they are in range is for the model to check.
    pub(crate) fn from_config(object: &Object<'_>) -> Result<Self> {
        object.only(&["optimizer", "loss", "from_logits", "metrics"])?;
        let optimizer = object.object("optimizer")?;
        let optimizer = match optimizer.has("config") {
            true => object.named("optimizer")?.map(|named| optimizers::read(&named)).transpose()?,
            false => Some(flat_adam(&optimizer)?),
        };
        let missing = || object.place(Error::new(ErrorKind::Format, "no optimizer"), "optimizer");
        let optimizer = optimizer.ok_or_else(missing)?;
        let loss = Loss::of(object.bool("from_logits")?);
        object.get("loss", LOSS, |value| (value == LOSS).then_some(()))?;
        let accuracy = CompileOptions::read_metrics(object.value("metrics")).at("key metrics")?;
        Ok(CompileOptions { optimizer, loss, accuracy })
    }
}

impl CompileOptions {
    /// Whether a list of metrics, as Keras serialises it, asks for accuracy.
    pub(crate) fn read_metrics(value: &Value) -> Result<bool> {
        let wrong = || Error::new(ErrorKind::Format, "wrong value").expected("a list of metrics");
        let list = match value {
            Value::Null => return Ok(false),
            value => value.as_array().ok_or_else(wrong)?,
        };
        let known = [ACCURACY, "acc", "Accuracy", "SparseCategoricalAccuracy", "sparse_categorical_accuracy"];
        for (i, value) in list.iter().enumerate() {
            let named = Named::read(value, format!("[{i}]"))?;
            if !known.contains(&named.class) {
                return Err(named.unknown("metric", &[ACCURACY]));
            }
        }
        match list.len() {
            0 | 1 => Ok(list.len() == 1),
            _ => Err(Error::new(ErrorKind::Format, "a metric is named twice").found(ACCURACY)),
        }
    }
}

impl Loss {
    fn of(from_logits: bool) -> Self {
        match from_logits {
            false => Loss::SparseCategoricalCrossentropy,
            true => Loss::SparseCategoricalCrossentropyFromLogits,
        }
    }

    /// The loss that Keras serialised so.
    pub(crate) fn read(named: &Named<'_>) -> Result<Self> {
        if ![LOSS, "SparseCategoricalCrossentropy"].contains(&named.class) {
            return Err(named.unknown("loss", &[LOSS]));
        }
        let config = &named.config;
        config.only(&["name", "reduction", "from_logits", "ignore_class", "dtype", "axis"])?;
        config.idle("ignore_class", |_| false, "null")?;
        config.idle("axis", |value| *value == -1, "-1")?;
        config.idle("reduction", |value| value == "sum_over_batch_size", "sum_over_batch_size")?;
        Ok(Loss::of(config.bool_or("from_logits", false)?))
    }
}

/// Adam as version 1 wrote it.
fn flat_adam(object: &Object<'_>) -> Result<Arc<dyn Optimizer>> {
    object.only(&["class_name", "learning_rate", "beta_1", "beta_2", "epsilon"])?;
    object.get("class_name", "Adam", |value| (value == "Adam").then_some(()))?;
    let adam = Adam {
        learning_rate: object.f64("learning_rate")?,
        beta_1: object.f64("beta_1")?,
        beta_2: object.f64("beta_2")?,
        epsilon: object.f64("epsilon")?,
        ..Adam::default()
    };
    Ok(Arc::new(adam))
}

impl Position {
    /// This position as JSON, without what the tensors hold.
    pub(crate) fn config(&self) -> Value {
        json!({
            "plan": self.plan.config(),
            "epoch": self.epoch,
            "batch": self.batch,
            "correct": self.mean.score.correct,
        })
    }

    /// The position that such an object describes, its history and its loss still missing; `steps` are those of the
    /// optimizer.
    pub(crate) fn from_config(object: &Object<'_>, steps: u64) -> Result<Self> {
        object.only(&["plan", "epoch", "batch", "correct"])?;
        let plan = Plan::from_config(&object.object("plan")?)?;
        let range = |key: &str, expected: String, found: u64| {
            let error = Error::new(ErrorKind::Format, "out of range").expected(expected).found(found);
            Err(object.place(error, key))
        };
        let (epoch, batch, correct) = (object.usize("epoch")?, object.usize("batch")?, object.usize("correct")?);
        if epoch < plan.initial_epoch {
            return range("epoch", format!("{} or more", plan.initial_epoch), epoch as u64);
        }
        if batch > plan.batches() {
            return range("batch", format!("at most {}", plan.batches()), batch as u64);
        }
        let samples = batch.saturating_mul(plan.batch_size).min(plan.data.count);
        if correct > samples {
            return range("correct", format!("at most {samples}"), correct as u64);
        }
        let mean = Mean { score: Score { loss: 0.0, correct }, samples };
        let position = Position { plan, epoch, batch, mean, history: History::default() };
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
        })
    }

    fn from_config(object: &Object<'_>) -> Result<Self> {
        object.only(&["data", "validation", "batch_size", "shuffle", "seed", "initial_epoch"])?;
        let data = Samples::from_config(&object.object("data")?)?;
        let validation = object.object_or_null("validation")?;
        let batch_size = object.get("batch_size", &format!("1 to {}", data.count), |value| {
            value.as_u64()?.try_into().ok().filter(|size| (1..=data.count).contains(size))
        })?;
        Ok(Plan {
            validation: validation.map(|object| Samples::from_config(&object)).transpose()?,
            data,
            batch_size,
            shuffle: object.bool("shuffle")?,
            seed: object.u64("seed")?,
            initial_epoch: object.usize("initial_epoch")?,
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
