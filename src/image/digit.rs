//! Finds the digit in a picture.
//!
//! The picture is divided into at most 256 x 256 square cells. Adjacent cells with ink form a part; parts with much
//! less ink than the largest one are specks. So memory does not depend on the picture's size, and gaps in strokes below
//! a cell's size are bridged.

use super::{Ink, Picture};
use crate::error::{Error, Result};
use crate::memory;
use std::ops::Range;

/// The most cells in a row or a column.
const CELLS: usize = 256;
/// The least level that counts as ink.
const WEAK: u8 = 32;
/// A part whose core pixels are fewer than the largest part's by this factor is a speck.
const SPECK: u64 = 20;

/// The digit: its bounding box in the picture, and its cells.
pub struct Digit {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    grid: Grid,
    keep: Vec<bool>,
}

impl Digit {
    /// Finds it; the picture has ink.
    pub fn find(picture: Picture<'_>, ink: &Ink) -> Result<Self> {
        let grid = Grid::of(picture);
        let cells = grid.look(picture, ink)?;
        let keep = grid.without_specks(&cells)?;
        let mut digit = Digit { rows: picture.height..0, columns: picture.width..0, grid, keep };
        let inked = |grey: &u8| ink.levels[usize::from(*grey)] >= WEAK;
        for y in 0..picture.height {
            let first = digit.cells(picture, y).find_map(|(x, greys)| Some(x + greys.iter().position(inked)?));
            let last = digit.cells(picture, y).rev().find_map(|(x, greys)| Some(x + greys.iter().rposition(inked)?));
            let (Some(first), Some(last)) = (first, last) else { continue };
            digit.rows = digit.rows.start.min(y)..y + 1;
            digit.columns = digit.columns.start.min(first)..digit.columns.end.max(last + 1);
        }
        match digit.rows.is_empty() {
            true => Err(Error::internal("a digit without pixels")),
            false => Ok(digit.with_edges()),
        }
    }

    /// The digit's cells in row `y` of the picture: the column where each begins, and its pixels.
    fn cells<'a>(&'a self, picture: Picture<'a>, y: usize) -> impl DoubleEndedIterator<Item = (usize, &'a [u8])> {
        let Grid { cell, across, .. } = self.grid;
        let keep = &self.keep[y / cell * across..][..across];
        let cells = picture.row(y).chunks(cell).zip(keep).enumerate();
        cells.filter(|(_, (_, keep))| **keep).map(move |(i, (greys, _))| (i * cell, greys))
    }

    /// Writes the digit's ink in row `y` of the picture to `levels`, which is as long as the row.
    pub fn row(&self, picture: Picture<'_>, ink: &Ink, y: usize, levels: &mut [u8]) {
        levels.fill(0);
        for (x, greys) in self.cells(picture, y) {
            levels[x..].iter_mut().zip(greys).for_each(|(level, &grey)| *level = ink.levels[usize::from(grey)]);
        }
    }

    /// Adds the neighbouring cells, which contain the soft edges of strokes.
    fn with_edges(mut self) -> Self {
        let kept = self.keep.clone();
        for (i, _) in kept.iter().enumerate().filter(|&(_, kept)| *kept) {
            self.grid.around(i, |j| self.keep[j] = true);
        }
        self
    }
}

/// The cells of a picture.
#[derive(Clone, Copy)]
struct Grid {
    /// A cell's side in pixels.
    cell: usize,
    across: usize,
    down: usize,
}

/// The content of a cell.
#[derive(Clone, Copy, Default)]
struct Cell {
    ink: bool,
    /// The number of core pixels.
    cores: u32,
}

impl Grid {
    fn of(picture: Picture<'_>) -> Self {
        let cell = picture.height.max(picture.width).div_ceil(CELLS);
        Grid { cell, across: picture.width.div_ceil(cell), down: picture.height.div_ceil(cell) }
    }

    fn look(&self, picture: Picture<'_>, ink: &Ink) -> Result<Vec<Cell>> {
        let mut cells = memory::filled(self.across * self.down, Cell::default())?;
        for y in 0..picture.height {
            let row = &mut cells[y / self.cell * self.across..];
            for (greys, cell) in picture.row(y).chunks(self.cell).zip(row) {
                for &grey in greys {
                    let level = ink.levels[usize::from(grey)];
                    cell.ink |= level >= WEAK;
                    cell.cores += u32::from(level >= ink.core);
                }
            }
        }
        Ok(cells)
    }

    /// Whether each cell belongs to a part that is not a speck.
    fn without_specks(&self, cells: &[Cell]) -> Result<Vec<bool>> {
        let mut part_of = memory::filled(cells.len(), usize::MAX)?;
        let (mut parts, mut open) = (memory::reserve(cells.len())?, memory::reserve(cells.len())?);
        for i in 0..cells.len() {
            if !cells[i].ink || part_of[i] != usize::MAX {
                continue;
            }
            let (part, mut cores) = (parts.len(), 0u64);
            part_of[i] = part;
            open.push(i);
            while let Some(i) = open.pop() {
                cores += u64::from(cells[i].cores);
                self.around(i, |j| {
                    if cells[j].ink && part_of[j] == usize::MAX {
                        part_of[j] = part;
                        open.push(j);
                    }
                });
            }
            parts.push(cores);
        }
        let largest = parts.iter().copied().max().unwrap_or(0);
        let is_kept = |&part: &usize| parts.get(part).is_some_and(|cores| cores * SPECK >= largest);
        Ok(part_of.iter().map(is_kept).collect())
    }

    /// Calls `task` with each neighbour of a cell, corners included.
    fn around(&self, i: usize, mut task: impl FnMut(usize)) {
        let (y, x) = (i / self.across, i % self.across);
        for y in y.saturating_sub(1)..(y + 2).min(self.down) {
            for x in x.saturating_sub(1)..(x + 2).min(self.across) {
                task(y * self.across + x);
            }
        }
    }
}
