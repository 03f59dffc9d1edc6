//! `mnist_model`.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::graph::{mnist_tensor, with_ends};
use super::guard;
use super::options::{self, Options, unknown};
use super::output::{Sink, mnist_write_fn};
use super::pointers::{Handle, borrow, give, out, peek, string, take, write_dims};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::process::Process;
use crate::train::{AdamOptions, CompileOptions, Loss, Model, Optimizer};
use std::ffi::{CString, c_char, c_void};
use std::mem::ManuallyDrop;

/// A network with weights, and what is needed to train it.
pub struct mnist_model {
    pub(super) model: ManuallyDrop<Model>,
    /// Its weights' names, to be lent.
    pub(super) weight_names: Vec<CString>,
    /// The process that made it.
    process: Process,
}

impl mnist_model {
    pub(super) fn new(model: Model) -> Self {
        // Names are the layers' (no control characters) and `/kernel` or `/bias`: no NUL that could end them early.
        let weight_names = model.weight_names().map(|name| CString::new(name).unwrap_or_default()).collect();
        mnist_model { model: ManuallyDrop::new(model), weight_names, process: Process::current() }
    }

    /// The model, unless this is a child that was forked off: there its threads are missing, and a lock that one of them
    /// held would never be released.
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
            // SAFETY: it is dropped here and nowhere else. In a forked child it is left as it is: there are no threads to
            // wait for.
            unsafe { ManuallyDrop::drop(&mut self.model) };
        }
    }
}

impl Handle for mnist_model {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistmod");
}

/// Adam (Kingma and Ba 2015) as Keras writes it.
pub const MNIST_OPTIMIZER_ADAM: u32 = 1;

/// The mean of -log(probability of the label), for a model that ends in softmax.
pub const MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY: u32 = 1;
/// The same for a model whose last layer is linear and gives the logits.
pub const MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS: u32 = 2;

/// Report the share of samples whose most probable class is their label.
pub const MNIST_METRIC_ACCURACY: u32 = 1;

/// How a model is to be trained; fill it in with mnist_compile_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mnist_compile_options {
    /// sizeof this struct.
    pub struct_size: usize,
    /// MNIST_OPTIMIZER_ADAM.
    pub optimizer: u32,
    /// The length of a step, 0 or more. 0.001.
    pub learning_rate: f64,
    /// The decay of the gradients' mean, from 0 to below 1. 0.9.
    pub beta_1: f64,
    /// The decay of the gradients' mean square, from 0 to below 1. 0.999.
    pub beta_2: f64,
    /// Added to the root of the mean square, above 0. 1e-7.
    pub epsilon: f64,
    /// MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY, or that _FROM_LOGITS.
    pub loss: u32,
    /// A sum of MNIST_METRIC_ constants. MNIST_METRIC_ACCURACY.
    pub metrics: u32,
}

// SAFETY: plain numbers behind a usize.
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
    };
    const FIRST: usize = size_of::<Self>();
}

impl mnist_compile_options {
    fn convert(&self) -> crate::Result<CompileOptions> {
        let mnist_compile_options { optimizer, learning_rate, beta_1, beta_2, epsilon, loss, metrics, .. } = *self;
        let adam = AdamOptions { learning_rate, beta_1, beta_2, epsilon };
        let optimizer = match optimizer {
            MNIST_OPTIMIZER_ADAM => Optimizer::Adam(adam),
            _ => return Err(unknown("optimizer", "MNIST_OPTIMIZER_ADAM", optimizer)),
        };
        let loss = match loss {
            MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY => Loss::SparseCategoricalCrossentropy,
            MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY_FROM_LOGITS => Loss::SparseCategoricalCrossentropyFromLogits,
            _ => return Err(unknown("loss", "a constant MNIST_LOSS_...", loss)),
        };
        if metrics & !MNIST_METRIC_ACCURACY != 0 {
            return Err(unknown("metrics", "0 or MNIST_METRIC_ACCURACY", metrics));
        }
        Ok(CompileOptions { optimizer, loss, accuracy: metrics & MNIST_METRIC_ACCURACY != 0 })
    }
}

/// A model of the layers from `input`, which an mnist_input call gave, to `output`; its weights are drawn from the
/// graph's seed. `name` is for the summary; NULL means "model". On success `*out` is a new model, to be freed with
/// mnist_model_free; the graph is not needed any more.
///
/// Errors: the first failure of a layer call of the graph; INVALID_ARGUMENT for tensors that do not belong together;
/// OUT_OF_MEMORY. The environment variable MNIST_ISA ("avx512", "avx2", "portable"; empty: unset) forces the instruction
/// set that the model computes with: INVALID_ARGUMENT for another word, UNSUPPORTED where the machine lacks it. (The
/// results are the same with each.)
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

/// Frees a model, waiting for its threads to end; NULL is allowed. No other call may use it then. In a process that was
/// forked from the one that made the model it waits for nothing, and the memory stays in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_free(model: *mut mnist_model) {
    // SAFETY: by the contract it is NULL or came from this library and was not freed.
    guard::value((), || unsafe { take(model) })
}

/// Writes Keras's table of the layers, their output shapes and numbers of parameters, by `write`, which is given
/// `user_data`; NULL means stdout.
///
/// Errors: IO for a stdout that is wide-oriented (fwide) and takes no bytes.
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

/// How many numbers training may change; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_count_params(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.model.count_params()))
}

/// The shape of an image that the model takes: writes as many of its three sizes, height, width, channels, to `dims` as
/// `capacity` has room for (`dims` may be NULL when that is 0), and returns 3; 0 for a NULL model.
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

/// How many floats the model gives for an image, the classes; 0 for a NULL model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_model_output_len(model: *const mnist_model) -> usize {
    // SAFETY: by the contract it is NULL or live.
    guard::value(0, || unsafe { peek(model) }.map_or(0, |model| model.model.output_len()))
}

/// Sets how many threads work for this model, 1 to 1024; 0, as at first, means all cores that the process may run on.
/// The results do not depend on it.
///
/// Errors: INVALID_ARGUMENT; BUSY; OUT_OF_MEMORY when the threads cannot be started.
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

/// Fills in Keras's defaults. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_compile_options_init(options: *mut mnist_compile_options) {
    // SAFETY: by the contract it is NULL or good to write.
    guard::value((), || unsafe { options::init(options) })
}

/// Prepares a model for mnist_model_fit; NULL options mean the defaults: Adam, sparse categorical crossentropy,
/// accuracy. What the optimizer has gathered in earlier fits is forgotten, the weights are kept.
///
/// Errors: INVALID_ARGUMENT for an option out of its range, or a loss that does not fit the last layer's activation;
/// SHAPE, UNSUPPORTED when the model does not give a row of classes; BUSY.
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
