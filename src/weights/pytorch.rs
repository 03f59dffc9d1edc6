//! PyTorch's names and layouts: assigns the tensors of a `state_dict` to weights.
//!
//! A state_dict names its tensors after *modules*: `features.0.weight`, `features.0.bias`, `fc.weight`. Here a module
//! is the counterpart of a layer (a layer has one, none, or two for a separable convolution), and a [`Part`] is one of
//! its tensors.
//!
//! Files do not keep the order of a state_dict (safetensors sorts names), so modules are matched by the names and
//! shapes of their tensors. Modules with the same tensors are ordered by the numbers in their names, if the names
//! differ only in these (`conv1`, `conv2`; `layers.2`, `layers.10`) and the layers follow each other. Any other
//! ambiguity is an error: then the caller passes a map.

use crate::error::{At, Error, ErrorKind, Result, listed, printable};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The names of tensors that modules of layers have.
const LEAVES: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];
/// A counter of batch normalizations, which is ignored.
const COUNTER: &str = "num_batches_tracked";

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct PyTorchTensor {
    /// `features.0.weight`
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<usize>,
}

/// The PyTorch module of a layer.
#[derive(Clone, Debug)]
pub struct Module {
    /// The layer, by its index and its name.
    pub layer: (usize, String),
    /// Its tensors.
    pub parts: Vec<Part>,
}

/// A tensor of a module, and its weight.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name in PyTorch, `weight`.
    pub leaf: &'static str,
    /// The weight, by its index and its name.
    pub weight: (usize, String),
    /// The weight's sizes.
    pub shape: Vec<usize>,
    /// Its possible layouts in PyTorch, the most likely first.
    pub layouts: Vec<Axes>,
    /// The axes here whose elements have another order in PyTorch.
    pub orders: Places,
}

/// For each axis of a tensor in PyTorch, the axes here that it covers. An axis here that is not covered has one value
/// for all its indices.
pub type Axes = Vec<Vec<usize>>;

/// For an axis, the index of each of its elements in PyTorch.
pub type Places = HashMap<usize, Vec<usize>>;

/// A tensor and its part.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'m> {
    /// The tensor, by its index.
    pub tensor: usize,
    /// The part.
    pub part: &'m Part,
    /// The index of its layout in the part's list.
    pub layout: usize,
}

/// Whether names are PyTorch's, and none is the name of a weight of this model.
pub fn are_names(names: &[String], weights: &HashSet<&str>) -> bool {
    names.iter().any(|name| LEAVES.contains(&split(name).1))
        && !names.iter().any(|name| weights.contains(name.as_str()))
}

/// `features.0.weight` as `features.0` and `weight`.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

impl Part {
    /// Its sizes in a layout.
    fn sizes(&self, layout: usize) -> Vec<usize> {
        let size = |axes: &Vec<usize>| axes.iter().map(|&axis| self.shape[axis]).product();
        self.layouts[layout].iter().map(size).collect()
    }

    /// The layout of these sizes.
    fn layout(&self, shape: &[usize]) -> Option<usize> {
        (0..self.layouts.len()).find(|&layout| self.sizes(layout) == shape)
    }

    /// For each axis here, the offset of each of its indices in PyTorch.
    fn places(&self, layout: usize) -> Vec<Vec<usize>> {
        let mut places: Vec<Vec<usize>> = self.shape.iter().map(|&size| vec![0; size]).collect();
        let mut stride = 1;
        for &axis in self.layouts[layout].iter().rev().flat_map(|axes| axes.iter().rev()) {
            let order = self.orders.get(&axis);
            let place = |index: usize| order.map_or(index, |order| order[index]) * stride;
            places[axis] = (0..self.shape[axis]).map(place).collect();
            stride *= self.shape[axis];
        }
        places
    }

    /// Reorders the elements of a tensor for this library.
    pub fn take(&self, layout: usize, from: &[f32], to: &mut [f32]) {
        let places = self.places(layout);
        let Some((last, outer)) = places.split_last() else { return to.copy_from_slice(from) };
        let mut index = vec![0; outer.len()];
        for row in to.chunks_exact_mut(last.len().max(1)) {
            let start: usize = index.iter().zip(outer).map(|(&index, places)| places[index]).sum();
            row.iter_mut().zip(last).for_each(|(to, place)| *to = from[start + place]);
            for (index, places) in index.iter_mut().zip(outer).rev() {
                *index = (*index + 1) % places.len();
                if *index > 0 {
                    break;
                }
            }
        }
    }
}

