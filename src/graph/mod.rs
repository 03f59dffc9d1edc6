//! The description of a network: layers called on symbolic tensors, as in Keras's functional API.
//!
//! Nothing is computed here. A [`Graph`] holds layers and their calls; a model is made from the [`Architecture`]
//! between an input and an output: any graph without a cycle, in which a layer may be called more than once.

mod architecture;
pub mod keras;
pub(crate) mod names;
mod shape;
pub mod summary;

pub use architecture::{Architecture, Call};
pub use shape::{Shape, check_parameter};

use crate::error::{At, Error, ErrorKind, Result};
use crate::layers::{Activation, Arity, Conv2d, Dense, Flatten, Input, Layer, Parameter};
use std::sync::Arc;

/// A symbolic tensor: the output of a layer's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor(usize);

/// A layer of a network.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// Its name, `conv2d_1`.
    pub name: String,
    /// What it is.
    pub layer: Arc<dyn Layer>,
    /// Whether it is trainable at first.
    pub trainable: bool,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

impl LayerSpec {
    /// The number of its parameters.
    pub fn count_params(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum()
    }
}

/// Layers, each called on the outputs of earlier calls.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    layers: Vec<LayerSpec>,
    calls: Vec<Call>,
    names: names::Names,
    seed: u64,
}

/// The most calls of layers in a graph.
pub const MOST_CALLS: usize = 10_000;

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

    /// `Input`: samples of that shape, `[height, width, channels]`, `[steps, channels]` or `[features]`.
    pub fn input(&mut self, dims: &[usize]) -> Result<Tensor> {
        let layer = Input::new(dims).at(format_args!("layer {}", self.names.next("input", 1)))?;
        self.add(Arc::new(layer), None, true, &[])
    }

    /// `Conv2D` with a kernel of `kernel_size` x `kernel_size`, stride 1, no padding: `[H, W, C]` to
    /// `[H - kernel_size + 1, W - kernel_size + 1, filters]`.
    pub fn conv2d(&mut self, x: Tensor, filters: usize, kernel_size: usize, activation: Activation) -> Result<Tensor> {
        self.add(Arc::new(Conv2d::new(filters, kernel_size, activation)), None, true, &[x])
    }

    /// `Flatten`: `[H, W, C]` to `[H * W * C]`.
    pub fn flatten(&mut self, x: Tensor) -> Result<Tensor> {
        self.add(Arc::new(Flatten), None, true, &[x])
    }

    /// `Dense`: `[..., inputs]` to `[..., units]`.
    pub fn dense(&mut self, x: Tensor, units: usize, activation: Activation) -> Result<Tensor> {
        self.add(Arc::new(Dense::new(units, activation)), None, true, &[x])
    }

    /// A new layer, called on `inputs`. Without a name it gets Keras's: `conv2d`, `conv2d_1`, ... A call that fails leaves
    /// the graph as it was.
    pub fn add(
        &mut self,
        layer: Arc<dyn Layer>,
        name: Option<&str>,
        trainable: bool,
        inputs: &[Tensor],
    ) -> Result<Tensor> {
        let name = match name {
            Some(name) => self.names.check(name)?.to_string(),
            None if layer.class() == "InputLayer" => self.names.next("input", 1),
            None => self.names.next(&names::snake_case(layer.class()), 0),
        };
        let spec = LayerSpec { name, layer, trainable, parameters: Vec::new() };
        let (output, parameters) = self.infer(&spec, inputs).at(format_args!("layer {}", spec.name))?;
        self.names.take(&spec.name);
        self.layers.push(LayerSpec { parameters, ..spec });
        Ok(self.push(self.layers.len() - 1, inputs, output))
    }

    /// Another call of the layer that computed `first`.
    pub fn call_again(&mut self, first: Tensor, inputs: &[Tensor]) -> Result<Tensor> {
        let index = self.call(first)?.layer;
        let spec = &self.layers[index];
        let at = format!("layer {}", spec.name);
        let (output, parameters) = self.infer(spec, inputs).at(&at)?;
        let shapes = |parameters: &[Parameter]| parameters.iter().map(|p| p.shape.clone()).collect::<Vec<_>>();
        if shapes(&parameters) != shapes(&spec.parameters) {
            return Err(Error::new(ErrorKind::Shape, "a shared layer needs other weights for another input")
                .expected(format_args!("{:?}", shapes(&spec.parameters)))
                .found(format_args!("{:?}", shapes(&parameters)))
                .at(at));
        }
        Ok(self.push(index, inputs, output))
    }

    /// A layer's output shape for `inputs`, and its parameters.
    fn infer(&self, spec: &LayerSpec, inputs: &[Tensor]) -> Result<(Shape, Vec<Parameter>)> {
        if self.calls.len() >= MOST_CALLS {
            return Err(
                Error::new(ErrorKind::Unsupported, "too many layers").expected(format_args!("at most {MOST_CALLS}"))
            );
        }
        let shapes = inputs.iter().map(|&x| self.call(x).map(|call| &call.output)).collect::<Result<Vec<_>>>()?;
        let output = spec.layer.output(&shapes)?;
        let parameters = spec.layer.parameters(&shapes);
        for parameter in &parameters {
            check_parameter(&parameter.shape)?;
        }
        Ok((output, parameters))
    }

    fn push(&mut self, layer: usize, inputs: &[Tensor], output: Shape) -> Tensor {
        self.calls.push(Call { layer, inputs: inputs.iter().map(|x| x.0).collect(), output });
        Tensor(self.calls.len() - 1)
    }

    fn call(&self, tensor: Tensor) -> Result<&Call> {
        self.calls
            .get(tensor.0)
            .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a tensor of another graph").at("argument `tensor`"))
    }

    /// The layer that computes a tensor.
    #[cfg(feature = "onnx")]
    pub(crate) fn layer_of(&self, tensor: Tensor) -> Result<&LayerSpec> {
        Ok(&self.layers[self.call(tensor)?.layer])
    }

    /// The shape of a tensor, without its batch.
    pub fn shape(&self, tensor: Tensor) -> Result<&Shape> {
        Ok(&self.call(tensor)?.output)
    }
}

