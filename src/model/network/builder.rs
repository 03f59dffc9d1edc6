//! Makes a network's workers, and says where gradients go and how much memory values take.

use super::folded::Folded;
use super::{Target, Worker};
use crate::error::{At, Error, Result};
use crate::graph::{Architecture, Shape};
use crate::kernels::Isa;
use crate::layers::{BuildContext, Role};
use crate::memory::{self, Buffer};
use crate::model::parameters::Parameters;
use crate::model::plan::{Lifetime, Op, Plan, Purpose};

/// Makes the workers of a plan.
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
            // An activation's input has its output's shape, whatever it had when it was made.
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

/// Says of each worker where its inputs' gradients go: on the way back, the first one to a value writes, later ones are
/// added. Gives how many floats a sample the latter take at most.
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

/// Memory for `batch` samples of each of `lens`, for which the layers of such names ask.
pub fn buffers(batch: usize, lens: &[usize], names: &[&str]) -> Result<Vec<Buffer>> {
    let buffer = |(&len, name): (&usize, &&str)| {
        let _part = memory::part(format_args!("layer {name}"));
        Buffer::zeros(batch.saturating_mul(len))
    };
    lens.iter().zip(names).map(buffer).collect()
}

/// Of each piece of memory, the name of the layer that gives the largest value in it.
pub fn makers<'a>(plan: &Plan, works: &'a [Worker], slots: &[usize]) -> Vec<&'a str> {
    let pieces = slots.iter().filter(|&&slot| slot != usize::MAX).max().map_or(0, |&last| last + 1);
    let largest = |piece: usize| {
        let held = plan.values.iter().zip(slots).filter(|(_, slot)| **slot == piece);
        held.map(|(value, _)| value).max_by_key(|value| value.shape.len()).and_then(|value| value.maker)
    };
    (0..pieces).map(|piece| largest(piece).map_or("", |maker| &works[maker].name)).collect()
}

/// Every value kept: a life from the first step to the last.
pub fn whole_pass(plan: &Plan) -> Vec<Lifetime> {
    plan.lifetimes().into_iter().map(|life| Lifetime { start: 0, end: plan.ops.len(), ..life }).collect()
}
