//! `LayerNormalization` and `GroupNormalization`: normalize each sample with its own means and variances
//! ([`row_normalization`](super::row_normalization)).

use super::row_normalization::{Row, RowNormalization, Settings};
use super::spec::{axis_of, read_parameter};
use super::{Arity, BuildContext, Config, Entry, Initializer, Layer, Parameter, Regularizer, Work, last_axis};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const LAYER: Entry = Entry {
    class: "LayerNormalization",
    arity: Arity::One,
    keys: &[
        "axis",
        "epsilon",
        "center",
        "scale",
        "rms_scaling",
        "beta_initializer",
        "gamma_initializer",
        "beta_regularizer",
        "gamma_regularizer",
        "beta_constraint",
        "gamma_constraint",
    ],
    read: |config| {
        config.idle("rms_scaling", |value| value == false, "false")?;
        let axes = config.or("axis", vec![-1], "a whole number, or a list of such", |value| match value {
            Value::Array(list) if !list.is_empty() => list.iter().map(Value::as_i64).collect(),
            value => Some(vec![value.as_i64()?]),
        })?;
        Ok(Arc::new(LayerNormalization { axes, common: Common::read(config)? }))
    },
};

pub(super) const GROUP: Entry = Entry {
    class: "GroupNormalization",
    arity: Arity::One,
    keys: &[
        "groups",
        "axis",
        "epsilon",
        "center",
        "scale",
        "beta_initializer",
        "gamma_initializer",
        "beta_regularizer",
        "gamma_regularizer",
        "beta_constraint",
        "gamma_constraint",
    ],
    read: |config| {
        let groups =
            config.or("groups", Some(32), "a whole number, 1 or more, or -1 for a group each", |value| match value
                .as_i64()?
            {
                -1 => Some(None),
                groups => usize::try_from(groups).ok().filter(|&groups| groups > 0).map(Some),
            })?;
        let axis = config.or("axis", -1, "a whole number", Value::as_i64)?;
        Ok(Arc::new(GroupNormalization { groups, axis, common: Common::read(config)? }))
    },
};

/// The options of both.
#[derive(Debug)]
struct Common {
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: (Initializer, Regularizer),
    gamma: (Initializer, Regularizer),
}

impl Common {
    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(Common {
            epsilon: config.f64_or("epsilon", 1e-3, "a number, 0 or more", |x| x >= 0.0)?,
            center: config.bool_or("center", true)?,
            scale: config.bool_or("scale", true)?,
            beta: read_parameter(config, "beta", Initializer::ZEROS)?,
            gamma: read_parameter(config, "gamma", Initializer::ONES)?,
        })
    }

    fn config(&self, config: Config) -> Map<String, Value> {
        config
            .with("epsilon", self.epsilon)
            .with("center", self.center)
            .with("scale", self.scale)
            .parameter("beta", &self.beta.0, self.beta.1)
            .parameter("gamma", &self.gamma.0, self.gamma.1)
            .done()
    }

    fn parameters(&self, shape: &[usize]) -> Vec<Parameter> {
        let parameter = |wanted: bool, name, (initializer, regularizer): &(Initializer, Regularizer)| {
            wanted.then(|| Parameter::trainable(name, shape.to_vec(), initializer.clone(), *regularizer))
        };
        let gamma = parameter(self.scale, "gamma", &self.gamma);
        gamma.into_iter().chain(parameter(self.center, "beta", &self.beta)).collect()
    }

    /// The work on rows, along the last axis.
    fn work(&self, row: Row, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let Common { epsilon, center, scale, .. } = *self;
        let settings = Settings { row, epsilon: epsilon as f32, scaled: scale, centered: center };
        Ok(Box::new(RowNormalization::new(settings, context)?))
    }
}

#[derive(Debug)]
struct LayerNormalization {
    /// Keras's, which count the batch.
    axes: Vec<i64>,
    common: Common,
}

impl LayerNormalization {
    /// The axes, in order: one, or all from one on.
    fn axes(&self, input: &Shape) -> Result<Vec<usize>> {
        let mut axes = self.axes.iter().map(|&axis| axis_of(axis, input)).collect::<Result<Vec<_>>>()?;
        axes.sort_unstable();
        let once = axes.is_sorted_by(|a, b| a < b);
        let trailing = axes.iter().rev().zip((0..input.dims().len()).rev()).all(|(&axis, last)| axis == last);
        match once && (trailing || axes.len() == 1) {
            true => Ok(axes),
            false => Err(Error::new(ErrorKind::Unsupported, "axes that are not supported")
                .expected("one axis, or all from one on")
                .found(format_args!("{:?} of {input}", self.axes))),
        }
    }
}

impl Layer for LayerNormalization {
    fn class(&self) -> &'static str {
        LAYER.class
    }

    fn config(&self) -> Map<String, Value> {
        self.common.config(Config::new().with("axis", json!(self.axes)).with("rms_scaling", false))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        self.axes(inputs[0])?;
        Ok(inputs[0].clone())
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let Ok(axes) = self.axes(inputs[0]) else { return Vec::new() };
        let shape: Vec<usize> = axes.iter().map(|&axis| inputs[0].dims()[axis]).collect();
        self.common.parameters(&shape)
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let axes = self.axes(context.inputs[0])?;
        let channels = axes.iter().map(|&axis| context.inputs[0].dims()[axis]).product();
        let build = |context: &BuildContext<'_>| self.common.work(Row { pixels: 1, channels, groups: 1 }, context);
        match axes[..] {
            [axis] => last_axis::along(axis, context, build),
            _ => build(context),
        }
    }
}

#[derive(Debug)]
struct GroupNormalization {
    /// `None`: as many as channels.
    groups: Option<usize>,
    /// Keras's, which counts the batch.
    axis: i64,
    common: Common,
}

impl Layer for GroupNormalization {
    fn class(&self) -> &'static str {
        GROUP.class
    }

    fn config(&self) -> Map<String, Value> {
        let groups = self.groups.map_or(json!(-1), |groups| json!(groups));
        self.common.config(Config::new().with("groups", groups).with("axis", self.axis))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let channels = inputs[0].dims()[axis_of(self.axis, inputs[0])?];
        match self.groups.is_none_or(|groups| channels.is_multiple_of(groups)) {
            true => Ok(inputs[0].clone()),
            false => Err(Error::new(ErrorKind::Shape, "the groups do not divide the channels")
                .expected(format_args!("a divisor of {channels}"))
                .found(self.groups.unwrap_or_default())),
        }
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let Ok(axis) = axis_of(self.axis, inputs[0]) else { return Vec::new() };
        self.common.parameters(&[inputs[0].dims()[axis]])
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let axis = axis_of(self.axis, context.inputs[0])?;
        let channels = context.inputs[0].dims()[axis];
        let pixels = context.input_len() / channels;
        let row = Row { pixels, channels, groups: self.groups.unwrap_or(channels) };
        last_axis::along(axis, context, |context| self.common.work(row, context))
    }
}
