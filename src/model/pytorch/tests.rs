//! Which weights are taken from a state_dict, in what order, and what is refused.

use super::*;
use crate::graph::Graph;
use crate::json::{Named, Object, parse};
use crate::layers::{Activation, entry, read};
use serde_json::json;

/// A layer by its class.
fn add(graph: &mut Graph, class: &str, config: &str, inputs: &[crate::graph::Tensor]) -> crate::graph::Tensor {
    let config = parse(config).unwrap();
    let named = Named::of(class, Object::empty(""), String::new());
    let layer = read(entry(&named).unwrap(), &Object::root(&config).unwrap()).unwrap();
    graph.add(layer, None, true, inputs).unwrap()
}

/// A safetensors file of tensors whose values are 0, 1, 2, ... in each.
fn state_dict(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let start = data.len();
        (0..shape.iter().product()).for_each(|i: usize| data.extend((i as f32).to_le_bytes()));
        let info = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.to_string(), info);
    }
    let header = Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

fn weight(model: &Model, name: &str) -> Vec<f32> {
    let mut values = vec![f32::NAN; model.weight_len(name).unwrap()];
    model.get_weight(name, &mut values).unwrap();
    values
}

fn message(result: Result<()>) -> String {
    let error = result.unwrap_err();
    format!("{:?}: {error}", error.kind())
}

#[test]
fn axes_are_exchanged_and_flattened_features_permuted() {
    let mut graph = Graph::new();
    let x = graph.input(&[2, 3, 2]).unwrap();
    let y = graph.conv2d(x, 2, 1, Activation::Relu).unwrap();
    let y = graph.flatten(y).unwrap();
    let y = graph.dense(y, 1, Activation::Linear).unwrap();
    let model = Model::new(&graph, x, y, "model").unwrap();
    let file = state_dict(&[
        ("conv.weight", &[2, 2, 1, 1]),
        ("conv.bias", &[2]),
        ("bn.num_batches_tracked", &[]),
        ("fc.weight", &[1, 12]),
        ("fc.bias", &[1]),
    ]);
    model.load_weights_memory(&file).unwrap();
    assert_eq!(weight(&model, "conv2d/kernel"), [0.0, 2.0, 1.0, 3.0]);
    // Feature [h, w, c] is [c, h, w] in PyTorch.
    assert_eq!(weight(&model, "dense/kernel"), [0u8, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11].map(f32::from));
}

/// Layers with the same tensors in sequence.
fn twins() -> Model {
    let mut graph = Graph::new();
    let x = graph.input(&[2]).unwrap();
    let y = graph.dense(x, 2, Activation::Relu).unwrap();
    let y = graph.dense(y, 2, Activation::Relu).unwrap();
    Model::new(&graph, x, y, "model").unwrap()
}

#[test]
fn modules_that_hold_the_same_are_told_by_their_numbers_or_not_at_all() {
    let model = twins();
    let mut file =
        state_dict(&[("l.10.weight", &[2, 2]), ("l.10.bias", &[2]), ("l.9.weight", &[2, 2]), ("l.9.bias", &[2])]);
    let len = file.len();
    file[len - 4..].copy_from_slice(&7f32.to_le_bytes()); // of l.9.bias
    model.load_weights_memory(&file).unwrap();
    assert_eq!((weight(&model, "dense/bias"), weight(&model, "dense_1/bias")), (vec![0.0, 7.0], vec![0.0, 1.0]));

    let before = weight(&model, "dense/kernel");
    let tensors: [(&str, &[usize]); 4] =
        [("a.weight", &[2, 2]), ("a.bias", &[2]), ("b.weight", &[2, 2]), ("b.bias", &[2])];
    let text = message(model.load_weights_memory(&state_dict(&tensors)));
    assert!(text.starts_with("Unsupported: argument `data`: they hold the same tensors"), "{text}");
    assert!(text.ends_with("found modules a, b for layers dense, dense_1"), "{text}");
    let text = message(model.load_weights_memory(&state_dict(&tensors[..2])));
    let expected = "NotFound: argument `data`: layer dense_1: no module of the PyTorch file has the tensors of the layer: \
                    expected weight [2, 2], bias [2], found none left";
    assert_eq!(text, expected);
    let more = [&tensors[..], &[("c.weight", &[9]), ("c.bias", &[9])]].concat();
    let text = message(model.load_weights_memory(&state_dict(&more)));
    let expected = "Shape: argument `data`: more modules than the model has layers for: expected none like it, \
                    found c (bias [9] weight [9])";
    assert_eq!(text, expected);
    let text = message(model.load_weights_memory(&state_dict(&[("a.weight", &[2]), ("a.weight_g", &[2])])));
    assert!(text.contains("tensor a.weight_g: a tensor that no layer of the model has in PyTorch"), "{text}");
    assert_eq!(weight(&model, "dense/kernel"), before);
}

