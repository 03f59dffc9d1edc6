//! Writes layers as ONNX operators: a line in `LAYERS` and a function each, and a line in [`activate`] for each
//! activation. The other direction is in [`operators`](super::operators).
//!
//! Layers without effect in a prediction (dropout, noise, augmentation) are left out.

mod activations;
mod normalizations;
mod shapes;
mod windows;

pub use activations::activate;

use super::export::{Attribute::Float, Form, Value, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::model::parameters::Entry;
use serde_json::{Map, Value as Json};

/// A call of a layer.
pub struct LayerCall<'a> {
    /// The call's name.
    pub name: String,
    /// The layer's class.
    pub class: &'static str,
    /// Its config, with all of its keys.
    pub config: Map<String, Json>,
    /// The calls whose outputs go in.
    pub inputs: &'a [usize],
    /// The output's sizes.
    pub output: &'a [usize],
    /// Its parameters, and the values of all.
    pub entries: &'a [Entry],
    pub weights: &'a [f32],
}

/// Writes a layer's nodes.
type Write = fn(&mut Writer, &LayerCall<'_>) -> Result<Value>;

/// The layers that ONNX can express.
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
    ("BatchNormalization", normalizations::batch_normalization),
    ("Concatenate", shapes::concatenate),
    ("Conv1D", windows::convolution),
    ("Conv2D", windows::convolution),
    ("Conv2DTranspose", windows::transposed_convolution),
    ("DepthwiseConv2D", windows::depthwise_convolution),
    ("SeparableConv2D", windows::separable_convolution),
    ("Dense", shapes::dense),
    ("Flatten", shapes::flatten),
    ("Reshape", shapes::reshape),
    ("Permute", shapes::permute),
    ("GlobalAveragePooling1D", |w, s| windows::global_pooling(w, s, "GlobalAveragePool")),
    ("GlobalAveragePooling2D", |w, s| windows::global_pooling(w, s, "GlobalAveragePool")),
    ("GlobalMaxPooling1D", |w, s| windows::global_pooling(w, s, "GlobalMaxPool")),
    ("GlobalMaxPooling2D", |w, s| windows::global_pooling(w, s, "GlobalMaxPool")),
    ("AveragePooling1D", |w, s| windows::pooling(w, s, "AveragePool")),
    ("AveragePooling2D", |w, s| windows::pooling(w, s, "AveragePool")),
    ("MaxPooling1D", |w, s| windows::pooling(w, s, "MaxPool")),
    ("MaxPooling2D", |w, s| windows::pooling(w, s, "MaxPool")),
    ("GroupNormalization", normalizations::group_normalization),
    ("LayerNormalization", normalizations::layer_normalization),
    ("ELU", |w, s| each(w, s, |w, x| Ok(w.node(&s.name, "Elu", &[&x], &[("alpha", Float(s.number("alpha")?))])))),
    ("LeakyReLU", |w, s| {
        each(w, s, |w, x| Ok(w.node(&s.name, "LeakyRelu", &[&x], &[("alpha", Float(s.number("negative_slope")?))])))
    }),
    ("ReLU", |w, s| each(w, s, |w, x| activations::relu(w, s, x))),
    ("PReLU", activations::prelu),
    ("Softmax", activations::softmax),
    ("Rescaling", |w, s| {
        each(w, s, |w, x| {
            let scaled = scalar(w, s, "Mul", x, s.number("scale")?)?;
            scalar(w, s, "Add", scaled, s.number("offset")?)
        })
    }),
    ("Normalization", normalizations::normalization),
    ("Add", |w, s| shapes::merge(w, s, "Add")),
    ("Average", |w, s| shapes::merge(w, s, "Mean")),
    ("Maximum", |w, s| shapes::merge(w, s, "Max")),
    ("Minimum", |w, s| shapes::merge(w, s, "Min")),
    ("Multiply", |w, s| shapes::merge(w, s, "Mul")),
    ("Subtract", |w, s| shapes::merge(w, s, "Sub")),
    ("ZeroPadding2D", windows::zero_padding),
    ("Cropping2D", windows::cropping),
    ("UpSampling2D", windows::up_sampling),
];

/// The writer of a layer class.
pub fn entry(class: &str) -> Result<Write> {
    let found = LAYERS.iter().find(|(name, _)| *name == class);
    found.map(|(_, write)| *write).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the layer cannot be expressed in ONNX").found(class.to_string())
    })
}

impl LayerCall<'_> {
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

    /// A parameter's values and sizes, if the layer has it.
    fn weight(&self, name: &str) -> Option<(&[f32], &[usize])> {
        let entry = self.entries.iter().find(|entry| entry.name.rsplit('/').next() == Some(name))?;
        Some((&self.weights[entry.range.clone()], &entry.shape))
    }

    /// The same for a parameter that it must have.
    fn kernel(&self, name: &str) -> Result<(&[f32], &[usize])> {
        self.weight(name).ok_or_else(|| Error::internal("a layer without its kernel"))
    }

    /// The only input.
    fn input(&self) -> Result<usize> {
        self.inputs.first().copied().ok_or_else(|| Error::internal("a layer without an input"))
    }

    /// A name derived from the call's.
    fn of(&self, what: &str) -> String {
        format!("{}/{what}", self.name)
    }

    /// The output under a name.
    fn gives(&self, name: String, form: Form) -> Value {
        Value::new(name, form, self.output)
    }

    /// The index of the input's size for `axis`, which counts the batch or counts from the end.
    fn axis(&self, axis: i64, rank: usize) -> usize {
        if axis < 0 { (axis + rank as i64) as usize } else { axis as usize - 1 }
    }
}

fn input(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    Ok(s.gives(w.name(&s.name), Form::Last))
}

/// A layer without effect: another name for its input.
fn same(w: &mut Writer, s: &LayerCall<'_>) -> Result<Value> {
    each(w, s, |_, x| Ok(x))
}

/// An elementwise function, in any existing form.
fn each(w: &mut Writer, s: &LayerCall<'_>, f: impl FnOnce(&mut Writer, String) -> Result<String>) -> Result<Value> {
    let call = s.input()?;
    let (made, image) = (w.value(call).made, w.value(call).image.clone());
    let x = w.get(call, made)?;
    let name = f(w, x)?;
    Ok(Value { image, ..s.gives(name, made) })
}

/// A node with a number as its second input; no node if it would have no effect.
fn scalar(w: &mut Writer, s: &LayerCall<'_>, operator: &str, x: String, number: f64) -> Result<String> {
    let idle = if matches!(operator, "Mul" | "Div") { 1.0 } else { 0.0 };
    if number == idle && operator != "Max" && operator != "Min" {
        return Ok(x);
    }
    let number = w.float(&s.of("number"), number)?;
    Ok(w.node(&s.name, operator, &[&x, &number], &[]))
}
