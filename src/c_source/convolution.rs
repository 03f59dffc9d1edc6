//! `Dense` and the convolutions: layers with a kernel.

use super::source::{Source, of};
use super::{Call, Result};
use crate::error::Error;
use crate::kernels::conv2d::ConvShape;
use crate::kernels::conv2d::winograd::Winograd;
use crate::kernels::window::{Axis, Padding, Window};

/// Tiles that `prefix_winograd` takes together, and the numbers of each.
const TILES: usize = 4 * 36;

pub fn dense(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let inputs = call.inputs[0].dims().last().copied().unwrap_or(1);
    let units = call.output.dims().last().copied().unwrap_or(1);
    let kernel = columns(call.kernel()?, "kernel", units, call, source)?;
    let bias = bias(call, 1, source)?;
    let rows = call.inputs[0].len() / inputs;
    source.call("dense", "prefix_dense", &[&kernel, &bias, &call.relu, &rows, &units, &call.x[0], &call.y]);
    Ok(())
}

pub fn convolution(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let groups = call.config.sizes_or("groups", Some([1]))?[0];
    let (window, filters) = (window(call, "kernel_size")?, last(call.output));
    let kernel = columns(call.kernel()?, "kernel", filters, call, source)?;
    let size = ConvShape::of(window, last(call.inputs[0]), filters, groups);
    let bias = bias(call, 1, source)?;
    direct(size, [of(window.rows), of(window.columns)], [&kernel, &bias], call, source);
    Ok(())
}

/// A convolution including the zeros around the image: `size` selects the algorithm, `axes` has the windows.
fn direct(size: ConvShape, axes: [[usize; 6]; 2], [kernel, bias]: [&str; 2], call: &Call<'_>, source: &mut Source) {
    let (channels, filters) = (last(call.inputs[0]), last(call.output));
    let window = source.window_of(axes, channels, filters, size.groups);
    let (x, y, relu) = (&call.x[0], call.y, call.relu);
    match Winograd::is_worthwhile(&size) {
        true => {
            let tiles = source.beside(TILES * channels);
            source.call("winograd", "prefix_winograd", &[&window, &kernel, &bias, &relu, x, &tiles, &y]);
        }
        false => source.call("conv2d", "prefix_conv2d", &[&window, &kernel, &bias, &relu, &true, x, &y]),
    }
}

pub fn transposed(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let (channels, filters) = (last(call.inputs[0]), last(call.output));
    let more = match call.config.has("output_padding") {
        true => call.config.integers("output_padding", "two numbers")?.iter().map(|&n| n as usize).collect(),
        false => Vec::new(),
    };
    let (windows, dims) = (WindowOptions::<2>::read(call, "kernel_size")?, call.inputs[0].dims());
    let axis = |i: usize| {
        let [size, stride, dilation] = windows.along(i);
        let axis = Axis::transposed(dims[i], size, stride, dilation, windows.padding, more.get(i).copied());
        axis.ok_or_else(|| Error::internal("a window that does not fit"))
    };
    let window = Window { rows: axis(0)?, columns: axis(1)? };
    // The convolution whose input gradient it is, with its kernel rotated by 180 degrees.
    let size = ConvShape::of(window, filters, channels, 1);
    let (weights, places) = (call.kernel()?, window.places());
    let kernel = source.kernel(&call.what("kernel"), filters, places * channels, |filter, i| {
        weights[((places - 1 - i / channels) * filters + filter) * channels + i % channels]
    })?;
    let bias = bias(call, 1, source)?;
    if size.strides == [1, 1] {
        let back = |axis: Axis| [axis.output(), axis.input, axis.size, 1, axis.dilation, axis.span() - 1 - axis.before];
        direct(size, [back(window.rows), back(window.columns)], [&kernel, &bias], call, source);
        return Ok(());
    }
    let window = source.window(window, channels, filters, 1);
    let arguments: [&dyn std::fmt::Display; 6] = [&window, &kernel, &bias, &call.relu, &call.x[0], &call.y];
    source.call("conv2d_transpose", "prefix_conv2d_transpose", &arguments);
    Ok(())
}

pub fn depthwise(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let bias = bias(call, 1, source)?;
    write_depthwise(call, "kernel", &bias, call.relu, call.y, source)
}

