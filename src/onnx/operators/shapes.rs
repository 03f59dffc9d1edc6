//! Operators that change shapes and not values, and the arithmetic of shapes.

use super::unsupported;
use crate::error::{Error, ErrorKind, Result};
use crate::onnx::constants::{BATCH, Constant, Data, count};
use crate::onnx::import::Reader;
use crate::onnx::layout::{Value, with_last};
use crate::onnx::proto::NodeProto;
use serde_json::json;

/// The most values of a constant shape.
const MOST: usize = 4096;

pub fn constant<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let constant = node.constant(reader.beside())?;
    reader.give_constant(node, constant)
}

/// A constant filled with one value.
pub fn constant_of_shape<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let shape = reader.weights(node, 0)?;
    let dims: Option<Vec<usize>> = shape.ints()?.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let len = dims.as_deref().and_then(count).filter(|&len| len <= MOST);
    let (Some(dims), Some(len)) = (dims, len) else {
        return Err(unsupported("a constant of such a shape", "few numbers", format_args!("{:?}", shape.dims)));
    };
    let data = match node.constant(reader.beside()).ok().map(|constant| constant.data) {
        Some(Data::Ints(ints)) => Data::Ints(vec![ints.first().copied().unwrap_or(0); len]),
        Some(Data::Floats(floats)) => Data::Floats(vec![floats.first().copied().unwrap_or(0.0); len]),
        None => Data::Floats(vec![0.0; len]),
    };
    reader.give_constant(node, Constant { dims, data })
}

/// The input under another name.
pub fn identity<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    match reader.is_constant(node) {
        true => {
            let constant = reader.weights(node, 0)?;
            reader.give_shared(node, constant);
        }
        false => {
            let value = reader.value(node, 0)?;
            reader.give(node, value);
        }
    }
    Ok(())
}

/// A cast to float, which all values are; constants do not change.
pub fn cast<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    use crate::onnx::proto::element::{BOOL, DOUBLE, FLOAT, INT32, INT64};
    let to = node.int("to").unwrap_or_default();
    let float = to == i64::from(FLOAT) || to == i64::from(DOUBLE);
    if !reader.is_constant(node) {
        return match float {
            true => identity(reader, node),
            false => Err(unsupported("a cast to another type than float", "1", to)),
        };
    }
    let constant = Constant::clone(&*reader.weights(node, 0)?);
    let data = match constant.data {
        Data::Ints(ints) if float => Data::Floats(ints.into_iter().map(|value| value as f32).collect()),
        Data::Floats(floats) if [BOOL, INT32, INT64].map(i64::from).contains(&to) => {
            Data::Ints(floats.into_iter().map(|value| value as i64).collect())
        }
        data => data,
    };
    reader.give_constant(node, Constant { data, ..constant })
}

/// The sizes of a value; the batch's is unknown.
pub fn shape<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let sizes: Vec<i64> = match reader.is_constant(node) {
        true => reader.weights(node, 0)?.dims.iter().map(|&dim| dim as i64).collect(),
        false => {
            let value = reader.value(node, 0)?;
            std::iter::once(BATCH).chain(reader.dims(&value)?.into_iter().map(|dim| dim as i64)).collect()
        }
    };
    let at = |name: &str, default: usize| match node.int(name) {
        Some(at) => clamp(at, sizes.len()),
        None => default,
    };
    let (start, end) = (at("start", 0), at("end", sizes.len()));
    reader.give_constant(node, Constant::row(sizes.get(start..end).unwrap_or_default().to_vec()))
}

/// An index into `len` elements, counted from the end if it is below 0.
fn clamp(at: i64, len: usize) -> usize {
    let at = if at < 0 { at.saturating_add(len as i64) } else { at };
    at.clamp(0, len as i64) as usize
}

/// Elements of a shape.
pub fn gather<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    expect_constant(reader, node)?;
    let (data, indices) = (reader.weights(node, 0)?, reader.weights(node, 1)?);
    let numbers = data.ints()?;
    if data.dims.len() != 1 || node.int("axis").unwrap_or(0) != 0 || indices.len() > MOST {
        return Err(unsupported("a gather of a value that is not a shape", "a row", format_args!("{:?}", data.dims)));
    }
    let pick = |&at: &i64| {
        let at = if at < 0 { at.saturating_add(numbers.len() as i64) } else { at };
        usize::try_from(at).ok().and_then(|at| numbers.get(at).copied())
    };
    let picked: Option<Vec<i64>> = indices.ints()?.iter().map(pick).collect();
    let picked = picked.ok_or_else(|| Error::new(ErrorKind::Format, "an index after the end"))?;
    reader.give_constant(node, Constant { dims: indices.dims.clone(), data: Data::Ints(picked) })
}

