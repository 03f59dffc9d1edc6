//! A batch that several ranks share: which samples of a value are here, and who does what of an op.
//!
//! A rank takes its own samples through the layers. What a layer needs of the others' it gets before it begins; then the value
//! is here as a whole, and so is what is cheaply made of it. A layer with sums over the batch gets the others' sums by itself.
//!
//! ```text
//!   conv2d  own samples     backward: the groups' sums are exchanged
//!   dense   large: own parts of the weights, all samples; x is gathered, the parts' sums, and on the way back dx
//!   dense_1 small: all of it on every rank
//! ```

use super::{Network, placed};
use crate::error::{At, Result};
use crate::layers::Sharing;
use crate::machines::{Run, Share, Team};
use crate::memory::Buffer;
use std::ops::Range;

/// Weights of a layer that are worth being dealt out: what is exchanged instead grows with the layer's sides.
const DEALT: usize = 1 << 16;

/// What of a batch is where.
pub struct Extents {
    batch: usize,
    own: Range<usize>,
    ways: Vec<Way>,
    /// Of each value, and of its gradient, whether all of it is here, or the own samples.
    values: Vec<bool>,
    gradients: Vec<bool>,
    /// Of each op whose weights can be dealt out: parts, and numbers of each.
    dealable: Vec<Option<(usize, usize)>>,
}

/// What of an op is done here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    All,
    Samples,
    Parts,
}

impl Extents {
    pub fn new(values: usize, ops: usize) -> Self {
        Extents {
            batch: 0,
            own: 0..0,
            ways: vec![Way::All; ops],
            values: vec![true; values],
            gradients: vec![true; values],
            dealable: vec![None; ops],
        }
    }

    /// Before the pass forward of so many samples.
    pub fn begin(&mut self, batch: usize, share: Share<'_>) {
        let run = run_of(share);
        (self.batch, self.own) = (batch, run.map_or(0..batch, |run| run.own()));
        self.ways.fill(Way::All);
        self.values.fill(run.is_none());
        self.gradients.fill(run.is_none());
        self.values[0] = true; // the batch itself
    }

    /// At its end, where all of the output's gradient is known.
    pub fn turn(&mut self, output: usize) {
        self.gradients[output] = true;
    }

    /// The samples that an op is given, and its share of the batch.
    pub fn of<'s>(&self, op: usize, share: Share<'s>) -> (Range<usize>, Share<'s>) {
        match (self.ways[op], run_of(share)) {
            (Way::Samples, Some(_)) => (self.own.clone(), share),
            (Way::Parts, Some(run)) => (0..self.batch, Share::Parts(run.team())),
            _ => (0..self.batch, Share::All),
        }
    }

    /// Takes in that an op gives the gradient to a value, the first one to do so or not; gives for which samples all that have
    /// so far.
    pub fn lead(&mut self, value: usize, first: bool, op: usize) -> Range<usize> {
        let whole = self.ways[op] != Way::Samples;
        self.gradients[value] = whole && (first || self.gradients[value]);
        self.of_gradient(value)
    }

    /// The samples for which the gradient to a value is here.
    pub fn of_gradient(&self, value: usize) -> Range<usize> {
        if self.gradients[value] { 0..self.batch } else { self.own.clone() }
    }
}

