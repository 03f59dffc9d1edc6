//! Reads and writes models and weights in Keras files.
//!
//! ```text
//! h5          HDF5, as much of it as h5py writes for Keras
//! config      config.json: the network and its compile options
//! legacy      the same for Keras 2
//! layers      the layers' weights in a file
//! optimizer   an optimizer's variables and their order
//! write       writes a `.keras` file
//! ```
//!
//! A `.keras` file (Keras 3, and 2 from 2.12 on) is a zip archive:
//!
//! ```text
//! metadata.json      {"keras_version": "3.15.1", "date_saved": "..."}
//! config.json        what `to_json()` says, and `compile_config`
//! model.weights.h5   /layers/conv2d/vars/0, /optimizer/vars/0, ...
//! ```
//!
//! A whole model of Keras 2 (`.h5`) is an HDF5 file with the attributes `model_config` and `training_config` and the
//! groups `model_weights` and `optimizer_weights`. Weights alone are such an HDF5 file: `.weights.h5` has the tree of
//! the former, an older `.h5` the content of the latter's `model_weights`.
//!
//! The format is recognized by the content. Everything is in memory while it is read: a `.keras` file needs its length
//! and its unpacked length.

mod config;
#[doc(hidden)] // for the fuzzing, not for use
pub mod h5;
mod layers;
mod legacy;
mod optimizer;
#[cfg(test)]
mod tests;
mod write;

use crate::data::Archive;
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{self, FilePath};
use crate::graph::Architecture;
use crate::json;
use crate::memory::{self, Buffer, Bytes};
use crate::model::Model;
use crate::model::parameters::Parameters;
use crate::model::state::State;
use config::Described;
use h5::{Group, Hdf5};
use serde_json::Value;
use std::io::{Read, Seek};
use std::path::Path;

/// The archive's members.
const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
const WEIGHTS: &str = "model.weights.h5";

/// The longest accepted config, in bytes: some ten thousand layers.
const LONGEST: u64 = 16 << 20;
/// The free memory required before a config is read, in multiples of its length.
const COST: usize = 20;

/// Reads a model from a file's bytes, with its compile options and optimizer state.
///
/// # Errors
/// They name the member, the key, the group or the dataset: `Format` for another kind of file or a damaged one,
/// `Unsupported` for a layer, an optimizer, a loss or a setting that this library does not have, `NotFound` for a part
/// that is missing, `Shape` for weights that do not fit the network; `OutOfMemory`.
pub fn read(bytes: &[u8]) -> Result<Model> {
    if bytes.starts_with(h5::SIGNATURE) {
        let file = Hdf5::open(bytes)?;
        let root = file.root()?;
        let described = legacy::describe(&root)?;
        return restore(described, &root);
    }
    let mut archive = Archive::of(bytes)?;
    let config = member(&mut archive, CONFIG, LONGEST)?;
    let described = parse(&config).and_then(|mut value| {
        legacy::modern(&mut value);
        config::describe(&value)
    });
    let described = described.at(format_args!("member {CONFIG}"))?;
    let weights = member(&mut archive, WEIGHTS, u64::MAX)?;
    let read = || restore(described, &Hdf5::open(&weights)?.root()?);
    read().at(format_args!("member {WEIGHTS}"))
}

/// Reads the weights from a file's bytes, for a model with `architecture` and `parameters`: of a weights file or of a
/// whole model.
///
/// # Errors
/// As [`read`]'s.
pub fn read_weights(bytes: &[u8], architecture: &Architecture, parameters: &Parameters) -> Result<Buffer> {
    let order: Vec<usize> = (0..architecture.layers.len()).collect();
    let read = |bytes: &[u8]| {
        let mut all = Buffer::zeros(parameters.len())?;
        layers::read(&Hdf5::open(bytes)?.root()?, architecture, &order, parameters, &mut all)?;
        Ok(all)
    };
    if bytes.starts_with(h5::SIGNATURE) {
        return read(bytes);
    }
    let weights = member(&mut Archive::of(bytes)?, WEIGHTS, u64::MAX)?;
    read(&weights).at(format_args!("member {WEIGHTS}"))
}

/// A member that must be there.
fn member<R: Read + Seek>(archive: &mut Archive<R>, name: &str, most: u64) -> Result<Vec<u8>> {
    archive
        .read(name, most)?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "missing from the archive").at(format_args!("member {name}")))
}

/// Parses JSON, if there is enough memory.
fn parse(text: &[u8]) -> Result<Value> {
    memory::spare(text.len().saturating_mul(COST))?;
    json::of_file(text)
}

/// Builds the described model with the file's weights and state.
fn restore(described: Described, root: &Group<'_, '_>) -> Result<Model> {
    let Described { name, architecture, order, compiled } = described;
    let parameters = Parameters::zeros(&architecture)?;
    parameters.write(|all| layers::read(root, &architecture, &order, &parameters, all))??;
    let mut state = State::default();
    if let Some(compiled) = compiled {
        state = optimizer::read(root, &architecture, &order, &parameters, compiled)?;
    }
    Model::restored(name, architecture, parameters, state)
}

impl Model {
    /// Writes the whole model as a `.keras` file, for Keras 3 to load and continue to train: the network, the weights,
    /// the compile options and the optimizer state, all of one step. (It does not contain the position of a fit.) The
    /// file is replaced atomically; the same model gives the same bytes.
    pub fn save_keras(&self, path: &Path) -> Result<()> {
        let path = FilePath::of(path)?;
        let (weights, state) = self.moment()?;
        files::replace(&path, |file| write::write(self, &weights, &state, file)).at(&path)
    }

    /// The bytes of such a file, in memory.
    pub fn saved_keras(&self) -> Result<Bytes> {
        let (weights, state) = self.moment()?;
        let mut bytes = Bytes::default();
        write::write(self, &weights, &state, &mut bytes)?;
        Ok(bytes)
    }
}
