//! A network at work on a batch, with all the memory that takes.
//!
//! ```text
//!   input --op 0--> values --op 1--> values ... --> output          forward
//!             gradients <--op 1-- gradients ... <-- loss            backward, the weights going along
//! ```
//!
//! The [`Plan`] has the order of the steps and the memory of the values. A network is built once per fit; a model keeps
//! those of predictions for the next prediction.

mod builder;
mod clock;
pub(crate) mod folded;
mod layer_parameters;
mod network_parameters;
mod placement;

use super::parameters::Parameters;
use super::plan::{Op, Plan, Purpose, slots};
use crate::error::{At, Result};
use crate::graph::Architecture;
use crate::kernels::{Isa, elementwise};
use crate::layers::elementwise::CHUNK;
use crate::layers::parallel::{Chunks, for_each};
use crate::layers::{Activation, Pass, Step, Work};
use crate::memory::{self, Buffer};
use crate::optimizers::Optimizer;
use builder::{Builder, assign_targets, buffers, makers, whole_pass};
use clock::{Clock, Way};
use folded::Folded;
use layer_parameters::{LayerParameters, StepParts};
use network_parameters::{NetworkParameter, network_parameters};
use placement::Placement;
use std::ops::Range;
use std::time::Duration;

/// A network for batches up to a size.
pub struct Network {
    batch: usize,
    threads: usize,
    isa: Isa,
    /// The activation that was requested to be omitted.
    wanted: Option<Activation>,
    plan: Plan,
    works: Vec<Worker>,
    /// For each value, its buffer and its length per sample.
    held: Vec<ValueMemory>,
    values: Vec<Buffer>,
    gradients: Vec<Buffer>,
    /// Further gradients to a value that already has one.
    more: Buffer,
    parameters: Vec<NetworkParameter>,
    /// Stored gradients, in the layout of the parameters; empty if none are stored.
    stored: Buffer,
    /// What this rank has and computes if several ranks share a step.
    placement: Placement,
    clock: Clock,
}

/// A layer, or an activation, at work.
struct Worker {
    work: Box<dyn Work>,
    name: String,
    /// Its parameters, as indices.
    parameters: Range<usize>,
    /// Whether it has moving statistics to update.
    moves: bool,
    /// For each of its inputs, where the gradient goes.
    targets: Vec<Target>,
    /// A normalization that is part of its weights.
    folded: Option<Folded>,
}

/// The target of the gradient to a worker's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// It is not wanted.
    None,
    /// The value's own buffer: this gradient is the first.
    Value,
    /// At this offset (in floats per sample) in `more`; it is added to the value's gradient.
    More(usize),
}

/// A value's memory.
#[derive(Clone, Copy, Debug)]
struct ValueMemory {
    len: usize,
    values: usize,
    gradients: usize,
}

/// An optimizer step.
pub struct Optimize<'a> {
    /// The optimizer.
    pub optimizer: &'a dyn Optimizer,
    /// The learning rate for this batch.
    pub rate: f64,
    /// The batch's number, from 1.
    pub number: u64,
    /// The parameters' moments, each laid out as the parameters.
    pub slots: &'a mut [Buffer],
}

