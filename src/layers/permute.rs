//! `Permute`: permutes a sample's axes, which are counted from 1.

use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, broadcast};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::memory;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Permute", arity: Arity::One, keys: &["dims"], read };

#[derive(Debug)]
struct Permute {
    /// For each output axis the input axis, from 0.
    axes: Vec<usize>,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let axes = config.get("dims", "the axes from 1 on, each once", |value| {
        let axis = |value: &Value| usize::try_from(value.as_u64()?).ok()?.checked_sub(1);
        let axes: Vec<usize> = value.as_array()?.iter().map(axis).collect::<Option<_>>()?;
        (0..axes.len()).all(|axis| axes.contains(&axis)).then_some(axes)
    })?;
    Ok(Arc::new(Permute { axes }))
}

impl Layer for Permute {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        let dims: Vec<usize> = self.axes.iter().map(|axis| axis + 1).collect();
        Config::new().with("dims", json!(dims)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let dims = inputs[0].dims();
        match dims.len() == self.axes.len() {
            true => Shape::new(&self.axes.iter().map(|&axis| dims[axis]).collect::<Vec<_>>()),
            false => Err(Error::new(ErrorKind::Shape, "wrong rank")
                .expected(format_args!("{} axes", self.axes.len()))
                .found(inputs[0])),
        }
    }

    fn is_view(&self, _: bool) -> bool {
        self.axes.is_sorted()
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let dims = context.inputs[0].dims();
        let axis = |&axis: &usize| (dims[axis], dims[axis + 1..].iter().product());
        let forward = broadcast::strided(&self.axes.iter().map(axis).collect::<Vec<_>>())?;
        let mut backward = memory::filled(if context.training { forward.len() } else { 0 }, 0)?;
        if context.training {
            (0..).zip(&forward).for_each(|(to, &from)| backward[from as usize] = to);
        }
        Ok(Box::new(PermuteWork { forward, backward }))
    }
}

/// The source and the destination of each element of a sample.
struct PermuteWork {
    forward: Vec<u32>,
    backward: Vec<u32>,
}

/// Writes to each element of `to` the one of `from` that `places` says, in each sample.
fn gather(places: &[u32], from: &[f32], to: &mut [f32]) {
    let len = places.len();
    for_each(Chunks::new(to, len), &|sample, to| {
        let from = &from[sample * len..][..len];
        for_each(Chunks::new(to.into_slice(), CHUNK), &|chunk, to| {
            let places = &places[chunk * CHUNK..];
            to.into_slice().iter_mut().zip(places).for_each(|(to, &place)| *to = from[place as usize]);
        });
    });
}

impl Work for PermuteWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        gather(&self.forward, x[0], y);
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        if let Some(dx) = pass.take_dx() {
            gather(&self.backward, pass.dz, dx);
        }
        Ok(())
    }
}