impl Module {
    /// `weight [32, 1, 3, 3], bias [32]`
    fn describe(&self) -> String {
        let part = |part: &Part| format!("{} {:?}", part.leaf, part.sizes(0));
        self.parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// The names and shapes of a module's tensors.
type Signature<'a> = Vec<(&'a str, Vec<usize>)>;

/// A module of the file: its name, and its tensors by their indices.
type Group<'f> = (&'f str, Vec<usize>);

/// Assigns tensors to weights by the modules' tensors. `follows` tells whether the second of two layers follows the
/// first.
pub fn by_shape<'m>(
    file: &[PyTorchTensor],
    modules: &'m [Module],
    follows: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Pair<'m>>> {
    let mut kinds: BTreeMap<Signature<'_>, (Vec<Group<'_>>, Vec<&Module>)> = BTreeMap::new();
    for (name, tensors) in groups(file)? {
        let mut signature: Signature<'_> =
            tensors.iter().map(|&i| (split(&file[i].name).1, file[i].shape.clone())).collect();
        signature.sort();
        kinds.entry(signature).or_default().0.push((name, tensors));
    }
    for module in modules {
        let signature = (0..module.parts.iter().map(|part| part.layouts.len()).max().unwrap_or(1)).map(|layout| {
            let sizes = |part: &Part| (part.leaf, part.sizes(layout.min(part.layouts.len() - 1)));
            let mut signature: Vec<_> = module.parts.iter().map(sizes).collect();
            signature.sort();
            signature
        });
        let mut signatures: Vec<_> = signature.collect();
        let known = signatures.iter().position(|signature| kinds.contains_key(signature)).unwrap_or(0);
        kinds.entry(signatures.swap_remove(known)).or_default().1.push(module);
    }
    check_counts(&kinds)?;
    let mut pairs = Vec::new();
    for (mut groups, modules) in kinds.into_values() {
        if modules.len() > 1 {
            sort(&mut groups, &modules, &follows)?;
        }
        for ((_, tensors), module) in groups.into_iter().zip(modules) {
            for tensor in tensors {
                let leaf = split(&file[tensor].name).1;
                let part = module.parts.iter().find(|part| part.leaf == leaf);
                let part = part.ok_or_else(|| Error::internal("a module without its tensor"))?;
                pairs.push(pair(file, tensor, part)?);
            }
        }
    }
    Ok(pairs)
}

/// The modules of a file.
fn groups(file: &[PyTorchTensor]) -> Result<BTreeMap<&str, Vec<usize>>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, tensor) in file.iter().enumerate() {
        match split(&tensor.name) {
            (_, COUNTER) => (),
            (module, leaf) if LEAVES.contains(&leaf) => groups.entry(module).or_default().push(i),
            _ => {
                let error = Error::new(ErrorKind::Shape, "a tensor that no layer of the model has in PyTorch");
                let error = error.expected(format_args!("modules of {}, or a map of names", listed(LEAVES)));
                return Err(error.at(format_args!("tensor {}", printable(&tensor.name))));
            }
        }
    }
    Ok(groups)
}

/// As many modules of each kind as layers.
fn check_counts(kinds: &BTreeMap<Signature<'_>, (Vec<Group<'_>>, Vec<&Module>)>) -> Result<()> {
    let too_few = kinds.values().find(|(groups, modules)| groups.len() < modules.len());
    let too_many = kinds.iter().find(|(_, (groups, modules))| groups.len() > modules.len());
    let left = |(signature, (groups, _)): (&Signature<'_>, &(Vec<Group<'_>>, _))| {
        let holds: Vec<_> = signature.iter().map(|(leaf, shape)| format!("{leaf} {}", sizes(shape))).collect();
        format!("{} ({})", groups[groups.len() - 1].0, holds.join(" "))
    };
    match (too_few, too_many) {
        (Some((groups, modules)), others) => {
            let others = others.map_or("none left".to_string(), left);
            let module = modules[groups.len()];
            Err(Error::new(ErrorKind::NotFound, "no module of the PyTorch file has the tensors of the layer")
                .expected(module.describe())
                .found(printable(&others))
                .at(format_args!("layer {}", module.layer.1)))
        }
        (None, Some(other)) => Err(Error::new(ErrorKind::Shape, "more modules than the model has layers for")
            .expected("none like it")
            .found(printable(&left(other)))),
        (None, None) => Ok(()),
    }
}

