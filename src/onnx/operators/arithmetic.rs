//! Elementwise functions of one value or several.

use super::{activate, activation_of, along, bias, kernel_and_bias, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::constants::{BATCH, Constant, Data};
use crate::onnx::import::Reader;
use crate::onnx::layout::Value;
use crate::onnx::proto::NodeProto;
use serde_json::{Value as Json, json};

/// A function that is one of Keras's activations.
pub fn activation<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    match activation_of(node) {
        Some(activation) => activate(reader, node, &value, activation),
        None => Err(unsupported("settings of an activation that are not supported", "its defaults", &node.op_type)),
    }
}

/// Over the channels, or, before opset 13, over all axes from one on.
pub fn softmax<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let mut value = reader.value(node, 0)?;
    let rank = value.order.len();
    let logarithm = node.op_type == "LogSoftmax";
    let mut axis = value.axis(node.int("axis").unwrap_or(if reader.opset < 13 { 1 } else { -1 }))?;
    if reader.opset < 13 {
        let from = value.order.iter().position(|&at| at == axis).unwrap_or(0);
        let dims = reader.dims(&value)?;
        // If all other axes have size 1, it is over the remaining one.
        let wide: Vec<usize> = (from..rank).filter(|&i| dims[i] > 1).collect();
        match wide[..] {
            [] => (),
            [one] => axis = value.order[one],
            _ => {
                return Err(unsupported(
                    "a softmax over several axes",
                    "the last one",
                    format_args!("{dims:?} from {from}"),
                ));
            }
        }
    }
    if axis + 1 == rank {
        return activate(reader, node, &value, if logarithm { "log_softmax" } else { "softmax" });
    }
    if logarithm {
        // Permuted to the end, and back.
        let at = value.order.iter().position(|&other| other == axis).unwrap_or(0);
        let mut order: Vec<usize> = (0..rank).map(|i| if i < at { i } else { i.max(1) - 1 }).collect();
        order[at] = rank - 1;
        value = reader.arrange(&value, &order)?;
        return activate(reader, node, &value, "log_softmax");
    }
    let tensor = reader.layer("Softmax", json!({ "axis": axis + 1 }), &[value.tensor], Vec::new())?;
    reader.give(node, Value { positive: true, ..value.with(tensor) });
    Ok(())
}

/// A layer without weights that keeps the order.
fn layer<'f>(reader: &mut Reader<'f>, value: &Value, class: &str, config: Json) -> Result<Value> {
    let tensor = reader.layer(class, config, &[value.tensor], Vec::new())?;
    Ok(value.with(tensor))
}

pub fn elu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    if activation_of(node).is_some() {
        return activation(reader, node);
    }
    let value = reader.value(node, 0)?;
    let value = layer(reader, &value, "ELU", json!({ "alpha": node.float("alpha") }))?;
    reader.give(node, value);
    Ok(())
}

pub fn leaky_relu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let value = layer(reader, &value, "LeakyReLU", json!({ "negative_slope": node.float("alpha").unwrap_or(0.01) }))?;
    reader.give(node, value);
    Ok(())
}

pub fn thresholded_relu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let value = layer(reader, &value, "ReLU", json!({ "threshold": node.float("alpha").unwrap_or(1.0) }))?;
    reader.give(node, Value { positive: true, ..value });
    Ok(())
}

/// `max(0, min(1, alpha * x + beta))`
pub fn hard_sigmoid<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    if activation_of(node).is_some() {
        return activation(reader, node);
    }
    let value = reader.value(node, 0)?;
    let config = json!({ "scale": node.float("alpha").unwrap_or(0.2), "offset": node.float("beta").unwrap_or(0.5) });
    let value = layer(reader, &value, "Rescaling", config)?;
    let value = layer(reader, &value, "ReLU", json!({ "max_value": 1.0 }))?;
    reader.give(node, Value { positive: true, ..value });
    Ok(())
}

