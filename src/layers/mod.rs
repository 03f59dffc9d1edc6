//! The layers: a file each, which describes a layer and computes it, and a line in `LAYERS`.
//!
//! A [`Layer`] is a description: Keras's config, the shape that comes out, the parameters it has. It builds a [`Work`],
//! which computes it: an object that holds the memory that its passes need, allocated once for a batch size and a
//! number of threads; the weights belong to the model and are passed in. Its passes cut the work into parts and call a
//! compute kernel for each. They run on the thread pool in whose `install` they are called.
//!
//! Fusion is decided by the network's plan ([`model`](crate::model)), never by a layer that knows another: a layer only
//! tells what it can fuse ([`Layer::fuses_relu`], [`Work::gates`]).
//!
//! To add a layer: write its file, name it in `LAYERS`, and record Keras's numbers for it (`tests/keras/README.md`).

pub mod activation;
mod activation_layer;
mod augmentation;
mod batch_normalization;
mod broadcast;
mod concatenate;
mod conv1d;
mod conv2d;
mod conv2d_transpose;
mod dense;
mod depthwise_conv2d;
mod dropout;
pub mod elementwise;
mod flatten;
mod global_pooling;
mod group_normalization;
pub mod initializer;
mod input;
mod last_axis;
mod leaky_relu;
mod merge;
mod normalization;
mod padding;
pub mod parallel;
mod permute;
mod pooling;
mod prelu;
pub mod random;
pub mod regularizer;
mod relu;
mod rescaling;
mod reshape;
mod row_normalization;
mod separable_conv2d;
mod softmax;
mod spec;
#[cfg(test)]
mod tests;
mod up_sampling;

pub use activation::Activation;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use flatten::Flatten;
pub use initializer::Initializer;
pub use input::Input;
pub use regularizer::Regularizer;
pub use spec::{Arity, Config, Entry, axis_of, check_rank, entry, read};

use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::kernels::{Isa, Update, rule};
use crate::machines::Share;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use std::fmt::Debug;

/// Every layer there is.
const LAYERS: &[Entry] = &[
    activation_layer::ENTRY,
    augmentation::BRIGHTNESS,
    augmentation::CONTRAST,
    augmentation::ELASTIC,
    augmentation::ERASING,
    augmentation::FLIP,
    augmentation::ROTATION,
    augmentation::TRANSLATION,
    augmentation::ZOOM,
    batch_normalization::ENTRY,
    concatenate::ENTRY,
    conv1d::ENTRY,
    conv2d::ENTRY,
    conv2d_transpose::ENTRY,
    dense::ENTRY,
    depthwise_conv2d::ENTRY,
    dropout::DROPOUT,
    dropout::NOISE,
    dropout::SPATIAL,
    flatten::ENTRY,
    global_pooling::AVERAGE_1D,
    global_pooling::AVERAGE_2D,
    global_pooling::MAX_1D,
    global_pooling::MAX_2D,
    group_normalization::GROUP,
    group_normalization::LAYER,
    input::ENTRY,
    leaky_relu::ELU,
    leaky_relu::LEAKY_RELU,
    merge::ADD,
    merge::AVERAGE,
    merge::MAXIMUM,
    merge::MINIMUM,
    merge::MULTIPLY,
    merge::SUBTRACT,
    normalization::ENTRY,
    padding::CROPPING,
    padding::ZERO_PADDING,
    permute::ENTRY,
    pooling::AVERAGE_1D,
    pooling::AVERAGE_2D,
    pooling::MAX_1D,
    pooling::MAX_2D,
    prelu::ENTRY,
    relu::ENTRY,
    rescaling::ENTRY,
    reshape::ENTRY,
    separable_conv2d::ENTRY,
    softmax::ENTRY,
    up_sampling::ENTRY,
];

/// The description of a layer.
pub trait Layer: Debug + Send + Sync {
    /// Keras's name of the class, `Conv2D`.
    fn class(&self) -> &'static str;

    /// Keras's config, without `name`, `trainable` and `dtype`, which every layer has.
    fn config(&self) -> Map<String, Value>;

    /// The output shape, without the batch; an error for inputs that do not fit.
    fn output(&self, inputs: &[&Shape]) -> Result<Shape>;

    /// Its parameters for inputs for which [`output`](Self::output) has given no error, in Keras's order.
    fn parameters(&self, _inputs: &[&Shape]) -> Vec<Parameter> {
        Vec::new()
    }

