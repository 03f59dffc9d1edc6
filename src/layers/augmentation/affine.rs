//! `RandomRotation`, `RandomTranslation` and `RandomZoom`: a pixel at column `x` and row `y` comes from
//! `(a x + b y + c, d x + e y + f)`.
//!
//! In single precision and with the operations of Keras and TensorFlow in the same order: at an edge the last bit can
//! decide from which side of the picture a pixel comes.

use super::sampling::{Between, Sampling};
use super::{Augmentation, Picture, factor, factor_within};
use crate::error::Result;
use crate::json::Object;
use crate::layers::Config;
use crate::layers::random::uniform;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::fmt::Debug;

/// `[a, b, c, d, e, f]`.
type Matrix = [f32; 6];

/// A random affine transform.
pub(super) trait Motion: Clone + Debug + Send + Sync + 'static {
    const CLASS: &'static str;
    const KEYS: &'static [&'static str];

    fn read(config: &Object<'_>) -> Result<Self>;

    fn config(&self) -> Config;

    /// Whether it is always the identity.
    fn is_still(&self) -> bool;

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng) -> Matrix;
}

/// The layer of a motion.
#[derive(Clone, Debug)]
pub(super) struct Affine<M> {
    motion: M,
    sampling: Sampling,
}

impl<M> Affine<M> {
    /// Where pixels come from, by row and column.
    #[inline(always)]
    fn from(&self, picture: Picture, [a, b, c, d, e, f]: Matrix) -> impl Fn(usize, usize) -> [Between; 2] {
        move |i, j| {
            let (y, x) = (i as f32, j as f32);
            let (from_x, from_y) = (a * x + b * y + c, d * x + e * y + f);
            [self.sampling.place(from_y, picture.height), self.sampling.place(from_x, picture.width)]
        }
    }
}

impl<M: Motion> Augmentation for Affine<M> {
    const CLASS: &'static str = M::CLASS;
    const KEYS: &'static [&'static str] = M::KEYS;
    type Drawn = Matrix;

    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(Affine { motion: M::read(config)?, sampling: Sampling::read(config)? })
    }

    fn config(&self) -> Config {
        self.sampling.config(self.motion.config())
    }

    fn is_identity(&self) -> bool {
        self.motion.is_still()
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng, _: &mut [f32]) -> Matrix {
        self.motion.draw(picture, random)
    }

    fn forward(&self, picture: Picture, matrix: &Matrix, _: &mut [f32], x: &[f32], y: &mut [f32]) {
        self.sampling.gather(picture, x, y, self.from(picture, *matrix));
    }

    fn backward(&self, picture: Picture, matrix: &Matrix, _: &mut [f32], _: &[f32], dz: &[f32], dx: &mut [f32]) {
        self.sampling.scatter(picture, dz, dx, self.from(picture, *matrix));
    }
}

/// Around the middle, counter-clockwise, by a `factor` of a whole turn.
#[derive(Clone, Debug)]
pub(super) struct Rotation([f64; 2]);

impl Motion for Rotation {
    const CLASS: &'static str = "RandomRotation";
    const KEYS: &'static [&'static str] =
        &["factor", "fill_mode", "interpolation", "seed", "fill_value", "data_format"];

    fn read(config: &Object<'_>) -> Result<Self> {
        factor_within(config, "factor", None, -1.0).map(Rotation)
    }

    fn config(&self) -> Config {
        Config::new().with("factor", json!(self.0))
    }

    fn is_still(&self) -> bool {
        self.0 == [0.0; 2]
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng) -> Matrix {
        let degrees = uniform(random, self.0.map(|factor| factor * 360.0));
        let angle = degrees * (std::f64::consts::PI / 180.0) as f32;
        let (sin, cos) = libm::sincos(f64::from(angle));
        let (sin, cos) = (sin as f32, cos as f32);
        let [x, y] = [picture.width, picture.height].map(middle);
        [cos, -sin, x - x * cos - y * -sin, sin, cos, y - x * sin - y * cos]
    }
}

/// The place in the middle of so many pixels.
fn middle(len: usize) -> f32 {
    (len as f32 - 1.0) / 2.0
}

/// Down and to the right, by a factor of the picture's height and one of its width.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    height: [f64; 2],
    width: [f64; 2],
}

const KEYS: &[&str] =
    &["height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value", "data_format"];

/// A factor in Keras's form: one number if the range is symmetric. Keras does not accept the pair `[-1, 1]` for a zoom.
fn written([low, high]: [f64; 2]) -> Value {
    if low == -high { json!(high) } else { json!([low, high]) }
}

impl Motion for Translation {
    const CLASS: &'static str = "RandomTranslation";
    const KEYS: &'static [&'static str] = KEYS;

    fn read(config: &Object<'_>) -> Result<Self> {
        let good = |x: f64| (-1.0..=1.0).contains(&x);
        let expected = "a number from -1 to 1, or two";
        let read = |key: &str| factor(config, key, None, -1.0, expected, |a, b| good(a) && good(b));
        Ok(Translation { height: read("height_factor")?, width: read("width_factor")? })
    }

    fn config(&self) -> Config {
        Config::new().with("height_factor", written(self.height)).with("width_factor", written(self.width))
    }

    fn is_still(&self) -> bool {
        self.height == [0.0; 2] && self.width == [0.0; 2]
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng) -> Matrix {
        let down = uniform(random, self.height) * picture.height as f32;
        let right = uniform(random, self.width) * picture.width as f32;
        [1.0, 0.0, -right, 0.0, 1.0, -down]
    }
}

/// Around the middle: to `1 / (1 + factor)` of its size, with a factor for height and one for width, or one for both.
#[derive(Clone, Debug)]
pub(super) struct Zoom {
    height: [f64; 2],
    width: Option<[f64; 2]>,
}

impl Motion for Zoom {
    const CLASS: &'static str = "RandomZoom";
    const KEYS: &'static [&'static str] = KEYS;

    fn read(config: &Object<'_>) -> Result<Self> {
        let good = |x: f64| x > -1.0 && x <= 1.0;
        let expected = "a number above -1, up to 1, or two";
        let read = |key: &str| factor(config, key, None, -1.0, expected, |a, b| good(a) && good(b));
        let width = config.has("width_factor").then(|| read("width_factor")).transpose()?;
        Ok(Zoom { height: read("height_factor")?, width })
    }

    fn config(&self) -> Config {
        let width = self.width.map_or(Value::Null, written);
        Config::new().with("height_factor", written(self.height)).with("width_factor", width)
    }

    fn is_still(&self) -> bool {
        self.height == [0.0; 2] && self.width.unwrap_or_default() == [0.0; 2]
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng) -> Matrix {
        let mut draw = |factor: [f64; 2]| uniform(random, factor.map(|factor| 1.0 + factor));
        let down = draw(self.height);
        let across = self.width.map_or(down, draw);
        let [x, y] = [picture.width, picture.height].map(middle);
        [across, 0.0, x * (1.0 - across), 0.0, down, y * (1.0 - down)]
    }
}