pub fn neg<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let value = layer(reader, &value, "Rescaling", json!({ "scale": -1.0 }))?;
    reader.give(node, value);
    Ok(())
}

/// The layer drops values again when the model is trained.
pub fn dropout<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let rate = match node.float("ratio") {
        Some(rate) => Some(rate),
        None => reader.constant(node, 1)?.and_then(|rate| rate.scalar()),
    };
    let positive = value.positive;
    let value = layer(reader, &value, "Dropout", json!({ "rate": rate.unwrap_or(0.5) }))?;
    reader.give(node, Value { positive, ..value });
    Ok(())
}

/// Clip between two numbers, which are inputs since opset 11.
pub fn clip<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let mut bound = |name: &str, input: usize| -> Result<Option<f64>> {
        Ok(match node.float(name) {
            Some(bound) => Some(bound),
            None => reader.constant(node, input)?.and_then(|bound| bound.scalar()),
        }
        .filter(|bound| bound.abs() < f64::from(f32::MAX)))
    };
    let bounds = (bound("min", 1)?, bound("max", 2)?);
    let value = match bounds {
        (Some(0.0), None) => return activate(reader, node, &value, "relu"),
        (Some(0.0), Some(6.0)) => return activate(reader, node, &value, "relu6"),
        (Some(-1.0), Some(1.0)) => return activate(reader, node, &value, "hard_tanh"),
        (least, most) => between(reader, &value, least, most)?,
    };
    reader.give(node, value);
    Ok(())
}

/// `min(most, max(least, x))`, by relu.
fn between<'f>(reader: &mut Reader<'f>, value: &Value, least: Option<f64>, most: Option<f64>) -> Result<Value> {
    let shifted = |scale: f64, offset: f64| json!({ "scale": scale, "offset": offset });
    match (least, most) {
        (None, None) => Ok(value.clone()),
        (Some(least), most) => {
            if most.is_some_and(|most| most < least) {
                return Err(Error::new(ErrorKind::Unsupported, "a largest number below the least"));
            }
            let relu = json!({ "max_value": most.map(|most| most - least) });
            if least == 0.0 {
                return Ok(Value { positive: true, ..layer(reader, value, "ReLU", relu)? });
            }
            let value = layer(reader, value, "Rescaling", shifted(1.0, -least))?;
            let value = layer(reader, &value, "ReLU", relu)?;
            let value = layer(reader, &value, "Rescaling", shifted(1.0, least))?;
            Ok(Value { positive: least >= 0.0, ..value })
        }
        (None, Some(most)) => {
            let value = layer(reader, value, "Rescaling", shifted(-1.0, most))?;
            let value = layer(reader, &value, "ReLU", json!({}))?;
            layer(reader, &value, "Rescaling", shifted(-1.0, most))
        }
    }
}

/// `x` above 0, a slope times `x` below, one for each of some axes.
pub fn prelu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let value = if value.image.is_some() { reader.straight(&value)? } else { value };
    let slope = reader.weights(node, 1)?;
    let rank = value.order.len();
    // With as many axes as a sample.
    let dims: Vec<usize> = match slope.dims.len() {
        len if len <= rank => std::iter::repeat_n(1, rank - len).chain(slope.dims.iter().copied()).collect(),
        len if len == rank + 1 && slope.dims[0] == 1 => slope.dims[1..].to_vec(),
        _ => return Err(unsupported("slopes that do not fit", "those of a sample", format_args!("{:?}", slope.dims))),
    };
    let slope = slope.reshaped(dims)?;
    let order = crate::onnx::layout::inverse(&value.order);
    let slope = slope.transposed(&order)?;
    let shared: Vec<usize> = (0..rank).filter(|&axis| slope.dims[axis] == 1).map(|axis| axis + 1).collect();
    let weights = vec![("alpha", slope.floats()?.to_vec())];
    let tensor = reader.layer("PReLU", json!({ "shared_axes": shared }), &[value.tensor], weights)?;
    reader.give(node, value.with(tensor));
    Ok(())
}

