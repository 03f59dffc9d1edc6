//! Rows of matrices: their sums, for biases' gradients and the parts of a long sum, and changes of layout.

use super::Simd;
use super::isa::{Isa, SimdLoop};
use super::vectors::{Down, down};

/// Adds every row of `matrix` (`[rows, width]`) to `sum`, in order: of each row as many columns as `sum` has, from
/// `first` on.
pub fn sum_rows(isa: Isa, matrix: &[f32], width: usize, first: usize, sum: &mut [f32]) {
    assert!(matrix.len().is_multiple_of(width.max(1)) && first + sum.len() <= width);
    isa.run(SumRows { matrix, width, first, sum });
}

struct SumRows<'a> {
    matrix: &'a [f32],
    width: usize,
    first: usize,
    sum: &'a mut [f32],
}

impl SimdLoop for SumRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let SumRows { matrix, width, first, sum } = self;
        // SAFETY: each of the rows has as many columns from `first` on as the sum.
        unsafe { down::<V, 1>(&Rows { matrix, width, first }, matrix.len() / width.max(1), [sum]) };
    }
}

struct Rows<'a> {
    matrix: &'a [f32],
    width: usize,
    first: usize,
}

impl Down<1> for Rows<'_> {
    #[inline(always)]
    unsafe fn step<V: Simd>(&self, [sum]: [V; 1], row: usize, at: usize, n: usize) -> [V; 1] {
        // SAFETY: the caller's.
        unsafe { [sum.add(V::load_up_to(self.matrix.as_ptr().add(row * self.width + self.first + at), n))] }
    }
}

/// Copies `matrix` (`[rows, width]`) to `out` (`[rows, padded]`), with zeros after each row's end.
pub fn pad_rows(matrix: &[f32], width: usize, out: &mut [f32], padded: usize) {
    for (row, out) in matrix.chunks_exact(width).zip(out.chunks_exact_mut(padded)) {
        out[..width].copy_from_slice(row);
        out[width..].fill(0.0);
    }
}

/// Writes `matrix` (`[rows, width]`) to `out` as `[width, rows]`: rows become columns.
pub fn transpose(isa: Isa, matrix: &[f32], width: usize, out: &mut [f32]) {
    assert!(matrix.len().is_multiple_of(width) && out.len() == matrix.len());
    isa.run(Transpose { matrix, rows: matrix.len() / width, width, out });
}

struct Transpose<'a> {
    matrix: &'a [f32],
    rows: usize,
    width: usize,
    out: &'a mut [f32],
}

impl SimdLoop for Transpose<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Simd>(self) {
        let Transpose { matrix, rows, width, out } = self;
        // SAFETY: `out` is as large as the matrix (`transpose`).
        unsafe { turn::<V>(matrix.as_ptr(), width, out.as_mut_ptr(), rows, rows, width) };
    }
}

/// Transposes a block of `rows` x `columns`: element `(i, j)` goes from `from[i * from_row + j]` to `to[j * to_row +
/// i]`.
///
/// # Safety
/// As [`Simd`]: the block's elements must be readable, and writable where they go.
#[inline(always)]
pub unsafe fn turn<V: Simd>(
    from: *const f32,
    from_row: usize,
    to: *mut f32,
    to_row: usize,
    rows: usize,
    columns: usize,
) {
    let whole = |n: usize| n - n % V::LANES;
    // SAFETY: the caller's.
    unsafe {
        for i in (0..whole(rows)).step_by(V::LANES) {
            for j in (0..whole(columns)).step_by(V::LANES) {
                V::transpose(from.add(i * from_row + j), from_row, to.add(j * to_row + i), to_row);
            }
        }
        for i in 0..rows {
            let left = if i < whole(rows) { whole(columns) } else { 0 };
            (left..columns).for_each(|j| *to.add(j * to_row + i) = *from.add(i * from_row + j));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_layouts() {
        let matrix = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut sum = [10.0, 20.0];
        sum_rows(Isa::PORTABLE, &matrix, 3, 1, &mut sum);
        assert_eq!(sum, [17.0, 29.0], "the second and third columns");
        let mut out = [9.0; 8];
        pad_rows(&matrix, 3, &mut out, 4);
        assert_eq!(out, [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
    }

    #[test]
    fn any_matrix_can_be_turned() {
        for (isa, (rows, width)) in
            Isa::available().flat_map(|isa| [(2, 3), (32, 48), (17, 35)].map(|size| (isa, size)))
        {
            let matrix: Vec<f32> = (0..rows * width).map(|i| i as f32).collect();
            let mut out = vec![-1.0; matrix.len()];
            transpose(isa, &matrix, width, &mut out);
            for (i, j) in (0..rows).flat_map(|i| (0..width).map(move |j| (i, j))) {
                assert_eq!(out[j * rows + i], matrix[i * width + j], "{isa:?} {rows} x {width}: {i} {j}");
            }
        }
    }
}
