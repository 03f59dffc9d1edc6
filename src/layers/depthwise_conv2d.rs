//! `DepthwiseConv2D`: images `[B, H, W, C]`, each channel with its own kernels, `[kh, kw, C, M]`, bias `[C * M]`.

use super::conv2d::config::{BiasAndActivation, ParameterOptions, WindowOptions, kernel, keys, padding};
use super::conv2d::groups::{Batch, Groups, Passes, learn};
use super::parallel::{Chunks, for_each};
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Parameter, Pass, PerThread, Step, Weight, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::Isa;
use crate::kernels::conv2d::Finish;
use crate::kernels::depthwise::Depthwise;
use crate::kernels::window::Window;
use crate::memory::Buffer;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "DepthwiseConv2D",
    arity: Arity::One,
    keys: keys!["depth_multiplier", "depthwise_initializer", "depthwise_regularizer", "depthwise_constraint"],
    read,
};

/// The layer.
#[derive(Debug)]
struct DepthwiseConv2d {
    options: DepthwiseOptions,
    kernel: ParameterOptions,
    bias_and_activation: BiasAndActivation,
}

/// The window options, and the number of filters per channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepthwiseOptions {
    pub multiplier: usize,
    pub windows: WindowOptions<2>,
}

impl DepthwiseOptions {
    pub fn read(config: &Object<'_>) -> Result<Self> {
        let windows = WindowOptions::read(config, padding(config)?)?;
        let [down, along] = windows.strides;
        if down != along && windows.dilation == [1, 1] {
            let error = Error::new(ErrorKind::Unsupported, "a depthwise convolution whose strides differ");
            return Err(config.at_key(error.expected("one number").found(format!("{:?}", windows.strides)), "strides"));
        }
        Ok(DepthwiseOptions { multiplier: config.sizes_or("depth_multiplier", Some([1; 1]))?[0], windows })
    }

    pub fn write(&self, config: Config) -> Config {
        self.windows.write(config.with("depth_multiplier", self.multiplier))
    }

    /// The shape that comes out; an error where the windows do not fit.
    pub fn output(&self, input: &Shape) -> Result<Shape> {
        let [height, width] = self.windows.axes(input)?;
        Shape::new(&[height.output(), width.output(), input.dims()[2].saturating_mul(self.multiplier)])
    }

    /// The shape of the kernel.
    pub fn kernel(&self, input: &Shape) -> Vec<usize> {
        let [height, width] = self.windows.size;
        vec![height, width, input.dims()[2], self.multiplier]
    }

    pub fn build(&self, context: &BuildContext<'_>) -> Result<DepthwiseWork> {
        let [rows, columns] = self.windows.axes(context.inputs[0])?;
        let channels = context.inputs[0].dims()[2];
        DepthwiseWork::new(
            Depthwise { window: Window { rows, columns }, channels, multiplier: self.multiplier },
            context,
        )
    }
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let (options, kernel) = (DepthwiseOptions::read(config)?, kernel(config, "depthwise")?);
    Ok(Arc::new(DepthwiseConv2d { options, kernel, bias_and_activation: BiasAndActivation::read(config)? }))
}

impl Layer for DepthwiseConv2d {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = self.options.write(Config::new()).parameter("depthwise", &self.kernel.0, self.kernel.1);
        self.bias_and_activation.write(config).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        self.options.output(inputs[0])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let kernel = self.options.kernel(inputs[0]);
        let filters = inputs[0].dims()[2] * self.options.multiplier;
        self.bias_and_activation.parameters(&[("kernel", kernel, &self.kernel)], filters)
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
        Ok(Box::new(self.options.build(context)?))
    }
}

/// The layer at work: a task is an image forward, a group of images backward.
pub(super) struct DepthwiseWork {
    size: Depthwise,
    relu: bool,
    isa: Isa,
    scratch: PerThread<Buffer>,
    /// For training.
    groups: Option<Groups>,
    /// Zeros, if the layer has no bias.
    zeros: Buffer,
}

impl DepthwiseWork {
    fn new(size: Depthwise, context: &BuildContext<'_>) -> Result<Self> {
        let groups = context.training.then(|| Groups::new(size.kernel_len(), size.filters(), context.batch));
        Ok(DepthwiseWork {
            size,
            relu: context.relu,
            isa: context.isa,
            scratch: PerThread::new(context.threads, || Buffer::zeros(size.scratch_len()))?,
            groups: groups.transpose()?,
            zeros: Buffer::zeros(size.filters())?,
        })
    }
}

impl Work for DepthwiseWork {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (size, isa, x, kernel) = (self.size, self.isa, x[0], weights[0]);
        let bias = weights.get(1).copied().unwrap_or(&self.zeros);
        let (finish, scratch) = (Finish::Bias { bias, relu: self.relu }, &self.scratch);
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            scratch.lend(|scratch| size.forward(isa, x, kernel, finish, y.into_slice(), scratch));
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (dx, Pass { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let groups = self.groups.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let lens = [self.size.input_len(), self.size.output_len()];
        let batch = Batch { x: x[0], dz, dx, lens, gated, learns: learn(weights), share: step.share };
        let images = Images { size: self.size, isa: self.isa, kernel: weights[0].w, scratch: &self.scratch };
        let (kernel, biases) = groups.run(self.isa, &images, batch)?;
        weights[0].take(self.isa, kernel);
        if let Some(bias) = weights.get_mut(1) {
            bias.take(self.isa, biases);
        }
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}

/// The backward passes of an image.
struct Images<'a> {
    size: Depthwise,
    isa: Isa,
    kernel: &'a [f32],
    scratch: &'a PerThread<Buffer>,
}

impl Passes for Images<'_> {
    fn input_gradient(&self, _: &[f32], dz: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
        self.scratch.lend(|scratch| self.size.input_gradient(self.isa, dz, self.kernel, gate, dx, scratch));
    }

    fn kernel_gradient(&self, x: &[f32], dz: &[f32], sum: &mut [f32]) {
        let images = x.chunks_exact(self.size.input_len()).zip(dz.chunks_exact(self.size.output_len()));
        self.scratch.lend(|scratch| {
            images.for_each(|(x, dz)| self.size.kernel_gradient(self.isa, x, dz, sum, scratch));
        });
    }
}
