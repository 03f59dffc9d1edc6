//! Normalizations.

use super::arithmetic::{near, scaled};
use super::shapes::{axes, places};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::import::Reader;
use crate::onnx::layout::{Value, channels_last, permuted};
use crate::onnx::proto::NodeProto;
use serde_json::json;

/// The values of an input, one per channel.
fn numbers<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, input: usize, channels: usize) -> Result<Vec<f32>> {
    let constant = reader.weights(node, input)?;
    let values = constant.floats()?;
    match values.len() == channels {
        true => Ok(values.to_vec()),
        false => {
            Err(Error::new(ErrorKind::Shape, "not as many numbers as channels").expected(channels).found(values.len()))
        }
    }
}

/// With moving statistics per channel.
pub fn batch<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let axis = value.axis(1)?;
    let channels = reader.dims(&value)?[0];
    let mut weights = Vec::new();
    for (input, name) in (1..).zip(["gamma", "beta", "moving_mean", "moving_variance"]) {
        let mut values = numbers(reader, node, input, channels)?;
        if let Some((sizes, order)) = &value.image {
            // A flattened image has the network's order.
            let dims: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
            values = permuted(&values, &dims, &crate::onnx::layout::inverse(order))?;
        }
        weights.push((name, values));
    }
    let axis = if axis + 1 == value.order.len() { -1 } else { axis as i64 + 1 };
    let config = json!({
        "axis": axis,
        "epsilon": node.float("epsilon").unwrap_or(1e-5),
        "momentum": node.float("momentum").unwrap_or(0.9),
    });
    let tensor = reader.layer("BatchNormalization", config, &[value.tensor], weights)?;
    reader.give(node, value.with(tensor));
    Ok(())
}

/// The value with channels last, and the number of channels.
fn channels<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<(Value, usize)> {
    let value = reader.value(node, 0)?;
    let value = reader.arrange(&value, &channels_last(value.order.len()))?;
    let channels = reader.dims(&value)?[0];
    Ok((value, channels))
}

/// Each channel of a sample on its own.
pub fn instance<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let (value, channels) = channels(reader, node)?;
    let weights = vec![("gamma", numbers(reader, node, 1, channels)?), ("beta", numbers(reader, node, 2, channels)?)];
    let config = json!({ "groups": channels, "epsilon": node.float("epsilon").unwrap_or(1e-5) });
    let tensor = reader.layer("GroupNormalization", config, &[value.tensor], weights)?;
    reader.give(node, value.with(tensor));
    Ok(())
}

/// Groups of channels; before opset 21 with one factor for each group.
pub fn group<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let (value, channels) = channels(reader, node)?;
    let groups = node.int("num_groups").and_then(|groups| usize::try_from(groups).ok()).filter(|&groups| groups > 0);
    let groups = groups.filter(|&groups| channels.is_multiple_of(groups)).ok_or_else(|| {
        let error = Error::new(ErrorKind::Format, "num_groups does not divide the channels");
        error.expected(format_args!("a divisor of {channels}"))
    })?;
    let mut weights = Vec::new();
    for (input, name) in [(1, "gamma"), (2, "beta")] {
        let values = match reader.opset < 21 {
            true => {
                let each = numbers(reader, node, input, groups)?;
                each.iter().flat_map(|&value| std::iter::repeat_n(value, channels / groups)).collect()
            }
            false => numbers(reader, node, input, channels)?,
        };
        weights.push((name, values));
    }
    let config = json!({ "groups": groups, "epsilon": node.float("epsilon").unwrap_or(1e-5) });
    let tensor = reader.layer("GroupNormalization", config, &[value.tensor], weights)?;
    reader.give(node, value.with(tensor));
    Ok(())
}

/// All axes from one on.
pub fn layer<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let value = reader.straight(&value)?;
    let (dims, first) = (reader.dims(&value)?, value.axis(node.int("axis").unwrap_or(-1))?);
    let len: usize = dims[first..].iter().product();
    let mut weights = vec![("gamma", numbers(reader, node, 1, len)?)];
    let center = node.input.get(2).is_some_and(|name| !name.is_empty());
    if center {
        weights.push(("beta", numbers(reader, node, 2, len)?));
    }
    let axes: Vec<usize> = (first..dims.len()).map(|axis| axis + 1).collect();
    let config = json!({ "axis": axes, "center": center, "epsilon": node.float("epsilon").unwrap_or(1e-5) });
    let tensor = reader.layer("LayerNormalization", config, &[value.tensor], weights)?;
    reader.give(node, value.with(tensor));
    Ok(())
}

