//! `CosineSimilarity`: minus the cosine of the angle between target and output, both normalized.
//!
//! `-sum(t * y) / (|t| |y|)`; the similarity of a row of zeros is 0.

use super::elementwise::pairs;
use super::{EPSILON, Entry, Loss, RowTarget, last_axis};
use std::sync::Arc;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    class: "CosineSimilarity",
    names: &[],
    keys: &["axis"],
    read: |_, config| {
        last_axis(config)?;
        Ok(Arc::new(CosineSimilarity))
    },
}];

#[derive(Debug)]
struct CosineSimilarity;

/// The length of a row, at least Keras's epsilon.
fn length(squares: f64) -> f64 {
    squares.sqrt().max(EPSILON)
}

/// The sum of the products, and the two lengths.
fn products(truth: RowTarget<'_>, y: &[f32]) -> (f64, f64, f64) {
    let sum = |product: fn((f64, f64)) -> f64| pairs(truth, y).map(product).sum::<f64>();
    (sum(|(t, y)| t * y), length(sum(|(t, _)| t * t)), length(sum(|(_, y)| y * y)))
}

impl Loss for CosineSimilarity {
    fn class(&self) -> &'static str {
        "CosineSimilarity"
    }

    fn value(&self, truth: RowTarget<'_>, y: &[f32], _: bool) -> f64 {
        let (dot, t, y) = products(truth, y);
        -dot / (t * y)
    }

    fn slope(&self, truth: RowTarget<'_>, y: &mut [f32], _: bool) {
        let (dot, t_length, y_length) = products(truth, y);
        // Below epsilon the length is a constant.
        let along = if y_length > EPSILON { dot / (y_length * y_length) } else { 0.0 };
        super::elementwise::slopes(truth, y, 1.0 / (t_length * y_length), |t, y| along * y - t);
    }
}
