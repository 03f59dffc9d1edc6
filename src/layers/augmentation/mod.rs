//! Augmentation: pictures changed at random in training, as Keras's layers do it. In inference they are the identity.
//!
//! A kind of change is an [`Augmentation`]: the random numbers it draws for a picture, the changed picture for these
//! numbers (as Keras computes it, up to rounding), and the backward pass. The random numbers are this library's: a
//! function of the seed, the layer, the epoch and the sample's index in the dataset ([`of_sample`]), so that neither
//! the batch size nor threads nor resuming change a picture. They are drawn again in the backward pass: nothing is kept
//! of a batch.
//!
//! Times for a picture of 28 x 28 pixels on one thread, beside 0.1 us for a copy of it and 300 us for a step of the
//! tutorial's network: a flip or brightness 0.4 us, contrast 2, erasing 8, rotation, translation and zoom 16, elastic
//! distortions 50 (`how_long_a_pass_takes` in the tests).

mod affine;
mod color;
mod elastic;
mod erasing;
mod flip;
mod sampling;
#[cfg(test)]
mod tests;

use super::parallel::{Chunks, for_each};
use super::random::{of_sample, seed};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, PerThread, Step, Weight, Work, check_rank};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::memory::filled;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::sync::Arc;

pub(super) const BRIGHTNESS: Entry = entry::<color::RandomBrightness>();
pub(super) const CONTRAST: Entry = entry::<color::RandomContrast>();
pub(super) const ELASTIC: Entry = entry::<elastic::RandomElasticTransform>();
pub(super) const ERASING: Entry = entry::<erasing::RandomErasing>();
pub(super) const FLIP: Entry = entry::<flip::RandomFlip>();
pub(super) const ROTATION: Entry = entry::<affine::Affine<affine::Rotation>>();
pub(super) const TRANSLATION: Entry = entry::<affine::Affine<affine::Translation>>();
pub(super) const ZOOM: Entry = entry::<affine::Affine<affine::Zoom>>();

/// A kind of augmentation.
trait Augmentation: Clone + Debug + Send + Sync + 'static {
    /// Keras's name of the class.
    const CLASS: &'static str;
    /// Its keys, including `seed` and `data_format`, which all have.
    const KEYS: &'static [&'static str];
    /// The numbers drawn for a picture, except those in its scratch memory.
    type Drawn;

    /// Reads its config.
    fn read(config: &Object<'_>) -> Result<Self>;

    /// Keras's config, without `seed` and `data_format`.
    fn config(&self) -> Config;

    /// An error for pictures that do not fit.
    fn check(&self, _picture: Picture) -> Result<()> {
        Ok(())
    }

    /// Whether it is always the identity.
    fn is_identity(&self) -> bool;

    /// How many numbers of scratch memory it needs.
    fn scratch(&self, _picture: Picture) -> usize {
        0
    }

    /// Draws the random numbers for a picture.
    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng, scratch: &mut [f32]) -> Self::Drawn;

    /// Writes the changed picture `x` to `y`.
    fn forward(&self, picture: Picture, drawn: &Self::Drawn, scratch: &mut [f32], x: &[f32], y: &mut [f32]);

    /// Writes to `dx` the gradient to the picture `x`, from `dz`, the gradient to the changed picture. The numbers have
    /// been drawn again.
    fn backward(
        &self,
        picture: Picture,
        drawn: &Self::Drawn,
        scratch: &mut [f32],
        x: &[f32],
        dz: &[f32],
        dx: &mut [f32],
    );
}

/// The size of a picture.
#[derive(Clone, Copy, Debug)]
struct Picture {
    height: usize,
    width: usize,
    channels: usize,
}

impl Picture {
    /// Of a shape `[height, width, channels]`.
    fn of(shape: &Shape) -> Result<Self> {
        check_rank(shape, 3, "[height, width, channels]")?;
        let dims = shape.dims();
        Ok(Picture { height: dims[0], width: dims[1], channels: dims[2] })
    }

    /// Its pixels.
    fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Elements of a row.
    fn row(self) -> usize {
        self.width * self.channels
    }
}

/// The entry of a kind in the table of layers.
const fn entry<A: Augmentation>() -> Entry {
    Entry { class: A::CLASS, arity: Arity::One, keys: A::KEYS, read: read::<A> }
}

fn read<A: Augmentation>(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Augmenting { how: A::read(config)?, seed: seed(config)? }))
}

