//! Keras's activations.
//!
//! Relu has vector kernels and is fused into the layer below it where possible; tanh, sigmoid, silu, elu and gelu have
//! them too ([`smooth`]). The others are plain code on `libm`'s functions, whose bits are the same on every machine. To
//! add an elementwise function: a line in `FUNCTIONS`.

use super::elementwise::{Elementwise, Vectors};
use super::relu::Relu;
use super::softmax::{Softmax, log_softmax};
use super::{BuildContext, Work};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::json::{Named, Object, nearest};
use crate::kernels::{Isa, elementwise, smooth, softmax};
use libm::{expf, expm1f, log1pf, tanhf};
use std::f32::consts::{FRAC_1_SQRT_2, TAU};
use std::fmt;

/// An activation.
#[derive(Clone, Copy)]
pub enum Activation {
    /// No activation.
    Linear,
    /// `max(0, x)`; its gradient at exactly 0 is 0.
    Relu,
    /// `exp(x) / sum of exp`, over the last axis.
    Softmax,
    /// The logarithm of softmax.
    LogSoftmax,
    /// A function of each element.
    Function(&'static Function),
}

/// A function of each element.
pub struct Function {
    name: &'static str,
    value: fn(f32) -> f32,
    slope: fn(f32) -> f32,
    /// The vectorized function, if there is one; it then replaces the other two.
    vectors: Option<InVectors>,
}

/// A vectorized elementwise function.
struct InVectors {
    build: fn(Isa) -> Box<dyn Work>,
    apply: fn(Isa, &mut [f32]),
}

/// Other names that Keras accepts.
const ALIASES: [(&str, &str); 2] = [("swish", "silu"), ("hard_swish", "hard_silu")];

/// SELU's constants (Klambauer et al. 2017).
const SELU: (f32, f32) = (1.050_701, 1.673_263_2);

const fn function(name: &'static str, value: fn(f32) -> f32, slope: fn(f32) -> f32) -> Function {
    Function { name, value, slope, vectors: None }
}

const fn in_vectors(function: Function, build: fn(Isa) -> Box<dyn Work>, apply: fn(Isa, &mut [f32])) -> Function {
    Function { vectors: Some(InVectors { build, apply }), ..function }
}

/// The form in vectors of a function of [`smooth`], whose gradient is a function of the output or of the input.
macro_rules! smooth {
    ($function:expr, $op:ident, $gradient:ident, of_output: $of_output:literal) => {
        in_vectors(
            $function,
            |isa| Box::new(Vectors::new(isa, smooth::$op, smooth::$gradient, $of_output)),
            |isa, values| elementwise::apply(isa, smooth::$op, values),
        )
    };
}

/// Name, value and slope. Parameters are the defaults of Keras's functions.
static FUNCTIONS: [Function; 23] = [
    function("celu", elu, celu_slope),
    smooth!(function("elu", elu, elu_slope), Elu, EluGradient, of_output: true),
    function("exponential", expf, expf),
    smooth!(function("gelu", |x| x * normal(x), |x| normal(x) + x * expf(-0.5 * x * x) / TAU.sqrt()), Gelu, GeluGradient, of_output: false),
    function("hard_shrink", |x| if x.abs() > 0.5 { x } else { 0.0 }, |x| one(x.abs() > 0.5)),
    function("hard_sigmoid", hard_sigmoid, |x| one(x.abs() < 3.0) / 6.0),
    function("hard_silu", |x| x * hard_sigmoid(x), |x| hard_sigmoid(x) + x * one(x.abs() < 3.0) / 6.0),
    function("hard_tanh", |x| x.clamp(-1.0, 1.0), |x| one(x.abs() <= 1.0)),
    function("leaky_relu", |x| if x > 0.0 { x } else { 0.2 * x }, |x| if x > 0.0 { 1.0 } else { 0.2 }),
    function("log_sigmoid", |x| -softplus(-x), |x| sigmoid(-x)),
    function("mish", |x| x * tanhf(softplus(x)), mish_slope),
    function("relu6", |x| x.clamp(0.0, 6.0), |x| one(x > 0.0 && x < 6.0)),
    function(
        "selu",
        |x| SELU.0 * if x > 0.0 { x } else { SELU.1 * expm1f(x) },
        // At a corner the side is chosen by the function's value, as in TensorFlow.
        |x| SELU.0 * if expf(x) >= 1.0 { 1.0 } else { SELU.1 * expf(x) },
    ),
    smooth!(function("sigmoid", sigmoid, |x| sigmoid(x) * sigmoid(-x)), Sigmoid, SigmoidGradient, of_output: true),
    smooth!(function("silu", |x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x))), Silu, SiluGradient, of_output: false),
    function("soft_shrink", |x| if x.abs() > 0.5 { x - 0.5f32.copysign(x) } else { 0.0 }, |x| one(x.abs() > 0.5)),
    function("softplus", softplus, sigmoid),
    function("softsign", |x| x / (1.0 + x.abs()), |x| 1.0 / ((1.0 + x.abs()) * (1.0 + x.abs()))),
    function(
        "sparse_plus",
        |x| {
            if x <= -1.0 {
                0.0
            } else if x < 1.0 {
                0.25 * (x + 1.0) * (x + 1.0)
            } else {
                x
            }
        },
        |x| (0.5 * (x + 1.0)).clamp(0.0, 1.0),
    ),
    function("sparse_sigmoid", |x| (0.5 * (x + 1.0)).clamp(0.0, 1.0), |x| 0.5 * one(x.abs() < 1.0)),
    function("squareplus", |x| 0.5 * (x + (x * x + 4.0).sqrt()), |x| 0.5 * (1.0 + x / (x * x + 4.0).sqrt())),
    smooth!(function("tanh", tanhf, |x| 1.0 - tanhf(x) * tanhf(x)), Tanh, TanhGradient, of_output: true),
    function("tanh_shrink", |x| x - tanhf(x), |x| tanhf(x) * tanhf(x)),
];

