//! Properties of prepared images.

use super::*;
use proptest::prelude::*;

/// A picture whose pixels are a function of row and column.
fn picture(height: usize, width: usize, grey: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    (0..height * width).map(|i| grey(i / width, i % width)).collect()
}

fn levels(grey: &[u8], height: usize, width: usize) -> [u8; SIDE * SIDE] {
    prepare(grey, height, width, 1.0).unwrap().map(|level| level as u8)
}

/// Whether a point is on a stroke of a 7, 40 high and 30 wide, with its corner at the origin.
fn seven(y: isize, x: isize) -> bool {
    let inside = (0..40).contains(&y) && (0..30).contains(&x);
    inside && (y < 6 || (x - (28 - y * 3 / 4)).abs() < 4)
}

/// The 7 on a canvas.
fn canvas(height: usize, width: usize, top: isize, left: isize, ground: u8, ink: u8) -> Vec<u8> {
    picture(height, width, |y, x| if seven(y as isize - top, x as isize - left) { ink } else { ground })
}

/// Rows and columns that have ink.
fn extent(image: &[u8]) -> (usize, usize) {
    let rows = (0..SIDE).filter(|y| (0..SIDE).any(|x| image[y * SIDE + x] > 0)).count();
    let columns = (0..SIDE).filter(|x| (0..SIDE).any(|y| image[y * SIDE + x] > 0)).count();
    (rows, columns)
}

/// The distance of the centre of mass from the pixel [14, 14].
fn off_centre(image: &[u8]) -> (f64, f64) {
    let mass: f64 = image.iter().map(|&level| f64::from(level)).sum();
    let moment = |at: fn(usize) -> usize| {
        image.iter().enumerate().map(|(i, &level)| at(i) as f64 * f64::from(level)).sum::<f64>() / mass - 14.0
    };
    (moment(|i| i / SIDE), moment(|i| i % SIDE))
}

#[test]
fn it_does_not_matter_where_on_what_and_how_light() {
    let expected = levels(&canvas(60, 50, 10, 10, 0, 255), 60, 50);
    assert_eq!(extent(&expected), (20, 15));
    let (y, x) = off_centre(&expected);
    assert!(y.abs() <= 0.5 && x.abs() <= 0.5, "{y} {x}");
    assert_eq!(expected.iter().max(), Some(&255));
    for (height, width, top, left, ground, ink) in [
        (60, 50, 3, 19, 0, 255),
        (200, 90, 155, 2, 0, 255),
        (60, 50, 10, 10, 255, 0),
        (60, 50, 10, 10, 130, 100),
        (42, 32, 1, 1, 90, 98),
        (256, 256, 100, 100, 200, 30),
    ] {
        let found = levels(&canvas(height, width, top, left, ground, ink), height, width);
        assert!(found == expected, "{height} x {width}, at {top} {left}, {ink} on {ground}");
    }
    // Through cells of more than a pixel as well.
    assert!(levels(&canvas(3000, 700, 2222, 311, 20, 200), 3000, 700) == expected);
}

#[test]
fn what_has_the_form_keeps_it() {
    let image = levels(&canvas(60, 50, 10, 10, 0, 255), 60, 50);
    assert!(levels(&image, SIDE, SIDE) == image);
}

#[test]
fn specks_are_left_out_and_parts_are_not() {
    let mut grey = canvas(120, 90, 30, 30, 255, 0);
    let expected = levels(&grey, 120, 90);
    for (y, x) in [(2, 3), (2, 4), (3, 3), (118, 1), (100, 88), (50, 5), (35, 80)] {
        grey[y * 90 + x] = 10;
    }
    assert!(levels(&grey, 120, 90) == expected);
    // A bar beside it, a fifth as large, belongs to it.
    (75..80).for_each(|y| grey[y * 90 + 30..y * 90 + 60].fill(0));
    assert!(levels(&grey, 120, 90) != expected);
}

