//! The layers in ONNX's operators: a line in `LAYERS` and a function each, and a line in [`activate`] for each activation.
//!
//! What changes nothing in a prediction (dropout, noise, augmentation) is left out.

use super::export::{Attribute, Form, Value, Writer, moved};
use super::layout::permuted;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::window::{Axis, Padding};
use crate::model::parameters::Entry;
use Attribute::{Float, Int, Ints, Text};
use serde_json::{Map, Value as Json};

/// A call of a layer.
pub struct Site<'a> {
    /// The call's name.
    pub name: String,
    /// The layer's class.
    pub class: &'static str,
    /// Its config, with all of its keys.
    pub config: Map<String, Json>,
    /// The calls whose outputs go in.
    pub inputs: &'a [usize],
    /// The sizes of what comes out.
    pub output: &'a [usize],
    /// Its parameters, and the numbers of all.
    pub entries: &'a [Entry],
    pub weights: &'a [f32],
}

/// Writes a layer's nodes.
type Write = fn(&mut Writer, &Site<'_>) -> Result<Value>;

/// The layers that ONNX can say.
const LAYERS: &[(&str, Write)] = &[
    ("InputLayer", input),
    ("Activation", same),
    ("RandomBrightness", same),
    ("RandomContrast", same),
    ("RandomElasticTransform", same),
    ("RandomErasing", same),
    ("RandomFlip", same),
    ("RandomRotation", same),
    ("RandomTranslation", same),
    ("RandomZoom", same),
    ("Dropout", same),
    ("SpatialDropout2D", same),
    ("GaussianNoise", same),
    ("BatchNormalization", batch_normalization),
    ("Concatenate", concatenate),
    ("Conv1D", convolution),
    ("Conv2D", convolution),
    ("Conv2DTranspose", transposed_convolution),
    ("DepthwiseConv2D", depthwise_convolution),
    ("SeparableConv2D", separable_convolution),
    ("Dense", dense),
    ("Flatten", flatten),
    ("Reshape", reshape),
    ("Permute", permute),
    ("GlobalAveragePooling1D", |w, s| global_pooling(w, s, "GlobalAveragePool")),
    ("GlobalAveragePooling2D", |w, s| global_pooling(w, s, "GlobalAveragePool")),
    ("GlobalMaxPooling1D", |w, s| global_pooling(w, s, "GlobalMaxPool")),
    ("GlobalMaxPooling2D", |w, s| global_pooling(w, s, "GlobalMaxPool")),
    ("AveragePooling1D", |w, s| pooling(w, s, "AveragePool")),
    ("AveragePooling2D", |w, s| pooling(w, s, "AveragePool")),
    ("MaxPooling1D", |w, s| pooling(w, s, "MaxPool")),
    ("MaxPooling2D", |w, s| pooling(w, s, "MaxPool")),
    ("GroupNormalization", group_normalization),
    ("LayerNormalization", layer_normalization),
    ("ELU", |w, s| each(w, s, |w, x| Ok(w.node(&s.name, "Elu", &[&x], &[("alpha", Float(s.number("alpha")?))])))),
    ("LeakyReLU", |w, s| {
        each(w, s, |w, x| Ok(w.node(&s.name, "LeakyRelu", &[&x], &[("alpha", Float(s.number("negative_slope")?))])))
    }),
    ("ReLU", |w, s| each(w, s, |w, x| relu(w, s, x))),
    ("PReLU", prelu),
    ("Softmax", softmax),
    ("Rescaling", |w, s| {
        each(w, s, |w, x| {
            let scaled = scalar(w, s, "Mul", x, s.number("scale")?)?;
            scalar(w, s, "Add", scaled, s.number("offset")?)
        })
    }),
    ("Normalization", normalization),
    ("Add", |w, s| merge(w, s, "Add")),
    ("Average", |w, s| merge(w, s, "Mean")),
    ("Maximum", |w, s| merge(w, s, "Max")),
    ("Minimum", |w, s| merge(w, s, "Min")),
    ("Multiply", |w, s| merge(w, s, "Mul")),
    ("Subtract", |w, s| merge(w, s, "Sub")),
    ("ZeroPadding2D", zero_padding),
    ("Cropping2D", cropping),
    ("UpSampling2D", up_sampling),
];

/// What writes a class of layers.
pub fn entry(class: &str) -> Result<Write> {
    let found = LAYERS.iter().find(|(name, _)| *name == class);
    found
        .map(|(_, write)| *write)
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "a layer that has no form in ONNX").found(class.to_string()))
}

