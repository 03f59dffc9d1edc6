//! `Conv2D`: images `[B, H, W, C]`, kernel `[kh, kw, C / groups, F]`, bias `[F]`.
//!
//! Forward, a task is an image, or a band of its rows where there are more threads than images; backward, it is a group of
//! images ([`gradients`]). How either is computed follows from the sizes, and backward from the numbers too ([`pass`]).

mod gradients;
mod pass;

use super::parallel::{Chunks, for_each};
use super::{
    Activation, Arity, Config, Entry, Initializer, Layer, Parameter, Pass as Backward, Regularizer, Site, Step, Weight,
    Work, check_rank,
};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::Isa;
use crate::kernels::conv2d::{Conv2d as Size, Finish, winograd};
use crate::kernels::window::{Axis, Padding, Window};
use crate::memory::Buffer;
use gradients::Gradients;
use pass::Pass;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "Conv2D",
    arity: Arity::One,
    keys: &[
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "groups",
        "activation",
        "use_bias",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ],
    read,
};

/// The layer.
#[derive(Debug)]
pub struct Conv2d {
    filters: usize,
    kernel_size: [usize; 2],
    strides: [usize; 2],
    padding: Padding,
    dilation: [usize; 2],
    groups: usize,
    activation: Activation,
    use_bias: bool,
    kernel: (Initializer, Regularizer),
    bias: (Initializer, Regularizer),
}

impl Conv2d {
    /// With a square kernel, stride 1, no padding, a bias, and Keras's defaults.
    pub fn new(filters: usize, kernel_size: usize, activation: Activation) -> Self {
        Conv2d {
            filters,
            kernel_size: [kernel_size; 2],
            strides: [1; 2],
            padding: Padding::Valid,
            dilation: [1; 2],
            groups: 1,
            activation,
            use_bias: true,
            kernel: (Initializer::GLOROT_UNIFORM, Regularizer::NONE),
            bias: (Initializer::ZEROS, Regularizer::NONE),
        }
    }

    /// The windows along height and width; an error where they do not fit.
    fn axes(&self, input: &Shape) -> Result<[Axis; 2]> {
        windows(input, self.kernel_size, self.strides, self.dilation, self.padding)
    }
}

/// The windows along height and width of `[height, width, channels]`; an error where one is longer than its input.
pub(super) fn windows(
    input: &Shape,
    sizes: [usize; 2],
    strides: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<[Axis; 2]> {
    check_rank(input, 3, "[height, width, channels]")?;
    let axis = |i: usize| {
        let dim = input.dims()[i];
        Axis::new(dim, sizes[i], strides[i], dilation[i], padding).ok_or_else(|| {
            let error = Error::new(ErrorKind::Shape, "the kernel does not fit its input");
            error.expected(format_args!("a kernel_size from 1 to {dim}")).found(sizes[i])
        })
    };
    Ok([axis(0)?, axis(1)?])
}

/// `padding` of a config.
pub(super) fn padding(config: &Object<'_>) -> Result<Padding> {
    config.or("padding", Padding::Valid, "valid or same", |value| match value.as_str()?.to_ascii_lowercase().as_str() {
        "valid" => Some(Padding::Valid),
        "same" => Some(Padding::Same),
        _ => None,
    })
}

/// Keras's word for it.
pub(super) fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
    }
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let parameter = |name: &str, default: Initializer| -> Result<_> {
        let initializer = Initializer::read(config, &format!("{name}_initializer"), default)?;
        Ok((initializer, Regularizer::read(config, &format!("{name}_regularizer"))?))
    };
    Ok(Arc::new(Conv2d {
        filters: config.size("filters")?,
        kernel_size: config.sizes_or("kernel_size", None)?,
        strides: config.sizes_or("strides", Some([1; 2]))?,
        padding: padding(config)?,
        dilation: config.sizes_or("dilation_rate", Some([1; 2]))?,
        groups: config.sizes_or("groups", Some([1; 1]))?[0],
        activation: Activation::read(config, "activation")?,
        use_bias: config.bool_or("use_bias", true)?,
        kernel: parameter("kernel", Initializer::GLOROT_UNIFORM)?,
        bias: parameter("bias", Initializer::ZEROS)?,
    }))
}

