//! Random numbers that are a function of their use: of the seed, the layer, the step and the sample. So neither threads
//! nor resuming change them, and there is no generator state to keep. ChaCha with 8 rounds; these four are its key.
//!
//! Augmentation's numbers are a function of the epoch and the sample of the dataset instead ([`of_sample`]): an epoch shows a
//! sample the same picture whatever batch it is in.

use super::Step;
use crate::error::Result;
use crate::json::Object;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;

/// The layer's own seed, if it has one.
pub fn seed(config: &Object<'_>) -> Result<Option<u64>> {
    config.or("seed", None, "a whole number, or null", |value| match value {
        Value::Null => Some(None),
        value => value.as_u64().map(Some),
    })
}

/// The numbers for a sample of a step in a layer.
pub fn generator(seed: u64, layer: u64, step: u64, sample: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (to, from) in key.chunks_exact_mut(8).zip([seed, layer, step, sample]) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The numbers for the `place`th sample that a layer is given of a step's batch, which follow from its index in the dataset and the
/// epoch; where those are not known, from the step and the place. Other streams of ChaCha than [`generator`]'s, so that they
/// are never its numbers.
pub fn of_sample(seed: u64, layer: u64, step: &Step<'_>, place: usize) -> ChaCha8Rng {
    let place = step.place(place);
    let (stream, time, sample) = match step.samples.get(place) {
        Some(&sample) => (1, step.epoch, u64::from(sample)),
        None => (2, step.number, place as u64),
    };
    let mut random = generator(seed, layer, time, sample);
    random.set_stream(stream);
    random
}

/// A uniform number from `low` to `high`, from 32 random bits.
pub fn uniform(random: &mut impl RngCore, [low, high]: [f64; 2]) -> f32 {
    let share = f64::from(random.next_u32()) / 4_294_967_296.0; // [0, 1)
    (low + (high - low) * share) as f32
}

/// A number of the standard normal distribution from 64 random bits, by Box and Muller's method (1958) on `libm`'s
/// functions, whose bits are the same on every machine.
pub fn normal(a: u32, b: u32) -> f64 {
    let (radius, angle) = polar(a, b);
    radius * libm::cos(angle)
}

/// Two of them, independent of each other, from the same bits.
pub fn normals(a: u32, b: u32) -> [f64; 2] {
    let (radius, angle) = polar(a, b);
    let (sin, cos) = libm::sincos(angle);
    [radius * cos, radius * sin]
}

/// The point of the plane that they are the coordinates of.
fn polar(a: u32, b: u32) -> (f64, f64) {
    let u = (f64::from(a) + 1.0) / 4_294_967_296.0; // (0, 1]
    (libm::sqrt(-2.0 * libm::log(u)), std::f64::consts::TAU * (f64::from(b) / 4_294_967_296.0))
}
