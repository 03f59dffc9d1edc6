//! Networks for the tests of C files: one for each setting of a layer, well-known ones, and random ones.

use mnist::Result;
use mnist::graph::{Graph, Tensor};
use mnist::json::{Named, Object};
use mnist::layers;
use mnist::model::Model;
use serde_json::{Value, json};

/// Pseudo-random numbers, the same for the same seed (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    /// In [-1, 1).
    pub fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Adds a layer.
fn layer(graph: &mut Graph, class: &str, config: &Value, inputs: &[Tensor]) -> Result<Tensor> {
    let object = Object::of(config, "config")?;
    let entry = layers::entry(&Named::of(class, object.clone(), "class".into()))?;
    graph.add(layers::read(entry, &object)?, None, true, inputs)
}

/// A network under construction; an invalid layer fails the test.
struct Net {
    graph: Graph,
    input: Tensor,
    at: Tensor,
}

impl Net {
    fn new(shape: &[usize]) -> Self {
        let mut graph = Graph::new();
        let input = graph.input(shape).unwrap();
        Net { graph, input, at: input }
    }

    fn on(&mut self, class: &str, config: Value, inputs: &[Tensor]) -> Tensor {
        layer(&mut self.graph, class, &config, inputs).unwrap_or_else(|e| panic!("{class} {config}: {e}"))
    }

    fn then(mut self, class: &str, config: Value) -> Self {
        self.at = self.on(class, config, &[self.at]);
        self
    }

    fn model(self) -> Model {
        Model::new(&self.graph, self.input, self.at, "model").unwrap()
    }
}

/// Names of all activations.
const ACTIVATIONS: [&str; 26] = [
    "relu",
    "softmax",
    "log_softmax",
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "tanh",
    "tanh_shrink",
];

