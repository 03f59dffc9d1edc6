//! The optimizers: one file each, and a line in `OPTIMIZERS`.
//!
//! An optimizer keeps some moments for each weight and has a [`Rule`], the arithmetic of its step on a vector of
//! weights. Most take the step in a separate pass over a stored gradient. Where it is faster, the kernels take it while
//! the gradient is in registers ([`Optimizer::fused`]): the tutorial's network is limited by memory bandwidth, so
//! Adam's step costs only loading and storing its moments.
//!
//! The options that all of Keras's optimizers have are in `common`: a [`Schedule`] of the learning rate, gradient
//! clipping and accumulation, a moving average of the weights.
//!
//! To add one: its file, with its settings, its rule and its formula's source, and its line here.

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod adamw;
mod average;
mod betas;
mod clipping;
mod common;
mod ftrl;
mod lion;
mod nadam;
mod rmsprop;
pub mod schedules;
mod sgd;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use average::Average;
pub use betas::Betas;
pub use clipping::Clipping;
pub use common::{CommonOptions, WithCommonOptions};
pub use ftrl::Ftrl;
pub use lion::Lion;
pub use nadam::Nadam;
pub use rmsprop::RmsProp;
pub use schedules::Schedule;
pub use sgd::Sgd;

use crate::error::{Error, ErrorKind, Result};
use crate::json::{Named, Object};
use crate::kernels::rule::{MOST_SLOTS, Rule, step_by};
use crate::kernels::{AdamStep, Isa, Lanes, Simd};
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::sync::Arc;

/// An optimizer with its settings.
pub trait Optimizer: Debug + Send + Sync {
    /// Keras's name of the class, `SGD`.
    fn class(&self) -> &'static str;

    /// The settings that are numbers, by Keras's keys.
    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    /// The settings that are true or false.
    fn flags(&self) -> Vec<(&'static str, bool)> {
        Vec::new()
    }

    /// Keras's keys and their values.
    fn config(&self) -> Map<String, Value> {
        write(self.settings(), self.flags())
    }

    /// An error for a setting out of its range.
    fn check(&self) -> Result<()> {
        check(&self.settings())
    }

    /// The learning rate, if there is no schedule.
    fn learning_rate(&self) -> f64;

    /// The schedule of the learning rate.
    fn schedule(&self) -> Option<&dyn Schedule> {
        None
    }

    /// The learning rate of a batch after `steps` earlier ones.
    fn rate(&self, steps: u64) -> f64 {
        self.schedule().map_or_else(|| self.learning_rate(), |schedule| schedule.rate(steps))
    }

    /// The names of its moments, in the order that steps take them; at most [`MOST_SLOTS`] for a rule.
    fn slots(&self) -> Vec<&'static str>;

    /// The initial value of a moment.
    fn beginning(&self, _slot: &str) -> f32 {
        0.0
    }

    /// The index of the moment that is the weights' moving average, if there is one: it replaces the weights at the end
    /// of a fit.
    fn average(&self) -> Option<usize> {
        None
    }

    /// The clipping of gradients.
    fn clipping(&self) -> Clipping {
        Clipping::default()
    }

    /// The step `number`, counted from 1, for kernels that apply it directly. `None`: only [`step`](Self::step).
    fn fused(&self, _rate: f64, _number: u64) -> Option<AdamStep> {
        None
    }

    /// The number of batches over which gradients are accumulated: batches whose number, counted from 1, is a multiple
    /// of it end with a step.
    fn batches(&self) -> u64 {
        1
    }

    /// With accumulation: turns the gradient of batch `number` into the one for [`step`](Self::step), before clipping.
    fn gather(&self, _number: u64, _gradient: &mut [f32], _slots: &mut [&mut [f32]]) {}

    /// Updates weights and moments by the gradient of batch `number`.
    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]);
}

