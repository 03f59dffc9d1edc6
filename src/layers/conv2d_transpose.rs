//! `Conv2DTranspose`: images `[B, H, W, C]`, kernel `[kh, kw, F, C]`, bias `[F]`: the gradient of a convolution with
//! respect to its input.
//!
//! That convolution has this layer's output for its input, and F channels and C filters. So the forward pass is that
//! convolution's input gradient, and the input gradient is its forward pass; for the kernel's gradient, image and
//! gradient are exchanged.

use super::conv2d::config::{BiasAndActivation, ParameterOptions, WindowOptions, check_padded, kernel, keys, padding};
use super::conv2d::gradients::nonzero_fraction;
use super::conv2d::groups::{Batch, Groups, Passes, learn};
use super::conv2d::kernel_gradient::KernelGradient;
use super::conv2d::pass::{Forward, InputGradient};
use super::parallel::{Chunks, for_each};
use super::{Activation, Arity, BuildContext, Config, Entry, Layer, Parameter, Pass, Step, Weight, Work, check_rank};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::{Object, count};
use crate::kernels::Isa;
use crate::kernels::conv2d::{ConvShape, Finish};
use crate::kernels::window::{Axis, Window};
use crate::memory::Buffer;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "Conv2DTranspose",
    arity: Arity::One,
    keys: keys!["filters", "output_padding", "kernel_initializer", "kernel_regularizer", "kernel_constraint"],
    read,
};

/// The layer.
#[derive(Debug)]
struct Conv2dTranspose {
    filters: usize,
    windows: WindowOptions<2>,
    output_padding: Option<[usize; 2]>,
    kernel: ParameterOptions,
    bias_and_activation: BiasAndActivation,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let windows = WindowOptions::read_either(config, padding(config)?)?;
    Ok(Arc::new(Conv2dTranspose {
        filters: config.size("filters")?,
        output_padding: output_padding(config, windows.strides)?,
        windows,
        kernel: kernel(config, "kernel")?,
        bias_and_activation: BiasAndActivation::read(config)?,
    }))
}

/// `output_padding` of a config.
fn output_padding(config: &Object<'_>, strides: [usize; 2]) -> Result<Option<[usize; 2]>> {
    let expected = format!("null, a number below the strides {strides:?}, or a list of two");
    config.or("output_padding", None, &expected, |value| {
        let padding = match value {
            Value::Null => return Some(None),
            Value::Array(list) if list.len() == 2 => [count(&list[0])?, count(&list[1])?],
            value => [count(value)?; 2],
        };
        (padding[0] < strides[0] && padding[1] < strides[1]).then_some(Some(padding))
    })
}

impl Conv2dTranspose {
    /// The windows over the output, each of which belongs to a pixel of the input.
    fn axes(&self, input: &Shape) -> Result<[Axis; 2]> {
        check_rank(input, 3, "[height, width, channels]")?;
        let WindowOptions { size, strides, padding, dilation } = self.windows;
        let axis = |i: usize| {
            let dilation = if size[i] == 1 { 1 } else { dilation[i] };
            let more = self.output_padding.map(|more| more[i]);
            Axis::transposed(input.dims()[i], size[i], strides[i], dilation, padding, more).ok_or_else(|| {
                let error = Error::new(ErrorKind::Shape, "no output shape leads to this input shape");
                error.expected("another output_padding, kernel_size or strides").found(input)
            })
        };
        let axes = [axis(0)?, axis(1)?];
        check_padded(axes, self.filters)?;
        Ok(axes)
    }
}

impl Layer for Conv2dTranspose {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = self.windows.write(Config::new().with("filters", self.filters));
        let config = config.with("output_padding", json!(self.output_padding));
        self.bias_and_activation.write(config.parameter("kernel", &self.kernel.0, self.kernel.1)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let [height, width] = self.axes(inputs[0])?;
        Shape::new(&[height.input, width.input, self.filters])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let [height, width] = self.windows.size;
        let kernel = vec![height, width, self.filters, inputs[0].dims()[2]];
        self.bias_and_activation.parameters(&[("kernel", kernel, &self.kernel)], self.filters)
    }

    fn activation(&self) -> Activation {
        self.bias_and_activation.activation
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let [rows, columns] = self.axes(context.inputs[0])?;
        let size = ConvShape::of(Window { rows, columns }, self.filters, context.inputs[0].dims()[2], 1);
        Ok(Box::new(TransposeWork {
            size,
            relu: context.relu,
            isa: context.isa,
            forward: InputGradient::new(size, context)?,
            gradients: context.training.then(|| Gradients::new(size, context)).transpose()?,
            zeros: Buffer::zeros(self.filters)?,
        }))
    }
}

/// The layer at work: a task is an image forward, a group of images backward.
struct TransposeWork {
    /// The convolution.
    size: ConvShape,
    relu: bool,
    isa: Isa,
    forward: InputGradient,
    gradients: Option<Gradients>,
    /// Zeros, if the layer has no bias.
    zeros: Buffer,
}

/// The backward pass, and its memory.
struct Gradients {
    /// `None` if no gradient to the input is wanted.
    input_gradient: Option<Forward>,
    kernel_gradient: KernelGradient,
    groups: Groups,
}

impl Gradients {
    fn new(size: ConvShape, context: &BuildContext<'_>) -> Result<Self> {
        Ok(Gradients {
            input_gradient: context.wants_input_gradient().then(|| Forward::new(size, context)).transpose()?,
            kernel_gradient: KernelGradient::new(size, context)?,
            groups: Groups::new(size.kernel_len(), size.channels, context.batch)?,
        })
    }
}

impl Work for TransposeWork {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (size, isa, x) = (self.size, self.isa, x[0]);
        let bias = weights.get(1).copied().unwrap_or(&self.zeros);
        self.forward.prepare(isa, weights[0]);
        let (pass, finish) = (&self.forward, Finish::Bias { bias, relu: self.relu });
        for_each(Chunks::new(y, size.unpadded_len()), &|image, y| {
            pass.run(isa, &x[image * size.output_len()..][..size.output_len()], finish, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (size, isa) = (self.size, self.isa);
        let (dx, Pass { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let gradients = self.gradients.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let Gradients { input_gradient, kernel_gradient, groups } = gradients;
        if let Some(pass) = input_gradient {
            pass.prepare(isa, weights[0].w);
        }
        kernel_gradient.choose(nonzero_fraction(isa, &size, step.share, x[0], size.output_len())?);
        let lens = [size.output_len(), size.unpadded_len()];
        let batch = Batch { x: x[0], dz, dx, lens, gated, learns: learn(weights), share: step.share };
        let images = Images { isa, input_gradient: input_gradient.as_ref(), kernel_gradient };
        let (kernel, biases) = groups.run(isa, &images, batch)?;
        weights[0].take(isa, kernel_gradient.in_order(isa, kernel));
        if let Some(bias) = weights.get_mut(1) {
            bias.take(isa, biases);
        }
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}

/// The backward passes of an image.
struct Images<'a> {
    isa: Isa,
    input_gradient: Option<&'a Forward>,
    kernel_gradient: &'a KernelGradient,
}

impl Passes for Images<'_> {
    fn input_gradient(&self, _: &[f32], dz: &[f32], gate: Option<&[f32]>, dx: &mut [f32]) {
        if let Some(pass) = self.input_gradient {
            pass.run(self.isa, 0, dz, Finish::Gate(gate), dx);
        }
    }

    fn kernel_gradient(&self, x: &[f32], dz: &[f32], sum: &mut [f32]) {
        self.kernel_gradient.add(self.isa, dz, x, sum);
    }
}
