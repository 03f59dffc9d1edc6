//! Reads ONNX's operators as layers: one line in `OPERATORS` each.

mod arithmetic;
mod dense;
mod normalizations;
mod shapes;
mod windows;

use super::constants::Constant;
use super::import::{Reader, is_own};
use super::layout::Value;
use super::proto::NodeProto;
use crate::error::{Error, ErrorKind, Result, printable};
use serde_json::json;

/// Reads a node.
type Read = for<'f> fn(&mut Reader<'f>, &'f NodeProto) -> Result<()>;

/// What an operator needs to know about the axes of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Nothing: it is elementwise.
    Elements,
    /// The channels, which come first.
    Channels,
    /// All axes, which it transposes: that tells their meaning.
    Order,
    /// Nothing: it takes the elements in any order.
    Nothing,
}
use Looks::{Channels, Elements, Nothing, Order};

/// Every operator that can be read.
const OPERATORS: &[(&str, Looks, Read)] = &[
    ("Add", Elements, |r, n| arithmetic::binary(r, n, "Add")),
    ("AveragePool", Channels, |r, n| windows::pooling(r, n, "Average")),
    ("BatchNormalization", Channels, normalizations::batch),
    ("Cast", Elements, shapes::cast),
    ("Celu", Elements, arithmetic::activation),
    ("Clip", Elements, arithmetic::clip),
    ("Concat", Nothing, shapes::concat),
    ("Constant", Nothing, shapes::constant),
    ("ConstantOfShape", Nothing, shapes::constant_of_shape),
    ("Conv", Channels, windows::convolution),
    ("ConvTranspose", Channels, windows::transposed_convolution),
    ("Div", Elements, |r, n| arithmetic::binary(r, n, "Div")),
    ("Dropout", Elements, arithmetic::dropout),
    ("Elu", Elements, arithmetic::elu),
    ("Erf", Nothing, arithmetic::gelu),
    ("Exp", Elements, arithmetic::activation),
    ("Flatten", Nothing, shapes::flatten),
    ("Gather", Nothing, shapes::gather),
    ("Gelu", Elements, arithmetic::activation),
    ("Gemm", Nothing, dense::gemm),
    ("GlobalAveragePool", Channels, |r, n| windows::global_pooling(r, n, "Average")),
    ("GlobalMaxPool", Channels, |r, n| windows::global_pooling(r, n, "Max")),
    ("GroupNormalization", Channels, normalizations::group),
    ("HardSigmoid", Elements, arithmetic::hard_sigmoid),
    ("HardSwish", Elements, arithmetic::activation),
    ("Identity", Elements, shapes::identity),
    ("InstanceNormalization", Channels, normalizations::instance),
    ("LayerNormalization", Nothing, normalizations::layer),
    ("LeakyRelu", Elements, arithmetic::leaky_relu),
    ("LogSoftmax", Nothing, arithmetic::softmax),
    ("MatMul", Nothing, dense::mat_mul),
    ("Max", Elements, |r, n| arithmetic::binary(r, n, "Max")),
    ("MaxPool", Channels, |r, n| windows::pooling(r, n, "Max")),
    ("Mean", Elements, |r, n| arithmetic::binary(r, n, "Mean")),
    ("Min", Elements, |r, n| arithmetic::binary(r, n, "Min")),
    ("Mish", Elements, arithmetic::activation),
    ("Mul", Elements, |r, n| arithmetic::binary(r, n, "Mul")),
    ("Neg", Elements, arithmetic::neg),
    ("PRelu", Elements, arithmetic::prelu),
    ("Pad", Elements, windows::pad),
    ("ReduceMax", Nothing, |r, n| windows::reduce(r, n, "Max")),
    ("ReduceMean", Nothing, |r, n| windows::reduce(r, n, "Average")),
    ("Relu", Elements, arithmetic::activation),
    ("Reshape", Nothing, shapes::reshape),
    ("Resize", Channels, windows::resize),
    ("Selu", Elements, arithmetic::activation),
    ("Shape", Nothing, shapes::shape),
    ("Shrink", Elements, arithmetic::activation),
    ("Sigmoid", Elements, arithmetic::activation),
    ("Slice", Elements, shapes::slice),
    ("Softmax", Nothing, arithmetic::softmax),
    ("Softplus", Elements, arithmetic::activation),
    ("Softsign", Elements, arithmetic::activation),
    ("Sqrt", Nothing, arithmetic::squareplus),
    ("Squeeze", Nothing, shapes::squeeze),
    ("Sub", Elements, |r, n| arithmetic::binary(r, n, "Sub")),
    ("Sum", Elements, |r, n| arithmetic::binary(r, n, "Add")),
    ("Swish", Elements, arithmetic::activation),
    ("Tanh", Elements, arithmetic::activation),
    ("ThresholdedRelu", Elements, arithmetic::thresholded_relu),
    ("Transpose", Order, shapes::transpose),
    ("Unsqueeze", Nothing, shapes::unsqueeze),
    ("Upsample", Channels, windows::resize),
];

/// The [`Looks`] of an operator.
pub fn looks_at(operator: &str) -> Looks {
    OPERATORS.iter().find(|(name, ..)| *name == operator).map_or(Nothing, |(_, looks, _)| *looks)
}

/// Reads a node by its operator's line.
pub fn call<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let found = OPERATORS.iter().find(|(name, ..)| is_own(&node.domain) && *name == node.op_type);
    let Some((_, _, read)) = found else {
        let domain = if is_own(&node.domain) { String::new() } else { format!("{}.", printable(&node.domain)) };
        let error = Error::new(ErrorKind::Unsupported, "an operator that is not supported");
        return Err(error.found(format_args!("{domain}{}", printable(&node.op_type))));
    };
    read(reader, node)
}