/// An error unless a layer gets as many inputs as it takes.
pub fn check_arity(arity: Arity, inputs: usize) -> Result<()> {
    let (good, expected) = match arity {
        Arity::Zero => (inputs == 0, "none"),
        Arity::One => (inputs == 1, "one"),
        Arity::Many => (inputs >= 2, "two or more"),
    };
    match good {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidArgument, "wrong number of inputs").expected(expected).found(inputs)),
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
        let x = graph.input(&[28, 28, 1]).unwrap();
        let y = graph.conv2d(x, 32, 3, Activation::Relu).unwrap();
        let y = graph.conv2d(y, 64, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 128, Activation::Relu).unwrap();
        let y = graph.dense(y, 10, Activation::Softmax).unwrap();
        let all = graph.architecture(x, y).unwrap();
        let names: Vec<_> = all
            .calls
            .iter()
            .map(|call| {
                let layer = &all.layers[call.layer];
                (layer.name.as_str(), call.output.dims().to_vec(), layer.count_params())
            })
            .collect();
        let expected = [
            ("input_1", vec![28, 28, 1], 0),
            ("conv2d", vec![26, 26, 32], 320),
            ("conv2d_1", vec![24, 24, 64], 18_496),
            ("flatten", vec![36_864], 0),
            ("dense", vec![128], 4_718_720),
            ("dense_1", vec![10], 1_290),
        ];
        assert_eq!(names, expected);
        assert_eq!(all.layers[2].parameters[0].shape, [3, 3, 32, 64]);
    }

    #[test]
    fn what_does_not_fit_is_named_and_changes_nothing() {
        let mut graph = Graph::new();
        let x = graph.input(&[4, 6, 1]).unwrap();
        let large = message(graph.conv2d(x, 8, 5, Activation::Relu));
        assert_eq!(
            large,
            "layer conv2d: the kernel does not fit its input: expected a kernel_size from 1 to 4, found 5"
        );
        assert!(message(graph.conv2d(x, 8, 0, Activation::Relu)).contains("kernel_size"));
        assert!(message(graph.conv2d(x, 0, 3, Activation::Relu)).contains("a size is 0"));
        assert!(message(graph.conv2d(x, usize::MAX, 3, Activation::Relu)).contains("too many"));
        assert!(message(graph.input(&[0, 1, 1])).contains("layer input_2: a size is 0"));
        assert!(message(graph.input(&[1, 1, 1, 1])).contains("layer input_2: samples of a rank"));
        assert!(message(graph.input(&[1 << 40, 1 << 40, 1])).contains("too many elements"));
        let y = graph.flatten(x).unwrap();
        assert!(message(graph.conv2d(y, 2, 3, Activation::Linear)).contains("expected [height, width, channels]"));
        let y = graph.dense(y, 3, Activation::Softmax).unwrap();
        assert_eq!(graph.calls.len(), 3);
        let wide = graph.dense(x, 7, Activation::Linear).unwrap();
        assert_eq!(graph.shape(wide).unwrap().dims(), [4, 6, 7], "dense is over the last axis");
        assert!(graph.dense(y, 3, Activation::Softmax).is_ok(), "softmax may stand anywhere");
    }
}
