//! `MaxPooling2D`, `AveragePooling2D`, `MaxPooling1D`, `AveragePooling1D`: windows over images `[H, W, C]`, or over rows
//! `[W, C]`, which are images of one row. A task is an image.

use super::conv2d::config::{padding, padding_name};
use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, check_rank};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::Isa;
use crate::kernels::pool::Pool;
use crate::kernels::window::{Axis, Padding, Window};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const MAX_2D: Entry = entry("MaxPooling2D", |config| read::<2>(&MAX_2D, Kind::Max, config));
pub(super) const AVERAGE_2D: Entry = entry("AveragePooling2D", |config| read::<2>(&AVERAGE_2D, Kind::Average, config));
pub(super) const MAX_1D: Entry = entry("MaxPooling1D", |config| read::<1>(&MAX_1D, Kind::Max, config));
pub(super) const AVERAGE_1D: Entry = entry("AveragePooling1D", |config| read::<1>(&AVERAGE_1D, Kind::Average, config));

const fn entry(class: &'static str, read: fn(&Object<'_>) -> Result<Arc<dyn Layer>>) -> Entry {
    Entry { class, arity: Arity::One, keys: &["pool_size", "strides", "padding", "data_format"], read }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Max,
    Average,
}

/// Over so many axes.
#[derive(Debug)]
struct Pooling<const N: usize> {
    class: &'static str,
    kind: Kind,
    pool_size: [usize; N],
    strides: [usize; N],
    padding: Padding,
}

fn read<const N: usize>(entry: &Entry, kind: Kind, config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let pool_size = config.sizes_or("pool_size", Some([2; N]))?;
    let strides = match config.has("strides") {
        true => config.sizes_or("strides", None)?,
        false => pool_size,
    };
    Ok(Arc::new(Pooling { class: entry.class, kind, pool_size, strides, padding: padding(config)? }))
}

impl<const N: usize> Pooling<N> {
    /// The windows, along a single row where there are no rows.
    fn window(&self, input: &Shape) -> Result<Window> {
        check_rank(input, N + 1, if N == 1 { "[steps, channels]" } else { "[height, width, channels]" })?;
        let axis = |i: usize| {
            let (dim, size) = (input.dims()[i], self.pool_size[i]);
            Axis::new(dim, size, self.strides[i], 1, self.padding).ok_or_else(|| {
                let error = Error::new(ErrorKind::Shape, "the window does not fit its input");
                error.expected(format_args!("a pool_size from 1 to {dim}")).found(size)
            })
        };
        let one_row = Axis { input: 1, size: 1, stride: 1, dilation: 1, before: 0, after: 0 };
        Ok(Window { rows: if N == 1 { one_row } else { axis(0)? }, columns: axis(N - 1)? })
    }
}

impl<const N: usize> Layer for Pooling<N> {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("pool_size", json!(&self.pool_size[..]))
            .with("strides", json!(&self.strides[..]))
            .with("padding", padding_name(self.padding))
            .with("data_format", "channels_last")
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let Window { rows, columns } = self.window(inputs[0])?;
        let dims = [rows.output(), columns.output(), inputs[0].dims()[N]];
        Shape::new(&dims[2 - N..])
    }

    fn keeps_zeros(&self) -> bool {
        matches!(self.kind, Kind::Max)
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let size = Pool { window: self.window(context.inputs[0])?, channels: context.inputs[0].dims()[N] };
        Ok(Box::new(PoolingWork { kind: self.kind, size, isa: context.isa }))
    }
}

struct PoolingWork {
    kind: Kind,
    size: Pool,
    isa: Isa,
}

impl Work for PoolingWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let PoolingWork { kind, size, isa } = *self;
        let x = x[0];
        for_each(Chunks::new(y, size.output_len()), &|image, y| {
            let x = &x[image * size.input_len()..][..size.input_len()];
            match kind {
                Kind::Max => size.max(isa, x, y.into_slice()),
                Kind::Average => size.average(isa, x, y.into_slice()),
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let PoolingWork { kind, size, isa } = *self;
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        let Pass { x, y, dz, gated, .. } = pass;
        for_each(Chunks::new(dx, size.input_len()), &|image, dx| {
            let x = &x[0][image * size.input_len()..][..size.input_len()];
            let here = image * size.output_len()..(image + 1) * size.output_len();
            let (y, dz, dx) = (&y[here.clone()], &dz[here], dx.into_slice());
            match kind {
                Kind::Max => size.max_gradient(isa, x, y, dz, gated, dx),
                Kind::Average => size.average_gradient(isa, dz, gated.then_some(x), dx),
            }
        });
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}
