//! Measures the memory that building something will need, without allocating it: during the measurement `memory` only
//! counts.
//!
//! The object built this way can only be dropped: its larger blocks are empty. Only the measuring thread is affected.

use std::cell::RefCell;
use std::fmt::Display;

/// Blocks of this many bytes or more are left empty. Smaller ones are really allocated, for code that fills them right
/// away.
const LEFT_OUT: usize = 1 << 20;

/// The bytes requested by each part.
#[derive(Debug, Default)]
pub struct Measured {
    /// Names and bytes, in the order of their first request.
    parts: Vec<(String, usize)>,
    /// The part that is allocating now.
    now: Option<String>,
}

thread_local! {
    static MEASURED: RefCell<Option<Measured>> = const { RefCell::new(None) };
}

/// Measures what `build` asks for.
pub fn measured<T, E>(build: impl FnOnce() -> Result<T, E>) -> Result<Measured, E> {
    /// Ends it, also when `build` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            MEASURED.take();
        }
    }
    let _end = End;
    MEASURED.set(Some(Measured::default()));
    let built = build();
    let measured = MEASURED.take().unwrap_or_default();
    built.map(|_| measured)
}

/// While it lives, allocations count for this part, unless an outer part is active.
pub struct Part(bool);

/// Names the following allocations, if they are measured.
pub fn part(name: impl Display) -> Part {
    Part(MEASURED.with_borrow_mut(|measured| match measured {
        Some(Measured { now: now @ None, .. }) => {
            *now = Some(name.to_string());
            true
        }
        _ => false,
    }))
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.0 {
            MEASURED.with_borrow_mut(|measured| measured.as_mut().and_then(|measured| measured.now.take()));
        }
    }
}

/// Whether so many bytes are only counted, and the block is to be left empty.
pub(super) fn is_only_counted(bytes: usize) -> bool {
    MEASURED.with_borrow_mut(|measured| {
        let Some(Measured { parts, now }) = measured else { return false };
        let name = now.as_deref().unwrap_or("the rest");
        match parts.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(bytes),
            None => parts.push((name.to_string(), bytes)),
        }
        bytes >= LEFT_OUT
    })
}

impl Measured {
    /// All bytes.
    pub fn total(&self) -> usize {
        self.parts.iter().fold(0, |sum: usize, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// `layer conv2d 1.20 GB, layer dense 0.30 GB`, leaving out what is small beside the rest.
    pub fn by_part(&self) -> String {
        let least = self.total() / 200;
        let shown = self.parts.iter().filter(|(_, bytes)| *bytes > least);
        shown.map(|(name, bytes)| format!("{name} {}", readable(*bytes))).collect::<Vec<_>>().join(", ")
    }
}

/// `1.20 GB`
pub fn readable(bytes: usize) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Buffer, filled};
    use super::*;
    use crate::error::Result;

    #[test]
    fn what_is_measured_is_counted_and_not_taken() {
        let build = || -> Result<(usize, usize, usize)> {
            let _a = part("a");
            let huge = Buffer::zeros(1 << 50)?;
            let small = {
                let _inside = part("inside of a");
                Buffer::zeros(100)?
            };
            drop(_a);
            let _b = part("b");
            Ok((huge.len(), small.len(), filled(1 << 40, 0u64)?.len()))
        };
        let mut built = None;
        let measured = measured(|| build().map(|lens| built = Some(lens))).unwrap();
        assert_eq!(built, Some((0, 100, 0)));
        assert!((1 << 52..(1 << 52) + 1000).contains(&measured.parts[0].1), "{measured:?}");
        assert_eq!((measured.parts[1].0.as_str(), measured.parts[1].1, measured.parts.len()), ("b", 8 << 40, 2));
        assert_eq!(measured.by_part(), "a 4503599.63 GB");
        assert!(Buffer::zeros(1 << 50).is_err() && Buffer::zeros(7).unwrap().len() == 7, "it has an end");
    }
}
