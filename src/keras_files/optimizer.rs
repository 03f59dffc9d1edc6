//! Which variables an optimizer has in Keras, and in which order.
//!
//! ```text
//! 0                   batches so far (Keras's `iterations`), int64
//! 1                   the learning rate, where no schedule says it
//! the weights' averages, of each parameter; the gradients that are gathered, of each
//! the moments: of each parameter its m and v, then of the next; RMSprop's: all of one kind, then all of the next
//! Nadam               the product of its momenta so far
//! ```
//!
//! Parameters are those that train, in the order of Keras's layers. Keras 2's order is the same, without the
//! learning rate.

use super::h5::{Data, Dataset, Group, Node};
use super::layers;
use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::Architecture;
use crate::layers::Role;
use crate::memory::Buffer;
use crate::model::compile::Compiled;
use crate::model::parameters::{Entry, Parameters};
use crate::model::saved::MOST_STEPS;
use crate::model::state::{Moments, State};
use crate::optimizers::{Nadam, Optimizer};

/// The groups of an optimizer's variables, Keras 3's and 2's.
const NEW: &str = "optimizer";
const OLD: &str = "optimizer_weights";

/// A variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    /// How many batches there were.
    Batches,
    /// The learning rate.
    Rate,
    /// A moment of a parameter, by their numbers.
    Moment { slot: usize, parameter: usize },
    /// Nadam's product of momenta.
    Product,
}

/// The variables of an optimizer of so many parameters; `with_rate`: whether a learning rate that no schedule says is one.
fn variables(optimizer: &dyn Optimizer, parameters: usize, with_rate: bool) -> Vec<Variable> {
    let rate = (with_rate && optimizer.schedule().is_none()).then_some(Variable::Rate);
    let moment = |slot: usize| move |parameter: usize| Variable::Moment { slot, parameter };
    let moments = stages(optimizer).into_iter().flat_map(|stage| {
        let each = move |parameter| stage.clone().into_iter().map(move |slot| moment(slot)(parameter));
        (0..parameters).flat_map(each)
    });
    let product = (optimizer.class() == "Nadam").then_some(Variable::Product);
    std::iter::once(Variable::Batches).chain(rate).chain(moments).chain(product).collect()
}

/// The moments that Keras makes together, parameter by parameter.
fn stages(optimizer: &dyn Optimizer) -> Vec<Vec<usize>> {
    let slots = optimizer.slots();
    let around = ["average", "gradient_accumulator"];
    let find = |name: &str| slots.iter().position(|slot| *slot == name).map(|slot| vec![slot]);
    let mut stages: Vec<Vec<usize>> = around.into_iter().filter_map(find).collect();
    let own = (0..slots.len()).filter(|&slot| !around.contains(&slots[slot]));
    match optimizer.class() {
        "RMSprop" => stages.extend(own.map(|slot| vec![slot])),
        _ => {
            let (last, first): (Vec<_>, Vec<_>) = own.partition(|&slot| slots[slot] == "vhat");
            stages.extend([first, last].into_iter().filter(|stage| !stage.is_empty()));
        }
    }
    stages
}

/// The parameters that train: all of those that can, or only those of layers that are not frozen.
fn learned(
    architecture: &Architecture,
    order: &[usize],
    parameters: &Parameters,
    trains: impl Fn(usize) -> bool,
) -> Vec<Entry> {
    let of_layer = |&layer: &usize| {
        let all = architecture.layers[layer].parameters.iter().zip(parameters.of_layer(layer));
        all.filter(|(parameter, _)| parameter.role == Role::Trainable).map(|(_, entry)| entry.clone())
    };
    order.iter().filter(|&&layer| trains(layer)).flat_map(of_layer).collect()
}

