//! The options that every optimizer has, as in Keras: a learning-rate schedule, gradient accumulation, gradient
//! clipping, a moving average of the weights.
//!
//! With gradient accumulation, steps are counted after accumulation: the step's number for the moments' bias
//! correction, and the average's interval. A schedule counts batches, and the average is updated after each batch.

use super::schedules::{self, Schedule};
use super::{Average, Clipping, Optimizer, Setting, check, clipping, number};
use crate::error::{At, Result};
use crate::json::Object;
use crate::kernels::{AdamStep, Isa};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Keras's keys, besides those of clipping.
const KEYS: [&str; 4] = ["use_ema", "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"];

/// Keras's keys.
pub(super) fn keys() -> Vec<&'static str> {
    [&clipping::KEYS[..], &KEYS].concat()
}

/// These options. By default none is set.
#[derive(Clone, Debug, Default)]
pub struct CommonOptions {
    /// The schedule of the learning rate.
    pub schedule: Option<Arc<dyn Schedule>>,
    /// The clipping of gradients.
    pub clipping: Clipping,
    /// The moving average of the weights.
    pub average: Option<Average>,
    /// The number of batches over which gradients are accumulated, 2 or more: a step uses their mean.
    pub accumulation: Option<u64>,
}

impl CommonOptions {
    /// Reads them from a config.
    pub(super) fn read(config: &Object<'_>) -> Result<Self> {
        let count = |key: &str| {
            config.or(key, None, "a whole number, or null", |value| match value {
                Value::Null => Some(None),
                value => value.as_u64().map(|count| (count > 0).then_some(count)),
            })
        };
        let use_ema = config.or("use_ema", false, "true or false", |value| match value {
            Value::Null => Some(false),
            value => value.as_bool(),
        })?;
        let schedule = match config.value("learning_rate").is_object() {
            true => config.named("learning_rate")?.map(|named| schedules::read(&named)).transpose()?,
            false => None,
        };
        let average = || -> Result<Average> {
            Ok(Average {
                momentum: number(config, "ema_momentum", 0.99)?,
                overwrite: count("ema_overwrite_frequency")?,
            })
        };
        Ok(CommonOptions {
            schedule,
            clipping: Clipping::read(config)?,
            average: use_ema.then(average).transpose()?,
            accumulation: count("gradient_accumulation_steps")?,
        })
    }

    /// `optimizer` with these options.
    pub fn put(self, optimizer: Arc<dyn Optimizer>) -> Arc<dyn Optimizer> {
        match self.schedule.is_none() && self.is_plain() {
            true => optimizer,
            false => Arc::new(WithCommonOptions { optimizer, common: self }),
        }
    }

    /// Whether a step needs only its own parameter's gradient of this batch.
    fn is_plain(&self) -> bool {
        !self.clipping.is_some() && self.average.is_none() && self.accumulation.is_none()
    }

    /// The names of its slots for each weight.
    fn slots(&self) -> impl Iterator<Item = &'static str> {
        let average = self.average.map(|_| "average");
        average.into_iter().chain(self.accumulation.map(|_| "gradient_accumulator"))
    }

    fn check(&self) -> Result<()> {
        let momentum = |average: Average| -> Setting {
            ("ema_momentum", average.momentum, (0.0..=1.0).contains(&average.momentum), "0 to 1")
        };
        let batches =
            |batches: u64| -> Setting { ("gradient_accumulation_steps", batches as f64, batches > 1, "2 or more") };
        let settings: Vec<Setting> =
            self.average.map(momentum).into_iter().chain(self.accumulation.map(batches)).collect();
        check(&settings)?;
        self.clipping.check()?;
        self.schedule.as_ref().map_or(Ok(()), |schedule| schedule.check()).at("option `learning_rate`")
    }

    fn write(&self, config: &mut Map<String, Value>) {
        let mut set = |key: &str, value: Value| config.insert(key.to_string(), value);
        if let Some(schedule) = &self.schedule {
            set("learning_rate", schedules::config(&**schedule));
        }
        if let Some(Average { momentum, overwrite }) = self.average {
            set("use_ema", json!(true));
            set("ema_momentum", json!(momentum));
            set("ema_overwrite_frequency", json!(overwrite));
        }
        if let Some(batches) = self.accumulation {
            set("gradient_accumulation_steps", json!(batches));
        }
        self.clipping.write(config);
    }
}

/// An optimizer with such options. Its moments are the optimizer's own, then the average, then the accumulated
/// gradients.
#[derive(Debug)]
pub struct WithCommonOptions {
    optimizer: Arc<dyn Optimizer>,
    common: CommonOptions,
}

impl Optimizer for WithCommonOptions {
    fn class(&self) -> &'static str {
        self.optimizer.class()
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.optimizer.config();
        self.common.write(&mut config);
        config
    }

    fn check(&self) -> Result<()> {
        self.common.check()?;
        self.optimizer.check()
    }

    fn learning_rate(&self) -> f64 {
        self.optimizer.learning_rate()
    }

    fn schedule(&self) -> Option<&dyn Schedule> {
        self.common.schedule.as_deref()
    }

    fn slots(&self) -> Vec<&'static str> {
        self.optimizer.slots().into_iter().chain(self.common.slots()).collect()
    }

    fn beginning(&self, slot: &str) -> f32 {
        self.optimizer.beginning(slot)
    }

    fn average(&self) -> Option<usize> {
        self.common.average.map(|_| self.optimizer.slots().len())
    }

    fn clipping(&self) -> Clipping {
        self.common.clipping
    }

    fn fused(&self, rate: f64, number: u64) -> Option<AdamStep> {
        self.optimizer.fused(rate, number).filter(|_| self.common.is_plain())
    }

    fn batches(&self) -> u64 {
        self.common.accumulation.unwrap_or(1)
    }

    fn gather(&self, number: u64, gradient: &mut [f32], slots: &mut [&mut [f32]]) {
        let Some((batches, sums)) = self.common.accumulation.zip(slots.last_mut()) else { return };
        let pairs = gradient.iter_mut().zip(sums.iter_mut());
        match number.is_multiple_of(batches) {
            true => pairs.for_each(|(g, sum)| (*g, *sum) = ((*g + *sum) / batches as f32, 0.0)),
            false => pairs.for_each(|(g, sum)| *sum += *g),
        }
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        let (own, common) = slots.split_at_mut(slots.len() - self.common.slots().count());
        let batches = self.batches();
        if number.is_multiple_of(batches) {
            self.optimizer.step(isa, rate, number / batches, gradient, w, own);
        }
        if let Some((average, slot)) = self.common.average.zip(common.first_mut()) {
            average.take(isa, (number - 1) / batches, w, slot);
        }
    }
}