fn expect_constant(reader: &Reader<'_>, node: &NodeProto) -> Result<()> {
    match reader.is_constant(node) {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Unsupported, "a value of the input").expected("constants, or its shape")),
    }
}

/// Concatenates values, or parts of a shape.
pub fn concat<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    if reader.is_constant(node) {
        let mut all = Vec::new();
        for i in 0..node.input.len() {
            let part = reader.weights(node, i)?;
            all.extend_from_slice(part.ints()?);
            if part.dims.len() > 1 || all.len() > MOST {
                return Err(unsupported("a concatenation of such constants", "rows", format_args!("{:?}", part.dims)));
            }
        }
        return reader.give_constant(node, Constant::row(all));
    }
    let values = (0..node.input.len()).map(|i| reader.value(node, i)).collect::<Result<Vec<_>>>()?;
    let mut values = reader.alike(&values)?;
    if values.len() > 1 && values[0].image.is_some() {
        values = values.iter().map(|value| reader.straight(value)).collect::<Result<_>>()?;
    }
    let axis = values[0].axis(node.int("axis").unwrap_or(1))?;
    let positive = values.iter().all(|value| value.positive);
    if let [one] = &values[..] {
        let value = one.clone();
        reader.give(node, value);
        return Ok(());
    }
    let tensors: Vec<_> = values.iter().map(|value| value.tensor).collect();
    let tensor = reader.layer("Concatenate", json!({ "axis": axis + 1 }), &tensors, Vec::new())?;
    reader.give(node, Value { positive, ..values[0].with(tensor) });
    Ok(())
}

pub fn flatten<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let value = reader.value(node, 0)?;
    let dims = reader.dims(&value)?;
    let axis = node.int("axis").unwrap_or(1);
    if axis != 1 && axis != -(dims.len() as i64) {
        return Err(unsupported("a flatten from another axis", "1", axis));
    }
    let value = reader.reshape(&value, &[dims.iter().product()])?;
    reader.give(node, value);
    Ok(())
}

/// Reshapes to a shape from an input or an attribute; 0 keeps a size, -1 is inferred.
pub fn reshape<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let shape = match node.ints("shape") {
        Some(shape) => shape.to_vec(),
        None => reader.weights(node, 1)?.ints()?.to_vec(),
    };
    let wrong = || {
        unsupported(
            "a shape that moves the batch",
            "a batch and fixed sizes",
            format_args!("{:?}", &shape[..shape.len().min(8)]),
        )
    };
    if reader.is_constant(node) {
        let constant = reader.weights(node, 0)?;
        let dims = filled(&shape, &constant.dims, constant.len()).ok_or_else(wrong)?;
        let constant = constant.reshaped(dims)?;
        return reader.give_constant(node, constant);
    }
    let value = reader.value(node, 0)?;
    let before = reader.dims(&value)?;
    if before.len() > 1 && shape[..] == [-1, before[before.len() - 1] as i64] && is_for_product(reader, node) {
        let value = reader.straight(&value)?;
        reader.give(node, value);
        return Ok(());
    }
    let len = before.iter().product();
    let (&batch, rest) = shape.split_first().ok_or_else(wrong)?;
    let own = [&[0][..], &before].concat();
    let dims = filled(rest, own.get(1..).unwrap_or_default(), len).filter(|dims| !dims.is_empty()).ok_or_else(wrong)?;
    // Any number may stand for the batch: the inferred size is a number of samples.
    if batch < -1 && batch != BATCH || rest.contains(&BATCH) {
        return Err(wrong());
    }
    let value = reader.reshape(&value, &dims)?;
    reader.give(node, value);
    Ok(())
}

/// Whether the rows of all samples are joined, to be multiplied by weights and split again: TensorFlow's product along
/// the last axis, which `Dense` computes directly. The reshape back then has no effect.
fn is_for_product(reader: &Reader<'_>, node: &NodeProto) -> bool {
    let product =
        reader.next(node).filter(|(_, next)| next.op_type == "MatMul" && next.input.first() == node.output.first());
    product.and_then(|(_, product)| reader.next(product)).is_some_and(|(_, back)| back.op_type == "Reshape")
}

