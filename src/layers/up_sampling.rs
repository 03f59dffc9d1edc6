//! `UpSampling2D`: each pixel `size` times down and across, or pixels in between by their distance to the nearest four.
//!
//! A pixel of the output lies at `(i + 0.5) / size - 0.5` of the input, pixels being squares with their numbers in the
//! middle; past the outermost middles their numbers count.

use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, check_rank};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::memory;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { class: "UpSampling2D", arity: Arity::One, keys: &["size", "data_format", "interpolation"], read };

#[derive(Debug)]
struct UpSampling {
    size: [usize; 2],
    bilinear: bool,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    let size = config.sizes_or("size", Some([2; 2]))?;
    let known = |value: &Value| value == "nearest" || value == "bilinear";
    config.idle("interpolation", known, "nearest or bilinear")?;
    Ok(Arc::new(UpSampling { size, bilinear: config.value("interpolation") == "bilinear" }))
}

impl Layer for UpSampling {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("size", json!(self.size))
            .with("data_format", "channels_last")
            .with("interpolation", if self.bilinear { "bilinear" } else { "nearest" })
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_rank(inputs[0], 3, "[height, width, channels]")?;
        let dims = inputs[0].dims();
        let size = |axis: usize| {
            let size = dims[axis].checked_mul(self.size[axis]);
            size.ok_or_else(|| Error::new(ErrorKind::Shape, "too many elements").found(self.size[axis]))
        };
        Shape::new(&[size(0)?, size(1)?, dims[2]])
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let dims = context.inputs[0].dims();
        let along =
            |axis: usize| memory::collect((0..dims[axis] * self.size[axis]).map(|i| self.between(i, axis, dims[axis])));
        Ok(Box::new(UpSamplingWork {
            rows: along(0)?,
            columns: along(1)?,
            input: context.input_len(),
            row: dims[1] * dims[2],
            channels: dims[2],
            bilinear: self.bilinear,
        }))
    }
}

impl UpSampling {
    /// Where place `i` of the output lies along an axis with so many inputs.
    fn between(&self, i: usize, axis: usize, inputs: usize) -> Between {
        let size = self.size[axis];
        if !self.bilinear {
            return Between { first: i / size, second: i / size, share: 0.0 };
        }
        let at = (i as f32 + 0.5) * (1.0 / size as f32) - 0.5;
        let below = at.floor();
        let first = below.max(0.0) as usize;
        Between { first, second: (at.ceil() as usize).min(inputs - 1), share: at - below }
    }
}

/// Two inputs along an axis, and how much of the second there is between them.
#[derive(Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

struct UpSamplingWork {
    rows: Vec<Between>,
    columns: Vec<Between>,
    /// Elements of an input image.
    input: usize,
    /// Elements of a row of it.
    row: usize,
    channels: usize,
    bilinear: bool,
}

impl UpSamplingWork {
    fn output(&self) -> usize {
        self.rows.len() * self.columns.len() * self.channels
    }

    /// For each pixel of an output image: where its nearest four begin, and the share of the lower and of the right ones.
    fn pixels(&self) -> impl Iterator<Item = ([usize; 4], f32, f32)> {
        let at = |row: usize, column: usize| row * self.row + column * self.channels;
        let pixel = move |y: &Between, x: &Between| {
            (
                [at(y.first, x.first), at(y.first, x.second), at(y.second, x.first), at(y.second, x.second)],
                y.share,
                x.share,
            )
        };
        self.rows.iter().flat_map(move |y| self.columns.iter().map(move |x| pixel(y, x)))
    }
}

impl Work for UpSamplingWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (work, channels) = (&*self, self.channels);
        for_each(Chunks::new(y, work.output()), &|image, y| {
            let x = &x[0][image * work.input..][..work.input];
            for (y, (places, down, across)) in y.into_slice().chunks_exact_mut(channels).zip(work.pixels()) {
                if !work.bilinear {
                    y.copy_from_slice(&x[places[0]..][..channels]);
                    continue;
                }
                let [a, b, c, d] = places.map(|place| &x[place..][..channels]);
                for (i, y) in y.iter_mut().enumerate() {
                    let (top, bottom) = (a[i] + (b[i] - a[i]) * across, c[i] + (d[i] - c[i]) * across);
                    *y = top + (bottom - top) * down;
                }
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (work, channels, dz) = (&*self, self.channels, pass.dz);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        for_each(Chunks::new(dx, work.input), &|image, dx| {
            let dx = dx.into_slice();
            dx.fill(0.0);
            let dz = dz[image * work.output()..].chunks_exact(channels);
            for (dz, (places, down, across)) in dz.zip(work.pixels()) {
                let shares =
                    [(1.0 - down) * (1.0 - across), (1.0 - down) * across, down * (1.0 - across), down * across];
                let used = if work.bilinear { 4 } else { 1 };
                for (&place, share) in places.iter().zip(shares).take(used) {
                    dx[place..][..channels].iter_mut().zip(dz).for_each(|(dx, dz)| *dx += share * dz);
                }
            }
        });
        Ok(())
    }
}
