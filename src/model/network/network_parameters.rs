//! The parameters of a network in training.

use crate::graph::{Architecture, LayerSpec};
use crate::layers::{Parameter, Regularizer, Role};
use crate::model::parameters::{Entry, Parameters};
use crate::model::plan::{Plan, Purpose};
use std::ops::Range;

/// A parameter and how its gradient is used.
#[derive(Clone, Debug)]
pub struct NetworkParameter {
    pub name: &'static str,
    pub range: Range<usize>,
    pub regularizer: Regularizer,
    /// Whether the optimizer changes it.
    pub trainable: bool,
    /// How many steps of the plan use it.
    pub uses: usize,
}

/// All parameters of a network.
pub fn network_parameters(
    architecture: &Architecture,
    parameters: &Parameters,
    plan: &Plan,
    purpose: Purpose<'_>,
) -> Vec<NetworkParameter> {
    let uses = |layer: usize| {
        let own = plan.ops.iter().filter(|op| op.activation.is_none());
        own.filter(|op| architecture.calls[op.call].layer == layer).count()
    };
    let of_layer = |(index, layer): (usize, &LayerSpec)| {
        let (trainable, uses) = (purpose.trainable[index], uses(index));
        let pairs = layer.parameters.iter().zip(parameters.of_layer(index));
        let one = move |(parameter, entry): (&Parameter, &Entry)| NetworkParameter {
            name: parameter.name,
            range: entry.range.clone(),
            // Frozen parameters add no regularization loss, as in Keras.
            regularizer: if trainable { parameter.regularizer } else { Regularizer::NONE },
            trainable: trainable && parameter.role == Role::Trainable,
            uses,
        };
        pairs.map(one).collect::<Vec<_>>()
    };
    architecture.layers.iter().enumerate().flat_map(of_layer).collect()
}

impl NetworkParameter {
    /// Whether its gradient must be stored, for an optimizer whose step is `fused` or not.
    pub fn is_stored(&self, fused: bool) -> bool {
        self.trainable && (!fused || self.regularizer.is_some() || self.uses > 1)
    }
}
