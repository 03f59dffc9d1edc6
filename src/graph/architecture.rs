//! The part of a graph between an input and an output, in an order that depends only on the graph.

use super::{Graph, LayerSpec, Shape, Tensor};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashMap;

/// A network: its layers, and their calls.
#[derive(Clone, Debug)]
pub struct Architecture {
    /// The layers in Keras's order: by descending distance to the output, then in the order of a walk from the output.
    pub layers: Vec<LayerSpec>,
    /// The calls, each after those whose outputs it takes; the first is the input's, the last gives the output.
    pub calls: Vec<Call>,
}

/// A call of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The layer's index.
    pub layer: usize,
    /// The calls whose outputs go in.
    pub inputs: Vec<usize>,
    /// The output shape.
    pub output: Shape,
}

impl Architecture {
    /// The shape of a sample.
    pub fn input(&self) -> &Shape {
        &self.calls[0].output
    }

    /// The output shape.
    pub fn output(&self) -> &Shape {
        &self.calls[self.calls.len() - 1].output
    }

    /// The layer that gives the output.
    pub fn last(&self) -> &LayerSpec {
        &self.layers[self.calls[self.calls.len() - 1].layer]
    }

    /// The index of the layer called `name`.
    pub fn layer(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.name == name)
    }

    /// The calls of a layer.
    pub fn calls_of(&self, layer: usize) -> impl Iterator<Item = (usize, &Call)> {
        self.calls.iter().enumerate().filter(move |(_, call)| call.layer == layer)
    }

    /// The part that leads to the first call of a layer.
    pub fn up_to(&self, layer: usize) -> Architecture {
        let last = self.calls_of(layer).next().map_or(0, |(index, _)| index);
        let mut wanted = vec![false; last + 1];
        wanted[last] = true;
        for i in (0..=last).rev() {
            if wanted[i] {
                self.calls[i].inputs.iter().for_each(|&input| wanted[input] = true);
            }
        }
        let mut index = vec![0; last + 1];
        let mut calls = Vec::new();
        for (i, call) in self.calls[..=last].iter().enumerate().filter(|(i, _)| wanted[*i]) {
            index[i] = calls.len();
            let inputs = call.inputs.iter().map(|&input| index[input]).collect();
            calls.push(Call { inputs, ..call.clone() });
        }
        Architecture { layers: self.layers.clone(), calls }
    }
}

