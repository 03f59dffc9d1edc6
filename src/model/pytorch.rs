//! Weights from PyTorch: the modules for the model's layers, and the order of their inputs' elements.
//!
//! In PyTorch the channels come first. For a kernel this is only another order of axes ([`MODULES`]); but where an
//! image `[H, W, C]` is flattened, the features come in another order too, `C, H, W`, and so do the rows of the
//! following dense layer's kernel and all weights with one value per feature. So the graph is walked, and for each call
//! the order of its output in PyTorch is determined ([`Order`]).

use super::Model;
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::Content;
use crate::graph::{Architecture, Call};
use crate::memory::{Buffer, filled};
use crate::weights::TensorFile;
use crate::weights::pytorch::{Axes, Module, Part, Places, by_map, by_shape};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The layout of a weight in PyTorch.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// For each axis in PyTorch, the axes here that it covers.
    Axes(&'static [&'static [usize]]),
    /// Like a sample: channels first.
    Sample,
    /// One number for each channel, or one for all.
    Channels,
}

/// A weight's name in PyTorch and here, and its layout in PyTorch.
type Tensor = (&'static str, &'static str, Layout);

const BIAS: Tensor = ("bias", "bias", Layout::Axes(&[&[0]]));
/// `[kh, kw, I, O]` and `[O, I, kh, kw]`; of a transposed one `[kh, kw, O, I]` and `[I, O, kh, kw]`.
const CONV2D: Layout = Layout::Axes(&[&[3], &[2], &[0], &[1]]);
/// `[kh, kw, C, M]` and `[C * M, 1, kh, kw]`.
const DEPTHWISE: Layout = Layout::Axes(&[&[2, 3], &[], &[0], &[1]]);
const SCALE: [Tensor; 2] = [("weight", "gamma", Layout::Sample), ("bias", "beta", Layout::Sample)];

/// For each class with weights: its modules in PyTorch.
const MODULES: &[(&str, &[&[Tensor]])] = &[
    (
        "BatchNormalization",
        &[&[
            SCALE[0],
            SCALE[1],
            ("running_mean", "moving_mean", Layout::Sample),
            ("running_var", "moving_variance", Layout::Sample),
        ]],
    ),
    ("Conv1D", &[&[("weight", "kernel", Layout::Axes(&[&[2], &[1], &[0]])), BIAS]]),
    ("Conv2D", &[&[("weight", "kernel", CONV2D), BIAS]]),
    ("Conv2DTranspose", &[&[("weight", "kernel", CONV2D), BIAS]]),
    ("Dense", &[&[("weight", "kernel", Layout::Axes(&[&[1], &[0]])), BIAS]]),
    ("DepthwiseConv2D", &[&[("weight", "kernel", DEPTHWISE), BIAS]]),
    ("GroupNormalization", &[&SCALE]),
    ("LayerNormalization", &[&SCALE]),
    ("PReLU", &[&[("weight", "alpha", Layout::Channels)]]),
    (
        "SeparableConv2D",
        &[&[("weight", "depthwise_kernel", DEPTHWISE)], &[("weight", "pointwise_kernel", CONV2D), BIAS]],
    ),
];

/// The order of a call's output in PyTorch.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    /// A sample of one axis, made of pieces in sequence: `(S, C)` is a piece of `S * C` features, which were `[S, C]`
    /// here and `[C, S]` in PyTorch before the flatten. `(1, features)` is the same order as here.
    Features(Vec<(usize, usize)>),
    /// Channels first.
    ChannelsFirst,
    /// The input's order, not known yet to have channels.
    Rows,
    /// Unknown since this call.
    Unknown(usize),
}

impl Order {
    fn as_here(features: usize) -> Self {
        Order::Features(vec![(1, features)])
    }

