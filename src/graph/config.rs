//! A chain of layers as JSON, with Keras's names for what a layer is made of.
//!
//! ```text
//! [{"class_name": "InputLayer", "name": "input_1", "shape": [28, 28, 1]},
//!  {"class_name": "Conv2D", "name": "conv2d", "filters": 32, "kernel_size": 3, "activation": "relu"}, ...]
//! ```

use super::{Activation, LayerKind, LayerSpec};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::json::Object;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Keras's names.
const ACTIVATIONS: [(&str, Activation); 8] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("softmax", Activation::Softmax),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("elu", Activation::Elu),
    ("gelu", Activation::Gelu),
    ("swish", Activation::Swish),
];

/// What `layers` are, in order.
pub fn config(layers: &[LayerSpec]) -> Value {
    layers.iter().map(layer_config).collect()
}

fn layer_config(layer: &LayerSpec) -> Value {
    let name = |activation: Activation| {
        let known = ACTIVATIONS.iter().find(|(_, known)| *known == activation);
        known.map_or("linear", |(name, _)| name) // all are there: a test goes through them
    };
    let mut config = match layer.kind {
        LayerKind::Input => json!({ "shape": layer.output.dims() }),
        LayerKind::Conv2d { filters, kernel_size, activation } => {
            json!({ "filters": filters, "kernel_size": kernel_size, "activation": name(activation) })
        }
        LayerKind::Flatten => json!({}),
        LayerKind::Dense { units, activation } => json!({ "units": units, "activation": name(activation) }),
    };
    config["class_name"] = layer.class_name().into();
    config["name"] = layer.name.as_str().into();
    config
}

/// The layers that such a list describes, held to what a graph holds them to: sizes, shapes, softmax at the end, and
/// names that differ.
///
/// # Errors
/// They name the key or the layer: `Format` for what describes no layer, `Unsupported` for a class, an activation or a
/// setting that this library does not have, `Shape` for layers that do not fit each other.
pub fn from_config(layers: &[Object<'_>]) -> Result<Vec<LayerSpec>> {
    let mut chain: Vec<LayerSpec> = Vec::new();
    let mut names = HashSet::new();
    for object in layers {
        let name = layer_name(object)?;
        if !names.insert(name.clone()) {
            return Err(object.place(Error::new(ErrorKind::Format, "the name is taken").found(name), "name"));
        }
        let layer = match chain.last() {
            None => input(object, name)?,
            Some(below) => LayerSpec::on_top_of(below, name, kind(object)?)?,
        };
        chain.push(layer);
    }
    match chain.is_empty() {
        true => Err(Error::new(ErrorKind::Format, "no layers").at("key layers")),
        false => Ok(chain),
    }
}

/// A name that can begin a tensor's, `name/kernel`.
fn layer_name(object: &Object<'_>) -> Result<String> {
    let good = |name: &&str| (1..=100).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c == '/');
    object.get("name", "a name of 1 to 100 bytes without `/`", |value| value.as_str().filter(good).map(String::from))
}

fn input(object: &Object<'_>, name: String) -> Result<LayerSpec> {
    object.get("class_name", "\"InputLayer\" first", |value| (value == "InputLayer").then_some(()))?;
    object.only(&["class_name", "name", "shape"])?;
    let shape = object.get("shape", "[height, width, channels]", |value| {
        let dims: Option<Vec<usize>> = value.as_array()?.iter().map(|dim| dim.as_u64()?.try_into().ok()).collect();
        dims?.try_into().ok()
    })?;
    LayerSpec::input(name, &shape)
}

fn kind(object: &Object<'_>) -> Result<LayerKind> {
    match object.str("class_name")? {
        "Conv2D" => {
            object.only(&["class_name", "name", "filters", "kernel_size", "activation"])?;
            let (filters, kernel_size) = (object.usize("filters")?, object.usize("kernel_size")?);
            Ok(LayerKind::Conv2d { filters, kernel_size, activation: activation(object)? })
        }
        "Flatten" => object.only(&["class_name", "name"]).map(|()| LayerKind::Flatten),
        "Dense" => {
            object.only(&["class_name", "name", "units", "activation"])?;
            Ok(LayerKind::Dense { units: object.usize("units")?, activation: activation(object)? })
        }
        other => {
            let error = Error::new(ErrorKind::Unsupported, "unknown class").expected("Conv2D, Flatten or Dense");
            Err(object.place(error.found(printable(other)), "class_name"))
        }
    }
}

