//! `GlobalMaxPooling2D`, `GlobalAveragePooling2D` and their 1D versions: one value per channel. A task is an image.

use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, check_rank};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::{Isa, pool};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const MAX_2D: Entry = entry("GlobalMaxPooling2D", |config| read(&MAX_2D, Kind::Max, 3, config));
pub(super) const AVERAGE_2D: Entry =
    entry("GlobalAveragePooling2D", |config| read(&AVERAGE_2D, Kind::Average, 3, config));
pub(super) const MAX_1D: Entry = entry("GlobalMaxPooling1D", |config| read(&MAX_1D, Kind::Max, 2, config));
pub(super) const AVERAGE_1D: Entry =
    entry("GlobalAveragePooling1D", |config| read(&AVERAGE_1D, Kind::Average, 2, config));

const fn entry(class: &'static str, read: fn(&Object<'_>) -> Result<Arc<dyn Layer>>) -> Entry {
    Entry { class, arity: Arity::One, keys: &["data_format", "keepdims"], read }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Max,
    Average,
}

#[derive(Debug)]
struct GlobalPooling {
    class: &'static str,
    kind: Kind,
    /// Of a sample.
    rank: usize,
    keepdims: bool,
}

fn read(entry: &Entry, kind: Kind, rank: usize, config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let keepdims = config.bool_or("keepdims", false)?;
    Ok(Arc::new(GlobalPooling { class: entry.class, kind, rank, keepdims }))
}

impl Layer for GlobalPooling {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("data_format", "channels_last").with("keepdims", self.keepdims).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let expected = if self.rank == 2 { "[steps, channels]" } else { "[height, width, channels]" };
        check_rank(inputs[0], self.rank, expected)?;
        let dims = [1, 1, inputs[0].dims()[self.rank - 1]];
        Shape::new(if self.keepdims { &dims[3 - self.rank..] } else { &dims[2..] })
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let work = GlobalWork {
            kind: self.kind,
            input: context.input_len(),
            channels: context.output.len(),
            isa: context.isa,
        };
        Ok(Box::new(work))
    }
}

struct GlobalWork {
    kind: Kind,
    /// Elements of a sample.
    input: usize,
    channels: usize,
    isa: Isa,
}

impl Work for GlobalWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let GlobalWork { kind, input, channels, isa } = *self;
        let x = x[0];
        for_each(Chunks::new(y, channels), &|image, y| {
            let x = &x[image * input..][..input];
            match kind {
                Kind::Max => pool::global_max(isa, x, y.into_slice()),
                Kind::Average => pool::global_average(isa, x, y.into_slice()),
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let GlobalWork { kind, input, channels, isa } = *self;
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        let Pass { x, y, dz, gated, .. } = pass;
        for_each(Chunks::new(dx, input), &|image, dx| {
            let x = &x[0][image * input..][..input];
            let here = image * channels..(image + 1) * channels;
            let (y, dz, dx) = (&y[here.clone()], &dz[here], dx.into_slice());
            match kind {
                Kind::Max => pool::global_max_gradient(isa, x, y, dz, gated, dx),
                Kind::Average => pool::global_average_gradient(isa, dz, gated.then_some(x), dx),
            }
        });
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}