impl Layer for Conv2d {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("filters", self.filters)
            .with("kernel_size", json!(self.kernel_size))
            .with("strides", json!(self.strides))
            .with("padding", padding_name(self.padding))
            .with("data_format", "channels_last")
            .with("dilation_rate", json!(self.dilation))
            .with("groups", self.groups)
            .activation(self.activation)
            .with("use_bias", self.use_bias)
            .parameter("kernel", &self.kernel.0, self.kernel.1)
            .parameter("bias", &self.bias.0, self.bias.1)
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let [height, width] = self.axes(inputs[0])?;
        let channels = inputs[0].dims()[2];
        for (what, size) in [("channels of the input", channels), ("filters", self.filters)] {
            if !size.is_multiple_of(self.groups) {
                let error = Error::new(ErrorKind::Shape, format!("the {what} are not divided by the groups"));
                return Err(error.expected(format_args!("a multiple of {}", self.groups)).found(size));
            }
        }
        Shape::new(&[height.output(), width.output(), self.filters])
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let channels = inputs[0].dims()[2] / self.groups;
        let kernel = vec![self.kernel_size[0], self.kernel_size[1], channels, self.filters];
        let mut all = vec![Parameter::trainable("kernel", kernel, self.kernel.0.clone(), self.kernel.1)];
        if self.use_bias {
            all.push(Parameter::trainable("bias", vec![self.filters], self.bias.0.clone(), self.bias.1));
        }
        all
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, site: &Site<'_>) -> Result<Box<dyn Work>> {
        let [rows, columns] = self.axes(site.inputs[0])?;
        let size = Size::of(Window { rows, columns }, site.inputs[0].dims()[2], self.filters, self.groups);
        Ok(Box::new(Conv2dWork::new(size, site)?))
    }
}

struct Conv2dWork {
    size: Size,
    relu: bool,
    isa: Isa,
    threads: usize,
    forward: Pass,
    gradients: Option<Gradients>,
    /// In the place of a bias that the layer has not.
    zeros: Buffer,
}

impl Conv2dWork {
    fn new(size: Size, site: &Site<'_>) -> Result<Self> {
        let gradients = site.training.then(|| Gradients::new(&size, site)).transpose()?;
        let (forward, zeros) = (Pass::forward(size, site)?, Buffer::zeros(size.filters)?);
        Ok(Conv2dWork { size, relu: site.relu, isa: site.isa, threads: site.threads, forward, gradients, zeros })
    }
}

/// How many rows of the output a task of the forward pass computes: all, or as few as keep every thread busy. Winograd's
/// tiles are cut between, so that the bits stay the same.
fn band(size: &Size, batch: usize, threads: usize) -> usize {
    let bands = threads.div_ceil(batch.max(1)).max(1);
    size.out_height().div_ceil(bands).next_multiple_of(winograd::TILE)
}

impl Work for Conv2dWork {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (size, isa, relu, x) = (self.size, self.isa, self.relu, x[0]);
        let bias = weights.get(1).copied().unwrap_or(&self.zeros);
        self.forward.prepare(isa, weights[0]);
        let pass = &self.forward;
        let (row, out_row) = (size.width * size.channels, size.out_width() * size.filters);
        let band = band(&size, x.len() / size.input_len(), self.threads);
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            for_each(Chunks::new(y.into_slice(), band * out_row), &|i, y| {
                let y = y.into_slice();
                let rows = size.rows_under(y.len() / out_row);
                pass.run_band(isa, rows, &x[i * band * row..][..rows * row], Finish::Bias { bias, relu }, y);
            });
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, weights: &mut [Weight<'_>], pass: Backward<'_, '_>) -> Result<()> {
        let gradients = self.gradients.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        gradients.step(self.isa, &self.size, weights, pass);
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}
