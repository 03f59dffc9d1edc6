//! Activations and elementwise layers.

use super::shapes::view;
use super::source::{Source, float};
use super::{Activation, Call, Result, Shape};
use crate::layers::axis_of;
use serde_json::Value;

/// An activation of `x`, a value of that shape.
pub fn activation(activation: Activation, shape: &Shape, x: &str, y: &str, source: &mut Source) -> Result<()> {
    let (classes, count) = (shape.dims().last().copied().unwrap_or(1), shape.len());
    match activation {
        Activation::Softmax => source.call("softmax", "prefix_softmax", &[&classes, &1, &count, &x, &y]),
        Activation::LogSoftmax => source.call("log_softmax", "prefix_log_softmax", &[&classes, &count, &x, &y]),
        _ => {
            let name = activation.name();
            source.need(name);
            source.call("map", "prefix_map", &[&format_args!("prefix_{name}"), &count, &x, &y]);
        }
    }
    Ok(())
}

/// Over another axis than the last.
pub fn softmax(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let axis = axis_of(call.config.get("axis", "an axis", Value::as_i64)?, call.inputs[0])?;
    let dims = call.inputs[0].dims();
    let behind: usize = dims[axis + 1..].iter().product();
    source.call("softmax", "prefix_softmax", &[&dims[axis], &behind, &call.output.len(), &call.x[0], &call.y]);
    Ok(())
}

pub fn relu(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let number = |key: &str| call.config.f64(key).map(|x| float(x as f32));
    let most = match call.config.has("max_value") {
        true => number("max_value")?,
        false => {
            source.need("number_of");
            "prefix_number_of(0x7f800000U)".to_string() // infinite
        }
    };
    let (slope, threshold) = (number("negative_slope")?, number("threshold")?);
    let arguments: [&dyn std::fmt::Display; 6] = [&slope, &threshold, &most, &call.output.len(), &call.x[0], &call.y];
    source.call("bounded_relu", "prefix_bounded_relu", &arguments);
    Ok(())
}

pub fn leaky_relu(call: &Call<'_>, source: &mut Source) -> Result<()> {
    scaled(call, "negative_slope", "leaky", source)
}

pub fn elu(call: &Call<'_>, source: &mut Source) -> Result<()> {
    scaled(call, "alpha", "scaled_elu", source)
}

/// A function of each element and the number under `key`.
fn scaled(call: &Call<'_>, key: &str, piece: &str, source: &mut Source) -> Result<()> {
    let number = float(call.config.f64(key)? as f32);
    source.call(piece, &format!("prefix_{piece}"), &[&number, &call.output.len(), &call.x[0], &call.y]);
    Ok(())
}

pub fn prelu(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let dims = call.inputs[0].dims();
    let shared = |axis: usize| {
        let axes = call.config.value("shared_axes").as_array();
        axes.is_some_and(|axes| axes.iter().any(|shared| shared.as_u64() == Some(axis as u64 + 1)))
    };
    let shape: Vec<usize> = dims.iter().enumerate().map(|(i, &size)| if shared(i) { 1 } else { size }).collect();
    let view = view(&shape, dims, source)?;
    let alpha = source.array(&call.what("alpha"), call.kernel()?.iter().copied())?;
    source.call("prelu", "prefix_prelu", &[&view, &alpha, &call.output.len(), &call.x[0], &call.y]);
    Ok(())
}

pub fn rescaling(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let [scale, offset] = [call.config.f64("scale")?, call.config.f64("offset")?].map(|x| float(x as f32));
    source.call("rescale", "prefix_rescale", &[&scale, &offset, &call.output.len(), &call.x[0], &call.y]);
    Ok(())
}
