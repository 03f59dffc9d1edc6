//! Pictures whose pixels come from places between the pixels of another: by `interpolation`, and beyond the edges by
//! `fill_mode`.

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

/// What a pixel is made of along an axis: of two pixels, `None` being beyond the edge, and of how much of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    pixels: [Option<usize>; 2],
    share: f32,
}

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

    /// The place `at` among `len` pixels as TensorFlow's ImageProjectiveTransformV3 has it: the place itself is brought
    /// into the picture, then it lies between two pixels.
    #[inline(always)]
    pub(super) fn place(&self, at: f32, len: usize) -> Between {
        let last = (len - 1) as f32;
        let at = if at >= 0.0 && at <= last { at } else { self.inside(at, len, last) };
        let inside = |i: i64| usize::try_from(i).ok().filter(|&i| i < len);
        match self.bilinear {
            true => {
                let below = floor(at);
                let first = below as i64;
                Between { pixels: [inside(first), inside(first + 1)], share: at - below }
            }
            false => Between { pixels: [inside(at.round() as i64); 2], share: 0.0 },
        }
    }

    /// Brings a place that is in no picture into it.
    fn inside(&self, at: f32, len: usize, last: f32) -> f32 {
        let size = len as f32;
        let times = |share: f32, size: f32| (share as i64) as f32 * size;
        match self.fill_mode {
            FillMode::Constant => return at,
            FillMode::Nearest => at,
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

    /// The same as Keras's `map_coordinates` has it on TensorFlow: the place lies between two pixels, then each of them is
    /// brought into the picture.
    #[inline(always)]
    pub(super) fn coordinate(&self, at: f32, len: usize) -> Between {
        let (first, share) = match self.bilinear {
            true => (floor(at) as i64, at - floor(at)),
            false => (at.round_ties_even() as i64, 0.0),
        };
        Between { pixels: [self.pixel(first, len), self.pixel(first + i64::from(self.bilinear), len)], share }
    }

    /// The pixel that stands for pixel `i` of a picture without edges.
    #[inline(always)]
    fn pixel(&self, i: i64, len: usize) -> Option<usize> {
        let size = len as i64;
        if (0..size).contains(&i) {
            return Some(i as usize);
        }
        let i = match self.fill_mode {
            FillMode::Constant => return None,
            FillMode::Nearest => i.clamp(0, size - 1),
            FillMode::Wrap => i.rem_euclid(size),
            // Below 0 Keras's reflection leaves the outermost pixel out: `d c b | a b c d | d c b a`.
            FillMode::Reflect => match i.saturating_abs() % (2 * size) {
                i if i < size => i,
                i => 2 * size - i - 1,
            },
        };
        Some(i as usize)
    }

    /// Each pixel of `y` out of `x`: `from` says for a row and a column of `y` between which rows and columns of `x`.
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
                    let [a, b, c, d] = corners.map(|at| at.map_or(fill, |at| x[at + channel]));
                    let top = (1.0 - across.share) * a + across.share * b;
                    let bottom = (1.0 - across.share) * c + across.share * d;
                    *y = (1.0 - down.share) * top + down.share * bottom;
                }
            }
        }
    }

    /// The way back: adds the gradient of each pixel to those that it was made of.
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
                    let Some(at) = at else { continue };
                    dx[at..][..picture.channels].iter_mut().zip(dz).for_each(|(dx, dz)| *dx += share * dz);
                }
            }
        }
    }
}

/// Where the four pixels begin.
#[inline(always)]
fn corners(picture: Picture, down: Between, across: Between) -> [Option<usize>; 4] {
    let at = |row: Option<usize>, column: Option<usize>| Some((row? * picture.width + column?) * picture.channels);
    let ([top, bottom], [left, right]) = (down.pixels, across.pixels);
    [at(top, left), at(top, right), at(bottom, left), at(bottom, right)]
}

/// The whole number at or below `x`, which `i32` can hold: without a call into `libm` where the machine has no such
/// instruction.
#[inline(always)]
fn floor(x: f32) -> f32 {
    let whole = (x as i32) as f32;
    if whole > x { whole - 1.0 } else { whole }
}
