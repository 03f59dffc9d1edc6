//! What a network is: layers called on symbolic tensors, as in Keras's functional API.
//!
//! Nothing is computed here. A [`Graph`] holds descriptions ([`LayerSpec`]); a model is made of the chain of them that
//! leads from an input to an output.

mod config;
mod layer;
mod shape;
pub mod summary;

pub use config::{config, from_config};
pub use layer::{Activation, Initializer, LayerKind, LayerSpec, ParameterSpec};
pub use shape::Shape;

use crate::error::{Error, ErrorKind, Result};

/// A symbolic tensor: the output of a layer of the graph that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor(usize);

/// Layers, each called on the output of an earlier one.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Node {
    spec: LayerSpec,
    /// The layer whose output goes in; `None` for an input.
    below: Option<usize>,
}

impl Graph {
    /// A graph without layers, seed 0.
    pub fn new() -> Self {
        Graph::default()
    }

    /// The seed of the initial weights.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Sets the seed of the initial weights.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// `Input`: images `[height, width, channels]`.
    pub fn input(&mut self, height: usize, width: usize, channels: usize) -> Result<Tensor> {
        let name = self.name("input", 1);
        Ok(self.push(LayerSpec::input(name, &[height, width, channels])?, None))
    }

    /// `Conv2D` with a kernel of `kernel_size` x `kernel_size`, stride 1, no padding: `[H, W, C]` to
    /// `[H - kernel_size + 1, W - kernel_size + 1, filters]`.
    pub fn conv2d(&mut self, x: Tensor, filters: usize, kernel_size: usize, activation: Activation) -> Result<Tensor> {
        self.call("conv2d", LayerKind::Conv2d { filters, kernel_size, activation }, x)
    }

    /// `Flatten`: `[H, W, C]` to `[H * W * C]`.
    pub fn flatten(&mut self, x: Tensor) -> Result<Tensor> {
        self.call("flatten", LayerKind::Flatten, x)
    }

    /// `Dense`: `[inputs]` to `[units]`.
    pub fn dense(&mut self, x: Tensor, units: usize, activation: Activation) -> Result<Tensor> {
        self.call("dense", LayerKind::Dense { units, activation }, x)
    }

