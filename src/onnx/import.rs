//! Imports a model from an ONNX file: the nodes between its input and its output in order, each with its operator's
//! entry in the table of [`operators`].

use super::constants::{self, Constant, Data};
use super::count;
use super::export::{CHANNELS_LAST, LAYOUT};
use super::layout::{Value, channels_last, inverse};
use super::operators::{self, Looks};
use super::proto::*;
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::FilePath;
use crate::graph::{Graph, Tensor};
use crate::json::{Named, Object};
use crate::layers;
use crate::model::Model;
use crate::model::parameters::Parameters;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

/// The supported opsets.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=25;
/// The most nodes.
const MOST_NODES: usize = 40_000;
/// The most uses per number of the file, on average: shared weights count for each use.
const MOST_COPIES: usize = 16;
/// The most channels of an image if no node tells which axis they are.
const FEW_CHANNELS: usize = 4;
/// The axis order of a transpose of `[N, C, H, W]`.
const TO_CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];

/// A graph being converted to a network.
pub struct Reader<'f> {
    nodes: &'f [NodeProto],
    initializers: HashMap<&'f str, &'f TensorProto>,
    beside: Option<&'f FilePath>,
    pub opset: i64,
    /// The network so far.
    pub graph: Graph,
    /// The parameters of its layers, by their names.
    weights: HashMap<String, Vec<f32>>,
    /// The values that depend on the input.
    values: HashMap<&'f str, Value>,
    /// The constants.
    constants: HashMap<&'f str, Rc<Constant>>,
    /// The node that computes each value.
    makers: HashMap<&'f str, usize>,
    /// The used nodes that take each value.
    consumers: HashMap<&'f str, Vec<usize>>,
    /// The output's name.
    output: &'f str,
    /// Whether output images keep the file's axes, as the input images do.
    as_it_is: bool,
    /// The nodes that were fused into earlier ones.
    done: Vec<bool>,
    /// How many values may still be read from files, and used as parameters.
    left: usize,
}

/// Reads the model of a file.
pub fn read(file: Bytes, beside: Option<&FilePath>) -> Result<Model> {
    count::check(&file)?;
    let len = file.len();
    let model = ModelProto::decode(file).map_err(count::damaged)?;
    let graph =
        model.graph.as_ref().ok_or_else(|| Error::new(ErrorKind::Format, "not an ONNX file: it has no graph"))?;
    let opset = opset(&model)?;
    if graph.node.len() > MOST_NODES {
        let error = Error::new(ErrorKind::Unsupported, "too many nodes").expected(format_args!("at most {MOST_NODES}"));
        return Err(error.found(graph.node.len()));
    }
    let initializers = graph.initializer.iter().map(|tensor| (&tensor.name[..], tensor)).collect();
    let (input, output) = (input(graph, &initializers)?, output(graph)?);
    let mut reader = Reader {
        nodes: &graph.node,
        initializers,
        beside,
        opset,
        graph: Graph::new(),
        weights: HashMap::new(),
        values: HashMap::new(),
        constants: HashMap::new(),
        makers: HashMap::new(),
        consumers: HashMap::new(),
        output,
        as_it_is: has_channels_last(&model),
        done: vec![false; graph.node.len()],
        left: len.saturating_mul(MOST_COPIES),
    };
    let wanted = reader.wanted();
    let start = reader.start(input)?;
    reader.run(&wanted)?;
    let end = reader.end()?;
    let architecture = reader.graph.architecture(start, end)?;
    let parameters = Parameters::zeros(&architecture)?;
    let entries = parameters.entries();
    parameters.write(|all| {
        for entry in entries {
            let values =
                reader.weights.get(&entry.name).ok_or_else(|| Error::internal("a parameter without values"))?;
            all[entry.range.clone()].copy_from_slice(values);
        }
        Ok::<_, Error>(())
    })??;
    Model::of(name(&graph.name), architecture, parameters)
}

/// Whether the file's metadata say that images have channels last, as this library's files do.
fn has_channels_last(model: &ModelProto) -> bool {
    model.metadata_props.iter().any(|entry| entry.key == LAYOUT && entry.value == CHANNELS_LAST)
}

/// A model name from a graph's name.
fn name(name: &str) -> String {
    match name {
        "" => "model".to_string(),
        name => printable(name),
    }
}

/// The opset of ONNX's own operators.
fn opset(model: &ModelProto) -> Result<i64> {
    let own = model.opset_import.iter().find(|set| is_own(&set.domain));
    let version = own.and_then(|set| set.version).unwrap_or(1);
    match OPSETS.contains(&version) {
        true => Ok(version),
        false => Err(Error::new(ErrorKind::Unsupported, "operators of a version that is not supported")
            .expected(format_args!("opset {} to {}", OPSETS.start(), OPSETS.end()))
            .found(version)),
    }
}

