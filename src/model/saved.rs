//! The file format of a whole model, written by [`Model::save`] and checkpoints, read by [`Model::load`].
//!
//! It is a safetensors file. The metadata in its header describe the content:
//!
//! ```text
//! format   "mnist-model"
//! version  "2"
//! model    {"network": {...}, "compile": {...} or null, "learning_rate": 0.1 or null, "steps": 1234, "fit": {...} or null}
//! ```
//!
//! (`network` is described in `graph::keras`, `compile` and `fit` in `model::config`) and by these tensors:
//!
//! | tensor | there |
//! |---|---|
//! | `conv2d/kernel`, `conv2d/bias`, ... the weights, as in a file of weights | always |
//! | `optimizer/conv2d/kernel/m`, `.../v`, ... the optimizer's moments | once a step was taken |
//! | `fit/loss`, the sum over the samples of the epoch under way | with `fit` |
//! | `fit/metrics`, what the metrics have gathered in it | with `fit`, where there are metrics |
//! | `fit/callbacks/0/conv2d/kernel`, ... weights that a callback may bring back | with `fit`, where one keeps some |
//! | `history/loss`, `history/accuracy`, ... `[epochs]`, of the fit's epochs that have ended | with `fit`, what is measured |
//!
//! weights and moments as float32, the others as float64. Everything is checked against the file's real length before
//! memory is allocated; unknown keys and tensors are errors.
//!
//! Version 1 had, instead of the network, a `name` and a list of `layers`: a chain, each layer's config with its class
//! and name in one object, and the input's shape as `shape`. It can still be read.

use super::Model;
use super::compile::{self, Compiled};
use super::history::{History, VALIDATION};
use super::parameters::{Entry, Parameters};
use super::state::{Moments, Position, State};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::Content;
use crate::graph::{Architecture, Graph, check_arity, keras};
use crate::json::{self, Named, Object};
use crate::layers::{self, Parameter, Role};
use crate::memory::{Buffer, filled};
use crate::weights::{self, Dtype, Expected, TensorFile, Values, pytorch};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

/// The metadata's `format`, and that of a file of weights.
const FORMAT: &str = "mnist-model";
pub const WEIGHTS: &str = "mnist";
/// The version that is written, and the oldest that is read.
const VERSION: u64 = 2;
const OLDEST: u64 = 1;
/// The longest description that is written or accepted, in bytes: some thousand layers.
const LONGEST: usize = 1 << 20;
/// The most steps that are accepted: Adam counts in double precision, which is exact up to this number.
pub const MOST_STEPS: u64 = 1 << 53;
/// The prefix of a moment's name.
const MOMENTS: &str = "optimizer/";
/// The names of the running loss and of the metrics' sums.
const LOSS: &str = "fit/loss";
const METRICS: &str = "fit/metrics";

/// The value of a metric that was not measured: NaN with these bits.
const NOTHING: u64 = f64::NAN.to_bits();

/// Writes a model with `weights` and `state`.
pub fn write(out: &mut dyn Write, model: &Model, weights: &[f32], state: &State) -> Result<()> {
    let text = describe(model, state).to_string();
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::Unsupported, "the model's description is too long")
            .expected(format_args!("at most {LONGEST} bytes"))
            .found(text.len()));
    }
    let columns = state.position.as_ref().map(|position| position.history.columns()).transpose()?;
    let mut entries = weight_entries(model.parameters.entries(), weights);
    if state.moments.steps > 0 {
        entries.extend(moment_entries(model, state));
    }
    if let Some(position) = &state.position {
        let tally = &position.tally;
        let f64s = |name: String, shape, values| weights::Entry { name, shape, values: Values::F64(values) };
        entries.push(f64s(LOSS.to_string(), Vec::new(), std::slice::from_ref(&tally.loss)));
        if !tally.kept.is_empty() {
            entries.push(f64s(METRICS.to_string(), vec![tally.kept.len()], &tally.kept));
        }
        for (name, values) in position.history.names().iter().zip(columns.iter().flatten()) {
            entries.push(f64s(format!("history/{name}"), vec![values.len()], values));
        }
        for (i, weights) in (0..).zip(&position.callbacks.weights) {
            let weights = weights.as_deref().map(|weights| weight_entries(model.parameters.entries(), weights));
            let weights = weights.into_iter().flatten();
            entries.extend(weights.map(|entry| weights::Entry { name: callback(i, &entry.name), ..entry }));
        }
    }
    let version = VERSION.to_string();
    weights::write(out, &[("format", FORMAT), ("version", &version), ("model", &text)], &entries)
}

