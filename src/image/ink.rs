//! Converts a picture's grey levels to ink.

use super::Picture;
use crate::error::{Error, ErrorKind, Result};

/// The least contrast between digit and background, in grey levels.
pub const LEAST: usize = 8;

/// The ink of each grey level.
pub struct Ink {
    /// 0 for the background to 255 for full ink.
    pub levels: [u8; 256],
    /// The least level of a stroke's core pixels (Otsu's threshold).
    pub core: u8,
}

impl Ink {
    /// Computes it from the histograms of a picture and of its border.
    pub fn of(picture: Picture<'_>) -> Result<Self> {
        let border = border(picture);
        let ground = median(&border);
        let mut deviations = [0; 256];
        border.iter().enumerate().for_each(|(grey, &count)| deviations[grey.abs_diff(ground)] += count);
        // Three times the median deviation: two standard deviations of a normal distribution.
        let floor = 3 * median(&deviations);

        let all = histogram(picture.grey);
        let distances = |light: bool| {
            let distance =
                move |grey: usize| if light { grey.saturating_sub(ground) } else { ground.saturating_sub(grey) };
            (0..256).map(move |grey| distance(grey).saturating_sub(floor))
        };
        let mass = |light| distances(light).zip(&all).map(|(distance, &count)| distance as u64 * count).sum::<u64>();
        let light = mass(true) >= mass(false);
        let distances: Vec<usize> = distances(light).collect();
        let mut histogram = [0; 256];
        distances.iter().zip(&all).for_each(|(&distance, &count)| histogram[distance] += count);

        let Some(core) = otsu(&histogram) else { return Err(blank(&all)) };
        let full = quantile(&histogram[core..], FULL) + core;
        if full < LEAST.max(floor) {
            return Err(blank(&all)); // noise, too, has pixels above the threshold, but not twice as far
        }
        let level = |distance: usize| ((distance.min(full) * 255 + full / 2) / full) as u8;
        let mut levels = [0; 256];
        levels.iter_mut().zip(&distances).for_each(|(to, &distance)| *to = level(distance));
        Ok(Ink { levels, core: level(core) })
    }
}

/// The fraction of core pixels that may exceed full ink.
const FULL: (u64, u64) = (1, 2);

type Histogram = [u64; 256];

fn histogram<'a>(greys: impl IntoIterator<Item = &'a u8>) -> Histogram {
    let mut counts = [0; 256];
    greys.into_iter().for_each(|&grey| counts[usize::from(grey)] += 1);
    counts
}

/// The histogram of a picture's outermost pixels.
fn border(picture: Picture<'_>) -> Histogram {
    let last = picture.height - 1;
    let sides = (0..picture.height).map(|y| picture.row(y)).flat_map(|row| [&row[0], &row[row.len() - 1]]);
    histogram(picture.row(0).iter().chain(picture.row(last)).chain(sides))
}

fn median(counts: &Histogram) -> usize {
    quantile(counts, (1, 2))
}

/// The first value at which the given fraction of all is reached.
fn quantile(counts: &[u64], (part, of): (u64, u64)) -> usize {
    let wanted = counts.iter().sum::<u64>() * part;
    let mut sum = 0;
    let reached = |&count: &u64| {
        sum += count * of;
        sum >= wanted
    };
    counts.iter().position(reached).unwrap_or(0)
}

/// Otsu 1979, "A threshold selection method from gray-level histograms": the first value of the upper of two classes
/// with the largest variance between them; `None` if there is only one value.
fn otsu(counts: &Histogram) -> Option<usize> {
    let total: u64 = counts.iter().sum();
    let moment: u64 = counts.iter().zip(0..).map(|(&count, value)| count * value).sum();
    let (mut below, mut moment_below, mut best) = (0, 0, (0.0, None));
    for (value, &count) in counts.iter().enumerate() {
        let above = total - below;
        if below > 0 && above > 0 {
            let apart = (moment - moment_below) as f64 / above as f64 - moment_below as f64 / below as f64;
            let between = below as f64 * above as f64 * (apart * apart);
            if between > best.0 {
                best = (between, Some(value));
            }
        }
        below += count;
        moment_below += count * value as u64;
    }
    best.1
}

fn blank(all: &Histogram) -> Error {
    let greys = || (0..256).filter(|&grey| all[grey] > 0);
    let (darkest, lightest) = (greys().next().unwrap_or(0), greys().next_back().unwrap_or(0));
    Error::new(ErrorKind::InvalidArgument, "no digit found")
        .expected(format_args!(
            "one that differs from its background by {LEAST} levels or more, and by more than the noise"
        ))
        .found(format_args!("levels from {darkest} to {lightest}"))
}
