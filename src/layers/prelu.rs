//! `PReLU`: `x` above 0, `alpha * x` below, alpha being a parameter: one for each element of a sample, or for all along the
//! axes that share it. At 0 the slope is 0.

use super::parallel::{Chunks, for_each, most_groups};
use super::spec::read_parameter;
use super::{
    Arity, BuildContext, Config, Entry, Initializer, Layer, Parameter, Pass, Regularizer, Step, Weight, Work, broadcast,
};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::{Object, count};
use crate::kernels::Isa;
use crate::memory::Buffer;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "PReLU",
    arity: Arity::One,
    keys: &["alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes"],
    read,
};

#[derive(Debug)]
struct Prelu {
    alpha: (Initializer, Regularizer),
    /// From 1 on, as in Keras; `None` as there.
    shared_axes: Option<Vec<usize>>,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let expected = "a list of axes from 1 on, or null";
    let shared_axes = config.or("shared_axes", None, expected, |value| match value {
        Value::Null => Some(None),
        Value::Array(list) => {
            list.iter().map(|axis| count(axis).filter(|&axis| axis > 0)).collect::<Option<_>>().map(Some)
        }
        axis => Some(Some(vec![count(axis).filter(|&axis| axis > 0)?])),
    })?;
    Ok(Arc::new(Prelu { alpha: read_parameter(config, "alpha", Initializer::ZEROS)?, shared_axes }))
}

impl Prelu {
    /// Alpha's sizes.
    fn shape(&self, input: &Shape) -> Vec<usize> {
        let shared = |axis: usize| self.shared_axes.as_ref().is_some_and(|axes| axes.contains(&(axis + 1)));
        input.dims().iter().enumerate().map(|(axis, &size)| if shared(axis) { 1 } else { size }).collect()
    }
}

impl Layer for Prelu {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = Config::new().parameter("alpha", &self.alpha.0, self.alpha.1);
        config.with("shared_axes", json!(self.shared_axes)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let rank = inputs[0].dims().len();
        match self.shared_axes.iter().flatten().find(|&&axis| axis > rank) {
            None => Ok(inputs[0].clone()),
            Some(axis) => {
                let error = Error::new(ErrorKind::Shape, "no such axis");
                Err(error.expected(format_args!("1 to {rank}, of {}", inputs[0])).found(axis))
            }
        }
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        vec![Parameter::trainable("alpha", self.shape(inputs[0]), self.alpha.0.clone(), self.alpha.1)]
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let shape = self.shape(context.inputs[0]);
        let places = broadcast::places(&shape, context.inputs[0].dims())?;
        let places = places.ok_or_else(|| Error::internal("an alpha that does not fit"))?;
        let alphas = shape.iter().product();
        let parts = if context.learns() { most_groups(context.batch) } else { 0 };
        let sums = Buffer::zeros(parts.saturating_mul(alphas))?;
        Ok(Box::new(PreluWork { places, alphas, sums, isa: context.isa }))
    }
}

struct PreluWork {
    /// For each element of a sample the index of its alpha.
    places: Vec<u32>,
    alphas: usize,
    /// The gradients to alpha of groups of samples, `[groups, alphas]`.
    sums: Buffer,
    isa: Isa,
}

impl Work for PreluWork {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (places, alpha, x, len) = (&self.places, weights[0], x[0], self.places.len());
        for_each(Chunks::new(y, len), &|sample, y| {
            for ((y, &x), &place) in y.into_slice().iter_mut().zip(&x[sample * len..]).zip(places) {
                *y = if x < 0.0 { alpha[place as usize] * x } else { x };
            }
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (dx, x, dz) = (pass.take_dx(), pass.x[0], pass.dz);
        let (places, len) = (&self.places, self.places.len());
        let [weight] = super::trained(weights)?;
        if let Some(dx) = dx {
            let alpha = &*weight.w;
            for_each(Chunks::new(dx, len), &|sample, dx| {
                let here = x[sample * len..].iter().zip(&dz[sample * len..]);
                for ((dx, (&x, &dz)), &place) in dx.into_slice().iter_mut().zip(here).zip(places) {
                    let slope = if x > 0.0 { 1.0 } else { alpha[place as usize] * f32::from(x < 0.0) };
                    *dx = slope * dz;
                }
            });
        }
        if !self.sums.is_empty() {
            let (samples, alphas) = (x.len() / len, self.alphas);
            let groups = step.share.groups(samples);
            let task = groups.size * len;
            let sums = &mut self.sums[..groups.all * alphas];
            sums.fill(0.0);
            let own = &mut sums[groups.own.start * alphas..groups.own.end * alphas];
            for_each(Chunks::new(own, alphas), &|part, sums| {
                let (sums, here) = (sums.into_slice(), part * task..(part * task + task).min(x.len()));
                for (x, dz) in x[here.clone()].chunks_exact(len).zip(dz[here].chunks_exact(len)) {
                    for ((&x, &dz), &place) in x.iter().zip(dz).zip(places) {
                        sums[place as usize] += if x < 0.0 { x * dz } else { 0.0 };
                    }
                }
            });
            step.share.gather(sums, alphas)?;
            weight.take(self.isa, sums);
        }
        Ok(())
    }
}
