//! `RandomElasticTransform`: the elastic distortions of Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural
//! Networks Applied to Visual Document Analysis" (2003), with Keras's numbers.
//!
//! Each pixel is moved by a random field, smoothed by a Gaussian of deviation `sigma` and multiplied by `alpha`. Keras
//! computes both from a factor `f` drawn between the two numbers of `scale`: `sigma = 0.05 f min(height, width)`,
//! `alpha = 0.1 f max(height, width)`; the field is `sigma` times normal numbers, and the Gaussian is cut off to `6
//! floor(sigma) + 1` pixels. So below `f = 20 / min(height, width)` nothing is smoothed, and each pixel is moved
//! independently: for pictures of 28 x 28 pixels a `scale` of `[0.72, 1]` gives what the paper describes, moving pixels
//! by half of one to one on average, where Keras's default of `[0, 1]` mostly gives noise.
//!
//! Differences from Keras: each picture has its own `f`, not one for the batch; and the moves down and to the right
//! have two independent fields, as in the paper, not the same one.

use super::erasing::share;
use super::sampling::{Between, Sampling};
use super::{Augmentation, Picture, ValueRange, factor_within};
use crate::error::Result;
use crate::json::Object;
use crate::layers::Config;
use crate::layers::random::{normals, uniform};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde_json::json;

#[derive(Clone, Debug)]
pub(super) struct RandomElasticTransform {
    /// The range of the probability that a picture is distorted.
    factor: [f64; 2],
    scale: [f64; 2],
    sampling: Sampling,
    range: ValueRange,
}

/// The paper's parameters for a picture.
struct Strength {
    alpha: f32,
    sigma: f32,
}

impl Strength {
    fn new(picture: Picture, factor: f32) -> Self {
        let Picture { height, width, .. } = picture;
        Strength { alpha: height.max(width) as f32 * (0.1 * factor), sigma: height.min(width) as f32 * (0.05 * factor) }
    }

    /// How many pixels the Gaussian is wide.
    fn kernel(&self) -> usize {
        6 * self.sigma as usize + 1
    }
}

impl RandomElasticTransform {
    /// Turns the fields of normal numbers into the move of each pixel, and returns the source of each pixel.
    #[inline(always)]
    fn from<'a>(
        &'a self,
        picture: Picture,
        factor: f32,
        scratch: &'a mut [f32],
    ) -> impl Fn(usize, usize) -> [Between; 2] + 'a {
        let strength = Strength::new(picture, factor);
        let (fields, rest) = scratch.split_at_mut(2 * picture.pixels());
        let (between, kernel) = rest.split_at_mut(picture.pixels());
        let kernel = &mut kernel[..strength.kernel()];
        gaussian(strength.sigma, kernel);
        for field in fields.chunks_exact_mut(picture.pixels()) {
            field.iter_mut().for_each(|x| *x *= strength.sigma);
            if kernel.len() > 1 {
                blur(picture, kernel, field, between);
            }
            field.iter_mut().for_each(|x| *x *= strength.alpha);
        }
        let (right, down) = fields.split_at(picture.pixels());
        move |i, j| {
            let at = i * picture.width + j;
            let (y, x) = (i as f32 + down[at], j as f32 + right[at]);
            [self.sampling.coordinate(y, picture.height), self.sampling.coordinate(x, picture.width)]
        }
    }
}

/// A Gaussian around the middle of the kernel, whose sum is 1.
fn gaussian(sigma: f32, kernel: &mut [f32]) {
    let middle = (kernel.len() / 2) as f64;
    let value = |i: usize| {
        let x = (i as f64 - middle) / f64::from(sigma);
        libm::exp(-0.5 * x * x)
    };
    if let [one] = kernel {
        *one = 1.0; // whatever sigma is
        return;
    }
    let sum: f64 = (0..kernel.len()).map(value).sum();
    kernel.iter_mut().enumerate().for_each(|(i, to)| *to = (value(i) / sum) as f32);
}