impl Network {
    /// The network of an architecture for at most `batch` samples on a pool of `threads`.
    pub fn new(
        architecture: &Architecture,
        parameters: &Parameters,
        isa: Isa,
        threads: usize,
        batch: usize,
        purpose: Purpose<'_>,
    ) -> Result<Self> {
        let plan = Plan::new(architecture, purpose);
        let network_parameters = network_parameters(architecture, parameters, &plan, purpose);
        let builder = Builder { architecture, parameters, isa, threads, batch, purpose, plan: &plan };
        let mut works = plan.ops.iter().enumerate().map(|op| builder.worker(op)).collect::<Result<Vec<_>>>()?;
        let more = assign_targets(&plan, &mut works);
        let (value_slots, value_lens) = match purpose.training {
            true => slots(&whole_pass(&plan)),
            false => slots(&plan.lifetimes()),
        };
        let gradient_lifetimes = if purpose.training { plan.gradient_lifetimes() } else { Vec::new() };
        let (gradient_slots, gradient_lens) = slots(&gradient_lifetimes);
        let held = plan.values.iter().enumerate().map(|(i, value)| ValueMemory {
            len: value.shape.len(),
            values: value_slots[i],
            gradients: gradient_slots.get(i).copied().unwrap_or(usize::MAX),
        });
        let more = {
            let _part = memory::part("the layers' gradients");
            Buffer::zeros(batch.saturating_mul(more)).at("the layers' gradients")?
        };
        let values = buffers(batch, &value_lens, &makers(&plan, &works, &value_slots)).at("the layers' outputs")?;
        let names = makers(&plan, &works, &gradient_slots);
        let gradients = buffers(batch, &gradient_lens, &names).at("the layers' gradients")?;
        Ok(Network {
            batch,
            threads,
            isa,
            wanted: purpose.omitted,
            held: held.collect(),
            works,
            values,
            gradients,
            more,
            parameters: network_parameters,
            stored: Buffer::default(),
            placement: Placement::new(plan.values.len(), plan.ops.len()),
            clock: Clock::default(),
            plan,
        })
    }

    /// Prepares training with an optimizer: allocates memory for gradients that must be stored.
    pub fn prepare(&mut self, optimizer: &dyn Optimizer, len: usize) -> Result<()> {
        let fused = optimizer.fused(0.0, 1).is_some();
        if self.parameters.iter().any(|parameter| parameter.is_stored(fused)) {
            let _part = memory::part("the gradients");
            self.stored = Buffer::zeros(len).at("the gradients")?;
        }
        self.find_divided(fused);
        Ok(())
    }

    /// Whether it can compute batches of `batch` samples on `threads` threads, with `omitted` left out at its end.
    pub fn serves(&self, batch: usize, threads: usize, omitted: Option<Activation>) -> bool {
        self.batch >= batch && self.threads == threads && self.wanted == omitted
    }