/// The weights' tensors.
pub fn weight_entries<'a>(entries: &[Entry], weights: &'a [f32]) -> Vec<weights::Entry<'a>> {
    let entry = |entry: &Entry| weights::Entry {
        name: entry.name.clone(),
        shape: entry.shape.clone(),
        values: Values::F32(&weights[entry.range.clone()]),
    };
    entries.iter().map(entry).collect()
}

fn moment_entries<'a>(model: &Model, state: &'a State) -> Vec<weights::Entry<'a>> {
    let slots = state.compiled.as_ref().map_or(Vec::new(), |compiled| compiled.optimizer.slots());
    let learned = learned(&model.architecture, &model.parameters);
    let of = |(which, all): (&'static str, &'a Buffer)| {
        let named = |entry: weights::Entry<'a>| weights::Entry { name: moment(&entry.name, which), ..entry };
        weight_entries(&learned, all).into_iter().map(named)
    };
    slots.into_iter().zip(&state.moments.slots).flat_map(of).collect()
}

/// The parameters that an optimizer may change.
fn learned(architecture: &Architecture, parameters: &Parameters) -> Vec<Entry> {
    let all = architecture.layers.iter().flat_map(|layer| &layer.parameters).zip(parameters.entries());
    all.filter(|(parameter, _)| parameter.role == Role::Trainable).map(|(_, entry)| entry.clone()).collect()
}

/// `fit/callbacks/0/conv2d/kernel`
fn callback(index: usize, parameter: &str) -> String {
    format!("fit/callbacks/{index}/{parameter}")
}

/// `optimizer/conv2d/kernel/m`
fn moment(parameter: &str, which: &str) -> String {
    format!("{MOMENTS}{parameter}/{which}")
}

/// The metadata's `model`.
fn describe(model: &Model, state: &State) -> Value {
    json!({
        "network": model.config(),
        "compile": state.compiled.as_ref().map(Compiled::config),
        "learning_rate": state.learning_rate,
        "steps": state.moments.steps,
        "fit": state.position.as_ref().map(Position::config),
    })
}

/// For reading only the weights of a whole model's file: a function that tells whether a tensor is not a weight.
pub fn is_no_weight(file: &TensorFile<Content<'_>>) -> Result<impl Fn(&str) -> bool + use<>> {
    let whole = file.metadata("format") == Some(FORMAT);
    if whole {
        check_version(file)?;
    }
    Ok(move |name: &str| whole && ["optimizer/", "fit/", "history/"].iter().any(|other| name.starts_with(other)))
}

/// A parsed and consistent header; the tensors are not read yet.
pub struct Saved<'a> {
    file: TensorFile<Content<'a>>,
    pub name: String,
    pub architecture: Architecture,
    version: u64,
    pub compiled: Option<Compiled>,
    learning_rate: Option<f64>,
    steps: u64,
    position: Option<Position>,
}

impl<'a> Saved<'a> {
    /// Opens a file of [`write()`]. Errors do not name the file: the caller does.
    pub fn open(content: Content<'a>) -> Result<Self> {
        let file = weights::open(content)?;
        check_format(&file)?;
        let version = check_version(&file)?;
        let description = description(&file).at("metadata model")?;
        let mut saved = Saved::read(file, version, &description).at("metadata model")?;
        saved.file.check(&saved.expected(), |_| false)?;
        saved.read_position()?;
        Ok(saved)
    }

