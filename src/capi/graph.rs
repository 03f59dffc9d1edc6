//! `mnist_graph` and `mnist_tensor`: the functional API.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, Tagged, borrow, give, out, peek, slice, string, take, write_dims};
use crate::error::{At, Error, ErrorKind, Result, printable};
use crate::graph::{Graph, Tensor, check_arity, keras};
use crate::json::{self, Named, Object};
use crate::layers::{self, Activation};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::ffi::c_char;

/// A network under construction.
pub struct mnist_graph {
    state: Mutex<State>,
}

impl Handle for mnist_graph {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistgra");
}

struct State {
    graph: Graph,
    /// Boxed, so that their addresses stay.
    #[allow(clippy::vec_box)]
    tensors: Vec<Box<Tagged<mnist_tensor>>>,
    /// The first call that failed.
    failure: Option<Error>,
}

/// The output of a layer. It belongs to its graph and lives as long as the graph.
pub struct mnist_tensor {
    graph: *const mnist_graph,
    tensor: Tensor,
}

impl Handle for mnist_tensor {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistten");
}

/// An activation, one of the constants MNIST_ACTIVATION_...
pub type mnist_activation = u32;

/// No activation.
pub const MNIST_ACTIVATION_LINEAR: u32 = 0;
/// max(0, x).
pub const MNIST_ACTIVATION_RELU: u32 = 1;
/// Softmax over the last axis: probabilities of the units of a dense layer.
pub const MNIST_ACTIVATION_SOFTMAX: u32 = 2;
/// 1 / (1 + exp(-x)).
pub const MNIST_ACTIVATION_SIGMOID: u32 = 3;
/// The hyperbolic tangent.
pub const MNIST_ACTIVATION_TANH: u32 = 4;
/// x above 0, exp(x) - 1 below.
pub const MNIST_ACTIVATION_ELU: u32 = 5;
/// x times the cumulative distribution function of the normal distribution at x.
pub const MNIST_ACTIVATION_GELU: u32 = 6;
/// x / (1 + exp(-x)), also called SiLU.
pub const MNIST_ACTIVATION_SWISH: u32 = 7;

fn activation(value: mnist_activation) -> Result<Activation> {
    let name = match value {
        MNIST_ACTIVATION_LINEAR => "linear",
        MNIST_ACTIVATION_RELU => "relu",
        MNIST_ACTIVATION_SOFTMAX => "softmax",
        MNIST_ACTIVATION_SIGMOID => "sigmoid",
        MNIST_ACTIVATION_TANH => "tanh",
        MNIST_ACTIVATION_ELU => "elu",
        MNIST_ACTIVATION_GELU => "gelu",
        MNIST_ACTIVATION_SWISH => "silu",
        _ => {
            let error = Error::new(ErrorKind::InvalidArgument, "unknown constant");
            return Err(error.expected("a constant MNIST_ACTIVATION_...").found(value).at("argument `activation`"));
        }
    };
    Activation::named(name).ok_or_else(|| Error::internal("an activation without a name"))
}

impl mnist_graph {
    /// Creates a tensor from the result of `call`, or stores its error.
    fn add(&self, call: impl FnOnce(&mut Graph) -> Result<Tensor>) -> *mut mnist_tensor {
        let mut state = self.state.lock();
        match guard::ready().and_then(|()| call(&mut state.graph)) {
            Ok(tensor) => self.tensor(&mut state, tensor),
            Err(failure) => {
                state.failure.get_or_insert(failure);
                std::ptr::null_mut()
            }
        }
    }

    /// The caller's pointer for a tensor.
    fn tensor(&self, state: &mut State, tensor: Tensor) -> *mut mnist_tensor {
        state.tensors.push(Box::new(Tagged::new(mnist_tensor { graph: self, tensor })));
        state.tensors.last_mut().map_or(std::ptr::null_mut(), |tensor| tensor.pointer())
    }

    /// The first failure, if there was one.
    fn check(&self) -> Result<()> {
        self.state.lock().failure.clone().map_or(Ok(()), Err)
    }
}

