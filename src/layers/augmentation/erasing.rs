//! `RandomErasing` (Zhong, Zheng, Kang, Li and Yang 2017): fills a rectangle of a picture with a value, a color, or
//! noise.

use super::{Augmentation, Picture, ValueRange, factor, factor_within};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Object;
use crate::layers::Config;
use crate::layers::random::{normals, uniform};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde_json::{Value, json};
use std::ops::Range;

#[derive(Clone, Debug)]
pub(super) struct RandomErasing {
    /// The range of the probability that a picture is changed.
    factor: [f64; 2],
    /// The range of the squares of the rectangle's sides, relative to the picture's.
    scale: [f64; 2],
    fill: Fill,
    range: ValueRange,
}

/// The fill, clipped to the range.
#[derive(Clone, Debug)]
enum Fill {
    /// Numbers of a normal distribution around 0 whose deviation is the greatest number of the range.
    Noise,
    One(f64),
    Color([f64; 3]),
}

impl Fill {
    fn read(value: &Value) -> Option<Self> {
        let color = |list: &Vec<Value>| {
            let [r, g, b] = list.as_slice() else { return None };
            Some(Fill::Color([r.as_f64()?, g.as_f64()?, b.as_f64()?]))
        };
        match value {
            Value::Null => Some(Fill::Noise),
            Value::Array(list) => color(list),
            value => value.as_f64().map(Fill::One),
        }
    }
}

/// The rectangle to be erased.
pub(super) struct Erased {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Erased {
    /// The index ranges of its rows in a picture.
    fn places(&self, picture: Picture) -> impl Iterator<Item = Range<usize>> {
        let row = self.columns.start * picture.channels..self.columns.end * picture.channels;
        self.rows.clone().map(move |i| i * picture.row() + row.start..i * picture.row() + row.end)
    }
}

/// The pixels at positions from `start` to below `end`.
pub(super) fn between(start: f32, end: f32, len: usize) -> Range<usize> {
    let first = |from: f32| (from.max(0.0).ceil() as usize).min(len);
    first(start)..first(end).max(first(start))
}

/// A side of the rectangle: its length and position in `len` pixels.
fn side(random: &mut ChaCha8Rng, scale: [f64; 2], len: usize) -> Range<usize> {
    let size = uniform(random, scale).sqrt() * len as f32;
    let start = uniform(random, [0.0, 1.0]) * (len as f32 - size);
    between(start, start + size, len)
}

impl Augmentation for RandomErasing {
    const CLASS: &'static str = "RandomErasing";
    const KEYS: &'static [&'static str] = &["factor", "scale", "fill_value", "value_range", "seed", "data_format"];
    /// What is erased, if anything is.
    type Drawn = Option<Erased>;

    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(RandomErasing {
            factor: factor_within(config, "factor", Some([0.0, 1.0]), 0.0)?,
            scale: share(config, [0.02, 0.33])?,
            fill: config.or("fill_value", Fill::Noise, "a number, a list of three, or null", Fill::read)?,
            range: ValueRange::read(config)?,
        })
    }

    fn config(&self) -> Config {
        let fill = match &self.fill {
            Fill::Noise => Value::Null,
            Fill::One(value) => json!(value),
            Fill::Color(values) => json!(values),
        };
        let config = Config::new().with("factor", json!(self.factor)).with("scale", json!(self.scale));
        config.with("fill_value", fill).with("value_range", json!(self.range.0))
    }

    fn check(&self, picture: Picture) -> Result<()> {
        match self.fill {
            Fill::Color(_) if picture.channels != 3 => {
                let error = Error::new(ErrorKind::Shape, "key fill_value: wrong number of channels");
                Err(error.expected("3, as many as it has numbers").found(picture.channels))
            }
            _ => Ok(()),
        }
    }

    fn is_identity(&self) -> bool {
        self.factor[1] <= 0.0
    }

    fn scratch(&self, picture: Picture) -> usize {
        if matches!(self.fill, Fill::Noise) { picture.pixels() * picture.channels } else { 0 }
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng, scratch: &mut [f32]) -> Option<Erased> {
        let chance = uniform(random, self.factor);
        if uniform(random, [0.0, 1.0]) >= chance {
            return None;
        }
        let columns = side(random, self.scale, picture.width);
        let rows = side(random, self.scale, picture.height);
        if let Fill::Noise = self.fill {
            let (clip, deviation) = (self.range.clip(), self.range.0[1]);
            let drawn = &mut scratch[..rows.len() * columns.len() * picture.channels];
            for two in drawn.chunks_mut(2) {
                let numbers = normals(random.next_u32(), random.next_u32());
                two.iter_mut().zip(numbers).for_each(|(to, number)| *to = clip((number * deviation) as f32));
            }
        }
        Some(Erased { rows, columns })
    }

    fn forward(&self, picture: Picture, erased: &Option<Erased>, noise: &mut [f32], x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
        let clip = self.range.clip();
        let Some(erased) = erased else { return };
        for (i, places) in erased.places(picture).enumerate() {
            let (len, y) = (places.len(), &mut y[places]);
            match &self.fill {
                Fill::Noise => y.copy_from_slice(&noise[i * len..][..len]),
                Fill::One(value) => y.fill(clip(*value as f32)),
                Fill::Color(values) => {
                    let color = values.map(|value| clip(value as f32));
                    y.chunks_exact_mut(3).for_each(|y| y.copy_from_slice(&color));
                }
            }
        }
    }

    fn backward(
        &self,
        picture: Picture,
        erased: &Option<Erased>,
        _: &mut [f32],
        _: &[f32],
        dz: &[f32],
        dx: &mut [f32],
    ) {
        dx.copy_from_slice(dz);
        let Some(erased) = erased else { return };
        erased.places(picture).for_each(|places| dx[places].fill(0.0));
    }
}

/// The key `scale`, numbers from 0 to 1.
pub(super) fn share(config: &Object<'_>, default: [f64; 2]) -> Result<[f64; 2]> {
    let good = |x: f64| (0.0..=1.0).contains(&x);
    factor(config, "scale", Some(default), 0.0, "a number from 0 to 1, or two", |a, b| good(a) && good(b))
}
