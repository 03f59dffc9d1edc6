//! Activations that are not part of their layer's kernel: they stand in the network as layers of their own, behind the
//! one they belong to.
//!
//! Plain code on `libm`'s functions, whose bits are the same on every machine. To add one: its value and its slope in
//! [`function`].

use super::parallel::{Chunks, for_each};
use super::{Backward, Layer, Trained};
use crate::error::Result;
use crate::graph::Activation;
use std::f32::consts::{FRAC_1_SQRT_2, TAU};

type Function = fn(f32) -> f32;

/// A function of each element.
#[derive(Clone, Copy)]
pub struct Elementwise {
    value: Function,
    slope: Function,
}

/// The function of an activation; `None` for those that their layers apply.
pub fn function(activation: Activation) -> Option<Elementwise> {
    let (value, slope): (Function, Function) = match activation {
        Activation::Linear | Activation::Relu | Activation::Softmax => return None,
        Activation::Sigmoid => (sigmoid, |x| sigmoid(x) * sigmoid(-x)),
        Activation::Tanh => (libm::tanhf, |x| 1.0 - libm::tanhf(x) * libm::tanhf(x)),
        Activation::Elu => {
            (|x| if x > 0.0 { x } else { libm::expm1f(x) }, |x| if x > 0.0 { 1.0 } else { libm::expf(x) })
        }
        Activation::Gelu => (|x| x * normal(x), |x| normal(x) + x * libm::expf(-0.5 * x * x) / TAU.sqrt()),
        Activation::Swish => (|x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x))),
    };
    Some(Elementwise { value, slope })
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// The normal distribution's cumulative function.
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * FRAC_1_SQRT_2))
}

/// Elements of a task.
const CHUNK: usize = 1 << 12;

impl Layer for Elementwise {
    fn forward(&mut self, _: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let value = self.value;
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            for (y, &x) in y.into_slice().iter_mut().zip(&x[chunk * CHUNK..]) {
                *y = value(x);
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let slope = self.slope;
        let Backward { x, dz: dy, dx: Some(dx), .. } = pass else { return Ok(()) };
        for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let here = x[chunk * CHUNK..].iter().zip(&dy[chunk * CHUNK..]);
            for (dx, (&x, &dy)) in dx.into_slice().iter_mut().zip(here) {
                *dx = slope(x) * dy;
            }
        });
        Ok(())
    }
}