/// Several values, or a value and constants.
pub fn binary<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, operator: &str) -> Result<()> {
    if reader.is_constant(node) {
        return of_constants(reader, node, operator);
    }
    let of_input: Vec<usize> = (0..node.input.len()).filter(|&i| reader.has_value(node, i)).collect();
    match (&of_input[..], node.input.len()) {
        ([one], 1) => {
            let value = reader.value(node, *one)?;
            reader.give(node, value);
            Ok(())
        }
        ([one], 2) => with_constant(reader, node, operator, *one),
        (all, len) if all.len() == len => merge(reader, node, operator),
        _ => Err(unsupported("values and constants mixed", "two inputs", node.input.len())),
    }
}

fn merge<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, operator: &str) -> Result<()> {
    let values = (0..node.input.len()).map(|i| reader.value(node, i)).collect::<Result<Vec<_>>>()?;
    let values = reader.alike(&values)?;
    let class = match operator {
        "Add" => "Add",
        "Sub" => "Subtract",
        "Mul" => "Multiply",
        "Max" => "Maximum",
        "Min" => "Minimum",
        "Mean" => "Average",
        other => return Err(unsupported("two values of the input", "a constant", other)),
    };
    let tensors: Vec<_> = values.iter().map(|value| value.tensor).collect();
    let tensor = reader.layer(class, json!({}), &tensors, Vec::new())?;
    let positive = operator != "Sub" && values.iter().all(|value| value.positive);
    reader.give(node, Value { positive, ..values[0].with(tensor) });
    Ok(())
}

/// A few integers, those of shapes.
fn of_constants<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, operator: &str) -> Result<()> {
    let (a, b) = (reader.weights(node, 0)?, reader.weights(node, 1)?);
    let wrong = || unsupported("arithmetic of such constants", "whole numbers of shapes", operator);
    let (Data::Ints(a), Data::Ints(b), dims) = (&a.data, &b.data, if a.len() >= b.len() { &a.dims } else { &b.dims })
    else {
        return Err(wrong());
    };
    let len = a.len().max(b.len());
    if [a.len(), b.len()].iter().any(|&other| other != len && other != 1) || len > 64 {
        return Err(wrong());
    }
    let at = |list: &[i64], i: usize| list[if list.len() == 1 { 0 } else { i }];
    let one = |i: usize| match operator {
        "Add" => at(a, i).checked_add(at(b, i)),
        "Sub" => at(a, i).checked_sub(at(b, i)),
        "Mul" => at(a, i).checked_mul(at(b, i)),
        "Div" => at(a, i).checked_div(at(b, i)),
        _ => None,
    };
    let known = |i: &usize| at(a, *i) != BATCH && at(b, *i) != BATCH;
    let data = (0..len).map(|i| Some(i).filter(known).and_then(one)).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
    reader.give_constant(node, Constant { dims: dims.clone(), data: Data::Ints(data) })
}

/// `x + c`, `c - x` and so on, for one constant or one per index of an axis.
fn with_constant<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, operator: &str, of_input: usize) -> Result<()> {
    let value = reader.value(node, of_input)?;
    let constant = reader.weights(node, 1 - of_input)?;
    let first = of_input == 0;
    if constant.dims.len() <= value.order.len() + 1
        && let Some(number) = constant.scalar()
    {
        let rescaling = match (operator, first) {
            ("Add", _) => Some((1.0, number)),
            ("Sub", true) => Some((1.0, -number)),
            ("Sub", false) => Some((-1.0, number)),
            ("Mul", _) => Some((number, 0.0)),
            ("Div", true) if number != 0.0 => Some((1.0 / number, 0.0)),
            _ => None,
        };
        if let Some((scale, offset)) = rescaling {
            let positive = value.positive && scale >= 0.0 && offset >= 0.0;
            let value = layer(reader, &value, "Rescaling", json!({ "scale": scale, "offset": offset }))?;
            reader.give(node, Value { positive, ..value });
            return Ok(());
        }
        let value = match operator {
            "Max" => between(reader, &value, Some(number), None)?,
            "Min" => between(reader, &value, None, Some(number))?,
            other => return Err(unsupported("a number divided by values, or a division by 0", "a factor", other)),
        };
        reader.give(node, value);
        return Ok(());
    }
    along_axis(reader, node, operator, value, &constant, first)
}