    /// The model that [`write()`] wrote.
    pub fn load(content: Content<'a>) -> Result<Model> {
        let mut saved = Saved::open(content)?;
        let parameters = Parameters::zeros(&saved.architecture)?;
        parameters.write(|all| saved.weights(parameters.entries(), all))??;
        let model = Model::of(saved.name.clone(), saved.architecture.clone(), parameters)?;
        let state = saved.state(&model.parameters)?;
        *model.state.write() = state;
        Ok(model)
    }

    fn read(file: TensorFile<Content<'a>>, version: u64, description: &Value) -> Result<Self> {
        let object = Object::root(description)?;
        let (name, architecture) = match version {
            OLDEST => {
                object.only(&["name", "layers", "compile", "steps", "fit"])?;
                (object.str("name")?.to_string(), chain(&object.objects("layers")?)?)
            }
            _ => {
                object.only(&["network", "compile", "learning_rate", "steps", "fit"])?;
                let network = object.get("network", "an object", Some)?;
                let keras::Network { graph, input, output, name } = keras::read(network).at("key network")?;
                (name, graph.architecture(input, output)?)
            }
        };
        let learning_rate = object.or("learning_rate", None, "a number, 0 or more, or null", |value| match value {
            Value::Null => Some(None),
            value => value.as_f64().filter(|&rate| rate >= 0.0).map(Some),
        })?;
        let compiled = object.object_or_null("compile")?;
        let compiled = compiled.map(|options| Compiled::from_config(&options, &architecture).at("key compile"));
        let compiled = compiled.transpose()?;
        if learning_rate.is_some() && compiled.as_ref().is_some_and(|options| options.optimizer.schedule().is_some()) {
            let error =
                Error::new(ErrorKind::Format, "the learning rate is set by the optimizer's schedule").expected("null");
            return Err(object.at_key(error, "learning_rate"));
        }
        let steps = object.get("steps", &format!("a whole number up to {MOST_STEPS}"), |value| {
            value.as_u64().filter(|&steps| steps <= MOST_STEPS)
        })?;
        let position = object.object_or_null("fit")?;
        if compiled.is_none() && (steps > 0 || position.is_some()) {
            let error = Error::new(ErrorKind::Format, "a model that was trained has compile options");
            return Err(object.at_key(error.expected("an object").found("null"), "compile"));
        }
        let width = compile::width(&architecture);
        let position = position.zip(compiled.as_ref());
        let position = position.map(|(object, compiled)| Position::from_config(&object, compiled, width, steps));
        let position = position.transpose()?;
        Ok(Saved { file, version, name, architecture, compiled, learning_rate, steps, position })
    }

    /// The tensors that the description asks for.
    fn expected(&self) -> Vec<Expected> {
        let f32s = |name: String, shape: Vec<usize>| Expected { name, dtype: Dtype::F32, shape };
        let f64s = |name: String, shape: Vec<usize>| Expected { name, dtype: Dtype::F64, shape };
        let mut all = Vec::new();
        for layer in &self.architecture.layers {
            for Parameter { name, shape, role, .. } in &layer.parameters {
                let name = format!("{}/{name}", layer.name);
                if self.steps > 0 && *role == Role::Trainable {
                    all.extend(self.slots().iter().map(|which| f32s(moment(&name, which), shape.clone())));
                }
                all.push(f32s(name, shape.clone()));
            }
        }
        if let Some(position) = &self.position {
            all.push(f64s(LOSS.to_string(), Vec::new()));
            if self.keeps_metrics(position) {
                all.push(f64s(METRICS.to_string(), vec![position.tally.kept.len()]));
            }
            let names = position.history.names().iter().map(|name| format!("history/{name}"));
            all.extend(names.map(|name| f64s(name, vec![position.epochs_done()])));
            let kept = (0..).zip(&position.callbacks.weights).filter(|(_, weights)| weights.is_some());
            for (i, _) in kept {
                let own = self.architecture.layers.iter().flat_map(|layer| {
                    layer.parameters.iter().map(|p| (format!("{}/{}", layer.name, p.name), p.shape.clone()))
                });
                all.extend(own.map(|(name, shape)| f32s(callback(i, &name), shape)));
            }
        }
        all
    }

