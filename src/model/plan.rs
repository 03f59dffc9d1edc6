//! How a network is computed: which layers do work, in what order, and which memory holds what.
//!
//! It is made from the graph alone, before anything is allocated. A *value* is the output of a step; a layer that only
//! changes the shape has none. What is fused is decided here: a relu into the layer below it that can end in one,
//! relu's gradient into the layers above that can leave zeros out, the activation at the end into the loss.
//!
//! Memory: in training all values are kept for the backward pass. In prediction, and for gradients, memory is reused
//! once its value is not needed any more ([`slots`]).

use crate::graph::{Architecture, Shape};
use crate::layers::{Activation, Layer, Role};

/// The purpose of a network.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// Whether it trains.
    pub training: bool,
    /// For each layer, whether it is trainable.
    pub trainable: &'a [bool],
    /// The activation to omit if the network ends in it, for example softmax.
    pub omitted: Option<Activation>,
}

/// A step of the network: a layer or an activation.
#[derive(Clone, Debug)]
pub struct Op {
    /// The call it belongs to.
    pub call: usize,
    /// An activation that it applies; `None`: the layer's own work.
    pub activation: Option<Activation>,
    /// Whether the layer ends in relu.
    pub relu: bool,
    /// The call of a normalization that is folded into the layer's weights.
    pub folded: Option<usize>,
    /// The values it takes.
    pub inputs: Vec<usize>,
    /// The value it gives.
    pub output: usize,
    /// Whether it has a backward pass: its own parameters are trainable, or some below it are.
    pub learns: bool,
}

/// The output of a step, or the network's input (the first value).
#[derive(Clone, Debug)]
pub struct Value {
    /// Its shape in the layer that computes it.
    pub shape: Shape,
    /// Whether it came out of a fused relu.
    pub gated: bool,
    /// Whether its zeros come from a fused relu or a dropout: then their gradients change nothing below.
    pub hollow: bool,
    /// The op that gives it; `None` for the input.
    pub maker: Option<usize>,
    /// The ops that take it, ascending.
    pub takers: Vec<usize>,
}

impl Value {
    /// Whether the gradient is not needed where it is 0: relu made it 0, or a layer after relu.
    pub fn has_relus_zeros(&self) -> bool {
        self.gated || self.hollow
    }
}

/// How a network is computed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The steps, in order.
    pub ops: Vec<Op>,
    /// The values.
    pub values: Vec<Value>,
    /// The output value.
    pub output: usize,
    /// The omitted activation.
    pub omitted: Option<Activation>,
}

impl Plan {
    /// The plan of a network.
    pub fn new(architecture: &Architecture, purpose: Purpose<'_>) -> Self {
        let mut plan = Plan { ops: Vec::new(), values: Vec::new(), output: 0, omitted: None };
        plan.values.push(Value {
            shape: architecture.input().clone(),
            gated: false,
            hollow: false,
            maker: None,
            takers: Vec::new(),
        });
        // For each call, how many others take its output, and its value.
        let mut uses = vec![0; architecture.calls.len()];
        architecture.calls.iter().flat_map(|call| &call.inputs).for_each(|&input| uses[input] += 1);
        let mut values = vec![0; architecture.calls.len()];
        for (index, call) in architecture.calls.iter().enumerate().skip(1) {
            let layer = &architecture.layers[call.layer].layer;
            let inputs: Vec<usize> = call.inputs.iter().map(|&input| values[input]).collect();
            // No other step takes the sums that the activation is applied to.
            let mut sole = true;
            let alone = call.inputs.len() == 1 && uses[call.inputs[0]] == 1;
            let mut value = match layer.is_view(purpose.training) {
                true => {
                    sole = alone;
                    inputs[0]
                }
                false if alone && !purpose.training && plan.fold(architecture, inputs[0], index) => inputs[0],
                false => {
                    let value = plan.push(index, None, inputs, &call.output);
                    plan.find_hollow(&**layer, value);
                    value
                }
            };
            let activation = layer.activation();
            if activation != Activation::Linear && !(sole && plan.fuse_relu(architecture, value, activation)) {
                value = plan.push(index, Some(activation), vec![value], &call.output);
            }
            values[index] = value;
        }
        plan.output = values[values.len() - 1];
        plan.leave_out(purpose.omitted);
        plan.find_takers();
        if purpose.training {
            plan.find_learners(architecture, purpose.trainable);
        }
        plan
    }

    fn push(&mut self, call: usize, activation: Option<Activation>, inputs: Vec<usize>, shape: &Shape) -> usize {
        let output = self.values.len();
        let maker = Some(self.ops.len());
        self.values.push(Value { shape: shape.clone(), gated: false, hollow: false, maker, takers: Vec::new() });
        self.ops.push(Op { call, activation, relu: false, folded: None, inputs, output, learns: false });
        output
    }

