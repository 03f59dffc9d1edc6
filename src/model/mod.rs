//! The model: a network's description, its parameters, and the rules for concurrent calls.
//!
//! There are two kinds of calls. *Exclusive* ones (compile, fit, set_threads, load_weights) hold `Model::session`; a
//! second one gets `Busy`. *Shared* ones (predict, evaluate, save, summary) run on any number of threads, also during a
//! fit, and wait only for the locks of the state and the parameters, between two of its steps. A call that takes both
//! locks takes the state's first; no lock is held while a callback runs.
//!
//! ```text
//! compile     optimizer, loss and metrics      parameters  all weights, in one tensor
//! plan        how its network is computed      network     computes a batch
//! predict     the forward pass alone           named_weights  weight arrays by name
//! state       the training state               scorer, score, history  loss and metrics
//! saved       the file of a whole model        config      the JSON in that file
//! formats     recognizes files by content      pytorch     a state_dict's weights
//! pool        its threads                      budget      checks the memory for a call
//! ```

mod budget;
pub mod compile;
pub(crate) mod config;
mod formats;
#[cfg(test)]
mod graph_tests;
pub(crate) mod history;
#[cfg(test)]
mod keras_tests;
#[cfg(test)]
mod loss_tests;
mod named_weights;
pub(crate) mod network;
#[cfg(test)]
mod optimizer_tests;
pub(crate) mod parameters;
pub(crate) mod plan;
pub(crate) mod pool;
mod predict;
mod pytorch;
pub(crate) mod saved;
pub(crate) mod score;
pub(crate) mod scorer;
pub(crate) mod state;

pub use compile::{CompileOptions, Compiled};
pub use history::{History, Logs};
pub use score::Metrics;

use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::files::{self, Content, FilePath};
use crate::graph::{Architecture, Graph, LayerSpec, Shape, Tensor, keras, summary};
use crate::json::nearest;
use crate::kernels::Isa;
use crate::layers::Activation;
use crate::memory::Buffer;
use crate::weights;
use network::Network;
use parameters::Parameters;
use parking_lot::{Mutex, MutexGuard, RwLock};
use plan::Purpose;
use pool::Pool;
use serde_json::Value;
use state::State;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A trainable network.
pub struct Model {
    name: String,
    pub(crate) architecture: Architecture,
    /// For each layer, whether it is trainable.
    trainable: RwLock<Vec<bool>>,
    pub(crate) parameters: Parameters,
    pub(crate) isa: Isa,
    /// Its training state.
    pub(crate) state: RwLock<State>,
    /// Held by the exclusive call that is running.
    session: Mutex<()>,
    pool: RwLock<Threads>,
    idle: Mutex<Vec<Network>>,
    /// The network of the last single step of training.
    learner: Mutex<Option<Network>>,
    pub(crate) cancel: AtomicBool,
}

/// The pool, made when it is first needed.
struct Threads {
    wanted: usize,
    pool: Option<Arc<Pool>>,
}

/// Networks kept for the next prediction.
const IDLE: usize = 4;

impl Model {
    /// The model from `input` to `output`, both of `graph`, with initial weights from the graph's seed.
    pub fn new(graph: &Graph, input: Tensor, output: Tensor, name: &str) -> Result<Self> {
        let architecture = graph.architecture(input, output)?;
        let parameters = Parameters::new(&architecture, graph.seed())?;
        Model::of(name.to_string(), architecture, parameters)
    }

    /// Loads the model in the file `path`, in a format that is recognized by its content (`formats.rs`): a file of
    /// [`save`](Self::save) or a checkpoint has weights, compile options, optimizer state and the fit's position.
    /// Memory, whatever the file: 64 bytes for each byte of its header (above 16 MiB it is rejected), and 8 for each
    /// byte after it.
    pub fn load(path: &Path) -> Result<Self> {
        let path = FilePath::of(path)?;
        Content::at(&path).and_then(formats::model).at(&path)
    }

    /// The same from the bytes of such a file. Nothing of `data` is kept.
    pub fn load_memory(data: &[u8]) -> Result<Self> {
        formats::model(Content::of(data)).at("argument `data`")
    }