/// The run of a batch that is shared.
fn run_of(share: Share<'_>) -> Option<Run<'_>> {
    match share {
        Share::Samples(run) => Some(run),
        Share::All | Share::Parts(_) => None,
    }
}

impl Network {
    /// Finds the ops whose weights can be dealt out when an optimizer's step is `fused` or not.
    pub(super) fn find_dealable(&mut self, fused: bool) {
        for (worker, dealable) in self.works.iter().zip(&mut self.extents.dealable) {
            let first = self.parameters[worker.parameters.clone()].first();
            let own = first.is_some_and(|first| first.trainable && first.uses == 1 && !first.is_stored(fused));
            *dealable = match worker.work.sharing() {
                Sharing::Forward { parts, len } if own && parts > 1 && parts * len >= DEALT => Some((parts, len)),
                _ => None,
            };
        }
    }

    /// Gets all that an op needs of the others' samples for its pass forward, and decides what of it is done here.
    pub(super) fn enter(&mut self, index: usize, share: Share<'_>) -> Result<()> {
        if run_of(share).is_none() {
            return Ok(());
        }
        let (inputs, output) = (self.plan.ops[index].inputs.clone(), self.plan.ops[index].output);
        // The batch itself is here as a whole, but nothing is gained by doing what the others do.
        let known = inputs.iter().all(|&input| input != 0 && self.extents.values[input]);
        let worker = &self.works[index];
        let way = match worker.work.sharing() {
            _ if self.extents.dealable[index].is_some() => Way::Parts,
            Sharing::Nothing => Way::All,
            Sharing::Samples if known && worker.parameters.is_empty() => Way::All,
            Sharing::Forward { .. } if known => Way::All,
            Sharing::Samples | Sharing::Forward { .. } => Way::Samples,
        };
        if way != Way::Samples {
            inputs.into_iter().try_for_each(|input| self.complete_value(input, share))?;
        }
        self.extents.ways[index] = way;
        self.extents.values[output] = way != Way::Samples;
        Ok(())
    }

    /// The same for its way back.
    pub(super) fn enter_back(&mut self, index: usize, share: Share<'_>) -> Result<()> {
        let Some(run) = run_of(share) else { return Ok(()) };
        let worker = &self.works[index];
        if let (Sharing::Forward { .. }, Way::Samples) = (worker.work.sharing(), self.extents.ways[index]) {
            for input in self.plan.ops[index].inputs.clone() {
                self.complete_value(input, share)?;
            }
            self.extents.ways[index] = Way::All;
        }
        let output = self.plan.ops[index].output;
        if self.extents.ways[index] == Way::Samples || self.extents.gradients[output] {
            return Ok(());
        }
        let at = self.held[output];
        complete(run, &mut self.gradients[at.gradients], at.len)
            .at(format_args!("layer {}", self.works[index].name))?;
        self.extents.gradients[output] = true;
        Ok(())
    }

    /// Gets the others' samples of a value.
    pub(super) fn complete_value(&mut self, value: usize, share: Share<'_>) -> Result<()> {
        let Some(run) = run_of(share).filter(|_| !self.extents.values[value]) else { return Ok(()) };
        let (at, maker) = (self.held[value], self.plan.values[value].maker);
        let name = maker.map_or("", |maker| &self.works[maker].name);
        complete(run, &mut self.values[at.values], at.len).at(format_args!("layer {name}"))?;
        self.extents.values[value] = true;
        Ok(())
    }

    /// Whether weights are dealt out among several ranks.
    pub fn deals(&self) -> bool {
        self.extents.dealable.iter().any(Option::is_some)
    }

    /// Completes weights, or moments, that are dealt out, `all` being laid out as the parameters.
    pub fn gather_dealt(&self, team: &dyn Team, all: &mut [f32]) -> Result<()> {
        for (worker, dealt) in self.works.iter().zip(&self.extents.dealable) {
            let Some((parts, len)) = *dealt else { continue };
            let kernel = &mut all[self.parameters[worker.parameters.start].range.clone()];
            let end = kernel.len();
            team.gather(kernel, &|rank| {
                let Range { start, end: last } = team.run(rank, parts);
                (start * len).min(end)..(last * len).min(end)
            })
            .at(format_args!("layer {}", worker.name))?;
        }
        Ok(())
    }
}

/// Gets the others' samples, of `len` numbers each.
fn complete(run: Run<'_>, all: &mut Buffer, len: usize) -> Result<()> {
    run.team().gather_sparse(&mut all[..run.batch() * len], &|rank| placed(&run.of(rank), len))
}
