//! Layers with windows over images or rows, and layers that change images' borders and sizes.

use super::LayerCall;
use crate::error::{Error, Result};
use crate::kernels::window::{Axis, Padding};
use crate::onnx::export::Attribute::{self, Int, Text};
use crate::onnx::export::{Form, Value, Writer};
use crate::onnx::layout::permuted;

/// The output of a node; input and output have channels first.
fn over_channels(w: &mut Writer, s: &LayerCall<'_>) -> Result<String> {
    w.get(s.input()?, Form::First)
}

/// The bias, if there is one, and the inputs of a convolution.
fn convolve(
    w: &mut Writer,
    s: &LayerCall<'_>,
    operator: &str,
    x: &str,
    kernel: &str,
    attributes: &[(&str, Attribute)],
    biased: bool,
) -> Result<String> {
    match s.weight("bias").filter(|_| biased) {
        Some((bias, shape)) => {
            let bias = w.floats(&s.of("bias"), shape, bias)?;
            Ok(w.node(&s.name, operator, &[x, kernel, &bias], attributes))
        }
        None => Ok(w.node(&s.name, operator, &[x, kernel], attributes)),
    }
}

/// The windows over the input's axes except the channels', and their attributes.
fn windows(
    w: &Writer,
    s: &LayerCall<'_>,
    sizes: &str,
    dilation: Option<&str>,
) -> Result<Vec<(&'static str, Attribute)>> {
    let dims = &w.value(s.input()?).dims;
    let (sizes, strides) = (s.sizes(sizes)?, s.sizes("strides")?);
    let dilation = dilation.map_or(Ok(vec![1; sizes.len()]), |key| s.sizes(key))?;
    let padding = match s.text("padding") {
        "same" => Padding::Same,
        "causal" => Padding::Causal,
        _ => Padding::Valid,
    };
    let axis = |i: usize| {
        // As the layer uses them: past the end all strides are equivalent.
        let (stride, dilation) = (strides[i].min(dims[i]), if sizes[i] == 1 { 1 } else { dilation[i] });
        Axis::new(dims[i], sizes[i], stride, dilation, padding)
            .ok_or_else(|| Error::internal("a window that does not fit"))
    };
    let axes: Vec<Axis> = (0..sizes.len()).map(axis).collect::<Result<_>>()?;
    let all = |f: fn(&Axis) -> usize| axes.iter().map(f).collect::<Vec<_>>();
    let pads = [all(|axis| axis.before), all(|axis| axis.after)].concat();
    Ok(vec![
        ("kernel_shape", Attribute::sizes(&sizes)),
        ("strides", Attribute::sizes(&all(|axis| axis.stride))),
        ("pads", Attribute::sizes(&pads)),
        ("dilations", Attribute::sizes(&all(|axis| axis.dilation))),
    ])
}

/// Kernels `[..., C / groups, F]` to `[F, C / groups, ...]`.
pub fn convolution(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let x = over_channels(w, s)?;
    let axes = shape.len() - 2;
    let order: Vec<usize> = [axes + 1, axes].into_iter().chain(0..axes).collect();
    let dims: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let kernel = w.floats(&s.of("kernel"), &dims, &permuted(kernel, shape, &order)?)?;
    let mut attributes = windows(w, s, "kernel_size", Some("dilation_rate"))?;
    attributes.push(("group", Int(s.int("groups")?)));
    Ok(s.gives(convolve(w, s, "Conv", &x, &kernel, &attributes, true)?, Form::First))
}

/// A kernel `[kh, kw, C, M]` to `[C * M, 1, kh, kw]`, a group for each channel.
fn write_depthwise(w: &mut Writer, s: &LayerCall<'_>, name: &str, biased: bool) -> Result<String> {
    let (kernel, shape) = s.kernel(name)?;
    let x = over_channels(w, s)?;
    let dims = [shape[2] * shape[3], 1, shape[0], shape[1]];
    let kernel = w.floats(&s.of(name), &dims, &permuted(kernel, shape, &[2, 3, 0, 1])?)?;
    let mut attributes = windows(w, s, "kernel_size", Some("dilation_rate"))?;
    attributes.push(("group", Int(shape[2] as i64)));
    convolve(w, s, "Conv", &x, &kernel, &attributes, biased)
}

pub fn depthwise_convolution(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    Ok(s.gives(write_depthwise(w, s, "kernel", true)?, Form::First))
}

pub fn separable_convolution(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let middle = write_depthwise(w, s, "depthwise_kernel", false)?;
    let (kernel, shape) = s.kernel("pointwise_kernel")?;
    let dims = [shape[3], shape[2], 1, 1];
    let kernel = w.floats(&s.of("pointwise_kernel"), &dims, &permuted(kernel, shape, &[3, 2, 0, 1])?)?;
    Ok(s.gives(convolve(w, s, "Conv", &middle, &kernel, &[], true)?, Form::First))
}

