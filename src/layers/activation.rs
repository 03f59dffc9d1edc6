//! Activations without kernels of their own: candle computes them, and its autograd their gradients.
//!
//! They stand in the network as layers of their own, behind the one they belong to. The values go through candle in
//! chunks, each on the model's own pool: a tensor large enough would be sent to another, global one. The functions are
//! elementwise, so that neither chunks nor threads change a bit; their `exp` and `tanh` are the system's, so that two
//! systems may differ in the last one.

use super::parallel::{Chunks, try_for_each};
use super::{Backward, Layer, Trained};
use crate::error::Result;
use crate::graph::Activation;
use candle_core::{Device, Tensor, Var};
use candle_nn::Module;

/// Elements that go through candle at once, a quarter of what it would call large.
const CHUNK: usize = 1 << 14;

/// The function, for an activation that is not part of its layer's kernel.
pub fn function(activation: Activation) -> Option<Function> {
    match activation {
        Activation::Linear | Activation::Relu | Activation::Softmax => None,
        Activation::Sigmoid => Some(|x| candle_nn::Activation::Sigmoid.forward(x)),
        Activation::Tanh => Some(Tensor::tanh),
        Activation::Elu => Some(|x| candle_nn::Activation::Elu(1.0).forward(x)),
        Activation::Gelu => Some(|x| candle_nn::Activation::Gelu.forward(x)),
        Activation::Swish => Some(|x| candle_nn::Activation::Silu.forward(x)),
    }
}

type Function = fn(&Tensor) -> candle_core::Result<Tensor>;

/// A function of each element.
pub struct Elementwise(pub Function);

impl Layer for Elementwise {
    fn forward(&mut self, _: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let function = self.0;
        try_for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let y = y.into_slice();
            let x = Tensor::from_slice(&x[chunk * CHUNK..][..y.len()], y.len(), &Device::Cpu)?;
            y.copy_from_slice(&function(&x)?.to_vec1()?);
            Ok(())
        })
    }

    fn backward(&mut self, _: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let function = self.0;
        let Backward { x, dz: dy, dx: Some(dx), .. } = pass else { return Ok(()) };
        try_for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let dx = dx.into_slice();
            let here = |values: &[f32]| values[chunk * CHUNK..][..dx.len()].to_vec();
            let x = Var::from_vec(here(x), dx.len(), &Device::Cpu)?;
            let dy = Tensor::from_vec(here(dy), dx.len(), &Device::Cpu)?;
            // d sum(f(x) * dy) / dx = f'(x) * dy
            let gradients = (function(&x)? * dy)?.sum_all()?.backward()?;
            match gradients.get(&x) {
                Some(gradient) => dx.copy_from_slice(&gradient.to_vec1()?),
                None => dx.fill(0.0),
            }
            Ok(())
        })
    }
}