/// Convolves a field with the kernel along rows, then along columns, zeros being around it.
fn blur(picture: Picture, kernel: &[f32], field: &mut [f32], between: &mut [f32]) {
    let (width, radius) = (picture.width, kernel.len() / 2);
    between.fill(0.0);
    for (to, from) in between.chunks_exact_mut(width).zip(field.chunks_exact(width)) {
        (0..).zip(kernel).for_each(|(i, &weight)| add(weight, from, to, i, radius, 1));
    }
    field.fill(0.0);
    (0..).zip(kernel).for_each(|(i, &weight)| add(weight, between, field, i, radius, width));
}

/// Adds `weight * from`, moved by `i - radius` steps of a size to the left, to `to`.
fn add(weight: f32, from: &[f32], to: &mut [f32], i: usize, radius: usize, step: usize) {
    let by = i.abs_diff(radius).saturating_mul(step).min(to.len());
    let (from, to) = match i >= radius {
        true => (&from[by..], &mut to[..from.len() - by]),
        false => (&from[..from.len() - by], &mut to[by..]),
    };
    to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
}

impl Augmentation for RandomElasticTransform {
    const CLASS: &'static str = "RandomElasticTransform";
    const KEYS: &'static [&'static str] =
        &["factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range", "seed", "data_format"];
    /// The factor `f`, if the picture is distorted; the two fields are in the scratch memory.
    type Drawn = Option<f32>;

    fn read(config: &Object<'_>) -> Result<Self> {
        Ok(RandomElasticTransform {
            factor: factor_within(config, "factor", Some([0.0, 1.0]), 0.0)?,
            scale: share(config, [0.0, 1.0])?,
            sampling: Sampling::read(config)?,
            range: ValueRange::read(config)?,
        })
    }

    fn config(&self) -> Config {
        let config = Config::new().with("factor", json!(self.factor)).with("scale", json!(self.scale));
        self.sampling.config(config).with("value_range", json!(self.range.0))
    }

    fn is_identity(&self) -> bool {
        self.factor[1] <= 0.0 || self.scale[1] == 0.0
    }

    fn scratch(&self, picture: Picture) -> usize {
        let kernel = Strength::new(picture, self.scale[1] as f32).kernel();
        (3 + picture.channels) * picture.pixels() + kernel
    }

    fn draw(&self, picture: Picture, random: &mut ChaCha8Rng, scratch: &mut [f32]) -> Option<f32> {
        let chance = uniform(random, self.factor);
        if uniform(random, [0.0, 1.0]) >= chance {
            return None;
        }
        let factor = uniform(random, self.scale);
        let (right, rest) = scratch.split_at_mut(picture.pixels());
        for (right, down) in right.iter_mut().zip(rest) {
            [*right, *down] = normals(random.next_u32(), random.next_u32()).map(|x| x as f32);
        }
        Some(factor)
    }

    fn forward(&self, picture: Picture, factor: &Option<f32>, scratch: &mut [f32], x: &[f32], y: &mut [f32]) {
        match factor {
            Some(factor) => self.sampling.gather(picture, x, y, self.from(picture, *factor, scratch)),
            None => y.copy_from_slice(x),
        }
        let clip = self.range.clip();
        y.iter_mut().for_each(|y| *y = clip(*y));
    }

    fn backward(
        &self,
        picture: Picture,
        factor: &Option<f32>,
        scratch: &mut [f32],
        x: &[f32],
        dz: &[f32],
        dx: &mut [f32],
    ) {
        let gate = self.range.gate();
        let Some(factor) = factor else {
            return dx.iter_mut().zip(x.iter().zip(dz)).for_each(|(dx, (&x, &dz))| *dx = gate(x, dz));
        };
        let (scratch, through) = scratch.split_at_mut(scratch.len() - dz.len());
        let from = self.from(picture, *factor, scratch);
        self.sampling.gather(picture, x, through, &from);
        through.iter_mut().zip(dz).for_each(|(to, &dz)| *to = gate(*to, dz));
        self.sampling.scatter(picture, through, dx, &from);
    }
}
