//! The variables of an optimizer in Keras, and their order.
//!
//! ```text
//! 0                   the number of batches (Keras's `iterations`), int64
//! 1                   the learning rate, if there is no schedule
//! the weights' averages, of each parameter; the accumulated gradients, of each
//! the moments: of each parameter its m and v, then of the next; RMSprop's: all of one kind, then all of the next
//! Nadam               the product of its momenta so far
//! ```
//!
//! Parameters are the trainable ones, in the order of Keras's layers. Files are written in this order of variables,
//! used since Keras 3.10; [`Order`] has the others.

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
    /// The number of batches.
    Batches,
    /// The learning rate.
    Rate,
    /// A moment of a parameter, by their numbers.
    Moment { slot: usize, parameter: usize },
    /// An unused moment of a parameter: Keras 2's SGD has momenta even without momentum.
    Idle { parameter: usize },
    /// Nadam's product of momenta.
    Product,
}

/// The known orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Since Keras 3.10.
    Now,
    /// Before that: averages and accumulated gradients parameter by parameter, and Nadam's product before its moments.
    Before310,
    /// Keras 2.11 and later: without Nadam's product, always with SGD's momenta.
    Keras2,
    /// Keras 2 before that, whose first variable is called `iter`: one kind of moments after the other.
    Legacy,
}

/// The variables of an optimizer with so many parameters; `with_rate`: whether the learning rate is one of them if
/// there is no schedule.
fn variables(optimizer: &dyn Optimizer, parameters: usize, with_rate: bool, order: Order) -> Vec<Variable> {
    let rate = (with_rate && optimizer.schedule().is_none()).then_some(Variable::Rate);
    let (around, own) = stages(optimizer, order);
    let moments = |stages: Vec<Vec<usize>>| {
        let of = |slot: usize, parameter: usize| Variable::Moment { slot, parameter };
        let all = move |stage: Vec<usize>| {
            (0..parameters).flat_map(move |p| stage.clone().into_iter().map(move |s| of(s, p)))
        };
        stages.into_iter().flat_map(all).collect::<Vec<_>>()
    };
    let product: &[Variable] = if optimizer.class() == "Nadam" { &[Variable::Product] } else { &[] };
    let (before, behind): (_, &[Variable]) = match order {
        Order::Before310 => (product, &[]),
        Order::Now => (&[][..], product),
        _ => (&[][..], &[]),
    };
    let idle = order == Order::Keras2 && optimizer.class() == "SGD" && own.is_empty();
    let idle = (0..if idle { parameters } else { 0 }).map(|parameter| Variable::Idle { parameter }).collect();
    let first = std::iter::once(Variable::Batches).chain(rate).collect();
    [first, moments(around), before.to_vec(), moments(own), behind.to_vec(), idle].concat()
}

/// The moments that Keras creates together, parameter by parameter: those of the common options, and the optimizer's
/// own.
fn stages(optimizer: &dyn Optimizer, order: Order) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let slots = optimizer.slots();
    let apart = |slots: Vec<usize>| slots.into_iter().map(|slot| vec![slot]).collect::<Vec<_>>();
    let names = ["average", "gradient_accumulator"];
    let around = names.into_iter().filter_map(|name| slots.iter().position(|slot| *slot == name)).collect::<Vec<_>>();
    let own = (0..slots.len()).filter(|slot| !around.contains(slot));
    let (last, first): (Vec<_>, Vec<_>) = own.partition(|&slot| slots[slot] == "vhat");
    let one_by_one = optimizer.class() == "RMSprop" || order == Order::Legacy && optimizer.class() != "Ftrl";
    let own = if one_by_one { apart([first, last].concat()) } else { vec![first, last] };
    let around = if order == Order::Before310 { vec![around] } else { apart(around) };
    let some = |stages: Vec<Vec<usize>>| stages.into_iter().filter(|stage| !stage.is_empty()).collect();
    (some(around), some(own))
}

/// The trainable parameters: of all layers, or only of layers that are not frozen.
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