    /// The most samples it takes at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    fn input_len(&self) -> usize {
        self.held[0].len
    }

    /// The omitted last activation: the reader of the output computes it.
    pub fn omitted(&self) -> Option<Activation> {
        self.plan.omitted
    }

    /// The output's values for the last `samples` samples that went through, `[B, output]`; the
    /// [`omitted`](Self::omitted) activation is not applied.
    pub fn output(&self, samples: usize) -> &[f32] {
        let ValueMemory { len, values, .. } = self.held[self.plan.output];
        &self.values[values][..samples * len]
    }

    /// Applies the [omitted](Self::omitted) activation, if there is one, to an [output](Self::output).
    pub fn finish(&self, values: &mut [f32]) {
        if let Some(activation) = self.plan.omitted {
            activation.apply(self.isa, values, self.width());
        }
    }

    /// Computes the layers for `x` (`[B, input]`), except the [omitted](Self::omitted) activation. If the
    /// step has a [share](Step::share) of the batch, the layers compute that; the output is complete anyway.
    pub fn forward(&mut self, step: &Step, weights: &[f32], x: &[f32]) -> Result<()> {
        let samples = x.len() / self.input_len();
        self.placement.begin(samples, step.share);
        for index in 0..self.plan.ops.len() {
            self.prepare_forward(index, step.share)?;
            let Network { plan, works, held, values, parameters, clock, placement, .. } = &mut *self;
            let (op, worker) = (&plan.ops[index], &mut works[index]);
            let (here, share) = placement.of(index, step.share);
            let step = &Step { share, ..*step };
            let slot = held[op.output].values;
            let mut y = std::mem::take(&mut values[slot]);
            let inputs: Vec<&[f32]> = op.inputs.iter().map(|&input| value(input, held, values, x, &here)).collect();
            let of = |index: usize| &weights[parameters[index].range.clone()];
            let mut own: Vec<&[f32]> = worker.parameters.clone().map(of).collect();
            if let Some(folded) = &mut worker.folded {
                own = folded.fold(&own, of);
            }
            let y_now = &mut y[placed(&here, held[op.output].len)];
            let done = clock.count(index, Way::Forward, || worker.work.forward(step, &own, &inputs, y_now));
            values[slot] = y;
            done.at(format_args!("layer {}", worker.name))?;
        }
        if self.plan.output == 0 {
            let slot = self.held[0].values; // no layers, at most an omitted activation
            self.values[slot][..x.len()].copy_from_slice(x);
        }
        self.complete_value(self.plan.output, step.share)
    }

    /// The output for `x` into `out` (`[B, output]`).
    pub fn predict(&mut self, weights: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
        self.forward(&PREDICTING, weights, x)?;
        out.copy_from_slice(self.output(x.len() / self.input_len()));
        self.finish(out);
        Ok(())
    }

    /// The length of the output's last axis.
    fn width(&self) -> usize {
        self.plan.values[self.plan.output].shape.dims().last().copied().unwrap_or(1)
    }

    /// The regularization loss.
    pub fn penalty(&self, weights: &[f32]) -> f64 {
        let regular = self.parameters.iter().filter(|parameter| parameter.regularizer.is_some());
        regular.map(|parameter| parameter.regularizer.penalty(&weights[parameter.range.clone()])).sum()
    }

    /// The rest of a training step after [`forward`](Self::forward) with the same weights and `x`: the backward pass,
    /// the moving statistics, and the update of weights and moments. `slope` replaces the output, `[B, output]`, by the
    /// loss's gradient to it.
    pub fn learn(
        &mut self,
        step: &Step,
        w: &mut [f32],
        x: &[f32],
        slope: &mut dyn FnMut(&mut [f32]),
        mut optimize: Optimize<'_>,
    ) -> Result<()> {
        let samples = x.len() / self.input_len();
        if self.plan.wants_gradient(self.plan.output) {
            let ValueMemory { len, values, gradients } = self.held[self.plan.output];
            let gradient = &mut self.gradients[gradients][..samples * len];
            gradient.copy_from_slice(&self.values[values][..samples * len]);
            slope(gradient);
            if self.plan.values[self.plan.output].gated {
                gate(self.isa, &self.values[values][..samples * len], gradient);
            }
        }
        self.move_statistics(w, &mut optimize)?;
        let mut begun = vec![false; self.parameters.len()];
        self.placement.begin_backward(self.plan.output);
        for op in (0..self.plan.ops.len()).rev() {
            self.step_back(op, step, w, x, &mut optimize, &mut begun)?;
        }
        self.take_stored(w, &mut optimize);
        Ok(())
    }

    /// Updates moving statistics, in the order of the calls: a layer that is called twice updates its own twice.
    fn move_statistics(&mut self, w: &mut [f32], optimize: &mut Optimize<'_>) -> Result<()> {
        let Network { works, parameters, .. } = self;
        for worker in works.iter_mut().filter(|worker| worker.moves) {
            let mut layer = LayerParameters::new(&parameters[worker.parameters.clone()], optimize, w, &mut []);
            worker.work.update_state(&mut layer.without_updates())?;
        }
        Ok(())
    }

    /// The backward pass of an op.
    fn step_back(
        &mut self,
        index: usize,
        step: &Step,
        w: &mut [f32],
        x: &[f32],
        optimize: &mut Optimize<'_>,
        begun: &mut [bool],
    ) -> Result<()> {
        if !self.plan.ops[index].learns {
            return Ok(());
        }
        self.prepare_backward(index, step.share)?;
        let Network { plan, works, held, values, gradients, more, parameters, stored, isa, clock, placement, .. } =
            self;
        let (op, worker) = (&plan.ops[index], &mut works[index]);
        let (here, share) = placement.of(index, step.share);
        let step = &Step { share, ..*step };
        let range = worker.parameters.clone();
        let mut layer = LayerParameters::new(&parameters[range.clone()], optimize, w, stored);
        let mut weights = layer.weights(&mut begun[range]);
        let ValueMemory { len, gradients: slot, .. } = held[op.output];
        let dz = std::mem::take(&mut gradients[slot]);
        let mut own: Vec<Buffer> = Vec::new();
        for (&input, _) in op.inputs.iter().zip(&worker.targets).filter(|(_, target)| **target == Target::Value) {
            own.push(std::mem::take(&mut gradients[held[input].gradients]));
        }
        let inputs: Vec<&[f32]> = op.inputs.iter().map(|&input| value(input, held, values, x, &here)).collect();
        let y = value(op.output, held, values, x, &here);
        let mut rest = &mut more[..];
        let mut buffers = own.iter_mut();
        let mut dx: Vec<Option<&mut [f32]>> = Vec::new();
        for (&input, target) in op.inputs.iter().zip(&worker.targets) {
            let len = here.len() * held[input].len;
            dx.push(match target {
                Target::None => None,
                Target::Value => buffers.next().map(|buffer| &mut buffer[placed(&here, held[input].len)]),
                Target::More(_) => {
                    let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
                    rest = after;
                    Some(part)
                }
            });
        }
        let gated = worker.work.gates() && op.inputs.first().is_some_and(|&input| plan.values[input].has_relus_zeros());
        let pass = Pass { x: &inputs, y, dz: &dz[placed(&here, len)], dx: &mut dx, gated };
        let done = clock.count(index, Way::Backward, || worker.work.backward(step, &mut weights, pass));
        done.at(format_args!("layer {}", worker.name))?;
        drop(weights);
        gradients[slot] = dz;
        let mut own = own.into_iter();
        for (&input, _) in op.inputs.iter().zip(&worker.targets).filter(|(_, target)| **target == Target::Value) {
            gradients[held[input].gradients] = own.next().unwrap_or_default();
        }
        let mut at = 0;
        for (&input, target) in op.inputs.iter().zip(&worker.targets) {
            let ValueMemory { len, gradients: slot, .. } = held[input];
            let begun = *target == Target::Value;
            if *target != Target::None {
                let known = placement.add_gradient(input, begun, index);
                if !begun {
                    let from = &more[at..][placed(&(known.start - here.start..known.end - here.start), len)];
                    add(*isa, from, &mut gradients[slot][placed(&known, len)]);
                    at += here.len() * len;
                }
            }
        }
        // The value came out of a fused relu: if not all consumers left out the gradient where it is 0, it is zeroed
        // here.
        for &input in &op.inputs {
            let ValueMemory { len, values: slot, gradients: gradient } = held[input];
            let last = plan.values[input].takers.iter().find(|&&taker| plan.ops[taker].learns) == Some(&index);
            if plan.values[input].gated && last && plan.wants_gradient(input) && !all_gate(plan, works, input) {
                let here = placed(&placement.of_gradient(input), len);
                gate(*isa, &values[slot][here.clone()], &mut gradients[gradient][here]);
            }
        }
        Ok(())
    }

    /// Updates the parameters whose gradients were stored.
    fn take_stored(&mut self, w: &mut [f32], optimize: &mut Optimize<'_>) {
        let Network { isa, parameters, stored, .. } = self;
        let Optimize { optimizer, rate, number, ref mut slots } = *optimize;
        let fused = optimizer.fused(0.0, 1).is_some();
        let kept = || parameters.iter().filter(|parameter| parameter.is_stored(fused));
        for parameter in kept().filter(|parameter| parameter.regularizer.is_some()) {
            let range = parameter.range.clone();
            parameter.regularizer.add_gradient(&w[range.clone()], &mut stored[range]);
        }
        let batches = optimizer.batches();
        for parameter in kept().filter(|_| batches > 1) {
            let range = parameter.range.clone();
            let slots = slots.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
            for_each(StepParts { w: &mut stored[range], slots }, &|_, StepParts { w: gradient, mut slots }| {
                optimizer.gather(number, gradient, &mut slots);
            });
        }
        let clipping = optimizer.clipping();
        if clipping.is_some() && number.is_multiple_of(batches) {
            let squares: Vec<f64> = kept().map(|parameter| square(&stored[parameter.range.clone()])).collect();
            let all = squares.iter().sum();
            for (parameter, square) in kept().zip(squares) {
                clipping.apply(&mut stored[parameter.range.clone()], square, all);
            }
        }
        for parameter in kept() {
            let range = parameter.range.clone();
            let slots = slots.iter_mut().map(|slot| &mut slot[range.clone()]).collect();
            let gradient = &stored[range.clone()];
            for_each(StepParts { w: &mut w[range], slots }, &|part, StepParts { w, mut slots }| {
                let gradient = &gradient[part * CHUNK..][..w.len()];
                optimizer.step(*isa, rate, number, gradient, w, &mut slots);
            });
        }
    }

    /// Replaces the trainable weights by their moving average. For the others the average becomes their value, to start
    /// there if they become trainable later.
    pub fn take_average(&self, w: &mut [f32], average: &mut [f32]) {
        for NetworkParameter { range, trainable, .. } in &self.parameters {
            let (w, average) = (&mut w[range.clone()], &mut average[range.clone()]);
            match trainable {
                true => w.copy_from_slice(average),
                false => average.copy_from_slice(w),
            }
        }
    }

    /// Starts measuring the time of the layers.
    pub fn start_clock(&mut self) {
        self.clock.start(self.plan.ops.len());
    }

    /// The layers and activations in the order in which they are computed, and the time each took forward and backward since
    /// [`start_clock`](Self::start_clock).
    pub fn times(&self) -> impl Iterator<Item = (&Op, &str, [Duration; 2])> {
        let named = self.plan.ops.iter().zip(&self.works).zip(self.clock.spent());
        named.map(|((op, worker), &spent)| (op, &*worker.name, spent))
    }

    /// The first NaN or infinite value in the last forward pass, that of `x`: its location and the value.
    pub fn first_not_finite(&self, weights: &[f32], x: &[f32]) -> Option<(String, f64)> {
        let bad = |values: &[f32]| values.iter().find(|value| !value.is_finite()).map(|&value| f64::from(value));
        let samples = x.len() / self.input_len();
        let layer = |(op, worker): (&Op, &Worker)| {
            let parameters = self.parameters[worker.parameters.clone()].iter();
            let mut parameters = parameters.map(|p| (p.name, bad(&weights[p.range.clone()])));
            let found = parameters.find_map(|(name, found)| Some((name, found?)));
            let ValueMemory { len, values, .. } = self.held[op.output];
            let (what, found) = found.or_else(|| Some(("output", bad(&self.values[values][..samples * len])?)))?;
            Some((format!("layer {}: {what}", worker.name), found))
        };
        let images = bad(x).map(|found| ("the images".to_string(), found));
        images.or_else(|| self.plan.ops.iter().zip(&self.works).find_map(layer))
    }
}