impl Site<'_> {
    /// A number of the config.
    fn number(&self, key: &str) -> Result<f64> {
        self.config.get(key).and_then(Json::as_f64).ok_or_else(|| Error::internal("a config without a number"))
    }

    /// A whole number.
    fn int(&self, key: &str) -> Result<i64> {
        self.config.get(key).and_then(Json::as_i64).ok_or_else(|| Error::internal("a config without a number"))
    }

    /// A list of sizes.
    fn sizes(&self, key: &str) -> Result<Vec<usize>> {
        let sizes = self.config.get(key).and_then(|value| {
            value.as_array()?.iter().map(|size| usize::try_from(size.as_u64()?).ok()).collect::<Option<Vec<_>>>()
        });
        sizes.ok_or_else(|| Error::internal("a config without sizes"))
    }

    fn flag(&self, key: &str) -> bool {
        self.config.get(key).and_then(Json::as_bool).unwrap_or(false)
    }

    fn text(&self, key: &str) -> &str {
        self.config.get(key).and_then(Json::as_str).unwrap_or_default()
    }

    /// A parameter's numbers and sizes, if the layer has it.
    fn weight(&self, name: &str) -> Option<(&[f32], &[usize])> {
        let entry = self.entries.iter().find(|entry| entry.name.rsplit('/').next() == Some(name))?;
        Some((&self.weights[entry.range.clone()], &entry.shape))
    }

    /// The same of one that it has.
    fn kernel(&self, name: &str) -> Result<(&[f32], &[usize])> {
        self.weight(name).ok_or_else(|| Error::internal("a layer without its kernel"))
    }

    /// The only input.
    fn input(&self) -> Result<usize> {
        self.inputs.first().copied().ok_or_else(|| Error::internal("a layer without an input"))
    }

    /// The name of something of the call.
    fn of(&self, what: &str) -> String {
        format!("{}/{what}", self.name)
    }

    /// What comes out, under a name.
    fn gives(&self, name: String, form: Form) -> Value {
        Value::new(name, form, self.output)
    }

    /// Which of the sizes of the input `axis` means, which counts the batch or from the end.
    fn axis(&self, axis: i64, rank: usize) -> usize {
        if axis < 0 { (axis + rank as i64) as usize } else { axis as usize - 1 }
    }
}

fn input(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    Ok(s.gives(w.name(&s.name), Form::Last))
}

/// What changes nothing: another name for its input.
fn same(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    each(w, s, |_, x| Ok(x))
}

/// A function of each element, in the form that there is.
fn each(w: &mut Writer, s: &Site<'_>, f: impl FnOnce(&mut Writer, String) -> Result<String>) -> Result<Value> {
    let call = s.input()?;
    let (made, image) = (w.value(call).made, w.value(call).image.clone());
    let x = w.get(call, made)?;
    let name = f(w, x)?;
    Ok(Value { image, ..s.gives(name, made) })
}

/// A node with a number as its second input; none where it would change nothing.
fn scalar(w: &mut Writer, s: &Site<'_>, operator: &str, x: String, number: f64) -> Result<String> {
    let idle = if matches!(operator, "Mul" | "Div") { 1.0 } else { 0.0 };
    if number == idle && operator != "Max" && operator != "Min" {
        return Ok(x);
    }
    let number = w.float(&s.of("number"), number)?;
    Ok(w.node(&s.name, operator, &[&x, &number], &[]))
}

