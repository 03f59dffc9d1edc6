//! Weights from PyTorch: the modules for the model's layers, and the order of their inputs' elements.
//!
//! In PyTorch the channels come first. For a kernel this is only another order of axes ([`MODULES`]); but where an
//! image `[H, W, C]` is flattened, the features come in another order too, `C, H, W`, and so do the rows of the
//! following dense layer's kernel and all weights with one value per feature. So the graph is walked, and for each call
//! the order of its output in PyTorch is determined ([`Order`]).

mod order;

use super::Model;
use crate::error::{At, Error, Result};
use crate::files::Content;
use crate::graph::Architecture;
use crate::memory::{Buffer, filled};
use crate::weights::TensorFile;
use crate::weights::pytorch::{Axes, Module, Part, Places, by_map, by_shape};
use order::{Order, Orders};
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
mod tests;