/// Reads the optimizer state of a compiled model.
pub fn read(
    root: &Group<'_, '_>,
    architecture: &Architecture,
    order: &[usize],
    parameters: &Parameters,
    compiled: Compiled,
) -> Result<State> {
    let state = |compiled| State { compiled: Some(compiled), ..State::default() };
    let (stored, is_legacy) = stored(root)?;
    if stored.is_empty() {
        return Ok(state(compiled));
    }
    let optimizer = &*compiled.optimizer;
    if is_legacy && optimizer.class() == "Nadam" {
        let error = Error::new(ErrorKind::Unsupported, "Nadam of Keras before 2.11, which used another formula");
        return Err(error.at("optimizer"));
    }
    // Keras creates the variables at the first step: a layer that was frozen later has some, too.
    let trainable = |layer: usize| architecture.layers[layer].trainable;
    let learned = |trains: &dyn Fn(usize) -> bool| learned(architecture, order, parameters, trains);
    let whose = [learned(&trainable), learned(&|_| true), Vec::new()]; // the last: no step was taken
    let orders: &[Order] = if is_legacy { &[Order::Legacy] } else { &[Order::Now, Order::Before310, Order::Keras2] };
    let (entries, found) = meant(&stored, optimizer, &whose, orders).at("optimizer")?;
    let (mut moments, mut learning_rate) = (Moments::new(optimizer, parameters.len())?, None);
    for (variable, dataset) in found.iter().zip(&stored) {
        let mut read = || -> Result<()> {
            dataset.expect(shape(variable, entries))?;
            match *variable {
                Variable::Batches => moments.steps = batches(dataset)?,
                Variable::Rate => learning_rate = rate(dataset, optimizer)?,
                Variable::Moment { slot, parameter } => {
                    layers::fill(dataset, &entries[parameter], &mut moments.slots[slot])?
                }
                Variable::Product | Variable::Idle { .. } => (), // the product is computed from the number of batches
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

/// The meaning of a file's variables: the first order and set of parameters that fits their shapes.
fn meant<'e>(
    stored: &[Dataset<'_, '_>],
    optimizer: &dyn Optimizer,
    whose: &'e [Vec<Entry>],
    orders: &[Order],
) -> Result<(&'e [Entry], Vec<Variable>)> {
    let forms = whose.iter().flat_map(|entries| {
        let both = orders.iter().flat_map(|&order| [(order, true), (order, false)]);
        both.map(move |(order, rate)| (&entries[..], variables(optimizer, entries.len(), rate, order)))
    });
    let mut expected = None;
    let mut as_many = None;
    for (entries, variables) in forms {
        expected = expected.or(Some(variables.len()));
        if variables.len() == stored.len() {
            let pairs = variables.iter().zip(stored);
            if pairs.into_iter().all(|(variable, dataset)| dataset.is(shape(variable, entries))) {
                return Ok((entries, variables));
            }
            as_many = as_many.or(Some((entries, variables)));
        }
    }
    as_many.ok_or_else(|| {
        let error = Error::new(ErrorKind::Shape, "another number of variables than the optimizer has");
        error.expected(expected.unwrap_or_default()).found(stored.len())
    })
}

/// The shape of a variable.
fn shape<'e>(variable: &Variable, entries: &'e [Entry]) -> &'e [usize] {
    match *variable {
        Variable::Moment { parameter, .. } | Variable::Idle { parameter } => &entries[parameter].shape,
        Variable::Batches | Variable::Rate | Variable::Product => &[],
    }
}

/// A file's variables in its order, and whether they are those of Keras 2 before 2.11.
fn stored<'f, 'a>(root: &Group<'f, 'a>) -> Result<(Vec<Dataset<'f, 'a>>, bool)> {
    if root.has(NEW) {
        let group = root.group(NEW)?;
        let all = if group.has("vars") { numbered(&group.group("vars")?)? } else { Vec::new() };
        return Ok((all, false));
    }
    if !root.has(OLD) {
        return Ok((Vec::new(), false));
    }
    let group = root.group(OLD)?;
    let names = layers::list(&group, "weight_names")?;
    let last = names.first().and_then(|name| name.rsplit('/').next());
    let is_legacy = last.is_some_and(|name| name.split(':').next() == Some("iter"));
    Ok((group.datasets(&names)?, is_legacy))
}

/// Variables named by numbers.
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
    dataset.floats(&mut rate)?;
    match rate[0] {
        rate if rate == optimizer.learning_rate() as f32 => Ok(None),
        rate if rate >= 0.0 && rate.is_finite() => Ok(Some(shortest(rate))),
        rate => Err(Error::new(ErrorKind::Format, "no learning rate").expected("0 or more, and finite").found(rate)),
    }
}

/// The shortest decimal number that gives a float32.
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
        Variable::Idle { .. } => Node::group(Vec::new()), // not in this order
        Variable::Moment { slot, parameter } => {
            let Entry { shape, range, .. } = &entries[parameter];
            Node::Dataset { shape: shape.clone(), data: Data::Floats(&moments[slot][range.clone()]) }
        }
    };
    let all = variables(optimizer, entries.len(), true, Order::Now).into_iter().map(dataset);
    let vars = all.enumerate().map(|(i, node)| (i.to_string(), node)).collect();
    let name = Some(optimizer.class().to_lowercase());
    Node::group(vec![("vars".to_string(), Node::Group { name, children: vars })])
}

/// Nadam's product of momenta after so many steps.
fn product(optimizer: &dyn Optimizer, batches: u64) -> f64 {
    let beta_1 = optimizer.config().get("beta_1").and_then(serde_json::Value::as_f64).unwrap_or(0.9);
    Nadam::product(beta_1, batches / optimizer.batches())
}
