//! Operators with windows over images or rows, and operators that change images' borders and sizes.

use super::shapes::{axes, places};
use super::{bias, ending, is_positive, kernel_and_bias, normalizations, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Tensor;
use crate::kernels::window::{Axis, Padding};
use crate::onnx::import::Reader;
use crate::onnx::layout::{Value, channels_last, permuted, with_last};
use crate::onnx::proto::NodeProto;
use serde_json::{Value as Json, json};

/// The largest accepted size, stride or padding.
const LARGEST: i64 = 1 << 24;

/// The window options of the axes except the channels'.
struct WindowOptions {
    inputs: Vec<usize>,
    sizes: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    /// Before and after each axis.
    pads: Vec<[usize; 2]>,
}

/// An attribute with a list of sizes, or `default` repeated.
fn sizes(node: &NodeProto, name: &str, len: usize, default: usize, least: i64) -> Result<Vec<usize>> {
    let Some(list) = node.ints(name).filter(|list| !list.is_empty()) else { return Ok(vec![default; len]) };
    let good = list.len() == len && list.iter().all(|size| (least..=LARGEST).contains(size));
    match good {
        true => Ok(list.iter().map(|&size| size as usize).collect()),
        false => Err(Error::new(ErrorKind::Unsupported, format!("wrong {name}"))
            .expected(format_args!("{len} numbers from {least} to {LARGEST}"))
            .found(format_args!("{:?}", &list[..list.len().min(8)]))),
    }
}

impl WindowOptions {
    fn read(node: &NodeProto, inputs: &[usize], sizes_: Vec<usize>) -> Result<Self> {
        let len = inputs.len();
        let (strides, dilations) = (sizes(node, "strides", len, 1, 1)?, sizes(node, "dilations", len, 1, 1)?);
        let mut windows =
            WindowOptions { inputs: inputs.to_vec(), sizes: sizes_, strides, dilations, pads: vec![[0; 2]; len] };
        match node.text("auto_pad").unwrap_or("NOTSET") {
            "VALID" => (),
            "NOTSET" => {
                let pads = sizes(node, "pads", 2 * len, 0, 0)?;
                windows.pads = (0..len).map(|i| [pads[i], pads[len + i]]).collect();
            }
            same @ ("SAME_UPPER" | "SAME_LOWER") => {
                let mut pads = Vec::new();
                for i in 0..len {
                    let [before, behind] = windows.same(i)?;
                    pads.push(if same == "SAME_UPPER" { [before, behind] } else { [behind, before] });
                }
                windows.pads = pads;
            }
            other => return Err(unsupported("wrong auto_pad", "NOTSET, VALID, SAME_UPPER or SAME_LOWER", other)),
        }
        Ok(windows)
    }

    /// The padding of Keras's `same` along an axis.
    fn same(&self, i: usize) -> Result<[usize; 2]> {
        let axis = Axis::new(self.inputs[i], self.sizes[i], self.strides[i], self.dilations[i], Padding::Same);
        let axis = axis.ok_or_else(|| Error::internal("a window of size 0"))?;
        Ok([axis.before, axis.after])
    }

    /// Keras's name for the padding, if it has one.
    fn padding(&self) -> Result<Option<&'static str>> {
        if self.pads.iter().all(|pads| *pads == [0, 0]) {
            return Ok(Some("valid"));
        }
        for (i, pads) in self.pads.iter().enumerate() {
            if *pads != self.same(i)? {
                let span = (self.sizes[i] - 1) * self.dilations[i];
                return Ok((self.pads.len() == 1 && *pads == [span, 0]).then_some("causal"));
            }
        }
        Ok(Some("same"))
    }
}

/// The value with channels last, as images or rows.
fn image<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<Value> {
    let value = reader.value(node, 0)?;
    match value.order.len() {
        rank @ (2 | 3) => reader.arrange(&value, &channels_last(rank)),
        rank => Err(unsupported("windows over another number of axes", "rank 3 or 4", rank + 1)),
    }
}

