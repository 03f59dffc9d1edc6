//! A layer's parameters, split out of all parameters, with the updates for their gradients.

use super::Optimize;
use super::network_parameters::NetworkParameter;
use crate::kernels::{AdamStep, Update};
use crate::layers::Weight;
use crate::layers::elementwise::CHUNK;
use crate::layers::parallel::Parts;
use std::ops::Range;

/// A layer's parameters with their moments, split out of the whole.
pub struct LayerParameters<'a> {
    parts: Vec<Part<'a>>,
    step: Option<AdamStep>,
}

struct Part<'a> {
    parameter: &'a NetworkParameter,
    w: &'a mut [f32],
    slots: Vec<&'a mut [f32]>,
    stored: &'a mut [f32],
}

impl<'a> LayerParameters<'a> {
    /// Splits them out.
    pub fn new(
        parameters: &'a [NetworkParameter],
        optimize: &'a mut Optimize<'_>,
        w: &'a mut [f32],
        stored: &'a mut [f32],
    ) -> Self {
        let step = optimize.optimizer.fused(optimize.rate, optimize.number);
        let mut w = Cut::new(w);
        let mut slots: Vec<Cut<'a>> = optimize.slots.iter_mut().map(|slot| Cut::new(slot)).collect();
        let mut stored = Cut::new(stored);
        let parts = parameters.iter().map(|parameter| Part {
            parameter,
            w: w.take(&parameter.range),
            slots: slots.iter_mut().map(|slot| slot.take(&parameter.range)).collect(),
            stored: match parameter.is_stored(step.is_some()) && !stored.rest.is_empty() {
                true => stored.take(&parameter.range),
                false => &mut [],
            },
        });
        LayerParameters { parts: parts.collect(), step }
    }

    /// The parameters without updates for gradients.
    pub fn without_updates(&mut self) -> Vec<Weight<'_>> {
        self.parts.iter_mut().map(|part| Weight { w: part.w, update: None }).collect()
    }

    /// The parameters as a layer takes them; `begun` tells for each whether it already has a gradient in this step.
    pub fn weights(&mut self, begun: &mut [bool]) -> Vec<Weight<'_>> {
        let step = self.step;
        self.parts.iter_mut().zip(begun).map(|(part, begun)| part.weight(step, begun)).collect()
    }
}

impl Part<'_> {
    fn weight(&mut self, step: Option<AdamStep>, begun: &mut bool) -> Weight<'_> {
        let update = match (self.parameter.trainable, step) {
            (false, _) => None,
            (true, fused) if self.parameter.is_stored(fused.is_some()) => {
                let add = std::mem::replace(begun, true);
                Some(Update::Store { gradient: self.stored, add })
            }
            (true, Some(step)) => match &mut self.slots[..] {
                [m, v] => Some(Update::Adam { step, m, v }),
                _ => None,
            },
            (true, None) => None,
        };
        Weight { w: self.w, update }
    }
}

/// Ascending pieces of a slice.
struct Cut<'a> {
    rest: &'a mut [f32],
    at: usize,
}

impl<'a> Cut<'a> {
    fn new(rest: &'a mut [f32]) -> Self {
        Cut { rest, at: 0 }
    }

    fn take(&mut self, range: &Range<usize>) -> &'a mut [f32] {
        let (_, from) = std::mem::take(&mut self.rest).split_at_mut(range.start - self.at);
        let (part, after) = from.split_at_mut(range.len());
        (self.rest, self.at) = (after, range.end);
        part
    }
}

/// Weights, or gradients, and moments in chunks.
pub struct StepParts<'a> {
    pub w: &'a mut [f32],
    pub slots: Vec<&'a mut [f32]>,
}

impl Parts for StepParts<'_> {
    fn count(&self) -> usize {
        self.w.len().div_ceil(CHUNK)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        let at = (part * CHUNK).min(self.w.len());
        let (w, more) = self.w.split_at_mut(at);
        let (slots, rest) = self.slots.into_iter().map(|slot| slot.split_at_mut(at)).unzip();
        (StepParts { w, slots }, StepParts { w: more, slots: rest })
    }
}
