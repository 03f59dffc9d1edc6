//! What turns gradients into steps: a file each, and a line in `OPTIMIZERS`.
//!
//! An optimizer keeps some moments for each weight and has a [`Rule`], the arithmetic of its step on
//! a vector of weights. Most take the step in a pass of its own over a gradient that was kept. Where it pays the kernels
//! take it while the gradient is in registers ([`Optimizer::fused`]): in the tutorial's network, whose pace is set by
//! memory, Adam's step so costs nothing but its moments' way in and out.
//!
//! To add one: its file, with its config, its rule and its formula's source, and its line here.

mod adam;
mod adamw;
mod clipping;
mod rmsprop;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use clipping::Clipping;
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::error::{Error, ErrorKind, Result};
use crate::json::{Named, Object};
use crate::kernels::rule::{MOST_SLOTS, Rule, step_by};
use crate::kernels::{AdamStep, Isa, Simd};
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::sync::Arc;

/// An optimizer with its settings.
pub trait Optimizer: Debug + Send + Sync {
    /// Keras's name of the class, `SGD`.
    fn class(&self) -> &'static str;

    /// Keras's keys and their values.
    fn config(&self) -> Map<String, Value>;

    /// An error for a setting out of its range.
    fn check(&self) -> Result<()>;

    /// The length of a step.
    fn learning_rate(&self) -> f64;

    /// What its moments are called, in the order in which steps take them; at most [`MOST_SLOTS`].
    fn slots(&self) -> Vec<&'static str>;

    /// What is done to gradients before.
    fn clipping(&self) -> Clipping {
        Clipping::default()
    }

    /// The step number `number`, counted from 1, in the form that kernels take at once. `None`: only [`step`](Self::step).
    fn fused(&self, _rate: f64, _number: u64) -> Option<AdamStep> {
        None
    }

    /// Takes weights the step number `number` on, with their moments, by their gradient.
    fn step(&self, isa: Isa, rate: f64, number: u64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]);
}

/// An optimizer out of its config, not checked yet.
type Read = fn(&Object<'_>) -> Result<Arc<dyn Optimizer>>;

/// Class, Keras's keys of its own, reader.
type Entry = (&'static str, &'static [&'static str], Read);

/// Every optimizer there is.
const OPTIMIZERS: &[Entry] = &[adam::ENTRY, adamw::ENTRY, rmsprop::ENTRY, sgd::ENTRY];

/// Keys that all of them have.
const COMMON: &[&str] = &[
    "name",
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
];

/// The optimizer that Keras serialised so, its settings in their ranges.
pub fn read(named: &Named<'_>) -> Result<Arc<dyn Optimizer>> {
    let Some((_, keys, read)) = OPTIMIZERS.iter().find(|(class, ..)| class.eq_ignore_ascii_case(named.class)) else {
        let known: Vec<&str> = OPTIMIZERS.iter().map(|(class, ..)| *class).collect();
        return Err(named.unknown("optimizer", &known));
    };
    let config = &named.config;
    config.only(&[COMMON, keys].concat())?;
    for key in ["loss_scale_factor", "gradient_accumulation_steps"] {
        config.idle(key, |_| false, "null")?;
    }
    config.idle("use_ema", |value| value == false, "false")?;
    let (mut optimizer, clipping) = (read(config)?, Clipping::read(config)?);
    if clipping.is_some() {
        optimizer = Arc::new(clipping::Clipped { optimizer, clipping });
    }
    optimizer.check()?;
    Ok(optimizer)
}

/// Keras's form of an optimizer.
pub fn config(optimizer: &dyn Optimizer) -> Value {
    serde_json::json!({ "class_name": optimizer.class(), "config": optimizer.config() })
}

/// Keras's learning rate and weight decay, as most optimizers have them.
fn rate(config: &Object<'_>, default: f64) -> Result<f64> {
    config.idle("learning_rate", |value| !value.is_object(), "a number; there are no schedules yet")?;
    config.or("learning_rate", default, "a number", Value::as_f64)
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

/// What `check` looks at: a setting's name, its value, whether it is in range, and the range.
type Setting = (&'static str, f64, bool, &'static str);

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
    ("learning_rate", rate, rate >= 0.0, "0 or more")
}

fn decay_in_range(decay: f64) -> Setting {
    ("weight_decay", decay, decay >= 0.0, "0 or more")
}

fn fraction(name: &'static str, value: f64) -> Setting {
    (name, value, (0.0..1.0).contains(&value), "0 or more and below 1")
}

/// What divides must not vanish as float32.
fn epsilon_in_range(epsilon: f64) -> Setting {
    ("epsilon", epsilon, epsilon as f32 > 0.0, "above 0 (in float32)")
}

/// A rule whose weights shrink first, by `learning_rate * weight_decay` of themselves (Loshchilov and Hutter 2019), as every
/// optimizer of Keras's does that has a `weight_decay`.
#[derive(Clone, Copy)]
struct Decayed<R> {
    rule: R,
    minus: f32,
}

impl<R: Rule> Rule for Decayed<R> {
    const SLOTS: usize = R::SLOTS;
    #[inline(always)]
    unsafe fn apply<V: Simd>(&self, g: V, w: V, slots: &mut [V; MOST_SLOTS]) -> V {
        // SAFETY: the caller's.
        unsafe { self.rule.apply(g, w.fma(V::splat(self.minus), w), slots) }
    }
}

/// Takes weights a step on by a rule, after `decay` of them at a learning rate.
fn step_decayed<R: Rule>(isa: Isa, rule: R, decay: f64, gradient: &[f32], w: &mut [f32], slots: &mut [&mut [f32]]) {
    step_by(isa, &Decayed { rule, minus: -decay as f32 }, gradient, w, slots);
}