/// The value with zero padding; rows are treated as images of one row.
fn padded<'f>(reader: &mut Reader<'f>, value: &Value, pads: &[[usize; 2]]) -> Result<Tensor> {
    let border = |rows: [usize; 2], columns: [usize; 2]| json!({ "padding": [rows, columns] });
    if let &[rows, columns] = pads {
        return reader.layer("ZeroPadding2D", border(rows, columns), &[value.tensor], Vec::new());
    }
    let (sizes, pads) = (reader.sizes(value)?, pads.first().copied().unwrap_or_default());
    let (&[steps, channels],) = (&sizes[..],) else { return Err(Error::internal("rows of another rank")) };
    let x = reader.layer("Reshape", json!({ "target_shape": [1, steps, channels] }), &[value.tensor], Vec::new())?;
    let x = reader.layer("ZeroPadding2D", border([0, 0], pads), &[x], Vec::new())?;
    let steps = steps + pads[0] + pads[1];
    reader.layer("Reshape", json!({ "target_shape": [steps, channels] }), &[x], Vec::new())
}

/// A convolution's own bias.
fn own_bias<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, filters: usize) -> Result<Option<Vec<f32>>> {
    match reader.constant(node, 2)? {
        None => Ok(None),
        Some(bias) if bias.len() == filters => Ok(Some(bias.floats()?.to_vec())),
        Some(bias) => Err(Error::new(ErrorKind::Shape, "wrong number of biases").expected(filters).found(bias.len())),
    }
}

/// Kernels `[F, C / groups, ...]` to `[..., C / groups, F]`.
pub fn convolution<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = image(reader, node)?;
    let (dims, rank) = (reader.dims(&value)?, value.order.len());
    let weights = reader.weights(node, 1)?;
    if weights.dims.len() != rank + 1 || weights.dims.contains(&0) {
        return Err(unsupported(
            "a kernel that does not fit",
            "as many axes as its input",
            format_args!("{:?}", weights.dims),
        ));
    }
    let (filters, channels) = (weights.dims[0], dims[0]);
    let groups = node.int("group").and_then(|groups| usize::try_from(groups).ok()).unwrap_or(1).max(1);
    let slice =
        channels.checked_div(groups).filter(|slice| slice * groups == channels && filters.is_multiple_of(groups));
    if slice != Some(weights.dims[1]) {
        let error = Error::new(ErrorKind::Shape, "a kernel that does not fit its input's channels");
        return Err(error
            .expected(format_args!("{channels} channels"))
            .found(format_args!("{:?} in {groups} groups", weights.dims)));
    }
    let windows = WindowOptions::read(node, &dims[1..], weights.dims[2..].to_vec())?;
    let (padding, input) = match windows.padding()? {
        Some("causal") if groups > 1 => ("valid", padded(reader, &value, &windows.pads)?),
        Some(padding) => (padding, value.tensor),
        None => ("valid", padded(reader, &value, &windows.pads)?),
    };
    let depthwise = rank == 3 && groups > 1 && groups == channels && windows.strides[0] == windows.strides[1];
    let (own, last) = match own_bias(reader, node, filters)? {
        Some(own) => (Some(own), node),
        None => bias(reader, node, filters, 0, rank)?,
    };
    let (activation, last) = ending(reader, last, rank);
    let mut config = json!({
        "kernel_size": windows.sizes,
        "strides": windows.strides,
        "dilation_rate": windows.dilations,
        "padding": padding,
        "use_bias": own.is_some(),
        "activation": activation,
    });
    let (class, kernel) = match depthwise {
        true => {
            config["depth_multiplier"] = json!(filters / groups);
            let dims = [channels, filters / groups, weights.dims[2], weights.dims[3]];
            ("DepthwiseConv2D", permuted(weights.floats()?, &dims, &[2, 3, 0, 1])?)
        }
        false => {
            config["filters"] = json!(filters);
            config["groups"] = json!(groups);
            let order: Vec<usize> = (2..=rank).chain([1, 0]).collect();
            (if rank == 3 { "Conv2D" } else { "Conv1D" }, permuted(weights.floats()?, &weights.dims, &order)?)
        }
    };
    let tensor = reader.layer(class, config, &[input], kernel_and_bias(kernel, own))?;
    reader.give(last, Value { positive: is_positive(activation), ..value.with(tensor) });
    Ok(())
}