/// A shape as text for a message.
fn sizes(shape: &[usize]) -> String {
    match shape.len() {
        0..=8 => format!("{shape:?}"),
        rank => format!("of rank {rank}"),
    }
}

/// Sorts modules with the same tensors into the order of their layers.
fn sort(groups: &mut [Group<'_>], modules: &[&Module], follows: &impl Fn(usize, usize) -> bool) -> Result<()> {
    groups.sort_by_cached_key(|(name, _)| numbered(name));
    let told = |pair: &[Group<'_>]| {
        let ((a, i), (b, j)) = (numbered(pair[0].0), numbered(pair[1].0));
        a == b && i < j
    };
    let chain = modules.windows(2).all(|pair| follows(pair[0].layer.0, pair[1].layer.0));
    if chain && groups.windows(2).all(told) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "they hold the same tensors, so there are several assignments")
        .expected("a map of names, or names that differ in their numbers alone, of layers in a row")
        .found(format_args!(
            "modules {} for layers {}",
            listed(groups.iter().map(|(name, _)| name)),
            listed(modules.iter().map(|module| &module.layer.1))
        )))
}

/// A name's letters, and its numbers: `layers.10.conv` as `layers.#.conv` and 10.
fn numbered(name: &str) -> (String, Vec<u64>) {
    let (mut letters, mut numbers) = (String::new(), Vec::new());
    let mut rest = name;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |len| start + len);
        letters.push_str(&rest[..start]);
        letters.push('#');
        numbers.push(rest[start..digits].parse().unwrap_or(u64::MAX));
        rest = &rest[digits..];
    }
    (letters + rest, numbers)
}

/// Pairs a tensor with a part.
fn pair<'m>(file: &[PyTorchTensor], tensor: usize, part: &'m Part) -> Result<Pair<'m>> {
    let PyTorchTensor { name, shape, .. } = &file[tensor];
    part.layout(shape).map(|layout| Pair { tensor, part, layout }).ok_or_else(|| {
        Error::new(ErrorKind::Shape, "wrong shape")
            .expected(format_args!("{:?} for {}", part.sizes(0), part.weight.1))
            .found(sizes(shape))
            .at(format_args!("tensor {}", printable(name)))
    })
}

/// Assigns tensors to weights by the caller's map: an object whose keys are tensor names, with the name of a weight
/// (`'conv1.weight': 'conv2d/kernel'`), or module names, with the name of a layer (`'conv1': 'conv2d'`); null skips a
/// tensor or module. Each tensor and each weight must occur once.
pub fn by_map<'m>(file: &[PyTorchTensor], modules: &'m [Module], map: &Value) -> Result<Vec<Pair<'m>>> {
    let Some(map) = map.as_object() else {
        return Err(Error::new(ErrorKind::InvalidArgument, "wrong value").expected("an object").found(map));
    };
    let parts: HashMap<&str, &Part> =
        modules.iter().flat_map(|module| &module.parts).map(|part| (part.weight.1.as_str(), part)).collect();
    let by_name: HashMap<&str, usize> = (0..).zip(file).map(|(i, tensor)| (tensor.name.as_str(), i)).collect();
    let mut by_module: HashMap<&str, Vec<usize>> = HashMap::new();
    (0..).zip(file).for_each(|(i, tensor)| by_module.entry(split(&tensor.name).0).or_default().push(i));
    let mut taken = Taken { file, pairs: Vec::new(), tensors: HashSet::new(), weights: HashSet::new() };
    for (key, value) in map {
        let place = format!("key {}", printable(key));
        let tensors = match (by_name.get(key.as_str()), by_module.get(key.as_str())) {
            (Some(tensor), _) => std::slice::from_ref(tensor),
            (None, Some(tensors)) => tensors,
            (None, None) => {
                let error = Error::new(ErrorKind::NotFound, "the file has no such tensor or module");
                return Err(error
                    .expected(format_args!("one of {}", listed(file.iter().map(|tensor| &tensor.name))))
                    .at(place));
            }
        };
        let whole = !by_name.contains_key(key.as_str());
        match value {
            Value::Null => tensors.iter().try_for_each(|&tensor| taken.leave(tensor)).at(place)?,
            Value::String(name) if !whole && parts.contains_key(name.as_str()) => {
                taken.take(tensors[0], parts[name.as_str()]).at(place)?;
            }
            Value::String(name) if whole => taken.take_module(tensors, name, modules).at(place)?,
            _ => {
                let known = match whole {
                    true => listed(modules.iter().map(|module| &module.layer.1)),
                    false => listed(modules.iter().flat_map(|module| &module.parts).map(|part| &part.weight.1)),
                };
                let error = Error::new(ErrorKind::NotFound, "the model has none of that name");
                return Err(error
                    .expected(format_args!("null, or one of {known}"))
                    .found(printable(&value.to_string()))
                    .at(place));
            }
        }
    }
    taken.finish(modules)
}

