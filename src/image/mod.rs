//! Converts a picture of a digit, of any size and contrast, to the form of MNIST's images.
//!
//! The method is the one that made MNIST (LeCun, Cortes and Burges, "The MNIST database of handwritten digits",
//! yann.lecun.com/exdb/mnist): the digit is scaled to a box of 20 x 20 pixels with its aspect ratio kept and
//! anti-aliased grey levels, and the box is placed into 28 x 28 pixels with its centre of mass in the middle. The first
//! two steps are this project's own, for pictures that are not black-and-white scans:
//!
//! ```text
//! ink       grey levels to ink                from the histograms of the picture and of its border
//! digit     finds the digit, removes specks   connected cells
//! resample  its box to at most 20 x 20        area averages for a smaller box, linear interpolation for a larger one
//! ```
//!
//! Everything is computed in integers, except the ink's threshold and the last division, which use only basic
//! operations: the result has the same bits everywhere.

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
/// The longer side of the digit in it.
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

/// Converts the digit in a picture, `grey`, `[height, width]`, to the form of MNIST's images: `[28, 28]`, light on a
/// background of 0, whole numbers from 0 to 255, each divided by `divisor` in single precision (255 for a model trained
/// on data normalized by 255).
///
/// The background is the median of the picture's border; the ink are the pixels that are lighter, or those that are
/// darker, whichever are more. A digit differs from the background by 8 levels or more, and by four standard deviations
/// of the border's noise. The picture should show one digit, on an evenly lit background that surrounds it; small
/// specks are removed. Each side is 1 to [`MOST`].
///
/// # Errors
/// `InvalidArgument` for sizes that are out of range or do not match `grey`, a divisor that is 0 or not finite, and a
/// picture without ink.
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

/// An error for a size out of range; otherwise the number of pixels cannot overflow.
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