/// Writes an activation of `x`, whose last axis in the network is `axis` in the file.
pub fn activate(w: &mut Writer, s: &Site<'_>, activation: &str, x: String, axis: i64) -> Result<String> {
    let name = &s.name;
    let mut node = |operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]| {
        Ok(w.node(name, operator, inputs, attributes))
    };
    match activation {
        "linear" => Ok(x),
        "relu" => node("Relu", &[&x], &[]),
        "softmax" => node("Softmax", &[&x], &[("axis", Int(axis))]),
        "log_softmax" => node("LogSoftmax", &[&x], &[("axis", Int(axis))]),
        "celu" => node("Celu", &[&x], &[]),
        "elu" => node("Elu", &[&x], &[]),
        "exponential" => node("Exp", &[&x], &[]),
        "sigmoid" => node("Sigmoid", &[&x], &[]),
        "tanh" => node("Tanh", &[&x], &[]),
        "softplus" => node("Softplus", &[&x], &[]),
        "softsign" => node("Softsign", &[&x], &[]),
        "selu" => node("Selu", &[&x], &[("alpha", Float(1.673_263_2)), ("gamma", Float(1.050_701))]),
        "leaky_relu" => node("LeakyRelu", &[&x], &[("alpha", Float(0.2))]),
        "hard_sigmoid" => node("HardSigmoid", &[&x], &[("alpha", Float(1.0 / 6.0)), ("beta", Float(0.5))]),
        "sparse_sigmoid" => node("HardSigmoid", &[&x], &[("alpha", Float(0.5)), ("beta", Float(0.5))]),
        "hard_silu" => node("HardSwish", &[&x], &[]),
        "hard_shrink" => node("Shrink", &[&x], &[("lambd", Float(0.5)), ("bias", Float(0.0))]),
        "soft_shrink" => node("Shrink", &[&x], &[("lambd", Float(0.5)), ("bias", Float(0.5))]),
        "silu" => {
            let sigmoid = node("Sigmoid", &[&x], &[])?;
            node("Mul", &[&x, &sigmoid], &[])
        }
        "mish" => {
            let softplus = node("Softplus", &[&x], &[])?;
            let tanh = node("Tanh", &[&softplus], &[])?;
            node("Mul", &[&x, &tanh], &[])
        }
        "tanh_shrink" => {
            let tanh = node("Tanh", &[&x], &[])?;
            node("Sub", &[&x, &tanh], &[])
        }
        "log_sigmoid" => {
            let less = node("Neg", &[&x], &[])?;
            let softplus = node("Softplus", &[&less], &[])?;
            node("Neg", &[&softplus], &[])
        }
        "hard_tanh" => clip(w, s, &x, -1.0, 1.0),
        "relu6" => clip(w, s, &x, 0.0, 6.0),
        // The form that PyTorch writes, and others look for.
        "gelu" => {
            let scaled = scalar(w, s, "Div", x.clone(), std::f64::consts::SQRT_2)?;
            let erf = w.node(name, "Erf", &[&scaled], &[]);
            let more = scalar(w, s, "Add", erf, 1.0)?;
            let product = w.node(name, "Mul", &[&x, &more], &[]);
            scalar(w, s, "Mul", product, 0.5)
        }
        // The square of what is between 0 and 1, and what is above that.
        "sparse_plus" => {
            let inside = node("HardSigmoid", &[&x], &[("alpha", Float(0.5)), ("beta", Float(0.5))])?;
            let square = node("Mul", &[&inside, &inside], &[])?;
            let above = scalar(w, s, "Sub", x, 1.0)?;
            let above = w.node(name, "Relu", &[&above], &[]);
            Ok(w.node(name, "Add", &[&square, &above], &[]))
        }
        "squareplus" => {
            let square = node("Mul", &[&x, &x], &[])?;
            let more = scalar(w, s, "Add", square, 4.0)?;
            let root = w.node(name, "Sqrt", &[&more], &[]);
            let sum = w.node(name, "Add", &[&x, &root], &[]);
            scalar(w, s, "Mul", sum, 0.5)
        }
        other => {
            let error = Error::new(ErrorKind::Unsupported, "an activation that has no form in ONNX");
            Err(error.found(other.to_string()))
        }
    }
}

fn clip(w: &mut Writer, s: &Site<'_>, x: &str, least: f64, most: f64) -> Result<String> {
    let (least, most) = (w.float(&s.of("min"), least)?, w.float(&s.of("max"), most)?);
    Ok(w.node(&s.name, "Clip", &[x, &least, &most], &[]))
}

/// `ReLU` with a largest value, a slope below and a threshold.
fn relu(w: &mut Writer, s: &Site<'_>, x: String) -> Result<String> {
    let (most, slope) = (s.config.get("max_value").and_then(Json::as_f64), s.number("negative_slope")?);
    let threshold = s.number("threshold")?;
    let y = match (slope, threshold) {
        (0.0, 0.0) if most.is_some() => return clip(w, s, &x, 0.0, most.unwrap_or_default()),
        (0.0, 0.0) => w.node(&s.name, "Relu", &[&x], &[]),
        (slope, 0.0) => w.node(&s.name, "LeakyRelu", &[&x], &[("alpha", Float(slope))]),
        (0.0, threshold) => w.node(&s.name, "ThresholdedRelu", &[&x], &[("alpha", Float(threshold))]),
        (slope, threshold) => {
            let above = w.node(&s.name, "ThresholdedRelu", &[&x], &[("alpha", Float(threshold))]);
            let below = scalar(w, s, "Sub", x.clone(), threshold)?;
            let below = scalar(w, s, "Min", below, 0.0)?;
            let below = scalar(w, s, "Mul", below, slope)?;
            w.node(&s.name, "Add", &[&above, &below], &[])
        }
    };
    match most {
        None => Ok(y),
        Some(most) if threshold <= most => scalar(w, s, "Min", y, most),
        Some(most) => {
            let most = w.float(&s.of("most"), most)?;
            let below = w.node(&s.name, "Less", &[&x, &most], &[]);
            Ok(w.node(&s.name, "Where", &[&below, &y, &most], &[]))
        }
    }
}