    /// Determines whether the zeros of `value` come from its layer's input.
    fn find_hollow(&mut self, layer: &dyn Layer, value: usize) {
        let maker = self.values[value].maker.map(|maker| &self.ops[maker].inputs[..]);
        let Some(&[input]) = maker else { return };
        self.values[value].hollow = layer.keeps_zeros() && self.values[input].has_relus_zeros();
    }

    /// Folds a normalization into the layer that computes `value`, if possible; nothing else takes `value`. The
    /// channels must be that layer's, which they are not if a view lies between (after a Flatten each feature is a
    /// channel).
    fn fold(&mut self, architecture: &Architecture, value: usize, normalization: usize) -> bool {
        let layer = |call: usize| &architecture.layers[architecture.calls[call].layer].layer;
        let shape = &architecture.calls[normalization].output;
        let channels = self.values[value].shape.dims().last();
        let normalizes = layer(normalization).normalizes(shape).is_some() && channels == shape.dims().last();
        let Some(maker) = self.values[value].maker.filter(|_| normalizes) else { return false };
        let op = &mut self.ops[maker];
        let free = op.activation.is_none() && !op.relu && op.folded.is_none() && layer(op.call).folds();
        if free {
            op.folded = Some(normalization);
        }
        free
    }

    /// Fuses relu into the layer that computes `value`, if possible; nothing else takes `value`.
    fn fuse_relu(&mut self, architecture: &Architecture, value: usize, activation: Activation) -> bool {
        let Some(maker) = self.values[value].maker.filter(|_| activation == Activation::Relu) else { return false };
        let op = &mut self.ops[maker];
        let layer = &architecture.layers[architecture.calls[op.call].layer].layer;
        let free = op.activation.is_none() && !op.relu && layer.fuses_relu();
        if free {
            op.relu = true;
            self.values[value].gated = true;
        }
        free
    }

    /// Omits that activation if it computes the output and nothing else.
    fn leave_out(&mut self, activation: Option<Activation>) {
        let last = self.ops.len().checked_sub(1).map(|last| &self.ops[last]);
        let ends = |op: &&Op| op.output == self.output && op.activation.is_some() && op.activation == activation;
        if let Some(op) = last.filter(ends) {
            (self.output, self.omitted) = (op.inputs[0], activation);
            self.ops.pop();
            self.values.pop();
        }
    }

    fn find_takers(&mut self) {
        for (index, op) in self.ops.iter().enumerate() {
            for &input in &op.inputs {
                let takers = &mut self.values[input].takers;
                if takers.last() != Some(&index) {
                    takers.push(index);
                }
            }
        }
    }

    fn find_learners(&mut self, architecture: &Architecture, trainable: &[bool]) {
        for index in 0..self.ops.len() {
            let op = &self.ops[index];
            let layer = architecture.calls[op.call].layer;
            let own = trainable[layer] && op.activation.is_none();
            let own = own && architecture.layers[layer].parameters.iter().any(|p| p.role == Role::Trainable);
            let learns = own || op.inputs.iter().any(|&input| self.wants_gradient(input));
            self.ops[index].learns = learns;
        }
    }

    /// Whether the gradient to a value is wanted.
    pub fn wants_gradient(&self, value: usize) -> bool {
        self.values[value].maker.is_some_and(|maker| self.ops[maker].learns)
    }

    /// The lifetime of each value in a forward pass; the output's lasts to the end.
    pub fn lifetimes(&self) -> Vec<Lifetime> {
        let life = |(index, value): (usize, &Value)| {
            let end = if index == self.output { self.ops.len() } else { value.takers.last().copied().unwrap_or(0) };
            // An input that is also the output is kept to the end.
            let start = value.maker.or((index == self.output).then_some(0));
            start.map(|start| Lifetime { start, end: end.max(start), len: value.shape.len() })
        };
        self.values.iter().enumerate().map(|all| life(all).unwrap_or_default()).collect()
    }

    /// The lifetimes of gradients in a backward pass; time counts ops from the last one on.
    pub fn gradient_lifetimes(&self) -> Vec<Lifetime> {
        let at = |op: usize| self.ops.len() - op;
        let life = |(index, value): (usize, &Value)| {
            let maker = value.maker.filter(|&maker| self.ops[maker].learns)?;
            let learning = value.takers.iter().rev().find(|&&taker| self.ops[taker].learns);
            let start = if index == self.output { 0 } else { learning.map_or(at(maker), |&taker| at(taker)) };
            Some(Lifetime { start, end: at(maker), len: value.shape.len() })
        };
        self.values.iter().enumerate().map(|all| life(all).unwrap_or_default()).collect()
    }
}

/// When memory is needed (both ends included), and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// The first time.
    pub start: usize,
    /// The last time.
    pub end: usize,
    /// How much; 0 for none.
    pub len: usize,
}

