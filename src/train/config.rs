//! How a model is trained, and how far a fit has come, as JSON.
//!
//! ```text
//! "compile": {"optimizer": {"class_name": "Adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999,
//!                           "epsilon": 1e-7},
//!             "loss": "sparse_categorical_crossentropy", "from_logits": false, "metrics": ["accuracy"]},
//! "fit": {"plan": {"data": {"count": 60000, "fingerprint": "..."}, "validation": null, "batch_size": 32,
//!                  "shuffle": true, "seed": 0, "initial_epoch": 0},
//!         "epoch": 1, "batch": 500, "correct": 15731}
//! ```
//!
//! What may be NaN or has to come back to the bit is no JSON: losses and histories are tensors of the file.

use super::evaluate::Mean;
use super::history::History;
use super::options::{AdamOptions, CompileOptions, Loss, Optimizer};
use super::state::{Plan, Position, Samples};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::json::Object;
use crate::kernels::softmax::Score;
use serde_json::{Value, json};

/// Keras's name of the one loss there is.
const LOSS: &str = "sparse_categorical_crossentropy";
/// Keras's name of the one metric there is.
const ACCURACY: &str = "accuracy";

impl CompileOptions {
    /// These options as JSON.
    pub(super) fn config(&self) -> Value {
        let Optimizer::Adam(AdamOptions { learning_rate, beta_1, beta_2, epsilon }) = self.optimizer;
        let metrics: &[&str] = if self.accuracy { &[ACCURACY] } else { &[] };
        json!({
            "optimizer": {
                "class_name": "Adam",
                "learning_rate": learning_rate,
                "beta_1": beta_1,
                "beta_2": beta_2,
                "epsilon": epsilon,
            },
            "loss": LOSS,
            "from_logits": self.loss == Loss::SparseCategoricalCrossentropyFromLogits,
            "metrics": metrics,
        })
    }

    /// The options that such an object describes. Whether they are in range is for the model to check.
    pub(super) fn from_config(object: &Object<'_>) -> Result<Self> {
        object.only(&["optimizer", "loss", "from_logits", "metrics"])?;
        let unknown = |object: &Object<'_>, key: &str, expected: &str, found: &str| {
            let error = Error::new(ErrorKind::Unsupported, "unknown name").expected(expected).found(printable(found));
            Err(object.place(error, key))
        };
        let adam = object.object("optimizer")?;
        match adam.str("class_name")? {
            "Adam" => adam.only(&["class_name", "learning_rate", "beta_1", "beta_2", "epsilon"])?,
            other => return unknown(&adam, "class_name", "Adam", other),
        }
        let loss = match (object.str("loss")?, object.bool("from_logits")?) {
            (LOSS, false) => Loss::SparseCategoricalCrossentropy,
            (LOSS, true) => Loss::SparseCategoricalCrossentropyFromLogits,
            (other, _) => return unknown(object, "loss", LOSS, other),
        };
        let metrics = object.get("metrics", "a list of names", |value| {
            value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
        })?;
        if let Some(other) = metrics.iter().find(|name| **name != ACCURACY) {
            return unknown(object, "metrics", ACCURACY, other);
        }
        if metrics.len() > 1 {
            let error = Error::new(ErrorKind::Format, "a metric is named twice").found(ACCURACY);
            return Err(object.place(error, "metrics"));
        }
        let optimizer = Optimizer::Adam(AdamOptions {
            learning_rate: adam.f64("learning_rate")?,
            beta_1: adam.f64("beta_1")?,
            beta_2: adam.f64("beta_2")?,
            epsilon: adam.f64("epsilon")?,
        });
        Ok(CompileOptions { optimizer, loss, accuracy: !metrics.is_empty() })
    }
}

impl Position {
    /// This position as JSON, without what the tensors hold.
    pub(super) fn config(&self) -> Value {
        json!({
            "plan": self.plan.config(),
            "epoch": self.epoch,
            "batch": self.batch,
            "correct": self.mean.score.correct,
        })
    }

    /// The position that such an object describes, its history and its loss still missing; `steps` are those of the
    /// optimizer.
    pub(super) fn from_config(object: &Object<'_>, steps: u64) -> Result<Self> {
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
    pub(super) fn config(&self) -> Value {
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