/// A layer normalization starting at its mean, as PyTorch writes it before opset 17, if the mean is used so: `d = x -
/// mean(x)`, `d / sqrt(mean(d ^ 2) + epsilon) * gamma + beta`.
pub fn spelled_out<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<bool> {
    let value = reader.value(node, 0)?;
    let rank = value.order.len();
    let over = places(&axes(reader, node)?.unwrap_or_default(), rank + 1)?;
    let Some(&first) = over.first().filter(|&&first| first > 0 && over.iter().copied().eq(first..=rank)) else {
        return Ok(false);
    };
    let Some((epsilon, mut taken, division)) = standardization(reader, node)? else { return Ok(false) };
    let value = reader.straight(&value)?;
    let sizes = reader.dims(&value)?.split_off(first - 1);
    let mut last = division;
    let mut weights = Vec::new();
    for (operator, name) in [("Mul", "gamma"), ("Add", "beta")] {
        let Some((number, next)) = reader.next(last).filter(|(_, next)| next.op_type == operator) else { continue };
        let Some(side) = (0..2).find(|&side| reader.is_known_constant(next, side)) else { continue };
        let constant = reader.weights(next, side)?;
        if constant.dims.ends_with(&sizes) && constant.len() == sizes.iter().product::<usize>() {
            weights.push((name, constant.floats()?.to_vec()));
            taken.push(number);
            last = next;
        }
    }
    taken.into_iter().for_each(|number| reader.take_over(number));
    let has = |name: &str| weights.iter().any(|(of, _)| *of == name);
    let config = json!({ "axis": over, "epsilon": epsilon, "scale": has("gamma"), "center": has("beta") });
    let tensor = reader.layer("LayerNormalization", config, &[value.tensor], weights)?;
    reader.give(last, value.with(tensor));
    Ok(true)
}

/// From a mean to the division by the standard deviation: the epsilon added to the variance, the numbers of the nodes
/// after the mean, and the division.
fn standardization<'f>(
    reader: &mut Reader<'f>,
    mean: &'f NodeProto,
) -> Result<Option<(f64, Vec<usize>, &'f NodeProto)>> {
    let follow = |reader: &Reader<'f>, node: &NodeProto, operator: &str| {
        reader.next(node).filter(|(_, next)| next.op_type == operator)
    };
    let Some((first, deviation)) = follow(reader, mean, "Sub") else { return Ok(None) };
    let difference = deviation.output.first().map_or("", String::as_str);
    if deviation.input.first() != mean.input.first() || reader.takers(difference).count() > 3 {
        return Ok(None);
    }
    let square = reader.takers(difference).find(|(_, taker)| matches!(&taker.op_type[..], "Pow" | "Mul"));
    let Some((second, square)) = square else { return Ok(None) };
    let squared = match &square.op_type[..] {
        "Pow" => scaled(reader, square)?.is_some_and(|(_, power)| near(power, 2.0)),
        _ => square.input.iter().all(|name| name == difference),
    };
    let Some((third, variance)) = follow(reader, square, "ReduceMean").filter(|_| squared) else { return Ok(None) };
    if axes(reader, variance)? != axes(reader, mean)? {
        return Ok(None);
    }
    let Some((fourth, sum)) = follow(reader, variance, "Add") else { return Ok(None) };
    let Some((_, epsilon)) = scaled(reader, sum)? else { return Ok(None) };
    let Some((fifth, root)) = follow(reader, sum, "Sqrt") else { return Ok(None) };
    let Some((sixth, division)) = follow(reader, root, "Div") else { return Ok(None) };
    let others = reader.takers(difference).filter(|(number, _)| ![second, sixth].contains(number)).count();
    let fits = division.input.first().is_some_and(|name| name == difference) && others == 0;
    Ok(fits.then(|| (epsilon, vec![first, second, third, fourth, fifth, sixth], division)))
}
