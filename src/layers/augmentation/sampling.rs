//! Resamples pictures at positions between pixels: with `interpolation`, and `fill_mode` beyond the edges.

use super::Picture;
use crate::error::Result;
use crate::json::Object;
use crate::layers::Config;

/// Where pixels beyond the edges come from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum FillMode {
    /// `k k k k | a b c d | k k k k`
    Constant,
    /// `a a a a | a b c d | d d d d`
    Nearest,
    /// `d c b a | a b c d | d c b a`
    Reflect,
    /// `a b c d | a b c d | a b c d`
    Wrap,
}

const FILL_MODES: [(&str, FillMode); 4] = [
    ("constant", FillMode::Constant),
    ("nearest", FillMode::Nearest),
    ("reflect", FillMode::Reflect),
    ("wrap", FillMode::Wrap),
];

/// The keys `fill_mode`, `interpolation` and `fill_value`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    fill_mode: FillMode,
    fill_value: f64,
    bilinear: bool,
}

/// The sources of a pixel along an axis: two pixels, and the weight of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    /// Each in the picture, or [`BEYOND`].
    pixels: [u32; 2],
    share: f32,
}

/// The index for a pixel beyond an edge, which has the fill value.
const BEYOND: u32 = u32::MAX;

impl Sampling {
    pub(super) fn read(config: &Object<'_>) -> Result<Self> {
        let known = |value| FILL_MODES.into_iter().find(|(name, _)| value == name);
        let (_, fill_mode) = config.or("fill_mode", FILL_MODES[2], "constant, nearest, reflect or wrap", known)?;
        let bilinear = config.or("interpolation", true, "bilinear or nearest", |value| {
            (value == "bilinear" || value == "nearest").then(|| value == "bilinear")
        })?;
        let in_single = |value: f64| (value as f32).is_finite();
        let fill_value = config.f64_or("fill_value", 0.0, "a number in single precision", in_single)?;
        Ok(Sampling { fill_mode, fill_value, bilinear })
    }

    pub(super) fn config(&self, config: Config) -> Config {
        let name = FILL_MODES.iter().find(|(_, mode)| *mode == self.fill_mode).map_or("", |(name, _)| name);
        let interpolation = if self.bilinear { "bilinear" } else { "nearest" };
        config.with("fill_mode", name).with("interpolation", interpolation).with("fill_value", self.fill_value)
    }

    /// The position `at` in `len` pixels as in TensorFlow's ImageProjectiveTransformV3: the position is mapped into the
    /// picture, then interpolated between two pixels.
    #[inline(always)]
    pub(super) fn place(&self, at: f32, len: usize) -> Between {
        let last = (len - 1) as f32;
        let at = match at >= 0.0 && at <= last {
            true => at,
            false if self.fill_mode == FillMode::Constant => return self.beyond(at, len),
            false => self.inside(at, len, last),
        };
        let first = at as u32;
        let share = at - first as f32;
        match self.bilinear {
            true => Between { pixels: [first, (first + 1).min(len as u32 - 1)], share },
            false => Between::one(first + u32::from(share >= 0.5)),
        }
    }

    /// A position that is not mapped into the picture. One of its pixels, or by rounding both, may be inside.
    #[cold]
    fn beyond(&self, at: f32, len: usize) -> Between {
        let inside = |i: f32| if i >= 0.0 && i < len as f32 { i as u32 } else { BEYOND };
        match self.bilinear {
            true => Between { pixels: [inside(at.floor()), inside(at.floor() + 1.0)], share: at - at.floor() },
            false => Between::one(inside(at.round())),
        }
    }

    /// Maps a position outside the picture into it.
    fn inside(&self, at: f32, len: usize, last: f32) -> f32 {
        let size = len as f32;
        let times = |share: f32, size: f32| (share as i64) as f32 * size;
        match self.fill_mode {
            FillMode::Constant | FillMode::Nearest => at,
            _ if len == 1 => 0.0,
            FillMode::Reflect if at < 0.0 => {
                let at = times(-at / (2.0 * size), 2.0 * size) + at;
                if at < -size { at + 2.0 * size } else { -at - 1.0 }
            }
            FillMode::Reflect => {
                let at = at - times(at / (2.0 * size), 2.0 * size);
                if at >= size { 2.0 * size - at - 1.0 } else { at }
            }
            FillMode::Wrap if at < 0.0 => at + size * ((-at / last) as i64 + 1) as f32,
            FillMode::Wrap => at - times(at / last, size),
        }
        .clamp(0.0, last)
    }

