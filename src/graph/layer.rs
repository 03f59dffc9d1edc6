//! The description of a layer: what it is called, what goes in and out, and which parameters it has.

use super::shape::{MOST, Shape};
use crate::error::{At, Error, ErrorKind, Result};

/// What is done to a layer's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `max(0, x)`, its gradient at exactly 0 being 0.
    Relu,
    /// `exp(x) / sum of exp`, over the units of a last `Dense`.
    Softmax,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x` above 0, `exp(x) - 1` below.
    Elu,
    /// `x` times the normal distribution's cumulative function at `x`.
    Gelu,
    /// `x / (1 + exp(-x))`, also called SiLU.
    Swish,
}

/// What a layer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// Images come in here.
    Input,
    /// A convolution with a square kernel, stride 1, no padding.
    Conv2d {
        /// Channels of the output.
        filters: usize,
        /// The kernel's side.
        kernel_size: usize,
        /// What is done to the sums.
        activation: Activation,
    },
    /// `[H, W, C]` to `[H * W * C]`.
    Flatten,
    /// Every unit sums over all of the input.
    Dense {
        /// How many sums.
        units: usize,
        /// What is done to them.
        activation: Activation,
    },
}

/// A layer of a network.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// Its name, `conv2d_1`.
    pub name: String,
    /// What it does.
    pub kind: LayerKind,
    /// The shape of what goes in; for `Input`, its own.
    pub input: Shape,
    /// The shape of what comes out.
    pub output: Shape,
}

/// A parameter that training changes.
#[derive(Clone, Debug)]
pub struct ParameterSpec {
    /// `kernel` or `bias`.
    pub name: &'static str,
    /// In Keras's layout: `[k, k, C, F]` for a convolution's kernel, `[in, out]` for a dense one's.
    pub shape: Vec<usize>,
    /// What it is at first.
    pub initializer: Initializer,
}

/// What a parameter is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initializer {
    /// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16).
    GlorotUniform {
        /// Inputs that an output sums over.
        fan_in: usize,
        /// Outputs that an input reaches.
        fan_out: usize,
    },
    /// All 0.
    Zeros,
}

impl LayerSpec {
    /// Keras's name of the class, `Conv2D`.
    pub fn class_name(&self) -> &'static str {
        match self.kind {
            LayerKind::Input => "InputLayer",
            LayerKind::Conv2d { .. } => "Conv2D",
            LayerKind::Flatten => "Flatten",
            LayerKind::Dense { .. } => "Dense",
        }
    }

    /// What is done to the layer's sums; linear where there are none.
    pub fn activation(&self) -> Activation {
        match self.kind {
            LayerKind::Conv2d { activation, .. } | LayerKind::Dense { activation, .. } => activation,
            LayerKind::Input | LayerKind::Flatten => Activation::Linear,
        }
    }

    /// Its parameters, in the order in which files hold them.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let (shape, area, out) = match (&self.kind, self.input.dims()) {
            (&LayerKind::Conv2d { filters, kernel_size: k, .. }, &[_, _, channels]) => {
                (vec![k, k, channels, filters], k * k, filters)
            }
            (&LayerKind::Dense { units, .. }, &[inputs]) => (vec![inputs, units], 1, units),
            _ => return Vec::new(),
        };
        let input = shape[shape.len() - 2];
        // A convolution's fans count the kernel's area.
        let initializer = Initializer::GlorotUniform { fan_in: area * input, fan_out: area * out };
        vec![
            ParameterSpec { name: "kernel", shape, initializer },
            ParameterSpec { name: "bias", shape: vec![out], initializer: Initializer::Zeros },
        ]
    }

    /// How many numbers its parameters are.
    pub fn count_params(&self) -> usize {
        self.parameters().iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum()
    }

    /// An input of images of that shape, `[H, W, C]`.
    pub(super) fn input(name: String, shape: &[usize; 3]) -> Result<Self> {
        let shape = Shape::new(shape).at(format_args!("layer {name}"))?;
        Ok(LayerSpec { name, kind: LayerKind::Input, input: shape.clone(), output: shape })
    }

    /// A layer of `kind` that takes what `below` gives.
    pub(super) fn on_top_of(below: &LayerSpec, name: String, kind: LayerKind) -> Result<Self> {
        let at = format!("layer {name}");
        if below.activation() == Activation::Softmax {
            return Err(Error::new(ErrorKind::Unsupported, "softmax is for the last layer")
                .expected("no layer on top of a softmax")
                .found(format_args!("{name} on top of {}", below.name))
                .at(at));
        }
        let output = LayerSpec::infer(&kind, &below.output).at(at)?;
        Ok(LayerSpec { name, kind, input: below.output.clone(), output })
    }

    /// The shape that comes out of a layer of `kind` when `input` goes in.
    fn infer(kind: &LayerKind, input: &Shape) -> Result<Shape> {
        let rank = |expected: &str| Error::new(ErrorKind::Shape, "wrong rank").expected(expected).found(input);
        match (kind, input.dims()) {
            (LayerKind::Input, _) => Ok(input.clone()),
            (LayerKind::Flatten, _) => Shape::new(&[input.len()]),
            (&LayerKind::Conv2d { filters, kernel_size: k, activation }, &[height, width, channels]) => {
                if activation == Activation::Softmax {
                    return Err(Error::new(ErrorKind::Unsupported, "softmax on a convolution"));
                }
                if k == 0 || k > height.min(width) {
                    return Err(Error::new(ErrorKind::Shape, "the kernel does not fit its input")
                        .expected(format_args!("a kernel_size from 1 to {}", height.min(width)))
                        .found(k));
                }
                check_parameters(&[k, k, channels, filters])?;
                Shape::new(&[height - k + 1, width - k + 1, filters])
            }
            (&LayerKind::Dense { units, .. }, &[inputs]) => {
                check_parameters(&[inputs, units])?;
                Shape::new(&[units])
            }
            (LayerKind::Conv2d { .. }, _) => Err(rank("[height, width, channels]")),
            (LayerKind::Dense { .. }, _) => Err(rank("[inputs]; flatten comes first")),
        }
    }
}

/// Makes sure that a kernel of that shape has a countable number of weights.
fn check_parameters(shape: &[usize]) -> Result<()> {
    match shape.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)) {
        Some(len) if len <= MOST => Ok(()),
        _ => Err(Error::new(ErrorKind::Shape, "too many weights")
            .expected(format_args!("at most {MOST}"))
            .found(format_args!("{shape:?}"))),
    }
}