fn prelu(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let (alpha, shape) = s.kernel("alpha")?;
    let call = s.input()?;
    let first = w.value(call).made == Form::First && w.value(call).image.is_none();
    let (x, slope, form) = match first {
        true => {
            let order = moved(&(0..shape.len()).collect::<Vec<_>>());
            let slope = w.floats(&s.of("alpha"), &moved(shape), &permuted(alpha, shape, &order)?)?;
            (w.get(call, Form::First)?, slope, Form::First)
        }
        false => (w.get(call, Form::Last)?, w.floats(&s.of("alpha"), shape, alpha)?, Form::Last),
    };
    Ok(s.gives(w.node(&s.name, "PRelu", &[&x, &slope], &[]), form))
}

/// What a node gives of its input, both with the channels first.
fn over_channels(w: &mut Writer, s: &Site<'_>) -> Result<String> {
    w.get(s.input()?, Form::First)
}

/// The bias, if there is one, and the inputs of a convolution.
fn convolve(
    w: &mut Writer,
    s: &Site<'_>,
    operator: &str,
    x: &str,
    kernel: &str,
    attributes: &[(&str, Attribute)],
    biased: bool,
) -> Result<String> {
    match s.weight("bias").filter(|_| biased) {
        Some((bias, shape)) => {
            let bias = w.floats(&s.of("bias"), shape, bias)?;
            Ok(w.node(&s.name, operator, &[x, kernel, &bias], attributes))
        }
        None => Ok(w.node(&s.name, operator, &[x, kernel], attributes)),
    }
}

/// The windows over the input's axes but the channels', and how a node says them.
fn windows(w: &Writer, s: &Site<'_>, sizes: &str, dilation: Option<&str>) -> Result<Vec<(&'static str, Attribute)>> {
    let dims = &w.value(s.input()?).dims;
    let (sizes, strides) = (s.sizes(sizes)?, s.sizes("strides")?);
    let dilation = dilation.map_or(Ok(vec![1; sizes.len()]), |key| s.sizes(key))?;
    let padding = match s.text("padding") {
        "same" => Padding::Same,
        "causal" => Padding::Causal,
        _ => Padding::Valid,
    };
    let axis = |i: usize| {
        // As the layer takes them: past the end all strides are alike.
        let (stride, dilation) = (strides[i].min(dims[i]), if sizes[i] == 1 { 1 } else { dilation[i] });
        Axis::new(dims[i], sizes[i], stride, dilation, padding)
            .ok_or_else(|| Error::internal("a window that does not fit"))
    };
    let axes: Vec<Axis> = (0..sizes.len()).map(axis).collect::<Result<_>>()?;
    let all = |f: fn(&Axis) -> usize| axes.iter().map(f).collect::<Vec<_>>();
    let pads = [all(|axis| axis.before), all(|axis| axis.after)].concat();
    Ok(vec![
        ("kernel_shape", Attribute::sizes(&sizes)),
        ("strides", Attribute::sizes(&all(|axis| axis.stride))),
        ("pads", Attribute::sizes(&pads)),
        ("dilations", Attribute::sizes(&all(|axis| axis.dilation))),
    ])
}

/// Kernels `[..., C / groups, F]` to `[F, C / groups, ...]`.
fn convolution(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let x = over_channels(w, s)?;
    let axes = shape.len() - 2;
    let order: Vec<usize> = [axes + 1, axes].into_iter().chain(0..axes).collect();
    let dims: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let kernel = w.floats(&s.of("kernel"), &dims, &permuted(kernel, shape, &order)?)?;
    let mut attributes = windows(w, s, "kernel_size", Some("dilation_rate"))?;
    attributes.push(("group", Int(s.int("groups")?)));
    Ok(s.gives(convolve(w, s, "Conv", &x, &kernel, &attributes, true)?, Form::First))
}

/// A kernel `[kh, kw, C, M]` to `[C * M, 1, kh, kw]`, a group for each channel.
fn slices(w: &mut Writer, s: &Site<'_>, name: &str, biased: bool) -> Result<String> {
    let (kernel, shape) = s.kernel(name)?;
    let x = over_channels(w, s)?;
    let dims = [shape[2] * shape[3], 1, shape[0], shape[1]];
    let kernel = w.floats(&s.of(name), &dims, &permuted(kernel, shape, &[2, 3, 0, 1])?)?;
    let mut attributes = windows(w, s, "kernel_size", Some("dilation_rate"))?;
    attributes.push(("group", Int(shape[2] as i64)));
    convolve(w, s, "Conv", &x, &kernel, &attributes, biased)
}

