//! `mnist_model`.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::graph::{mnist_tensor, with_ends};
use super::guard;
use super::options::{self, Options, unknown};
use super::output::{Sink, mnist_write_fn};
use super::pointers::{Handle, borrow, give, out, peek, string, take, write_dims};
use crate::error::{At, Error, ErrorKind, Result};
use crate::json::{self, Named};
use crate::kernels::process::Process;
use crate::losses::{self, Crossentropy, Loss};
use crate::model::{CompileOptions, Model};
use crate::optimizers::{self, Adam, AdamW, Betas, Optimizer, RmsProp, Sgd};
use std::ffi::{CString, c_char, c_void};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A network with its weights and its training state.
pub struct mnist_model {
    pub(super) model: ManuallyDrop<Model>,
    /// Its weights' names, as C strings.
    pub(super) weight_names: Vec<CString>,
    /// Its layers' names and classes, as C strings.
    pub(super) layer_names: Vec<(CString, CString)>,
    /// The process that created it.
    process: Process,
}

impl mnist_model {
    pub(super) fn new(model: Model) -> Self {
        // Names are layer names (without control characters) with `/kernel` or `/bias`: they contain no NUL.
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let weight_names = model.weight_names().map(text).collect();
        let layers = model.layers().iter();
        let layer_names = layers.map(|layer| (text(&layer.name), text(layer.layer.class()))).collect();
        mnist_model { model: ManuallyDrop::new(model), weight_names, layer_names, process: Process::current() }
    }

    /// The model, unless this is a forked child: there its threads are missing, and a lock that one of them held would
    /// never be released.
    pub(super) fn get(&self) -> Result<&Model> {
        match self.process == Process::current() {
            true => Ok(&self.model),
            false => Err(Error::new(
                ErrorKind::State,
                "the model belongs to another process, from which this one was forked",
            )
            .expected("a model that this process has made or loaded")
            .at("argument `model`")),
        }
    }
}

impl Drop for mnist_model {
    fn drop(&mut self) {
        if self.process == Process::current() {
            // SAFETY: it is dropped here and nowhere else. In a forked child it is leaked: there are no threads to wait
            // for.
            unsafe { ManuallyDrop::drop(&mut self.model) };
        }
    }
}

impl Handle for mnist_model {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistmod");
}

/// Adam (Kingma and Ba 2015) with Keras's formula.
pub const MNIST_OPTIMIZER_ADAM: u32 = 1;
/// Stochastic gradient descent without momentum; learning rate 0.01.
pub const MNIST_OPTIMIZER_SGD: u32 = 2;
/// RMSprop (Tieleman and Hinton 2012); rho 0.9.
pub const MNIST_OPTIMIZER_RMSPROP: u32 = 3;
/// AdamW (Loshchilov and Hutter 2019); weight decay 0.004.
pub const MNIST_OPTIMIZER_ADAMW: u32 = 4;

/// Crossentropy of labels, the mean of -log(probability of the label), for a model that ends in softmax.
pub const MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY: u32 = 1;
/// The same for a model that ends in a linear layer and gives logits.
pub const MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS: u32 = 2;

/// Crossentropy of targets `[N, classes]`, one probability per class.
pub const MNIST_LOSS_CATEGORICAL_CROSSENTROPY: u32 = 3;
/// Crossentropy of each output on its own, with targets from 0 to 1, for a model that ends in sigmoid.
pub const MNIST_LOSS_BINARY_CROSSENTROPY: u32 = 4;
/// The mean of the squared errors.
pub const MNIST_LOSS_MEAN_SQUARED_ERROR: u32 = 5;
/// The mean of the absolute errors.
pub const MNIST_LOSS_MEAN_ABSOLUTE_ERROR: u32 = 6;

/// The fraction of samples whose most probable class is their label.
pub const MNIST_METRIC_ACCURACY: u32 = 1;

