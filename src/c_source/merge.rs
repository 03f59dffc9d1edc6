//! Elementwise layers with several inputs.

use super::shapes::{copy, gather, view};
use super::source::{Source, float};
use super::{Call, Result};

pub fn add(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "add", false, source)
}

pub fn average(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "add", true, source)
}

pub fn subtract(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "subtract", false, source)
}

pub fn multiply(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "multiply", false, source)
}

pub fn maximum(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "maximum", false, source)
}

pub fn minimum(call: &Call<'_>, source: &mut Source) -> Result<()> {
    merge(call, "minimum", false, source)
}

/// The first input, combined with each of the others; sizes of 1 are broadcast.
fn merge(call: &Call<'_>, piece: &str, mean: bool, source: &mut Source) -> Result<()> {
    let (count, dims, y) = (call.output.len(), call.output.dims(), call.y);
    match call.inputs[0].dims() == dims {
        true => copy(1, count, count, &call.x[0], count, y, source),
        false => gather(&view(call.inputs[0].dims(), dims, source)?, count, &call.x[0], y, source),
    }
    for (input, x) in call.inputs.iter().zip(call.x).skip(1) {
        let view = view(input.dims(), dims, source)?;
        source.need(piece);
        source.call("merge", "prefix_merge", &[&format_args!("prefix_{piece}"), &view, &count, x, &y]);
    }
    if mean {
        source.call("divide", "prefix_divide", &[&float(call.inputs.len() as f32), &count, &y]);
    }
    if call.relu {
        source.need("relu");
        source.call("map", "prefix_map", &[&"prefix_relu", &count, &y, &y]);
    }
    Ok(())
}