    /// Its activation; the network applies it, or the layer itself if requested ([`BuildContext::relu`]).
    fn activation(&self) -> Activation {
        Activation::Linear
    }

    /// Whether it can apply relu to its output at no cost.
    fn fuses_relu(&self) -> bool {
        false
    }

    /// Whether a normalization after it can be folded into its weights: the first is a kernel whose last axis, or last axes,
    /// are the output's channels, the second, if there is one, a bias, and [`Work::forward`] takes a bias all the same.
    fn folds(&self) -> bool {
        false
    }

    /// Its epsilon, if in prediction it computes `(x - moving_mean) * gamma / sqrt(moving_variance + epsilon) + beta`
    /// along the last axis, with parameters of these names (gamma and beta may be missing).
    fn normalizes(&self, _input: &Shape) -> Option<f64> {
        None
    }

    /// Whether, if relu computed its input, its output is 0 only where all contributing inputs are 0 or dropped: then
    /// the gradient there is not needed.
    fn keeps_zeros(&self) -> bool {
        false
    }

    /// Whether its output is its input with another shape: then no work is built. `training` tells the purpose.
    fn is_view(&self, _training: bool) -> bool {
        false
    }

    /// Builds the layer's work.
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>>;
}

/// A parameter of a layer.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Keras's name of the variable, `kernel`.
    pub name: &'static str,
    /// In Keras's layout.
    pub shape: Vec<usize>,
    /// Its initial values.
    pub initializer: Initializer,
    /// Its regularization loss.
    pub regularizer: Regularizer,
    /// Who changes it.
    pub role: Role,
}

impl Parameter {
    /// A trainable parameter.
    pub fn trainable(
        name: &'static str,
        shape: Vec<usize>,
        initializer: Initializer,
        regularizer: Regularizer,
    ) -> Self {
        Parameter { name, shape, initializer, regularizer, role: Role::Trainable }
    }

    /// A parameter that the layer itself changes in training, such as moving statistics.
    pub fn state(name: &'static str, shape: Vec<usize>, initializer: Initializer) -> Self {
        Parameter { name, shape, initializer, regularizer: Regularizer::NONE, role: Role::State }
    }
}

/// Who changes a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The optimizer, by its gradient.
    Trainable,
    /// The layer itself.
    State,
}

/// The context in which a layer is built.
#[derive(Clone, Copy, Debug)]
pub struct BuildContext<'a> {
    /// The input shapes.
    pub inputs: &'a [&'a Shape],
    /// The output shape.
    pub output: &'a Shape,
    /// The instruction set of its compute kernels.
    pub isa: Isa,
    /// Threads of the pool it will run on.
    pub threads: usize,
    /// The most samples of a call.
    pub batch: usize,
    /// Whether it is for training: `backward` may be called, and random layers are random.
    pub training: bool,
    /// Whether the layer is trainable; a frozen layer's parameters do not change, and its moving statistics are used,
    /// not updated.
    pub trainable: bool,
    /// Which inputs' gradients `backward` will be asked for.
    pub gradients: &'a [bool],
    /// Whether it applies relu to its output ([`Layer::fuses_relu`]).
    pub relu: bool,
    /// Its number in the network, for random numbers.
    pub number: u64,
}

impl BuildContext<'_> {
    /// Elements of a sample of the first input.
    pub fn input_len(&self) -> usize {
        self.inputs.first().map_or(0, |shape| shape.len())
    }

    /// Whether the gradient to the first input will be wanted.
    pub fn wants_input_gradient(&self) -> bool {
        self.gradients.first().is_some_and(|&wanted| wanted)
    }

    /// Whether the gradients to the layer's own parameters will be wanted.
    pub fn learns(&self) -> bool {
        self.training && self.trainable
    }
}

/// A step of the network, the same for every layer.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The optimizer's steps so far.
    pub number: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// For each sample of the batch its index in the dataset; empty if unknown.
    pub samples: &'a [u32],
    /// Which part of the layer's work this rank computes.
    pub share: Share<'a>,
}

impl Step<'_> {
    /// The index in the batch of the layer's `sample`th sample.
    pub fn place(&self, sample: usize) -> usize {
        self.share.first() + sample
    }
}

impl Step<'static> {
    /// A step for samples outside a dataset.
    pub const fn new(seed: u64, number: u64) -> Self {
        Step { seed, number, epoch: 0, samples: &[], share: Share::All }
    }
}