/// Kernels `[C, F, kh, kw]` to `[kh, kw, F, C]`. For padding that Keras does not have, the output is cropped.
pub fn transposed_convolution<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = image(reader, node)?;
    let (dims, rank) = (reader.dims(&value)?, value.order.len());
    let weights = reader.weights(node, 1)?;
    if rank != 3 || weights.dims.len() != 4 || weights.dims.contains(&0) || weights.dims[0] != dims[0] {
        return Err(unsupported(
            "a kernel that does not fit",
            "channels, filters, rows, columns",
            format_args!("{:?}", weights.dims),
        ));
    }
    if node.int("group").unwrap_or(1) != 1 || node.ints("output_shape").is_some() {
        return Err(unsupported("groups or an output_shape", "1 group", node.int("group").unwrap_or(1)));
    }
    if !matches!(node.text("auto_pad").unwrap_or("NOTSET"), "NOTSET" | "VALID") {
        return Err(unsupported(
            "auto_pad of a transposed convolution",
            "pads",
            node.text("auto_pad").unwrap_or_default(),
        ));
    }
    let filters = weights.dims[1];
    let windows = WindowOptions::read(node, &dims[1..], weights.dims[2..].to_vec())?;
    let more = sizes(node, "output_padding", 2, 0, 0)?;
    let mut outputs = Vec::new();
    for i in 0..2 {
        let reached = (dims[1 + i] - 1)
            .saturating_mul(windows.strides[i])
            .saturating_add((windows.sizes[i] - 1) * windows.dilations[i] + 1);
        let output =
            (reached + more[i]).checked_sub(windows.pads[i][0] + windows.pads[i][1]).filter(|&output| output > 0);
        outputs.push(output.ok_or_else(|| Error::new(ErrorKind::Shape, "nothing is left of the output"))?);
    }
    let axis = |i: usize, padding: Padding| {
        let axis =
            Axis::transposed(dims[1 + i], windows.sizes[i], windows.strides[i], windows.dilations[i], padding, None)?;
        (axis.input == outputs[i]).then_some([axis.before, axis.after])
    };
    // The crop: before as much as the padding there, after it the rest.
    let same = (0..2).all(|i| axis(i, Padding::Same).is_some_and(|pads| pads[0] == windows.pads[i][0]));
    let own = own_bias(reader, node, filters)?;
    let config = json!({
        "filters": filters,
        "kernel_size": windows.sizes,
        "strides": windows.strides,
        "dilation_rate": windows.dilations,
        "padding": if same { "same" } else { "valid" },
        "use_bias": own.is_some(),
    });
    let kernel = permuted(weights.floats()?, &weights.dims, &[2, 3, 1, 0])?;
    let mut tensor = reader.layer("Conv2DTranspose", config, &[value.tensor], kernel_and_bias(kernel, own))?;
    let given = reader.graph.shape(tensor)?.dims().to_vec();
    if given[..2] != outputs[..] {
        let cropped = |i: usize| {
            let behind = given[i].checked_sub(outputs[i])?.checked_sub(windows.pads[i][0])?;
            Some([windows.pads[i][0], behind])
        };
        let (Some(rows), Some(columns)) = (cropped(0), cropped(1)) else {
            return Err(unsupported(
                "an output_padding that the windows do not reach",
                "less",
                format_args!("{more:?}"),
            ));
        };
        tensor = reader.layer("Cropping2D", json!({ "cropping": [rows, columns] }), &[tensor], Vec::new())?;
    }
    reader.give(node, value.with(tensor));
    Ok(())
}

