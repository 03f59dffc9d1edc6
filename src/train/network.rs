//! The layers of a model at work on a batch, with all the memory that takes.
//!
//! ```text
//!   input --layer 0--> values[0] --layer 1--> values[1] ... --> logits          forward
//!                 gradients[0] <--layer 1-- gradients[1] ... <-- loss            backward, the weights going along
//! ```
//!
//! Made once a fit; a model keeps the ones that predictions used for the next prediction.

use super::parameters::Parameters;
use crate::error::{At, Result};
use crate::graph::{Activation, LayerSpec};
use crate::kernels::softmax::{self, Score};
use crate::kernels::{AdamStep, Isa};
use crate::layers::{self, Backward, Layer, Trained, Use};
use crate::memory::{self, Buffer};
use std::ops::Range;

/// A network for batches up to a size.
pub struct Network {
    batch: usize,
    threads: usize,
    input_len: usize,
    softmax: bool,
    steps: Vec<Step>,
}

/// A layer, and what it gives.
struct Step {
    layer: Box<dyn Layer>,
    name: String,
    /// Where its parameters lie.
    parameters: Vec<Range<usize>>,
    /// Whether it ends in relu.
    relu: bool,
    len: usize,
    /// Its output, `[B, len]`.
    values: Buffer,
    /// The gradient to its sums, `[B, len]`; empty unless training.
    gradients: Buffer,
}

impl Step {
    fn new(
        layer: Box<dyn Layer>,
        parameters: Vec<Range<usize>>,
        relu: bool,
        spec: &LayerSpec,
        how: Use,
    ) -> Result<Self> {
        let len = spec.output.len();
        let total = how.batch.saturating_mul(len);
        let zeros = |len| Buffer::zeros(len).at(format_args!("layer {}", spec.name));
        let gradients = zeros(if how.training { total } else { 0 })?;
        let name = spec.name.clone();
        Ok(Step { layer, name, parameters, relu, len, values: zeros(total)?, gradients })
    }
}

