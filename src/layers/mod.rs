//! The layers: a file each, which describes a layer and computes it, and a line in `LAYERS`.
//!
//! A [`Layer`] is a description: Keras's config, the shape that comes out, the parameters it has. It builds a [`Work`],
//! which computes it: an object that holds the memory that its passes need, allocated once for a batch size and a number
//! of threads; the weights are the model's and are handed in. Its passes cut the work into parts and give each part to a
//! kernel. They run on the thread pool in whose `install` they are called.
//!
//! What is fused with what is decided by who plans the network ([`model`](crate::model)), never by a layer that knows of
//! another: a layer says what it could take over ([`Layer::fuses_relu`], [`Work::gates`]).
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

/// What a layer is.
pub trait Layer: Debug + Send + Sync {
    /// Keras's name of the class, `Conv2D`.
    fn class(&self) -> &'static str;

    /// Keras's config, without `name`, `trainable` and `dtype`, which every layer has.
    fn config(&self) -> Map<String, Value>;

    /// The shape that comes out, without its batch; an error for inputs that do not fit.
    fn output(&self, inputs: &[&Shape]) -> Result<Shape>;

    /// Its parameters for inputs for which [`output`](Self::output) has given no error, in Keras's order.
    fn parameters(&self, _inputs: &[&Shape]) -> Vec<Parameter> {
        Vec::new()
    }

    /// What is done to its sums after it; the network does it, or the layer itself when told to ([`BuildContext::relu`]).
    fn activation(&self) -> Activation {
        Activation::Linear
    }

    /// Whether it can end in relu at no cost.
    fn fuses_relu(&self) -> bool {
        false
    }

    /// Whether a normalization after it can be folded into its weights: the first is a kernel whose last axis, or last axes,
    /// are the output's channels, the second, if there is one, a bias, and [`Work::forward`] takes a bias all the same.
    fn folds(&self) -> bool {
        false
    }

    /// When it predicts, whether it is `(x - moving_mean) * gamma / sqrt(moving_variance + epsilon) + beta` of each number of
    /// the last axis, for parameters of these names (gamma and beta may be missing), and then its epsilon.
    fn normalizes(&self, _input: &Shape) -> Option<f64> {
        None
    }

    /// Whether its output, where relu gave its input, is 0 only where all of the input that has a share in it is 0, or has lost
    /// its share: then nobody wants a gradient there.
    fn keeps_zeros(&self) -> bool {
        false
    }

    /// Whether its output is its input, number for number, under another shape: then nothing is built. `training` says
    /// what for.
    fn is_view(&self, _training: bool) -> bool {
        false
    }

    /// The layer at work.
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>>;
}

/// A parameter of a layer.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Keras's name of the variable, `kernel`.
    pub name: &'static str,
    /// In Keras's layout.
    pub shape: Vec<usize>,
    /// What it is at first.
    pub initializer: Initializer,
    /// What it adds to the loss.
    pub regularizer: Regularizer,
    /// What changes it.
    pub role: Role,
}

impl Parameter {
    /// One that training changes.
    pub fn trainable(
        name: &'static str,
        shape: Vec<usize>,
        initializer: Initializer,
        regularizer: Regularizer,
    ) -> Self {
        Parameter { name, shape, initializer, regularizer, role: Role::Trainable }
    }

    /// One that the layer itself changes, in training, as moving statistics.
    pub fn state(name: &'static str, shape: Vec<usize>, initializer: Initializer) -> Self {
        Parameter { name, shape, initializer, regularizer: Regularizer::NONE, role: Role::State }
    }
}

/// What changes a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The optimizer, by its gradient.
    Trainable,
    /// The layer itself.
    State,
}

/// Where a layer is to work, and how.
#[derive(Clone, Copy, Debug)]
pub struct BuildContext<'a> {
    /// The shapes that come in.
    pub inputs: &'a [&'a Shape],
    /// The shape that goes out.
    pub output: &'a Shape,
    /// The instruction set its kernels run on.
    pub isa: Isa,
    /// Threads of the pool it will run on.
    pub threads: usize,
    /// The most samples a call brings.
    pub batch: usize,
    /// Whether it is to train: `backward` may be called, and what is random is.
    pub training: bool,
    /// Whether the layer may change; a frozen one's parameters stay, and its moving statistics are used, not moved.
    pub trainable: bool,
    /// Which inputs' gradients `backward` will be asked for.
    pub gradients: &'a [bool],
    /// Whether it ends in relu ([`Layer::fuses_relu`]).
    pub relu: bool,
    /// Its number in the network, for what is random.
    pub number: u64,
}

