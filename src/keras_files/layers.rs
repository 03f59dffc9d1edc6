//! Finds the layers' weights in a file.
//!
//! Keras 3 names a layer in the file by its class and how many of that class came before it, `layers/conv2d_1`,
//! regardless of the layer's own name; its variables are numbered: `vars/0`. Keras 2 uses the layers' own names, and
//! lists the weights of each.

use super::h5::{Dataset, Group};
use crate::error::{Error, ErrorKind, Result, printable};
use crate::graph::Architecture;
use crate::graph::names::snake_case;
use crate::model::parameters::{Entry, Parameters};
use std::collections::HashMap;

/// Keras 3's name of the group, and that of 2.12 and 2.13.
const GROUPS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];

/// The layers' names in a file; `order` is their order in it.
pub fn names(architecture: &Architecture, order: &[usize]) -> Vec<String> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let name = |&layer: &usize| {
        let name = snake_case(architecture.layers[layer].layer.class());
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{}", *count - 1) }
    };
    order.iter().map(name).collect()
}

/// Reads the weights of all layers into `all`, in the layout of `parameters`. `order` is the layers' order in the file.
pub fn read(
    root: &Group<'_, '_>,
    architecture: &Architecture,
    order: &[usize],
    parameters: &Parameters,
    all: &mut [f32],
) -> Result<()> {
    if let Some(group) = GROUPS.iter().find(|name| root.has(name)) {
        return numbered(&root.group(group)?, architecture, order, parameters, all);
    }
    match root.has("model_weights") {
        true => listed(&root.group("model_weights")?, order, parameters, all),
        false => listed(root, order, parameters, all),
    }
}

/// Weights as Keras 3 writes them.
fn numbered(
    group: &Group<'_, '_>,
    architecture: &Architecture,
    order: &[usize],
    parameters: &Parameters,
    all: &mut [f32],
) -> Result<()> {
    for (&layer, name) in order.iter().zip(names(architecture, order)) {
        let entries = parameters.of_layer(layer);
        if entries.is_empty() {
            continue;
        }
        let at = |error: Error| error.at(format_args!("layer {}", architecture.layers[layer].name));
        let mut read = || {
            let variables = group.group(&name)?.group("vars")?;
            check_count(entries, variables.names().len())?;
            let each = |(i, entry): (usize, &Entry)| fill(&variables.dataset(&i.to_string())?, entry, all);
            entries.iter().enumerate().try_for_each(each)
        };
        read().map_err(at)?;
    }
    Ok(())
}

/// Weights as Keras 2 writes them.
fn listed(group: &Group<'_, '_>, order: &[usize], parameters: &Parameters, all: &mut [f32]) -> Result<()> {
    let mut stored = Vec::new();
    for name in list(group, "layer_names")? {
        let layer = group.group(name)?;
        let weights = list(&layer, "weight_names")?;
        if !weights.is_empty() {
            stored.push((name, layer, weights));
        }
    }
    let own: Vec<&[Entry]> = order.iter().map(|&layer| parameters.of_layer(layer)).filter(|e| !e.is_empty()).collect();
    if own.len() != stored.len() {
        let error = Error::new(ErrorKind::Shape, "another number of layers with weights");
        return Err(error.expected(own.len()).found(stored.len()));
    }
    for (entries, (name, layer, weights)) in own.into_iter().zip(stored) {
        let read = || {
            check_count(entries, weights.len())?;
            entries.iter().zip(weights).try_for_each(|(entry, weight)| fill(&layer.dataset(weight)?, entry, all))
        };
        read().map_err(|error: Error| error.at(format_args!("layer {}", printable(name))))?;
    }
    Ok(())
}

/// A list of names in an attribute, or in several attributes if it is too long for one.
pub fn list<'a>(group: &Group<'_, 'a>, name: &str) -> Result<Vec<&'a str>> {
    if let Some(names) = group.texts(name)? {
        return Ok(names);
    }
    let mut all = Vec::new();
    while let Some(names) = group.texts(&format!("{name}{}", all.len()))? {
        all.push(names);
    }
    match all.is_empty() {
        false => Ok(all.concat()),
        true => {
            let error = Error::new(ErrorKind::NotFound, "missing: no weights as Keras writes them");
            Err(error.at(format_args!("attribute {name}")))
        }
    }
}

fn check_count(entries: &[Entry], found: usize) -> Result<()> {
    match entries.len() == found {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Shape, "another number of weights").expected(entries.len()).found(found)),
    }
}

/// Reads a weight.
pub fn fill(dataset: &Dataset<'_, '_>, entry: &Entry, all: &mut [f32]) -> Result<()> {
    dataset.expect(&entry.shape)?;
    dataset.floats(&mut all[entry.range.clone()])
}