impl Network {
    /// The network of `specs` for at most `batch` samples on a pool of `threads`.
    pub fn new(
        specs: &[LayerSpec],
        parameters: &Parameters,
        isa: Isa,
        threads: usize,
        batch: usize,
        training: bool,
    ) -> Result<Self> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let _part = memory::part(format_args!("layer {}", spec.name));
            let how = Use { isa, threads, batch, training, input_gradient: !steps.is_empty() };
            let Some(layer) = layers::build(spec, how).at(format_args!("layer {}", spec.name))? else { continue };
            let parameters = parameters.of_layer(index).iter().map(|entry| entry.range.clone()).collect();
            let relu = spec.activation() == Activation::Relu;
            steps.push(Step::new(layer, parameters, relu, spec, how)?);
            if let Some(layer) = layers::build_activation(spec.activation()) {
                steps.push(Step::new(layer, Vec::new(), false, spec, how)?);
            }
        }
        let softmax = specs.last().is_some_and(|spec| spec.activation() == Activation::Softmax);
        let input_len = specs.first().map_or(0, |spec| spec.output.len());
        Ok(Network { batch, threads, input_len, softmax, steps })
    }

    /// Whether it serves batches of `batch` samples on `threads` threads.
    pub fn serves(&self, batch: usize, threads: usize) -> bool {
        self.batch >= batch && self.threads == threads
    }

    /// The most samples it takes at once.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The last layer's output for `x` (`[B, input]`), before softmax: `[B, output]`.
    fn logits(&mut self, weights: &[f32], x: &[f32]) -> Result<&mut [f32]> {
        let batch = x.len() / self.input_len;
        let mut done = 0..0;
        for i in 0..self.steps.len() {
            let (before, rest) = self.steps.split_at_mut(i);
            let x = before.last().map_or(x, |step| &step.values[done.clone()]);
            let step = &mut rest[0];
            let weights: Vec<&[f32]> = step.parameters.iter().map(|range| &weights[range.clone()]).collect();
            done = 0..batch * step.len;
            step.layer.forward(&weights, x, &mut step.values[done.clone()])?;
        }
        Ok(match self.steps.last_mut() {
            Some(step) => &mut step.values[done],
            None => &mut [],
        })
    }

    /// The output for `x`, probabilities where the model ends in softmax, into `out` (`[B, output]`).
    pub fn predict(&mut self, weights: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
        if self.steps.is_empty() {
            out.copy_from_slice(x);
            return Ok(());
        }
        let (softmax, classes) = (self.softmax, self.classes());
        let logits = self.logits(weights, x)?;
        if softmax {
            softmax::softmax(logits, classes);
        }
        out.copy_from_slice(logits);
        Ok(())
    }

    /// How good the output for `x` is, against `labels`. What was taken for what is added to `counts`, `[classes, classes]`,
    /// if that is wanted.
    pub fn score(&mut self, weights: &[f32], x: &[f32], labels: &[u32], counts: Option<&mut [u64]>) -> Result<Score> {
        let classes = self.classes();
        let logits = self.logits(weights, x)?;
        if let Some(counts) = counts {
            softmax::confusion(logits, labels, classes, counts);
        }
        Ok(softmax::score(logits, labels, classes))
    }

    /// The rest of a step of training whose forward pass was that of [`score`](Self::score), for the same weights, `x` and
    /// `labels`: backward, the weights and their moments one step on.
    pub fn learn(&mut self, all: Trained<'_>, x: &[f32], labels: &[u32], adam: AdamStep) -> Result<()> {
        // The last layer's values become the gradient to its sums.
        if let Some(last) = self.steps.last_mut() {
            softmax::crossentropy_gradient(&mut last.values[..labels.len() * last.len], labels, last.len);
            std::mem::swap(&mut last.values, &mut last.gradients);
        }
        self.backward(all, x, labels.len(), adam)
    }

    /// The first number on the way of the last forward pass, that of `x`, which is NaN or infinite: what holds it, and the
    /// number.
    pub fn first_not_finite(&self, weights: &[f32], x: &[f32]) -> Option<(String, f64)> {
        let bad = |values: &[f32]| values.iter().find(|value| !value.is_finite()).map(|&value| f64::from(value));
        let rows = x.len() / self.input_len;
        let layer = |step: &Step| {
            let kinds = ["kernel", "bias"].iter().zip(&step.parameters);
            let mut parameters = kinds.map(|(kind, range)| (*kind, bad(&weights[range.clone()])));
            let found = parameters.find_map(|(kind, found)| Some((kind, found?)));
            let (kind, found) = found.or_else(|| Some(("output", bad(&step.values[..rows * step.len])?)))?;
            Some((format!("layer {}: {kind}", step.name), found))
        };
        bad(x).map(|found| ("the images".to_string(), found)).or_else(|| self.steps.iter().find_map(layer))
    }

    fn backward(&mut self, all: Trained<'_>, x: &[f32], batch: usize, adam: AdamStep) -> Result<()> {
        for i in (0..self.steps.len()).rev() {
            let (before, rest) = self.steps.split_at_mut(i);
            let step = &mut rest[0];
            let (x, dx, gated) = match before.last_mut() {
                Some(below) => {
                    let used = ..batch * below.len;
                    (&below.values[used], Some(&mut below.gradients[used]), below.relu)
                }
                None => (x, None, false),
            };
            let mut weights = parameters_of(&step.parameters, all.w, all.m, all.v);
            let dz = &step.gradients[..batch * step.len];
            step.layer.backward(&mut weights, Backward { x, dz, dx, gated, adam })?;
        }
        Ok(())
    }

    fn classes(&self) -> usize {
        self.steps.last().map_or(self.input_len, |step| step.len)
    }
}

/// The parameters at `ranges`, which ascend, out of all of them.
fn parameters_of<'a>(
    ranges: &[Range<usize>],
    mut w: &'a mut [f32],
    mut m: &'a mut [f32],
    mut v: &'a mut [f32],
) -> Vec<Trained<'a>> {
    fn take<'a>(rest: &mut &'a mut [f32], skip: usize, len: usize) -> &'a mut [f32] {
        let (_, from) = std::mem::take(rest).split_at_mut(skip);
        let (part, after) = from.split_at_mut(len);
        *rest = after;
        part
    }
    let mut at = 0;
    let parts = ranges.iter().map(|range| {
        let (skip, len) = (range.start - at, range.len());
        at = range.end;
        Trained { w: take(&mut w, skip, len), m: take(&mut m, skip, len), v: take(&mut v, skip, len) }
    });
    parts.collect()
}
