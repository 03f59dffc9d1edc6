//! `SeparableConv2D`: a depthwise convolution followed by a 1 x 1 convolution; kernels `[kh, kw, C, M]` and `[1, 1, C *
//! M, F]`, bias `[F]`.

use super::conv2d::config::{BiasAndActivation, ParameterOptions, kernel, keys};
use super::conv2d::work::Convolution;
use super::depthwise_conv2d::{DepthwiseOptions, DepthwiseWork};
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Parameter, Pass, Step, Weight, Work};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::conv2d::ConvShape;
use crate::memory::Buffer;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "SeparableConv2D",
    arity: Arity::One,
    keys: keys![
        "filters",
        "depth_multiplier",
        "depthwise_initializer",
        "depthwise_regularizer",
        "depthwise_constraint",
        "pointwise_initializer",
        "pointwise_regularizer",
        "pointwise_constraint"
    ],
    read,
};

/// The layer.
#[derive(Debug)]
struct SeparableConv2d {
    filters: usize,
    options: DepthwiseOptions,
    depthwise: ParameterOptions,
    pointwise: ParameterOptions,
    bias_and_activation: BiasAndActivation,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(SeparableConv2d {
        filters: config.size("filters")?,
        options: DepthwiseOptions::read(config)?,
        depthwise: kernel(config, "depthwise")?,
        pointwise: kernel(config, "pointwise")?,
        bias_and_activation: BiasAndActivation::read(config)?,
    }))
}

impl Layer for SeparableConv2d {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = self.options.write(Config::new().with("filters", self.filters));
        let config = config.parameter("depthwise", &self.depthwise.0, self.depthwise.1);
        self.bias_and_activation.write(config.parameter("pointwise", &self.pointwise.0, self.pointwise.1)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let middle = self.options.output(inputs[0])?;
        Shape::new(&[middle.dims()[0], middle.dims()[1], self.filters])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let depthwise = self.options.kernel(inputs[0]);
        let pointwise = vec![1, 1, inputs[0].dims()[2] * self.options.multiplier, self.filters];
        let kernels =
            [("depthwise_kernel", depthwise, &self.depthwise), ("pointwise_kernel", pointwise, &self.pointwise)];
        self.bias_and_activation.parameters(&kernels, self.filters)
    }

    fn activation(&self) -> Activation {
        self.bias_and_activation.activation
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let middle = self.options.output(context.inputs[0])?;
        let dims = middle.dims();
        let size = ConvShape::new(dims[0], dims[1], dims[2], self.filters, [1, 1]);
        let len = context.batch.saturating_mul(middle.len());
        Ok(Box::new(SeparableWork {
            depthwise: self.options.build(&BuildContext { output: &middle, relu: false, ..*context })?,
            pointwise: Convolution::new(size, &BuildContext { inputs: &[&middle], gradients: &[true], ..*context })?,
            middle: Buffer::zeros(len)?,
            gradient: Buffer::zeros(if context.training { len } else { 0 })?,
            middle_len: middle.len(),
            output_len: context.output.len(),
        }))
    }
}

struct SeparableWork {
    depthwise: DepthwiseWork,
    pointwise: Convolution,
    /// The values between the two, and their gradient.
    middle: Buffer,
    gradient: Buffer,
    /// Elements of a sample there, and of the output.
    middle_len: usize,
    output_len: usize,
}

impl Work for SeparableWork {
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let middle = &mut self.middle[..y.len() / self.output_len * self.middle_len];
        self.depthwise.forward(step, &weights[..1], x, middle)?;
        self.pointwise.forward(step, &weights[1..], &[middle], y)
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (dx, Pass { x, y, dz, gated, .. }) = (pass.take_dx(), pass);
        let len = dz.len() / self.output_len * self.middle_len;
        let (middle, gradient) = (&self.middle[..len], &mut self.gradient[..len]);
        let (depthwise, pointwise) = weights.split_at_mut(1);
        let upper = Pass { x: &[middle], y, dz, dx: &mut [Some(&mut *gradient)], gated: false };
        self.pointwise.backward(step, pointwise, upper)?;
        self.depthwise.backward(step, depthwise, Pass { x, y: middle, dz: gradient, dx: &mut [dx], gated })
    }

    fn gates(&self) -> bool {
        true
    }
}