fn one(condition: bool) -> f32 {
    f32::from(condition)
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + expf(-x))
}

fn hard_sigmoid(x: f32) -> f32 {
    (x / 6.0 + 0.5).clamp(0.0, 1.0)
}

fn softplus(x: f32) -> f32 {
    x.max(0.0) + log1pf(expf(-x.abs()))
}

fn elu(x: f32) -> f32 {
    if x > 0.0 { x } else { expm1f(x) }
}

fn elu_slope(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { expf(x) }
}

/// Keras writes it as a sum of two parts, both of which have a slope at 0.
fn celu_slope(x: f32) -> f32 {
    if x == 0.0 { 2.0 } else { elu_slope(x) }
}

fn mish_slope(x: f32) -> f32 {
    let t = tanhf(softplus(x));
    t + x * (1.0 - t * t) * sigmoid(x)
}

/// The normal distribution's cumulative function.
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * FRAC_1_SQRT_2))
}

impl Activation {
    /// The activation of Keras's name.
    pub fn named(name: &str) -> Option<Self> {
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
        match name {
            "linear" => Some(Activation::Linear),
            "relu" => Some(Activation::Relu),
            "softmax" => Some(Activation::Softmax),
            "log_softmax" => Some(Activation::LogSoftmax),
            _ => functions().find(|function| function.name == name).map(Activation::Function),
        }
    }

    /// Keras's name.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Softmax => "softmax",
            Activation::LogSoftmax => "log_softmax",
            Activation::Function(function) => function.name,
        }
    }

    /// Applies it to all `values` in place; the last axis has length `width`.
    pub fn apply(self, isa: Isa, values: &mut [f32], width: usize) {
        match self {
            Activation::Linear => (),
            Activation::Relu => values.iter_mut().for_each(|x| *x = x.max(0.0)),
            Activation::Softmax => softmax::softmax(values, width),
            Activation::LogSoftmax => values.chunks_exact_mut(width).for_each(log_softmax),
            Activation::Function(function) => match &function.vectors {
                Some(vectors) => (vectors.apply)(isa, values),
                None => values.iter_mut().for_each(|x| *x = (function.value)(*x)),
            },
        }
    }

    /// Reads the activation under `key` of a config; linear if missing.
    pub fn read(config: &Object<'_>, key: &str) -> Result<Self> {
        let Some(Named { class, .. }) = config.named(key)? else { return Ok(Activation::Linear) };
        Activation::named(class).ok_or_else(|| {
            let known: Vec<&str> = ["linear", "relu", "softmax", "log_softmax"]
                .into_iter()
                .chain(functions().map(|function| function.name))
                .collect();
            let error = Error::new(ErrorKind::Unsupported, "unknown activation");
            config.at_key(error.expected(nearest(class, &known)).found(printable(class)), key)
        })
    }

    /// Builds its work; `None` for linear.
    pub fn build(self, context: &BuildContext<'_>) -> Result<Option<Box<dyn Work>>> {
        Ok(match self {
            Activation::Linear => None,
            Activation::Relu => Some(Box::new(Relu::new(context.isa))),
            Activation::Softmax => Some(Box::new(Softmax::new(context.output, false))),
            Activation::LogSoftmax => Some(Box::new(Softmax::new(context.output, true))),
            Activation::Function(function) => Some(match &function.vectors {
                Some(vectors) => (vectors.build)(context.isa),
                None => Box::new(Elementwise::new(function.value, function.slope)),
            }),
        })
    }
}

fn functions() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter()
}

impl PartialEq for Activation {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Activation {}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_finite_differences() {
        for function in functions() {
            assert_eq!(Activation::named(function.name).unwrap().name(), function.name);
            assert!(crate::golden::holds(function.name), "{}", function.name);
            for i in -400..400 {
                let x = (i as f32 + 0.37) / 50.0;
                let step = 1.0 / 512.0;
                let slope = (f64::from((function.value)(x + step)) - f64::from((function.value)(x - step))) / 2.0
                    * f64::from(1.0 / step);
                let corner = [-6.0f32, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0].iter().any(|c| (x - c).abs() < 0.01);
                let got = f64::from((function.slope)(x));
                let scale = slope.abs().max(1.0);
                assert!(corner || (got - slope).abs() < 2e-3 * scale, "{} at {x}: {got} {slope}", function.name);
            }
        }
    }

    #[test]
    fn large_numbers_are_no_trouble() {
        for function in functions().filter(|function| function.name != "exponential") {
            for x in [-1e4f32, -100.0, 100.0, 1e4] {
                assert!((function.value)(x).is_finite() && (function.slope)(x).is_finite(), "{} {x}", function.name);
            }
        }
    }
}
