//! Models and weights in Keras's own files, in and out.
//!
//! ```text
//! h5          HDF5, as much of it as h5py writes for Keras
//! config      what config.json says of the network, and how it was compiled
//! legacy      the same as Keras 2 said it
//! layers      where in a file the layers' weights are
//! optimizer   which variables an optimizer has, and in which order
//! write       a `.keras` file
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
//! A whole model of Keras 2 (`.h5`) is an HDF5 file with the attributes `model_config` and `training_config` and the groups
//! `model_weights` and `optimizer_weights`. Weights alone are such an HDF5 file: `.weights.h5` has the first's tree, an older
//! `.h5` what the second has in `model_weights`.
//!
//! What a file is is told by its content. Everything is in memory while it is read: a `.keras` file takes its length and that of
//! what it unpacks to.

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

/// The longest config that is read, in bytes: some ten thousand layers.
const LONGEST: u64 = 16 << 20;
/// How many times its length must be to spare before a config is read.
const COST: usize = 20;

/// The model that a file's bytes are, with what it was compiled with, and its optimizer's state.
///
/// # Errors
/// They name the member, the key, the group or the dataset: `Format` for what is no such file or damaged, `Unsupported` for a
/// layer, an optimizer, a loss or a setting that this library does not have, `NotFound` for a part that is missing, `Shape` for
/// weights that do not go with the network; `OutOfMemory`.
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

/// The weights in a file's bytes, for the model that has `architecture` and `parameters`: of a file of weights, or of a whole
/// model.
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

/// JSON, if there is the memory for it.
fn parse(text: &[u8]) -> Result<Value> {
    memory::spare(text.len().saturating_mul(COST))?;
    json::of_file(text)
}

/// The model that was described, with what the file has of it.
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
    /// Writes the whole model as a `.keras` file, which Keras 3 loads, compiles and goes on training: the network, the weights,
    /// what it was compiled with and the optimizer's state, all of one step. (How far a fit has come is no part of it.) The
    /// file is whole or as it was before; the same model makes the same bytes.
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