/// Each channel has its own kernels; padding is not part of the sums.
fn write_depthwise(call: &Call<'_>, name: &str, bias: &str, relu: bool, y: &str, source: &mut Source) -> Result<()> {
    let (window, channels) = (window(call, "kernel_size")?, last(call.inputs[0]));
    let filters = call.kernel()?.len() / window.places();
    let kernel = columns(call.kernel()?, name, filters, call, source)?;
    let window = source.window(window, channels, filters, channels);
    source.call("conv2d", "prefix_conv2d", &[&window, &kernel, &bias, &relu, &false, &call.x[0], &y]);
    Ok(())
}

pub fn separable(call: &Call<'_>, source: &mut Source) -> Result<()> {
    let window = window(call, "kernel_size")?;
    let channels = call.kernel()?.len() / window.places();
    let middle = source.beside(window.outputs() * channels);
    write_depthwise(call, "depthwise_kernel", "NULL", false, &middle, source)?;
    let [_, pointwise, ..] = call.weights else { return Err(Error::internal("a layer without its kernels")) };
    let filters = last(call.output);
    let kernel = columns(pointwise, "pointwise_kernel", filters, call, source)?;
    let bias = bias(call, 2, source)?;
    let pixel = |outputs: usize| [outputs, outputs, 1, 1, 1, 0];
    let axes = [pixel(window.rows.output()), pixel(window.columns.output())];
    let window = source.window_of(axes, channels, filters, 1);
    let arguments: [&dyn std::fmt::Display; 7] = [&window, &kernel, &bias, &call.relu, &true, &middle, &call.y];
    source.call("conv2d", "prefix_conv2d", &arguments);
    Ok(())
}

/// A kernel as a matrix with one column per output channel.
fn columns(matrix: &[f32], name: &str, channels: usize, call: &Call<'_>, source: &mut Source) -> Result<String> {
    source.kernel(&call.what(name), channels, matrix.len() / channels, |channel, i| matrix[i * channels + channel])
}

fn bias(call: &Call<'_>, at: usize, source: &mut Source) -> Result<String> {
    source.array_or_null(&call.what("bias"), call.weights.get(at).copied())
}

fn last(shape: &crate::graph::Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1)
}

/// The window options along `N` axes.
struct WindowOptions<const N: usize> {
    size: [usize; N],
    strides: [usize; N],
    dilation: [usize; N],
    padding: Padding,
}

impl<const N: usize> WindowOptions<N> {
    fn read(call: &Call<'_>, size: &str) -> Result<Self> {
        let config = &call.config;
        let padding = match config.str("padding")? {
            "same" => Padding::Same,
            "causal" => Padding::Causal,
            _ => Padding::Valid,
        };
        Ok(WindowOptions {
            size: config.sizes_or(size, None)?,
            strides: config.sizes_or("strides", Some([1; N]))?,
            dilation: config.sizes_or("dilation_rate", Some([1; N]))?,
            padding,
        })
    }

    /// Size, stride and dilation; a window of one element has dilation 1.
    fn along(&self, axis: usize) -> [usize; 3] {
        let size = self.size[axis];
        [size, self.strides[axis], if size == 1 { 1 } else { self.dilation[axis] }]
    }

    fn axis(&self, axis: usize, input: usize) -> Result<Axis> {
        let [size, stride, dilation] = self.along(axis);
        let axis = Axis::new(input, size, stride.min(input), dilation, self.padding);
        axis.ok_or_else(|| Error::internal("a window that does not fit"))
    }
}

/// The windows of a layer over `[height, width, channels]`, or over `[steps, channels]`, an image of one row; `size` is the
/// key of their size.
pub fn window(call: &Call<'_>, size: &str) -> Result<Window> {
    match *call.inputs[0].dims() {
        [steps, _] => {
            let rows = Axis { input: 1, size: 1, stride: 1, dilation: 1, before: 0, after: 0 };
            Ok(Window { rows, columns: WindowOptions::<1>::read(call, size)?.axis(0, steps)? })
        }
        [height, width, _] => {
            let windows = WindowOptions::<2>::read(call, size)?;
            Ok(Window { rows: windows.axis(0, height)?, columns: windows.axis(1, width)? })
        }
        _ => Err(Error::internal("windows over neither images nor rows")),
    }
}