/// A layer of Keras's class `class` with a config as JSON, called on `inputs`.
fn add_layer(graph: &mut Graph, class: &str, config: &Value, inputs: &[Tensor]) -> Result<Tensor> {
    let place = || format!("layer {}", printable(class));
    let made = Object::root(config).and_then(|config| {
        let entry = layers::entry(&Named::of(class, config.clone(), "argument `class_name`".to_string()))?;
        check_arity(entry.arity, inputs.len())?;
        let layer = layers::read(entry, &config)?;
        let name = config.has("name").then(|| config.str("name")).transpose()?;
        Ok((layer, name, config.bool_or("trainable", true)?))
    });
    // The text comes from the program, so a `Format` error becomes `InvalidArgument`.
    let (layer, name, trainable) = made.map_err(|error: Error| error.as_argument()).at(place())?;
    graph.add(layer, name, trainable, inputs)
}

/// The config in a C string; NULL: an empty one.
///
/// # Safety
/// `config` is NULL or a NUL-terminated string.
unsafe fn config(config: *const c_char) -> Result<Value> {
    if config.is_null() {
        return Ok(json!({}));
    }
    // SAFETY: the caller's.
    let text = unsafe { string(config, "config") }?;
    json::parse(text).map_err(|error| error.as_argument()).at("argument `config`")
}

/// Calls a layer on `x`; NULL on NULL.
///
/// # Safety
/// `x` is NULL or a tensor of a live graph.
unsafe fn layer(x: *mut mnist_tensor, call: impl FnOnce(&mut Graph, Tensor) -> Result<Tensor>) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: the caller's; a tensor's graph outlives it.
        unsafe {
            let Some(x) = peek(x) else { return std::ptr::null_mut() };
            (*x.graph).add(|graph| call(graph, x.tensor))
        }
    })
}

/// Passes the graph of a model's input and output to `task`, unless a layer call failed in it: then returns that error.
///
/// # Safety
/// `input` and `output` are NULL or tensors of live graphs.
pub(super) unsafe fn with_ends<R>(
    input: *const mnist_tensor,
    output: *const mnist_tensor,
    task: impl FnOnce(&Graph, Tensor, Tensor) -> Result<R>,
) -> Result<R> {
    // SAFETY: the caller's; a tensor's graph outlives it.
    unsafe {
        for end in [input, output] {
            if let Some(end) = peek(end) {
                (*end.graph).check()?;
            }
        }
        if input.is_null() && output.is_null() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "both are NULL: a layer function failed (mnist_graph_check reports it), or no tensor was passed",
            )
            .at("arguments `input` and `output`"));
        }
        let (input, output) = (borrow(input, "input")?, borrow(output, "output")?);
        if !std::ptr::eq(input.graph, output.graph) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a tensor of another graph than `input`")
                .at("argument `output`"));
        }
        let state = (*input.graph).state.lock();
        task(&state.graph, input.tensor, output.tensor)
    }
}

/// Creates an empty graph; free it with mnist_graph_free. Returns NULL only when memory has run out.
#[unsafe(no_mangle)]
pub extern "C" fn mnist_graph_new() -> *mut mnist_graph {
    guard::object(|| {
        let state = State { graph: Graph::new(), tensors: Vec::new(), failure: None };
        give(mnist_graph { state: Mutex::new(state) })
    })
}

/// Frees a graph and its tensors. NULL is allowed. Models made from it stay valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_free(graph: *mut mnist_graph) {
    // SAFETY: by the contract it is NULL or came from mnist_graph_new and was not freed.
    guard::value((), || unsafe { take(graph) })
}

/// Sets the seed for the initial weights of models made later; the default is 0. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_set_seed(graph: *mut mnist_graph, seed: u64) {
    guard::value((), || {
        // SAFETY: by the contract it is NULL or live.
        if let Some(graph) = unsafe { peek(graph) } {
            graph.state.lock().graph.set_seed(seed);
        }
    })
}

/// Returns the first error of a layer function of this graph, with its message; MNIST_OK if there was none.
/// mnist_model_new reports it too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_check(graph: *const mnist_graph, error: *mut mnist_error) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(graph, "graph") }?.check()?;
        Ok(MNIST_OK)
    })
}

