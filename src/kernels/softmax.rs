//! Softmax, and sparse categorical crossentropy from the logits under it.
//!
//! Small next to everything else (a few hundred values a step), so that plain code serves every instruction set; `exp`
//! and `log` are the pure Rust ones of `libm`, the same everywhere.

/// Turns each row of `logits` (`[rows, classes]`) into probabilities: `exp(z - max) / sum`.
pub fn softmax(values: &mut [f32], classes: usize) {
    for row in values.chunks_exact_mut(classes) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for value in row.iter_mut() {
            *value = libm::expf(*value - max);
            sum += *value;
        }
        for value in row.iter_mut() {
            *value /= sum;
        }
    }
}

/// What a batch's logits are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The sum of the samples' losses, `log(sum(exp(z))) - z[label]`.
    pub loss: f64,
    /// How many samples have their greatest logit (the first of equals) at their label.
    pub correct: usize,
}

/// Scores `logits` (`[rows, classes]`) against `labels`, each below `classes`.
pub fn score(logits: &[f32], labels: &[u32], classes: usize) -> Score {
    let mut score = Score::default();
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|&z| libm::expf(z - max)).sum();
        score.loss += f64::from(libm::logf(sum) - (row[label as usize] - max));
        score.correct += usize::from(argmax(row) == label as usize);
    }
    score
}

/// Counts what `logits` (`[rows, classes]`) are taken for against `labels`, each below `classes`: one more at
/// `[label, class]` of `counts` (`[classes, classes]`), the class being the one that [`score`] compares with the label.
pub fn confusion(logits: &[f32], labels: &[u32], classes: usize, counts: &mut [u64]) {
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        counts[label as usize * classes + argmax(row)] += 1;
    }
}

/// Probabilities below this make no gradient. The label's own part of it, `p - 1`, is known to 2^-24; what is so much
/// smaller is noise, whose products with weights would be [too small to compute with quickly](super::simd::TINY).
const NOISE: f32 = 1.0 / (1u64 << 62) as f32;

/// The gradient of the mean loss to each logit, in the logits' place: `(softmax - one_hot) / rows`.
pub fn crossentropy_gradient(logits: &mut [f32], labels: &[u32], classes: usize) {
    softmax(logits, classes);
    let rows = labels.len() as f32;
    for (row, &label) in logits.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] -= 1.0;
        row.iter_mut().for_each(|p| *p = if p.abs() < NOISE { 0.0 } else { *p / rows });
    }
}

/// The first index of the greatest value.
fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, &value)| if value > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_losses_and_gradients() {
        let logits = [1.0f32, 2.0, 0.5, 1000.0, -1000.0, 1000.0];
        let mut p = logits;
        softmax(&mut p, 3);
        assert!((p[..3].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(p[3..], [0.5, 0.0, 0.5], "large logits do not overflow");

        let got = score(&logits, &[1, 2], 3);
        let exact = (1f64.exp() + 2f64.exp() + 0.5f64.exp()).ln() - 2.0 + 2f64.ln();
        assert!((got.loss - exact).abs() < 1e-6, "{} {exact}", got.loss);
        assert_eq!(got.correct, 1, "of equal logits the first one counts");
        let mut counts = [0; 9];
        confusion(&logits, &[1, 2], 3, &mut counts);
        assert_eq!(counts, [0, 0, 0, 0, 1, 0, 1, 0, 0]);

        let mut gradient = logits;
        crossentropy_gradient(&mut gradient, &[1, 2], 3);
        assert!((gradient[1] - (p[1] - 1.0) / 2.0).abs() < 1e-7);
        assert_eq!(gradient[3..], [0.25, 0.0, -0.25]);

        let mut gradient = [0.0, -50.0, -88.0, f32::NAN, 0.0, 0.0];
        crossentropy_gradient(&mut gradient, &[0, 0], 3);
        assert_eq!(gradient[..3], [0.0; 3], "what is smaller than the rounding of the rest is nothing");
        assert!(gradient[3].is_nan(), "but what is no number stays none");
    }
}
