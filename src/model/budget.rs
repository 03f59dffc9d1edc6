//! Checks whether there is memory for a call before it allocates any.
//!
//! A system that overcommits grants any batch and kills the process when the memory is touched. So a call first builds
//! everything inside [`measured`], which allocates nothing, and compares the sum with the available memory.

use super::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Available, Measured, available, measured, readable};

/// Smaller sums are not checked: querying the available memory takes as long as touching a few megabytes.
const SMALL: usize = 8 << 20;

impl Model {
    /// An error unless there is memory for what `build` asks for with a batch of that size.
    pub(crate) fn check_memory(&self, batch: usize, build: impl Fn(usize) -> Result<()>) -> Result<()> {
        let needed = measured(|| build(batch))?;
        if needed.total() < SMALL || fits(&needed, available().as_ref()) {
            return Ok(());
        }
        self.forget_idle();
        match available() {
            Some(left) if !fits(&needed, Some(&left)) => Err(too_large(batch, &needed, &left, build)),
            _ => Ok(()),
        }
    }
}

/// Whether that much is available, plus some more for tables, the allocator's overhead and whole pages. True if nothing
/// is known.
fn fits(needed: &Measured, left: Option<&Available>) -> bool {
    let total = needed.total();
    left.is_none_or(|left| total.saturating_add(total / 64).saturating_add(4 << 20) <= left.bytes)
}

fn too_large(batch: usize, needed: &Measured, left: &Available, build: impl Fn(usize) -> Result<()>) -> Error {
    let Available { bytes, by } = left;
    let mut expected = format!("at most the {} that {by}", readable(*bytes));
    // A little less is available at the next call, because the allocator keeps some.
    let left_then = Available { bytes: bytes.saturating_sub(bytes / 128).saturating_sub(1 << 20), by: String::new() };
    match largest(batch, |batch| measured(|| build(batch)).is_ok_and(|needed| fits(&needed, Some(&left_then)))) {
        0 => expected += ", which is too little for any batch",
        largest => expected += &format!(", in which a batch of {largest} fits"),
    }
    Error::new(ErrorKind::OutOfMemory, format!("a batch of {batch} takes more memory than there is"))
        .expected(expected)
        .found(format_args!("{}: {}", readable(needed.total()), needed.by_part()))
}

/// The largest batch that fits, below one that does not; 0 if none does. A larger batch never needs less.
fn largest(too_large: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut good, mut bad) = (0, too_large);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        *(if fits(middle) { &mut good } else { &mut bad }) = middle;
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Buffer;

    #[test]
    fn the_largest_batch_that_fits_is_found() {
        for limit in 0..70 {
            assert_eq!(largest(70, |batch| batch <= limit), limit);
        }
        assert_eq!((largest(1, |_| true), largest(usize::MAX, |batch| batch <= 12_345)), (0, 12_345));
    }

    #[test]
    fn the_message_says_who_takes_what_and_what_would_fit() {
        let build = |batch: usize| {
            let _part = crate::memory::part("layer conv2d");
            Buffer::zeros(batch.saturating_mul(10_000_000))?;
            drop(_part);
            let _part = crate::memory::part("layer dense");
            Buffer::zeros(batch.saturating_mul(5_000_000)).map(drop)
        };
        let needed = measured(|| build(100)).unwrap();
        let left = Available { bytes: 1_000_000_000, by: "the machine has".into() };
        assert_eq!(
            too_large(100, &needed, &left, build).to_string(),
            "a batch of 100 takes more memory than there is: expected at most the 1.00 GB that the machine has, in which a \
             batch of 16 fits, found 6.00 GB: layer conv2d 4.00 GB, layer dense 2.00 GB"
        );
        let nothing = Available { bytes: 1000, ..left };
        assert!(too_large(100, &needed, &nothing, build).to_string().contains("too little for any batch"));
    }
}