/// The step of a prediction: nothing in it is random.
pub const PREDICTING: Step<'static> = Step::new(0, 0);

/// The values of `input` for some samples of the batch; value 0 is the network's input `x`.
fn value<'a>(input: usize, held: &[ValueMemory], values: &'a [Buffer], x: &'a [f32], here: &Range<usize>) -> &'a [f32] {
    let here = placed(here, held[input].len);
    match input {
        0 => &x[here],
        _ => &values[held[input].values][here],
    }
}

/// Where some samples are, of `len` numbers each.
fn placed(samples: &Range<usize>, len: usize) -> Range<usize> {
    samples.start * len..samples.end * len
}

/// Whether all consumers of a value leave out the gradient where relu gave 0.
fn all_gate(plan: &Plan, works: &[Worker], value: usize) -> bool {
    plan.values[value].takers.iter().all(|&taker| works[taker].work.gates())
}

/// Adds `from` to `to`.
fn add(isa: Isa, from: &[f32], to: &mut [f32]) {
    for_each(Chunks::new(to, CHUNK), &|chunk, to| {
        let to = to.into_slice();
        elementwise::apply_with(isa, elementwise::Add, to, &from[chunk * CHUNK..][..to.len()]);
    });
}

/// Makes a gradient 0 where relu gave 0.
fn gate(isa: Isa, y: &[f32], gradient: &mut [f32]) {
    for_each(Chunks::new(gradient, CHUNK), &|chunk, gradient| {
        let gradient = gradient.into_slice();
        let y = &y[chunk * CHUNK..][..gradient.len()];
        elementwise::apply_with(isa, elementwise::WherePositive, gradient, y);
    });
}

/// The sum of a gradient's squares.
fn square(gradient: &[f32]) -> f64 {
    gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum()
}