    /// The optimizer's moments, by name.
    fn slots(&self) -> Vec<&'static str> {
        self.compiled.as_ref().map_or(Vec::new(), |compiled| compiled.optimizer.slots())
    }

    /// The network, as Keras's `to_json()` writes it.
    pub fn network(&self) -> Value {
        let trainable: Vec<bool> = self.architecture.layers.iter().map(|layer| layer.trainable).collect();
        keras::write(&self.architecture, &self.name, &trainable)
    }

    /// Whether the file has the metrics' sums.
    fn keeps_metrics(&self, position: &Position) -> bool {
        self.version > OLDEST && !position.tally.kept.is_empty()
    }

    /// Reads the position's tensors, which the file has.
    fn read_position(&mut self) -> Result<()> {
        let Some(mut position) = self.position.take() else { return Ok(()) };
        let mut loss = [0.0];
        self.file.read_f64(LOSS, &mut loss)?;
        position.tally.loss = loss[0];
        if self.keeps_metrics(&position) {
            self.file.read_f64(METRICS, &mut position.tally.kept)?;
        }
        let (names, epochs) = (position.history.names().clone(), position.epochs_done());
        let mut columns = Vec::new();
        for name in names.iter() {
            let mut values = filled(epochs, 0.0)?;
            self.file.read_f64(&format!("history/{name}"), &mut values)?;
            columns.push(values);
        }
        let plan = &position.plan;
        let measured = |name: &str, epoch| !name.starts_with(VALIDATION) || plan.validates(plan.initial_epoch + epoch);
        for (name, column) in names.iter().zip(&columns) {
            let wrong = |&(epoch, value): &(usize, &f64)| !measured(name, epoch) && value.to_bits() != NOTHING;
            if let Some((epoch, found)) = column.iter().enumerate().find(wrong) {
                let error = Error::new(ErrorKind::Format, "a validation value for an epoch without validation");
                return Err(error
                    .expected("NaN")
                    .found(found)
                    .at(format_args!("tensor history/{name}: epoch {epoch}")));
            }
        }
        position.history = History::from_columns(names, epochs, &columns, measured)?;
        self.position = Some(position);
        Ok(())
    }

    /// Reads the weights into `all`, in the layout of `entries`.
    pub fn weights(&mut self, entries: &[Entry], all: &mut [f32]) -> Result<()> {
        entries.iter().try_for_each(|entry| self.file.read_f32(&entry.name, &mut all[entry.range.clone()]))
    }

    /// Reads the training state, for `parameters`.
    pub fn state(mut self, parameters: &Parameters) -> Result<State> {
        let mut moments = Moments::default();
        if let Some(compiled) = self.compiled.as_ref().filter(|_| self.steps > 0) {
            moments = Moments { steps: self.steps, ..Moments::new(&*compiled.optimizer, parameters.len())? };
            let slots = compiled.optimizer.slots();
            for entry in learned(&self.architecture, parameters) {
                for (which, slot) in slots.iter().zip(&mut moments.slots) {
                    self.file.read_f32(&moment(&entry.name, which), &mut slot[entry.range.clone()])?;
                }
            }
        }
        if let Some(position) = &mut self.position {
            for (i, weights) in (0..).zip(&mut position.callbacks.weights).filter(|(_, weights)| weights.is_some()) {
                let mut all = Buffer::zeros(parameters.len())?;
                for entry in parameters.entries() {
                    self.file.read_f32(&callback(i, &entry.name), &mut all[entry.range.clone()])?;
                }
                *weights = Some(Arc::new(all));
            }
        }
        let Saved { compiled, learning_rate, position, .. } = self;
        Ok(State { compiled, learning_rate, moments, position })
    }

    /// The position of the fit that wrote it.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }
}