    /// The model of a network and its parameters.
    pub(crate) fn of(name: String, architecture: Architecture, parameters: Parameters) -> Result<Self> {
        Ok(Model {
            name,
            parameters,
            isa: Isa::choose()?,
            trainable: RwLock::new(architecture.layers.iter().map(|layer| layer.trainable).collect()),
            architecture,
            state: RwLock::default(),
            session: Mutex::default(),
            pool: RwLock::new(Threads { wanted: 0, pool: None }),
            idle: Mutex::default(),
            learner: Mutex::default(),
            cancel: AtomicBool::new(false),
        })
    }

    /// A model read from a file.
    #[cfg(feature = "keras")]
    pub(crate) fn restored(
        name: String,
        architecture: Architecture,
        parameters: Parameters,
        state: State,
    ) -> Result<Self> {
        let model = Model::of(name, architecture, parameters)?;
        *model.state.write() = state;
        Ok(model)
    }

    /// Of each layer, whether training may change it.
    #[cfg(feature = "keras")]
    pub(crate) fn trainable(&self) -> Vec<bool> {
        self.trainable.read().clone()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keras's table of its layers.
    pub fn summary(&self) -> String {
        summary::summary(&self.name, &self.architecture, &self.trainable.read())
    }

    /// The number of parameters, including those that are not trainable.
    pub fn count_params(&self) -> usize {
        self.parameters.entries().iter().map(|entry| entry.range.len()).sum()
    }

    /// The network as Keras's `to_json()` writes it.
    pub fn config(&self) -> Value {
        keras::write(&self.architecture, &self.name, &self.trainable.read())
    }

    /// The layers, in Keras's order.
    pub fn layers(&self) -> &[LayerSpec] {
        &self.architecture.layers
    }

    /// The output shape of a layer's first call, without the batch. `NotFound` for a name that the model does not have.
    pub fn layer_shape(&self, name: &str) -> Result<&Shape> {
        let layer = self.layer(name)?;
        let call = self.architecture.calls_of(layer).next();
        call.map(|(_, call)| &call.output).ok_or_else(|| Error::internal("a layer without a call"))
    }

    /// The index of a layer.
    pub(crate) fn layer(&self, name: &str) -> Result<usize> {
        self.architecture.layer(name).ok_or_else(|| {
            let names: Vec<&str> = self.architecture.layers.iter().map(|layer| layer.name.as_str()).collect();
            Error::new(ErrorKind::NotFound, "no such layer").expected(nearest(name, &names)).found(printable(name))
        })
    }

    /// Freezes or unfreezes a layer, or all of them. A frozen batch normalization uses its moving statistics in
    /// training too. Takes effect with the next fit. Exclusive.
    pub fn set_trainable(&self, layer: Option<&str>, trainable: bool) -> Result<()> {
        let _session = self.exclusive()?;
        let layer = layer.map(|name| self.layer(name)).transpose()?;
        let mut state = self.state.write();
        let mut all = self.trainable.write();
        match layer {
            Some(layer) => all[layer] = trainable,
            None => all.fill(trainable),
        }
        state.position = None;
        self.forget_idle(); // their regularization losses differ
        Ok(())
    }

    /// The shape of a sample, for example `[H, W, C]`.
    pub fn input_shape(&self) -> &Shape {
        self.architecture.input()
    }

    /// Floats in a prediction: the number of classes.
    pub fn output_len(&self) -> usize {
        self.architecture.output().len()
    }

    /// Sets how many threads work for this model; 0, as at first, means all cores that the process may run on. The
    /// results do not depend on it. Exclusive.
    pub fn set_threads(&self, threads: usize) -> Result<()> {
        let _session = self.exclusive()?;
        let pool = Arc::new(Pool::new(threads)?);
        *self.pool.write() = Threads { wanted: threads, pool: Some(pool) };
        self.forget_idle();
        Ok(())
    }

    /// Sets optimizer, loss and metrics for `fit`; the optimizer state is discarded. Exclusive.
    pub fn compile(&self, options: &CompileOptions) -> Result<()> {
        let _session = self.exclusive()?;
        let compiled = Compiled::new(options, &self.architecture)?;
        *self.state.write() = State { compiled: Some(compiled), ..State::default() };
        self.forget_idle(); // the loss may compute their last activation
        Ok(())
    }

    /// Asks a running fit to stop after its current step. Does nothing if none is running; may be called from any
    /// thread, a callback or a signal handler.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    /// Writes the weights as safetensors, all of one step. The file is replaced atomically.
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        self.save_weights_at(&FilePath::of(path)?)
    }