/// Adds an input of images `[height, width, channels]`, each size 1 or more. Returns NULL on failure and for a NULL
/// graph.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_input(
    graph: *mut mnist_graph,
    height: usize,
    width: usize,
    channels: usize,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or live.
        let graph = unsafe { peek(graph) };
        graph.map_or(std::ptr::null_mut(), |graph| graph.add(|graph| graph.input(&[height, width, channels])))
    })
}

/// Adds an input of any shape: `dims` holds its `rank` sizes, 1 to 3, without the batch: `[features]`, `[steps,
/// channels]` or `[height, width, channels]`. Returns NULL on failure and for a NULL graph.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_input_shape(
    graph: *mut mnist_graph,
    dims: *const usize,
    rank: usize,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract the graph is NULL or live, and `dims` has `rank` sizes.
        unsafe {
            let Some(graph) = peek(graph) else { return std::ptr::null_mut() };
            graph.add(|graph| {
                if !(1..=3).contains(&rank) {
                    let error = Error::new(ErrorKind::Shape, "wrong rank").expected("1, 2 or 3").found(rank);
                    return Err(error.at("argument `rank`"));
                }
                graph.input(slice(dims, rank, "dims")?)
            })
        }
    })
}

/// Adds a Conv2D layer with `filters` kernels of `kernel_size` x `kernel_size`, stride 1, no padding ("valid") and a
/// bias: `[H, W, C]` to `[H - kernel_size + 1, W - kernel_size + 1, filters]`. Kernels are initialized Glorot uniform,
/// biases 0. Returns NULL on failure (a kernel larger than its input, a size of 0) and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_conv2d(
    x: *mut mnist_tensor,
    filters: usize,
    kernel_size: usize,
    activation: mnist_activation,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| graph.conv2d(x, filters, kernel_size, self::activation(activation)?)) }
    })
}

/// Adds a Flatten layer: `[H, W, C]` to `[H * W * C]`. Returns NULL on failure and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_flatten(x: *mut mnist_tensor) -> *mut mnist_tensor {
    // SAFETY: by the contract it is NULL or a tensor of a live graph.
    guard::value(std::ptr::null_mut(), || unsafe { layer(x, Graph::flatten) })
}

/// Adds a Dense layer with a bias: `[..., inputs]` to `[..., units]`. The kernel is initialized Glorot uniform, the
/// bias 0. Returns NULL on failure (a size of 0) and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dense(
    x: *mut mnist_tensor,
    units: usize,
    activation: mnist_activation,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| graph.dense(x, units, self::activation(activation)?)) }
    })
}

/// Adds a MaxPooling2D layer, the maximum of each `pool_size` x `pool_size` window, with strides of `pool_size` and no
/// padding: `[H, W, C]` to `[H / pool_size, W / pool_size, C]`, rounded down. Returns NULL on failure (a window larger
/// than its input, a size of 0) and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_max_pooling2d(x: *mut mnist_tensor, pool_size: usize) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| add_layer(graph, "MaxPooling2D", &json!({ "pool_size": pool_size }), &[x])) }
    })
}

/// Adds an AveragePooling2D layer, the mean of each window. Everything else is as in mnist_max_pooling2d.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_average_pooling2d(x: *mut mnist_tensor, pool_size: usize) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| add_layer(graph, "AveragePooling2D", &json!({ "pool_size": pool_size }), &[x])) }
    })
}

/// Adds a GlobalAveragePooling2D layer, the mean over height and width: `[H, W, C]` to `[C]`. Returns NULL on failure
/// and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_global_average_pooling2d(x: *mut mnist_tensor) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| add_layer(graph, "GlobalAveragePooling2D", &json!({}), &[x])) }
    })
}

/// Adds a Dropout layer. In training each value becomes 0 with probability `rate` (from 0 to below 1), and is divided
/// by `1 - rate` otherwise; in prediction nothing changes. Which values are dropped depends only on the fit's seed, the
/// step, the sample and the layer, not on threads. Returns NULL on failure and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_dropout(x: *mut mnist_tensor, rate: f64) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| add_layer(graph, "Dropout", &json!({ "rate": rate }), &[x])) }
    })
}

