//! The shared config of all convolutions: window options, parameters, bias and activation.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::window::{Axis, Padding};
use crate::layers::{Activation, Config, Initializer, Parameter, Regularizer, check_rank};
use serde_json::json;

/// The keys of a convolution: its own and the shared ones.
macro_rules! keys {
    ($($own:literal),*) => {
        &[
            $($own,)*
            "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation", "use_bias",
            "bias_initializer", "bias_regularizer", "bias_constraint",
        ]
    };
}
pub(in crate::layers) use keys;

/// The window options along `N` axes.
#[derive(Clone, Copy, Debug)]
pub struct WindowOptions<const N: usize> {
    pub size: [usize; N],
    pub strides: [usize; N],
    pub padding: Padding,
    pub dilation: [usize; N],
}

impl<const N: usize> WindowOptions<N> {
    /// Strides of 1, no padding.
    pub fn plain(size: [usize; N]) -> Self {
        WindowOptions { size, strides: [1; N], padding: Padding::Valid, dilation: [1; N] }
    }

    pub fn read(config: &Object<'_>, padding: Padding) -> Result<Self> {
        Ok(WindowOptions {
            size: config.sizes_or("kernel_size", None)?,
            strides: config.sizes_or("strides", Some([1; N]))?,
            padding,
            dilation: config.sizes_or("dilation_rate", Some([1; N]))?,
        })
    }

    /// The same for layers where Keras does not allow both strides and dilation.
    pub fn read_either(config: &Object<'_>, padding: Padding) -> Result<Self> {
        let windows = Self::read(config, padding)?;
        let above_1 = |sizes: [usize; N]| sizes.iter().any(|&size| size > 1);
        if above_1(windows.strides) && above_1(windows.dilation) {
            let error = Error::new(ErrorKind::Unsupported, "strides and dilation_rate are both above 1");
            let found = format!("{:?} with strides {:?}", windows.dilation, windows.strides);
            return Err(config.at_key(error.expected("one of them").found(found), "dilation_rate"));
        }
        Ok(windows)
    }

    pub fn write(&self, config: Config) -> Config {
        config
            .with("kernel_size", json!(self.size.as_slice()))
            .with("strides", json!(self.strides.as_slice()))
            .with("padding", padding_name(self.padding))
            .with("data_format", "channels_last")
            .with("dilation_rate", json!(self.dilation.as_slice()))
    }
}

impl WindowOptions<2> {
    /// The windows along height and width of `[height, width, channels]`; an error where they do not fit.
    pub fn axes(&self, input: &Shape) -> Result<[Axis; 2]> {
        windows(input, self.size, self.strides, self.dilation, self.padding)
    }
}

