//! Layers that move values.

use super::source::{Source, list};
use super::{Call, Result};
use crate::error::{Error, ErrorKind};
use crate::layers::axis_of;
use serde_json::Value;

/// Axes of a view in C.
const AXES: usize = 4;

/// Rows of `len` values, with these strides in `x` and `y`.
pub fn copy(rows: usize, len: usize, step: usize, x: &str, to_step: usize, y: &str, source: &mut Source) {
    source.call("copy_rows", "prefix_copy_rows", &[&rows, &len, &step, &x, &to_step, &y]);
}

/// The elements of a view.
pub fn gather(view: &str, count: usize, x: &str, y: &str, source: &mut Source) {
    source.call("gather", "prefix_gather", &[&view, &count, &x, &y]);
}

/// A value of shape `from` broadcast to shape `to`: sizes that are 1, or missing in front, are broadcast.
pub fn view(from: &[usize], to: &[usize], source: &mut Source) -> Result<String> {
    let missing = to.len().saturating_sub(from.len());
    let stride = |axis: usize| match axis.checked_sub(missing).map(|axis| (from[axis], &from[axis + 1..])) {
        None | Some((1, _)) => 0,
        Some((_, behind)) => behind.iter().product(),
    };
    strided(to.iter().enumerate().map(|(axis, &size)| (size, stride(axis))), source)
}

/// A view with these sizes and strides. Axes that can be merged are merged.
fn strided(axes: impl Iterator<Item = (usize, usize)>, source: &mut Source) -> Result<String> {
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (size, stride) in axes.filter(|&(size, _)| size > 1) {
        match joined.last_mut() {
            Some(last) if last.1 == size * stride => *last = (last.0 * size, stride),
            _ => joined.push((size, stride)),
        }
    }
    if joined.len() > AXES {
        let error = Error::new(ErrorKind::Unsupported, "too many axes for the C file");
        return Err(error.expected(format_args!("at most {AXES}")).found(joined.len()));
    }
    joined.splice(0..0, std::iter::repeat_n((1, 0), AXES - joined.len()));
    let (sizes, strides): (Vec<usize>, Vec<usize>) = joined.into_iter().unzip();
    Ok(source.constant("view", "prefix_view", &format!("{{{}, {}}}", list(&sizes), list(&strides))))
}

pub fn permute(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let dims = call.inputs[0].dims();
    let axes = call.config.integers("dims", "axes")?;
    let axis = |&axis: &i64| {
        let axis = axis as usize - 1;
        (dims[axis], dims[axis + 1..].iter().product())
    };
    let view = strided(axes.iter().map(axis), source)?;
    gather(&view, call.output.len(), &call.x[0], call.y, source);
    Ok(())
}

/// `place` plus so many elements.
fn further(place: &str, by: usize) -> String {
    if by == 0 { place.to_string() } else { format!("{place} + {by}") }
}

pub fn concatenate(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let axis = axis_of(call.config.get("axis", "an axis", Value::as_i64)?, call.output)?;
    let row = |dims: &[usize]| dims[axis..].iter().product::<usize>();
    let (all, mut first) = (row(call.output.dims()), 0);
    for (input, x) in call.inputs.iter().zip(call.x) {
        let len = row(input.dims());
        copy(input.len() / len, len, len, x, all, &further(call.y, first), source);
        first += len;
    }
    Ok(())
}

/// `[[top, _], [left, _]]` under a key: top and left.
fn border(call: &Call<'_>, key: &str) -> Result<[usize; 2]> {
    let start = |axis: &Value| axis.as_array()?.first()?.as_u64()?.try_into().ok();
    call.config.get(key, "a border", |value| match &value.as_array()?[..] {
        [down, across] => Some([start(down)?, start(across)?]),
        _ => None,
    })
}

pub fn zero_padding(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let [top, left] = border(call, "padding")?;
    let (inner, outer) = (call.inputs[0].dims(), call.output.dims());
    let (row, outer_row) = (inner[1] * inner[2], outer[1] * outer[2]);
    source.call("clear", "prefix_clear", &[&call.output.len(), &call.y]);
    let y = further(call.y, top * outer_row + left * outer[2]);
    copy(inner[0], row, row, &call.x[0], outer_row, &y, source);
    Ok(())
}

pub fn cropping(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let [top, left] = border(call, "cropping")?;
    let (outer, inner) = (call.inputs[0].dims(), call.output.dims());
    let (row, outer_row) = (inner[1] * inner[2], outer[1] * outer[2]);
    let x = further(&call.x[0], top * outer_row + left * outer[2]);
    copy(inner[0], row, outer_row, &x, row, call.y, source);
    Ok(())
}

pub fn up_sampling(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let size = call.config.sizes_or::<2>("size", None)?;
    let bilinear = call.config.str("interpolation")? == "bilinear";
    let (dims, out) = (call.inputs[0].dims(), call.output.dims());
    let axis = |i: usize| [dims[i], out[i], size[i], 1, 1, 0];
    let window = source.window_of([axis(0), axis(1)], dims[2], dims[2], 1);
    source.call("up_sample", "prefix_up_sample", &[&window, &bilinear, &call.x[0], &call.y]);
    Ok(())
}