    /// The same as in Keras's `map_coordinates` on TensorFlow: the position is between two pixels, then each of them is
    /// mapped into the picture.
    #[inline(always)]
    pub(super) fn coordinate(&self, at: f32, len: usize) -> Between {
        let whole = at as i32;
        let first = whole - i32::from(whole as f32 > at);
        let share = at - first as f32;
        match self.bilinear {
            true => Between { pixels: [self.pixel(first, len), self.pixel(first.saturating_add(1), len)], share },
            // A position in the middle is rounded to the even pixel.
            false => Between::one(self.pixel(first + i32::from(share > 0.5 || share == 0.5 && first % 2 != 0), len)),
        }
    }

    /// The pixel of the picture for pixel `i` of the extended picture.
    #[inline(always)]
    fn pixel(&self, i: i32, len: usize) -> u32 {
        if (0..len as i32).contains(&i) { i as u32 } else { self.outside(i64::from(i), len as i64) }
    }

    #[cold]
    fn outside(&self, i: i64, len: i64) -> u32 {
        let i = match self.fill_mode {
            FillMode::Constant => return BEYOND,
            FillMode::Nearest => i.clamp(0, len - 1),
            FillMode::Wrap => i.rem_euclid(len),
            // Below 0 Keras's reflection leaves the outermost pixel out: `d c b | a b c d | d c b a`.
            FillMode::Reflect => match i.abs() % (2 * len) {
                i if i < len => i,
                i => 2 * len - i - 1,
            },
        };
        i as u32
    }

    /// Computes each pixel of `y` from `x`: `from` gives, for a row and a column of `y`, the rows and columns of `x`.
    #[inline(always)]
    pub(super) fn gather(
        &self,
        picture: Picture,
        x: &[f32],
        y: &mut [f32],
        from: impl Fn(usize, usize) -> [Between; 2],
    ) {
        let (channels, fill) = (picture.channels, self.fill_value as f32);
        for (i, y) in y.chunks_exact_mut(picture.row()).enumerate() {
            for (j, y) in y.chunks_exact_mut(channels).enumerate() {
                let [down, across] = from(i, j);
                let corners = corners(picture, down, across);
                for (channel, y) in y.iter_mut().enumerate() {
                    let pixel = |at: usize| if at == NOWHERE { fill } else { x[at + channel] };
                    let (a, b, c, d) = (pixel(corners[0]), pixel(corners[1]), pixel(corners[2]), pixel(corners[3]));
                    let top = (1.0 - across.share) * a + across.share * b;
                    let bottom = (1.0 - across.share) * c + across.share * d;
                    *y = (1.0 - down.share) * top + down.share * bottom;
                }
            }
        }
    }

    /// The backward pass: adds the gradient of each pixel to its source pixels.
    #[inline(always)]
    pub(super) fn scatter(
        &self,
        picture: Picture,
        dz: &[f32],
        dx: &mut [f32],
        from: impl Fn(usize, usize) -> [Between; 2],
    ) {
        dx.fill(0.0);
        for (i, dz) in dz.chunks_exact(picture.row()).enumerate() {
            for (j, dz) in dz.chunks_exact(picture.channels).enumerate() {
                let [down, across] = from(i, j);
                let rows = [1.0 - down.share, down.share];
                let shares = rows.map(|row| [row * (1.0 - across.share), row * across.share]);
                for (at, share) in corners(picture, down, across).into_iter().zip(shares.into_iter().flatten()) {
                    if at == NOWHERE {
                        continue;
                    }
                    dx[at..][..picture.channels].iter_mut().zip(dz).for_each(|(dx, dz)| *dx += share * dz);
                }
            }
        }
    }
}

impl Between {
    /// Nothing but one pixel.
    #[inline(always)]
    fn one(pixel: u32) -> Self {
        Between { pixels: [pixel; 2], share: 0.0 }
    }
}

/// Where a pixel that is in no picture begins.
const NOWHERE: usize = usize::MAX;

/// Where the four pixels begin.
#[inline(always)]
fn corners(picture: Picture, down: Between, across: Between) -> [usize; 4] {
    let at = |row: u32, column: u32| match row == BEYOND || column == BEYOND {
        true => NOWHERE,
        false => (row as usize * picture.width + column as usize) * picture.channels,
    };
    let ([top, bottom], [left, right]) = (down.pixels, across.pixels);
    [at(top, left), at(top, right), at(bottom, left), at(bottom, right)]
}
