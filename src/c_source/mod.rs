//! Exports a model as one C99 file that predicts: its weights and the loops of its network, in plain C.
//!
//! ```text
//! plan      the network's steps in prediction, as the library itself computes them
//! LAYERS    a line for each layer class: the numbers and the call of its step
//! pieces/   the C functions that are called; a file has those that it needs
//! source    combines both as text
//! ```
//!
//! **The numbers are the library's, to the bit.** Every sum in the file is the same chain as in the kernels
//! ([`kernels`](crate::kernels)): the same order, the same fused multiply-adds, the same parts of long sums, zeros
//! skipped where the library skips them. Fusion is the same as in the library, since both follow the same plan.
//! Functions are those of [`smooth`](crate::kernels::smooth) and of the crate `libm`, operation for operation.

mod convolution;
mod elementwise;
mod merge;
mod normalization;
mod pieces;
mod pooling;
mod shapes;
mod source;

use crate::error::{At, Error, ErrorKind, Result, one_of, printable};
use crate::files::{self, FilePath};
use crate::graph::Shape;
use crate::json::Object;
use crate::layers::Activation;
use crate::model::Model;
use crate::model::network::folded::Folded;
use crate::model::plan::{Lifetime, Op, Plan, Purpose, slots};
use serde_json::Value;
use source::Source;
use std::io::Write;
use std::path::Path;

/// How weights are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// As float, four bytes each.
    #[default]
    Float,
    /// Kernel weights as integers from -127 to 127, one byte each, times a scale for each output channel: its largest
    /// absolute weight over 127. The file computes in float and gives the library's result for these rounded weights.
    /// Biases and normalizations stay float.
    Int8,
}

/// Options of a C file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How weights are stored.
    pub weights: Weights,
    /// Attributes of the weight arrays, for example `__attribute__((section(".model")))`.
    pub placement: &'a str,
    /// A qualifier of the weights' type, for an address space: `__flash` or `__memx` of avr-gcc.
    pub qualifier: &'a str,
    /// Whether the caller passes the memory between the layers as a third argument; otherwise it is static.
    pub caller_scratch: bool,
}

/// A step of the network, as an emitter sees it.
struct Call<'a> {
    /// The layer's name.
    name: &'a str,
    config: Object<'a>,
    inputs: &'a [&'a Shape],
    output: &'a Shape,
    /// The layer's parameters, a normalization folded in.
    weights: &'a [&'a [f32]],
    /// Whether it ends in relu.
    relu: bool,
    /// Where the inputs are, and where the output goes, in C.
    x: &'a [String],
    y: &'a str,
}

impl Call<'_> {
    /// A parameter's name for comments.
    fn what(&self, parameter: &str) -> String {
        format!("{}/{parameter}", self.name)
    }

    /// The first parameter.
    fn kernel(&self) -> Result<&[f32]> {
        self.weights.first().copied().ok_or_else(|| Error::internal("a layer without its kernel"))
    }
}

/// Writes a step's numbers and its call.
type Emit = fn(&Call<'_>, &mut Source) -> Result<()>;

/// The layer classes that have C code. Layers that only change a shape, or do nothing in prediction, are not steps.
const LAYERS: &[(&str, Emit)] = &[
    ("Add", merge::add),
    ("Average", merge::average),
    ("AveragePooling1D", pooling::average),
    ("AveragePooling2D", pooling::average),
    ("BatchNormalization", normalization::batch),
    ("Concatenate", shapes::concatenate),
    ("Conv1D", convolution::convolution),
    ("Conv2D", convolution::convolution),
    ("Conv2DTranspose", convolution::transposed),
    ("Cropping2D", shapes::cropping),
    ("Dense", convolution::dense),
    ("DepthwiseConv2D", convolution::depthwise),
    ("ELU", elementwise::elu),
    ("GlobalAveragePooling1D", pooling::global_average),
    ("GlobalAveragePooling2D", pooling::global_average),
    ("GlobalMaxPooling1D", pooling::global_max),
    ("GlobalMaxPooling2D", pooling::global_max),
    ("GroupNormalization", normalization::group),
    ("LayerNormalization", normalization::layer),
    ("LeakyReLU", elementwise::leaky_relu),
    ("MaxPooling1D", pooling::max),
    ("MaxPooling2D", pooling::max),
    ("Maximum", merge::maximum),
    ("Minimum", merge::minimum),
    ("Multiply", merge::multiply),
    ("Normalization", normalization::normalization),
    ("PReLU", elementwise::prelu),
    ("Permute", shapes::permute),
    ("ReLU", elementwise::relu),
    ("Rescaling", elementwise::rescaling),
    ("SeparableConv2D", convolution::separable),
    ("Softmax", elementwise::softmax),
    ("Subtract", merge::subtract),
    ("UpSampling2D", shapes::up_sampling),
    ("ZeroPadding2D", shapes::zero_padding),
];

impl Model {
    /// Writes the model to `path` as one file of C99 that predicts: `void PREFIX_predict(const float *image, float
    /// *out)`. Its result has the same bits as [`predict`](Self::predict). All weights are one snapshot, taken between
    /// two steps. It takes memory for two copies of the weights.
    ///
    /// `InvalidArgument` for a prefix that is not valid, `Unsupported` for a layer without code in C, with its name,
    /// and for weights that are not finite.
    pub fn save_c(&self, path: &Path, prefix: &str, options: &Options<'_>) -> Result<()> {
        let path = FilePath::of(path)?;
        let source = self.saved_c(prefix, options)?;
        files::save(&path, |out| source(out))
    }

    /// A function that writes such a file, any number of times, with a snapshot of the current weights.
    pub fn saved_c(&self, prefix: &str, options: &Options<'_>) -> Result<impl Fn(&mut dyn Write) -> Result<()>> {
        check_prefix(prefix)?;
        let source = source_of(self, options)?;
        Ok(move |out: &mut dyn Write| source.write(prefix, out))
    }
}

/// The longest prefix: C99 distinguishes names by 63 characters, of which the file's own names take up to 30.
const LONGEST_PREFIX: usize = 32;

fn check_prefix(prefix: &str) -> Result<()> {
    let letters = prefix.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let good = letters && prefix.len() <= LONGEST_PREFIX && prefix.starts_with(|c: char| c.is_ascii_alphabetic());
    match good {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "not a valid prefix for names in C")
            .expected(format_args!("a letter, then letters, digits and `_`, at most {LONGEST_PREFIX} in all"))
            .found(format_args!("`{}`", printable(prefix)))
            .at("argument `prefix`")),
    }
}