pub fn pooling<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, kind: &str) -> Result<()> {
    let value = image(reader, node)?;
    let (dims, rank) = (reader.dims(&value)?, value.order.len());
    let axes = rank - 1;
    if node.ints("kernel_shape").is_none() {
        return Err(Error::new(ErrorKind::Format, "no kernel_shape"));
    }
    let windows = WindowOptions::read(node, &dims[1..], sizes(node, "kernel_shape", axes, 1, 1)?)?;
    if windows.dilations.iter().any(|&dilation| dilation != 1) {
        return Err(unsupported("a pool with dilations", "1", format_args!("{:?}", windows.dilations)));
    }
    let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
    let over = |i: usize| {
        (dims[1 + i] + windows.pads[i][0] + windows.pads[i][1]).saturating_sub(windows.sizes[i]) % windows.strides[i]
    };
    if ceil && (0..axes).any(|i| over(i) != 0) {
        return Err(unsupported("windows that reach past the end (ceil_mode)", "0", 1));
    }
    let counts = node.int("count_include_pad").unwrap_or(0) != 0 && kind == "Average";
    let padding = windows.padding()?.filter(|&padding| padding == "valid" || padding == "same" && !counts);
    let (padding, input) = match padding {
        Some(padding) => (padding, value.tensor),
        // Zeros count in the mean, or cannot change a maximum of values that are 0 or more.
        None if counts || kind == "Max" && value.positive => ("valid", padded(reader, &value, &windows.pads)?),
        None => {
            let found = format_args!("{:?} over {:?}", windows.pads, &dims[1..]).to_string();
            return Err(unsupported(
                "padding of a pool that is not supported",
                "those of Keras's same, or none",
                found,
            ));
        }
    };
    let class = format!("{kind}Pooling{axes}D");
    let config = json!({ "pool_size": windows.sizes, "strides": windows.strides, "padding": padding });
    let tensor = reader.layer(&class, config, &[input], Vec::new())?;
    reader.give(node, Value { positive: value.positive, ..value.with(tensor) });
    Ok(())
}

pub fn global_pooling<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, kind: &str) -> Result<()> {
    let value = image(reader, node)?;
    global(reader, node, &value, kind, true)
}

fn global<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, value: &Value, kind: &str, keeps: bool) -> Result<()> {
    let axes = value.order.len() - 1;
    let class = format!("Global{kind}Pooling{axes}D");
    let tensor = reader.layer(&class, json!({ "keepdims": keeps }), &[value.tensor], Vec::new())?;
    let pooled = if keeps { value.with(tensor) } else { Value::plain(tensor, 1) };
    reader.give(node, Value { positive: value.positive, ..pooled });
    Ok(())
}

/// The mean or maximum over all axes of an image except the channels.
pub fn reduce<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, kind: &str) -> Result<()> {
    let value = reader.value(node, 0)?;
    if kind == "Average" && normalizations::spelled_out(reader, node)? {
        return Ok(());
    }
    let rank = value.order.len();
    let axes = axes(reader, node)?.unwrap_or_default();
    let over = places(&axes, rank + 1)?;
    let left: Vec<usize> = (1..=rank).filter(|axis| !over.contains(axis)).collect();
    let (&[channel], false, 2 | 3) = (&left[..], over.contains(&0), rank) else {
        return Err(unsupported(
            "a reduction of other axes than an image's",
            "all but the batch and the channels",
            format_args!("{over:?}"),
        ));
    };
    let channel = channel - 1;
    let value = match value.order[channel] == rank - 1 {
        true => value,
        false => reader.arrange(&value, &with_last(rank, channel))?,
    };
    global(reader, node, &value, kind, node.int("keepdims").unwrap_or(1) != 0)
}

