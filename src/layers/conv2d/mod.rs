//! `Conv2D`: images `[B, H, W, C]`, kernel `[kh, kw, C / groups, F]`, bias `[F]`.
//!
//! How it is computed is in [`work`]. The other convolutions share that, and how their configs are read ([`config`]).

pub(super) mod config;
pub(super) mod gradients;
pub(super) mod groups;
pub(super) mod kernel_gradient;
pub(super) mod pass;
pub(super) mod work;

use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Parameter, Work};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::conv2d::ConvShape;
use crate::kernels::window::Window;
use config::{BiasAndActivation, DEFAULT_KERNEL, ParameterOptions, WindowOptions, check_groups, kernel, keys, padding};
use serde_json::{Map, Value};
use std::sync::Arc;
use work::Convolution;

pub(super) const ENTRY: Entry = Entry {
    class: "Conv2D",
    arity: Arity::One,
    keys: keys!["filters", "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"],
    read,
};

/// The layer.
#[derive(Debug)]
pub struct Conv2d {
    filters: usize,
    windows: WindowOptions<2>,
    groups: usize,
    kernel: ParameterOptions,
    bias_and_activation: BiasAndActivation,
}

impl Conv2d {
    /// With a square kernel, stride 1, no padding, a bias, and Keras's defaults.
    pub fn new(filters: usize, kernel_size: usize, activation: Activation) -> Self {
        let (windows, bias_and_activation) =
            (WindowOptions::plain([kernel_size; 2]), BiasAndActivation::new(activation));
        Conv2d { filters, windows, groups: 1, kernel: DEFAULT_KERNEL, bias_and_activation }
    }
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Conv2d {
        filters: config.size("filters")?,
        windows: WindowOptions::read_either(config, padding(config)?)?,
        groups: config.sizes_or("groups", Some([1; 1]))?[0],
        kernel: kernel(config, "kernel")?,
        bias_and_activation: BiasAndActivation::read(config)?,
    }))
}

impl Layer for Conv2d {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = self.windows.write(Config::new().with("filters", self.filters).with("groups", self.groups));
        self.bias_and_activation.write(config.parameter("kernel", &self.kernel.0, self.kernel.1)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let [height, width] = self.windows.axes(inputs[0])?;
        check_groups("channels of the input", inputs[0].dims()[2], self.groups)?;
        check_groups("filters", self.filters, self.groups)?;
        Shape::new(&[height.output(), width.output(), self.filters])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let [height, width] = self.windows.size;
        let kernel = vec![height, width, inputs[0].dims()[2] / self.groups, self.filters];
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
        let [rows, columns] = self.windows.axes(context.inputs[0])?;
        let size = ConvShape::of(Window { rows, columns }, context.inputs[0].dims()[2], self.filters, self.groups);
        Ok(Box::new(Convolution::new(size, context)?))
    }
}