impl BuildContext<'_> {
    /// Elements of a sample of the first input.
    pub fn input_len(&self) -> usize {
        self.inputs.first().map_or(0, |shape| shape.len())
    }

    /// Whether the gradient to the first input will be wanted.
    pub fn input_gradient(&self) -> bool {
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
    /// The seed of all that is random.
    pub seed: u64,
    /// The optimizer's steps so far.
    pub number: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// Of each sample of the batch, its index in the dataset; empty where nobody knows.
    pub samples: &'a [u32],
}

impl Step<'static> {
    /// One of samples that are in no dataset.
    pub const fn new(seed: u64, number: u64) -> Self {
        Step { seed, number, epoch: 0, samples: &[] }
    }
}

/// A layer at work.
pub trait Work: Send {
    /// Computes `y` (`[B, output]`) from the inputs `x` (each `[B, input]`). `weights` are the layer's parameters.
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()>;

    /// Takes the gradient one layer further down, and the weights a step on ([`Weight::take`]). The forward pass of the same
    /// samples came before.
    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], pass: Pass<'_, '_>) -> Result<()>;

    /// Whether `backward` can leave out what relu below it made zero ([`Pass::gated`]).
    fn gates(&self) -> bool {
        false
    }

    /// Moves its moving statistics on, after a forward pass whose step is taken; those are among `weights`.
    fn update_state(&mut self, _weights: &mut [Weight<'_>]) -> Result<()> {
        Ok(())
    }
}

/// A parameter in training.
pub struct Weight<'a> {
    /// Its values.
    pub w: &'a mut [f32],
    /// What becomes of its gradient; `None` for one that gradients do not change.
    pub update: Option<Update<'a>>,
}

impl Weight<'_> {
    /// Takes it a step on by its gradient, the sum of `parts`, each as long as it is, added in their order.
    pub fn take(&mut self, isa: Isa, parts: &[f32]) {
        if let Some(update) = &mut self.update {
            rule::update(isa, parts, self.w, update);
        }
    }
}

/// What a backward pass starts from, and where it leaves its result.
///
/// Where a layer ends in relu, `dz` is the gradient to its *sums*: who is above has already taken it back through relu. That
/// takes no more than a look at relu's own output, which is the upper layer's input `x`, and costs nothing where `x` is in
/// a register anyway.
pub struct Pass<'a, 'b> {
    /// The inputs of the forward pass, each `[B, input]`.
    pub x: &'a [&'a [f32]],
    /// Its output, `[B, output]`.
    pub y: &'a [f32],
    /// The gradient to the output, `[B, output]`.
    pub dz: &'a [f32],
    /// For each input, where its gradient goes, `[B, input]`; `None` where it is not wanted. All of it is written.
    pub dx: &'b mut [Option<&'a mut [f32]>],
    /// Whether `x[0]` came out of relu, maybe through layers that [keep zeros](Layer::keeps_zeros), so that `dx[0]` is 0 where it
    /// is not positive. Only for a layer that
    /// [`gates`](Work::gates).
    pub gated: bool,
}

impl<'a> Pass<'a, '_> {
    /// Where the gradient to the only input goes.
    pub fn take_dx(&mut self) -> Option<&'a mut [f32]> {
        self.dx.first_mut().and_then(Option::take)
    }
}

/// The parameters that a layer counts on.
pub fn weights_of<'w, 'a, const N: usize>(weights: &'w [&'a [f32]]) -> Result<&'w [&'a [f32]; N]> {
    weights.try_into().map_err(|_| Error::internal("a layer with other parameters than it has"))
}

/// The same in training.
pub fn trained<'w, 'a, const N: usize>(weights: &'w mut [Weight<'a>]) -> Result<&'w mut [Weight<'a>; N]> {
    weights.try_into().map_err(|_| Error::internal("a layer with other parameters than it has"))
}

/// A piece of scratch memory for each thread of the pool.
pub struct PerThread<S>(Vec<Mutex<S>>);

impl<S> PerThread<S> {
    /// One for each of `threads`.
    pub fn new(threads: usize, make: impl Fn() -> Result<S>) -> Result<Self> {
        let all: Result<_> = (0..threads.max(1)).map(|_| Ok(Mutex::new(make()?))).collect();
        Ok(PerThread(all?))
    }

    /// Lends the calling thread its own. The task must not wait for others of the pool: a thread that waits takes up
    /// another task, which would find its own scratch memory lent.
    pub fn lend<R>(&self, task: impl FnOnce(&mut S) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        task(&mut self.0[thread].lock())
    }
}