/// Adds a BatchNormalization layer over the last axis with Keras's defaults: momentum 0.99, epsilon 0.001, gamma and
/// beta. Training uses the batch's mean and variance, prediction the moving ones. Returns NULL on failure and for a
/// NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_batch_normalization(x: *mut mnist_tensor) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe { layer(x, |graph, x| add_layer(graph, "BatchNormalization", &json!({}), &[x])) }
    })
}

/// Adds an Activation layer: `activation` applied to a tensor of any shape; softmax is over the last axis. Returns NULL
/// on failure and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_activate(x: *mut mnist_tensor, activation: mnist_activation) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract it is NULL or a tensor of a live graph.
        unsafe {
            layer(x, |graph, x| {
                let activation = self::activation(activation)?;
                add_layer(graph, "Activation", &json!({ "activation": activation.name() }), &[x])
            })
        }
    })
}

/// Adds an Add layer: the sum of two tensors of the same shape. Returns NULL on failure and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_add(a: *mut mnist_tensor, b: *mut mnist_tensor) -> *mut mnist_tensor {
    // SAFETY: by the contract they are NULL or tensors of live graphs.
    guard::value(std::ptr::null_mut(), || unsafe { merge(&[a, b], "Add", || Ok(json!({}))) })
}

/// Adds a Concatenate layer: joins two tensors along the last axis; their other sizes must be equal. Returns NULL on
/// failure and for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_concatenate(a: *mut mnist_tensor, b: *mut mnist_tensor) -> *mut mnist_tensor {
    // SAFETY: by the contract they are NULL or tensors of live graphs.
    guard::value(std::ptr::null_mut(), || unsafe { merge(&[a, b], "Concatenate", || Ok(json!({}))) })
}

/// Adds any layer with one input tensor, by Keras's class name and config:
///
/// ```c
/// mnist_layer(x, "Conv2D", "{filters: 32, kernel_size: 3, strides: 2, padding: 'same', activation: 'relu'}")
/// ```
///
/// `config` is JSON5: keys need no quotes, strings may have single quotes. The output of Keras's get_config() is valid
/// as it is. Missing keys have Keras's defaults; `name` and `trainable` are keys too. NULL means `{}`.
///
/// Classes: Activation, AveragePooling1D, AveragePooling2D, BatchNormalization, Conv1D, Conv2D, Conv2DTranspose,
/// Cropping2D, Dense, DepthwiseConv2D, Dropout, ELU, Flatten, GaussianNoise, GlobalAveragePooling1D,
/// GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, LayerNormalization, LeakyReLU,
/// MaxPooling1D, MaxPooling2D, Normalization, PReLU, Permute, RandomBrightness, RandomContrast, RandomElasticTransform,
/// RandomErasing, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, ReLU, Rescaling, Reshape, SeparableConv2D,
/// Softmax, SpatialDropout2D, UpSampling2D, ZeroPadding2D.
///
/// The classes whose names begin with Random are data augmentation: `mnist_layer(x, "RandomRotation", "{factor:
/// 0.05}")`. They change each image at random in training and do nothing in prediction. The change depends only on the
/// seed, the layer, the epoch and the sample's index in the dataset.
///
/// Returns NULL for a NULL tensor and on failure; mnist_graph_check and mnist_model_new then report the error:
/// INVALID_ARGUMENT for a wrong value (the message names its key) or for text that is not JSON5 (the message names line
/// and column); UNSUPPORTED for an unknown class or key (the message names the most similar known one), and for a value
/// that this library does not support; SHAPE for an input that does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_layer(
    x: *mut mnist_tensor,
    class_name: *const c_char,
    config: *const c_char,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            layer(x, |graph, x| {
                let class = string(class_name, "class_name")?;
                add_layer(graph, class, &self::config(config)?, &[x])
            })
        }
    })
}