fn depthwise_convolution(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    Ok(s.gives(slices(w, s, "kernel", true)?, Form::First))
}

fn separable_convolution(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let middle = slices(w, s, "depthwise_kernel", false)?;
    let (kernel, shape) = s.kernel("pointwise_kernel")?;
    let dims = [shape[3], shape[2], 1, 1];
    let kernel = w.floats(&s.of("pointwise_kernel"), &dims, &permuted(kernel, shape, &[3, 2, 0, 1])?)?;
    Ok(s.gives(convolve(w, s, "Conv", &middle, &kernel, &[], true)?, Form::First))
}

/// A kernel `[kh, kw, F, C]` to `[C, F, kh, kw]`.
fn transposed_convolution(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let x = over_channels(w, s)?;
    let dims = w.value(s.input()?).dims.clone();
    let (sizes, strides, dilation) = (s.sizes("kernel_size")?, s.sizes("strides")?, s.sizes("dilation_rate")?);
    let padding = if s.text("padding") == "same" { Padding::Same } else { Padding::Valid };
    let (mut pads, mut more) = ([0; 4], [0; 2]);
    for i in 0..2 {
        let dilation = if sizes[i] == 1 { 1 } else { dilation[i] };
        let axis = Axis::new(s.output[i], sizes[i], strides[i], dilation, padding)
            .ok_or_else(|| Error::internal("a window that does not fit"))?;
        let reached = (dims[i] - 1) * strides[i] + axis.span();
        (pads[i], pads[2 + i]) = (axis.before, axis.after);
        // What the windows do not reach is more of the output, what they reach past it is cut off.
        let wanted = s.output[i] + axis.before + axis.after;
        more[i] = wanted.saturating_sub(reached);
        pads[2 + i] += reached.saturating_sub(wanted);
    }
    let kernel_dims = [shape[3], shape[2], shape[0], shape[1]];
    let kernel = w.floats(&s.of("kernel"), &kernel_dims, &permuted(kernel, shape, &[3, 2, 0, 1])?)?;
    let attributes = [
        ("kernel_shape", Attribute::sizes(&sizes)),
        ("strides", Attribute::sizes(&strides)),
        ("pads", Attribute::sizes(&pads)),
        ("dilations", Attribute::sizes(&dilation)),
        ("output_padding", Attribute::sizes(&more)),
    ];
    Ok(s.gives(convolve(w, s, "ConvTranspose", &x, &kernel, &attributes, true)?, Form::First))
}

fn dense(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let (kernel, shape) = s.kernel("kernel")?;
    let bias = s.weight("bias").map(|(bias, shape)| w.floats(&s.of("bias"), shape, bias)).transpose()?;
    let call = s.input()?;
    let Value { made, image, dims, .. } = w.value(call).clone();
    if dims.len() > 1 {
        let x = w.get(call, Form::Last)?;
        let kernel = w.floats(&s.of("kernel"), shape, kernel)?;
        let y = w.node(&s.name, "MatMul", &[&x, &kernel], &[]);
        let y = bias.map(|bias| w.node(&s.name, "Add", &[&y, &bias], &[])).unwrap_or(y);
        return Ok(s.gives(y, Form::Last));
    }
    let x = w.get(call, made)?;
    let kernel = match image.filter(|_| made == Form::First) {
        // The rows of the kernel in the order of the image's channels.
        Some(image) => {
            let rows = [&image[..], &shape[1..]].concat();
            let order = moved(&(0..image.len()).collect::<Vec<_>>());
            let order: Vec<usize> = order.into_iter().chain([image.len()]).collect();
            w.floats(&s.of("kernel"), shape, &permuted(kernel, &rows, &order)?)?
        }
        None => w.floats(&s.of("kernel"), shape, kernel)?,
    };
    let inputs: Vec<&str> = [&x, &kernel].into_iter().chain(&bias).map(String::as_str).collect();
    Ok(s.gives(w.node(&s.name, "Gemm", &inputs, &[]), Form::Last))
}

fn flatten(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let Value { made, image, dims, .. } = w.value(call).clone();
    let x = w.get(call, made)?;
    if dims.len() == 1 {
        return Ok(Value { image, ..s.gives(x, made) });
    }
    let y = w.node(&s.name, "Flatten", &[&x], &[("axis", Int(1))]);
    let (channels, pixels) = (dims[dims.len() - 1], s.output[0] / dims[dims.len() - 1]);
    match made == Form::First && channels > 1 && pixels > 1 {
        true => Ok(Value { image: Some(dims), ..s.gives(y, Form::First) }),
        false => Ok(s.gives(y, Form::Last)),
    }
}

