//! Networks as Keras writes them: `to_json()` of Functional and Sequential models, to a graph and back.
//!
//! ```text
//! {class_name: "Functional", config: {name, trainable, layers: [
//!      {class_name: "InputLayer", config: {...}, name: "input_1", inbound_nodes: []},
//!      {class_name: "Dense", config: {...}, name: "dense", inbound_nodes: [{args: [TENSOR], kwargs: {}}]}, ...],
//!    input_layers: ["input_1", 0, 0], output_layers: ["dense", 0, 0]}}
//! TENSOR: {class_name: "__keras_tensor__", config: {shape, dtype, keras_history: ["input_1", 0, 0]}}
//! ```
//!
//! A tensor is named by its layer, which of its calls, and which of that call's outputs (always 0 here).

use super::{Architecture, Graph, MOST_CALLS, Tensor, check_arity};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::json::{Named, Object, nearest};
use crate::layers::{self, Layer};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A graph read from JSON, with its input, output and the model's name.
#[derive(Debug)]
pub struct Network {
    /// The graph.
    pub graph: Graph,
    /// Its input.
    pub input: Tensor,
    /// Its output.
    pub output: Tensor,
    /// The model's name.
    pub name: String,
}

/// The network that Keras's `to_json()` describes.
///
/// # Errors
/// They name the key or the layer: `Format` for text that does not describe a network, `Unsupported` for a class or a
/// setting that this library does not have, `Shape` for layers that do not fit each other.
pub fn read(value: &Value) -> Result<Network> {
    let root = Object::root(value)?;
    let keys = [
        "class_name",
        "config",
        "module",
        "registered_name",
        "build_config",
        "compile_config",
        "keras_version",
        "backend",
    ];
    root.only(&keys)?;
    let config = root.object("config")?;
    match root.str("class_name")? {
        "Functional" | "Model" => functional(&config),
        "Sequential" => sequential(&config),
        other => {
            let error = Error::new(ErrorKind::Unsupported, "not a network that can be read");
            Err(root.at_key(error.expected("Functional or Sequential").found(printable(other)), "class_name"))
        }
    }
}

/// A layer of a list, before it is called.
struct Listed<'a> {
    name: String,
    trainable: bool,
    layer: Arc<dyn Layer>,
    arity: layers::Arity,
    object: Object<'a>,
}

impl<'a> Listed<'a> {
    fn read(object: Object<'a>) -> Result<Self> {
        let place = object.prefix().trim_end_matches('.').to_string();
        let class = object.str("class_name")?;
        let config = object.object("config")?;
        let entry = layers::entry(&Named::of(class, Object::empty(&place), format!("{place}.class_name")))?;
        let name = match object.has("name") {
            true => object.str("name")?,
            false => config.str("name")?,
        };
        if config.has("name") && config.str("name")? != name {
            let error = Error::new(ErrorKind::Format, "the layer has two names").expected(printable(name));
            return Err(config.at_key(error.found(printable(config.str("name")?)), "name"));
        }
        let layer = layers::read(entry, &config)?;
        let trainable = config.bool_or("trainable", true)?;
        Ok(Listed { name: name.to_string(), trainable, layer, arity: entry.arity, object })
    }

    /// Adds the layer to a graph.
    fn add(&self, graph: &mut Graph, inputs: &[Tensor]) -> Result<Tensor> {
        check_arity(self.arity, inputs.len()).at(format_args!("layer {}", printable(&self.name)))?;
        let place = self.object.prefix().trim_end_matches('.');
        graph.add(self.layer.clone(), Some(&self.name), self.trainable, inputs).at(format_args!("key {place}"))
    }
}

fn sequential(config: &Object<'_>) -> Result<Network> {
    config.only(&["name", "trainable", "dtype", "layers", "build_input_shape"])?;
    let mut graph = Graph::new();
    let mut ends: Option<(Tensor, Tensor)> = None;
    for object in config.objects("layers")? {
        let listed = Listed::read(object)?;
        ends = Some(match ends {
            None if listed.arity == layers::Arity::Zero => {
                let x = listed.add(&mut graph, &[])?;
                (x, x)
            }
            None => {
                let dims = config.get("build_input_shape", "[null, height, width, channels]", |value| {
                    let [Value::Null, dims @ ..] = &value.as_array()?[..] else { return None };
                    dims.iter().map(crate::json::count).collect::<Option<Vec<_>>>()
                })?;
                let x = graph.input(&dims)?;
                (x, listed.add(&mut graph, &[x])?)
            }
            Some((x, y)) => (x, listed.add(&mut graph, &[y])?),
        });
    }
    let name = config.or("name", "sequential", "a text", Value::as_str)?.to_string();
    match ends {
        Some((input, output)) => Ok(Network { graph, input, output, name }),
        None => Err(config.at_key(Error::new(ErrorKind::Format, "no layers"), "layers")),
    }
}

