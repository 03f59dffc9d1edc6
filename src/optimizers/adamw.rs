//! AdamW, Loshchilov and Hutter 2019: Adam whose weights decay by default, by 0.004 of themselves times the learning rate.

use super::adam::{self, Adam};
use super::betas::Betas;
use super::{Entry, Optimizer, Setting};
use crate::kernels::{AdamStep, Isa};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = ("AdamW", &["beta_1", "beta_2", "epsilon", "amsgrad"], |config| {
    Ok(Arc::new(AdamW(adam::read(config, WEIGHT_DECAY)?)))
});

/// Keras's default.
const WEIGHT_DECAY: f64 = 0.004;

/// Adam's settings, `weight_decay` among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW(pub Adam);

impl Default for AdamW {
    fn default() -> Self {
        AdamW(Adam { betas: Betas { weight_decay: WEIGHT_DECAY, ..Betas::default() }, amsgrad: false })
    }
}

impl Optimizer for AdamW {
    fn class(&self) -> &'static str {
        "AdamW"
    }

    fn settings(&self) -> Vec<Setting> {
        self.0.settings()
    }

    fn flags(&self) -> Vec<(&'static str, bool)> {
        self.0.flags()
    }

    fn config(&self) -> Map<String, Value> {
        let mut config = self.0.config();
        config.insert("weight_decay".into(), json!(self.0.betas.weight_decay));
        config
    }

    fn learning_rate(&self) -> f64 {
        self.0.betas.learning_rate
    }

    fn slots(&self) -> Vec<&'static str> {
        self.0.slots()
    }

    fn fused(&self, rate: f64, number: u64) -> Option<AdamStep> {
        self.0.fused(rate, number)
    }

    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
        self.0.step(isa, rate, number, gradient, w, slots);
    }
}