fn reshape(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let x = w.get(s.input()?, Form::Last)?;
    Ok(s.gives(w.reshape(&s.name, &x, s.output), Form::Last))
}

fn permute(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let x = w.get(s.input()?, Form::Last)?;
    let order: Vec<usize> = std::iter::once(0).chain(s.sizes("dims")?).collect();
    Ok(s.gives(w.node(&s.name, "Transpose", &[&x], &[("perm", Attribute::sizes(&order))]), Form::Last))
}

fn pooling(w: &mut Writer, s: &Site<'_>, operator: &str) -> Result<Value> {
    let x = over_channels(w, s)?;
    let mut attributes = windows(w, s, "pool_size", None)?;
    attributes.retain(|(name, _)| *name != "dilations");
    Ok(s.gives(w.node(&s.name, operator, &[&x], &attributes), Form::First))
}

fn global_pooling(w: &mut Writer, s: &Site<'_>, operator: &str) -> Result<Value> {
    let x = over_channels(w, s)?;
    let y = w.node(&s.name, operator, &[&x], &[]);
    match s.flag("keepdims") {
        true => Ok(s.gives(y, Form::First)),
        false => Ok(s.gives(w.node(&s.name, "Flatten", &[&y], &[("axis", Int(1))]), Form::Last)),
    }
}

