//! Exports a model to an ONNX file: the calls of its network in order, each with its layer's entry in the table of
//! [`out`].
//!
//! Images are `[N, H, W, C]` here and `[N, C, H, W]` for ONNX's convolutions and pools. So a value of the network may
//! have two forms in the file, channels last and channels first. Each operator requests the form that it needs, or
//! takes any existing one; a transpose is written only if a requested form does not exist, and only once. A flatten
//! takes any form: the dense layer after it then reorders the rows of its kernel.

use super::out::{self, LayerCall};
use super::proto::*;
use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::Call;
use crate::memory;
use crate::model::Model;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashSet;

/// The opset that is written, and the oldest IR version that has it.
pub const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;
/// Protobuf's limit, in bytes.
const LARGEST: usize = i32::MAX as usize;
/// The metadata entry for the images' layout.
pub const LAYOUT: &str = "layout";
pub const CHANNELS_LAST: &str = "channels_last";
/// The name of the batch's size.
const BATCH: &str = "batch";

/// The axis order of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As in the network: channels last.
    Last,
    /// Channels first, after the batch.
    First,
}

/// The output of a call.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its sizes in the network, without the batch.
    pub dims: Vec<usize>,
    /// The image's sizes if it is a flattened image and these matter for its forms.
    pub image: Option<Vec<usize>>,
    /// Its names in the file, channels last and channels first.
    pub names: [Option<String>; 2],
    /// The form in which it was computed.
    pub made: Form,
}

/// The file under construction.
pub struct Writer {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    values: Vec<Value>,
    names: HashSet<String>,
}

/// The file's bytes.
pub fn write(model: &Model) -> Result<Vec<u8>> {
    let weights = model.parameters.snapshot()?;
    memory::spare(weights.len().saturating_mul(8)).at("the ONNX file")?; // the tensors and the file
    let architecture = &model.architecture;
    let mut writer = Writer { nodes: Vec::new(), initializers: Vec::new(), values: Vec::new(), names: HashSet::new() };
    for (i, call) in architecture.calls.iter().enumerate() {
        let layer = &architecture.layers[call.layer];
        let site = LayerCall {
            name: name_of(&architecture.calls[..i], call, &layer.name),
            class: layer.layer.class(),
            config: layer.layer.config(),
            inputs: &call.inputs,
            output: call.output.dims(),
            entries: model.parameters.of_layer(call.layer),
            weights: &weights,
        };
        let value = writer.call(&site).at(format_args!("layer {}", layer.name))?;
        writer.values.push(value);
    }
    let (input, output) = (writer.get(0, Form::Last)?, writer.output()?);
    let file = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: "libmnist".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: String::new(),
        graph: Some(GraphProto {
            node: writer.nodes,
            name: model.name().into(),
            initializer: writer.initializers,
            input: vec![value_info(input, architecture.input().dims())],
            output: vec![value_info(output, architecture.output().dims())],
        }),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: Some(OPSET) }],
        metadata_props: vec![property("name", model.name()), property(LAYOUT, CHANNELS_LAST)],
    };
    match file.encoded_len() {
        len if len > LARGEST => Err(Error::new(ErrorKind::Unsupported, "the model is too large for an ONNX file")
            .expected(format_args!("at most {LARGEST} bytes"))
            .found(len)),
        _ => Ok(file.encode_to_vec()),
    }
}

/// A call's name: its layer's, and from the second call on its number.
fn name_of(before: &[Call], call: &Call, layer: &str) -> String {
    match before.iter().filter(|other| other.layer == call.layer).count() {
        0 => layer.to_string(),
        number => format!("{layer}:{number}"),
    }
}

fn property(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.into() }
}

/// A float tensor of samples of these sizes, any number of them.
fn value_info(name: String, dims: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto { value: None, param: Some(BATCH.into()) };
    let sizes = dims.iter().map(|&dim| DimensionProto { value: Some(dim as i64), param: None });
    let shape = TensorShapeProto { dim: std::iter::once(batch).chain(sizes).collect() };
    let tensor = TensorTypeProto { elem_type: Some(element::FLOAT), shape: Some(shape) };
    ValueInfoProto { name, kind: Some(TypeProto { tensor: Some(tensor) }) }
}

impl Value {
    /// Registers the output of a call under a name.
    pub fn new(name: String, form: Form, dims: &[usize]) -> Self {
        let mut names = [None, None];
        names[form as usize] = Some(name);
        Value { dims: dims.to_vec(), image: None, names, made: form }
    }
}

impl Writer {
    /// Writes what a call computes, and its activation.
    fn call(&mut self, site: &LayerCall<'_>) -> Result<Value> {
        let before = self.nodes.len();
        let mut value = out::entry(site.class)?(self, site)?;
        let activation = site.config.get("activation").and_then(|name| name.as_str()).unwrap_or("linear");
        let last = &mut value.names[value.made as usize];
        let name = last.take().unwrap_or_default();
        let axis = if value.made == Form::First && value.image.is_none() { 1 } else { -1 };
        let name = out::activate(self, site, activation, name, axis)?;
        // The output has the call's name.
        *last = Some(match self.nodes[before..].last_mut().filter(|node| node.output.contains(&name)) {
            Some(node) if !self.names.contains(&site.name) => {
                node.output = vec![site.name.clone()];
                self.names.insert(site.name.clone());
                site.name.clone()
            }
            _ => name,
        });
        Ok(value)
    }