/// Reads an optimizer from its config, not checked yet.
type Read = fn(&Object<'_>) -> Result<Arc<dyn Optimizer>>;

/// Class, Keras's keys of its own, reader.
type Entry = (&'static str, &'static [&'static str], Read);

/// Every optimizer there is.
const OPTIMIZERS: &[Entry] = &[
    adadelta::ENTRY,
    adagrad::ENTRY,
    adam::ENTRY,
    adamax::ENTRY,
    adamw::ENTRY,
    ftrl::ENTRY,
    lion::ENTRY,
    nadam::ENTRY,
    rmsprop::ENTRY,
    sgd::ENTRY,
];

/// Keys that all of them have, besides those of [`CommonOptions`].
const COMMON: &[&str] = &["name", "learning_rate", "weight_decay", "loss_scale_factor"];

/// Reads an optimizer as Keras serializes it, and checks the ranges of its settings.
///
/// # Errors
/// They name the key: `Unsupported` for an unknown class or setting, `Format` for a value of another type,
/// `InvalidArgument` for one out of its range.
pub fn read(named: &Named<'_>) -> Result<Arc<dyn Optimizer>> {
    let Some((_, keys, read)) = OPTIMIZERS.iter().find(|(class, ..)| class.eq_ignore_ascii_case(named.class)) else {
        let known: Vec<&str> = OPTIMIZERS.iter().map(|(class, ..)| *class).collect();
        return Err(named.unknown("optimizer", &known));
    };
    let config = &named.config;
    config.only(&[COMMON, &common::keys(), keys].concat())?;
    config.idle("loss_scale_factor", |_| false, "null")?;
    let optimizer = CommonOptions::read(config)?.put(read(config)?);
    optimizer.check()?;
    Ok(optimizer)
}

/// Keras's form of an optimizer.
pub fn config(optimizer: &dyn Optimizer) -> Value {
    json!({ "class_name": optimizer.class(), "config": optimizer.config() })
}

/// Keras's learning rate and weight decay, as most optimizers have them.
fn rate(config: &Object<'_>, default: f64) -> Result<f64> {
    match config.value("learning_rate").is_object() {
        true => Ok(default), // a schedule gives it
        false => config.or("learning_rate", default, "a number or a schedule", Value::as_f64),
    }
}

fn decay(config: &Object<'_>, default: f64) -> Result<f64> {
    config.or(
        "weight_decay",
        default,
        "a number, or null",
        |value| {
            if value.is_null() { Some(0.0) } else { value.as_f64() }
        },
    )
}

/// A setting, or its default.
fn number(config: &Object<'_>, key: &str, default: f64) -> Result<f64> {
    config.or(key, default, "a number", Value::as_f64)
}

/// Settings as Keras writes them: no weight decay is null, and whole numbers of steps are integers.
fn write(settings: Vec<Setting>, flags: Vec<(&'static str, bool)>) -> Map<String, Value> {
    let number = |(key, value, ..): Setting| match key {
        "weight_decay" if value == 0.0 => (key, Value::Null),
        _ if key.ends_with("_steps") && value.fract() == 0.0 && (0.0..1e15).contains(&value) => {
            (key, json!(value as u64))
        }
        _ => (key, json!(value)),
    };
    let flags = flags.into_iter().map(|(key, value)| (key, json!(value)));
    settings.into_iter().map(number).chain(flags).map(|(key, value)| (key.to_string(), value)).collect()
}

/// A setting's name, its value, whether it is in range, and the range.
pub type Setting = (&'static str, f64, bool, &'static str);

fn check(settings: &[Setting]) -> Result<()> {
    match settings.iter().find(|(_, value, good, _)| !good || !value.is_finite()) {
        None => Ok(()),
        Some((name, value, _, expected)) => Err(Error::new(ErrorKind::InvalidArgument, "out of range")
            .expected(expected)
            .found(value)
            .at(format_args!("option `{name}`"))),
    }
}

fn rate_in_range(rate: f64) -> Setting {
    not_negative("learning_rate", rate)
}

fn decay_in_range(decay: f64) -> Setting {
    not_negative("weight_decay", decay)
}

fn not_negative(name: &'static str, value: f64) -> Setting {
    (name, value, value >= 0.0, "0 or more")
}

fn fraction(name: &'static str, value: f64) -> Setting {
    (name, value, (0.0..1.0).contains(&value), "0 or more and below 1")
}

/// A divisor must not become 0 in float32.
fn epsilon_in_range(epsilon: f64) -> Setting {
    ("epsilon", epsilon, epsilon as f32 > 0.0, "above 0 (in float32)")
}

/// A rule with decoupled weight decay: weights first shrink by the factor `learning_rate * weight_decay` (Loshchilov
/// and Hutter 2019), as every optimizer of Keras's does that has a `weight_decay`.
#[derive(Clone, Copy)]
struct Decayed<R> {
    rule: R,
    minus: f32,
}

impl<R: Rule> Rule for Decayed<R> {
    const SLOTS: usize = R::SLOTS;
    #[inline(always)]
    fn apply<V: Simd>(&self, g: Lanes<V>, w: Lanes<V>, slots: &mut [Lanes<V>; MOST_SLOTS]) -> Lanes<V> {
        self.rule.apply(g, w.fma(w.all(self.minus), w), slots)
    }
}

/// Updates weights by a rule, after weight decay.
fn step_decayed<R: Rule>(isa: Isa, rule: R, decay: f64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
    step_by(isa, &Decayed { rule, minus: -decay as f32 }, gradient, w, slots);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Arc<dyn Optimizer>> {
        read(&Named::read(&crate::json::parse(text)?, "optimizer".to_string())?)
    }

    #[test]
    fn what_a_bare_name_means_is_written_and_read_back() {
        for (class, ..) in OPTIMIZERS {
            let optimizer = made(&format!("'{}'", class.to_lowercase())).unwrap();
            let said = config(&*optimizer);
            assert_eq!(said["class_name"], *class);
            assert_eq!(config(&*made(&said.to_string()).unwrap()), said);
            assert!(optimizer.slots().len() <= MOST_SLOTS);
            assert!(crate::golden::holds(class), "{class}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let schedule = |class: &str, config: &str| {
            format!("{{class_name: 'SGD', config: {{learning_rate: {{class_name: '{class}', config: {{{config}}}}}}}}}")
        };
        let of = |class: &str, config: &str| format!("{{class_name: '{class}', config: {{{config}}}}}");
        let exponential = "initial_learning_rate: 0.1, decay_rate: 0.5, decay_steps: ";
        use ErrorKind::{Format, InvalidArgument, Unsupported};
        for (text, kind, expected) in [
            (of("Lamb", ""), Unsupported, "key optimizer.class_name: unknown optimizer"),
            (of("Adagrad", "beta_1: 0.9"), Unsupported, "key optimizer.config.beta_1: unknown key"),
            (of("SGD", "loss_scale_factor: 2"), Unsupported, "key optimizer.config.loss_scale_factor: not supported"),
            (of("Adagrad", "epsilon: 0"), InvalidArgument, "option `epsilon`: out of range"),
            (
                of("Adagrad", "initial_accumulator_value: -1"),
                InvalidArgument,
                "option `initial_accumulator_value`: out of range: expected 0 or more, found -1",
            ),
            (of("Adadelta", "rho: 1"), InvalidArgument, "option `rho`: out of range"),
            (of("Lion", "beta_1: 0"), InvalidArgument, "option `beta_1`: out of range: expected above 0 and at most 1"),
            (of("Ftrl", "learning_rate: 0"), InvalidArgument, "option `learning_rate`: out of range: expected above 0"),
            (of("Ftrl", "learning_rate_power: 0.5"), InvalidArgument, "option `learning_rate_power`: out of range"),
            (of("SGD", "use_ema: true, ema_momentum: 1.5"), InvalidArgument, "option `ema_momentum`: out of range"),
            (of("SGD", "use_ema: 1"), Format, "key optimizer.config.use_ema: wrong value"),
            (
                of("SGD", "use_ema: true, ema_overwrite_frequency: -1"),
                Format,
                "key optimizer.config.ema_overwrite_frequency: wrong value: expected a whole number, or null",
            ),
            (
                of("SGD", "gradient_accumulation_steps: 1"),
                InvalidArgument,
                "option `gradient_accumulation_steps`: out of range: expected 2 or more, found 1",
            ),
            (of("SGD", "clipnorm: 0"), InvalidArgument, "option `clipnorm`: out of range"),
            (of("SGD", "learning_rate: 'CosineDecay'"), Format, "key optimizer.config.learning_rate: wrong value"),
            (
                schedule("Cosine", ""),
                Unsupported,
                "key optimizer.config.learning_rate.class_name: unknown schedule: expected one of CosineDecay, ",
            ),
            (
                schedule("CosineDecay", "initial_learning_rate: 0.1"),
                Format,
                "key optimizer.config.learning_rate.config.decay_steps: missing key",
            ),
            (
                schedule("CosineDecay", "initial_learning_rate: 0.1, decay_steps: 1, t_mul: 1"),
                Unsupported,
                "key optimizer.config.learning_rate.config.t_mul: unknown key",
            ),
            (
                schedule("ExponentialDecay", &format!("{exponential}0")),
                InvalidArgument,
                "option `learning_rate`: option `decay_steps`: out of range: expected above 0, found 0",
            ),
            (
                schedule("CosineDecayRestarts", "initial_learning_rate: 0.1, first_decay_steps: 5, t_mul: 0.5"),
                InvalidArgument,
                "option `learning_rate`: option `t_mul`: out of range",
            ),
            (
                schedule("PiecewiseConstantDecay", "boundaries: [2, 1], values: [1, 1, 1]"),
                InvalidArgument,
                "option `learning_rate`: option `boundaries`: out of order",
            ),
            (
                schedule("PiecewiseConstantDecay", "boundaries: [1, 2], values: [1, 1]"),
                InvalidArgument,
                "option `learning_rate`: option `values`: not one more than boundaries: expected 3, found 2",
            ),
        ] {
            let error = made(&text).unwrap_err();
            assert!(error.kind() == kind && error.to_string().starts_with(expected), "{text}: {error}");
        }
    }

    /// Every rule with edge-case values, compared as bits.
    #[test]
    fn every_set_takes_the_same_steps() {
        const LEN: usize = 37;
        let all = OPTIMIZERS.iter().map(|(class, ..)| format!("'{class}'"));
        let more = ["{class_name: 'Ftrl', config: {learning_rate_power: -0.3, l1_regularization_strength: 0.2}}"];
        for text in all.chain(more.map(String::from)) {
            let optimizer = made(&text).unwrap();
            let run = |isa: Isa| {
                let mut w = crate::kernels::numbers(1, LEN);
                let mut slots: Vec<Vec<f32>> =
                    optimizer.slots().iter().map(|slot| vec![optimizer.beginning(slot); LEN]).collect();
                for number in 1..5 {
                    let mut gradient = crate::kernels::numbers(number, LEN);
                    (gradient[0], gradient[1], gradient[2], gradient[3]) = (0.0, -0.0, 1e-30, 1e30);
                    let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(|slot| &mut slot[..]).collect();
                    optimizer.step(isa, 0.1, number, &gradient, &mut w, &mut slots);
                }
                assert!(slots.iter().flatten().chain(&w).all(|x| !x.is_subnormal()), "{text} {isa:?}");
                slots.iter().flatten().chain(&w).map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            let portable = run(Isa::PORTABLE);
            for isa in Isa::available() {
                assert_eq!(run(isa), portable, "{text} {isa:?}");
            }
        }
    }
}
