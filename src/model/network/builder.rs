//! Builds a network's workers, and assigns gradients and memory.

use super::folded::Folded;
use super::{Target, Worker};
use crate::error::{At, Error, Result};
use crate::graph::{Architecture, Shape};
use crate::kernels::Isa;
use crate::layers::{BuildContext, Role};
use crate::memory::{self, Buffer};
use crate::model::parameters::Parameters;
use crate::model::plan::{Lifetime, Op, Plan, Purpose};

/// Builds the workers of a plan.
pub struct Builder<'a> {
    pub architecture: &'a Architecture,
    pub parameters: &'a Parameters,
    pub isa: Isa,
    pub threads: usize,
    pub batch: usize,
    pub purpose: Purpose<'a>,
    pub plan: &'a Plan,
}

impl Builder<'_> {
    pub fn worker(&self, (index, op): (usize, &Op)) -> Result<Worker> {
        let call = &self.architecture.calls[op.call];
        let spec = &self.architecture.layers[call.layer];
        let _part = memory::part(format_args!("layer {}", spec.name));
        let inputs: Vec<&Shape> = match op.activation {
            // An activation's input has the shape of its output, whatever the layer's own output shape is.
            Some(_) => vec![&call.output],
            None => call.inputs.iter().map(|&input| &self.architecture.calls[input].output).collect(),
        };
        let gradients: Vec<bool> =
            op.inputs.iter().map(|&input| self.purpose.training && self.plan.wants_gradient(input)).collect();
        let context = BuildContext {
            inputs: &inputs,
            output: &call.output,
            isa: self.isa,
            threads: self.threads,
            batch: self.batch,
            training: self.purpose.training,
            trainable: self.purpose.trainable[call.layer],
            gradients: &gradients,
            relu: op.relu,
            number: index as u64,
        };
        let work = match op.activation {
            Some(activation) => {
                activation.build(&context).and_then(|work| work.ok_or_else(|| Error::internal("linear is computed")))
            }
            None => spec.layer.build(&context),
        };
        let parameters = match op.activation {
            Some(_) => 0..0,
            None => self.parameters.indices_of_layer(call.layer),
        };
        let states = spec.parameters.iter().any(|parameter| parameter.role == Role::State);
        Ok(Worker {
            work: work.at(format_args!("layer {}", spec.name))?,
            name: spec.name.clone(),
            moves: states && op.activation.is_none() && context.learns(),
            parameters,
            targets: Vec::new(),
            folded: op
                .folded
                .map(|call| Folded::new(self.architecture, self.parameters, &spec.parameters, call))
                .transpose()?,
        })
    }
}

/// Assigns the targets of each worker's input gradients: in the backward pass the first gradient to a value is written,
/// later ones are added. Returns the most floats per sample that the latter need.
pub fn assign_targets(plan: &Plan, works: &mut [Worker]) -> usize {
    let mut begun = vec![false; plan.values.len()];
    let mut most = 0;
    for (op, worker) in plan.ops.iter().zip(works).rev() {
        let mut more = 0;
        for &input in &op.inputs {
            let wanted = op.learns && plan.wants_gradient(input);
            worker.targets.push(match (wanted, wanted && std::mem::replace(&mut begun[input], true)) {
                (false, _) => Target::None,
                (true, false) => Target::Value,
                (true, true) => {
                    let at = more;
                    more += plan.values[input].shape.len();
                    Target::More(at)
                }
            });
        }
        most = most.max(more);
    }
    most
}

/// Memory for `batch` samples of each of `lens`, measured under the layers' names.
pub fn buffers(batch: usize, lens: &[usize], names: &[&str]) -> Result<Vec<Buffer>> {
    let buffer = |(&len, name): (&usize, &&str)| {
        let _part = memory::part(format_args!("layer {name}"));
        Buffer::zeros(batch.saturating_mul(len))
    };
    lens.iter().zip(names).map(buffer).collect()
}

/// For each buffer, the name of the layer with the largest value in it.
pub fn makers<'a>(plan: &Plan, works: &'a [Worker], slots: &[usize]) -> Vec<&'a str> {
    let pieces = slots.iter().filter(|&&slot| slot != usize::MAX).max().map_or(0, |&last| last + 1);
    let largest = |piece: usize| {
        let held = plan.values.iter().zip(slots).filter(|(_, slot)| **slot == piece);
        held.map(|(value, _)| value).max_by_key(|value| value.shape.len()).and_then(|value| value.maker)
    };
    (0..pieces).map(|piece| largest(piece).map_or("", |maker| &works[maker].name)).collect()
}

/// Lifetimes that keep every value from the first step to the last.
pub fn whole_pass(plan: &Plan) -> Vec<Lifetime> {
    plan.lifetimes().into_iter().map(|life| Lifetime { start: 0, end: plan.ops.len(), ..life }).collect()
}