    /// The same for a resolved path.
    pub(crate) fn save_weights_at(&self, path: &FilePath) -> Result<()> {
        let saved = self.saved_weights()?;
        files::save(path, |out| saved(out))
    }

    /// A function that writes such a file, any number of times, with a snapshot of the current weights.
    pub fn saved_weights(&self) -> Result<impl Fn(&mut dyn Write) -> Result<()> + use<'_>> {
        let values = self.parameters.snapshot()?;
        Ok(move |out: &mut dyn Write| {
            let entries = saved::weight_entries(self.parameters.entries(), &values);
            weights::write(out, &[("format", saved::WEIGHTS)], &entries)
        })
    }

    /// Reads weights from a file of [`save_weights`](Self::save_weights), of a whole model, of PyTorch, or in another
    /// format (`formats.rs`). The file must have exactly this model's weights; otherwise the model does not change. The
    /// optimizer state is kept; the position of an earlier fit is discarded. Memory, whatever the file: a copy of the
    /// weights, and 64 bytes for each byte of the file's header. Exclusive.
    pub fn load_weights(&self, path: &Path) -> Result<()> {
        let path = FilePath::of(path)?;
        self.take_weights(|| Content::at(&path).and_then(|content| formats::weights(self, content)).at(&path))
    }

    /// The same of what such a file holds. Nothing is kept of `data`.
    pub fn load_weights_memory(&self, data: &[u8]) -> Result<()> {
        self.take_weights(|| formats::weights(self, Content::of(data)).at("argument `data`"))
    }

    /// The same for a PyTorch state_dict in a safetensors file, with names assigned by `map` (see
    /// `weights::pytorch::by_map`).
    pub fn load_weights_mapped(&self, path: &Path, map: &Value) -> Result<()> {
        let path = FilePath::of(path)?;
        let read = |content| self.pytorch_weights(&mut weights::open(content)?, Some(map));
        self.take_weights(|| Content::at(&path).and_then(read).at(&path))
    }

    /// Replaces the weights by the result of `read`, if it succeeds. Exclusive.
    fn take_weights(&self, read: impl FnOnce() -> Result<Buffer>) -> Result<()> {
        let _session = self.exclusive()?;
        let loaded = read()?;
        let mut state = self.state.write();
        self.parameters.write(|all| all.copy_from_slice(&loaded))?;
        state.position = None;
        Ok(())
    }

    /// Writes the whole model: network, weights, compile options, optimizer state, and the position of the running or
    /// last fit, all of one step. The file is replaced atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        self.save_at(&FilePath::of(path)?)
    }

    /// The same, of a path that was looked at before.
    pub(crate) fn save_at(&self, path: &FilePath) -> Result<()> {
        let saved = self.saved()?;
        files::save(path, |out| saved(out))
    }

    /// A function that writes such a file, any number of times, with a snapshot of the current model.
    pub fn saved(&self) -> Result<impl Fn(&mut dyn Write) -> Result<()> + use<'_>> {
        let (weights, state) = self.moment()?;
        Ok(move |out: &mut dyn Write| saved::write(out, self, &weights, &state))
    }

    /// A snapshot of the weights and the state, taken between two steps.
    pub(crate) fn moment(&self) -> Result<(Buffer, State)> {
        let state = self.state.read();
        Ok((self.parameters.snapshot()?, state.copy()?))
    }

    /// Sets the learning rate from the next step on; also during a fit, from its callback or another thread. `State`
    /// before compile and for an optimizer with a schedule, `InvalidArgument` for an invalid rate.
    pub fn set_learning_rate(&self, rate: f64) -> Result<()> {
        if !(rate >= 0.0 && rate.is_finite()) {
            let error = Error::new(ErrorKind::InvalidArgument, "out of range").expected("0 or more, and finite");
            return Err(error.found(rate).at("argument `learning_rate`"));
        }
        let mut state = self.state.write();
        if let Some(schedule) = state.compiled()?.optimizer.schedule() {
            let error = Error::new(ErrorKind::State, "the learning rate is set by the optimizer's schedule");
            let expected = "an optimizer whose learning_rate is a number";
            return Err(error.expected(expected).found(schedule.class()).at("model"));
        }
        state.learning_rate = Some(rate);
        Ok(())
    }

    /// The learning rate of the next step. `State` before compile.
    pub fn learning_rate(&self) -> Result<f64> {
        let state = self.state.read();
        let own = state.compiled()?.optimizer.rate(state.moments.steps);
        Ok(state.learning_rate.unwrap_or(own))
    }

    /// Begins an exclusive call.
    pub(crate) fn exclusive(&self) -> Result<MutexGuard<'_, ()>> {
        self.session
            .try_lock()
            .ok_or_else(|| Error::new(ErrorKind::Busy, "another call that changes the model is running").at("model"))
    }

    /// The thread pool, started if necessary.
    pub(crate) fn pool(&self) -> Result<Arc<Pool>> {
        if let Some(pool) = &self.pool.read().pool {
            return Ok(pool.clone());
        }
        let mut threads = self.pool.write();
        if let Some(pool) = &threads.pool {
            return Ok(pool.clone());
        }
        match Pool::new(threads.wanted) {
            Ok(pool) => Ok(threads.pool.insert(Arc::new(pool)).clone()),
            // A limit or a filter of the host prevents threads: the caller's thread does all work, and the next call
            // tries again.
            Err(_) => Ok(Arc::new(Pool::without_threads())),
        }
    }

    /// Passes a network for predictions of up to `batch` samples to `task`, an idle one if there is.
    pub(crate) fn with_network<R>(&self, batch: usize, task: impl FnOnce(&Pool, &mut Network) -> R) -> Result<R> {
        let pool = self.pool()?;
        let omitted = self.omitted();
        let idle = {
            let mut idle = self.idle.lock();
            let found = idle.iter().position(|network| network.serves(batch, pool.threads(), omitted));
            found.map(|i| idle.swap_remove(i))
        };
        let mut network = match idle {
            Some(network) => network,
            None => {
                self.check_memory(batch, |batch| self.network(&pool, batch, false).map(drop))?;
                self.network(&pool, batch, false)?
            }
        };
        let result = task(&pool, &mut network);
        // Does not wait: in a forked child the lock's owner may never return.
        if let Some(mut idle) = self.idle.try_lock().filter(|idle| idle.len() < IDLE) {
            idle.push(network);
        }
        Ok(result)
    }

    /// Whether there is an idle network for predictions of up to `batch` samples.
    pub(crate) fn has_idle(&self, batch: usize, pool: &Pool) -> bool {
        let omitted = self.omitted();
        self.idle.lock().iter().any(|network| network.serves(batch, pool.threads(), omitted))
    }

    /// The last activation that networks omit: the loss or the prediction computes it.
    fn omitted(&self) -> Option<Activation> {
        match &self.state.read().compiled {
            Some(compiled) => compiled.absorbs(&self.architecture),
            None => Some(Activation::Softmax),
        }
    }

    /// Frees idle networks.
    pub(crate) fn forget_idle(&self) {
        self.idle.lock().clear();
        self.forget_learner();
    }

    /// The network of the last single step, if it fits such a batch.
    pub(crate) fn take_learner(&self, batch: usize, pool: &Pool) -> Option<Network> {
        let omitted = self.omitted();
        self.learner.lock().take().filter(|network| network.serves(batch, pool.threads(), omitted))
    }

    /// Keeps it for the next one.
    pub(crate) fn keep_learner(&self, network: Network) {
        *self.learner.lock() = Some(network);
    }

    /// Frees it.
    pub(crate) fn forget_learner(&self) {
        *self.learner.lock() = None;
    }

    /// A network of this model.
    pub(crate) fn network(&self, pool: &Pool, batch: usize, training: bool) -> Result<Network> {
        let purpose = Purpose { training, trainable: &self.trainable.read(), omitted: self.omitted() };
        self.network_of(&self.architecture, pool, batch, purpose)
    }

    /// A network of a part of this model.
    pub(crate) fn network_of(
        &self,
        architecture: &Architecture,
        pool: &Pool,
        batch: usize,
        purpose: Purpose<'_>,
    ) -> Result<Network> {
        Network::new(architecture, &self.parameters, self.isa, pool.threads(), batch, purpose)
            .at(format_args!("a batch of {batch}"))
    }
}