/// Options of mnist_model_compile; fill them in with mnist_compile_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_compile_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// The optimizer, one of the constants MNIST_OPTIMIZER_..., with Keras's defaults for its other settings. Default:
    /// MNIST_OPTIMIZER_ADAM.
    pub optimizer: u32,
    /// The learning rate, 0 or more. The value 0.001 means the optimizer's own default, which is 0.01 for
    /// MNIST_OPTIMIZER_SGD. Default: 0.001.
    pub learning_rate: f64,
    /// Adam and AdamW: the decay of the first moment (the gradients' mean), from 0 to below 1. Default: 0.9.
    pub beta_1: f64,
    /// Adam and AdamW: the decay of the second moment (the gradients' mean square), from 0 to below 1. Default: 0.999.
    pub beta_2: f64,
    /// Adam, AdamW and RMSprop: added to the denominator of a step, above 0. Default: 1e-7.
    pub epsilon: f64,
    /// The loss, one of the constants MNIST_LOSS_.... Default: MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY.
    pub loss: u32,
    /// The metrics, a sum of constants MNIST_METRIC_.... Default: MNIST_METRIC_ACCURACY.
    pub metrics: u32,
    /// The optimizer as Keras serializes it, in JSON5: "{class_name: 'SGD', config: {learning_rate: 0.1, momentum: 0.9,
    /// nesterov: true}}", or a class name alone, "'RMSprop'". It replaces `optimizer` and its settings. Classes:
    /// Adadelta, Adagrad, Adam, Adamax, AdamW, Ftrl, Lion, Nadam, RMSprop, SGD, with all of Keras's keys except
    /// loss_scale_factor. learning_rate may be a schedule: CosineDecay, CosineDecayRestarts, ExponentialDecay,
    /// InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay (docs/optimizers.md). NULL: `optimizer` and its
    /// settings. Default: NULL.
    pub optimizer_config: *const c_char,
    /// The loss in the same form: "'mse'", or "{class_name: 'BinaryCrossentropy', config: {label_smoothing: 0.1}}".
    /// Classes: SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy, BinaryFocalCrossentropy,
    /// CategoricalFocalCrossentropy, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    /// MeanSquaredLogarithmicError, LogCosh, Poisson, KLDivergence, Hinge, SquaredHinge, Huber, CategoricalHinge,
    /// CosineSimilarity, and Keras's short names for them. The first takes labels; the others take targets of the shape
    /// of the model's output, and labels if the output is one number. NULL: `loss`. Default: NULL.
    pub loss_config: *const c_char,
    /// The metrics in the same form: "['accuracy', {class_name: 'AUC', config: {curve: 'PR'}}]" or "[]". Classes: every
    /// loss, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy ("accuracy" selects the one that fits),
    /// SparseTopKCategoricalAccuracy, TopKCategoricalAccuracy, Precision, Recall, TruePositives, FalsePositives,
    /// TrueNegatives, FalseNegatives, F1Score, FBetaScore, AUC, RootMeanSquaredError, R2Score. A metric's name in the
    /// history is the `name` in its config, or the short name you gave, or its class in snake_case: "auc". NULL:
    /// `metrics`. Default: NULL.
    pub metrics_config: *const c_char,
}

// SAFETY: numbers, and pointers that are checked for NULL, behind a usize.
unsafe impl Options for mnist_compile_options {
    const DEFAULT: Self = mnist_compile_options {
        struct_size: size_of::<Self>(),
        optimizer: MNIST_OPTIMIZER_ADAM,
        learning_rate: 1e-3,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
        loss: MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY,
        metrics: MNIST_METRIC_ACCURACY,
        optimizer_config: std::ptr::null(),
        loss_config: std::ptr::null(),
        metrics_config: std::ptr::null(),
    };
    const FIRST: usize = std::mem::offset_of!(Self, optimizer_config);
}