/// A factor or an offset per index of an axis: for channels a depthwise convolution of one pixel, which is trainable;
/// otherwise a normalization with given numbers.
fn along_axis<'f>(
    reader: &mut Reader<'f>,
    node: &'f NodeProto,
    operator: &str,
    value: Value,
    constant: &Constant,
    first: bool,
) -> Result<()> {
    let value = if value.image.is_some() { reader.straight(&value)? } else { value };
    let (dims, rank) = (reader.dims(&value)?, value.order.len());
    let found = (0..rank).find_map(|i| along(constant, i, rank, dims[i]).map(|values| (i, values)));
    let Some((axis, values)) = found else {
        let what = "a constant that differs along several axes, or does not fit";
        return Err(unsupported(what, "one number, or one for each of an axis", format_args!("{:?}", constant.dims)));
    };
    let ours = value.order[axis];
    let len = values.len();
    if matches!(operator, "Mul" | "Add") && ours + 1 == rank {
        let (kernel, (bias, last)) = match operator {
            "Mul" => (values, bias(reader, node, len, axis, rank)?),
            _ => (vec![1.0; len], (Some(values), node)),
        };
        let sizes = reader.sizes(&value)?;
        let image = match rank {
            3 => value.tensor,
            _ => {
                let shape = json!({ "target_shape": [1, sizes.iter().product::<usize>() / len.max(1), len] });
                reader.layer("Reshape", shape, &[value.tensor], Vec::new())?
            }
        };
        let config = json!({ "kernel_size": 1, "use_bias": bias.is_some() });
        let weights = kernel_and_bias(kernel, bias);
        let mut tensor = reader.layer("DepthwiseConv2D", config, &[image], weights)?;
        if rank != 3 {
            tensor = reader.layer("Reshape", json!({ "target_shape": sizes }), &[tensor], Vec::new())?;
        }
        reader.give(last, value.with(tensor));
        return Ok(());
    }
    let above_0 = values.iter().all(|&value| value > 0.0);
    let squares = || values.iter().map(|&value| f64::from(value) * f64::from(value)).collect::<Vec<_>>();
    let axis = ours + 1;
    let config = match (operator, first) {
        ("Sub", true) => json!({ "axis": axis, "mean": values, "variance": 1.0 }),
        ("Add", _) => json!({ "axis": axis, "mean": values, "variance": vec![1.0; len], "invert": true }),
        ("Div", true) if above_0 => json!({ "axis": axis, "mean": vec![0.0; len], "variance": squares() }),
        ("Mul", _) if above_0 => json!({ "axis": axis, "mean": vec![0.0; len], "variance": squares(), "invert": true }),
        _ => return Err(unsupported("such arithmetic with a constant", "one number", operator)),
    };
    let value = layer(reader, &value, "Normalization", config)?;
    reader.give(node, value);
    Ok(())
}

/// `0.5 * x * (1 + erf(x / sqrt(2)))`, recognized at its erf: nodes before it are checked, nodes after it are fused.
pub fn gelu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let found = whole_gelu(reader, node)?;
    let Some((x, behind, last)) = found else {
        return Err(unsupported("erf outside of gelu", "x * (1 + erf(x / sqrt(2))) / 2", &node.op_type));
    };
    behind.into_iter().for_each(|number| reader.take_over(number));
    activate(reader, last, &x, "gelu")
}

