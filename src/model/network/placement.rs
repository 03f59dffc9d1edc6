//! A step that several ranks share: which samples of each value this rank has, and which part of each op it computes.
//!
//! A rank takes its own samples through the layers. Before a layer that needs the other ranks' samples, it receives these;
//! from then on it has the whole value, and everything that is computed from it. A layer that adds over the batch receives
//! the other ranks' sums itself.
//!
//! ```text
//!   conv2d   own samples; backward, the sums of the groups are exchanged
//!   dense    large: all samples with own parts of the weights; x, the parts' sums and the gradient to x are exchanged
//!   dense_1  small: all of it on every rank
//! ```

use super::{Network, placed};
use crate::error::{At, Result};
use crate::layers::Sharing;
use crate::machines::{Ranks, Share, Split};
use crate::memory::Buffer;
use std::ops::Range;

/// A layer of fewer weights is not divided: the exchanges would cost more than the gradient's.
const LARGE: usize = 1 << 16;

/// Which samples of each value, and which part of each op.
pub struct Placement {
    batch: usize,
    own: Range<usize>,
    parts: Vec<Part>,
    /// Whether this rank has all samples of a value, and of its gradient, or its own alone.
    values: Vec<bool>,
    gradients: Vec<bool>,
    /// For each op whose weights are divided among the ranks, the number of parts and the numbers in each.
    divided: Vec<Option<(usize, usize)>>,
}

/// The part of an op that this rank computes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it, as all ranks do.
    All,
    /// That of its own samples.
    Samples,
    /// That of its own parts of the weights.
    Weights,
}

impl Placement {
    pub fn new(values: usize, ops: usize) -> Self {
        Placement {
            batch: 0,
            own: 0..0,
            parts: vec![Part::All; ops],
            values: vec![true; values],
            gradients: vec![true; values],
            divided: vec![None; ops],
        }
    }

    /// Called before the forward pass of `batch` samples.
    pub fn begin(&mut self, batch: usize, share: Share<'_>) {
        let split = split_of(share);
        (self.batch, self.own) = (batch, split.map_or(0..batch, |split| split.own()));
        self.parts.fill(Part::All);
        self.values.fill(split.is_none());
        self.gradients.fill(split.is_none());
        self.values[0] = true; // every rank has the whole batch
    }

    /// Called before the backward pass: every rank has the whole gradient with respect to the output.
    pub fn begin_backward(&mut self, output: usize) {
        self.gradients[output] = true;
    }

    /// The samples that an op gets, and its share of the batch.
    pub fn of<'s>(&self, op: usize, share: Share<'s>) -> (Range<usize>, Share<'s>) {
        match (self.parts[op], split_of(share)) {
            (Part::Samples, Some(_)) => (self.own.clone(), share),
            (Part::Weights, Some(split)) => (0..self.batch, Share::Parts(split.ranks())),
            _ => (0..self.batch, Share::All),
        }
    }

    /// Called when an op has computed its gradient to a value, as the first of its consumers or not. Returns the samples
    /// for which all consumers so far have computed theirs.
    pub fn add_gradient(&mut self, value: usize, first: bool, op: usize) -> Range<usize> {
        let whole = self.parts[op] != Part::Samples;
        self.gradients[value] = whole && (first || self.gradients[value]);
        self.of_gradient(value)
    }

    /// The samples for which this rank has the gradient to a value.
    pub fn of_gradient(&self, value: usize) -> Range<usize> {
        if self.gradients[value] { 0..self.batch } else { self.own.clone() }
    }
}