impl mnist_compile_options {
    /// Reads the options.
    ///
    /// # Safety
    /// The configs are NULL or NUL-terminated strings.
    unsafe fn convert(&self) -> Result<CompileOptions> {
        let mut options = CompileOptions { optimizer: self.optimizer()?, loss: self.loss()?, metrics: self.metrics()? };
        // SAFETY: the caller's.
        unsafe {
            if let Some(value) = config(self.optimizer_config, "optimizer_config")? {
                let place = "option `optimizer_config`";
                let named = Named::read(&value, String::new());
                let optimizer = named.and_then(|named| optimizers::read(&named));
                options.optimizer = optimizer.map_err(|error| error.as_argument()).at(place)?;
            }
            if let Some(value) = config(self.loss_config, "loss_config")? {
                let loss = Named::read(&value, String::new()).and_then(|named| losses::read(&named));
                options.loss = loss.map_err(|error| error.as_argument()).at("option `loss_config`")?;
            }
            if let Some(value) = config(self.metrics_config, "metrics_config")? {
                options.metrics = value;
            }
        }
        Ok(options)
    }

    fn optimizer(&self) -> Result<Arc<dyn Optimizer>> {
        let mnist_compile_options { optimizer, learning_rate, beta_1, beta_2, epsilon, .. } = *self;
        let rate = |own: f64| if learning_rate == Self::DEFAULT.learning_rate { own } else { learning_rate };
        let betas = Betas { learning_rate, beta_1, beta_2, epsilon, ..Betas::default() };
        let default = RmsProp::default();
        Ok(match optimizer {
            MNIST_OPTIMIZER_ADAM => Arc::new(Adam { betas, amsgrad: false }),
            MNIST_OPTIMIZER_ADAMW => {
                let weight_decay = AdamW::default().0.betas.weight_decay;
                Arc::new(AdamW(Adam { betas: Betas { weight_decay, ..betas }, amsgrad: false }))
            }
            MNIST_OPTIMIZER_SGD => Arc::new(Sgd { learning_rate: rate(0.01), ..Sgd::default() }),
            MNIST_OPTIMIZER_RMSPROP => Arc::new(RmsProp { learning_rate, epsilon, ..default }),
            _ => return Err(unknown("optimizer", "a constant MNIST_OPTIMIZER_...", optimizer)),
        })
    }

    fn loss(&self) -> Result<Arc<dyn Loss>> {
        let class = match self.loss {
            MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY => return Ok(Arc::new(Crossentropy::sparse(false))),
            MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS => return Ok(Arc::new(Crossentropy::sparse(true))),
            MNIST_LOSS_CATEGORICAL_CROSSENTROPY => "CategoricalCrossentropy",
            MNIST_LOSS_BINARY_CROSSENTROPY => "BinaryCrossentropy",
            MNIST_LOSS_MEAN_SQUARED_ERROR => "MeanSquaredError",
            MNIST_LOSS_MEAN_ABSOLUTE_ERROR => "MeanAbsoluteError",
            _ => return Err(unknown("loss", "a constant MNIST_LOSS_...", self.loss)),
        };
        losses::read(&Named::read(&class.into(), String::new())?)
    }

    fn metrics(&self) -> Result<serde_json::Value> {
        match self.metrics {
            0 => Ok(serde_json::json!([])),
            MNIST_METRIC_ACCURACY => Ok(serde_json::json!(["accuracy"])),
            _ => Err(unknown("metrics", "0 or MNIST_METRIC_ACCURACY", self.metrics)),
        }
    }
}

/// The value of an option in JSON5; `None` for NULL.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string.
pub(super) unsafe fn config(text: *const c_char, option: &str) -> Result<Option<serde_json::Value>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's.
    let text = unsafe { string(text, option) }?;
    json::parse(text).map(Some).map_err(|error| error.as_argument()).at(format_args!("option `{option}`"))
}