/// The windows along height and width of `[height, width, channels]`; an error where one is longer than its input.
pub fn windows(
    input: &Shape,
    sizes: [usize; 2],
    strides: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<[Axis; 2]> {
    check_rank(input, 3, "[height, width, channels]")?;
    let axis = |i: usize| axis(input.dims()[i], sizes[i], strides[i], dilation[i], padding);
    let axes = [axis(0)?, axis(1)?];
    check_padded(axes, input.dims()[2])?;
    Ok(axes)
}

/// The window along one axis; an error where it is longer than its input.
pub fn axis(input: usize, size: usize, stride: usize, dilation: usize, padding: Padding) -> Result<Axis> {
    // A stride past the end is reduced to the end, and a window of one element gets dilation 1, so that no product
    // overflows.
    let (stride, dilation) = (stride.min(input), if size == 1 { 1 } else { dilation });
    Axis::new(input, size, stride, dilation, padding).ok_or_else(|| {
        let error = Error::new(ErrorKind::Shape, "the kernel does not fit its input");
        error.expected(format_args!("a kernel_size from 1 to {input}")).found(size)
    })
}

/// An error if the number of elements of a padded image overflows.
pub fn check_padded(axes: [Axis; 2], channels: usize) -> Result<()> {
    let [height, width] = axes.map(|axis| axis.before.saturating_add(axis.input).saturating_add(axis.after));
    Shape::new(&[height, width, channels]).map(|_| ())
}

/// An error unless a number of channels or filters is divisible by the groups.
pub fn check_groups(what: &str, size: usize, groups: usize) -> Result<()> {
    match size.is_multiple_of(groups) {
        true => Ok(()),
        false => {
            let error = Error::new(ErrorKind::Shape, format!("the {what} are not divided by the groups"));
            Err(error.expected(format_args!("a multiple of {groups}")).found(size))
        }
    }
}

/// `padding` of a config.
pub fn padding(config: &Object<'_>) -> Result<Padding> {
    one_of(config, &[Padding::Valid, Padding::Same])
}

/// The same, with `causal` allowed.
pub fn padding_or_causal(config: &Object<'_>) -> Result<Padding> {
    one_of(config, &[Padding::Valid, Padding::Same, Padding::Causal])
}

fn one_of(config: &Object<'_>, paddings: &[Padding]) -> Result<Padding> {
    let names: Vec<&str> = paddings.iter().map(|&padding| padding_name(padding)).collect();
    config.or("padding", Padding::Valid, &names.join(" or "), |value| {
        let name = value.as_str()?.to_ascii_lowercase();
        paddings.iter().copied().find(|&padding| padding_name(padding) == name)
    })
}

/// Keras's name for it.
pub fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::Valid => "valid",
        Padding::Same => "same",
        Padding::Causal => "causal",
    }
}

/// The options of a parameter: initializer and regularizer.
pub type ParameterOptions = (Initializer, Regularizer);

/// A kernel with Keras's defaults.
pub const DEFAULT_KERNEL: ParameterOptions = (Initializer::GLOROT_UNIFORM, Regularizer::NONE);

/// The kernel whose keys begin with `name`.
pub fn kernel(config: &Object<'_>, name: &str) -> Result<ParameterOptions> {
    parameter(config, name, Initializer::GLOROT_UNIFORM)
}

fn parameter(config: &Object<'_>, name: &str, default: Initializer) -> Result<ParameterOptions> {
    let initializer = Initializer::read(config, &format!("{name}_initializer"), default)?;
    Ok((initializer, Regularizer::read(config, &format!("{name}_regularizer"))?))
}

/// The bias and the activation of a convolution.
#[derive(Debug)]
pub struct BiasAndActivation {
    pub activation: Activation,
    use_bias: bool,
    bias: ParameterOptions,
}

impl BiasAndActivation {
    /// A bias, and an activation.
    pub fn new(activation: Activation) -> Self {
        BiasAndActivation { activation, use_bias: true, bias: (Initializer::ZEROS, Regularizer::NONE) }
    }

    pub fn read(config: &Object<'_>) -> Result<Self> {
        Ok(BiasAndActivation {
            activation: Activation::read(config, "activation")?,
            use_bias: config.bool_or("use_bias", true)?,
            bias: parameter(config, "bias", Initializer::ZEROS)?,
        })
    }

    pub fn write(&self, config: Config) -> Config {
        config.activation(self.activation).with("use_bias", self.use_bias).parameter("bias", &self.bias.0, self.bias.1)
    }

    /// The parameters: `kernels`, each with its name and shape, then the bias, if there is one.
    pub fn parameters(
        &self,
        kernels: &[(&'static str, Vec<usize>, &ParameterOptions)],
        filters: usize,
    ) -> Vec<Parameter> {
        let kernels = kernels.iter().map(|(name, shape, (initializer, regularizer))| {
            Parameter::trainable(name, shape.clone(), initializer.clone(), *regularizer)
        });
        let (initializer, regularizer) = self.bias.clone();
        let bias = || Parameter::trainable("bias", vec![filters], initializer, regularizer);
        kernels.chain(self.use_bias.then(bias)).collect()
    }
}