/// The gelu's input, the nodes after this one, and the last of them.
fn whole_gelu<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<Option<(Value, Vec<usize>, &'f NodeProto)>> {
    let Some(scaling) = node.input.first().and_then(|name| reader.maker(name)) else { return Ok(None) };
    let x = match (&scaling.op_type[..], scaled(reader, scaling)?) {
        ("Div", Some((x, by))) if near(by, std::f64::consts::SQRT_2) => x,
        ("Mul", Some((x, by))) if near(by, std::f64::consts::FRAC_1_SQRT_2) => x,
        _ => return Ok(None),
    };
    let value = reader.value(scaling, usize::from(scaling.input.first() != Some(x)))?;
    let Some((number, sum)) = reader.next(node).filter(|(_, next)| next.op_type == "Add") else { return Ok(None) };
    if !scaled(reader, sum)?.is_some_and(|(_, one)| near(one, 1.0)) {
        return Ok(None);
    }
    // The factor 1/2 may come before or after the product, or be part of x.
    let (mut behind, mut last, mut half, mut product) = (vec![number], sum, false, false);
    while !(half && product) {
        let Some((number, next)) = reader.next(last).filter(|(_, next)| next.op_type == "Mul") else { return Ok(None) };
        let other = next.input.iter().find(|name| last.output.first() != Some(*name));
        if other == Some(x) && !product {
            product = true;
        } else if !half && scaled(reader, next)?.is_some_and(|(_, by)| near(by, 0.5)) {
            half = true;
        } else {
            let maker = other.and_then(|name| reader.maker(name)).filter(|maker| maker.op_type == "Mul");
            let Some(maker) = maker.filter(|_| !half && !product) else { return Ok(None) };
            if scaled(reader, maker)?.is_none_or(|(of, by)| of != x || !near(by, 0.5)) {
                return Ok(None);
            }
            (half, product) = (true, true);
        }
        behind.push(number);
        last = next;
    }
    Ok(Some((value, behind, last)))
}

/// `(x + sqrt(x * x + 4)) / 2`, recognized at its root in the same way.
pub fn squareplus<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let Some((x, behind, last)) = whole_squareplus(reader, node)? else {
        return Err(unsupported("a root outside of squareplus", "(x + sqrt(x * x + 4)) / 2", &node.op_type));
    };
    behind.into_iter().for_each(|number| reader.take_over(number));
    activate(reader, last, &x, "squareplus")
}

/// As [`whole_gelu`].
fn whole_squareplus<'f>(
    reader: &mut Reader<'f>,
    node: &'f NodeProto,
) -> Result<Option<(Value, Vec<usize>, &'f NodeProto)>> {
    let more = node.input.first().and_then(|name| reader.maker(name)).filter(|maker| maker.op_type == "Add");
    let Some(more) = more else { return Ok(None) };
    let Some((square, 4.0)) = scaled(reader, more)? else { return Ok(None) };
    let square = reader.maker(square).filter(|maker| maker.op_type == "Mul");
    let Some((square, [x, again])) = square.map(|square| (square, &square.input[..])) else { return Ok(None) };
    let Some((number, sum)) = reader.next(node).filter(|(_, next)| next.op_type == "Add") else { return Ok(None) };
    let Some((last_number, half)) = reader.next(sum).filter(|(_, next)| next.op_type == "Mul") else { return Ok(None) };
    let other = sum.input.iter().find(|name| node.output.first() != Some(*name));
    let fits = x == again && other == Some(x) && scaled(reader, half)?.is_some_and(|(_, by)| near(by, 0.5));
    Ok(fits.then_some((reader.value(square, 0)?, vec![number, last_number], half)))
}

pub fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

/// The value and the number that a node takes.
pub fn scaled<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<Option<(&'f String, f64)>> {
    for (value, number) in [(0, 1), (1, 0)] {
        if node.input.len() == 2 && reader.is_known_constant(node, number) {
            let number = reader.constant(node, number)?.and_then(|constant| constant.scalar());
            return Ok(node.input.get(value).zip(number));
        }
    }
    Ok(None)
}
