//! Shapes of symbolic tensors.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// The shape of a tensor without its batch: `[H, W, C]` for images, `[units]` for rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    dims: Vec<usize>,
    len: usize,
}

impl Shape {
    /// A shape of `dims`, each above 0, with a countable number of elements.
    pub fn new(dims: &[usize]) -> Result<Self> {
        let printed = || format!("{dims:?}");
        if dims.contains(&0) {
            return Err(Error::new(ErrorKind::Shape, "a size is 0").expected("1 or more").found(printed()));
        }
        let len = dims.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim));
        match len.filter(|&len| len <= MOST) {
            Some(len) => Ok(Shape { dims: dims.to_vec(), len }),
            None => Err(Error::new(ErrorKind::Shape, "too many elements")
                .expected(format_args!("at most {MOST}"))
                .found(printed())),
        }
    }

    /// The sizes.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// How many elements there are; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }
}

/// The most elements of a tensor or a layer's parameters: addressable in a file and by an index of 32 bits, and so far
/// below `usize` that sums and small multiples cannot overflow.
pub const MOST: usize = i32::MAX as usize;

/// As in `[26, 26, 32]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims)
    }
}

/// An error unless a parameter of that shape has a countable number of elements.
pub fn check_parameter(shape: &[usize]) -> Result<usize> {
    match shape.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim)).filter(|&len| len <= MOST) {
        Some(len) => Ok(len),
        None => Err(Error::new(ErrorKind::Shape, "too many weights")
            .expected(format_args!("at most {MOST}"))
            .found(format_args!("{shape:?}"))),
    }
}