/// The state of a model that was compiled so.
pub fn read(
    root: &Group<'_, '_>,
    architecture: &Architecture,
    order: &[usize],
    parameters: &Parameters,
    compiled: Compiled,
) -> Result<State> {
    let state = |compiled| State { compiled: Some(compiled), ..State::default() };
    let stored = if root.has(NEW) {
        let group = root.group(NEW)?;
        match group.has("vars") {
            true => numbered(&group.group("vars")?)?,
            false => Vec::new(),
        }
    } else if root.has(OLD) {
        let group = root.group(OLD)?;
        layers::list(&group, "weight_names")?.into_iter().map(|name| group.dataset(name)).collect::<Result<_>>()?
    } else {
        Vec::new()
    };
    if stored.is_empty() {
        return Ok(state(compiled));
    }
    let optimizer = &*compiled.optimizer;
    let trainable = |layer: usize| architecture.layers[layer].trainable;
    // Keras makes the variables at the first step: a layer that was frozen after it has some all the same.
    let own = learned(architecture, order, parameters, trainable);
    let expected = variables(optimizer, own.len(), true).len();
    let ways = [own, learned(architecture, order, parameters, |_| true), Vec::new()]; // the last: no step was taken
    let ways = ways.iter().flat_map(|entries| [(entries, true), (entries, false)]);
    let mut all = ways.map(|(entries, with_rate)| (entries, variables(optimizer, entries.len(), with_rate)));
    let Some((entries, found)) = all.find(|(_, found)| found.len() == stored.len()) else {
        let error = Error::new(ErrorKind::Shape, "another number of variables than the optimizer has");
        return Err(error.expected(expected).found(stored.len()).at("optimizer"));
    };
    let (mut moments, mut learning_rate) = (Moments::new(optimizer, parameters.len())?, None);
    for (variable, dataset) in found.into_iter().zip(&stored) {
        let mut read = || -> Result<()> {
            match variable {
                Variable::Batches => moments.steps = batches(dataset)?,
                Variable::Rate => learning_rate = rate(dataset, optimizer)?,
                Variable::Moment { slot, parameter } => {
                    layers::fill(dataset, &entries[parameter], &mut moments.slots[slot])?
                }
                Variable::Product => dataset.expect(&[])?, // follows from the number of batches
            }
            Ok(())
        };
        read().at("optimizer")?;
    }
    if entries.is_empty() {
        moments = Moments::default();
    }
    Ok(State { moments, learning_rate, ..state(compiled) })
}

/// Variables that are called by their numbers.
fn numbered<'f, 'a>(group: &Group<'f, 'a>) -> Result<Vec<Dataset<'f, 'a>>> {
    (0..group.names().len()).map(|i| group.dataset(&i.to_string())).collect()
}

fn batches(dataset: &Dataset<'_, '_>) -> Result<u64> {
    match dataset.count()? {
        batches if batches <= MOST_STEPS => Ok(batches),
        batches => Err(Error::new(ErrorKind::Format, "more batches than can be counted")
            .expected(format_args!("at most {MOST_STEPS}"))
            .found(batches)),
    }
}

/// A learning rate that is not the optimizer's own.
fn rate(dataset: &Dataset<'_, '_>, optimizer: &dyn Optimizer) -> Result<Option<f64>> {
    let mut rate = [0.0];
    dataset.expect(&[])?;
    dataset.floats(&mut rate)?;
    match rate[0] {
        rate if rate == optimizer.learning_rate() as f32 => Ok(None),
        rate if rate >= 0.0 && rate.is_finite() => Ok(Some(shortest(rate))),
        rate => Err(Error::new(ErrorKind::Format, "no learning rate").expected("0 or more, and finite").found(rate)),
    }
}

/// The number that was meant by a float32: the shortest that is it.
pub fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// The group of a compiled model's variables. `moments` are those of the optimizer.
pub fn node<'n>(
    architecture: &Architecture,
    trainable: &[bool],
    parameters: &Parameters,
    state: &State,
    optimizer: &dyn Optimizer,
    moments: &'n [Buffer],
) -> Node<'n> {
    let order: Vec<usize> = (0..architecture.layers.len()).collect();
    let entries = learned(architecture, &order, parameters, |layer| trainable[layer]);
    let steps = state.moments.steps;
    let scalar = |data| Node::Dataset { shape: Vec::new(), data };
    let dataset = |variable| match variable {
        Variable::Batches => scalar(Data::Integer(steps as i64)),
        Variable::Rate => scalar(Data::Float(state.learning_rate.unwrap_or(optimizer.learning_rate()) as f32)),
        Variable::Product => scalar(Data::Float(product(optimizer, steps) as f32)),
        Variable::Moment { slot, parameter } => {
            let Entry { shape, range, .. } = &entries[parameter];
            Node::Dataset { shape: shape.clone(), data: Data::Floats(&moments[slot][range.clone()]) }
        }
    };
    let all = variables(optimizer, entries.len(), true).into_iter().map(dataset);
    let vars = all.enumerate().map(|(i, node)| (i.to_string(), node)).collect();
    let name = Some(optimizer.class().to_lowercase());
    Node::group(vec![("vars".to_string(), Node::Group { name, children: vars })])
}

/// Nadam's product of momenta after so many steps.
fn product(optimizer: &dyn Optimizer, batches: u64) -> f64 {
    let beta_1 = optimizer.config().get("beta_1").and_then(serde_json::Value::as_f64).unwrap_or(0.9);
    Nadam::product(beta_1, batches / optimizer.batches())
}
