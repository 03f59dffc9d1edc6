//! Scales a digit's box and centres it.

use super::{BOX, Digit, Ink, Picture, SIDE};

/// A digit of at most 20 x 20 pixels.
pub struct Small {
    height: usize,
    width: usize,
    levels: Vec<u8>,
}

/// Scales the box so that its longer side becomes 20 pixels, its aspect ratio kept to a pixel.
pub fn resample(picture: Picture<'_>, ink: &Ink, digit: &Digit) -> Small {
    let (from_height, from_width) = (digit.rows.len(), digit.columns.len());
    let longer = from_height.max(from_width);
    let scaled = |side: usize| ((2 * side * BOX + longer) / (2 * longer)).max(1);
    let (height, width) = (scaled(from_height), scaled(from_width));
    let (down, across) = (spans(from_height, height), spans(from_width, width));
    let mut sums = vec![0; height * width];
    let mut row = vec![0; picture.width];
    for (span, sums) in down.iter().zip(sums.chunks_exact_mut(width)) {
        for (y, &weight) in (digit.rows.start + span.start..).zip(&span.weights) {
            digit.row(picture, ink, y, &mut row);
            for (span, sum) in across.iter().zip(sums.iter_mut()) {
                let levels = &row[digit.columns.start + span.start..];
                *sum += weight * levels.iter().zip(&span.weights).map(|(&level, w)| u64::from(level) * w).sum::<u64>();
            }
        }
    }
    Small { height, width, levels: stretch(&sums) }
}

/// The source of a pixel of the result: pixels from `start` on, with weights of a fixed sum.
struct Span {
    start: usize,
    weights: Vec<u64>,
}

/// The sources of `to` pixels from `from`: area averages for fewer pixels, otherwise linear interpolation between the
/// two nearest, with the outermost pixel repeated past the edge.
fn spans(from: usize, to: usize) -> Vec<Span> {
    let average = |i: usize| {
        // In a unit in which a source pixel has length `to` and a result pixel `from`.
        let (begin, end) = (i * from, (i + 1) * from);
        let pixels = begin / to..end.div_ceil(to);
        let weight = |x: usize| ((x + 1) * to).min(end) - (x * to).max(begin);
        Span { start: pixels.start, weights: pixels.map(|x| weight(x) as u64).collect() }
    };
    let interpolate = |i: usize| {
        // The centre of pixel i is at (i + 1/2) from / to - 1/2 in source pixels, here in halves of 1 / to.
        let centre = ((2 * i + 1) * from).saturating_sub(to).min(2 * to * (from - 1));
        let (start, rest) = (centre / (2 * to), centre % (2 * to));
        let weights = [2 * to - rest, rest].map(|w| w as u64);
        Span { start, weights: weights[..if rest == 0 { 1 } else { 2 }].to_vec() }
    };
    (0..to).map(|i| if to < from { average(i) } else { interpolate(i) }).collect()
}

/// The sums as levels, scaled so that thin strokes of a large box are full ink again.
fn stretch(sums: &[u64]) -> Vec<u8> {
    let mut sorted: Vec<u64> = sums.iter().copied().filter(|&sum| sum > 0).collect();
    sorted.sort_unstable();
    let full = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(1);
    sums.iter().map(|&sum| ((sum.min(full) * 255 + full / 2) / full) as u8).collect()
}

impl Small {
    /// The digit in 28 x 28 pixels, shifted by whole pixels so that its centre of mass is nearest to the pixel `[14,
    /// 14]`, as in MNIST, and all of it stays inside.
    pub fn centred(&self) -> [u8; SIDE * SIDE] {
        let Small { height, width, ref levels } = *self;
        let (mut mass, mut y_moment, mut x_moment) = (0, 0, 0);
        for (i, &level) in levels.iter().enumerate() {
            let level = usize::from(level);
            mass += level;
            y_moment += level * (i / width);
            x_moment += level * (i % width);
        }
        let mass = mass.max(1);
        let place =
            |moment: usize, size: usize| (SIDE / 2).saturating_sub((2 * moment + mass) / (2 * mass)).min(SIDE - size);
        let (top, left) = (place(y_moment, height), place(x_moment, width));
        let mut image = [0; SIDE * SIDE];
        for (row, levels) in image[top * SIDE..].chunks_exact_mut(SIDE).zip(levels.chunks_exact(width)) {
            row[left..left + width].copy_from_slice(levels);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel of the result has the same weight, and so does every source pixel in an average.
    #[test]
    fn weights() {
        for from in (1..60).chain([400, 1999, 16384]) {
            for to in 1..=BOX {
                let spans = spans(from, to);
                let total: u64 = spans[0].weights.iter().sum();
                let mut before = vec![0; from];
                for span in &spans {
                    assert_eq!(span.weights.iter().sum::<u64>(), total);
                    before[span.start..].iter_mut().zip(&span.weights).for_each(|(sum, weight)| *sum += weight);
                }
                assert!(spans.len() == to && (to >= from || before.iter().all(|&sum| sum == to as u64)), "{from} {to}");
            }
        }
    }

    #[test]
    fn interpolation_is_linear_between_centres_and_level_at_the_ends() {
        let line = [0u64, 100, 50];
        let value = |span: &Span| span.weights.iter().zip(&line[span.start..]).map(|(w, v)| w * v).sum::<u64>() as f64;
        let found: Vec<f64> = spans(3, 6).iter().map(|span| value(span) / 12.0).collect();
        assert_eq!(found, [0.0, 25.0, 75.0, 87.5, 62.5, 50.0]);
        let same: Vec<f64> = spans(3, 3).iter().map(|span| value(span) / 6.0).collect();
        assert_eq!(same, [0.0, 100.0, 50.0]);
    }
}