/// As the operator where the axis is the last one, or behind the batch; by a factor and a sum where it is another.
fn batch_normalization(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let rank = w.value(call).dims.len();
    let axis = s.axis(s.int("axis")?, rank);
    let (mean, shape) = s.kernel("moving_mean")?;
    let (variance, _) = s.kernel("moving_variance")?;
    let epsilon = s.number("epsilon")?;
    let gamma = s.weight("gamma").map_or(vec![1.0; mean.len()], |(gamma, _)| gamma.to_vec());
    let beta = s.weight("beta").map_or(vec![0.0; mean.len()], |(beta, _)| beta.to_vec());
    let form = if axis + 1 == rank && rank > 1 { Form::First } else { Form::Last };
    let x = w.get(call, form)?;
    if form == Form::First || axis == 0 {
        let mut inputs = vec![x];
        for (name, values) in
            [("gamma", &gamma[..]), ("beta", &beta), ("moving_mean", mean), ("moving_variance", variance)]
        {
            inputs.push(w.floats(&s.of(name), shape, values)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [("epsilon", Float(epsilon)), ("momentum", Float(s.number("momentum")?))];
        return Ok(s.gives(w.node(&s.name, "BatchNormalization", &inputs, &attributes), form));
    }
    let scale = |i: usize| f64::from(gamma[i]) / (f64::from(variance[i]) + epsilon).sqrt();
    let factors: Vec<f32> = (0..mean.len()).map(|i| scale(i) as f32).collect();
    let sums: Vec<f32> = (0..mean.len()).map(|i| (f64::from(beta[i]) - f64::from(mean[i]) * scale(i)) as f32).collect();
    let dims = along(axis, rank, mean.len());
    let (factors, sums) = (w.floats(&s.of("scale"), &dims, &factors)?, w.floats(&s.of("shift"), &dims, &sums)?);
    let y = w.node(&s.name, "Mul", &[&x, &factors], &[]);
    Ok(s.gives(w.node(&s.name, "Add", &[&y, &sums], &[]), form))
}

/// The sizes of what is spread over all axes but one.
fn along(axis: usize, rank: usize, len: usize) -> Vec<usize> {
    (0..rank).map(|i| if i == axis { len } else { 1 }).collect()
}

fn normalization(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let rank = w.value(call).dims.len();
    let numbers = |key: &str| -> Vec<f64> {
        match s.config.get(key) {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_f64).collect(),
            Some(one) => one.as_f64().into_iter().collect(),
            None => Vec::new(),
        }
    };
    let axis = s.config.get("axis").and_then(|axis| axis.get(0)).and_then(Json::as_i64);
    let dims = |len: usize| match axis {
        Some(axis) if len > 1 => along(s.axis(axis, rank), rank, len),
        _ => vec![1; rank],
    };
    let means: Vec<f32> = numbers("mean").iter().map(|&mean| mean as f32).collect();
    let deviations: Vec<f32> = numbers("variance").iter().map(|&variance| (variance as f32).sqrt().max(1e-7)).collect();
    let means = w.floats(&s.of("mean"), &dims(means.len()), &means)?;
    let deviations = w.floats(&s.of("deviation"), &dims(deviations.len()), &deviations)?;
    let x = w.get(call, Form::Last)?;
    let [first, second] =
        if s.flag("invert") { [("Mul", deviations), ("Add", means)] } else { [("Sub", means), ("Div", deviations)] };
    let y = w.node(&s.name, first.0, &[&x, &first.1], &[]);
    Ok(s.gives(w.node(&s.name, second.0, &[&y, &second.1], &[]), Form::Last))
}

/// By ONNX's normalization of instances: a group's channels are one.
fn group_normalization(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let dims = w.value(call).dims.clone();
    let rank = dims.len();
    let axis = s.axis(s.int("axis")?, rank);
    let channels = dims[axis];
    let groups = match s.int("groups")? {
        -1 => channels,
        groups => groups as usize,
    };
    // The axis behind the batch.
    let first = axis + 1 == rank && rank > 1;
    let mut order: Vec<usize> = (0..rank).filter(|&i| i != axis).collect();
    order.insert(0, axis);
    let x = match first {
        true => w.get(call, Form::First)?,
        false => {
            let x = w.get(call, Form::Last)?;
            turned(w, s, &x, &order)
        }
    };
    let sizes: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let rows = w.reshape(&s.name, &x, &[groups, sizes.iter().product::<usize>() / groups]);
    let (ones, zeros) = (
        w.floats(&s.of("ones"), &[groups], &vec![1.0; groups])?,
        w.floats(&s.of("zeros"), &[groups], &vec![0.0; groups])?,
    );
    let rows =
        w.node(&s.name, "InstanceNormalization", &[&rows, &ones, &zeros], &[("epsilon", Float(s.number("epsilon")?))]);
    let mut y = w.reshape(&s.name, &rows, &sizes);
    for (name, operator) in [("gamma", "Mul"), ("beta", "Add")] {
        if let Some((values, _)) = s.weight(name) {
            let values = w.floats(&s.of(name), &along(0, rank, channels), values)?;
            y = w.node(&s.name, operator, &[&y, &values], &[]);
        }
    }
    match first {
        true => Ok(s.gives(y, Form::First)),
        false => Ok(s.gives(turned(w, s, &y, &inverse(&order)), Form::Last)),
    }
}

fn layer_normalization(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let dims = w.value(call).dims.clone();
    let rank = dims.len();
    let axes = s.config.get("axis").and_then(Json::as_array);
    let axes =
        axes.map(|axes| axes.iter().filter_map(Json::as_i64).collect()).unwrap_or(vec![s.int("axis").unwrap_or(-1)]);
    let axes: Vec<usize> = axes.into_iter().map(|axis| s.axis(axis, rank)).collect();
    // The axes that are normalized at the end.
    let order: Vec<usize> =
        (0..rank).filter(|axis| !axes.contains(axis)).chain((0..rank).filter(|axis| axes.contains(axis))).collect();
    let sizes: Vec<usize> = order[rank - axes.len()..].iter().map(|&axis| dims[axis]).collect();
    let gamma = s.weight("gamma").map_or(vec![1.0; sizes.iter().product()], |(gamma, _)| gamma.to_vec());
    let mut inputs = vec![w.get(call, Form::Last)?];
    if !order.is_sorted() {
        inputs[0] = turned(w, s, &inputs[0], &order);
    }
    inputs.push(w.floats(&s.of("gamma"), &sizes, &gamma)?);
    if let Some((beta, _)) = s.weight("beta") {
        inputs.push(w.floats(&s.of("beta"), &sizes, beta)?);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = [("axis", Int(-(axes.len() as i64))), ("epsilon", Float(s.number("epsilon")?))];
    let y = w.node(&s.name, "LayerNormalization", &inputs, &attributes);
    Ok(s.gives(if order.is_sorted() { y } else { turned(w, s, &y, &inverse(&order)) }, Form::Last))
}

/// A node that puts samples' axes in another order.
fn turned(w: &mut Writer, s: &Site<'_>, x: &str, order: &[usize]) -> String {
    let order: Vec<i64> = std::iter::once(0).chain(order.iter().map(|&axis| axis as i64 + 1)).collect();
    w.node(&s.name, "Transpose", &[x], &[("perm", Ints(order))])
}

/// The order that takes an order back.
fn inverse(order: &[usize]) -> Vec<usize> {
    (0..order.len()).filter_map(|axis| order.iter().position(|&at| at == axis)).collect()
}

fn softmax(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let call = s.input()?;
    let axis = s.axis(s.int("axis")?, w.value(call).dims.len());
    let x = w.get(call, Form::Last)?;
    Ok(s.gives(w.node(&s.name, "Softmax", &[&x], &[("axis", Int(axis as i64 + 1))]), Form::Last))
}

/// The form that several inputs have in common, of the same rank.
fn common_form(w: &Writer, s: &Site<'_>) -> Form {
    let rank = s.output.len();
    let first = |&call: &usize| {
        let value = w.value(call);
        value.made == Form::First && value.image.is_none() && value.dims.len() == rank && rank > 1
    };
    if s.inputs.iter().all(first) { Form::First } else { Form::Last }
}

fn concatenate(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let form = common_form(w, s);
    let (rank, axis) = (s.output.len(), s.axis(s.int("axis")?, s.output.len()));
    let axis = match form {
        Form::First if axis + 1 == rank => 1,
        Form::First => axis + 2,
        Form::Last => axis + 1,
    };
    let inputs = s.inputs.iter().map(|&call| w.get(call, form)).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    Ok(s.gives(w.node(&s.name, "Concat", &inputs, &[("axis", Int(axis as i64))]), form))
}

/// Inputs of fewer axes get them in front, behind the batch.
fn merge(w: &mut Writer, s: &Site<'_>, operator: &str) -> Result<Value> {
    let (form, rank) = (common_form(w, s), s.output.len());
    let mut inputs = Vec::new();
    for &call in s.inputs {
        let (mut x, dims) = (w.get(call, form)?, w.value(call).dims.clone());
        if dims.len() < rank {
            let dims = [&vec![1; rank - dims.len()][..], &dims].concat();
            x = w.reshape(&s.name, &x, &dims);
        }
        inputs.push(x);
    }
    let all: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = match (operator, &all[..]) {
        ("Add" | "Mul" | "Sub", [first, rest @ ..]) => {
            rest.iter().fold(first.to_string(), |sum, x| w.node(&s.name, operator, &[&sum, x], &[]))
        }
        _ => w.node(&s.name, operator, &all, &[]),
    };
    Ok(s.gives(y, form))
}

/// The four sides of a config's `[[top, bottom], [left, right]]`.
fn border(s: &Site<'_>, key: &str) -> Result<[[i64; 2]; 2]> {
    let side = |axis: usize, side: usize| s.config.get(key).and_then(|value| value[axis][side].as_i64());
    let all = [side(0, 0), side(0, 1), side(1, 0), side(1, 1)];
    match all {
        [Some(top), Some(bottom), Some(left), Some(right)] => Ok([[top, bottom], [left, right]]),
        _ => Err(Error::internal("a config without a border")),
    }
}

fn zero_padding(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let [[top, bottom], [left, right]] = border(s, "padding")?;
    let (call, form) = (s.input()?, w.value(s.input()?).made);
    let pads = match form {
        Form::First => [0, 0, top, left, 0, 0, bottom, right],
        Form::Last => [0, top, left, 0, 0, bottom, right, 0],
    };
    let (x, pads) = (w.get(call, form)?, w.ints(&s.of("pads"), &pads));
    Ok(s.gives(w.node(&s.name, "Pad", &[&x, &pads], &[("mode", Text("constant"))]), form))
}

fn cropping(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let [[top, _], [left, _]] = border(s, "cropping")?;
    let (call, form) = (s.input()?, w.value(s.input()?).made);
    let axes = if form == Form::First { [2, 3] } else { [1, 2] };
    let x = w.get(call, form)?;
    let starts = w.ints(&s.of("starts"), &[top, left]);
    let ends = w.ints(&s.of("ends"), &[top + s.output[0] as i64, left + s.output[1] as i64]);
    let axes = w.ints(&s.of("axes"), &axes);
    Ok(s.gives(w.node(&s.name, "Slice", &[&x, &starts, &ends, &axes], &[]), form))
}

fn up_sampling(w: &mut Writer, s: &Site<'_>) -> Result<Value> {
    let size = s.sizes("size")?;
    let x = over_channels(w, s)?;
    let scales = w.floats(&s.of("scales"), &[4], &[1.0, 1.0, size[0] as f32, size[1] as f32])?;
    let attributes = match s.text("interpolation") {
        "bilinear" => vec![("mode", Text("linear")), ("coordinate_transformation_mode", Text("half_pixel"))],
        _ => vec![
            ("mode", Text("nearest")),
            ("coordinate_transformation_mode", Text("asymmetric")),
            ("nearest_mode", Text("floor")),
        ],
    };
    Ok(s.gives(w.node(&s.name, "Resize", &[&x, "", &scales], &attributes), Form::First))
}