/// A tensor: the layer's name, and which of its calls.
type Key<'a> = (&'a str, usize);

/// A call that is not made yet.
struct Pending<'a> {
    /// Its layer's index in the list.
    layer: usize,
    inputs: Vec<Key<'a>>,
}

fn functional(config: &Object<'_>) -> Result<Network> {
    config.only(&["name", "trainable", "dtype", "layers", "input_layers", "output_layers"])?;
    let list = config.objects("layers")?.into_iter().map(Listed::read).collect::<Result<Vec<_>>>()?;
    let mut pending: HashMap<Key<'_>, Pending<'_>> = HashMap::new();
    let mut order = Vec::new();
    for (layer, listed) in list.iter().enumerate() {
        for (call, inputs) in inbound(listed)?.into_iter().enumerate() {
            if pending.insert((&listed.name, call), Pending { layer, inputs }).is_some() {
                let error = Error::new(ErrorKind::Format, "the name is taken").found(printable(&listed.name));
                return Err(listed.object.at_key(error, "name"));
            }
            order.push((listed.name.as_str(), call));
        }
    }
    if order.len() > MOST_CALLS {
        let error =
            Error::new(ErrorKind::Unsupported, "too many layers").expected(format_args!("at most {MOST_CALLS}"));
        return Err(config.at_key(error.found(order.len()), "layers"));
    }
    let mut made = HashMap::new();
    let mut graph = Graph::new();
    for key in order {
        make(&mut graph, &list, &pending, &mut made, key)?;
    }
    let end = |key: &str| -> Result<Tensor> {
        let value = config.value(key);
        let at = |error: Error| config.at_key(error, key);
        let history = match value.as_array().map(Vec::as_slice) {
            Some([one @ Value::Array(_)]) => one,
            Some([Value::Array(_), _, ..]) => {
                let error = Error::new(ErrorKind::Unsupported, "several").expected("one input, and one output");
                return Err(at(error));
            }
            _ => value,
        };
        let reference = reference(history)
            .ok_or_else(|| at(Error::new(ErrorKind::Format, "wrong value").expected("[\"layer\", 0, 0]")))?;
        made.get(&reference).copied().ok_or_else(|| at(missing(&list, reference)))
    };
    let (input, output) = (end("input_layers")?, end("output_layers")?);
    let name = config.or("name", "functional", "a text", Value::as_str)?.to_string();
    graph.architecture(input, output)?;
    Ok(Network { graph, input, output, name })
}

/// Makes a call, after those whose outputs it takes. (With an explicit stack: a chain of references may be long.)
fn make<'a>(
    graph: &mut Graph,
    list: &'a [Listed<'_>],
    pending: &HashMap<Key<'a>, Pending<'a>>,
    made: &mut HashMap<Key<'a>, Tensor>,
    key: Key<'a>,
) -> Result<()> {
    let mut open = vec![key];
    let mut under_way = HashSet::from([key]);
    while let Some(&key) = open.last() {
        let call = &pending[&key];
        let listed = &list[call.layer];
        // A layer's first call comes first, because it creates the weights.
        let first = (key.1 > 0).then_some((key.0, 0));
        let needed = first.into_iter().chain(call.inputs.iter().copied());
        match needed.into_iter().find(|key| !made.contains_key(key)) {
            None if made.contains_key(&key) => _ = open.pop(),
            None => {
                let inputs: Vec<Tensor> = call.inputs.iter().map(|input| made[input]).collect();
                let tensor = match first {
                    None => listed.add(graph, &inputs)?,
                    Some(first) => graph.call_again(made[&first], &inputs)?,
                };
                made.insert(key, tensor);
                open.pop();
            }
            Some(next) if !pending.contains_key(&next) => {
                return Err(listed.object.at_key(missing(list, next), "inbound_nodes"));
            }
            Some(next) if !under_way.insert(next) => {
                let error = Error::new(ErrorKind::Format, "a cycle: the layer's input depends on its output");
                let error = error.found(format_args!("layer {}", printable(next.0)));
                return Err(listed.object.at_key(error, "inbound_nodes"));
            }
            Some(next) => open.push(next),
        }
    }
    Ok(())
}