/// Whether a domain is ONNX's.
pub fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// The graph's only input without an initializer.
fn input<'f>(graph: &'f GraphProto, initializers: &HashMap<&str, &TensorProto>) -> Result<&'f ValueInfoProto> {
    let mut inputs = graph.input.iter().filter(|input| !initializers.contains_key(&input.name[..]));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, second) => Err(Error::new(ErrorKind::Unsupported, "a graph of several inputs, or of none")
            .expected("one input")
            .found(match (first, second) {
                (Some(first), Some(second)) => format!("{}, {}", printable(&first.name), printable(&second.name)),
                _ => "none".to_string(),
            })),
    }
}

/// The name of the one output of numbers. A classifier may also have outputs for the label or a table of probabilities.
fn output(graph: &GraphProto) -> Result<&str> {
    let tensor = |info: &ValueInfoProto| info.kind.as_ref().and_then(|kind| kind.tensor.as_ref()).cloned();
    let numbers = |info: &&ValueInfoProto| match (&info.kind, tensor(info)) {
        (Some(_), None) => false,
        (_, tensor) => tensor.and_then(|tensor| tensor.elem_type).is_none_or(|kind| kind == element::FLOAT),
    };
    let mut floats = graph.output.iter().filter(numbers);
    match (floats.next(), floats.next()) {
        (Some(output), None) => return Ok(&output.name),
        (Some(first), Some(second)) => {
            let error = Error::new(ErrorKind::Unsupported, "a graph of several outputs").expected("one of float");
            return Err(error.found(format_args!("{}, {}", printable(&first.name), printable(&second.name))));
        }
        _ => (),
    }
    // A table made from a tensor.
    let outputs: HashSet<&str> = graph.output.iter().map(|info| &info.name[..]).collect();
    let is_output = |node: &&NodeProto| node.output.first().is_some_and(|name| outputs.contains(&name[..]));
    let table = graph.node.iter().filter(|node| node.op_type == "ZipMap").find(is_output);
    table.and_then(|node| node.input.first()).map(String::as_str).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "a graph without an output of numbers").expected("an output of type float")
    })
}