    /// Pieces in sequence; adjacent pieces in the order here are merged.
    fn pieces(all: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        for (spatial, channels) in all {
            let piece = if channels == 1 { (1, spatial) } else { (spatial, channels) };
            match pieces.last_mut() {
                Some(last) if last.0 == 1 && piece.0 == 1 => last.1 += piece.1,
                _ => pieces.push(piece),
            }
        }
        Order::Features(pieces)
    }

    /// The index of each feature in PyTorch; `None` if all are the same as here.
    fn places(&self) -> Option<Vec<usize>> {
        let Order::Features(pieces) = self else { return None };
        if let [(1, _)] = pieces[..] {
            return None;
        }
        let mut places = Vec::new();
        for &(spatial, channels) in pieces {
            let start = places.len();
            let piece = (0..spatial).flat_map(|s| (0..channels).map(move |c| start + c * spatial + s));
            places.extend(piece);
        }
        Some(places)
    }
}

/// The orders of all calls.
struct Orders<'a> {
    architecture: &'a Architecture,
    /// The order that a reshape to an image requires of the features below it.
    wanted: HashMap<usize, Order>,
    orders: Vec<Order>,
}

impl<'a> Orders<'a> {
    fn of(architecture: &'a Architecture) -> Self {
        let calls = &architecture.calls;
        let mut all = Orders { architecture, wanted: HashMap::new(), orders: Vec::new() };
        (0..calls.len()).for_each(|call| all.want(call));
        for call in 0..calls.len() {
            let order = all.order(call);
            all.orders.push(order);
        }
        all
    }

    fn class(&self, call: usize) -> &'static str {
        self.architecture.layers[self.architecture.calls[call].layer].layer.class()
    }

    fn dims(&self, call: usize) -> &'a [usize] {
        self.architecture.calls[call].output.dims()
    }

    /// Where features become an image `[H, W, C]`, the dense layer below gives them in the order of `C, H, W`.
    fn want(&mut self, call: usize) {
        let Call { inputs, .. } = &self.architecture.calls[call];
        let [.., channels] = *self.dims(call) else { return };
        if self.class(call) != "Reshape" || self.dims(call).len() != 3 || self.dims(inputs[0]).len() != 1 {
            return;
        }
        let mut at = inputs[0];
        let order = Order::pieces([(self.dims(at)[0] / channels, channels)]);
        loop {
            let call = &self.architecture.calls[at];
            match (self.class(at), &call.inputs[..]) {
                ("Dense", _) => {
                    self.wanted.insert(at, order);
                    return;
                }
                (_, &[below]) if self.dims(below) == self.dims(at) => at = below,
                _ => return,
            }
        }
    }

    /// The order of a call's output, from those of the calls before it.
    fn order(&self, call: usize) -> Order {
        let Call { layer, inputs, .. } = &self.architecture.calls[call];
        let has_weights = !self.architecture.layers[*layer].parameters.is_empty();
        let (class, dims) = (self.class(call), self.dims(call));
        let below: Vec<&Order> = inputs.iter().map(|&input| &self.orders[input]).collect();
        if let Some(unknown) = below.iter().find(|order| matches!(order, Order::Unknown(_))) {
            return (*unknown).clone();
        }
        let Some(&first) = below.first() else {
            return match dims.len() {
                1 => Order::as_here(dims[0]),
                2 => Order::Rows,
                _ => Order::ChannelsFirst,
            };
        };
        let same = below.iter().all(|order| *order == first);
        let keeps = self.dims(inputs[0]) == dims;
        match (class, dims.len()) {
            ("Dense", 1) => self.wanted.get(&call).cloned().unwrap_or(Order::as_here(dims[0])),
            ("Dense", _) if *first == Order::ChannelsFirst => Order::Unknown(call),
            ("Dense", _) => first.clone(),
            ("Permute", _) if !keeps || dims.len() > 1 => Order::Unknown(call),
            ("Flatten" | "Reshape", 1) => self.flattened(first, inputs[0]),
            ("Reshape", _) => self.reshaped(first, call),
            ("Concatenate", 1) => Order::pieces(below.iter().flat_map(|order| match order {
                Order::Features(pieces) => pieces.clone(),
                _ => Vec::new(),
            })),
            ("GlobalMaxPooling1D" | "GlobalAveragePooling1D" | "GlobalMaxPooling2D" | "GlobalAveragePooling2D", 1) => {
                Order::as_here(dims[0])
            }
            (_, 1) if same => first.clone(),
            (_, 1) => Order::Unknown(call),
            ("LayerNormalization", _) => first.clone(),
            (_, 2) if *first == Order::Rows && same && keeps && !has_weights => first.clone(),
            _ => Order::ChannelsFirst,
        }
    }

    fn flattened(&self, order: &Order, input: usize) -> Order {
        match (order, self.dims(input)) {
            (Order::ChannelsFirst, &[ref spatial @ .., channels]) => {
                Order::pieces([(spatial.iter().product(), channels)])
            }
            (Order::Rows, dims) => Order::as_here(dims.iter().product()),
            (order, _) => order.clone(),
        }
    }

    fn reshaped(&self, order: &Order, call: usize) -> Order {
        let input = self.architecture.calls[call].inputs[0];
        match (order, self.dims(call), self.dims(input)) {
            (_, to, from) if to == from => order.clone(),
            (Order::ChannelsFirst, &[.., to], &[_, .., from]) if to == from => Order::ChannelsFirst,
            (Order::Features(_), &[_, _, channels], &[features])
                if *order == Order::pieces([(features / channels, channels)]) =>
            {
                Order::ChannelsFirst
            }
            _ => Order::Unknown(call),
        }
    }

    /// The orders of a layer's input and output in PyTorch; the same for each of its calls.
    fn around(&self, layer: usize) -> Result<(Order, Order)> {
        let mut calls = self.architecture.calls_of(layer).map(|(index, call)| {
            let below = call.inputs.first().map_or(&self.orders[index], |&input| &self.orders[input]);
            (below, &self.orders[index])
        });
        let (below, above) = calls.next().ok_or_else(|| Error::internal("a layer without a call"))?;
        let unknown = |what: String| {
            let error = Error::new(ErrorKind::Unsupported, what);
            Err(error.expected("only a Flatten between images and features"))
        };
        if let Order::Unknown(call) = below {
            let since = &self.architecture.layers[self.architecture.calls[*call].layer].name;
            return unknown(format!("the order of its input in PyTorch is not known after layer {since}"));
        }
        match calls.all(|(b, a)| b == below && a == above) {
            true => Ok((below.clone(), above.clone())),
            false => unknown("its calls get features in several orders".to_string()),
        }
    }
}