#[test]
fn a_map_says_everything_once() {
    let model = twins();
    let path = tempfile::NamedTempFile::new().unwrap();
    let tensors: [(&str, &[usize]); 5] =
        [("a.weight", &[2, 2]), ("a.bias", &[2]), ("b.weight", &[2, 2]), ("b.bias", &[2]), ("rest", &[7])];
    std::fs::write(path.path(), state_dict(&tensors)).unwrap();
    let load = |map: Value| model.load_weights_mapped(path.path(), &map);
    let half = json!({"a": "dense_1", "b.weight": "dense/kernel", "b.bias": "dense/bias"});
    let with = |key: &str, value: Value| {
        let mut map = half.clone();
        map[key] = value;
        map
    };
    load(with("rest", Value::Null)).unwrap();
    assert_eq!(weight(&model, "dense/kernel"), [0.0, 2.0, 1.0, 3.0]);
    for (map, expected) in [
        (half.clone(), "Shape: : tensor rest: unexpected tensor"),
        (with("rest", json!("dense/bias")), "InvalidArgument: : key rest: weight dense/bias: is in the map twice"),
        (with("rest", json!("dense/gamma")), "NotFound: : key rest: the model has none of that name"),
        (with("rest", json!(3)), "NotFound: : key rest: the model has none of that name"),
        (with("x", json!("dense")), "NotFound: : key x: the file has no such tensor or module"),
        (with("b", json!("dense")), "InvalidArgument: : key b"), // or the key of one of its tensors: whichever is second
        (with("b", json!("flatten")), "NotFound: : key b: the model has no such layer with weights"),
        (json!({"a": "dense", "b": null, "rest": null}), "NotFound: : dense_1/kernel: the map has no tensor for it"),
        (
            json!({"a.bias": "dense/kernel"}),
            "Shape: : key a.bias: tensor a.bias: wrong shape: expected [2, 2] for dense/kernel, found [2]",
        ),
        (json!([]), "InvalidArgument: : wrong value: expected an object, found []"),
    ] {
        let text = message(load(map.clone())).replace(path.path().to_str().unwrap(), "");
        let text = text.replace(": argument `map`", "");
        assert!(text.starts_with(expected), "{map}: {text}");
    }
}

#[test]
fn where_nobody_can_know_the_order_it_is_an_error() {
    for (class, config) in [("Permute", "{dims: [3, 1, 2]}"), ("Reshape", "{target_shape: [3, 2, 2]}")] {
        let mut graph = Graph::new();
        let x = graph.input(&[2, 2, 3]).unwrap();
        let y = add(&mut graph, class, config, &[x]);
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 2, Activation::Linear).unwrap();
        let model = Model::new(&graph, x, y, "model").unwrap();
        let text = message(model.load_weights_memory(&state_dict(&[("a.weight", &[2, 12]), ("a.bias", &[2])])));
        let expected = format!("the order of its input in PyTorch is not known after layer {}", class.to_lowercase());
        assert!(text.contains("Unsupported: argument `data`: layer dense: ") && text.contains(&expected), "{text}");
    }
}

#[test]
fn a_reshape_to_a_picture_permutes_the_features_below() {
    let mut graph = Graph::new();
    let x = graph.input(&[1]).unwrap();
    let y = graph.dense(x, 8, Activation::Relu).unwrap();
    let y = add(&mut graph, "Reshape", "{target_shape: [2, 2, 2]}", &[y]);
    let y = graph.conv2d(y, 1, 1, Activation::Linear).unwrap();
    let model = Model::new(&graph, x, y, "model").unwrap();
    let tensors: [(&str, &[usize]); 4] =
        [("fc.weight", &[8, 1]), ("fc.bias", &[8]), ("c.weight", &[1, 2, 1, 1]), ("c.bias", &[1])];
    model.load_weights_memory(&state_dict(&tensors)).unwrap();
    let permuted = [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0];
    assert_eq!((weight(&model, "dense/kernel"), weight(&model, "dense/bias")), (permuted.to_vec(), permuted.to_vec()));
}

#[test]
fn every_class_with_weights_is_in_the_table() {
    let recorded: Value = serde_json::from_str(include_str!("../../../tests/data/keras/layers.json")).unwrap();
    for case in recorded["cases"].as_array().unwrap() {
        let network = crate::graph::keras::read(&parse(case["model"].as_str().unwrap()).unwrap()).unwrap();
        for layer in network.graph.architecture(network.input, network.output).unwrap().layers {
            let (_, tensors) = MODULES.iter().find(|(class, _)| *class == layer.layer.class()).unwrap_or(&("", &[]));
            let known: Vec<_> = tensors.iter().copied().flatten().map(|(_, name, _)| *name).collect();
            let missing = layer.parameters.iter().find(|parameter| !known.contains(&parameter.name));
            assert!(missing.is_none(), "{}: {missing:?}", layer.layer.class());
        }
    }
}
