//! Random numbers that are a function of where they are used: of the seed, the layer, the step and the sample. So neither
//! threads nor resuming change them, and no generator's state has to be kept. ChaCha with 8 rounds, the four being its key.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The numbers for a sample of a step in a layer.
pub fn generator(seed: u64, layer: u64, step: u64, sample: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (to, from) in key.chunks_exact_mut(8).zip([seed, layer, step, sample]) {
        to.copy_from_slice(&from.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// A number of the standard normal distribution from 64 random bits, by Box and Muller's method (1958) on `libm`'s
/// functions, whose bits are the same on every machine.
pub fn normal(a: u32, b: u32) -> f64 {
    let u = (f64::from(a) + 1.0) / 4_294_967_296.0; // (0, 1]
    let angle = std::f64::consts::TAU * (f64::from(b) / 4_294_967_296.0);
    libm::sqrt(-2.0 * libm::log(u)) * libm::cos(angle)
}