fn missing(list: &[Listed<'_>], (layer, call): Key<'_>) -> Error {
    let names: Vec<&str> = list.iter().map(|listed| listed.name.as_str()).collect();
    match names.contains(&layer) {
        true => Error::new(ErrorKind::Format, "no such call of the layer")
            .found(format_args!("call {call} of {}", printable(layer))),
        false => {
            Error::new(ErrorKind::Format, "no such layer").expected(nearest(layer, &names)).found(printable(layer))
        }
    }
}

/// The calls of a layer: the tensors that each takes. An input has one call, without any.
fn inbound<'a>(listed: &Listed<'a>) -> Result<Vec<Vec<Key<'a>>>> {
    let object = &listed.object;
    object.only(&[
        "module",
        "class_name",
        "config",
        "registered_name",
        "name",
        "inbound_nodes",
        "build_config",
        "shared_object_id",
    ])?;
    if listed.arity == layers::Arity::Zero {
        return Ok(vec![Vec::new()]);
    }
    let nodes = object.objects("inbound_nodes")?;
    let calls = nodes.iter().map(|node| {
        node.only(&["args", "kwargs"])?;
        let kwargs = node.object_or_empty("kwargs")?;
        for key in kwargs.keys() {
            // The `training` argument of a layer's call is ignored: the model decides it.
            kwargs.idle(key, |value| key == "training" && value.is_boolean(), "null")?;
        }
        let args = node.get("args", "a list of tensors", Value::as_array)?;
        let tensors = match &args[..] {
            [Value::Array(list)] => &list[..],
            args => args,
        };
        let expected = "a tensor with class_name __keras_tensor__ and its keras_history";
        let wrong = || node.at_key(Error::new(ErrorKind::Format, "wrong value").expected(expected), "args");
        let tensor = |value: &'a Value| {
            let history = &value["config"]["keras_history"];
            (value["class_name"] == "__keras_tensor__").then(|| reference(history)).flatten().ok_or_else(wrong)
        };
        tensors.iter().map(tensor).collect()
    });
    calls.collect()
}

/// `["dense", 0, 0]`
fn reference(history: &Value) -> Option<Key<'_>> {
    match &history.as_array()?[..] {
        [layer, call, output] if output.as_u64() == Some(0) => Some((layer.as_str()?, crate::json::count(call)?)),
        _ => None,
    }
}

/// A network as Keras's `to_json()` writes it; `trainable` tells for each layer whether it is.
pub fn write(architecture: &Architecture, name: &str, trainable: &[bool]) -> Value {
    // The index of a call among its layer's calls.
    let number = |call: usize| {
        let layer = architecture.calls[call].layer;
        architecture.calls[..call].iter().filter(|other| other.layer == layer).count()
    };
    let history = |call: usize| json!([architecture.layers[architecture.calls[call].layer].name, number(call), 0]);
    let tensor = |&call: &usize| {
        let dims = architecture.calls[call].output.dims();
        let shape: Value = std::iter::once(Value::Null).chain(dims.iter().map(|&dim| json!(dim))).collect();
        json!({
            "class_name": "__keras_tensor__",
            "config": { "shape": shape, "dtype": "float32", "keras_history": history(call) },
        })
    };
    let layer = |(index, spec): (usize, &super::LayerSpec)| {
        let mut config = spec.layer.config();
        config.insert("name".into(), json!(spec.name));
        config.insert("trainable".into(), json!(trainable[index]));
        config.insert("dtype".into(), json!("float32"));
        let nodes = architecture.calls_of(index).filter(|(_, call)| !call.inputs.is_empty()).map(|(_, call)| {
            let tensors: Vec<Value> = call.inputs.iter().map(tensor).collect();
            match &tensors[..] {
                [one] => json!({ "args": [one], "kwargs": {} }),
                many => json!({ "args": [many], "kwargs": {} }),
            }
        });
        json!({
            "module": "keras.layers",
            "class_name": spec.layer.class(),
            "config": config,
            "registered_name": null,
            "name": spec.name,
            "inbound_nodes": nodes.collect::<Vec<_>>(),
        })
    };
    json!({
        "module": "keras",
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": true,
            "layers": architecture.layers.iter().enumerate().map(layer).collect::<Vec<_>>(),
            "input_layers": [history(0)],
            "output_layers": [history(architecture.calls.len() - 1)],
        },
        "registered_name": "Functional",
    })
}