/// The split of a batch, if several ranks share it.
fn split_of(share: Share<'_>) -> Option<Split<'_>> {
    match share {
        Share::Samples(split) => Some(split),
        Share::All | Share::Parts(_) => None,
    }
}

impl Network {
    /// Finds the ops whose weights are divided if several ranks share a step, which the optimizer `fused` or not.
    pub(super) fn find_divided(&mut self, fused: bool) {
        for (worker, divided) in self.works.iter().zip(&mut self.placement.divided) {
            let first = self.parameters[worker.parameters.clone()].first();
            let own = first.is_some_and(|first| first.trainable && first.uses == 1 && !first.is_stored(fused));
            *divided = match worker.work.sharing() {
                Sharing::Forward { parts, len } if own && parts > 1 && parts * len >= LARGE => Some((parts, len)),
                _ => None,
            };
        }
    }

    /// Decides which part of an op this rank computes, and receives the other samples of its inputs if it needs them.
    pub(super) fn prepare_forward(&mut self, op: usize, share: Share<'_>) -> Result<()> {
        if split_of(share).is_none() {
            return Ok(());
        }
        let (inputs, output) = (self.plan.ops[op].inputs.clone(), self.plan.ops[op].output);
        // Every rank has the whole batch (value 0), but to compute all of the first layer on each would gain nothing.
        let whole = inputs.iter().all(|&input| input != 0 && self.placement.values[input]);
        let worker = &self.works[op];
        let part = match worker.work.sharing() {
            _ if self.placement.divided[op].is_some() => Part::Weights,
            Sharing::Nothing => Part::All,
            Sharing::Samples if whole && worker.parameters.is_empty() => Part::All,
            Sharing::Forward { .. } if whole => Part::All,
            Sharing::Samples | Sharing::Forward { .. } => Part::Samples,
        };
        if part != Part::Samples {
            inputs.into_iter().try_for_each(|input| self.complete_value(input, share))?;
        }
        self.placement.parts[op] = part;
        self.placement.values[output] = part != Part::Samples;
        Ok(())
    }

    /// The same for the backward pass, and receives the other samples of the gradient.
    pub(super) fn prepare_backward(&mut self, op: usize, share: Share<'_>) -> Result<()> {
        let Some(split) = split_of(share) else { return Ok(()) };
        if let (Sharing::Forward { .. }, Part::Samples) = (self.works[op].work.sharing(), self.placement.parts[op]) {
            for input in self.plan.ops[op].inputs.clone() {
                self.complete_value(input, share)?;
            }
            self.placement.parts[op] = Part::All;
        }
        let output = self.plan.ops[op].output;
        if self.placement.parts[op] == Part::Samples || self.placement.gradients[output] {
            return Ok(());
        }
        let memory = self.held[output];
        receive(split, &mut self.gradients[memory.gradients], memory.len)
            .at(format_args!("layer {}", self.works[op].name))?;
        self.placement.gradients[output] = true;
        Ok(())
    }

    /// Receives the other ranks' samples of a value.
    pub(super) fn complete_value(&mut self, value: usize, share: Share<'_>) -> Result<()> {
        let Some(split) = split_of(share).filter(|_| !self.placement.values[value]) else { return Ok(()) };
        let (memory, maker) = (self.held[value], self.plan.values[value].maker);
        let name = maker.map_or("", |maker| &self.works[maker].name);
        receive(split, &mut self.values[memory.values], memory.len).at(format_args!("layer {name}"))?;
        self.placement.values[value] = true;
        Ok(())
    }

    /// Whether several ranks divide the weights of a layer.
    pub fn divides_weights(&self) -> bool {
        self.placement.divided.iter().any(Option::is_some)
    }

    /// Receives the other ranks' parts of the divided weights, or of their moments. `all` has the layout of the parameters.
    pub fn gather_divided(&self, ranks: &dyn Ranks, all: &mut [f32]) -> Result<()> {
        for (worker, divided) in self.works.iter().zip(&self.placement.divided) {
            let Some((parts, len)) = *divided else { continue };
            let kernel = &mut all[self.parameters[worker.parameters.start].range.clone()];
            let end = kernel.len();
            ranks
                .gather(kernel, &|rank| {
                    let part = ranks.part(rank, parts);
                    (part.start * len).min(end)..(part.end * len).min(end)
                })
                .at(format_args!("layer {}", worker.name))?;
        }
        Ok(())
    }
}

/// Receives the other ranks' samples, of `len` numbers each.
fn receive(split: Split<'_>, all: &mut Buffer, len: usize) -> Result<()> {
    split.ranks().gather_sparse(&mut all[..split.batch() * len], &|rank| placed(&split.of(rank), len))
}
