//! Parallel loops: work is cut into parts, each done by any free thread of the pool.
//!
//! Which thread does a part does not change the result: parts write to disjoint memory, and the cuts depend only on the
//! shapes. Nothing is allocated.

use crate::kernels::Columns;

/// Something that can be split into parts.
pub trait Parts: Send + Sized {
    /// How many parts there are.
    fn count(&self) -> usize;
    /// The parts before `part`, and those from it on.
    fn split_at(self, part: usize) -> (Self, Self);
}

/// Calls `task` for each part, with the part's index and the part. The task is not inlined: the loop is compiled once
/// for each kind of parts, and not for each of some 150 tasks.
pub fn for_each<P: Parts>(parts: P, task: &(dyn Fn(usize, P) + Sync)) {
    fn range<P: Parts>(first: usize, parts: P, task: &(dyn Fn(usize, P) + Sync)) {
        match parts.count() {
            0 => (),
            1 => task(first, parts),
            count => {
                let middle = count / 2;
                let (left, right) = parts.split_at(middle);
                rayon::join(|| range(first, left, task), || range(first + middle, right, task));
            }
        }
    }
    match rayon::current_thread_index() {
        Some(_) => range(0, parts, task),
        None => in_turn(parts, task), // on a thread outside a pool: rayon would start its global pool
    }
}

/// Runs both, in parallel if there is another thread.
pub fn both<A: Send, B: Send>(a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    match rayon::current_thread_index() {
        Some(_) => rayon::join(a, b),
        None => (a(), b()),
    }
}

/// Does `task` for each part, one after the other.
fn in_turn<P: Parts>(parts: P, task: &dyn Fn(usize, P)) {
    let mut rest = parts;
    for part in 0..rest.count() {
        let (first, others) = rest.split_at(1);
        task(part, first);
        rest = others;
    }
}

/// The most groups of samples that a sum over the batch is cut into.
const GROUPS: usize = 32;

/// Samples of a group, where a sum over the batch is cut into groups' sums that are then added in order: a size that
/// follows from the batch alone.
pub fn group(samples: usize) -> usize {
    samples.div_ceil(GROUPS).max(1)
}

/// The most groups there are of up to so many samples.
pub fn most_groups(samples: usize) -> usize {
    samples.min(GROUPS)
}

/// A slice in chunks of a size, the last one may be shorter.
pub struct Chunks<'a, T = f32> {
    slice: &'a mut [T],
    size: usize,
}

impl<'a, T> Chunks<'a, T> {
    /// `slice` in chunks of `size`.
    pub fn new(slice: &'a mut [T], size: usize) -> Self {
        Chunks { slice, size: size.max(1) }
    }

    /// The whole of it.
    pub fn into_slice(self) -> &'a mut [T] {
        self.slice
    }
}

impl<T: Send> Parts for Chunks<'_, T> {
    fn count(&self) -> usize {
        self.slice.len().div_ceil(self.size)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        let at = (part * self.size).min(self.slice.len());
        let (left, right) = self.slice.split_at_mut(at);
        (Chunks { slice: left, size: self.size }, Chunks { slice: right, size: self.size })
    }
}

/// A matrix in blocks of columns, the last one may be narrower.
pub struct ColumnBlocks<'a> {
    columns: Columns<'a>,
    width: usize,
}

impl<'a> ColumnBlocks<'a> {
    /// `columns` in blocks of `width`.
    pub fn new(columns: Columns<'a>, width: usize) -> Self {
        ColumnBlocks { columns, width: width.max(1) }
    }

    /// The whole of it.
    pub fn into_columns(self) -> Columns<'a> {
        self.columns
    }
}

impl Parts for ColumnBlocks<'_> {
    fn count(&self) -> usize {
        self.columns.width().div_ceil(self.width)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        let at = (part * self.width).min(self.columns.width());
        let (left, right) = self.columns.split_at(at);
        (ColumnBlocks { columns: left, width: self.width }, ColumnBlocks { columns: right, width: self.width })
    }
}

/// Parts that may be wanted or not.
impl<P: Parts> Parts for Option<P> {
    fn count(&self) -> usize {
        self.as_ref().map_or(0, P::count)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        match self.map(|parts| parts.split_at(part)) {
            Some((left, right)) => (Some(left), Some(right)),
            None => (None, None),
        }
    }
}

/// Two things with the same cuts; the first gives the number of parts.
impl<A: Parts, B: Parts> Parts for (A, B) {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        let ((a, more_a), (b, more_b)) = (self.0.split_at(part), self.1.split_at(part));
        ((a, b), (more_a, more_b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_with_its_index() {
        let (mut a, mut b) = (vec![0.0; 23], vec![0.0; 12]);
        let blocks = ColumnBlocks::new(Columns::new(&mut b, 2, 6), 1);
        for_each((Chunks::new(&mut a, 4), Some(blocks)), &|i, (a, b)| {
            a.into_slice().iter_mut().for_each(|x| *x += i as f32);
            if let Some(b) = b {
                b.into_columns().row(1).fill(i as f32);
            }
        });
        assert!(a.iter().enumerate().all(|(at, &x)| x == (at / 4) as f32), "{a:?}");
        assert_eq!(b[6..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}
