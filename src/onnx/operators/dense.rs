//! `Gemm` and `MatMul` with weights: `Dense`, with the following bias and activation.

use super::{bias, ending, is_positive, kernel_and_bias, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::constants::Constant;
use crate::onnx::import::Reader;
use crate::onnx::layout::{Value, inverse, permuted};
use crate::onnx::proto::NodeProto;
use serde_json::json;

/// `alpha * x * w + beta * c`
pub fn gemm<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    if value.order.len() != 1 || node.int("transA").unwrap_or(0) != 0 {
        return Err(unsupported("a product of a value that is not a row", "rank 2, transA 0", value.order.len() + 1));
    }
    let weights = reader.weights(node, 1)?;
    expect_matrix(&weights)?;
    let weights = match node.int("transB").unwrap_or(0) {
        0 => weights,
        _ => weights.transposed(&[1, 0])?.into(),
    };
    let scaled = |values: &[f32], by: f64| values.iter().map(|x| x * by as f32).collect::<Vec<_>>();
    let kernel = scaled(weights.floats()?, node.float("alpha").unwrap_or(1.0));
    let units = weights.dims[1];
    let own = match reader.constant(node, 2)? {
        None => None,
        Some(bias) => match bias.floats()? {
            [one] => Some(scaled(&vec![*one; units], node.float("beta").unwrap_or(1.0))),
            all if all.len() == units => Some(scaled(all, node.float("beta").unwrap_or(1.0))),
            all => return Err(Error::new(ErrorKind::Shape, "wrong number of biases").expected(units).found(all.len())),
        },
    };
    dense(reader, node, value, kernel, weights.dims[0], units, own)
}

/// `x * w`, along the last axis.
pub fn mat_mul<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let mut value = reader.value(node, 0)?;
    let weights = reader.weights(node, 1)?;
    expect_matrix(&weights)?;
    if value.order.len() > 1 && value.order.last() != Some(&(value.order.len() - 1)) {
        value = reader.straight(&value)?;
    }
    let kernel = weights.floats()?.to_vec();
    dense(reader, node, value, kernel, weights.dims[0], weights.dims[1], None)
}

fn expect_matrix(weights: &Constant) -> Result<()> {
    match weights.dims.len() {
        2 if weights.len() > 0 => Ok(()),
        _ => Err(unsupported("weights that are not a matrix", "two sizes", format_args!("{:?}", weights.dims))),
    }
}

fn dense<'f>(
    reader: &mut Reader<'f>,
    node: &'f NodeProto,
    value: Value,
    kernel: Vec<f32>,
    inputs: usize,
    units: usize,
    own: Option<Vec<f32>>,
) -> Result<()> {
    let rank = value.order.len();
    let features = reader.dims(&value)?.last().copied().unwrap_or(0);
    if features != inputs {
        let error = Error::new(ErrorKind::Shape, "weights that do not fit the value");
        return Err(error.expected(format_args!("{features} rows")).found(inputs));
    }
    // The kernel's rows are reordered as the image was flattened.
    let kernel = match &value.image {
        Some((sizes, order)) => {
            let dims: Vec<usize> = order.iter().map(|&axis| sizes[axis]).chain([units]).collect();
            let back: Vec<usize> = inverse(order).into_iter().chain([order.len()]).collect();
            permuted(&kernel, &dims, &back)?
        }
        None => kernel,
    };
    let (bias, last) = match own {
        Some(own) => (Some(own), node),
        None => bias(reader, node, units, rank - 1, rank)?,
    };
    let (activation, last) = ending(reader, last, rank);
    let config = json!({ "units": units, "use_bias": bias.is_some(), "activation": activation });
    let tensor = reader.layer("Dense", config, &[value.tensor], kernel_and_bias(kernel, bias))?;
    reader.give(last, Value { tensor, image: None, positive: is_positive(activation), ..value });
    Ok(())
}
