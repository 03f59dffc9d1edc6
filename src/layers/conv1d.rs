//! `Conv1D`: sequences `[B, steps, C]`, kernel `[k, C / groups, F]`, bias `[F]`: a convolution of images of one row.

use super::conv2d::config::{
    BiasAndActivation, ParameterOptions, WindowOptions, axis, check_groups, check_padded, kernel, keys,
    padding_or_causal,
};
use super::conv2d::work::Convolution;
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Parameter, Work, check_rank};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::conv2d::ConvShape;
use crate::kernels::window::{Axis, Window};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "Conv1D",
    arity: Arity::One,
    keys: keys!["filters", "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"],
    read,
};

/// The layer.
#[derive(Debug)]
struct Conv1d {
    filters: usize,
    windows: WindowOptions<1>,
    groups: usize,
    kernel: ParameterOptions,
    bias_and_activation: BiasAndActivation,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Conv1d {
        filters: config.size("filters")?,
        windows: WindowOptions::read_either(config, padding_or_causal(config)?)?,
        groups: config.sizes_or("groups", Some([1; 1]))?[0],
        kernel: kernel(config, "kernel")?,
        bias_and_activation: BiasAndActivation::read(config)?,
    }))
}

impl Conv1d {
    /// The windows over the one row, and along it; an error where they do not fit.
    fn window(&self, input: &Shape) -> Result<Window> {
        check_rank(input, 2, "[steps, channels]")?;
        let WindowOptions { size: [size], strides: [stride], padding, dilation: [dilation] } = self.windows;
        let rows = Axis { input: 1, size: 1, stride: 1, dilation: 1, before: 0, after: 0 };
        let columns = axis(input.dims()[0], size, stride, dilation, padding)?;
        check_padded([rows, columns], input.dims()[1])?;
        Ok(Window { rows, columns })
    }
}

impl Layer for Conv1d {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = self.windows.write(Config::new().with("filters", self.filters).with("groups", self.groups));
        self.bias_and_activation.write(config.parameter("kernel", &self.kernel.0, self.kernel.1)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let window = self.window(inputs[0])?;
        check_groups("channels of the input", inputs[0].dims()[1], self.groups)?;
        check_groups("filters", self.filters, self.groups)?;
        Shape::new(&[window.columns.output(), self.filters])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let kernel = vec![self.windows.size[0], inputs[0].dims()[1] / self.groups, self.filters];
        self.bias_and_activation.parameters(&[("kernel", kernel, &self.kernel)], self.filters)
    }

    fn activation(&self) -> Activation {
        self.bias_and_activation.activation
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn folds(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let window = self.window(context.inputs[0])?;
        let size = ConvShape::of(window, context.inputs[0].dims()[1], self.filters, self.groups);
        Ok(Box::new(Convolution::new(size, context)?))
    }
}