/// Assigns a buffer to each lifetime, and returns the buffers' lengths. Overlapping lifetimes get different buffers.
pub fn slots(lifetimes: &[Lifetime]) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..lifetimes.len()).filter(|&i| lifetimes[i].len > 0).collect();
    order.sort_by_key(|&i| (lifetimes[i].start, std::cmp::Reverse(lifetimes[i].len)));
    let (mut assigned, mut lens, mut free_after): (Vec<usize>, Vec<usize>, Vec<usize>) =
        (vec![usize::MAX; lifetimes.len()], Vec::new(), Vec::new());
    for life in order {
        let Lifetime { start, end, len } = lifetimes[life];
        // The free buffer that grows least; among equals the smallest.
        let free = (0..lens.len()).filter(|&slot| free_after[slot] < start);
        let best = free.min_by_key(|&slot: &usize| (len.saturating_sub(lens[slot]), lens[slot].saturating_sub(len)));
        let slot = best.unwrap_or_else(|| {
            lens.push(0);
            free_after.push(0);
            lens.len() - 1
        });
        lens[slot] = lens[slot].max(len);
        free_after[slot] = end;
        assigned[life] = slot;
    }
    (assigned, lens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    fn tutorial(purpose: Purpose<'_>) -> Plan {
        let mut graph = Graph::new();
        let x = graph.input(&[28, 28, 1]).unwrap();
        let y = graph.conv2d(x, 32, 3, Activation::Relu).unwrap();
        let y = graph.conv2d(y, 64, 3, Activation::Relu).unwrap();
        let y = graph.flatten(y).unwrap();
        let y = graph.dense(y, 128, Activation::Relu).unwrap();
        let y = graph.dense(y, 10, Activation::Softmax).unwrap();
        Plan::new(&graph.architecture(x, y).unwrap(), purpose)
    }

    #[test]
    fn the_tutorial_is_four_steps() {
        let plan = tutorial(Purpose { training: true, trainable: &[true; 6], omitted: Some(Activation::Softmax) });
        let ops: Vec<_> = plan.ops.iter().map(|op| (op.call, op.relu, op.learns)).collect();
        assert_eq!(ops, [(1, true, true), (2, true, true), (4, true, true), (5, false, true)]);
        assert_eq!((plan.omitted, plan.output), (Some(Activation::Softmax), 4));
        let gated: Vec<_> = plan.values.iter().map(|value| value.gated).collect();
        assert_eq!(gated, [false, true, true, true, false]);
        let whole = tutorial(Purpose { training: false, trainable: &[true; 6], omitted: None });
        assert_eq!((whole.ops.len(), whole.omitted), (5, None));
        let (_, lens) = slots(&whole.lifetimes());
        assert_eq!(lens, [26 * 26 * 32, 24 * 24 * 64], "two pieces of memory, in turn");
    }

    #[test]
    fn nothing_goes_back_below_what_is_frozen() {
        let frozen = [true, false, false, true, true, true];
        let plan = tutorial(Purpose { training: true, trainable: &frozen, omitted: Some(Activation::Softmax) });
        assert_eq!(plan.ops.iter().map(|op| op.learns).collect::<Vec<_>>(), [false, false, true, true]);
        let lens: Vec<_> = plan.gradient_lifetimes().iter().map(|life| life.len).collect();
        assert_eq!(lens, [0, 0, 0, 128, 10]);
    }

    #[test]
    fn a_normalization_of_flattened_features_is_not_folded_into_the_convolution() {
        use crate::json::{Named, Object};
        use crate::layers::{entry, read};
        let mut graph = Graph::new();
        let x = graph.input(&[4, 3, 2]).unwrap();
        let mut normalized = |flat: bool| {
            let mut y = graph.conv2d(x, 5, 2, Activation::Linear).unwrap();
            if flat {
                y = graph.flatten(y).unwrap();
            }
            let named = Named::of("BatchNormalization", Object::empty(""), String::new());
            let layer = read(entry(&named).unwrap(), &Object::empty("")).unwrap();
            let y = graph.add(layer, None, true, &[y]).unwrap();
            let purpose = Purpose { training: false, trainable: &[true; 4], omitted: None };
            Plan::new(&graph.architecture(x, y).unwrap(), purpose).ops.len()
        };
        assert_eq!((normalized(false), normalized(true)), (1, 2));
    }

    #[test]
    fn lives_that_overlap_get_different_memory() {
        let life = |start, end, len| Lifetime { start, end, len };
        let lifetimes = [life(0, 1, 5), life(1, 2, 3), life(2, 3, 4), life(0, 3, 9), life(0, 0, 0)];
        let (assigned, lens) = slots(&lifetimes);
        for (i, a) in lifetimes.iter().enumerate().filter(|(_, life)| life.len > 0) {
            assert!(lens[assigned[i]] >= a.len);
            for (j, b) in lifetimes.iter().enumerate().skip(i + 1).filter(|(_, life)| life.len > 0) {
                assert!(assigned[i] != assigned[j] || a.end < b.start || b.end < a.start, "{i} {j}");
            }
        }
        assert_eq!(lens.iter().sum::<usize>(), 17);
    }
}