/// The sizes that a shape gives for `len` values of sizes `before`.
fn filled(shape: &[i64], before: &[usize], len: usize) -> Option<Vec<usize>> {
    let mut dims = Vec::new();
    let mut open = None;
    for (i, &size) in shape.iter().enumerate() {
        match size {
            0 => dims.push(*before.get(i)?),
            -1 if open.is_none() => {
                open = Some(i);
                dims.push(1);
            }
            size => dims.push(usize::try_from(size).ok().filter(|&size| size > 0)?),
        }
    }
    let known = count(&dims)?;
    if let Some(open) = open {
        dims[open] = len / known.max(1);
    }
    (count(&dims)? == len).then_some(dims)
}

/// Axes from an input since opset 13, from an attribute before.
pub fn axes<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<Option<Vec<i64>>> {
    Ok(match node.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => match reader.constant(node, 1)? {
            Some(axes) => Some(axes.ints()?.to_vec()),
            None => None,
        },
    })
}

/// The indices of axes among `rank`, sorted.
pub fn places(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let place = |&axis: &i64| {
        let at = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
        usize::try_from(at).ok().filter(|&at| at < rank)
    };
    let places: Option<Vec<usize>> = axes.iter().map(place).collect();
    let mut places = places.ok_or_else(|| Error::new(ErrorKind::Format, "no such axis"))?;
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

pub fn squeeze<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let axes = axes(reader, node)?;
    if reader.is_constant(node) {
        let constant = reader.weights(node, 0)?;
        let out = match axes {
            Some(axes) => places(&axes, constant.dims.len())?,
            None => (0..constant.dims.len()).filter(|&i| constant.dims[i] == 1).collect(),
        };
        let left = (0..constant.dims.len()).filter(|i| !out.contains(i)).map(|i| constant.dims[i]).collect();
        let constant = constant.reshaped(left)?;
        return reader.give_constant(node, constant);
    }
    let value = reader.value(node, 0)?;
    let dims = reader.dims(&value)?;
    let out = match axes {
        Some(axes) => places(&axes, dims.len() + 1)?,
        None => (1..=dims.len()).filter(|&i| dims[i - 1] == 1).collect(),
    };
    let left: Vec<usize> = (1..=dims.len()).filter(|i| !out.contains(i)).map(|i| dims[i - 1]).collect();
    if out.contains(&0) || left.is_empty() {
        return Err(unsupported(
            "the batch axis is removed, or all other axes are",
            "some axis that stays",
            format_args!("{out:?}"),
        ));
    }
    let value = reader.reshape(&value, &left)?;
    reader.give(node, value);
    Ok(())
}

pub fn unsqueeze<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let axes = axes(reader, node)?.ok_or_else(|| Error::new(ErrorKind::Format, "no axes"))?;
    let more = |dims: &[usize]| -> Result<Vec<usize>> {
        if axes.len() > 8 {
            return Err(unsupported("too many axes", "8", axes.len()));
        }
        let rank = dims.len() + axes.len();
        let new = places(&axes, rank)?;
        let mut old = dims.iter().copied();
        Ok((0..rank).map(|i| if new.contains(&i) { 1 } else { old.next().unwrap_or(1) }).collect())
    };
    if reader.is_constant(node) {
        let constant = reader.weights(node, 0)?;
        let constant = constant.reshaped(more(&constant.dims)?)?;
        return reader.give_constant(node, constant);
    }
    let value = reader.value(node, 0)?;
    let dims = more(&[&[0][..], &reader.dims(&value)?].concat())?;
    match dims.split_first() {
        Some((0, dims)) => {
            let value = reader.reshape(&value, dims)?;
            reader.give(node, value);
            Ok(())
        }
        _ => Err(unsupported("an axis before the batch", "1 or more", format_args!("{axes:?}"))),
    }
}

/// Transposes a value; a constant's values are moved.
pub fn transpose<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let order = |rank: usize| -> Result<Vec<usize>> {
        let order: Vec<usize> = match node.ints("perm") {
            Some(order) => order.iter().map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect(),
            None => (0..rank).rev().collect(),
        };
        match order.len() == rank && (0..rank).all(|axis| order.contains(&axis)) {
            true => Ok(order),
            false => Err(Error::new(ErrorKind::Format, "perm is not a permutation of the axes")
                .expected(format_args!("0 to {}", rank.max(1) - 1))),
        }
    };
    if reader.is_constant(node) {
        let constant = reader.weights(node, 0)?;
        let constant = constant.transposed(&order(constant.dims.len())?)?;
        return reader.give_constant(node, constant);
    }
    let value = reader.value(node, 0)?;
    let order = order(value.order.len() + 1)?;
    let Some((0, order)) = order.split_first() else {
        return Err(unsupported("the batch's axis is moved", "0 first", format_args!("{order:?}")));
    };
    let order = order.iter().map(|&axis| value.order[axis - 1]).collect();
    reader.give(node, Value { order, ..value });
    Ok(())
}