/// A kernel `[kh, kw, F, C]` to `[C, F, kh, kw]`.
pub fn transposed_convolution(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let x = over_channels(w, s)?;
    let dims = w.value(s.input()?).dims.clone();
    let (sizes, strides, dilation) = (s.sizes("kernel_size")?, s.sizes("strides")?, s.sizes("dilation_rate")?);
    let padding = if s.text("padding") == "same" { Padding::Same } else { Padding::Valid };
    let (mut pads, mut more) = ([0; 4], [0; 2]);
    for i in 0..2 {
        let dilation = if sizes[i] == 1 { 1 } else { dilation[i] };
        let axis = Axis::new(s.output[i], sizes[i], strides[i], dilation, padding)
            .ok_or_else(|| Error::internal("a window that does not fit"))?;
        let reached = (dims[i] - 1) * strides[i] + axis.span();
        (pads[i], pads[2 + i]) = (axis.before, axis.after);
        // Output that the windows do not reach is output_padding; what they reach beyond it is cropped.
        let wanted = s.output[i] + axis.before + axis.after;
        more[i] = wanted.saturating_sub(reached);
        pads[2 + i] += reached.saturating_sub(wanted);
    }
    let kernel_dims = [shape[3], shape[2], shape[0], shape[1]];
    let kernel = w.floats(&s.of("kernel"), &kernel_dims, &permuted(kernel, shape, &[3, 2, 0, 1])?)?;
    let attributes = [
        ("kernel_shape", Attribute::sizes(&sizes)),
        ("strides", Attribute::sizes(&strides)),
        ("pads", Attribute::sizes(&pads)),
        ("dilations", Attribute::sizes(&dilation)),
        ("output_padding", Attribute::sizes(&more)),
    ];
    Ok(s.gives(convolve(w, s, "ConvTranspose", &x, &kernel, &attributes, true)?, Form::First))
}

pub fn pooling(w: &mut Writer, s: &LayerCall<'_>, operator: &str) -> Result<Value> {
    let x = over_channels(w, s)?;
    let mut attributes = windows(w, s, "pool_size", None)?;
    attributes.retain(|(name, _)| *name != "dilations");
    Ok(s.gives(w.node(&s.name, operator, &[&x], &attributes), Form::First))
}

pub fn global_pooling(w: &mut Writer, s: &LayerCall<'_>, operator: &str) -> Result<Value> {
    let x = over_channels(w, s)?;
    let y = w.node(&s.name, operator, &[&x], &[]);
    match s.flag("keepdims") {
        true => Ok(s.gives(y, Form::First)),
        false => Ok(s.gives(w.node(&s.name, "Flatten", &[&y], &[("axis", Int(1))]), Form::Last)),
    }
}

/// The four sides of a config's `[[top, bottom], [left, right]]`.
fn border(s: &LayerCall<'_>, key: &str) -> Result<[[i64; 2]; 2]> {
    let side = |axis: usize, side: usize| s.config.get(key).and_then(|value| value[axis][side].as_i64());
    let all = [side(0, 0), side(0, 1), side(1, 0), side(1, 1)];
    match all {
        [Some(top), Some(bottom), Some(left), Some(right)] => Ok([[top, bottom], [left, right]]),
        _ => Err(Error::internal("a config without a border")),
    }
}

pub fn zero_padding(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let [[top, bottom], [left, right]] = border(s, "padding")?;
    let (call, form) = (s.input()?, w.value(s.input()?).made);
    let pads = match form {
        Form::First => [0, 0, top, left, 0, 0, bottom, right],
        Form::Last => [0, top, left, 0, 0, bottom, right, 0],
    };
    let (x, pads) = (w.get(call, form)?, w.ints(&s.of("pads"), &pads));
    Ok(s.gives(w.node(&s.name, "Pad", &[&x, &pads], &[("mode", Text("constant"))]), form))
}

pub fn cropping(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let [[top, _], [left, _]] = border(s, "cropping")?;
    let (call, form) = (s.input()?, w.value(s.input()?).made);
    let axes = if form == Form::First { [2, 3] } else { [1, 2] };
    let x = w.get(call, form)?;
    let starts = w.ints(&s.of("starts"), &[top, left]);
    let ends = w.ints(&s.of("ends"), &[top + s.output[0] as i64, left + s.output[1] as i64]);
    let axes = w.ints(&s.of("axes"), &axes);
    Ok(s.gives(w.node(&s.name, "Slice", &[&x, &starts, &ends, &axes], &[]), form))
}

pub fn up_sampling(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    let size = s.sizes("size")?;
    let x = over_channels(w, s)?;
    let scales = w.floats(&s.of("scales"), &[4], &[1.0, 1.0, size[0] as f32, size[1] as f32])?;
    let attributes = match s.text("interpolation") {
        "bilinear" => vec![("mode", Text("linear")), ("coordinate_transformation_mode", Text("half_pixel"))],
        _ => vec![
            ("mode", Text("nearest")),
            ("coordinate_transformation_mode", Text("asymmetric")),
            ("nearest_mode", Text("floor")),
        ],
    };
    Ok(s.gives(w.node(&s.name, "Resize", &[&x, "", &scales], &attributes), Form::First))
}