/// Adds any layer with several input tensors, by Keras's class name and config: Add, Average, Concatenate, Maximum,
/// Minimum, Multiply or Subtract (which takes two). `inputs` holds `count` tensors of one graph, 2 or more. Returns
/// NULL if one of them is NULL; everything else is as in mnist_layer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_merge(
    inputs: *const *mut mnist_tensor,
    count: usize,
    class_name: *const c_char,
    config: *const c_char,
) -> *mut mnist_tensor {
    guard::value(std::ptr::null_mut(), || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let Ok(inputs) = slice(inputs, count, "inputs") else { return std::ptr::null_mut() };
            let class = string(class_name, "class_name");
            let name = class.as_ref().map_or("", |class| class);
            merge(inputs, name, || class.clone().and_then(|_| self::config(config)))
        }
    })
}

/// Calls a layer on several tensors; NULL if one of them is.
///
/// # Safety
/// `inputs` are NULL or tensors of live graphs.
unsafe fn merge(
    inputs: &[*mut mnist_tensor],
    class: &str,
    config: impl FnOnce() -> Result<Value>,
) -> *mut mnist_tensor {
    // SAFETY: the caller's; a tensor's graph outlives it.
    unsafe {
        let tensors: Option<Vec<&mnist_tensor>> = inputs.iter().map(|&input| peek(input)).collect();
        let Some(tensors) = tensors.filter(|tensors| !tensors.is_empty()) else { return std::ptr::null_mut() };
        (*tensors[0].graph).add(|graph| {
            if let Some(i) = tensors.iter().position(|tensor| !std::ptr::eq(tensor.graph, tensors[0].graph)) {
                let error = Error::new(ErrorKind::InvalidArgument, "a tensor of another graph than the first");
                return Err(error.at(format_args!("argument `inputs[{i}]`")));
            }
            let inputs: Vec<Tensor> = tensors.iter().map(|tensor| tensor.tensor).collect();
            add_layer(graph, class, &config()?, &inputs)
        })
    }
}

/// Gets the shape of a tensor, without the batch. Returns the rank; 0 for NULL. Writes as many sizes to `dims` as
/// `capacity` has room for; with a `capacity` of 0 `dims` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_tensor_shape(tensor: *const mnist_tensor, dims: *mut usize, capacity: usize) -> usize {
    guard::value(0, || {
        // SAFETY: by the contract they are NULL or what the header says; a tensor's graph outlives it.
        unsafe {
            let Some(tensor) = peek(tensor) else { return 0 };
            let state = (*tensor.graph).state.lock();
            state.graph.shape(tensor.tensor).map_or(0, |shape| write_dims(shape.dims(), dims, capacity))
        }
    })
}

/// Creates a graph from a network as Keras writes it: the text of `model.to_json()` of a Functional or Sequential model
/// with one input and one output. (JSON5 is accepted too.) On success `*graph` is a new graph; free it with
/// mnist_graph_free. `*input` and `*output` belong to it: pass them to mnist_model_new. Limits: 10,000 layers, 16 MiB
/// of text, 64 levels of nested objects and lists.
///
/// Errors: FORMAT for text that does not describe such a network, with line and column, or the key; UNSUPPORTED for a
/// class or a setting that this library does not have; INVALID_ARGUMENT for an invalid layer name; SHAPE for layers
/// that do not fit each other; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_from_json(
    json: *const c_char,
    graph: *mut *mut mnist_graph,
    input: *mut *mut mnist_tensor,
    output: *mut *mut mnist_tensor,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract the pointers are NULL or what the header says.
        unsafe {
            let graph_out = out(graph, "graph")?;
            let (input_out, output_out) = (out(input, "input")?, out(output, "output")?);
            let text = string(json, "json")?;
            let network = json::parse(text).and_then(|value| keras::read(&value)).at("argument `json`")?;
            let state = State { graph: network.graph, tensors: Vec::new(), failure: None };
            let pointer = give(mnist_graph { state: Mutex::new(state) });
            let Some(graph) = peek(pointer) else { return Err(Error::internal("a new graph is none")) };
            let mut state = graph.state.lock();
            let ends = [network.input, network.output].map(|end| graph.tensor(&mut state, end));
            drop(state);
            graph_out.write(pointer);
            input_out.write(ends[0]);
            output_out.write(ends[1]);
        }
        Ok(MNIST_OK)
    })
}
