//! `LeakyReLU`: `x` above 0, `negative_slope * x` below; and `ELU`: `alpha * (exp(x) - 1)` below.

use super::elementwise::{CHUNK, Elementwise};
use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::Result;
use crate::graph::Shape;
use crate::kernels::{Isa, elementwise};
use libm::{expf, expm1f};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const LEAKY_RELU: Entry = Entry {
    class: "LeakyReLU",
    arity: Arity::One,
    keys: &["negative_slope"],
    read: |config| {
        Ok(Arc::new(LeakyRelu { slope: config.f64_or("negative_slope", 0.3, "a number, 0 or more", |x| x >= 0.0)? }))
    },
};

pub(super) const ELU: Entry = Entry {
    class: "ELU",
    arity: Arity::One,
    keys: &["alpha"],
    read: |config| Ok(Arc::new(Elu { alpha: config.f64_or("alpha", 1.0, "a number", |_| true)? })),
};

#[derive(Debug)]
struct LeakyRelu {
    slope: f64,
}

impl Layer for LeakyRelu {
    fn class(&self) -> &'static str {
        LEAKY_RELU.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("negative_slope", self.slope).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(LeakyReluWork { slope: self.slope as f32, isa: context.isa }))
    }
}

struct LeakyReluWork {
    slope: f32,
    isa: Isa,
}

impl Work for LeakyReluWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (x, isa, op) = (x[0], self.isa, elementwise::LeakyRelu { slope: self.slope });
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let y = y.into_slice();
            elementwise::map(isa, op, [&x[chunk * CHUNK..][..y.len()]], y);
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (x, dz, isa, op) = (pass.x[0], pass.dz, self.isa, elementwise::LeakyReluGradient { slope: self.slope });
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
            let dx = dx.into_slice();
            let here = chunk * CHUNK..chunk * CHUNK + dx.len();
            elementwise::map(isa, op, [&dz[here.clone()], &x[here]], dx);
        });
        Ok(())
    }
}

#[derive(Debug)]
struct Elu {
    alpha: f64,
}

impl Layer for Elu {
    fn class(&self) -> &'static str {
        ELU.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("alpha", self.alpha).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let alpha = self.alpha as f32;
        let slope = move |x: f32| if x > 0.0 { 1.0 } else { alpha * expf(x) };
        Ok(Box::new(Elementwise::new(move |x| if x > 0.0 { x } else { alpha * expm1f(x) }, slope)))
    }
}
