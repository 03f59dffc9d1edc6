//! Dense layers, layers that change shapes, and layers that combine values.

use super::LayerCall;
use crate::error::Result;
use crate::onnx::export::Attribute::{self, Int};
use crate::onnx::export::{Form, Value, Writer, moved};
use crate::onnx::layout::permuted;

pub fn dense(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let bias = s.weight("bias").map(|(bias, shape)| w.floats(&s.of("bias"), shape, bias)).transpose()?;
    let call = s.input()?;
    let Value { made, image, dims, .. } = w.value(call).clone();
    if dims.len() > 1 {
        let x = w.get(call, Form::Last)?;
        let kernel = w.floats(&s.of("kernel"), shape, kernel)?;
        let y = w.node(&s.name, "MatMul", &[&x, &kernel], &[]);
        let y = bias.map(|bias| w.node(&s.name, "Add", &[&y, &bias], &[])).unwrap_or(y);
        return Ok(s.gives(y, Form::Last));
    }
    let x = w.get(call, made)?;
    let kernel = match image.filter(|_| made == Form::First) {
        // The kernel's rows are reordered as the image's channels.
        Some(image) => {
            let rows = [&image[..], &shape[1..]].concat();
            let order = moved(&(0..image.len()).collect::<Vec<_>>());
            let order: Vec<usize> = order.into_iter().chain([image.len()]).collect();
            w.floats(&s.of("kernel"), shape, &permuted(kernel, &rows, &order)?)?
        }
        None => w.floats(&s.of("kernel"), shape, kernel)?,
    };
    let inputs: Vec<&str> = [&x, &kernel].into_iter().chain(&bias).map(String::as_str).collect();
    Ok(s.gives(w.node(&s.name, "Gemm", &inputs, &[]), Form::Last))
}

pub fn flatten(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let call = s.input()?;
    let Value { made, image, dims, .. } = w.value(call).clone();
    let x = w.get(call, made)?;
    if dims.len() == 1 {
        return Ok(Value { image, ..s.gives(x, made) });
    }
    let y = w.node(&s.name, "Flatten", &[&x], &[("axis", Int(1))]);
    let (channels, pixels) = (dims[dims.len() - 1], s.output[0] / dims[dims.len() - 1]);
    match made == Form::First && channels > 1 && pixels > 1 {
        true => Ok(Value { image: Some(dims), ..s.gives(y, Form::First) }),
        false => Ok(s.gives(y, Form::Last)),
    }
}

pub fn reshape(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let x = w.get(s.input()?, Form::Last)?;
    Ok(s.gives(w.reshape(&s.name, &x, s.output), Form::Last))
}

pub fn permute(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let x = w.get(s.input()?, Form::Last)?;
    let order: Vec<usize> = std::iter::once(0).chain(s.sizes("dims")?).collect();
    Ok(s.gives(w.node(&s.name, "Transpose", &[&x], &[("perm", Attribute::sizes(&order))]), Form::Last))
}

/// A form that several inputs of the same rank share.
fn common_form(w: &Writer, s: &LayerCall<'_>) -> Form {
    let rank = s.output.len();
    let first = |&call: &usize| {
        let value = w.value(call);
        value.made == Form::First && value.image.is_none() && value.dims.len() == rank && rank > 1
    };
    if s.inputs.iter().all(first) { Form::First } else { Form::Last }
}

pub fn concatenate(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let form = common_form(w, s);
    let (rank, axis) = (s.output.len(), s.axis(s.int("axis")?, s.output.len()));
    let axis = match form {
        Form::First if axis + 1 == rank => 1,
        Form::First => axis + 2,
        Form::Last => axis + 1,
    };
    let inputs = s.inputs.iter().map(|&call| w.get(call, form)).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    Ok(s.gives(w.node(&s.name, "Concat", &inputs, &[("axis", Int(axis as i64))]), form))
}

/// Inputs with fewer axes get axes of size 1 after the batch.
pub fn merge(w: &mut Writer, s: &LayerCall<'_>, operator: &str) -> Result<Value> {
    let (form, rank) = (common_form(w, s), s.output.len());
    let mut inputs = Vec::new();
    for &call in s.inputs {
        let (mut x, dims) = (w.get(call, form)?, w.value(call).dims.clone());
        if dims.len() < rank {
            let dims = [&vec![1; rank - dims.len()][..], &dims].concat();
            x = w.reshape(&s.name, &x, &dims);
        }
        inputs.push(x);
    }
    let all: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = match (operator, &all[..]) {
        ("Add" | "Mul" | "Sub", [first, rest @ ..]) => {
            rest.iter().fold(first.to_string(), |sum, x| w.node(&s.name, operator, &[&sum, x], &[]))
        }
        _ => w.node(&s.name, operator, &all, &[]),
    };
    Ok(s.gives(y, form))
}