/// Two numbers between which one is drawn: a pair in any order, or a number `f` for `-f` to `f`, but not below `low`.
/// `good` says whether it takes a pair.
fn factor(
    config: &Object<'_>,
    key: &str,
    default: Option<[f64; 2]>,
    low: f64,
    expected: &str,
    good: impl Fn(f64, f64) -> bool,
) -> Result<[f64; 2]> {
    let convert = |value: &Value| match pair(value) {
        Some([a, b]) => good(a, b).then_some([a.min(b), a.max(b)]),
        None => value.as_f64().filter(|&f| good(f, f)).map(|f| [low.max(-f.abs()), f.abs()]),
    };
    match default {
        Some(default) => config.or(key, default, expected, convert),
        None => config.get(key, expected, convert),
    }
}

/// The same for numbers from `low` to 1, of which a pair must reach some.
fn factor_within(config: &Object<'_>, key: &str, default: Option<[f64; 2]>, low: f64) -> Result<[f64; 2]> {
    let expected = format!("a number from {low} to 1, or a pair of numbers");
    factor(config, key, default, low, &expected, |a, b| a <= 1.0 && b >= low)
}

/// Two numbers in a list.
fn pair(value: &Value) -> Option<[f64; 2]> {
    match value.as_array()?.as_slice() {
        [a, b] => Some([a.as_f64()?, b.as_f64()?]),
        _ => None,
    }
}

/// The least and the greatest number that a pixel may be.
#[derive(Clone, Copy, Debug)]
struct ValueRange([f64; 2]);

impl ValueRange {
    fn read(config: &Object<'_>) -> Result<Self> {
        let expected = "two numbers, the lower one first";
        let ascending = |value| pair(value).filter(|[low, high]| low <= high);
        Ok(ValueRange(config.or("value_range", [0.0, 255.0], expected, ascending)?))
    }

    /// Clips values to the range; NaN stays.
    fn clip(self) -> impl Fn(f32) -> f32 + Copy {
        let [low, high] = self.0.map(|end| end as f32);
        move |x| {
            if x > high {
                high
            } else if x < low {
                low
            } else {
                x
            }
        }
    }

    /// Passes a gradient where a value was not clipped.
    fn gate(self) -> impl Fn(f32, f32) -> f32 + Copy {
        let [low, high] = self.0.map(|end| end as f32);
        move |x, dz| if x > high || x < low { 0.0 } else { dz }
    }
}

/// The layer of a kind.
#[derive(Debug)]
struct Augmenting<A> {
    how: A,
    seed: Option<u64>,
}

impl<A: Augmentation> Layer for Augmenting<A> {
    fn class(&self) -> &'static str {
        A::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        self.how.config().with("seed", json!(self.seed)).with("data_format", "channels_last").done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        self.how.check(Picture::of(inputs[0])?)?;
        Ok(inputs[0].clone())
    }

    fn is_view(&self, training: bool) -> bool {
        !training || self.how.is_identity()
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let picture = Picture::of(context.output)?;
        Ok(Box::new(AugmentingWork {
            how: self.how.clone(),
            seed: self.seed,
            layer: context.number,
            picture,
            len: context.input_len(),
            scratch: PerThread::new(context.threads, || filled(self.how.scratch(picture), 0.0))?,
        }))
    }
}

struct AugmentingWork<A> {
    how: A,
    seed: Option<u64>,
    layer: u64,
    picture: Picture,
    /// Elements of a sample.
    len: usize,
    scratch: PerThread<Vec<f32>>,
}

impl<A: Augmentation> AugmentingWork<A> {
    /// Draws for each picture of a batch, and calls `task` with the pictures in parallel.
    fn each(&self, step: &Step, out: &mut [f32], task: impl Fn(&A::Drawn, &mut [f32], usize, &mut [f32]) + Sync) {
        let seed = self.seed.unwrap_or(step.seed);
        for_each(Chunks::new(out, self.len), &|place, out| {
            self.scratch.lend(|scratch| {
                let drawn = self.how.draw(self.picture, &mut of_sample(seed, self.layer, step, place), scratch);
                task(&drawn, scratch, place * self.len, out.into_slice());
            });
        });
    }
}

impl<A: Augmentation> Work for AugmentingWork<A> {
    fn forward(&mut self, step: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let (how, picture, len) = (&self.how, self.picture, self.len);
        self.each(step, y, |drawn, scratch, at, y| how.forward(picture, drawn, scratch, &x[0][at..][..len], y));
        Ok(())
    }

    fn backward(&mut self, step: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (how, picture, len) = (&self.how, self.picture, self.len);
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        let (x, dz) = (pass.x[0], pass.dz);
        self.each(step, dx, |drawn, scratch, at, dx| {
            how.backward(picture, drawn, scratch, &x[at..][..len], &dz[at..][..len], dx);
        });
        Ok(())
    }
}
