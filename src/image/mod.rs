//! A picture of a figure, of any size and light, to the form that a network trained on MNIST knows.
//!
//! The recipe is the one that made MNIST (LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
//! yann.lecun.com/exdb/mnist): the figure is scaled to a box of 20 x 20 pixels, its shape kept, the grey levels being those
//! of anti-aliasing, and the box is put into 28 x 28 pixels so that the centre of its mass is in the middle. What comes
//! before is ours, for pictures that are not two-coloured scans:
//!
//! ```text
//! ink       which of the greys are ink, and how much        of the picture's histogram and its border
//! figure    where the figure is; specks are no part of it   connected cells
//! resample  its box to at most 20 x 20                      area averages down, linear interpolation up
//! ```
//!
//! All of it is done in whole numbers, but for the ink's threshold and the last division, which take no more than the basic
//! operations: the result is the same to the bit everywhere.

mod digit;
mod ink;
mod resample;
#[cfg(test)]
mod tests;

use crate::data::check_divisor;
use crate::error::{At, Error, ErrorKind, Result};
use digit::Digit;
use ink::Ink;

/// The height and the width of a prepared image.
pub const SIDE: usize = 28;
/// The longer side of the figure in it.
const BOX: usize = 20;
/// The greatest height and width of a picture.
pub const MOST: usize = 16384;

/// A picture: grey levels, row by row.
#[derive(Clone, Copy)]
struct Picture<'a> {
    grey: &'a [u8],
    height: usize,
    width: usize,
}

impl<'a> Picture<'a> {
    fn row(&self, y: usize) -> &'a [u8] {
        &self.grey[y * self.width..(y + 1) * self.width]
    }
}

/// Brings the figure in a picture, `grey`, `[height, width]`, into the form of MNIST's digits: `[28, 28]`, light on a
/// ground of 0, whole numbers from 0 to 255, each divided by `divisor` in single precision (255 gives what a model wants
/// that was trained on data normalized by 255).
///
/// The ground is the median of the picture's border; ink is what is lighter than that, or what is darker, whichever is
/// more. A figure differs from its ground by 8 levels or more, and by four standard deviations of the border's noise. The
/// picture should show one, on an evenly lit ground that surrounds it; small specks are left out. Each side is 1 to
/// [`MOST`].
///
/// # Errors
/// `InvalidArgument` for sizes out of range or that do not match `grey`, a divisor that is 0 or not finite, and a picture
/// without ink.
pub fn prepare(grey: &[u8], height: usize, width: usize, divisor: f32) -> Result<[f32; SIDE * SIDE]> {
    check_size(height, width)?;
    check_divisor(divisor)?;
    if grey.len() != height * width {
        return Err(Error::new(ErrorKind::InvalidArgument, "another number of pixels than the sizes say")
            .expected(format_args!("{height} x {width}"))
            .found(grey.len())
            .at("argument `grey`"));
    }
    let picture = Picture { grey, height, width };
    let ink = Ink::of(picture).at("argument `grey`")?;
    let digit = Digit::find(picture, &ink)?;
    let small = resample::resample(picture, &ink, &digit);
    Ok(small.centred().map(|level| f32::from(level) / divisor))
}

/// Makes sure that a picture of this size can be prepared; then its number of pixels can be counted.
pub fn check_size(height: usize, width: usize) -> Result<()> {
    for (name, size) in [("height", height), ("width", width)] {
        if !(1..=MOST).contains(&size) {
            return Err(Error::new(ErrorKind::InvalidArgument, "out of range")
                .expected(format_args!("1 to {MOST}"))
                .found(size)
                .at(format_args!("argument `{name}`")));
        }
    }
    Ok(())
}
