//! `Rescaling`: `x * scale + offset`.

use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::Isa;
use crate::kernels::elementwise::{ScaleShift, map};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry { class: "Rescaling", arity: Arity::One, keys: &["scale", "offset"], read };

#[derive(Debug)]
struct Rescaling {
    scale: f64,
    offset: f64,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let finite = |value: &Value| value.as_f64().filter(|x| x.is_finite());
    let scale = config.get("scale", "a number", finite)?;
    Ok(Arc::new(Rescaling { scale, offset: config.or("offset", 0.0, "a number", finite)? }))
}

impl Layer for Rescaling {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("scale", self.scale).with("offset", self.offset).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(RescalingWork { scale: self.scale as f32, shift: self.offset as f32, isa: context.isa }))
    }
}

struct RescalingWork {
    scale: f32,
    shift: f32,
    isa: Isa,
}

/// Writes `x * scale + shift` to `y`.
fn rescale(isa: Isa, op: ScaleShift, x: &[f32], y: &mut [f32]) {
    for_each(Chunks::new(y, CHUNK), &|chunk, y| {
        let y = y.into_slice();
        map(isa, op, [&x[chunk * CHUNK..][..y.len()]], y);
    });
}

impl Work for RescalingWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        rescale(self.isa, ScaleShift { scale: self.scale, shift: self.shift }, x[0], y);
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        if let Some(dx) = pass.take_dx() {
            rescale(self.isa, ScaleShift { scale: self.scale, shift: 0.0 }, pass.dz, dx);
        }
        Ok(())
    }
}
