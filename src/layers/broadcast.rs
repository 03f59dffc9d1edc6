//! Broadcasting of samples: sizes that are 1, or missing in front, match any size.

use crate::error::Result;
use crate::graph::Shape;
use crate::memory;

/// For each element of a sample of shape `to`, the index of the element in one of shape `from`. `None` if the shapes do
/// not fit.
pub fn places(from: &[usize], to: &[usize]) -> Result<Option<Vec<u32>>> {
    let Some(missing) = to.len().checked_sub(from.len()) else { return Ok(None) };
    if from.iter().zip(&to[missing..]).any(|(from, to)| from != to && *from != 1) {
        return Ok(None);
    }
    let axis = |(i, &to): (usize, &usize)| match i.checked_sub(missing).map(|i| (from[i], &from[i + 1..])) {
        None | Some((1, _)) => (to, 0),
        Some((_, behind)) => (to, behind.iter().product()),
    };
    let axes: Vec<(usize, usize)> = to.iter().enumerate().map(axis).collect();
    strided(&axes).map(Some)
}

/// The indices of a sample's elements with these axes, outermost first: sizes and strides. Nothing overflows
/// ([`MOST`](crate::graph::Shape)).
pub fn strided(axes: &[(usize, usize)]) -> Result<Vec<u32>> {
    let mut places = memory::reserve(axes.iter().map(|&(size, _)| size).product())?;
    places.push(0);
    for &(size, stride) in axes.iter().rev() {
        let inner = places.len();
        for i in 1..size {
            let start = (i * stride) as u32;
            (0..inner).for_each(|at| places.push(places[at] + start));
        }
    }
    Ok(places)
}

/// The broadcast shape of two shapes; `None` if they do not fit.
pub fn common(a: &Shape, b: &Shape) -> Option<Vec<usize>> {
    let rank = a.dims().len().max(b.dims().len());
    let size = |shape: &Shape, i: usize| (i + shape.dims().len()).checked_sub(rank).map_or(1, |i| shape.dims()[i]);
    let both = |i: usize| match (size(a, i), size(b, i)) {
        (1, n) | (n, 1) => Some(n),
        (n, m) => (n == m).then_some(n),
    };
    (0..rank).map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_stand_for_any_size() {
        let places = |from: &[usize], to: &[usize]| places(from, to).unwrap();
        assert_eq!(places(&[2, 1, 3], &[2, 2, 3]).unwrap(), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
        assert_eq!(places(&[2], &[3, 2]).unwrap(), [0, 1, 0, 1, 0, 1]);
        assert_eq!(places(&[1], &[2]).unwrap(), [0, 0]);
        assert!(places(&[2], &[3]).is_none() && places(&[2, 3], &[3]).is_none());
        let shape = |dims: &[usize]| Shape::new(dims).unwrap();
        assert_eq!(common(&shape(&[4, 1, 3]), &shape(&[5, 1])).unwrap(), [4, 5, 3]);
        assert!(common(&shape(&[4, 2]), &shape(&[3])).is_none());
    }
}