/// Creates a model of the layers from `input`, a tensor of mnist_input or mnist_input_shape, to `output`. Its weights
/// are initialized with the graph's seed. `name` appears in the summary; NULL means "model". On success `*out` is a new
/// model; free it with mnist_model_free. The graph is not needed any more.
///
/// Errors: the first error of a layer function of the graph; INVALID_ARGUMENT for tensors that are not connected;
/// OUT_OF_MEMORY. The environment variable MNIST_ISA ("avx512", "avx2" or "portable"; empty means unset) forces the
/// instruction set that the model computes with: INVALID_ARGUMENT for another word, UNSUPPORTED if the machine does not
/// have it. (All instruction sets give the same results.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_new(
    input: *const mnist_tensor,
    output: *const mnist_tensor,
    name: *const c_char,
    out: *mut *mut mnist_model,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let out = self::out(out, "out")?;
            let name = if name.is_null() { "model" } else { string(name, "name")? };
            let model = with_ends(input, output, |graph, input, output| Model::new(graph, input, output, name))?;
            out.write(give(mnist_model::new(model)));
        }
        Ok(MNIST_OK)
    })
}

/// Frees a model after its threads have ended. NULL is allowed. No other call may use the model at the same time. In a
/// child process that was forked after the model was made it does not wait, and the memory is not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_free(model: *mut mnist_model) {
    // SAFETY: by the contract it is NULL or came from this library and was not freed.
    guard::value((), || unsafe { take(model) })
}

/// Writes Keras's summary table: layers, output shapes and numbers of parameters. The text goes to `write`, which
/// receives `user_data`; a NULL `write` means stdout.
///
/// Errors: IO if stdout is wide-oriented (fwide) and takes no bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_summary(
    model: *const mnist_model,
    write: mnist_write_fn,
    user_data: *mut c_void,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        let text = unsafe { borrow(model, "model") }?.get()?.summary();
        let sink = Sink::new(write, user_data);
        sink.ready()?;
        sink.write(&text);
        sink.check()?;
        Ok(MNIST_OK)
    })
}

/// Returns the number of parameters of the model, including those that training does not change; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_count_params(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.model.count_params()))
}

/// Gets the shape of a sample that the model takes, without the batch, for example `[height, width, channels]`. Returns
/// the rank, 1 to 3; 0 for NULL. Writes as many sizes to `dims` as `capacity` has room for; with a `capacity` of 0
/// `dims` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_input_shape(
    model: *const mnist_model,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    guard::value(0, || {
        // SAFETY: by the contract they are NULL or what the header says.
        unsafe { peek(model).map_or(0, |model| write_dims(model.model.input_shape().dims(), dims, capacity)) }
    })
}

/// Returns the number of floats that the model gives for a sample, which is the number of classes of a classifier; 0
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_output_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.model.output_len()))
}

/// Sets the number of threads that this model computes with, 1 to 1024; 0, the default, means all cores that the
/// process may run on. The results do not depend on it.
///
/// Errors: INVALID_ARGUMENT; BUSY; OUT_OF_MEMORY if the threads cannot be started.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_set_threads(
    model: *mut mnist_model,
    threads: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(model, "model") }?.get()?.set_threads(threads)?;
        Ok(MNIST_OK)
    })
}

/// Fills `*options` with Keras's defaults. Pass sizeof the struct as `struct_size`: exactly that many bytes are
/// written; bytes after the fields that this library knows become zero. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_compile_options_init(options: *mut mnist_compile_options, struct_size: usize) {
    // SAFETY: by the contract it is NULL or `struct_size` bytes are good to write there.
    guard::value((), || unsafe { options::init(options, struct_size) })
}

/// Sets the optimizer, the loss and the metrics for mnist_model_fit. NULL options mean the defaults: Adam, sparse
/// categorical crossentropy, accuracy. The optimizer state of earlier fits is discarded; the weights are kept.
///
/// Errors: INVALID_ARGUMENT for an option out of range, for a config that is not JSON5 or has a wrong value (the
/// message names its key), and for a loss that does not fit the last layer's activation; UNSUPPORTED for an unknown
/// class or key in a config; SHAPE or UNSUPPORTED if the model's output is not a row of classes; BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_compile(
    model: *mut mnist_model,
    options: *const mnist_compile_options,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let model = borrow(model, "model")?.get()?;
            model.compile(&options::read(options, "options")?.convert()?)?;
        }
        Ok(MNIST_OK)
    })
}
