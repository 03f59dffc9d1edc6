//! `RandomContrast` and `RandomBrightness`: one factor for a picture, with its values clipped to their range.

use super::{Augmentation, Picture, ValueRange, factor_within};
use crate::error::Result;
use crate::json::Object;
use crate::layers::Config;
use crate::layers::random::uniform;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const KEYS: &[&str] = &["factor", "value_range", "seed", "data_format"];

/// `(x - mean) * f + mean`, for the mean of the pixel's channel in the picture and a factor `f` from `1 - factor[0]` to
/// `1 + factor[1]`: a `factor` that is one number is Keras's `[0, factor]`, from 1 upwards.
#[derive(Clone, Debug)]
pub(super) struct RandomContrast {
    factor: [f64; 2],
    range: ValueRange,
}

impl Augmentation for RandomContrast {
    const CLASS: &'static str = "RandomContrast";
    const KEYS: &'static [&'static str] = KEYS;
    /// The factor.
    type Drawn = f32;

    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(RandomContrast { factor: factor_within(config, "factor", None, 0.0)?, range: ValueRange::read(config)? })
    }

    fn config(&self) -> Config {
        Config::new().with("factor", json!(self.factor)).with("value_range", json!(self.range.0))
    }

    fn is_identity(&self) -> bool {
        false // with a factor of 1 it is not, either: numbers out of their range are cut off
    }

    fn draw(&self, _: Picture, random: &mut ChaCha8Rng, _: &mut [f32]) -> f32 {
        uniform(random, [1.0 - self.factor[0], 1.0 + self.factor[1]])
    }

    fn forward(&self, picture: Picture, factor: &f32, _: &mut [f32], x: &[f32], y: &mut [f32]) {
        let clip = self.range.clip();
        for channel in 0..picture.channels {
            let mean = mean(picture, channel, |at| x[at]);
            each(picture, channel, |at| y[at] = clip((x[at] - mean) * factor + mean));
        }
    }

    fn backward(&self, picture: Picture, factor: &f32, _: &mut [f32], x: &[f32], dz: &[f32], dx: &mut [f32]) {
        let gate = self.range.gate();
        for channel in 0..picture.channels {
            let mean_x = mean(picture, channel, |at| x[at]);
            each(picture, channel, |at| dx[at] = gate((x[at] - mean_x) * factor + mean_x, dz[at]));
            let by_mean = (1.0 - factor) * mean(picture, channel, |at| dx[at]);
            each(picture, channel, |at| dx[at] = dx[at] * factor + by_mean);
        }
    }
}

/// Does `task` for the place of each number of a channel.
#[inline(always)]
fn each(picture: Picture, channel: usize, task: impl FnMut(usize)) {
    (channel..picture.pixels() * picture.channels).step_by(picture.channels).for_each(task);
}

/// The mean of a channel's numbers, added up in their order.
#[inline(always)]
fn mean(picture: Picture, channel: usize, number: impl Fn(usize) -> f32) -> f32 {
    let mut sum = 0.0;
    each(picture, channel, |at| sum += f64::from(number(at)));
    (sum / picture.pixels() as f64) as f32
}

/// `x + f * (high - low)`, for a factor `f` and the range's ends.
#[derive(Clone, Debug)]
pub(super) struct RandomBrightness {
    factor: [f64; 2],
    range: ValueRange,
}

impl Augmentation for RandomBrightness {
    const CLASS: &'static str = "RandomBrightness";
    const KEYS: &'static [&'static str] = KEYS;
    /// The offset.
    type Drawn = f32;

    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(RandomBrightness { factor: factor_within(config, "factor", None, -1.0)?, range: ValueRange::read(config)? })
    }

    fn config(&self) -> Config {
        Config::new().with("factor", json!(self.factor)).with("value_range", json!(self.range.0))
    }

    fn is_identity(&self) -> bool {
        false
    }

    fn draw(&self, _: Picture, random: &mut ChaCha8Rng, _: &mut [f32]) -> f32 {
        let [low, high] = self.range.0;
        uniform(random, self.factor) * (high - low) as f32
    }

    fn forward(&self, _: Picture, more: &f32, _: &mut [f32], x: &[f32], y: &mut [f32]) {
        let clip = self.range.clip();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = clip(x + more));
    }

    fn backward(&self, _: Picture, more: &f32, _: &mut [f32], x: &[f32], dz: &[f32], dx: &mut [f32]) {
        let gate = self.range.gate();
        dx.iter_mut().zip(x.iter().zip(dz)).for_each(|(dx, (x, &dz))| *dx = gate(x + more, dz));
    }
}
