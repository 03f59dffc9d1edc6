//! A whole model in a file: what [`Model::save`] and checkpoints write, and [`Model::load`] reads.
//!
//! It is a safetensors file. What it holds is told by its header's metadata:
//!
//! ```text
//! format   "mnist-model"
//! version  "1"
//! model    {"name": ..., "layers": [...], "compile": {...} or null, "steps": 1234, "fit": {...} or null}
//! ```
//!
//! (`layers` is described in `graph::config`, `compile` and `fit` in `train::config`) and by these tensors:
//!
//! | tensor | there |
//! |---|---|
//! | `conv2d/kernel`, `conv2d/bias`, ... the weights, as in a file of weights | always |
//! | `optimizer/conv2d/kernel/m`, `.../v`, ... Adam's moments | once a step was taken |
//! | `fit/loss`, the sum over the samples of the epoch under way | with `fit` |
//! | `history/loss`, `history/accuracy`, ... `[epochs]`, of the fit's epochs that have ended | with `fit`, what is measured |
//!
//! weights and moments as float32, the others as float64. Everything is checked against the file's real length before
//! memory is asked for; keys and tensors that are not known are refused.

use super::evaluate::Mean;
use super::history::{History, METRICS};
use super::model::Model;
use super::options::CompileOptions;
use super::parameters::{Entry, Parameters};
use super::state::{Moments, Position, State};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::{Input, Place};
use crate::graph::{self, LayerSpec};
use crate::json::Object;
use crate::memory::{Buffer, filled};
use crate::weights::{self, Dtype, Expected, TensorFile, Values};
use serde_json::{Value, json};

/// The metadata's `format`.
const FORMAT: &str = "mnist-model";
/// The one version there is.
const VERSION: u64 = 1;
/// The longest description that is written or believed, in bytes: some thousand layers.
const LONGEST: usize = 1 << 20;
/// The most steps that are believed: as many as Adam, which counts in double precision, can tell apart.
const MOST_STEPS: u64 = 1 << 53;
/// What a moment's name begins with.
const MOMENTS: &str = "optimizer/";
/// The name of the running loss.
const LOSS: &str = "fit/loss";

/// Writes a model with `weights` and `state` to `place`, whole or not at all.
pub fn write(place: &Place, model: &Model, weights: &[f32], state: &State) -> Result<()> {
    let text = describe(model.name(), &model.layers, state).to_string();
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::Unsupported, "the model's description is too long")
            .expected(format_args!("at most {LONGEST} bytes"))
            .found(text.len())
            .at(place));
    }
    let columns = state.position.as_ref().map(|position| position.history.columns()).transpose()?;
    let mut entries = weight_entries(model.parameters.entries(), weights);
    if state.moments.steps > 0 {
        entries.extend(moment_entries(model.parameters.entries(), &state.moments));
    }
    if let Some(position) = &state.position {
        let loss = std::slice::from_ref(&position.mean.score.loss);
        entries.push(weights::Entry { name: LOSS.to_string(), shape: Vec::new(), values: Values::F64(loss) });
        let measured = measured(state.compiled.as_ref(), position);
        for ((name, values), _) in
            METRICS.iter().zip(columns.iter().flatten()).zip(measured).filter(|(_, measured)| *measured)
        {
            let (name, shape) = (format!("history/{name}"), vec![values.len()]);
            entries.push(weights::Entry { name, shape, values: Values::F64(values) });
        }
    }
    let version = VERSION.to_string();
    weights::save(place, &[("format", FORMAT), ("version", &version), ("model", &text)], &entries)
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

fn moment_entries<'a>(entries: &[Entry], moments: &'a Moments) -> Vec<weights::Entry<'a>> {
    let of = |which: &'static str, all: &'a [f32]| {
        let named = |entry: weights::Entry<'a>| weights::Entry { name: moment(&entry.name, which), ..entry };
        weight_entries(entries, all).into_iter().map(named)
    };
    of("m", &moments.m).chain(of("v", &moments.v)).collect()
}