impl<'f> Reader<'f> {
    /// The nodes that the output needs, and the consumers of their values.
    fn wanted(&mut self) -> Vec<bool> {
        for (i, node) in self.nodes.iter().enumerate() {
            self.makers.extend(node.output.iter().map(|name| (&name[..], i)));
        }
        let mut wanted = vec![false; self.nodes.len()];
        let mut open = vec![self.output];
        let mut seen = HashSet::new();
        while let Some(name) = open.pop() {
            let Some(&i) = self.makers.get(name) else { continue };
            wanted[i] = true;
            open.extend(self.nodes[i].input.iter().map(String::as_str).filter(|name| seen.insert(*name)));
        }
        for (i, node) in self.nodes.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            node.input.iter().for_each(|name| self.consumers.entry(name).or_default().push(i));
        }
        wanted
    }

    /// Adds the input layer, with channels last if the graph has them first.
    fn start(&mut self, info: &'f ValueInfoProto) -> Result<Tensor> {
        let place = || format!("input {}", printable(&info.name));
        let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let sizes = tensor.and_then(|tensor| tensor.shape.as_ref()).map_or(&[][..], |shape| &shape.dim);
        let dims: Option<Vec<usize>> = sizes
            .iter()
            .skip(1)
            .map(|dim| dim.value.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0))
            .collect();
        let dims = dims.filter(|dims| !dims.is_empty()).ok_or_else(|| {
            let error = Error::new(ErrorKind::Unsupported, "an input of unknown sizes");
            error.expected("a batch and fixed sizes").at(place())
        })?;
        let order = match dims.len() {
            2 | 3 if !self.as_it_is && self.is_channels_first(&info.name, &dims) => channels_last(dims.len()),
            rank => {
                self.as_it_is |= rank > 1;
                (0..rank).collect()
            }
        };
        let ours: Vec<usize> = inverse(&order).into_iter().map(|axis| dims[axis]).collect();
        let tensor = self.graph.input(&ours).at(place())?;
        self.values.insert(&info.name, Value { tensor, order, image: None, positive: false });
        Ok(tensor)
    }

    /// Whether the input's channels come first. The nearest node that uses channels or transposes decides; without one,
    /// images have few channels and more columns.
    fn is_channels_first(&self, input: &'f str, dims: &[usize]) -> bool {
        let (mut open, mut seen) = (VecDeque::from([input]), HashSet::from([input]));
        while let Some(name) = open.pop_front() {
            for node in self.consumers.get(name).into_iter().flatten().map(|&i| &self.nodes[i]) {
                match operators::looks_at(&node.op_type) {
                    Looks::Channels => return true,
                    Looks::Order => return node.ints("perm") == Some(&TO_CHANNELS_LAST),
                    Looks::Nothing => (),
                    Looks::Elements => {
                        open.extend(node.output.first().map(|name| &name[..]).filter(|&name| seen.insert(name)))
                    }
                }
            }
        }
        dims.len() == 3 && dims[0] <= FEW_CHANNELS && dims[2] > FEW_CHANNELS
    }

    /// Reads every used node: the constants first, since fusion looks at nodes further on.
    fn run(&mut self, wanted: &[bool]) -> Result<()> {
        let nodes = self.nodes;
        let is_constant = |&i: &usize| nodes[i].op_type == "Constant";
        let all = || (0..nodes.len()).filter(|&i| wanted[i]);
        for i in all().filter(is_constant).chain(all()) {
            if !self.done[i] {
                let node = &self.nodes[i];
                operators::call(self, node).at(title(node))?;
                self.done[i] = true;
            }
        }
        Ok(())
    }

    /// The output. An image keeps channels last unless the input keeps the file's axes; a row has ONNX's order.
    fn end(&mut self) -> Result<Tensor> {
        let output = self.output;
        let value = self.values.get(output).cloned().ok_or_else(|| {
            let error = Error::new(ErrorKind::Unsupported, "the output does not depend on the input");
            error.at(format_args!("output {}", printable(output)))
        })?;
        let rank = value.order.len();
        let stays = !self.as_it_is && rank > 1 && value.order == channels_last(rank);
        let order = if stays { value.order.clone() } else { (0..rank).collect() };
        Ok(self.arrange(&value, &order)?.tensor)
    }

    /// Adds a layer of a class, called on `inputs`. `weights` are all its parameters.
    #[inline(never)]
    pub fn layer(
        &mut self,
        class: &str,
        config: Json,
        inputs: &[Tensor],
        mut weights: Vec<(&str, Vec<f32>)>,
    ) -> Result<Tensor> {
        let entry = layers::entry(&Named::of(class, Object::empty(class), class.to_string()))?;
        let layer = layers::read(entry, &Object::of(&config, class)?)?;
        let tensor = self.graph.add(layer, None, true, inputs)?;
        self.charge(weights.iter().map(|(_, values)| values.len()).sum())?;
        let spec = self.graph.layer_of(tensor)?;
        for parameter in &spec.parameters {
            let name = format!("{}/{}", spec.name, parameter.name);
            let given = weights.iter_mut().find(|(name, _)| *name == parameter.name);
            let values = given.map(|(_, values)| std::mem::take(values));
            let values = values.ok_or_else(|| Error::internal("a parameter without values"))?;
            let len = parameter.shape.iter().product::<usize>();
            if values.len() != len {
                let error = Error::new(ErrorKind::Shape, "wrong number of weights");
                return Err(error.expected(len).found(values.len()).at(format_args!("layer {name}")));
            }
            self.weights.insert(name, values);
        }
        Ok(tensor)
    }

    /// Registers the output of a node under its first output's name.
    pub fn give(&mut self, node: &'f NodeProto, value: Value) {
        if let Some(name) = node.output.first() {
            self.values.insert(name, value);
        }
    }

    /// The same for a constant.
    pub fn give_constant(&mut self, node: &'f NodeProto, constant: Constant) -> Result<()> {
        self.charge(constant.len())?;
        self.give_shared(node, Rc::new(constant));
        Ok(())
    }

    /// The same for an existing constant.
    pub fn give_shared(&mut self, node: &'f NodeProto, constant: Rc<Constant>) {
        if let Some(name) = node.output.first() {
            self.constants.insert(name, constant);
        }
    }

    /// Counts copied values, so that a small file cannot produce a large model.
    fn charge(&mut self, len: usize) -> Result<()> {
        self.left = self.left.checked_sub(len).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the nodes use the same weights too often")
                .expected(format_args!("{MOST_COPIES} times in the mean"))
        })?;
        Ok(())
    }

    /// A node's input that depends on the graph's.
    pub fn value(&self, node: &NodeProto, index: usize) -> Result<Value> {
        let name = named(node, index).unwrap_or_default();
        self.values.get(name).cloned().ok_or_else(|| {
            let known = self.initializers.contains_key(name) || self.constants.contains_key(name);
            let what = if known {
                "a constant where a value of the input is expected"
            } else {
                "an input that no node computes"
            };
            Error::new(if known { ErrorKind::Unsupported } else { ErrorKind::Format }, what).found(printable(name))
        })
    }

    /// A node's input, if it has it and it depends on the graph's.
    pub fn has_value(&self, node: &NodeProto, index: usize) -> bool {
        named(node, index).is_some_and(|name| self.values.contains_key(name))
    }

    /// A constant input of a node; `None` if it does not have this input.
    pub fn constant(&mut self, node: &'f NodeProto, index: usize) -> Result<Option<Rc<Constant>>> {
        let Some(name) = named(node, index) else { return Ok(None) };
        if let Some(constant) = self.constants.get(name) {
            return Ok(Some(constant.clone()));
        }
        let Some(tensor) = self.initializers.get(name) else {
            let what = "weights or settings that are not constant";
            return Err(Error::new(ErrorKind::Unsupported, what).found(printable(name)));
        };
        let constant = Rc::new(constants::read(tensor, self.beside).at(format_args!("tensor {}", printable(name)))?);
        if tensor.data_location == Some(EXTERNAL) {
            self.left = self.left.saturating_add(constant.len().saturating_mul(MOST_COPIES));
        }
        self.constants.insert(name, constant.clone());
        Ok(Some(constant))
    }

    /// The same for an input that it must have.
    pub fn weights(&mut self, node: &'f NodeProto, index: usize) -> Result<Rc<Constant>> {
        self.constant(node, index)?
            .ok_or_else(|| Error::new(ErrorKind::Format, "too few inputs").expected(index + 1).found(node.input.len()))
    }

    /// Whether a node has an input and it is a constant that is known.
    pub fn is_known_constant(&self, node: &NodeProto, index: usize) -> bool {
        named(node, index).is_some_and(|name| self.constants.contains_key(name) || self.initializers.contains_key(name))
    }

    /// The node that computes a value.
    pub fn maker(&self, name: &str) -> Option<&'f NodeProto> {
        self.makers.get(name).map(|&i| &self.nodes[i])
    }

    /// Whether all inputs of a node are constant.
    pub fn is_constant(&self, node: &NodeProto) -> bool {
        node.input.iter().all(|name| !self.values.contains_key(&name[..]))
    }

    /// The only node that takes a node's output, with its number.
    pub fn next(&self, node: &NodeProto) -> Option<(usize, &'f NodeProto)> {
        let name = node.output.first().map(String::as_str).filter(|&name| name != self.output)?;
        match self.consumers.get(name).map(|all| &all[..]) {
            Some(&[next]) if !self.done[next] => Some((next, &self.nodes[next])),
            _ => None,
        }
    }

    /// The nodes that take a value, with their numbers; a node that takes it twice is there twice.
    pub fn takers(&self, name: &str) -> impl Iterator<Item = (usize, &'f NodeProto)> + use<'_, 'f> {
        self.consumers.get(name).into_iter().flatten().map(|&number| (number, &self.nodes[number]))
    }

    /// Marks a node as fused into an earlier one.
    pub fn take_over(&mut self, number: usize) {
        self.done[number] = true;
    }
}

