//! Normalizations.

use crate::error::{Error, ErrorKind, Result};
use crate::onnx::import::Reader;
use crate::onnx::layout::{Value, channels_last, permuted};
use crate::onnx::proto::NodeProto;
use serde_json::json;

/// The numbers of an input, one for each channel.
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

/// By moving statistics of each channel.
pub fn batch<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let axis = value.axis(1)?;
    let channels = reader.dims(&value)?[0];
    let mut weights = Vec::new();
    for (input, name) in (1..).zip(["gamma", "beta", "moving_mean", "moving_variance"]) {
        let mut values = numbers(reader, node, input, channels)?;
        if let Some((sizes, order)) = &value.image {
            // A row that is an image lies in the network's order.
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

/// The value with its channels last, and how many there are.
fn channels<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<(Value, usize)> {
    let value = reader.value(node, 0)?;
    let value = reader.arrange(&value, &channels_last(value.order.len()))?;
    let channels = reader.dims(&value)?[0];
    Ok((value, channels))
}

/// Each channel of a sample by itself.
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
