//! `Dropout`, `SpatialDropout2D` and `GaussianNoise`: layers that are random in training and the identity in
//! prediction.
//!
//! Each element's number is a function of the seed, the layer, the step, the sample and the element alone
//! ([`random`](super::random)).

use super::parallel::{Chunks, for_each};
use super::random::{generator, normal, seed};
use super::{Arity, BuildContext, Config, Entry, Layer, Pass, Step, Weight, Work, check_rank};
use crate::error::Result;
use crate::graph::Shape;
use crate::json::Object;
use crate::memory::filled;
use rand_chacha::rand_core::RngCore;
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const DROPOUT: Entry = Entry {
    class: "Dropout",
    arity: Arity::One,
    keys: &["rate", "seed", "noise_shape"],
    read: |config| {
        config.idle("noise_shape", |_| false, "null")?;
        dropout(&DROPOUT, config, false)
    },
};

pub(super) const SPATIAL: Entry = Entry {
    class: "SpatialDropout2D",
    arity: Arity::One,
    keys: &["rate", "seed", "data_format"],
    read: |config| dropout(&SPATIAL, config, true),
};

pub(super) const NOISE: Entry = Entry {
    class: "GaussianNoise",
    arity: Arity::One,
    keys: &["stddev", "seed"],
    read: |config| {
        let stddev = config.get("stddev", "a number, 0 or more", |value| value.as_f64().filter(|&x| x >= 0.0))?;
        Ok(Arc::new(GaussianNoise { stddev, seed: seed(config)? }))
    },
};

fn dropout(entry: &Entry, config: &Object<'_>, whole_channels: bool) -> Result<Arc<dyn Layer>> {
    let in_range = |value: &Value| value.as_f64().filter(|rate| (0.0..=1.0).contains(rate));
    let rate = config.get("rate", "a number from 0 to 1", in_range)?;
    Ok(Arc::new(Dropout { class: entry.class, rate, seed: seed(config)?, whole_channels }))
}

#[derive(Debug)]
struct Dropout {
    class: &'static str,
    rate: f64,
    seed: Option<u64>,
    /// Whether a channel of an image is dropped as one.
    whole_channels: bool,
}

impl Layer for Dropout {
    fn class(&self) -> &'static str {
        self.class
    }

    fn config(&self) -> Map<String, Value> {
        let config = Config::new().with("rate", self.rate).with("seed", json!(self.seed));
        match self.whole_channels {
            true => config.with("data_format", "channels_last").done(),
            false => config.with("noise_shape", Value::Null).done(),
        }
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        if self.whole_channels {
            check_rank(inputs[0], 3, "[height, width, channels]")?;
        }
        Ok(inputs[0].clone())
    }

    fn is_view(&self, training: bool) -> bool {
        !training || self.rate == 0.0
    }

    fn keeps_zeros(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let len = context.input_len();
        let drawn = if self.whole_channels { context.output.dims()[2] } else { len };
        Ok(Box::new(DropoutWork {
            // A number of 32 bits up to this drops.
            drops: ((self.rate * 2f64.powi(32)) as u64).saturating_sub(1).min(u32::MAX.into()) as u32,
            scale: if self.rate < 1.0 { (1.0 / (1.0 - self.rate)) as f32 } else { 0.0 },
            seed: self.seed,
            layer: context.number,
            len,
            drawn,
            kept: filled(context.batch.saturating_mul(drawn), false)?,
        }))
    }
}

struct DropoutWork {
    drops: u32,
    /// The factor of kept values.
    scale: f32,
    seed: Option<u64>,
    layer: u64,
    /// Elements of a sample.
    len: usize,
    /// Numbers drawn for a sample: `len`, or its channels.
    drawn: usize,
    /// The mask of kept elements, `[B, drawn]`.
    kept: Vec<bool>,
}

