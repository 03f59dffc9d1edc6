//! `mnist_graph` and `mnist_tensor`: the functional API.
#![allow(non_camel_case_types)]

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{Handle, Tagged, borrow, give, peek, take};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Activation, Graph, Tensor};
use parking_lot::Mutex;

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

/// The output of a layer; it belongs to its graph and lives as long.
pub struct mnist_tensor {
    graph: *const mnist_graph,
    tensor: Tensor,
}

impl Handle for mnist_tensor {
    const TAG: u64 = u64::from_ne_bytes(*b"mnistten");
}

/// What is done to a layer's sums: a constant MNIST_ACTIVATION_...
pub type mnist_activation = u32;

/// Nothing.
pub const MNIST_ACTIVATION_LINEAR: u32 = 0;
/// max(0, x).
pub const MNIST_ACTIVATION_RELU: u32 = 1;
/// Probabilities over the units of the last dense layer.
pub const MNIST_ACTIVATION_SOFTMAX: u32 = 2;
/// 1 / (1 + exp(-x)).
pub const MNIST_ACTIVATION_SIGMOID: u32 = 3;
/// The hyperbolic tangent.
pub const MNIST_ACTIVATION_TANH: u32 = 4;
/// x above 0, exp(x) - 1 below.
pub const MNIST_ACTIVATION_ELU: u32 = 5;
/// x times the normal distribution's cumulative function at x.
pub const MNIST_ACTIVATION_GELU: u32 = 6;
/// x / (1 + exp(-x)), also called SiLU.
pub const MNIST_ACTIVATION_SWISH: u32 = 7;

fn activation(value: mnist_activation) -> Result<Activation> {
    match value {
        MNIST_ACTIVATION_LINEAR => Ok(Activation::Linear),
        MNIST_ACTIVATION_RELU => Ok(Activation::Relu),
        MNIST_ACTIVATION_SOFTMAX => Ok(Activation::Softmax),
        MNIST_ACTIVATION_SIGMOID => Ok(Activation::Sigmoid),
        MNIST_ACTIVATION_TANH => Ok(Activation::Tanh),
        MNIST_ACTIVATION_ELU => Ok(Activation::Elu),
        MNIST_ACTIVATION_GELU => Ok(Activation::Gelu),
        MNIST_ACTIVATION_SWISH => Ok(Activation::Swish),
        _ => Err(Error::new(ErrorKind::InvalidArgument, "unknown constant")
            .expected("a constant MNIST_ACTIVATION_...")
            .found(value)
            .at("argument `activation`")),
    }
}

impl mnist_graph {
    /// Makes a tensor of what `call` gives, or remembers why it failed.
    fn add(&self, call: impl FnOnce(&mut Graph) -> Result<Tensor>) -> *mut mnist_tensor {
        let mut state = self.state.lock();
        match guard::ready().and_then(|()| call(&mut state.graph)) {
            Ok(tensor) => {
                state.tensors.push(Box::new(Tagged::new(mnist_tensor { graph: self, tensor })));
                state.tensors.last_mut().map_or(std::ptr::null_mut(), |tensor| tensor.pointer())
            }
            Err(failure) => {
                state.failure.get_or_insert(failure);
                std::ptr::null_mut()
            }
        }
    }

    /// The first failure, if there was one.
    fn check(&self) -> Result<()> {
        self.state.lock().failure.clone().map_or(Ok(()), Err)
    }
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

/// Lends the graph of a model's ends to `task`, unless a layer call has failed in it: then that is the error.
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
                "both are NULL: a layer call failed, or nothing was given; mnist_graph_check says which",
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

/// An empty graph, to be freed with mnist_graph_free. NULL only when memory has run out.
#[unsafe(no_mangle)]
pub extern "C" fn mnist_graph_new() -> *mut mnist_graph {
    guard::object(|| {
        let state = State { graph: Graph::new(), tensors: Vec::new(), failure: None };
        give(mnist_graph { state: Mutex::new(state) })
    })
}

/// Frees a graph and its tensors; NULL is allowed. Models made of it live on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_free(graph: *mut mnist_graph) {
    // SAFETY: by the contract it is NULL or came from mnist_graph_new and was not freed.
    guard::value((), || unsafe { take(graph) })
}

/// Sets the seed of the initial weights of models made after this; 0 unless set. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_set_seed(graph: *mut mnist_graph, seed: u64) {
    guard::value((), || {
        // SAFETY: by the contract it is NULL or live.
        if let Some(graph) = unsafe { peek(graph) } {
            graph.state.lock().graph.set_seed(seed);
        }
    })
}

/// The first failure of a layer call of this graph, MNIST_OK if there was none. mnist_model_new reports it as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_graph_check(graph: *const mnist_graph, error: *mut mnist_error) -> mnist_status {
    guard::status(error, || {
        // SAFETY: by the contract it is NULL or live.
        unsafe { borrow(graph, "graph") }?.check()?;
        Ok(MNIST_OK)
    })
}

/// Input: images `[height, width, channels]`, each size 1 or more. NULL on failure or for a NULL graph.
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
        graph.map_or(std::ptr::null_mut(), |graph| graph.add(|graph| graph.input(height, width, channels)))
    })
}

/// Conv2D: `filters` kernels of `kernel_size` x `kernel_size`, stride 1, no padding ("valid"), with a bias:
/// `[H, W, C]` to `[H - kernel_size + 1, W - kernel_size + 1, filters]`. Kernels start Glorot uniform, biases 0.
/// NULL on failure (a kernel larger than its input, a size of 0, softmax here) or for a NULL tensor.
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

/// Flatten: `[H, W, C]` to `[H * W * C]`. NULL on failure or for a NULL tensor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_flatten(x: *mut mnist_tensor) -> *mut mnist_tensor {
    // SAFETY: by the contract it is NULL or a tensor of a live graph.
    guard::value(std::ptr::null_mut(), || unsafe { layer(x, Graph::flatten) })
}

/// Dense: `[inputs]` to `[units]`, with a bias. The kernel starts Glorot uniform, the bias 0. MNIST_ACTIVATION_SOFTMAX
/// makes it the last layer. NULL on failure (images that were not flattened, a size of 0) or for a NULL tensor.
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