/// The computation of a layer.
pub trait Work: Send {
    /// Computes `y` (`[B, output]`) from the inputs `x` (each `[B, input]`). `weights` are the layer's parameters.
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()>;

    /// Computes the gradients to the inputs, and updates the weights ([`Weight::take`]). The forward pass of the same
    /// samples came before.
    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], pass: Pass<'_, '_>) -> Result<()>;

    /// Whether `backward` can leave out the gradient where relu below gave 0 ([`Pass::gated`]).
    fn gates(&self) -> bool {
        false
    }

    /// How several ranks share its work.
    fn sharing(&self) -> Sharing {
        Sharing::Samples
    }

    /// Updates its moving statistics, which are among `weights`, after a forward pass whose step is taken.
    fn update_state(&mut self, _weights: &mut [Weight<'_>]) -> Result<()> {
        Ok(())
    }
}

/// How several ranks share a layer's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Each computes both passes of its own samples.
    Samples,
    /// Each computes the forward pass of its own samples, but the backward pass needs all of them. The backward pass uses
    /// nothing that the forward pass has left in the work. The weights can be divided among the ranks, by parts of the
    /// first parameter.
    Forward {
        /// The number of parts.
        parts: usize,
        /// The numbers of a part; the last one may have fewer.
        len: usize,
    },
    /// Each computes all of it.
    Nothing,
}

/// A parameter in training.
pub struct Weight<'a> {
    /// Its values.
    pub w: &'a mut [f32],
    /// The use of its gradient; `None` for a parameter that gradients do not change.
    pub update: Option<Update<'a>>,
}

impl Weight<'_> {
    /// Updates it by its gradient, the sum of `parts`, each as long as it is, added in order.
    pub fn take(&mut self, isa: Isa, parts: &[f32]) {
        if let Some(update) = &mut self.update {
            rule::update(isa, parts, self.w, update);
        }
    }
}

/// The input and output of a backward pass.
///
/// If a layer applies relu, `dz` is the gradient to its *sums*: the layer above has already applied relu's gradient.
/// That needs only relu's output, which is the upper layer's input `x`, and costs nothing if `x` is in a register
/// anyway.
pub struct Pass<'a, 'b> {
    /// The inputs of the forward pass, each `[B, input]`.
    pub x: &'a [&'a [f32]],
    /// Its output, `[B, output]`.
    pub y: &'a [f32],
    /// The gradient to the output, `[B, output]`.
    pub dz: &'a [f32],
    /// For each input the memory of its gradient, `[B, input]`; `None` if it is not wanted. All of it is written.
    pub dx: &'b mut [Option<&'a mut [f32]>],
    /// Whether `x[0]` is an output of relu, possibly through layers that [keep zeros](Layer::keeps_zeros), so that
    /// `dx[0]` is 0 where `x[0]` is not positive. Only for a layer that [`gates`](Work::gates).
    pub gated: bool,
}

impl<'a> Pass<'a, '_> {
    /// The memory of the gradient to the only input.
    pub fn take_dx(&mut self) -> Option<&'a mut [f32]> {
        self.dx.first_mut().and_then(Option::take)
    }
}

/// The parameters of a layer, as an array.
pub fn weights_of<'w, 'a, const N: usize>(weights: &'w [&'a [f32]]) -> Result<&'w [&'a [f32]; N]> {
    weights.try_into().map_err(|_| Error::internal("a layer with other parameters than it has"))
}

/// The same in training.
pub fn trained<'w, 'a, const N: usize>(weights: &'w mut [Weight<'a>]) -> Result<&'w mut [Weight<'a>; N]> {
    weights.try_into().map_err(|_| Error::internal("a layer with other parameters than it has"))
}

/// Scratch memory for each thread of the pool.
pub struct PerThread<S>(Vec<Mutex<S>>);

impl<S> PerThread<S> {
    /// One for each of `threads`.
    pub fn new(threads: usize, make: impl Fn() -> Result<S>) -> Result<Self> {
        let all: Result<_> = (0..threads.max(1)).map(|_| Ok(Mutex::new(make()?))).collect();
        Ok(PerThread(all?))
    }

    /// Passes the calling thread's own to `task`. The task must not wait for other tasks of the pool: a waiting thread
    /// takes another task, which would deadlock on the same scratch memory.
    pub fn lend<R>(&self, task: impl FnOnce(&mut S) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        task(&mut self.0[thread].lock())
    }
}
