//! A picture converted to the form of MNIST's images.

use super::error::{MNIST_OK, mnist_error, mnist_status};
use super::guard;
use super::pointers::{room, slice};
use crate::image;

/// Converts a picture of a digit to the form of MNIST's images: 28 x 28 pixels, a light digit on a background of 0.
///
/// - `grey`: `[height, width]` bytes, row-major; each side is 1 to 16384.
/// - `divisor`: each result is a whole number from 0 to 255, divided by `divisor` in single precision. 255 gives the
///   input of mnist_model_predict for a model trained on data divided by 255 (mnist_dataset_normalize).
/// - `pixels`: receives `[28, 28]` floats and has room for `capacity` floats, 784 or more.
///
/// The picture should show one digit on an evenly lit background that surrounds it. The background level is the median
/// of the picture's border. Pixels that are lighter than the background, or those that are darker, whichever are more,
/// are the ink; its contrast is stretched to the full range. Small specks are removed. The ink's bounding box is scaled
/// to 20 x 20 pixels with its aspect ratio kept, and placed into 28 x 28 pixels with its centre of mass in the middle,
/// as MNIST was made. The result has the same bits on every machine. It uses at most about two megabytes of memory,
/// whatever the picture's size.
///
/// Errors: INVALID_ARGUMENT for a size out of range, a divisor of 0, NaN or infinity, a `capacity` below 784, and a
/// picture without a digit: the ink must differ from the background by 8 levels or more, and by four standard
/// deviations of the border's noise; OUT_OF_MEMORY.
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