/// `optimizer/conv2d/kernel/m`
fn moment(parameter: &str, which: &str) -> String {
    format!("{MOMENTS}{parameter}/{which}")
}

/// What the metadata's `model` says.
fn describe(name: &str, layers: &[LayerSpec], state: &State) -> Value {
    json!({
        "name": name,
        "layers": graph::config(layers),
        "compile": state.compiled.map(|options| options.config()),
        "steps": state.moments.steps,
        "fit": state.position.as_ref().map(Position::config),
    })
}

/// Which of [`METRICS`] a fit measures.
fn measured(compiled: Option<&CompileOptions>, position: &Position) -> [bool; 4] {
    let accuracy = compiled.is_some_and(|options| options.accuracy);
    let validation = position.plan.validation.is_some();
    [true, accuracy, validation, accuracy && validation]
}

/// Lets a file of a whole model pass for one of weights: says whether a tensor's name is of what else it holds.
pub fn is_no_weight(file: &TensorFile<Input>) -> Result<impl Fn(&str) -> bool + use<>> {
    let whole = file.metadata("format") == Some(FORMAT);
    if whole {
        check_version(file)?;
    }
    Ok(move |name: &str| whole && ["optimizer/", "fit/", "history/"].iter().any(|other| name.starts_with(other)))
}

/// A file's header understood and found to fit itself; the tensors are still to be read.
pub struct Saved {
    file: TensorFile<Input>,
    pub name: String,
    pub layers: Vec<LayerSpec>,
    pub compiled: Option<CompileOptions>,
    steps: u64,
    position: Option<Position>,
}

impl Saved {
    /// Opens a file that [`write`] wrote. Errors do not name the file: its opener does.
    pub fn open(place: &Place) -> Result<Self> {
        let file = weights::open(place)?;
        check_format(&file)?;
        check_version(&file)?;
        let description = description(&file).at("metadata model")?;
        let mut saved = Saved::read(file, &description).at("metadata model")?;
        saved.file.check(&saved.expected(), |_| false)?;
        saved.read_position()?;
        Ok(saved)
    }

    fn read(file: TensorFile<Input>, description: &Value) -> Result<Self> {
        let object = Object::root(description)?;
        object.only(&["name", "layers", "compile", "steps", "fit"])?;
        let name = object.str("name")?.to_string();
        let layers = graph::from_config(&object.objects("layers")?)?;
        let compiled = object.object_or_null("compile")?;
        let compiled = compiled.map(|options| CompileOptions::from_config(&options)).transpose()?;
        let steps = object.get("steps", &format!("a whole number up to {MOST_STEPS}"), |value| {
            value.as_u64().filter(|&steps| steps <= MOST_STEPS)
        })?;
        let position = object.object_or_null("fit")?;
        let position = position.map(|object| Position::from_config(&object, steps)).transpose()?;
        if compiled.is_none() && (steps > 0 || position.is_some()) {
            let error = Error::new(ErrorKind::Format, "a model that was trained has compile options");
            return Err(object.place(error.expected("an object").found("null"), "compile"));
        }
        Ok(Saved { file, name, layers, compiled, steps, position })
    }

    /// The tensors that the description asks for.
    fn expected(&self) -> Vec<Expected> {
        let f32s = |name: String, shape: Vec<usize>| Expected { name, dtype: Dtype::F32, shape };
        let f64s = |name: String, shape: Vec<usize>| Expected { name, dtype: Dtype::F64, shape };
        let mut all = Vec::new();
        for layer in &self.layers {
            for parameter in layer.parameters() {
                let name = format!("{}/{}", layer.name, parameter.name);
                if self.steps > 0 {
                    all.extend(["m", "v"].map(|which| f32s(moment(&name, which), parameter.shape.clone())));
                }
                all.push(f32s(name, parameter.shape));
            }
        }
        if let Some(position) = &self.position {
            all.push(f64s(LOSS.to_string(), Vec::new()));
            let measured = METRICS.iter().zip(measured(self.compiled.as_ref(), position));
            let names = measured.filter(|(_, measured)| *measured).map(|(name, _)| format!("history/{name}"));
            all.extend(names.map(|name| f64s(name, vec![position.epochs_done()])));
        }
        all
    }

