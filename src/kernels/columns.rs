//! A row-major matrix split by columns, so that tasks can write to different columns of the same rows.

use std::marker::PhantomData;

/// Exclusive access to the columns `start..start + width` of every row of a matrix.
#[derive(Debug)]
pub struct Columns<'a> {
    first: *mut f32, // of row 0
    rows: usize,
    width: usize,
    stride: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `Columns` is the only way to its elements, as a `&mut [f32]` is, and may go to another thread as one may.
unsafe impl Send for Columns<'_> {}

impl<'a> Columns<'a> {
    /// All columns of a matrix of `rows` rows, `width` wide.
    pub fn new(matrix: &'a mut [f32], rows: usize, width: usize) -> Self {
        assert_eq!(matrix.len(), rows * width, "a matrix of {rows} x {width}");
        Columns { first: matrix.as_mut_ptr(), rows, width, stride: width, matrix: PhantomData }
    }

    /// The columns before `column`, and those from it on.
    pub fn split_at(self, column: usize) -> (Self, Self) {
        assert!(column <= self.width, "column {column} of {}", self.width);
        let Columns { first, rows, width, stride, matrix } = self;
        let second = first.wrapping_add(column);
        (
            Columns { first, rows, width: column, stride, matrix },
            Columns { first: second, rows, width: width - column, stride, matrix },
        )
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The pointer to this block's part of the first row, and the row stride.
    pub fn raw(&mut self) -> (*mut f32, usize) {
        (self.first, self.stride)
    }

    /// This block's part of a row.
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: the row lies in the matrix, its `width` columns belong to this block alone, and `&mut self` sees to
        // it that there is one such slice at a time.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(row * self.stride), self.width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_disjoint_and_whole() {
        let mut matrix: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let (mut left, mut right) = Columns::new(&mut matrix, 3, 4).split_at(1);
        assert_eq!((left.row(2), right.row(1)), (&mut [8.0][..], &mut [5.0, 6.0, 7.0][..]));
        right.row(0).fill(-1.0);
        assert_eq!(matrix[..5], [0.0, -1.0, -1.0, -1.0, 4.0]);
    }
}
