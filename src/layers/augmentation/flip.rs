//! `RandomFlip`: every other picture mirrored, from left to right, from top to bottom, or both at once.

use super::{Augmentation, Picture};
use crate::error::Result;
use crate::json::Object;
use crate::layers::Config;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// The modes: name, whether it goes from left to right, and from top to bottom.
const MODES: [(&str, [bool; 2]); 3] =
    [("horizontal", [true, false]), ("vertical", [false, true]), ("horizontal_and_vertical", [true, true])];

#[derive(Clone, Debug)]
pub(super) struct RandomFlip {
    mode: &'static str,
    horizontal: bool,
    vertical: bool,
}

impl Augmentation for RandomFlip {
    const CLASS: &'static str = "RandomFlip";
    const KEYS: &'static [&'static str] = &["mode", "seed", "data_format"];
    /// Whether it is flipped.
    type Drawn = bool;

    fn read(config: &Object<'_>) -> Result<Self> {
        let expected = "horizontal, vertical or horizontal_and_vertical";
        let mode = config.or("mode", MODES[2], expected, |value| MODES.into_iter().find(|mode| value == mode.0))?;
        let (mode, [horizontal, vertical]) = mode;
        Ok(RandomFlip { mode, horizontal, vertical })
    }

    fn config(&self) -> Config {
        Config::new().with("mode", self.mode)
    }

    fn is_identity(&self) -> bool {
        false
    }

    fn draw(&self, _: Picture, random: &mut ChaCha8Rng, _: &mut [f32]) -> bool {
        random.next_u32() <= u32::MAX / 2
    }

    fn forward(&self, picture: Picture, flips: &bool, _: &mut [f32], x: &[f32], y: &mut [f32]) {
        if !flips {
            return y.copy_from_slice(x);
        }
        let row = picture.row();
        for (i, y) in y.chunks_exact_mut(row).enumerate() {
            let x = &x[if self.vertical { picture.height - 1 - i } else { i } * row..][..row];
            if !self.horizontal {
                y.copy_from_slice(x);
            } else if picture.channels == 1 {
                y.iter_mut().zip(x.iter().rev()).for_each(|(y, &x)| *y = x);
            } else {
                let pixels = x.chunks_exact(picture.channels).rev();
                y.chunks_exact_mut(picture.channels).zip(pixels).for_each(|(y, x)| y.copy_from_slice(x));
            }
        }
    }

    fn backward(&self, picture: Picture, flips: &bool, no: &mut [f32], _: &[f32], dz: &[f32], dx: &mut [f32]) {
        self.forward(picture, flips, no, dz, dx); // flipped twice it is as it was
    }
}