/// The name of a node's input; `None` if it was omitted.
fn named(node: &NodeProto, index: usize) -> Option<&str> {
    node.input.get(index).map(String::as_str).filter(|name| !name.is_empty())
}

/// `node conv1 (Conv)`
fn title(node: &NodeProto) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
    format!("node {} ({})", printable(name), printable(&node.op_type))
}

impl NodeProto {
    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name)?.i
    }

    /// A float attribute.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.attribute(name)?.f.map(constants::plain)
    }

    /// An attribute of integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    /// An attribute of floats.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|attribute| &attribute.floats[..])
    }

    /// A string attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.attribute(name)?.s.as_ref()?).ok()
    }

    /// The value of a `Constant`.
    pub fn constant(&self, beside: Option<&FilePath>) -> Result<Constant> {
        if let Some(tensor) = self.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
            return constants::read(tensor, beside);
        }
        if let Some(float) = self.attribute("value_float").and_then(|attribute| attribute.f) {
            return Ok(Constant { dims: Vec::new(), data: Data::Floats(vec![float]) });
        }
        if let Some(int) = self.int("value_int") {
            return Ok(Constant { dims: Vec::new(), data: Data::Ints(vec![int]) });
        }
        if let Some(ints) = self.ints("value_ints") {
            return Ok(Constant::row(ints.to_vec()));
        }
        if let Some(floats) = self.attribute("value_floats").map(|attribute| attribute.floats.clone()) {
            return Ok(Constant { dims: vec![floats.len()], data: Data::Floats(floats) });
        }
        Err(Error::new(ErrorKind::Unsupported, "an unsupported kind of constant"))
    }
}

impl Reader<'_> {
    /// The path of the ONNX file, for external data.
    pub fn beside(&self) -> Option<&FilePath> {
        self.beside
    }
}
