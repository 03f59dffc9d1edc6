//! Sums over rows: biases' gradients, and the parts of a long sum.

use super::Simd;
use super::isa::{Isa, Kernel};

/// Adds every row of `matrix` (`[rows, sum.len()]`) to `sum`, in order.
pub fn add_rows(isa: Isa, matrix: &[f32], sum: &mut [f32]) {
    assert!(matrix.len().is_multiple_of(sum.len().max(1)));
    isa.run(AddRows { matrix, sum });
}

struct AddRows<'a> {
    matrix: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let width = self.sum.len();
        for i in (0..width).step_by(V::LANES) {
            let n = V::LANES.min(width - i);
            // SAFETY: `i + n <= width`, the length of the sum and of each row.
            unsafe {
                let mut sum = V::load_up_to(self.sum.as_ptr().add(i), n);
                for row in self.matrix.chunks_exact(width) {
                    sum = sum.add(V::load_up_to(row.as_ptr().add(i), n));
                }
                sum.store_up_to(self.sum.as_mut_ptr().add(i), n);
            }
        }
    }
}

/// Copies `matrix` (`[rows, width]`) to `out` (`[rows, padded]`), zeros behind each row's end.
pub fn pad_rows(matrix: &[f32], width: usize, out: &mut [f32], padded: usize) {
    for (row, out) in matrix.chunks_exact(width).zip(out.chunks_exact_mut(padded)) {
        out[..width].copy_from_slice(row);
        out[width..].fill(0.0);
    }
}

/// Writes `matrix` (`[rows, width]`) to `out` as `[width, padded]`, rows become columns, zeros behind each row's end.
pub fn transpose(matrix: &[f32], width: usize, out: &mut [f32], padded: usize) {
    let rows = matrix.len() / width;
    for (column, out) in out.chunks_exact_mut(padded).take(width).enumerate() {
        for (row, value) in out[..rows].iter_mut().enumerate() {
            *value = matrix[row * width + column];
        }
        out[rows..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_layouts() {
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut sum = [10.0, 20.0];
        add_rows(Isa::PORTABLE, &matrix, &mut sum);
        assert_eq!(sum, [19.0, 32.0]);
        let mut out = [9.0; 8];
        pad_rows(&matrix, 3, &mut out, 4);
        assert_eq!(out, [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        let mut out = [9.0; 12];
        transpose(&matrix, 3, &mut out, 4);
        assert_eq!(out, [1.0, 4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.0, 3.0, 6.0, 0.0, 0.0]);
    }
}
