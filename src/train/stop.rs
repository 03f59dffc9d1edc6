//! A fit that its caller stops: where that was, and how it was done.

use std::fmt;

/// How a fit was stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The epoch that was cut short, from 0.
    pub epoch: usize,
    /// The steps that were taken in it.
    pub steps: usize,
    /// The steps that an epoch has.
    pub of: usize,
    /// The callback or the function that stopped it, as C calls it.
    pub by: &'static str,
}

impl fmt::Display for Stop {
    /// Epoch and step are told as the progress line counts them, from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stop { epoch, steps, of, by } = self;
        let (side, step) = if *steps == 0 { ("before", 1) } else { ("after", *steps) };
        write!(f, "epoch {}: {side} step {step} of {of}: the fit was stopped by {by}", epoch + 1)
    }
}