/// Draws the mask: an element is kept if the generator's next number of 32 bits is above `drops`. Sixty-four numbers at
/// a time, the same as from `next_u32` one by one.
fn draw(random: &mut impl RngCore, drops: u32, kept: &mut [bool]) {
    let mut bytes = [0; 256];
    for kept in kept.chunks_mut(64) {
        let bytes = &mut bytes[..4 * kept.len()];
        random.fill_bytes(bytes);
        for (kept, word) in kept.iter_mut().zip(bytes.chunks_exact(4)) {
            *kept = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) > drops;
        }
    }
}

/// The elements of `x` that are kept, times `scale`; 0 for the others, with a bit mask: a branch on random bits is
/// mispredicted (512 x 128 elements: 0.27 ms with branches, 0.09 without, most of it for drawing).
fn keep(x: &[f32], kept: &[bool], scale: f32, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(kept.len()).zip(y.chunks_exact_mut(kept.len())) {
        for (y, (&x, &kept)) in y.iter_mut().zip(x.iter().zip(kept)) {
            *y = f32::from_bits((x * scale).to_bits() & u32::from(kept).wrapping_neg());
        }
    }
}

impl Work for DropoutWork {
    fn forward(&mut self, step: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let DropoutWork { drops, scale, seed, layer, len, drawn, .. } = *self;
        let (x, seed) = (x[0], seed.unwrap_or(step.seed));
        let kept = &mut self.kept[..y.len() / len * drawn];
        for_each((Chunks::new(y, len), Chunks::new(kept, drawn)), &|sample, (y, kept)| {
            let mut random = generator(seed, layer, step.number, step.place(sample) as u64);
            let kept = kept.into_slice();
            draw(&mut random, drops, kept);
            keep(&x[sample * len..][..len], kept, scale, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let DropoutWork { scale, len, drawn, .. } = *self;
        let Some(dx) = pass.take_dx() else { return Ok(()) };
        let (kept, Pass { x, dz, gated, .. }) = (&self.kept, pass);
        for_each(Chunks::new(dx, len), &|sample, dx| {
            let (dx, here) = (dx.into_slice(), sample * len..(sample + 1) * len);
            keep(&dz[here.clone()], &kept[sample * drawn..][..drawn], scale, dx);
            if gated {
                dx.iter_mut().zip(&x[0][here]).for_each(|(dx, &x)| *dx = if x > 0.0 { *dx } else { 0.0 });
            }
        });
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct GaussianNoise {
    stddev: f64,
    seed: Option<u64>,
}

impl Layer for GaussianNoise {
    fn class(&self) -> &'static str {
        NOISE.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new().with("stddev", self.stddev).with("seed", json!(self.seed)).done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        Ok(inputs[0].clone())
    }

    fn is_view(&self, training: bool) -> bool {
        !training || self.stddev == 0.0
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(NoiseWork {
            stddev: self.stddev,
            seed: self.seed,
            layer: context.number,
            len: context.input_len(),
        }))
    }
}

struct NoiseWork {
    stddev: f64,
    seed: Option<u64>,
    layer: u64,
    /// Elements of a sample.
    len: usize,
}

impl Work for NoiseWork {
    fn forward(&mut self, step: &Step, _: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let NoiseWork { stddev, seed, layer, len } = *self;
        let (x, seed) = (x[0], seed.unwrap_or(step.seed));
        for_each(Chunks::new(y, len), &|sample, y| {
            let mut random = generator(seed, layer, step.number, step.place(sample) as u64);
            for (y, x) in y.into_slice().iter_mut().zip(&x[sample * len..]) {
                *y = x + (stddev * normal(random.next_u32(), random.next_u32())) as f32;
            }
        });
        Ok(())
    }

    fn backward(&mut self, _: &Step, _: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        if let Some(dx) = pass.take_dx() {
            dx.copy_from_slice(pass.dz);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_at_once_is_what_is_drawn_one_by_one() {
        for len in [1, 2, 63, 64, 65, 200] {
            let (mut at_once, mut by_one) = (generator(1, 2, 3, 4), generator(1, 2, 3, 4));
            let mut kept = vec![false; len];
            draw(&mut at_once, 1 << 31, &mut kept);
            assert!(kept.iter().all(|&kept| kept == (by_one.next_u32() > 1 << 31)), "{len}");
        }
    }
}