/// The error for an attribute that the layers do not support.
fn unsupported(what: &'static str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, what).expected(expected).found(found)
}

/// Keras's name of a node's activation, if it is an elementwise one.
fn activation_of(node: &NodeProto) -> Option<&'static str> {
    if !is_own(&node.domain) {
        return None;
    }
    let near = |name: &str, default: f64, wanted: f64| (node.float(name).unwrap_or(default) - wanted).abs() < 1e-6;
    match &node.op_type[..] {
        "Relu" => Some("relu"),
        "Sigmoid" => Some("sigmoid"),
        "Tanh" => Some("tanh"),
        "Softplus" => Some("softplus"),
        "Softsign" => Some("softsign"),
        "Exp" => Some("exponential"),
        "HardSwish" => Some("hard_silu"),
        "Mish" => Some("mish"),
        "Swish" if near("alpha", 1.0, 1.0) => Some("silu"),
        "Gelu" if node.text("approximate").is_none_or(|how| how == "none") => Some("gelu"),
        "Elu" if near("alpha", 1.0, 1.0) => Some("elu"),
        "Celu" if near("alpha", 1.0, 1.0) => Some("celu"),
        "Selu" if near("alpha", 1.673_263_2, 1.673_263_2) && near("gamma", 1.050_701, 1.050_701) => Some("selu"),
        "HardSigmoid" if near("alpha", 0.2, 1.0 / 6.0) && near("beta", 0.5, 0.5) => Some("hard_sigmoid"),
        "HardSigmoid" if near("alpha", 0.2, 0.5) && near("beta", 0.5, 0.5) => Some("sparse_sigmoid"),
        "Shrink" if near("lambd", 0.5, 0.5) && near("bias", 0.0, 0.0) => Some("hard_shrink"),
        "Shrink" if near("lambd", 0.5, 0.5) && near("bias", 0.0, 0.5) => Some("soft_shrink"),
        _ => None,
    }
}

/// Whether an activation's results are all 0 or more.
fn is_positive(activation: &str) -> bool {
    matches!(
        activation,
        "relu" | "relu6" | "sigmoid" | "softplus" | "exponential" | "softmax" | "hard_sigmoid" | "sparse_sigmoid"
    )
}

/// The activation after a node that is fused into its layer, and the node that is then done.
fn ending<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, rank: usize) -> (&'static str, &'f NodeProto) {
    let Some((number, next)) = reader.next(node) else { return ("linear", node) };
    // Over the last axis of a row.
    let over_row = rank == 1 && matches!(next.int("axis"), None | Some(1 | -1));
    let activation = match &next.op_type[..] {
        "Softmax" if over_row => Some("softmax"),
        "LogSoftmax" if over_row => Some("log_softmax"),
        _ => activation_of(next),
    };
    match activation {
        Some(activation) => {
            reader.take_over(number);
            (activation, next)
        }
        None => ("linear", node),
    }
}

/// The bias added to a node's output, `len` values along ONNX's `axis` of `rank` (without the batch), and the node that
/// is then done.
fn bias<'f>(
    reader: &mut Reader<'f>,
    node: &'f NodeProto,
    len: usize,
    axis: usize,
    rank: usize,
) -> Result<(Option<Vec<f32>>, &'f NodeProto)> {
    let Some((number, next)) = reader.next(node).filter(|(_, next)| next.op_type == "Add") else {
        return Ok((None, node));
    };
    let sum = node.output.first();
    let other = if next.input.first() == sum { 1 } else { 0 };
    if next.input.len() != 2 || next.input.get(1 - other) != sum || next.input.get(other) == sum {
        return Ok((None, node));
    }
    // If it cannot be read as a bias, the Add itself reports the error.
    let Ok(Some(constant)) = reader.constant(next, other) else { return Ok((None, node)) };
    match along(&constant, axis, rank, len) {
        Some(values) => {
            reader.take_over(number);
            Ok((Some(values), next))
        }
        None => Ok((None, node)),
    }
}

/// The parameters of a layer with a kernel, and with a bias or without.
fn kernel_and_bias(kernel: Vec<f32>, bias: Option<Vec<f32>>) -> Vec<(&'static str, Vec<f32>)> {
    std::iter::once(("kernel", kernel)).chain(bias.map(|bias| ("bias", bias))).collect()
}

/// The values of a constant that has `len` along an axis of a sample of `rank` and is constant along the others; one
/// value is repeated.
fn along(constant: &Constant, axis: usize, rank: usize, len: usize) -> Option<Vec<f32>> {
    let values = constant.floats().ok()?;
    if let [one] = values {
        return (len == 1 || constant.dims.len() <= rank + 1).then(|| vec![*one; len]);
    }
    // Its axes are the last ones.
    let first = (rank + 1).checked_sub(constant.dims.len())?;
    let fits = constant.dims.iter().enumerate().all(|(i, &dim)| dim == if first + i == axis + 1 { len } else { 1 });
    (fits && values.len() == len).then(|| values.to_vec())
}

/// Applies an activation as a layer of its own.
fn activate<'f>(reader: &mut Reader<'f>, node: &'f NodeProto, value: &Value, activation: &str) -> Result<()> {
    let tensor = reader.layer("Activation", json!({ "activation": activation }), &[value.tensor], Vec::new())?;
    reader.give(node, Value { positive: is_positive(activation), ..value.with(tensor) });
    Ok(())
}