impl Model {
    /// The PyTorch modules of its layers.
    fn modules(&self) -> Result<Vec<Module>> {
        let orders = Orders::of(&self.architecture);
        let mut modules = Vec::new();
        for (index, layer) in self.architecture.layers.iter().enumerate().filter(|(_, l)| !l.parameters.is_empty()) {
            let class = layer.layer.class();
            let known = MODULES.iter().find(|(name, _)| *name == class);
            let (_, known) = known.ok_or_else(|| Error::internal("a layer that PyTorch does not have"))?;
            let around = orders.around(index).at(format_args!("layer {}", layer.name))?;
            for tensors in *known {
                let part = |&(leaf, name, layout): &Tensor| {
                    let at = layer.parameters.iter().position(|parameter| parameter.name == name)?;
                    let weight = self.parameters.indices_of_layer(index).start + at;
                    let entry = self.parameters.entries().get(weight)?;
                    let shape = entry.shape.clone();
                    let (layouts, orders) = lie(layout, &shape, class == "Dense", &around);
                    Some(Part { leaf, weight: (weight, entry.name.clone()), shape, layouts, orders })
                };
                let parts: Vec<Part> = tensors.iter().filter_map(part).collect();
                if !parts.is_empty() {
                    modules.push(Module { layer: (index, layer.name.clone()), parts });
                }
            }
        }
        Ok(modules)
    }