/// Reads the weights of `model`, and weights alone, from a file of weights, of a whole model, or of PyTorch's.
pub fn read_weights(model: &Model, content: Content<'_>) -> Result<Buffer> {
    let mut file = weights::open(content)?;
    let entries = model.parameters.entries();
    if is_pytorch(&file, entries) {
        return model.pytorch_weights(&mut file, None);
    }
    let expected = |entry: &Entry| Expected { name: entry.name.clone(), dtype: Dtype::F32, shape: entry.shape.clone() };
    let expected: Vec<_> = entries.iter().map(expected).collect();
    let ignored = is_no_weight(&file)?;
    file.check(&expected, ignored)?;
    let mut all = Buffer::zeros(model.parameters.len())?;
    entries.iter().try_for_each(|entry| file.read_f32(&entry.name, &mut all[entry.range.clone()]))?;
    Ok(all)
}

/// Whether a file's names are PyTorch's, and none is a weight of this model.
fn is_pytorch(file: &TensorFile<Content<'_>>, entries: &[Entry]) -> bool {
    let ours = entries.iter().map(|entry| entry.name.as_str()).collect();
    !matches!(file.metadata("format"), Some(FORMAT | WEIGHTS)) && pytorch::are_names(&file.names(), &ours)
}

fn check_format(file: &TensorFile<Content<'_>>) -> Result<()> {
    match file.metadata("format") {
        Some(FORMAT) => Ok(()),
        found => Err(Error::new(ErrorKind::Format, "not a whole model")
            .expected(format_args!("`{FORMAT}`"))
            .found(found.map_or("nothing".to_string(), |found| format!("`{}`", printable(found))))
            .at("metadata format")),
    }
}

/// The file's version, if it is supported.
fn check_version(file: &TensorFile<Content<'_>>) -> Result<u64> {
    let found = file.metadata("version");
    let error = match found.and_then(|text| text.parse::<u64>().ok()) {
        Some(version @ OLDEST..=VERSION) => return Ok(version),
        Some(version) if version > VERSION => Error::new(ErrorKind::Unsupported, "the file is newer than this library"),
        _ => Error::new(ErrorKind::Format, "no version"),
    };
    let found = found.map_or("nothing".to_string(), |found| format!("`{}`", printable(found)));
    Err(error.expected(format_args!("`{OLDEST}` to `{VERSION}`")).found(found).at("metadata version"))
}

/// The chain of layers that a file of version 1 describes.
fn chain(layers: &[Object<'_>]) -> Result<Architecture> {
    let mut graph = Graph::new();
    let mut ends = None;
    for object in layers {
        let place = object.prefix().trim_end_matches('.').to_string();
        let entry =
            layers::entry(&Named::of(object.str("class_name")?, Object::empty(&place), format!("{place}.class_name")))?;
        let name = object.str("name")?;
        let layer = layers::read(entry, &object.without("class_name"))?;
        let inputs: Vec<_> = ends.iter().map(|&(_, y)| y).collect();
        check_arity(entry.arity, inputs.len()).at(format_args!("layer {}", printable(name)))?;
        let y = graph.add(layer, Some(name), true, &inputs).at(format_args!("key {place}"))?;
        ends = Some((ends.map_or(y, |(x, _)| x), y));
    }
    match ends {
        Some((x, y)) => graph.architecture(x, y),
        None => Err(Error::new(ErrorKind::Format, "no layers").at("key layers")),
    }
}

fn description(file: &TensorFile<Content<'_>>) -> Result<Value> {
    let text = file.metadata("model").unwrap_or_default();
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::Format, "too long")
            .expected(format_args!("at most {LONGEST} bytes"))
            .found(text.len()));
    }
    json::of_file(text.as_bytes())
}