#[test]
fn noise_does_not_move_it() {
    let noise = |i: usize| (((i * 2654435761) >> 7) % 31) as u8; // 0 to 30, a standard deviation of 9
    let mut grey = canvas(100, 80, 20, 30, 200, 60);
    let expected = levels(&grey, 100, 80);
    grey.iter_mut().enumerate().for_each(|(i, grey)| *grey = *grey - 15 + noise(i));
    let found = levels(&grey, 100, 80);
    let worst = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst < 40, "{worst}");
}

#[test]
fn a_thin_pen_is_full_ink() {
    // A ring of one pixel, a twelfth of a pixel of the result.
    let ring = picture(260, 260, |y, x| {
        let (y, x) = (y as isize - 130, x as isize - 130);
        if (119 * 119..=121 * 121).contains(&(y * y + x * x)) { 0 } else { 255 }
    });
    let image = levels(&ring, 260, 260);
    assert_eq!(extent(&image), (20, 20));
    assert!(image.iter().filter(|&&level| level > 150).count() > 30);
    assert_eq!(image[14 * SIDE + 14], 0);
}

#[test]
fn nothing_to_be_seen_is_an_error() {
    let noise = |spread: usize| picture(90, 70, |y, x| ((y * 70 + x) * 2654435761 % 1000003 * spread / 1000003) as u8);
    let pale = |ink| canvas(60, 50, 10, 10, 100, ink);
    for (grey, height, width) in [
        (vec![0], 1, 1),
        (vec![255; 30], 5, 6),
        (noise(30), 90, 70),
        (noise(256), 90, 70),
        (pale(93), 60, 50),
        (pale(107), 60, 50),
        (picture(50, 50, |y, x| (2 * y + 2 * x) as u8), 50, 50),
    ] {
        let error = prepare(&grey, height, width, 255.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().starts_with("argument `grey`: no digit found: expected one"), "{error}");
    }
    for ink in [92, 108] {
        assert!(prepare(&pale(ink), 60, 50, 255.0).is_ok(), "{ink}");
    }
}

#[test]
fn sizes_and_divisors_out_of_range() {
    let grey = canvas(60, 50, 10, 10, 0, 255);
    for (height, width, divisor, place) in [
        (0, 50, 255.0, "`height`"),
        (60, 0, 255.0, "`width`"),
        (MOST + 1, 1, 255.0, "`height`"),
        (60, usize::MAX, 255.0, "`width`"),
        (61, 50, 255.0, "`grey`"),
        (60, 50, 0.0, "`divisor`"),
        (60, 50, f32::INFINITY, "`divisor`"),
    ] {
        let error = prepare(&grey, height, width, divisor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().starts_with(&format!("argument {place}: ")), "{error}");
    }
}

#[test]
fn pixels_are_whole_numbers_over_the_divisor() {
    let grey = canvas(60, 50, 10, 10, 30, 140);
    let whole = levels(&grey, 60, 50);
    let scaled = prepare(&grey, 60, 50, 255.0).unwrap();
    assert!(scaled.iter().zip(whole).all(|(&pixel, level)| pixel == f32::from(level) / 255.0));
}

#[test]
fn the_longest_sides() {
    let line = |height, width| {
        let grey = picture(height, width, |y, x| if (y.max(x)).abs_diff(8000) < 1000 { 0 } else { 255 });
        extent(&levels(&grey, height, width))
    };
    assert_eq!((line(MOST, 1), line(1, MOST)), ((20, 1), (1, 20)));
}

proptest! {
    #[test]
    fn any_picture_is_an_image_or_an_error(
        height in 1usize..40,
        width in 1usize..40,
        greys in proptest::collection::vec(any::<u8>(), 40 * 40),
        ground in any::<u8>(),
        sparse in 1usize..50,
    ) {
        // Dense noise, and single dots on an even ground.
        let dots = picture(height, width, |y, x| if usize::from(greys[y * 40 + x]).is_multiple_of(sparse) { greys[x * 40 + y] } else { ground });
        for grey in [&greys[..height * width], &dots] {
            match prepare(grey, height, width, 1.0) {
                Ok(image) => {
                    let image = image.map(|level| level as u8);
                    let (rows, columns) = extent(&image);
                    prop_assert!(rows.max(columns) <= BOX && image.contains(&255));
                }
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::InvalidArgument),
            }
        }
    }
}
