//! `Add`, `Subtract`, `Multiply`, `Average`, `Maximum` and `Minimum`: elementwise functions of several inputs.
//!
//! Inputs have one shape or are broadcast as in Keras: sizes of 1, or missing in front, match any size. Of equal values
//! the first is the maximum or minimum, and gets the gradient.

use super::broadcast;
use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::{Isa, elementwise};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

pub(super) const ADD: Entry = entry("Add", |_| make(&ADD, Kind::Add));
pub(super) const SUBTRACT: Entry = entry("Subtract", |_| make(&SUBTRACT, Kind::Subtract));
pub(super) const MULTIPLY: Entry = entry("Multiply", |_| make(&MULTIPLY, Kind::Multiply));
pub(super) const AVERAGE: Entry = entry("Average", |_| make(&AVERAGE, Kind::Average));
pub(super) const MAXIMUM: Entry = entry("Maximum", |_| make(&MAXIMUM, Kind::Maximum));
pub(super) const MINIMUM: Entry = entry("Minimum", |_| make(&MINIMUM, Kind::Minimum));

const fn entry(class: &'static str, read: fn(&Object<'_>) -> Result<Arc<dyn Layer>>) -> Entry {
    Entry { class, arity: Arity::Many, keys: &[], read }
}

fn make(entry: &Entry, kind: Kind) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Merge { class: entry.class, kind }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
}

#[derive(Debug)]
struct Merge {
    class: &'static str,
    kind: Kind,
}

impl Layer for Merge {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.kind == Kind::Subtract && inputs.len() != 2 {
            let error = Error::new(ErrorKind::InvalidArgument, "wrong number of inputs");
            return Err(error.expected("two").found(inputs.len()));
        }
        inputs[1..].iter().try_fold(inputs[0].clone(), |all, &input| match broadcast::common(&all, input) {
            Some(dims) => Shape::new(&dims),
            None => Err(Error::new(ErrorKind::Shape, "inputs whose shapes do not fit each other")
                .expected(format_args!("{all}, or 1 in the place of a size"))
                .found(input)),
        })
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let input = |shape: &&Shape| match *shape == context.output {
            true => Ok(Input::Same),
            false => broadcast::places(shape.dims(), context.output.dims())?
                .map(|places| Input::Spread { len: shape.len(), places })
                .ok_or_else(|| Error::internal("inputs that do not fit each other")),
        };
        let inputs = context.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
        let piece = if inputs.iter().all(|input| matches!(input, Input::Same)) { CHUNK } else { PIECE };
        Ok(Box::new(MergeWork {
            kind: self.kind,
            inputs,
            piece,
            output: context.output.len(),
            relu: context.relu,
            isa: context.isa,
        }))
    }
}

struct MergeWork {
    kind: Kind,
    inputs: Vec<Input>,
    /// Elements computed at a time: few if they are gathered.
    piece: usize,
    /// Elements of a sample.
    output: usize,
    relu: bool,
    isa: Isa,
}

/// How an input is mapped to the output.
enum Input {
    /// Element by element.
    Same,
    /// Broadcast: so many elements per sample, and for each of the output's elements the index.
    Spread { len: usize, places: Vec<u32> },
}

/// Elements that are gathered at a time.
const PIECE: usize = 256;

impl MergeWork {
    /// The elements of an input `x` for the output's elements `here`: borrowed from `x`, or gathered in `to`.
    fn at<'a>(&self, input: usize, x: &'a [f32], here: &Range<usize>, to: &'a mut [f32; PIECE]) -> &'a [f32] {
        let Input::Spread { len, places } = &self.inputs[input] else { return &x[here.clone()] };
        for (to, element) in to.iter_mut().zip(here.clone()) {
            *to = x[element / self.output * len + places[element % self.output] as usize];
        }
        &to[..here.len()]
    }