    /// The position's tensors, which the file is known to have.
    fn read_position(&mut self) -> Result<()> {
        let Some(position) = &mut self.position else { return Ok(()) };
        let mut loss = [0.0];
        self.file.read_f64(LOSS, &mut loss)?;
        let Mean { score, .. } = &mut position.mean;
        score.loss = loss[0];
        let mut columns = [const { None }; 4];
        let wanted = measured(self.compiled.as_ref(), position);
        for ((name, column), _) in METRICS.iter().zip(&mut columns).zip(wanted).filter(|(_, measured)| *measured) {
            let mut values = filled(position.epochs_done(), 0.0)?;
            self.file.read_f64(&format!("history/{name}"), &mut values)?;
            *column = Some(values);
        }
        position.history = History::from_columns(position.epochs_done(), &columns)?;
        Ok(())
    }

    /// Reads the weights into `all`, laid out as `entries` say.
    pub fn weights(&mut self, entries: &[Entry], all: &mut [f32]) -> Result<()> {
        entries.iter().try_for_each(|entry| self.file.read_f32(&entry.name, &mut all[entry.range.clone()]))
    }

    /// Reads what else there is, for `parameters`.
    pub fn state(mut self, parameters: &Parameters) -> Result<State> {
        let mut moments = Moments::default();
        if self.steps > 0 {
            moments = Moments { steps: self.steps, ..Moments::zeros(parameters.len())? };
            for entry in parameters.entries() {
                let range = entry.range.clone();
                self.file.read_f32(&moment(&entry.name, "m"), &mut moments.m[range.clone()])?;
                self.file.read_f32(&moment(&entry.name, "v"), &mut moments.v[range])?;
            }
        }
        Ok(State { compiled: self.compiled, moments, position: self.position })
    }

    /// Where the fit was that wrote it.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }
}

/// Reads weights, and weights alone, from a file of weights or of a whole model: `entries`, and no others.
pub fn read_weights(place: &Place, entries: &[Entry], len: usize) -> Result<Buffer> {
    let mut file = weights::open(place)?;
    let expected = |entry: &Entry| Expected { name: entry.name.clone(), dtype: Dtype::F32, shape: entry.shape.clone() };
    let expected: Vec<_> = entries.iter().map(expected).collect();
    let ignored = is_no_weight(&file)?;
    file.check(&expected, ignored)?;
    let mut all = Buffer::zeros(len)?;
    entries.iter().try_for_each(|entry| file.read_f32(&entry.name, &mut all[entry.range.clone()]))?;
    Ok(all)
}

fn check_format(file: &TensorFile<Input>) -> Result<()> {
    match file.metadata("format") {
        Some(FORMAT) => Ok(()),
        found => Err(Error::new(ErrorKind::Format, "not a whole model")
            .expected(format_args!("`{FORMAT}`"))
            .found(found.map_or("nothing".to_string(), |found| format!("`{}`", printable(found))))
            .at("metadata format")),
    }
}

fn check_version(file: &TensorFile<Input>) -> Result<()> {
    let found = file.metadata("version");
    let error = match found.and_then(|text| text.parse::<u64>().ok()) {
        Some(VERSION) => return Ok(()),
        Some(VERSION..) => Error::new(ErrorKind::Unsupported, "the file is newer than this library"),
        _ => Error::new(ErrorKind::Format, "no version"),
    };
    let found = found.map_or("nothing".to_string(), |found| format!("`{}`", printable(found)));
    Err(error.expected(format_args!("`{VERSION}`")).found(found).at("metadata version"))
}

fn description(file: &TensorFile<Input>) -> Result<Value> {
    let text = file.metadata("model").unwrap_or_default();
    if text.len() > LONGEST {
        return Err(Error::new(ErrorKind::Format, "too long")
            .expected(format_args!("at most {LONGEST} bytes"))
            .found(text.len()));
    }
    serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::Format, format!("not JSON: {}", printable(&error.to_string()))))
}
