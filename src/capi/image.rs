//! A picture to what a model takes.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{room, slice};
use crate::image;

/// Brings the figure in a picture into the form of MNIST's digits: `grey` is `[height, width]` bytes, row-major, each side
/// 1 to 16384; `pixels`, which has room for `capacity` floats, becomes `[28, 28]`: light on a ground of 0, whole numbers
/// from 0 to 255, each divided by `divisor` in single precision. 255 gives what mnist_model_predict wants of a model that
/// was trained on data divided by 255 with mnist_dataset_normalize.
///
/// The ground is the median of the picture's border. Ink is what is lighter than that, or what is darker, whichever is
/// more; its contrast is stretched to the full range. The box of the ink, small specks left out, is scaled to 20 x 20
/// pixels, its shape kept, and placed in 28 x 28 with the centre of its mass in the middle, as MNIST was made. The picture
/// should show one figure, on an evenly lit ground that surrounds it. The result is the same to the bit on every machine.
/// It takes at most some two megabytes of memory, whatever the picture's size.
///
/// Errors: INVALID_ARGUMENT for a size out of its range, a divisor of 0, NaN or infinity, a `capacity` below 784, and a
/// picture without a figure, that is one which differs from its ground by 8 levels or more, and by four standard deviations
/// of the border's noise; OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mnist_image_prepare(
    grey: *const u8,
    height: usize,
    width: usize,
    divisor: f32,
    pixels: *mut f32,
    capacity: usize,
    error: *mut mnist_error,
) -> mnist_status {
    guard::status(error, || {
        image::check_size(height, width)?;
        // SAFETY: by the contract the pointers are NULL or what the header says; the product of checked sizes is no
        // overflow.
        unsafe {
            let pixels = room(pixels, "pixels", (capacity, "capacity"), image::SIDE * image::SIDE)?;
            let grey = slice(grey, height * width, "grey")?;
            pixels.copy_from_slice(&image::prepare(grey, height, width, divisor)?);
        }
        Ok(MNIST_OK)
    })
}
