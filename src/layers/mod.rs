//! What each layer computes, forward and backward: one file a layer, one trait.
//!
//! A layer object holds the memory that its passes need, allocated once for a batch size and a number of threads; the
//! weights are the model's and are handed in. Its passes cut the work into parts and give each part to a kernel. They
//! run on the thread pool in whose `install` they are called.
//!
//! To add a layer: describe it in [`graph`](crate::graph), write its file here, and name it in [`build`]. A function
//! of each element is two lines in [`activation`].

mod activation;
mod conv2d;
mod dense;
mod parallel;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::graph::{Activation, LayerKind, LayerSpec};
use crate::kernels::{AdamStep, Isa};
use parking_lot::Mutex;

/// How a layer object is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The instruction set its kernels run on.
    pub isa: Isa,
    /// Threads of the pool it will run on.
    pub threads: usize,
    /// The most samples a call brings.
    pub batch: usize,
    /// Whether `backward` will be called.
    pub training: bool,
    /// Whether `backward` will be asked for the gradient to the input.
    pub input_gradient: bool,
}

/// A layer at work.
pub trait Layer: Send {
    /// Computes `y` (`[B, output]`) from `x` (`[B, input]`). `weights` are the layer's parameters in the order of
    /// [`LayerSpec::parameters`]. Relu is applied here; softmax is
    /// not: it belongs to the loss, or to who predicts; nor are the activations that are layers of their own.
    fn forward(&mut self, weights: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()>;

    /// Takes the gradient one layer further down, and the weights one step of the optimizer on.
    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()>;
}

/// A parameter in training.
pub struct Trained<'a> {
    /// Its values.
    pub w: &'a mut [f32],
    /// Adam's first moment.
    pub m: &'a mut [f32],
    /// Adam's second moment.
    pub v: &'a mut [f32],
}

/// What a backward pass starts from, and where it leaves its result.
///
/// Gradients are handed on as those to a layer's *sums*, before its activation: the layer above has already taken its
/// gradient back through it. For relu that takes no more than a look at the activation's own output, which is the upper
/// layer's input `x`, and costs nothing where `x` is in a register anyway.
pub struct Backward<'a> {
    /// The input of the forward pass, `[B, input]`.
    pub x: &'a [f32],
    /// The gradient to this layer's sums, `[B, output]`.
    pub dz: &'a [f32],
    /// Where the gradient to the sums of the layer below goes, `[B, input]`; `None` for the first layer.
    pub dx: Option<&'a mut [f32]>,
    /// Whether `x` came out of relu, so that `dx` is 0 where `x` is not positive.
    pub gated: bool,
    /// The optimizer's step.
    pub adam: AdamStep,
}

/// The layer object for a description; `None` for what computes nothing (`Input`, `Flatten`: data lie as they should).
pub fn build(spec: &LayerSpec, how: Use) -> Result<Option<Box<dyn Layer>>> {
    Ok(match &spec.kind {
        LayerKind::Input | LayerKind::Flatten => None,
        LayerKind::Conv2d { kernel_size, activation, .. } => {
            Some(Box::new(conv2d::Conv2d::new(spec, *kernel_size, is_relu(*activation), how)?))
        }
        LayerKind::Dense { activation, .. } => Some(Box::new(dense::Dense::new(spec, is_relu(*activation), how)?)),
    })
}

/// The layer object for an activation that is not part of its layer's kernel; `None` for linear, relu and softmax.
pub fn build_activation(activation: Activation) -> Option<Box<dyn Layer>> {
    activation::function(activation).map(|function| Box::new(function) as Box<dyn Layer>)
}

fn is_relu(activation: Activation) -> bool {
    activation == Activation::Relu
}

/// A piece of scratch memory for each thread of the pool.
struct PerThread<S>(Vec<Mutex<S>>);

impl<S> PerThread<S> {
    fn new(threads: usize, make: impl Fn() -> Result<S>) -> Result<Self> {
        let all: Result<_> = (0..threads.max(1)).map(|_| Ok(Mutex::new(make()?))).collect();
        Ok(PerThread(all?))
    }

    /// Lends the calling thread its own.
    fn lend<R>(&self, task: impl FnOnce(&mut S) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        task(&mut self.0[thread].lock())
    }
}