    /// The output's elements at `here`.
    fn value(&self, x: &[&[f32]], here: &Range<usize>, y: &mut [f32]) {
        let mut gathered = [0.0; PIECE];
        y.copy_from_slice(self.at(0, x[0], here, &mut gathered));
        for (i, input) in x.iter().enumerate().skip(1) {
            let next = self.at(i, input, here, &mut gathered);
            match self.kind {
                Kind::Add | Kind::Average => elementwise::apply_with(self.isa, elementwise::Add, y, next),
                Kind::Subtract => elementwise::apply_with(self.isa, elementwise::Subtract, y, next),
                Kind::Multiply => elementwise::apply_with(self.isa, elementwise::Multiply, y, next),
                Kind::Maximum => elementwise::apply_with(self.isa, elementwise::Maximum, y, next),
                Kind::Minimum => elementwise::apply_with(self.isa, elementwise::Minimum, y, next),
            }
        }
        if self.kind == Kind::Average {
            let inputs = x.len() as f32;
            y.iter_mut().for_each(|y| *y /= inputs);
        }
        if self.relu {
            elementwise::apply(self.isa, elementwise::Relu, y);
        }
    }

    /// Turns `dx`, the gradient of the output's elements `here`, into that to an input. (Where relu changed the
    /// maximum, that gradient is 0.)
    fn slope(&self, input: usize, x: &[&[f32]], y: &[f32], here: &Range<usize>, dx: &mut [f32]) {
        let mut gathered = [0.0; PIECE];
        match self.kind {
            Kind::Add => (),
            Kind::Subtract if input == 0 => (),
            Kind::Subtract => dx.iter_mut().for_each(|dx| *dx = -*dx),
            Kind::Average => dx.iter_mut().for_each(|dx| *dx /= x.len() as f32),
            Kind::Multiply => {
                for (i, other) in x.iter().enumerate().filter(|(i, _)| *i != input) {
                    let other = self.at(i, other, here, &mut gathered);
                    elementwise::apply_with(self.isa, elementwise::Multiply, dx, other);
                }
            }
            Kind::Maximum | Kind::Minimum => {
                for (i, candidate) in x.iter().enumerate().take(input + 1) {
                    let candidate = self.at(i, candidate, here, &mut gathered);
                    for (dx, (x, y)) in dx.iter_mut().zip(candidate.iter().zip(&y[here.clone()])) {
                        *dx = if (x == y) == (i == input) { *dx } else { 0.0 };
                    }
                }
            }
        }
    }
}

/// A range in pieces of a size.
fn pieces(size: usize, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..(start + size).min(end))
}

impl Work for MergeWork {
    fn forward(&mut self, _: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let work = &*self;
        for_each(Chunks::new(y, CHUNK), &|chunk, y| {
            let (y, start) = (y.into_slice(), chunk * CHUNK);
            for here in pieces(work.piece, start..start + y.len()) {
                work.value(x, &here, &mut y[here.start - start..here.end - start]);
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], pass: Pass<'_, '_>) -> Result<()> {
        let Pass { x, y, dz, dx, .. } = pass;
        let work = &*self;
        for (input, dx) in dx.iter_mut().enumerate().filter_map(|(i, dx)| Some((i, dx.as_deref_mut()?))) {
            match &work.inputs[input] {
                Input::Same => for_each(Chunks::new(dx, CHUNK), &|chunk, dx| {
                    let (dx, start) = (dx.into_slice(), chunk * CHUNK);
                    for here in pieces(work.piece, start..start + dx.len()) {
                        let dx = &mut dx[here.start - start..here.end - start];
                        dx.copy_from_slice(&dz[here.clone()]);
                        work.slope(input, x, y, &here, dx);
                    }
                }),
                // An element gets the sum over the elements that it was broadcast to, in order.
                Input::Spread { len, places } => for_each(Chunks::new(dx, *len), &|sample, dx| {
                    let (dx, start) = (dx.into_slice(), sample * work.output);
                    dx.fill(0.0);
                    for here in pieces(work.piece, start..start + work.output) {
                        let mut shares = [0.0; PIECE];
                        let shares = &mut shares[..here.len()];
                        shares.copy_from_slice(&dz[here.clone()]);
                        work.slope(input, x, y, &here, shares);
                        for (share, &place) in shares.iter().zip(&places[here.start - start..]) {
                            dx[place as usize] += share;
                        }
                    }
                }),
            }
        }
        Ok(())
    }
}