    /// The output value of a call.
    pub fn value(&self, call: usize) -> &Value {
        &self.values[call]
    }

    /// The network's output, which must be the output of a node.
    fn output(&mut self) -> Result<String> {
        let name = self.get(self.values.len() - 1, Form::Last)?;
        match name == self.get(0, Form::Last)? {
            true => Ok(self.node("output", "Identity", &[&name], &[])),
            false => Ok(name),
        }
    }

    /// An unused name: this one, or with a number appended.
    pub fn name(&mut self, base: &str) -> String {
        let numbered = (1..).map(|i| format!("{base}_{i}"));
        let name = std::iter::once(base.to_string()).chain(numbered).find(|name| !self.names.contains(name));
        let name = name.unwrap_or_default();
        self.names.insert(name.clone());
        name
    }

    /// Writes a node of a call; returns the name of its output.
    pub fn node(&mut self, call: &str, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> String {
        let name = self.name(&format!("{call}/{operator}"));
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.into(),
            attribute: attributes.iter().map(|(name, value)| value.proto(name)).collect(),
            domain: String::new(),
        });
        name
    }

    /// Adds a constant tensor.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<String> {
        let mut bytes = memory::reserve(values.len().saturating_mul(4))?;
        values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        Ok(self.tensor(name, dims, element::FLOAT, bytes))
    }

    /// One number.
    pub fn float(&mut self, name: &str, value: f64) -> Result<String> {
        self.floats(name, &[], &[value as f32])
    }

    /// Whole numbers.
    pub fn ints(&mut self, name: &str, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, &[values.len()], element::INT64, bytes)
    }

    fn tensor(&mut self, name: &str, dims: &[usize], data_type: i32, bytes: Vec<u8>) -> String {
        let name = self.name(name);
        self.initializers.push(TensorProto {
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: Some(data_type),
            name: name.clone(),
            raw_data: Some(Bytes::from(bytes)),
            ..TensorProto::default()
        });
        name
    }

    /// The name of a call's output in a form, which is created if necessary.
    pub fn get(&mut self, call: usize, form: Form) -> Result<String> {
        let value = &self.values[call];
        if let Some(name) = &value.names[form as usize] {
            return Ok(name.clone());
        }
        let made = value.names[value.made as usize].clone();
        let made = made.ok_or_else(|| Error::internal("a value without a name"))?;
        let (dims, image) = (value.dims.clone(), value.image.clone());
        let name = match (form, image) {
            (Form::Last, Some(image)) => {
                let first = self.reshape(&made, &made, &moved(&image));
                let last = self.transpose(&first, image.len(), Form::Last);
                self.reshape(&made, &last, &dims)
            }
            (_, None) if dims.len() > 1 => match dims.split_last() {
                // With one channel or one pixel both forms are the same.
                Some((&1, _)) if form == Form::First => self.reshape(&made, &made, &moved(&dims)),
                Some((&1, _)) => self.reshape(&made, &made, &dims),
                _ => self.transpose(&made, dims.len(), form),
            },
            _ => made, // a row
        };
        self.values[call].names[form as usize] = Some(name.clone());
        Ok(name)
    }

    /// Writes a transpose of samples with so many axes to a form.
    fn transpose(&mut self, name: &str, rank: usize, to: Form) -> String {
        let rank = rank as i64;
        let order: Vec<i64> = match to {
            Form::First => [0, rank].into_iter().chain(1..rank).collect(),
            Form::Last => std::iter::once(0).chain(2..=rank).chain([1]).collect(),
        };
        self.node(name, "Transpose", &[name], &[("perm", Attribute::Ints(order))])
    }

    /// Writes a reshape of samples.
    pub fn reshape(&mut self, call: &str, name: &str, dims: &[usize]) -> String {
        let sizes: Vec<i64> = std::iter::once(0).chain(dims.iter().map(|&dim| dim as i64)).collect();
        let shape = self.ints(&format!("{call}/shape"), &sizes);
        self.node(call, "Reshape", &[name, &shape], &[])
    }
}

/// The sizes with the last one, the channels, first.
pub fn moved(dims: &[usize]) -> Vec<usize> {
    let (last, others) = dims.split_last().unwrap_or((&1, &[]));
    std::iter::once(*last).chain(others.iter().copied()).collect()
}

/// The value of a node's attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    Int(i64),
    Float(f64),
    Ints(Vec<i64>),
    Text(&'static str),
}

impl Attribute {
    /// Sizes.
    pub fn sizes(sizes: &[usize]) -> Self {
        Attribute::Ints(sizes.iter().map(|&size| size as i64).collect())
    }

    fn proto(&self, name: &str) -> AttributeProto {
        let named = |kind| AttributeProto { name: name.into(), kind: Some(kind), ..AttributeProto::default() };
        match self {
            Attribute::Int(i) => AttributeProto { i: Some(*i), ..named(kind::INT) },
            Attribute::Float(f) => AttributeProto { f: Some(*f as f32), ..named(kind::FLOAT) },
            Attribute::Ints(ints) => AttributeProto { ints: ints.clone(), ..named(kind::INTS) },
            Attribute::Text(text) => {
                AttributeProto { s: Some(Bytes::from_static(text.as_bytes())), ..named(kind::STRING) }
            }
        }
    }
}