fn activation(object: &Object<'_>) -> Result<Activation> {
    let found = object.str("activation")?;
    let known = ACTIVATIONS.iter().find(|(name, _)| *name == found);
    known.map(|(_, activation)| *activation).ok_or_else(|| {
        let error = Error::new(ErrorKind::Unsupported, "unknown activation");
        object.place(error.expected(ACTIVATIONS.map(|(name, _)| name).join(", ")).found(printable(found)), "activation")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    fn read(config: &Value) -> Result<Vec<LayerSpec>> {
        let root = json!({ "layers": config });
        Object::root(&root).unwrap().objects("layers").and_then(|layers| from_config(&layers))
    }

    fn sample(activation: Activation) -> Vec<LayerSpec> {
        let mut graph = Graph::new();
        let x = graph.input(9, 8, 3).unwrap();
        let y = graph.conv2d(x, 4, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 5, activation).unwrap();
        graph.chain(x, y).unwrap()
    }

    #[test]
    fn every_layer_and_activation_comes_back() {
        for (name, activation) in ACTIVATIONS {
            let layers = sample(activation);
            let config = config(&layers);
            assert_eq!(config[3]["activation"], name);
            let back = read(&config).unwrap();
            let all = |layers: &[LayerSpec]| {
                let one = |l: &LayerSpec| (l.name.clone(), l.kind.clone(), l.input.clone(), l.output.clone());
                layers.iter().map(one).collect::<Vec<_>>()
            };
            assert_eq!(all(&back), all(&layers));
        }
    }

    #[test]
    fn every_damage_is_an_error_with_its_key() {
        let good = config(&sample(Activation::Softmax));
        let damaged = |layer: usize, key: &str, value: Value| {
            let mut bad = good.clone();
            bad[layer][key] = value;
            read(&bad).unwrap_err().to_string()
        };
        for (layer, key, value, text) in [
            (
                0,
                "class_name",
                json!("Dense"),
                "key layers[0].class_name: wrong value: expected \\\"InputLayer\\\" first",
            ),
            (
                0,
                "shape",
                json!([9, 8]),
                "key layers[0].shape: wrong value: expected [height, width, channels], found [9,8]",
            ),
            (0, "shape", json!([9, 0, 3]), "layer input_1: a size is 0"),
            (0, "shape", json!([1u64 << 40, 1u64 << 40, 1]), "layer input_1: too many elements"),
            (1, "filters", json!(-4), "key layers[1].filters: wrong value: expected a whole number, found -4"),
            (1, "filters", json!(u64::MAX), "layer conv2d: too many weights"),
            (1, "kernel_size", json!(9), "layer conv2d: the kernel does not fit its input"),
            (1, "strides", json!(2), "key layers[1].strides: unknown key"),
            (2, "name", json!("conv2d"), "key layers[2].name: the name is taken: found conv2d"),
            (2, "name", json!("a/b"), "key layers[2].name: wrong value"),
            (2, "class_name", json!("InputLayer"), "key layers[2].class_name: unknown class"),
            (3, "activation", json!("selu"), "key layers[3].activation: unknown activation: expected linear, relu"),
            (3, "units", Value::Null, "key layers[3].units: wrong value: expected a whole number, found nothing"),
        ] {
            let message = damaged(layer, key, value);
            assert!(message.starts_with(&text.replace('\\', "")), "{message}");
        }
        let reordered = json!([good[0], good[2], good[1], good[3]]);
        assert!(read(&reordered).unwrap_err().to_string().contains("layer conv2d: wrong rank"));
        let repeated = json!([good[0], good[1], good[2], good[3], good[3]]);
        assert!(read(&repeated).unwrap_err().to_string().contains("the name is taken"));
        assert!(read(&json!([])).unwrap_err().to_string().contains("no layers"));
    }
}
