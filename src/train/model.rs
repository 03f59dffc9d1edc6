//! The model: a network's description, its parameters, and who may do what with them at the same time.
//!
//! Calls fall in two kinds. *Exclusive* ones (compile, fit, set_threads, load_weights) hold [`Model::session`]; a second
//! one is told `Busy`. *Shared* ones (predict, evaluate, save, summary) run on any number of threads, also while a fit
//! runs, and meet it only at the parameters' lock, between two of its steps.

use super::network::Network;
use super::options::{AdamOptions, CompileOptions, Loss, Optimizer};
use super::parameters::{Entry, Parameters};
use super::pool::Pool;
use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::{Activation, Graph, LayerSpec, Shape, Tensor, summary};
use crate::kernels::Isa;
use crate::memory::Buffer;
use crate::weights;
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A trainable network.
pub struct Model {
    name: String,
    pub(super) layers: Vec<LayerSpec>,
    pub(super) parameters: Parameters,
    pub(super) isa: Isa,
    session: Mutex<Session>,
    pool: RwLock<Threads>,
    idle: Mutex<Vec<Network>>,
    pub(super) cancel: AtomicBool,
}

/// What exclusive calls work on.
#[derive(Default)]
pub(super) struct Session {
    pub(super) compiled: Option<Compiled>,
}

/// A model that may be fitted.
pub(super) struct Compiled {
    pub(super) adam: AdamOptions,
    pub(super) accuracy: bool,
    /// Made by the first fit.
    pub(super) moments: Option<Moments>,
}