/// The assignments of a map so far.
struct Taken<'m, 'f> {
    file: &'f [PyTorchTensor],
    pairs: Vec<Pair<'m>>,
    tensors: HashSet<usize>,
    weights: HashSet<usize>,
}

impl<'m> Taken<'m, '_> {
    fn leave(&mut self, tensor: usize) -> Result<()> {
        match self.tensors.insert(tensor) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidArgument, "is in the map twice")
                .at(format_args!("tensor {}", printable(&self.file[tensor].name)))),
        }
    }

    fn take(&mut self, tensor: usize, part: &'m Part) -> Result<()> {
        self.leave(tensor)?;
        if !self.weights.insert(part.weight.0) {
            let error = Error::new(ErrorKind::InvalidArgument, "is in the map twice");
            return Err(error.at(format_args!("weight {}", part.weight.1)));
        }
        self.pairs.push(pair(self.file, tensor, part)?);
        Ok(())
    }

    fn take_module(&mut self, tensors: &[usize], layer: &str, modules: &'m [Module]) -> Result<()> {
        let of_layer: Vec<_> = modules.iter().filter(|module| module.layer.1 == layer).collect();
        let [module] = of_layer[..] else {
            let known = listed(modules.iter().map(|module| &module.layer.1));
            let error = match of_layer.len() {
                0 => Error::new(ErrorKind::NotFound, "the model has no such layer with weights")
                    .expected(format_args!("one of {known}")),
                _ => Error::new(ErrorKind::InvalidArgument, "the layer has two modules in PyTorch")
                    .expected("its weights, each with the tensor that it is"),
            };
            return Err(error.found(printable(layer)));
        };
        for &tensor in tensors {
            let name = &self.file[tensor].name;
            match (split(name).1, module.parts.iter().find(|part| part.leaf == split(name).1)) {
                (_, Some(part)) => self.take(tensor, part)?,
                (COUNTER, None) => self.leave(tensor)?,
                (_, None) => {
                    let error = Error::new(ErrorKind::Shape, "a tensor that the layer does not have");
                    let error = error.expected(module.describe());
                    return Err(error.at(format_args!("tensor {}", printable(name))));
                }
            }
        }
        Ok(())
    }

    /// All pairs; an error if a tensor or weight is left.
    fn finish(self, modules: &[Module]) -> Result<Vec<Pair<'m>>> {
        let mut parts = modules.iter().flat_map(|module| &module.parts);
        if let Some(part) = parts.find(|part| !self.weights.contains(&part.weight.0)) {
            let error = Error::new(ErrorKind::NotFound, "the map has no tensor for it");
            return Err(error.expected(format_args!("one of shape {:?}", part.sizes(0))).at(&part.weight.1));
        }
        let left =
            |&(i, tensor): &(usize, &PyTorchTensor)| !self.tensors.contains(&i) && split(&tensor.name).1 != COUNTER;
        match self.file.iter().enumerate().find(left) {
            Some((_, tensor)) => Err(Error::new(ErrorKind::Shape, "unexpected tensor")
                .expected("one that the map names; null there leaves it out")
                .at(format_args!("tensor {}", printable(&tensor.name)))),
            None => Ok(self.pairs),
        }
    }
}
