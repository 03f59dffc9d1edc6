//! Softmax and log-sum-exp.
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

/// A row's largest logit, and `log(sum(exp(z - max)))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSum {
    /// The largest.
    pub max: f32,
    /// The logarithm of the sum.
    pub sum: f32,
}

/// The log-sum-exp of a row's logits: `-log(softmax(z)[i])` is `sum - (z[i] - max)`.
pub fn log_sum(row: &[f32]) -> LogSum {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = row.iter().map(|&z| libm::expf(z - max)).sum();
    LogSum { max, sum: libm::logf(sum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_their_logarithms() {
        let logits = [1.0f32, 2.0, 0.5, 1000.0, -1000.0, 1000.0];
        let mut p = logits;
        softmax(&mut p, 3);
        assert!((p[..3].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(p[3..], [0.5, 0.0, 0.5], "large logits do not overflow");
        let LogSum { max, sum } = log_sum(&logits[..3]);
        let exact = (1f64.exp() + 2f64.exp() + 0.5f64.exp()).ln();
        assert!((f64::from(sum) + f64::from(max) - exact).abs() < 1e-6);
        assert_eq!(log_sum(&logits[3..]), LogSum { max: 1000.0, sum: std::f32::consts::LN_2 });
    }
}
