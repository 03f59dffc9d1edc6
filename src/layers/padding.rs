//! `ZeroPadding2D` and `Cropping2D`: add a border of zeros to an image, or remove a border. Each is the gradient of the
//! other.

use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, check_rank};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::{Object, count};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const ZERO_PADDING: Entry = Entry {
    class: "ZeroPadding2D",
    arity: Arity::One,
    keys: &["padding", "data_format"],
    read: |config| Ok(Arc::new(ZeroPadding(border(config, "padding", [[1; 2]; 2])?))),
};

pub(super) const CROPPING: Entry = Entry {
    class: "Cropping2D",
    arity: Arity::One,
    keys: &["cropping", "data_format"],
    read: |config| Ok(Arc::new(Cropping(border(config, "cropping", [[0; 2]; 2])?))),
};

/// `[[top, bottom], [left, right]]`
type Border = [[usize; 2]; 2];

/// A number for all sides, one for each axis, or one for each side.
fn border(config: &Object<'_>, key: &str, default: Border) -> Result<Border> {
    fn pair<T>(value: &Value, convert: impl Fn(&Value) -> Option<T>) -> Option<[T; 2]> {
        match &value.as_array()?[..] {
            [a, b] => Some([convert(a)?, convert(b)?]),
            _ => None,
        }
    }
    let side = |value: &Value| count(value).filter(|&n| n <= i32::MAX as usize);
    let axis = |value: &Value| side(value).map(|n| [n; 2]).or_else(|| pair(value, side));
    let expected = "a whole number, a list of two, or [[top, bottom], [left, right]]";
    config.or(key, default, expected, |value| side(value).map(|n| [[n; 2]; 2]).or_else(|| pair(value, axis)))
}

#[derive(Debug)]
struct ZeroPadding(Border);

impl Layer for ZeroPadding {
    fn class(&self) -> &'static str {
        ZERO_PADDING.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("padding", json!(self.0)).with("data_format", "channels_last").done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_rank(inputs[0], 3, "[height, width, channels]")?;
        let dims = inputs[0].dims();
        let size = |axis: usize| dims[axis].saturating_add(self.0[axis][0]).saturating_add(self.0[axis][1]);
        Shape::new(&[size(0), size(1), dims[2]])
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(BorderWork { inner: Inner::new(context.inputs[0], context.output, self.0), grows: true }))
    }
}

#[derive(Debug)]
struct Cropping(Border);

impl Layer for Cropping {
    fn class(&self) -> &'static str {
        CROPPING.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("cropping", json!(self.0)).with("data_format", "channels_last").done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        check_rank(inputs[0], 3, "[height, width, channels]")?;
        let dims = inputs[0].dims();
        let size = |axis: usize| match dims[axis].checked_sub(self.0[axis][0] + self.0[axis][1]) {
            None | Some(0) => Err(Error::new(ErrorKind::Shape, "nothing is left of the image")
                .expected(format_args!("less than {} cropped", dims[axis]))
                .found(format_args!("{:?}", self.0[axis]))),
            Some(size) => Ok(size),
        };
        Shape::new(&[size(0)?, size(1)?, dims[2]])
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(BorderWork { inner: Inner::new(context.output, context.inputs[0], self.0), grows: false }))
    }
}

/// The position of an image inside another, in elements.
#[derive(Clone, Copy)]
struct Inner {
    /// Both images.
    len: usize,
    outer_len: usize,
    /// Rows of both.
    row: usize,
    outer_row: usize,
    /// Where in the outer one it begins.
    start: usize,
}

impl Inner {
    fn new(inner: &Shape, outer: &Shape, [[top, _], [left, _]]: Border) -> Self {
        let row = |shape: &Shape| shape.dims()[1] * shape.dims()[2];
        Inner {
            len: inner.len(),
            outer_len: outer.len(),
            row: row(inner),
            outer_row: row(outer),
            start: top * row(outer) + left * outer.dims()[2],
        }
    }

    /// Writes images with zeros around them.
    fn put(self, inner: &[f32], outer: &mut [f32]) {
        for_each(Chunks::new(outer, self.outer_len), &|image, outer| {
            let outer = outer.into_slice();
            outer.fill(0.0);
            for (i, row) in inner[image * self.len..][..self.len].chunks_exact(self.row).enumerate() {
                outer[self.start + i * self.outer_row..][..self.row].copy_from_slice(row);
            }
        });
    }

    /// Writes what is inside.
    fn take(self, outer: &[f32], inner: &mut [f32]) {
        for_each(Chunks::new(inner, self.len), &|image, inner| {
            let outer = &outer[image * self.outer_len..][..self.outer_len];
            for (i, row) in inner.into_slice().chunks_exact_mut(self.row).enumerate() {
                row.copy_from_slice(&outer[self.start + i * self.outer_row..][..self.row]);
            }
        });
    }
}

struct BorderWork {
    inner: Inner,
    /// Whether the output is the outer image.
    grows: bool,
}

impl Work for BorderWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        match self.grows {
            true => self.inner.put(x[0], y),
            false => self.inner.take(x[0], y),
        }
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        match self.grows {
            true => self.inner.take(pass.dz, dx),
            false => self.inner.put(pass.dz, dx),
        }
        Ok(())
    }
}