/// Adam's state, laid out as the parameters.
pub(super) struct Moments {
    pub(super) m: Buffer,
    pub(super) v: Buffer,
    /// Steps taken.
    pub(super) steps: u64,
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
        let layers = graph.chain(input, output)?;
        Ok(Model {
            name: name.to_string(),
            parameters: Parameters::new(&layers, graph.seed())?,
            isa: Isa::choose()?,
            layers,
            session: Mutex::default(),
            pool: RwLock::new(Threads { wanted: 0, pool: None }),
            idle: Mutex::default(),
            cancel: AtomicBool::new(false),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keras's table of its layers.
    pub fn summary(&self) -> String {
        summary::summary(&self.name, &self.layers)
    }

    /// How many numbers training may change.
    pub fn count_params(&self) -> usize {
        self.parameters.entries().iter().map(|entry| entry.range.len()).sum()
    }

    /// The shape of an image, `[H, W, C]`.
    pub fn input_shape(&self) -> &Shape {
        &self.layers[0].output
    }

    /// Floats in a prediction: the classes.
    pub fn output_len(&self) -> usize {
        self.last().output.len()
    }

    /// Sets how many threads work for this model; 0, as at first, means all cores that the process may run on. The
    /// results do not depend on it. Exclusive.
    pub fn set_threads(&self, threads: usize) -> Result<()> {
        let _session = self.exclusive()?;
        let pool = Arc::new(Pool::new(threads)?);
        *self.pool.write() = Threads { wanted: threads, pool: Some(pool) };
        self.idle.lock().clear();
        Ok(())
    }

    /// Prepares for `fit`: sets the optimizer, forgetting what an earlier one has gathered. Exclusive.
    pub fn compile(&self, options: &CompileOptions) -> Result<()> {
        let mut session = self.exclusive()?;
        let Optimizer::Adam(adam) = options.optimizer;
        adam.check()?;
        let found = self.check_classifier()?;
        let wanted = match options.loss {
            Loss::SparseCategoricalCrossentropy => Activation::Softmax,
            Loss::SparseCategoricalCrossentropyFromLogits => Activation::Linear,
        };
        if found != wanted {
            let what = format!("the loss {:?} does not fit the last layer's activation", options.loss);
            return Err(Error::new(ErrorKind::InvalidArgument, what)
                .expected(format_args!("{wanted:?}"))
                .found(format_args!("{found:?}"))
                .at(format_args!("layer {}", self.last().name)));
        }
        session.compiled = Some(Compiled { adam, accuracy: options.accuracy, moments: None });
        Ok(())
    }

    /// Asks the fit that is running to stop after its step. Does nothing else, and nothing when none is running; may be
    /// called from any thread, a callback or a signal handler.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    /// Writes the weights as safetensors, all of one step. The file is whole or as it was before.
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        let values = self.parameters.snapshot()?;
        let entries = self.parameters.entries().iter().map(|entry| weights::Entry {
            name: entry.name.clone(),
            shape: entry.shape.clone(),
            values: weights::Values::F32(&values[entry.range.clone()]),
        });
        weights::save(path, &[("format", "mnist")], &entries.collect::<Vec<_>>())
    }

    /// Reads weights that [`save_weights`](Self::save_weights) or anyone else wrote in that form. The file must hold
    /// this model's tensors, all of them and no others; otherwise the model stays as it was. Exclusive.
    pub fn load_weights(&self, path: &Path) -> Result<()> {
        let _session = self.exclusive()?;
        let loaded = self.read_weights(path).at(path.display())?;
        self.parameters.write(|all| all.copy_from_slice(&loaded))
    }

    fn read_weights(&self, path: &Path) -> Result<Buffer> {
        let entries = self.parameters.entries();
        let expected = |entry: &Entry| weights::Expected {
            name: entry.name.clone(),
            dtype: weights::Dtype::F32,
            shape: entry.shape.clone(),
        };
        let mut file = weights::open(path)?;
        file.check(&entries.iter().map(expected).collect::<Vec<_>>(), |_| false)?;
        let mut all = Buffer::zeros(self.parameters.len())?;
        entries.iter().try_for_each(|entry| file.read_f32(&entry.name, &mut all[entry.range.clone()]))?;
        Ok(all)
    }

    fn last(&self) -> &LayerSpec {
        &self.layers[self.layers.len() - 1]
    }

    /// Makes sure that the model gives a row of classes, as probabilities or as logits, and says which.
    pub(super) fn check_classifier(&self) -> Result<Activation> {
        let last = self.last();
        let at = format!("layer {}", last.name);
        if last.output.dims().len() != 1 {
            return Err(Error::new(ErrorKind::Shape, "the loss takes a row of classes from the last layer")
                .expected("[classes]")
                .found(&last.output)
                .at(at));
        }
        match last.activation() {
            found @ (Activation::Softmax | Activation::Linear) if !self.parameters.entries().is_empty() => Ok(found),
            found => Err(Error::new(ErrorKind::Unsupported, "the last layer gives neither probabilities nor logits")
                .expected("weights, and Softmax or Linear")
                .found(format_args!("{found:?}"))
                .at(at)),
        }
    }

    /// Enters an exclusive call.
    pub(super) fn exclusive(&self) -> Result<MutexGuard<'_, Session>> {
        self.session
            .try_lock()
            .ok_or_else(|| Error::new(ErrorKind::Busy, "another call that changes the model is running").at("model"))
    }

    /// The pool, started if it was not.
    pub(super) fn pool(&self) -> Result<Arc<Pool>> {
        if let Some(pool) = &self.pool.read().pool {
            return Ok(pool.clone());
        }
        let mut threads = self.pool.write();
        if let Some(pool) = &threads.pool {
            return Ok(pool.clone());
        }
        let pool = Arc::new(Pool::new(threads.wanted)?);
        threads.pool = Some(pool.clone());
        Ok(pool)
    }

    /// Lends a network for predictions of up to `batch` samples, one that lies idle if there is.
    pub(super) fn with_network<R>(&self, batch: usize, task: impl FnOnce(&Pool, &mut Network) -> R) -> Result<R> {
        let pool = self.pool()?;
        let idle = {
            let mut idle = self.idle.lock();
            let found = idle.iter().position(|network| network.serves(batch, pool.threads()));
            found.map(|i| idle.swap_remove(i))
        };
        let mut network = match idle {
            Some(network) => network,
            None => self.network(&pool, batch, false)?,
        };
        let result = task(&pool, &mut network);
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(network);
        }
        Ok(result)
    }

    /// A network of this model.
    pub(super) fn network(&self, pool: &Pool, batch: usize, training: bool) -> Result<Network> {
        Network::new(&self.layers, &self.parameters, self.isa, pool.threads(), batch, training)
            .at(format_args!("a batch of {batch}"))
    }
}