    /// Reads the weights of a state_dict, assigned by a map of names or by the modules' tensors.
    pub(super) fn pytorch_weights(&self, file: &mut TensorFile<Content<'_>>, map: Option<&Value>) -> Result<Buffer> {
        let (modules, theirs) = (self.modules()?, file.tensors()?);
        let pairs = match map {
            Some(map) => by_map(&theirs, &modules, map).at("argument `map`")?,
            None => by_shape(&theirs, &modules, |below, above| follows(&self.architecture, below, above))?,
        };
        let mut all = Buffer::zeros(self.parameters.len())?;
        for pair in pairs {
            let name = &theirs[pair.tensor].name;
            let mut values = filled(theirs[pair.tensor].shape.iter().product(), 0f32)?;
            file.read_floats(name, &mut values)?;
            pair.part.take(pair.layout, &values, &mut all[self.parameters.entries()[pair.part.weight.0].range.clone()]);
        }
        Ok(all)
    }
}

/// The layouts that a weight may have, and the orders of its axes.
fn lie(layout: Layout, shape: &[usize], dense: bool, (below, above): &(Order, Order)) -> (Vec<Axes>, Places) {
    let rank = shape.len();
    let layouts = match layout {
        Layout::Axes(axes) => vec![axes.iter().map(|axes| axes.to_vec()).collect()],
        Layout::Sample if *below == Order::Rows => vec![(0..rank).map(|axis| vec![axis]).collect()],
        Layout::Sample => vec![(rank - 1..rank).chain(0..rank - 1).map(|axis| vec![axis]).collect()],
        Layout::Channels => vec![vec![vec![rank - 1]], vec![vec![]]],
    };
    let mut orders = HashMap::new();
    // A dense layer's kernel is [features below, features above], its bias [features above].
    let axes = match (dense, rank) {
        (true, 2) => vec![(0, below), (1, above)],
        (true, _) => vec![(0, above)],
        (false, _) => vec![(0, below)],
    };
    orders.extend(axes.into_iter().filter_map(|(axis, order)| Some((axis, order.places()?))));
    (layouts, orders)
}

/// Whether a call of the layer `above` follows one of the layer `below`.
fn follows(architecture: &Architecture, below: usize, above: usize) -> bool {
    let mut open: Vec<usize> = architecture.calls_of(above).map(|(call, _)| call).collect();
    let mut seen: HashSet<usize> = open.iter().copied().collect();
    while let Some(call) = open.pop() {
        for &input in &architecture.calls[call].inputs {
            if architecture.calls[input].layer == below {
                return true;
            }
            if seen.insert(input) {
                open.push(input);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
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
            (
                json!({"a": "dense", "b": null, "rest": null}),
                "NotFound: : dense_1/kernel: the map has no tensor for it",
            ),
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
            let expected =
                format!("the order of its input in PyTorch is not known after layer {}", class.to_lowercase());
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
        assert_eq!(
            (weight(&model, "dense/kernel"), weight(&model, "dense/bias")),
            (permuted.to_vec(), permuted.to_vec())
        );
    }

    #[test]
    fn every_class_with_weights_is_in_the_table() {
        let recorded: Value = serde_json::from_str(include_str!("../../tests/data/keras/layers.json")).unwrap();
        for case in recorded["cases"].as_array().unwrap() {
            let network = crate::graph::keras::read(&parse(case["model"].as_str().unwrap()).unwrap()).unwrap();
            for layer in network.graph.architecture(network.input, network.output).unwrap().layers {
                let (_, tensors) =
                    MODULES.iter().find(|(class, _)| *class == layer.layer.class()).unwrap_or(&("", &[]));
                let known: Vec<_> = tensors.iter().copied().flatten().map(|(_, name, _)| *name).collect();
                let missing = layer.parameters.iter().find(|parameter| !known.contains(&parameter.name));
                assert!(missing.is_none(), "{}: {missing:?}", layer.layer.class());
            }
        }
    }
}
