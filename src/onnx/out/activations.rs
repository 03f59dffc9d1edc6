//! Elementwise functions and softmax.

use super::{LayerCall, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::export::Attribute::{self, Float, Int};
use crate::onnx::export::{Form, Value, Writer, moved};
use crate::onnx::layout::permuted;
use serde_json::Value as Json;

/// Writes an activation of `x`, whose last axis in the network is `axis` in the file.
pub fn activate(w: &mut Writer, s: &LayerCall<'_>, activation: &str, x: String, axis: i64) -> Result<String> {
    let name = &s.name;
    let mut node = |operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]| {
        Ok(w.node(name, operator, inputs, attributes))
    };
    match activation {
        "linear" => Ok(x),
        "relu" => node("Relu", &[&x], &[]),
        "softmax" => node("Softmax", &[&x], &[("axis", Int(axis))]),
        "log_softmax" => node("LogSoftmax", &[&x], &[("axis", Int(axis))]),
        "celu" => node("Celu", &[&x], &[]),
        "elu" => node("Elu", &[&x], &[]),
        "exponential" => node("Exp", &[&x], &[]),
        "sigmoid" => node("Sigmoid", &[&x], &[]),
        "tanh" => node("Tanh", &[&x], &[]),
        "softplus" => node("Softplus", &[&x], &[]),
        "softsign" => node("Softsign", &[&x], &[]),
        "selu" => node("Selu", &[&x], &[("alpha", Float(1.673_263_2)), ("gamma", Float(1.050_701))]),
        "leaky_relu" => node("LeakyRelu", &[&x], &[("alpha", Float(0.2))]),
        "hard_sigmoid" => node("HardSigmoid", &[&x], &[("alpha", Float(1.0 / 6.0)), ("beta", Float(0.5))]),
        "sparse_sigmoid" => node("HardSigmoid", &[&x], &[("alpha", Float(0.5)), ("beta", Float(0.5))]),
        "hard_silu" => node("HardSwish", &[&x], &[]),
        "hard_shrink" => node("Shrink", &[&x], &[("lambd", Float(0.5)), ("bias", Float(0.0))]),
        "soft_shrink" => node("Shrink", &[&x], &[("lambd", Float(0.5)), ("bias", Float(0.5))]),
        "silu" => {
            let sigmoid = node("Sigmoid", &[&x], &[])?;
            node("Mul", &[&x, &sigmoid], &[])
        }
        "mish" => {
            let softplus = node("Softplus", &[&x], &[])?;
            let tanh = node("Tanh", &[&softplus], &[])?;
            node("Mul", &[&x, &tanh], &[])
        }
        "tanh_shrink" => {
            let tanh = node("Tanh", &[&x], &[])?;
            node("Sub", &[&x, &tanh], &[])
        }
        "log_sigmoid" => {
            let less = node("Neg", &[&x], &[])?;
            let softplus = node("Softplus", &[&less], &[])?;
            node("Neg", &[&softplus], &[])
        }
        "hard_tanh" => clip(w, s, &x, -1.0, 1.0),
        "relu6" => clip(w, s, &x, 0.0, 6.0),
        // The form that PyTorch writes and other programs recognize.
        "gelu" => {
            let scaled = scalar(w, s, "Div", x.clone(), std::f64::consts::SQRT_2)?;
            let erf = w.node(name, "Erf", &[&scaled], &[]);
            let more = scalar(w, s, "Add", erf, 1.0)?;
            let product = w.node(name, "Mul", &[&x, &more], &[]);
            scalar(w, s, "Mul", product, 0.5)
        }
        // The square of the part between 0 and 1, and the part above.
        "sparse_plus" => {
            let inside = node("HardSigmoid", &[&x], &[("alpha", Float(0.5)), ("beta", Float(0.5))])?;
            let square = node("Mul", &[&inside, &inside], &[])?;
            let above = scalar(w, s, "Sub", x, 1.0)?;
            let above = w.node(name, "Relu", &[&above], &[]);
            Ok(w.node(name, "Add", &[&square, &above], &[]))
        }
        "squareplus" => {
            let square = node("Mul", &[&x, &x], &[])?;
            let more = scalar(w, s, "Add", square, 4.0)?;
            let root = w.node(name, "Sqrt", &[&more], &[]);
            let sum = w.node(name, "Add", &[&x, &root], &[]);
            scalar(w, s, "Mul", sum, 0.5)
        }
        other => {
            let error = Error::new(ErrorKind::Unsupported, "the activation cannot be expressed in ONNX");
            Err(error.found(other.to_string()))
        }
    }
}

fn clip(w: &mut Writer, s: &LayerCall<'_>, x: &str, least: f64, most: f64) -> Result<String> {
    let (least, most) = (w.float(&s.of("min"), least)?, w.float(&s.of("max"), most)?);
    Ok(w.node(&s.name, "Clip", &[x, &least, &most], &[]))
}

/// `ReLU` with a largest value, a slope below and a threshold.
pub fn relu(w: &mut Writer, s: &LayerCall<'_>, x: String) -> Result<String> {
    let (most, slope) = (s.config.get("max_value").and_then(Json::as_f64), s.number("negative_slope")?);
    let threshold = s.number("threshold")?;
    let y = match (slope, threshold) {
        (0.0, 0.0) if most.is_some() => return clip(w, s, &x, 0.0, most.unwrap_or_default()),
        (0.0, 0.0) => w.node(&s.name, "Relu", &[&x], &[]),
        (slope, 0.0) => w.node(&s.name, "LeakyRelu", &[&x], &[("alpha", Float(slope))]),
        (0.0, threshold) => w.node(&s.name, "ThresholdedRelu", &[&x], &[("alpha", Float(threshold))]),
        (slope, threshold) => {
            let above = w.node(&s.name, "ThresholdedRelu", &[&x], &[("alpha", Float(threshold))]);
            let below = scalar(w, s, "Sub", x.clone(), threshold)?;
            let below = scalar(w, s, "Min", below, 0.0)?;
            let below = scalar(w, s, "Mul", below, slope)?;
            w.node(&s.name, "Add", &[&above, &below], &[])
        }
    };
    match most {
        None => Ok(y),
        Some(most) if threshold <= most => scalar(w, s, "Min", y, most),
        Some(most) => {
            let most = w.float(&s.of("most"), most)?;
            let below = w.node(&s.name, "Less", &[&x, &most], &[]);
            Ok(w.node(&s.name, "Where", &[&below, &y, &most], &[]))
        }
    }
}

pub fn prelu(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let (alpha, shape) = s.kernel("alpha")?;
    let call = s.input()?;
    let first = w.value(call).made == Form::First && w.value(call).image.is_none();
    let (x, slope, form) = match first {
        true => {
            let order = moved(&(0..shape.len()).collect::<Vec<_>>());
            let slope = w.floats(&s.of("alpha"), &moved(shape), &permuted(alpha, shape, &order)?)?;
            (w.get(call, Form::First)?, slope, Form::First)
        }
        false => (w.get(call, Form::Last)?, w.floats(&s.of("alpha"), shape, alpha)?, Form::Last),
    };
    Ok(s.gives(w.node(&s.name, "PRelu", &[&x, &slope], &[]), form))
}

pub fn softmax(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let axis = s.axis(s.int("axis")?, w.value(call).dims.len());
    let x = w.get(call, Form::Last)?;
    Ok(s.gives(w.node(&s.name, "Softmax", &[&x], &[("axis", Int(axis as i64 + 1))]), Form::Last))
}