/// Every `step`th index of a constant's first axis, from `start` to `end` (exclusive).
fn part(constant: &Constant, start: i64, end: i64, step: i64) -> Result<Constant> {
    let (ints, rows) = (constant.ints()?, constant.dims.first().copied().unwrap_or(0));
    let width = ints.len().checked_div(rows).unwrap_or(0);
    let len = rows as i64;
    let (least, most) = if step < 0 { (-1, len - 1) } else { (0, len) };
    let bounded = |at: i64| (if at < 0 { at.saturating_add(len) } else { at }).clamp(least, most);
    let (mut at, end, mut places) = (bounded(start), bounded(end), Vec::new());
    while step > 0 && at < end || step < 0 && at > end {
        places.push(at as usize);
        at = at.saturating_add(step);
    }
    let data = places.iter().flat_map(|&at| &ints[at * width..][..width]).copied().collect();
    let dims = std::iter::once(places.len()).chain(constant.dims.iter().skip(1).copied()).collect();
    Ok(Constant { dims, data: Data::Ints(data) })
}

/// A slice of a shape, or the inner part of images.
pub fn slice<'f>(reader: &mut Reader<'f>, node: &'f NodeProto) -> Result<()> {
    let mut numbers = |name: &str, input: usize| -> Result<Option<Vec<i64>>> {
        Ok(match node.ints(name) {
            Some(ints) => Some(ints.to_vec()),
            None => reader.constant(node, input)?.map(|constant| constant.ints().map(<[i64]>::to_vec)).transpose()?,
        })
    };
    let (starts, ends) = (numbers("starts", 1)?.unwrap_or_default(), numbers("ends", 2)?.unwrap_or_default());
    let axes = numbers("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = numbers("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        let found = format_args!("{} starts, {} ends", starts.len(), ends.len()).to_string();
        return Err(unsupported("not as many starts as ends, axes and steps", "one for each axis", found));
    }
    if reader.is_constant(node) {
        let constant = reader.weights(node, 0)?;
        let over = places(&axes, constant.dims.len())?;
        let (&[start], &[end], [0], &[step]) = (&starts[..], &ends[..], &over[..], &steps[..]) else {
            return Err(unsupported(
                "a slice of a value that is not a shape",
                "its first axis",
                format_args!("{:?}", constant.dims),
            ));
        };
        let constant = part(&constant, start, end, step)?;
        return reader.give_constant(node, constant);
    }
    if steps.iter().any(|&step| step != 1) {
        return Err(unsupported(
            "a slice with steps",
            "steps of 1",
            format_args!("{:?}", &steps[..steps.len().min(8)]),
        ));
    }
    let value = reader.value(node, 0)?;
    let dims = reader.dims(&value)?;
    let mut cropped = vec![[0usize; 2]; dims.len()];
    for ((&start, &end), &axis) in starts.iter().zip(&ends).zip(&axes) {
        let at = places(&[axis], dims.len() + 1)?[0];
        let Some(at) = at.checked_sub(1) else {
            // To the end, of any size.
            match start == 0 && end >= i64::from(i32::MAX) {
                true => continue,
                false => return Err(unsupported("a slice of the batch", "another axis", axis)),
            }
        };
        let dim = dims[at];
        cropped[at] = [clamp(start, dim), dim - clamp(end, dim).min(dim)];
    }
    // The axis that is not sliced, the last or the first, is the channels'.
    match cropped[..] {
        [rows, columns, [0, 0]] | [[0, 0], rows, columns] => {
            let channels = if cropped[2] == [0, 0] { 2 } else { 0 };
            let value = reader.arrange(&value, &with_last(3, channels))?;
            let config = json!({ "cropping": [rows, columns] });
            let tensor = reader.layer("Cropping2D", config, &[value.tensor], Vec::new())?;
            reader.give(node, Value { positive: value.positive, ..value.with(tensor) });
            Ok(())
        }
        _ => Err(unsupported(
            "a slice of other axes than an image's rows and columns",
            "axes 2 and 3",
            format_args!("{axes:?}"),
        )),
    }
}