/// A layer on an input of the given shape.
fn alone() -> Vec<(&'static str, Vec<usize>, Value)> {
    vec![
        ("Dense", vec![7], json!({"units": 5})),
        ("Dense", vec![1300], json!({"units": 3, "activation": "relu"})),
        ("Dense", vec![4, 6], json!({"units": 5, "use_bias": false})),
        ("Conv2D", vec![9, 7, 3], json!({"filters": 5, "kernel_size": 3})),
        (
            "Conv2D",
            vec![9, 7, 4],
            json!({"filters": 6, "kernel_size": [2, 3], "padding": "same", "groups": 2, "activation": "relu"}),
        ),
        (
            "Conv2D",
            vec![9, 8, 2],
            json!({"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": false}),
        ),
        ("Conv2D", vec![9, 8, 2], json!({"filters": 3, "kernel_size": 3, "dilation_rate": [1, 2], "padding": "same"})),
        ("Conv2D", vec![5, 5, 17], json!({"filters": 18, "kernel_size": 1})),
        ("Conv2D", vec![11, 10, 16], json!({"filters": 17, "kernel_size": 3})),
        ("Conv2D", vec![7, 9, 20], json!({"filters": 16, "kernel_size": 3, "padding": "same", "activation": "relu"})),
        ("Conv1D", vec![20, 3], json!({"filters": 4, "kernel_size": 5, "strides": 2, "padding": "causal"})),
        (
            "Conv1D",
            vec![20, 4],
            json!({"filters": 4, "kernel_size": 3, "groups": 2, "padding": "same", "dilation_rate": 3}),
        ),
        ("DepthwiseConv2D", vec![8, 7, 3], json!({"kernel_size": 3, "padding": "same"})),
        (
            "DepthwiseConv2D",
            vec![8, 7, 3],
            json!({"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "activation": "relu"}),
        ),
        (
            "SeparableConv2D",
            vec![8, 7, 3],
            json!({"filters": 6, "kernel_size": 3, "padding": "same", "activation": "relu"}),
        ),
        ("SeparableConv2D", vec![8, 7, 3], json!({"filters": 5, "kernel_size": 3, "depth_multiplier": 2})),
        ("Conv2DTranspose", vec![5, 4, 3], json!({"filters": 4, "kernel_size": 3})),
        (
            "Conv2DTranspose",
            vec![5, 4, 3],
            json!({"filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"}),
        ),
        ("Conv2DTranspose", vec![5, 4, 3], json!({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"})),
        (
            "Conv2DTranspose",
            vec![5, 4, 3],
            json!({"filters": 2, "kernel_size": [2, 4], "strides": 3, "output_padding": [1, 0]}),
        ),
        ("Conv2DTranspose", vec![5, 4, 3], json!({"filters": 2, "kernel_size": 3, "dilation_rate": 2})),
        ("Conv2DTranspose", vec![6, 5, 16], json!({"filters": 19, "kernel_size": 3, "padding": "same"})),
        ("Conv2DTranspose", vec![6, 5, 18], json!({"filters": 16, "kernel_size": 3})),
        ("MaxPooling2D", vec![7, 8, 3], json!({"pool_size": 2})),
        ("MaxPooling2D", vec![7, 8, 3], json!({"pool_size": [3, 2], "strides": [1, 2], "padding": "same"})),
        ("AveragePooling2D", vec![7, 8, 3], json!({"pool_size": 3, "strides": 2, "padding": "same"})),
        ("MaxPooling1D", vec![9, 4], json!({"pool_size": 3})),
        ("AveragePooling1D", vec![9, 4], json!({"pool_size": 2, "padding": "same"})),
        ("GlobalMaxPooling2D", vec![5, 6, 3], json!({})),
        ("GlobalAveragePooling2D", vec![5, 6, 3], json!({"keepdims": true})),
        ("GlobalMaxPooling1D", vec![5, 3], json!({})),
        ("GlobalAveragePooling1D", vec![5, 3], json!({})),
        ("BatchNormalization", vec![4, 5, 3], json!({})),
        ("BatchNormalization", vec![4, 5, 3], json!({"axis": 1, "center": false})),
        ("BatchNormalization", vec![4, 5, 3], json!({"axis": 2, "scale": false})),
        ("LayerNormalization", vec![4, 5, 13], json!({})),
        ("LayerNormalization", vec![4, 5, 3], json!({"axis": 1, "scale": false})),
        ("LayerNormalization", vec![4, 5, 3], json!({"axis": [2, 3], "center": false})),
        ("GroupNormalization", vec![4, 5, 6], json!({"groups": 2})),
        ("GroupNormalization", vec![4, 6, 5], json!({"groups": -1, "axis": 2})),
        ("GroupNormalization", vec![4, 6, 30], json!({"groups": 3})),
        ("Normalization", vec![4, 3], json!({"axis": -1, "mean": [0.1, 0.2, 0.3], "variance": [1.0, 0.0, 2.5]})),
        ("Normalization", vec![4, 3], json!({"axis": null, "mean": 0.3, "variance": 2.0, "invert": true})),
        ("Rescaling", vec![3, 4], json!({"scale": 0.0039, "offset": -0.5})),
        ("Softmax", vec![3, 5], json!({})),
        ("Softmax", vec![3, 5, 2], json!({"axis": 2})),
        ("ReLU", vec![50], json!({})),
        ("ReLU", vec![50], json!({"max_value": 0.7, "negative_slope": 0.1, "threshold": 0.2})),
        ("ReLU", vec![50], json!({"negative_slope": 0.1})),
        ("LeakyReLU", vec![50], json!({"negative_slope": 0.25})),
        ("ELU", vec![50], json!({"alpha": 1.3})),
        ("PReLU", vec![4, 5, 3], json!({"shared_axes": [1, 2]})),
        ("PReLU", vec![4, 5, 3], json!({})),
        ("Permute", vec![4, 5, 3], json!({"dims": [3, 1, 2]})),
        ("Permute", vec![4, 5, 3], json!({"dims": [2, 1, 3]})),
        ("UpSampling2D", vec![4, 5, 3], json!({"size": [2, 3]})),
        ("UpSampling2D", vec![4, 5, 3], json!({"size": 3, "interpolation": "bilinear"})),
        ("ZeroPadding2D", vec![4, 5, 3], json!({"padding": [[1, 2], [3, 0]]})),
        ("Cropping2D", vec![6, 7, 3], json!({"cropping": [[1, 2], [3, 0]]})),
        ("Flatten", vec![4, 5, 3], json!({})),
    ]
}

/// A network for each layer and activation, and for combinations of layers.
pub fn each_layer() -> Vec<(String, Model)> {
    let one = |(class, shape, config): (&str, Vec<usize>, Value)| {
        (format!("{class} {config}"), Net::new(&shape).then(class, config).model())
    };
    let activation = |name: &str| {
        let net =
            Net::new(&[3, 40]).then("Rescaling", json!({"scale": 3.0})).then("Activation", json!({"activation": name}));
        (format!("Activation {name}"), net.model())
    };
    let mut all: Vec<(String, Model)> = alone().into_iter().map(one).collect();
    all.extend(ACTIVATIONS.iter().map(|name| activation(name)));
    all.extend(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"].map(merged));
    all.push(("folded".into(), folded()));
    all.push(("twice".into(), twice()));
    all.push(("concatenated".into(), concatenated()));
    all
}

/// Two branches of different shapes, merged and followed by relu.
fn merged(class: &str) -> (String, Model) {
    let mut net = Net::new(&[4, 5, 3]);
    let a = net.on("Conv2D", json!({"filters": 6, "kernel_size": 1}), &[net.input]);
    let b = net.on("GlobalAveragePooling2D", json!({}), &[a]);
    let b = net.on("Dense", json!({"units": 6}), &[b]);
    let inputs = if class == "Subtract" { vec![b, a] } else { vec![a, b, a] };
    net.at = net.on(class, json!({}), &inputs);
    (class.to_string(), net.then("Activation", json!({"activation": "relu"})).model())
}

/// Normalizations that are folded into the layer before them.
fn folded() -> Model {
    Net::new(&[10, 10, 2])
        .then("Conv2D", json!({"filters": 16, "kernel_size": 3, "use_bias": false}))
        .then("BatchNormalization", json!({}))
        .then("Activation", json!({"activation": "relu"}))
        .then("Conv2D", json!({"filters": 16, "kernel_size": 3, "padding": "same"}))
        .then("BatchNormalization", json!({"scale": false}))
        .then("DepthwiseConv2D", json!({"kernel_size": 3}))
        .then("BatchNormalization", json!({"center": false}))
        .then("Activation", json!({"activation": "relu"}))
        .then("Flatten", json!({}))
        .then("Dense", json!({"units": 9}))
        .then("BatchNormalization", json!({}))
        .then("Activation", json!({"activation": "softmax"}))
        .model()
}

/// A layer that is called twice.
fn twice() -> Model {
    let mut net = Net::new(&[6]);
    let a = net.on("Dense", json!({"units": 6, "activation": "tanh"}), &[net.input]);
    let b = net.graph.call_again(a, &[a]).unwrap();
    net.at = net.on("Add", json!({}), &[a, b]);
    net.model()
}

fn concatenated() -> Model {
    let mut net = Net::new(&[4, 5, 3]);
    let a = net.on("Conv2D", json!({"filters": 2, "kernel_size": 1}), &[net.input]);
    let b = net.on("Concatenate", json!({"axis": -1}), &[net.input, a, net.input]);
    net.at = net.on("Concatenate", json!({"axis": 1}), &[b, b]);
    net.model()
}

/// Whether a network of [`each_layer`] has kernels into which nothing is folded.
pub fn has_only_own_weights(name: &str) -> bool {
    ["Dense", "Conv", "DepthwiseConv", "SeparableConv", "twice"].iter().any(|start| name.starts_with(start))
}

/// The axes of a kernel that index its output channels.
pub fn output_axis(network: &str, weight: &str, shape: &[usize]) -> std::ops::Range<usize> {
    let rank = shape.len();
    match network {
        _ if weight.ends_with("depthwise_kernel") || network.starts_with("Depthwise") => rank - 2..rank,
        _ if network.starts_with("Conv2DTranspose") => rank - 2..rank - 1,
        _ => rank - 1..rank,
    }
}

/// Small versions of well-known networks.
pub fn known() -> Vec<(String, Model)> {
    vec![
        ("convnet".into(), convnet()),
        ("lenet".into(), lenet()),
        ("dense".into(), dense()),
        ("resnet".into(), resnet()),
        ("mobilenet".into(), mobilenet()),
        ("autoencoder".into(), autoencoder()),
    ]
}

fn convnet() -> Model {
    Net::new(&[28, 28, 1])
        .then("Conv2D", json!({"filters": 32, "kernel_size": 3, "activation": "relu"}))
        .then("MaxPooling2D", json!({"pool_size": 2}))
        .then("Conv2D", json!({"filters": 64, "kernel_size": 3, "activation": "relu"}))
        .then("MaxPooling2D", json!({"pool_size": 2}))
        .then("Flatten", json!({}))
        .then("Dropout", json!({"rate": 0.5}))
        .then("Dense", json!({"units": 10, "activation": "softmax"}))
        .model()
}

fn lenet() -> Model {
    Net::new(&[28, 28, 1])
        .then("Conv2D", json!({"filters": 6, "kernel_size": 5, "padding": "same", "activation": "tanh"}))
        .then("AveragePooling2D", json!({"pool_size": 2}))
        .then("Conv2D", json!({"filters": 16, "kernel_size": 5, "activation": "tanh"}))
        .then("AveragePooling2D", json!({"pool_size": 2}))
        .then("Flatten", json!({}))
        .then("Dense", json!({"units": 120, "activation": "tanh"}))
        .then("Dense", json!({"units": 84, "activation": "tanh"}))
        .then("Dense", json!({"units": 10, "activation": "softmax"}))
        .model()
}

fn dense() -> Model {
    Net::new(&[28, 28, 1])
        .then("Flatten", json!({}))
        .then("Dense", json!({"units": 128, "activation": "relu"}))
        .then("Dropout", json!({"rate": 0.2}))
        .then("Dense", json!({"units": 10, "activation": "softmax"}))
        .model()
}

fn resnet() -> Model {
    let mut net = Net::new(&[16, 16, 1]);
    let normalized = |net: &mut Net, x: Tensor, filters: usize, size: usize, strides: usize| {
        let config =
            json!({"filters": filters, "kernel_size": size, "strides": strides, "padding": "same", "use_bias": false});
        let y = net.on("Conv2D", config, &[x]);
        net.on("BatchNormalization", json!({}), &[y])
    };
    let relu = |net: &mut Net, x: Tensor| net.on("Activation", json!({"activation": "relu"}), &[x]);
    let input = net.input;
    let mut x = normalized(&mut net, input, 16, 3, 1);
    x = relu(&mut net, x);
    for (filters, strides) in [(16, 1), (24, 2)] {
        let y = normalized(&mut net, x, filters, 3, strides);
        let y = relu(&mut net, y);
        let y = normalized(&mut net, y, filters, 3, 1);
        let shortcut = if strides == 1 { x } else { normalized(&mut net, x, filters, 1, strides) };
        let sum = net.on("Add", json!({}), &[y, shortcut]);
        x = relu(&mut net, sum);
    }
    net.at = net.on("GlobalAveragePooling2D", json!({}), &[x]);
    net.then("Dense", json!({"units": 10, "activation": "softmax"})).model()
}

fn mobilenet() -> Model {
    let mut net = Net::new(&[20, 20, 1])
        .then("Conv2D", json!({"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": false}))
        .then("BatchNormalization", json!({}))
        .then("ReLU", json!({"max_value": 6.0}));
    for (filters, strides) in [(16, 1), (24, 2)] {
        net = net
            .then(
                "DepthwiseConv2D",
                json!({"kernel_size": 3, "strides": strides, "padding": "same", "use_bias": false}),
            )
            .then("BatchNormalization", json!({}))
            .then("ReLU", json!({"max_value": 6.0}))
            .then("Conv2D", json!({"filters": filters, "kernel_size": 1, "use_bias": false}))
            .then("BatchNormalization", json!({}))
            .then("ReLU", json!({}));
    }
    net.then("GlobalAveragePooling2D", json!({})).then("Dense", json!({"units": 10, "activation": "softmax"})).model()
}

fn autoencoder() -> Model {
    Net::new(&[12, 12, 1])
        .then("Conv2D", json!({"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}))
        .then(
            "Conv2DTranspose",
            json!({"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "gelu"}),
        )
        .then("Conv2D", json!({"filters": 1, "kernel_size": 3, "padding": "same", "activation": "sigmoid"}))
        .model()
}

/// A random network: those of eight random layers that fit, occasionally with a residual branch.
pub fn random(random: &mut Random) -> (String, Model) {
    let shape = match random.below(4) {
        0 => vec![1 + random.below(700)],
        1 => vec![2 + random.below(12), 1 + random.below(9)],
        _ => vec![3 + random.below(12), 3 + random.below(12), random.pick(&[1, 2, 3, 16, 20])],
    };
    let mut graph = Graph::new();
    let input = graph.input(&shape).unwrap();
    let (mut at, mut text) = (input, format!("{shape:?}"));
    for _ in 0..8 {
        let (class, config) = drawn(random);
        let Ok(next) = layer(&mut graph, class, &config, &[at]) else { continue };
        if graph.shape(next).unwrap().len() > 6000 {
            continue;
        }
        text = format!("{text} {class} {config}");
        at = match random.below(5) {
            0 => {
                let class = random.pick(&["Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]);
                text = format!("{text} {class} of this and what is below");
                layer(&mut graph, class, &json!({}), &[next, at]).unwrap_or(next)
            }
            _ => next,
        };
    }
    let at = if at == input { graph.flatten(at).unwrap() } else { at };
    (text, Model::new(&graph, input, at, "random").unwrap())
}

fn drawn(random: &mut Random) -> (&'static str, Value) {
    let activation = match random.below(3) {
        0 => "linear",
        1 => "relu",
        _ => random.pick(&ACTIVATIONS),
    };
    let padding = random.pick(&["valid", "same"]);
    let (filters, size, strides) = (random.pick(&[1, 3, 8, 16, 19]), 1 + random.below(4), 1 + random.below(2));
    let bias = random.below(2) == 0;
    match random.below(20) {
        0 | 1 => ("Dense", json!({"units": filters, "activation": activation, "use_bias": bias})),
        2 => (
            "Conv2D",
            json!({"filters": filters, "kernel_size": size, "strides": strides, "padding": padding, "activation": activation, "use_bias": bias}),
        ),
        3 => (
            "Conv2D",
            json!({"filters": random.pick(&[16, 18]), "kernel_size": 3, "padding": padding, "activation": activation, "use_bias": bias}),
        ),
        4 => (
            "Conv2D",
            json!({"filters": 2 * filters, "kernel_size": size, "dilation_rate": strides, "padding": padding, "groups": random.pick(&[1, 2]), "use_bias": bias}),
        ),
        5 => (
            "DepthwiseConv2D",
            json!({"kernel_size": size, "strides": strides, "depth_multiplier": random.pick(&[1, 2]), "padding": padding, "activation": activation}),
        ),
        6 => (
            "SeparableConv2D",
            json!({"filters": filters, "kernel_size": size, "padding": padding, "activation": activation}),
        ),
        7 => (
            "Conv2DTranspose",
            json!({"filters": filters, "kernel_size": size, "strides": strides, "padding": padding, "activation": activation}),
        ),
        8 => (
            "Conv1D",
            json!({"filters": filters, "kernel_size": size, "strides": strides, "padding": random.pick(&["valid", "same", "causal"]), "activation": activation}),
        ),
        9 => (
            random.pick(&["MaxPooling2D", "AveragePooling2D"]),
            json!({"pool_size": size, "strides": strides, "padding": padding}),
        ),
        10 => (
            random.pick(&["MaxPooling1D", "AveragePooling1D"]),
            json!({"pool_size": size, "strides": strides, "padding": padding}),
        ),
        11 | 12 => ("BatchNormalization", json!({"center": bias})),
        13 => ("LayerNormalization", json!({"axis": random.pick(&[-1, 1]), "scale": bias})),
        14 => ("GroupNormalization", json!({"groups": random.pick(&[1, 2, -1])})),
        15 => ("Activation", json!({"activation": activation})),
        16 => ("UpSampling2D", json!({"size": strides, "interpolation": random.pick(&["nearest", "bilinear"])})),
        17 => ("ZeroPadding2D", json!({"padding": size})),
        18 => ("Permute", json!({"dims": [3, 1, 2]})),
        _ => (random.pick(&["Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling1D"]), json!({})),
    }
}