    /// The layers from `input`, which must be an `Input`, up to `output`, in order.
    pub fn chain(&self, input: Tensor, output: Tensor) -> Result<Vec<LayerSpec>> {
        let start = &self.node(input)?.spec;
        if start.kind != LayerKind::Input {
            return Err(Error::new(ErrorKind::InvalidArgument, "a model starts at an input layer")
                .expected("the result of an input call")
                .found(format_args!("layer {}", start.name))
                .at("argument `input`"));
        }
        let mut chain = vec![self.node(output)?.spec.clone()];
        let mut at = output.0;
        while let Some(below) = self.nodes[at].below {
            chain.push(self.nodes[below].spec.clone());
            at = below;
        }
        if at != input.0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "the output does not depend on the input")
                .expected(format_args!("layers on top of {}", start.name))
                .found(format_args!("{} on top of {}", chain[0].name, self.nodes[at].spec.name))
                .at("argument `output`"));
        }
        chain.reverse();
        Ok(chain)
    }

    /// Calls a layer on `x`. A call that fails leaves the graph as it was.
    fn call(&mut self, class: &str, kind: LayerKind, x: Tensor) -> Result<Tensor> {
        let below = self.node(x)?.spec.clone();
        let name = self.name(class, 0);
        Ok(self.push(LayerSpec::on_top_of(&below, name, kind)?, Some(x.0)))
    }

    fn push(&mut self, spec: LayerSpec, below: Option<usize>) -> Tensor {
        self.nodes.push(Node { spec, below });
        Tensor(self.nodes.len() - 1)
    }

    fn node(&self, tensor: Tensor) -> Result<&Node> {
        self.nodes
            .get(tensor.0)
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a tensor of another graph").at("argument `tensor`"))
    }

    /// Keras's name of the next layer of a class: `conv2d`, `conv2d_1`, ...; inputs count from one.
    fn name(&self, class: &str, first: usize) -> String {
        let is_input = class == "input";
        let same = |node: &&Node| match node.spec.kind {
            LayerKind::Input => is_input,
            LayerKind::Conv2d { .. } => class == "conv2d",
            LayerKind::Flatten => class == "flatten",
            LayerKind::Dense { .. } => class == "dense",
        };
        match self.nodes.iter().filter(same).count() + first {
            0 => class.to_string(),
            n => format!("{class}_{n}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<Tensor>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn names_and_shapes_are_keras_s() {
        let mut graph = Graph::new();
        let x = graph.input(28, 28, 1).unwrap();
        let y = graph.conv2d(x, 32, 3, Activation::Relu).unwrap();
        let y = graph.conv2d(y, 64, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 128, Activation::Relu).unwrap();
        let y = graph.dense(y, 10, Activation::Softmax).unwrap();
        let chain = graph.chain(x, y).unwrap();
        let names: Vec<_> =
            chain.iter().map(|l| (l.name.as_str(), l.output.dims().to_vec(), l.count_params())).collect();
        let expected = [
            ("input_1", vec![28, 28, 1], 0),
            ("conv2d", vec![26, 26, 32], 320),
            ("conv2d_1", vec![24, 24, 64], 18_496),
            ("flatten", vec![36_864], 0),
            ("dense", vec![128], 4_718_720),
            ("dense_1", vec![10], 1_290),
        ];
        assert_eq!(names, expected);
        let kernel = &chain[2].parameters()[0];
        assert_eq!(kernel.shape, [3, 3, 32, 64]);
        assert_eq!(kernel.initializer, Initializer::GlorotUniform { fan_in: 288, fan_out: 576 });
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        let mut graph = Graph::new();
        let x = graph.input(4, 6, 1).unwrap();
        let large = message(graph.conv2d(x, 8, 5, Activation::Relu));
        assert_eq!(
            large,
            "layer conv2d: the kernel does not fit its input: expected a kernel_size from 1 to 4, found 5"
        );
        assert!(message(graph.conv2d(x, 8, 0, Activation::Relu)).contains("kernel_size"));
        assert!(message(graph.conv2d(x, 0, 3, Activation::Relu)).contains("a size is 0"));
        assert!(message(graph.conv2d(x, usize::MAX, 3, Activation::Relu)).contains("too many weights"));
        assert!(message(graph.conv2d(x, 2, 3, Activation::Softmax)).contains("softmax on a convolution"));
        assert!(message(graph.dense(x, 2, Activation::Linear)).contains("flatten comes first"));
        assert!(message(graph.input(0, 1, 1)).contains("layer input_2: a size is 0"));
        assert!(message(graph.input(1 << 40, 1 << 40, 1)).contains("too many elements"));
        let y = graph.flatten(x).unwrap();
        assert!(message(graph.conv2d(y, 2, 3, Activation::Linear)).contains("expected [height, width, channels]"));
        let y = graph.dense(y, 3, Activation::Softmax).unwrap();
        let middle = message(graph.dense(y, 3, Activation::Softmax));
        assert!(
            middle.contains("softmax is for the last layer") && middle.contains("dense_1 on top of dense"),
            "{middle}"
        );
        assert_eq!(graph.nodes.len(), 3);
    }

    #[test]
    fn a_model_needs_a_road_from_input_to_output() {
        let mut graph = Graph::new();
        let (a, b) = (graph.input(2, 2, 1).unwrap(), graph.input(2, 2, 1).unwrap());
        let y = graph.flatten(b).unwrap();
        assert!(graph.chain(a, y).unwrap_err().to_string().contains("flatten on top of input_2"));
        assert!(graph.chain(y, y).unwrap_err().to_string().contains("found layer flatten"));
        assert_eq!(graph.chain(b, b).unwrap().len(), 1);
        assert_eq!(graph.chain(b, Tensor(9)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