/// The file of a model.
fn source_of(model: &Model, options: &Options<'_>) -> Result<Source> {
    let architecture = &model.architecture;
    let all = vec![true; architecture.layers.len()];
    let plan = Plan::new(architecture, Purpose { training: false, trainable: &all, omitted: None });
    let values = Values::of(&plan);
    let mut source = Source::new(model, options, values.scratch)?;
    let weights = model.parameters.snapshot()?;
    for op in &plan.ops {
        let name = &architecture.layers[architecture.calls[op.call].layer].name;
        step(model, &weights, op, &values, &mut source).at(format_args!("layer {name}"))?;
    }
    if plan.ops.is_empty() {
        let len = architecture.output().len();
        source.call("copy_rows", "prefix_copy_rows", &[&1, &len, &len, &"image", &len, &"out"]);
    }
    Ok(source)
}

/// The C expressions of a plan's values.
struct Values {
    names: Vec<String>,
    /// The floats that they need together, without the input and the output.
    scratch: usize,
}

impl Values {
    fn of(plan: &Plan) -> Self {
        let mut lifetimes = plan.lifetimes();
        lifetimes[plan.output] = Lifetime::default(); // the output is the caller's memory
        let (slots, lens) = slots(&lifetimes);
        let starts: Vec<usize> = lens.iter().scan(0, |end, len| Some(std::mem::replace(end, *end + len))).collect();
        let name = |value: usize| match slots[value] {
            _ if value == plan.output && value > 0 => "out".to_string(),
            usize::MAX => "image".to_string(),
            slot => format!("&scratch[{}]", starts[slot]),
        };
        Values { names: (0..plan.values.len()).map(name).collect(), scratch: lens.iter().sum() }
    }
}

/// Writes a step of the plan.
fn step(model: &Model, weights: &[f32], op: &Op, values: &Values, source: &mut Source) -> Result<()> {
    let (architecture, parameters) = (&model.architecture, &model.parameters);
    let call = &architecture.calls[op.call];
    let spec = &architecture.layers[call.layer];
    let x: Vec<String> = op.inputs.iter().map(|&input| values.names[input].clone()).collect();
    let y = &values.names[op.output];
    if let Some(activation) = op.activation {
        return elementwise::activation(activation, &call.output, &x[0], y, source);
    }
    let of = |index: usize| &weights[parameters.entries()[index].range.clone()];
    let mut own: Vec<&[f32]> = parameters.indices_of_layer(call.layer).map(of).collect();
    let mut folded = match op.folded {
        Some(normalization) => Some(Folded::new(architecture, parameters, &spec.parameters, normalization)?),
        None => None,
    };
    if let Some(folded) = &mut folded {
        own = folded.fold(&own, of);
    }
    let config = Value::Object(spec.layer.config());
    let inputs: Vec<&Shape> = call.inputs.iter().map(|&input| &architecture.calls[input].output).collect();
    let call = Call {
        name: &spec.name,
        config: Object::root(&config)?,
        inputs: &inputs,
        output: &call.output,
        weights: &own,
        relu: op.relu,
        x: &x,
        y,
    };
    let class = spec.layer.class();
    match LAYERS.iter().find(|(name, _)| *name == class) {
        Some((_, emit)) => emit(&call, source),
        None => Err(Error::new(ErrorKind::Unsupported, "the layer has no C code")
            .expected(one_of(LAYERS.iter().map(|(name, _)| name)))
            .found(class)),
    }
}
