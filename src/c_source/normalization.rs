//! Layers that subtract a mean and divide by a deviation.

use super::source::{Source, float};
use super::{Call, Result};
use crate::error::Error;
use crate::layers::axis_of;
use serde_json::Value;

/// The axis of a config's `axis`, its size, and the number of elements after it.
fn axis(call: &Call<'_>) -> Result<(usize, usize)> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_array()?.first()?.as_i64());
    let axis = axis_of(call.config.get("axis", "an axis", number)?, call.inputs[0])?;
    let dims = call.inputs[0].dims();
    Ok((dims[axis], dims[axis + 1..].iter().product()))
}

/// A layer's parameters: gamma and beta (`None` if missing), and the others.
type Split<'a> = ([Option<&'a [f32]>; 2], &'a [&'a [f32]]);

fn split<'a>(call: &Call<'a>) -> Result<Split<'a>> {
    let mut rest = call.weights;
    let mut next = |there: bool| {
        let (first, behind) = rest.split_first().filter(|_| there)?;
        rest = behind;
        Some(*first)
    };
    let both = [next(call.config.bool("scale")?), next(call.config.bool("center")?)];
    Ok((both, rest))
}

/// With the moving statistics. The scale is computed by the library.
pub fn batch(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let (channels, behind) = axis(call)?;
    let ([gamma, beta], &[mean, variance]) = split(call)? else {
        return Err(Error::internal("a batch normalization has moving statistics"));
    };
    let epsilon = call.config.f64("epsilon")? as f32;
    let scale = |(c, variance): (usize, &f32)| {
        let inverse = 1.0 / (variance + epsilon).sqrt();
        gamma.map_or(inverse, |gamma| inverse * gamma[c])
    };
    let mean = source.array(&call.what("moving_mean"), mean.iter().copied())?;
    let scale = source.array(&call.what("scale"), variance.iter().enumerate().map(scale))?;
    let beta = source.array_or_null(&call.what("beta"), beta)?;
    let count = call.output.len();
    let arguments: [&dyn std::fmt::Display; 9] =
        [&mean, &scale, &beta, &call.relu, &channels, &behind, &count, &call.x[0], &call.y];
    source.call("normalize", "prefix_normalize", &arguments);
    Ok(())
}

pub fn layer(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let axes = call.config.integers("axis", "axes")?;
    let (channels, behind) = match axes[..] {
        [_] => axis(call)?,
        _ => (
            axes.iter()
                .map(|&axis| Ok(call.inputs[0].dims()[axis_of(axis, call.inputs[0])?]))
                .product::<Result<_>>()?,
            1,
        ),
    };
    rows(call, [call.output.len() / channels, 1, channels, 1, behind], source)
}

pub fn group(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let (channels, behind) = axis(call)?;
    let groups = match call.config.get("groups", "a whole number", Value::as_i64)? {
        -1 => channels,
        groups => groups as usize,
    };
    rows(call, [1, call.output.len() / channels, channels, groups, behind], source)
}

/// `[rows, pixels, channels, groups, behind]`
fn rows(call: &Call<'_>, sizes: [usize; 5], source: &mut Source) -> Result<()> {
    let ([gamma, beta], _) = split(call)?;
    let epsilon = float(call.config.f64("epsilon")? as f32);
    let sizes: Vec<String> = sizes.iter().map(|size| format!("{size}U")).collect();
    let rows = source.constant("group_normalize", "prefix_rows", &format!("{{{}, {epsilon}}}", sizes.join(", ")));
    let gamma = source.array_or_null(&call.what("gamma"), gamma)?;
    let beta = source.array_or_null(&call.what("beta"), beta)?;
    let arguments: [&dyn std::fmt::Display; 6] = [&rows, &gamma, &beta, &call.relu, &call.x[0], &call.y];
    source.call("group_normalize", "prefix_group_normalize", &arguments);
    Ok(())
}

/// With a given mean and variance.
pub fn normalization(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let all = call.config.value("axis").as_array().is_some_and(Vec::is_empty);
    let (size, repeat) = if all { (1, call.inputs[0].len()) } else { axis(call)? };
    let numbers = |key: &str| {
        let number = |value: &Value| value.as_f64().map(|x| x as f32);
        call.config.get(key, "numbers", |value| match value {
            Value::Array(list) => list.iter().map(number).collect::<Option<Vec<f32>>>(),
            value => Some(vec![number(value)?]),
        })
    };
    let at = |numbers: &[f32], i: usize| numbers[i.min(numbers.len() - 1)];
    let (means, variances) = (numbers("mean")?, numbers("variance")?);
    let means = source.array(&call.what("mean"), (0..size).map(|i| at(&means, i)))?;
    let deviations = (0..size).map(|i| at(&variances, i).sqrt().max(1e-7));
    let deviations = source.array(&call.what("deviation"), deviations)?;
    let (back, count) = (call.config.bool("invert")?, call.output.len());
    let arguments: [&dyn std::fmt::Display; 8] =
        [&means, &deviations, &back, &size, &repeat, &count, &call.x[0], &call.y];
    source.call("standardize", "prefix_standardize", &arguments);
    Ok(())
}