/// Zeros around images; a negative number crops.
pub fn pad<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let rank = value.order.len();
    let pads = match node.ints("pads") {
        Some(pads) => pads.to_vec(),
        None => reader.weights(node, 1)?.ints()?.to_vec(),
    };
    let number = match node.float("value") {
        Some(number) => number,
        None => reader.constant(node, 2)?.map_or(Some(0.0), |number| number.scalar()).unwrap_or(f64::NAN),
    };
    let mode = node.text("mode").unwrap_or("constant");
    if mode != "constant" || number != 0.0 {
        return Err(unsupported("padding with another value", "zeros", format_args!("{mode} {number}")));
    }
    // The axes, if not all.
    let over = match reader.constant(node, 3)? {
        Some(over) => places(over.ints()?, rank + 1)?,
        None => (0..=rank).collect(),
    };
    if pads.len() != 2 * over.len() || pads.iter().any(|pad| pad.abs() > LARGEST) {
        return Err(unsupported("wrong pads", "two for each axis", format_args!("{:?}", &pads[..pads.len().min(8)])));
    }
    let at =
        |axis: usize| over.iter().position(|&other| other == axis).map_or([0, 0], |i| [pads[i], pads[over.len() + i]]);
    if pads.iter().all(|&pad| pad == 0) {
        reader.give(node, value);
        return Ok(());
    }
    if !(2..=3).contains(&rank) || at(0) != [0, 0] {
        return Err(unsupported(
            "padding of a value that is not an image",
            "rows and columns",
            format_args!("{pads:?}"),
        ));
    }
    // The axis without padding, in ONNX's order, is the channels'.
    let bare = if at(1) == [0, 0] { 0 } else { rank - 1 };
    if at(bare + 1) != [0, 0] {
        return Err(unsupported("a border of all axes", "rows and columns", format_args!("{pads:?}")));
    }
    let value = reader.arrange(&value, &with_last(rank, bare))?;
    let sides: Vec<[i64; 2]> = (0..rank).filter(|&axis| axis != bare).map(|axis| at(axis + 1)).collect();
    let part = |sign: i64| -> Vec<[usize; 2]> {
        sides.iter().map(|side| side.map(|pad| (pad * sign).max(0) as usize)).collect()
    };
    let (more, less) = (part(1), part(-1));
    let mut tensor = value.tensor;
    if more.iter().any(|side| *side != [0, 0]) {
        tensor = padded(reader, &value, &more)?;
    }
    if less.iter().any(|side| *side != [0, 0]) {
        if rank != 3 {
            return Err(unsupported("rows that are cut", "images", format_args!("{pads:?}")));
        }
        tensor = reader.layer("Cropping2D", json!({ "cropping": less }), &[tensor], Vec::new())?;
    }
    reader.give(node, Value { positive: value.positive, ..value.with(tensor) });
    Ok(())
}

/// Integer scale factors.
pub fn resize<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = image(reader, node)?;
    let dims = reader.dims(&value)?;
    let old = node.op_type == "Upsample" || reader.opset < 11;
    let at = if old { 1 } else { 2 };
    let scales: Option<Vec<f64>> = match node.floats("scales") {
        Some(scales) => Some(scales.iter().map(|&scale| f64::from(scale)).collect()),
        None => match reader.constant(node, at)?.filter(|scales| scales.len() > 0) {
            Some(scales) => Some(scales.floats()?.iter().map(|&scale| f64::from(scale)).collect()),
            None => None,
        },
    };
    let scales = match scales {
        Some(scales) => scales,
        None => {
            let sizes = reader.weights(node, 3)?;
            let sizes = sizes.ints()?.iter().skip(1).zip(&dims).map(|(&size, &dim)| size as f64 / dim as f64);
            std::iter::once(1.0).chain(sizes).collect()
        }
    };
    let whole = |scale: f64| ((1.0..=4096.0).contains(&scale) && scale.fract() == 0.0).then_some(scale as usize);
    let (&[1.0, 1.0, down, across], 3) = (&scales[..], value.order.len()) else {
        return Err(unsupported("another scale factor", "1, 1 and whole numbers", format_args!("{scales:?}")));
    };
    let (Some(down), Some(across)) = (whole(down), whole(across)) else {
        return Err(unsupported("another scale factor", "whole numbers", format_args!("{scales:?}")));
    };
    let place = node.text("coordinate_transformation_mode").unwrap_or(if old { "asymmetric" } else { "half_pixel" });
    let nearest = node.text("nearest_mode").unwrap_or(if old { "floor" } else { "round_prefer_floor" });
    let bilinear = match (node.text("mode").unwrap_or("nearest"), place, nearest) {
        ("nearest", "asymmetric", "floor") => false,
        ("nearest", "half_pixel" | "pytorch_half_pixel", "round_prefer_floor" | "round_prefer_ceil") => false,
        ("linear" | "bilinear", "half_pixel", _) => true,
        ("linear" | "bilinear", "pytorch_half_pixel", _) => true,
        (mode, ..) => {
            return Err(unsupported(
                "another interpolation",
                "nearest or linear, as Keras's",
                format!("{mode}, {place}, {nearest}"),
            ));
        }
    };
    let config: Json =
        json!({ "size": [down, across], "interpolation": if bilinear { "bilinear" } else { "nearest" } });
    let tensor = reader.layer("UpSampling2D", config, &[value.tensor], Vec::new())?;
    reader.give(node, Value { positive: value.positive, ..value.with(tensor) });
    Ok(())
}
