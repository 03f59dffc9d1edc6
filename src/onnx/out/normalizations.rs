//! Normalizations.

use super::LayerCall;
use crate::error::Result;
use crate::onnx::export::Attribute::{Float, Int, Ints};
use crate::onnx::export::{Form, Value, Writer};
use crate::onnx::layout::inverse;
use serde_json::Value as Json;

/// As the operator if the axis is the last one or the first after the batch; otherwise by a factor and an offset.
pub fn batch_normalization(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let rank = w.value(call).dims.len();
    let axis = s.axis(s.int("axis")?, rank);
    let (mean, shape) = s.kernel("moving_mean")?;
    let (variance, _) = s.kernel("moving_variance")?;
    let epsilon = s.number("epsilon")?;
    let gamma = s.weight("gamma").map_or(vec![1.0; mean.len()], |(gamma, _)| gamma.to_vec());
    let beta = s.weight("beta").map_or(vec![0.0; mean.len()], |(beta, _)| beta.to_vec());
    let form = if axis + 1 == rank && rank > 1 { Form::First } else { Form::Last };
    let x = w.get(call, form)?;
    if form == Form::First || axis == 0 {
        let mut inputs = vec![x];
        for (name, values) in
            [("gamma", &gamma[..]), ("beta", &beta), ("moving_mean", mean), ("moving_variance", variance)]
        {
            inputs.push(w.floats(&s.of(name), shape, values)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [("epsilon", Float(epsilon)), ("momentum", Float(s.number("momentum")?))];
        return Ok(s.gives(w.node(&s.name, "BatchNormalization", &inputs, &attributes), form));
    }
    let scale = |i: usize| f64::from(gamma[i]) / (f64::from(variance[i]) + epsilon).sqrt();
    let factors: Vec<f32> = (0..mean.len()).map(|i| scale(i) as f32).collect();
    let sums: Vec<f32> = (0..mean.len()).map(|i| (f64::from(beta[i]) - f64::from(mean[i]) * scale(i)) as f32).collect();
    let dims = along(axis, rank, mean.len());
    let (factors, sums) = (w.floats(&s.of("scale"), &dims, &factors)?, w.floats(&s.of("shift"), &dims, &sums)?);
    let y = w.node(&s.name, "Mul", &[&x, &factors], &[]);
    Ok(s.gives(w.node(&s.name, "Add", &[&y, &sums], &[]), form))
}

/// The sizes of a tensor that is broadcast over all axes but one.
fn along(axis: usize, rank: usize, len: usize) -> Vec<usize> {
    (0..rank).map(|i| if i == axis { len } else { 1 }).collect()
}

pub fn normalization(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let rank = w.value(call).dims.len();
    let numbers = |key: &str| -> Vec<f64> {
        match s.config.get(key) {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_f64).collect(),
            Some(one) => one.as_f64().into_iter().collect(),
            None => Vec::new(),
        }
    };
    let axis = s.config.get("axis").and_then(|axis| axis.get(0)).and_then(Json::as_i64);
    let dims = |len: usize| match axis {
        Some(axis) if len > 1 => along(s.axis(axis, rank), rank, len),
        _ => vec![1; rank],
    };
    let means: Vec<f32> = numbers("mean").iter().map(|&mean| mean as f32).collect();
    let deviations: Vec<f32> = numbers("variance").iter().map(|&variance| (variance as f32).sqrt().max(1e-7)).collect();
    let means = w.floats(&s.of("mean"), &dims(means.len()), &means)?;
    let deviations = w.floats(&s.of("deviation"), &dims(deviations.len()), &deviations)?;
    let x = w.get(call, Form::Last)?;
    let [first, second] =
        if s.flag("invert") { [("Mul", deviations), ("Add", means)] } else { [("Sub", means), ("Div", deviations)] };
    let y = w.node(&s.name, first.0, &[&x, &first.1], &[]);
    Ok(s.gives(w.node(&s.name, second.0, &[&y, &second.1], &[]), Form::Last))
}

/// With ONNX's InstanceNormalization: a group's channels are one channel.
pub fn group_normalization(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let dims = w.value(call).dims.clone();
    let rank = dims.len();
    let axis = s.axis(s.int("axis")?, rank);
    let channels = dims[axis];
    let groups = match s.int("groups")? {
        -1 => channels,
        groups => groups as usize,
    };
    // The axis after the batch.
    let first = axis + 1 == rank && rank > 1;
    let mut order: Vec<usize> = (0..rank).filter(|&i| i != axis).collect();
    order.insert(0, axis);
    let x = match first {
        true => w.get(call, Form::First)?,
        false => {
            let x = w.get(call, Form::Last)?;
            turned(w, s, &x, &order)
        }
    };
    let sizes: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let rows = w.reshape(&s.name, &x, &[groups, sizes.iter().product::<usize>() / groups]);
    let (ones, zeros) = (
        w.floats(&s.of("ones"), &[groups], &vec![1.0; groups])?,
        w.floats(&s.of("zeros"), &[groups], &vec![0.0; groups])?,
    );
    let rows =
        w.node(&s.name, "InstanceNormalization", &[&rows, &ones, &zeros], &[("epsilon", Float(s.number("epsilon")?))]);
    let mut y = w.reshape(&s.name, &rows, &sizes);
    for (name, operator) in [("gamma", "Mul"), ("beta", "Add")] {
        if let Some((values, _)) = s.weight(name) {
            let values = w.floats(&s.of(name), &along(0, rank, channels), values)?;
            y = w.node(&s.name, operator, &[&y, &values], &[]);
        }
    }
    match first {
        true => Ok(s.gives(y, Form::First)),
        false => Ok(s.gives(turned(w, s, &y, &inverse(&order)), Form::Last)),
    }
}

pub fn layer_normalization(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let dims = w.value(call).dims.clone();
    let rank = dims.len();
    let axes = s.config.get("axis").and_then(Json::as_array);
    let axes =
        axes.map(|axes| axes.iter().filter_map(Json::as_i64).collect()).unwrap_or(vec![s.int("axis").unwrap_or(-1)]);
    let axes: Vec<usize> = axes.into_iter().map(|axis| s.axis(axis, rank)).collect();
    // With the normalized axes last.
    let order: Vec<usize> =
        (0..rank).filter(|axis| !axes.contains(axis)).chain((0..rank).filter(|axis| axes.contains(axis))).collect();
    let sizes: Vec<usize> = order[rank - axes.len()..].iter().map(|&axis| dims[axis]).collect();
    let gamma = s.weight("gamma").map_or(vec![1.0; sizes.iter().product()], |(gamma, _)| gamma.to_vec());
    let mut inputs = vec![w.get(call, Form::Last)?];
    if !order.is_sorted() {
        inputs[0] = turned(w, s, &inputs[0], &order);
    }
    inputs.push(w.floats(&s.of("gamma"), &sizes, &gamma)?);
    if let Some((beta, _)) = s.weight("beta") {
        inputs.push(w.floats(&s.of("beta"), &sizes, beta)?);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = [("axis", Int(-(axes.len() as i64))), ("epsilon", Float(s.number("epsilon")?))];
    let y = w.node(&s.name, "LayerNormalization", &inputs, &attributes);
    Ok(s.gives(if order.is_sorted() { y } else { turned(w, s, &y, &inverse(&order)) }, Form::Last))
}

/// A node that transposes samples.
fn turned(w: &mut Writer, s: &LayerCall<'_>, x: &str, order: &[usize]) -> String {
    let order: Vec<i64> = std::iter::once(0).chain(order.iter().map(|&axis| axis as i64 + 1)).collect();
    w.node(&s.name, "Transpose", &[x], &[("perm", Ints(order))])
}