impl Graph {
    /// The network from `input`, which must be an `Input`, to `output`.
    pub fn architecture(&self, input: Tensor, output: Tensor) -> Result<Architecture> {
        let name = |call: usize| &self.layers[self.calls[call].layer].name;
        let class = |call: usize| self.layers[self.calls[call].layer].layer.class();
        let (start, _) = (self.call(input)?, self.call(output)?);
        if self.layers[start.layer].layer.class() != "InputLayer" {
            return Err(Error::new(ErrorKind::InvalidArgument, "a model starts at an input layer")
                .expected("the result of an input call")
                .found(format_args!("layer {}", name(input.0)))
                .at("argument `input`"));
        }
        let walk = self.walk(output.0);
        if let Some(&other) = walk.calls.iter().find(|&&call| class(call) == "InputLayer" && call != input.0) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the output depends on another input")
                .expected(format_args!("layers on top of {}", name(input.0)))
                .found(format_args!("{} on top of {}", name(output.0), name(other)))
                .at("argument `output`"));
        }
        Ok(self.part(&walk))
    }

    /// The calls that `output` needs: their layers in the order of a depth-first walk, and the calls in topological
    /// order.
    fn walk(&self, output: usize) -> Walk {
        let mut walk = Walk { calls: Vec::new(), met: Vec::new() };
        let mut seen = vec![false; output + 1]; // inputs come before
        let mut open = vec![(output, 0)];
        seen[output] = true;
        walk.met.push(self.calls[output].layer);
        while let Some((call, next)) = open.pop() {
            let Some(&input) = self.calls[call].inputs.get(next) else {
                walk.calls.push(call);
                continue;
            };
            open.push((call, next + 1));
            if !std::mem::replace(&mut seen[input], true) {
                walk.met.push(self.calls[input].layer);
                open.push((input, 0));
            }
        }
        walk
    }

    /// The layers and calls of a walk, layers in Keras's order.
    fn part(&self, walk: &Walk) -> Architecture {
        // The distance of a layer from the output: that of its farthest call.
        let mut depth: HashMap<usize, usize> = HashMap::new();
        let mut layer_depth: HashMap<usize, usize> = HashMap::new();
        for &call in walk.calls.iter().rev() {
            let layer = self.calls[call].layer;
            let far = depth.get(&call).copied().unwrap_or(0).max(layer_depth.get(&layer).copied().unwrap_or(0));
            layer_depth.insert(layer, far);
            for &input in &self.calls[call].inputs {
                let deeper = depth.entry(input).or_default();
                *deeper = (*deeper).max(far + 1);
            }
        }
        let mut layers: Vec<usize> = Vec::new();
        let mut met = std::collections::HashSet::new();
        layers.extend(walk.met.iter().copied().filter(|&layer| met.insert(layer)));
        layers.sort_by_key(|layer| std::cmp::Reverse(layer_depth[layer])); // stable
        let layer_index: HashMap<usize, usize> = layers.iter().enumerate().map(|(i, &layer)| (layer, i)).collect();
        let call_index: HashMap<usize, usize> = walk.calls.iter().enumerate().map(|(i, &call)| (call, i)).collect();
        let call = |&call: &usize| {
            let Call { layer, inputs, output } = &self.calls[call];
            let inputs = inputs.iter().map(|input| call_index[input]).collect();
            Call { layer: layer_index[layer], inputs, output: output.clone() }
        };
        Architecture {
            calls: walk.calls.iter().map(call).collect(),
            layers: layers.into_iter().map(|layer| self.layers[layer].clone()).collect(),
        }
    }
}

struct Walk {
    /// Each after its inputs.
    calls: Vec<usize>,
    /// The layers in the order of the walk, some twice.
    met: Vec<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Activation;

    #[test]
    fn a_model_needs_a_road_from_input_to_output() {
        let mut graph = Graph::new();
        let (a, b) = (graph.input(&[2, 2, 1]).unwrap(), graph.input(&[2, 2, 1]).unwrap());
        let y = graph.flatten(b).unwrap();
        assert!(graph.architecture(a, y).unwrap_err().to_string().contains("flatten on top of input_2"));
        assert!(graph.architecture(y, y).unwrap_err().to_string().contains("found layer flatten"));
        assert_eq!(graph.architecture(b, b).unwrap().calls.len(), 1);
        assert_eq!(graph.architecture(b, Tensor(9)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_layer_may_be_called_twice() {
        let mut graph = Graph::new();
        let x = graph.input(&[4]).unwrap();
        let a = graph.dense(x, 4, Activation::Relu).unwrap();
        let b = graph.call_again(a, &[a]).unwrap();
        let y = graph.dense(b, 3, Activation::Softmax).unwrap();
        let all = graph.architecture(x, y).unwrap();
        assert_eq!((all.layers.len(), all.calls.len()), (3, 4));
        assert_eq!(all.calls_of(1).map(|(index, _)| index).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(all.up_to(1).calls.len(), 2);
        let wide = graph.input(&[5]).unwrap();
        assert!(graph.call_again(a, &[wide]).unwrap_err().to_string().contains("other weights"));
    }

    #[test]
    fn depth_does_not_fill_the_stack() {
        let mut graph = Graph::new();
        let x = graph.input(&[1]).unwrap();
        let mut y = x;
        for _ in 0..super::super::MOST_CALLS - 1 {
            y = graph.flatten(y).unwrap();
        }
        assert_eq!(graph.architecture(x, y).unwrap().calls.len(), super::super::MOST_CALLS);
        assert!(graph.flatten(y).unwrap_err().to_string().contains("too many layers"));
    }
}
