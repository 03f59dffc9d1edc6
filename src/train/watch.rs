//! Divergence: watches a fit for a loss, a weight or an output that is NaN or infinite.
//!
//! The loss of a step is known before the step changes a weight, so a step with a bad loss is not taken. The weights
//! that led there are bad too, though each may be finite; so a copy is kept of weights that gave a finite loss.

use crate::error::{At, Result};
use crate::memory::Buffer;
use crate::model::network::Network;
use std::fmt;

/// Steps between two copies of the good weights. In the tutorial's fit a copy with the check of the weights takes 2.3
/// ms, and this many steps take 1,400 ms.
const EVERY: usize = 128;

/// An epoch and one of its batches, from 0.
pub type EpochAndBatch = (usize, usize);

/// The first value of a fit that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch whose step was not to be taken, from 0.
    pub batch: usize,
    /// Where the value is, for example "layer dense: kernel".
    pub location: String,
    /// NaN or an infinity.
    pub found: f64,
    /// What happened to the weights, if they were restored.
    kept: Option<&'static str>,
}

impl fmt::Display for Divergence {
    /// Epoch and step count from 1, as in the progress line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { epoch, batch, location, found, kept } = self;
        write!(f, "epoch {}: step {}: {location}: expected a finite number, found {found}", epoch + 1, batch + 1)?;
        kept.map_or(Ok(()), |kept| write!(f, "; {kept}"))
    }
}

/// The watch over a fit.
pub struct Watch {
    /// Whether the fit stops at the first bad value.
    terminate: bool,
    found: Option<Divergence>,
    /// Weights that gave a finite loss; valid if `age` is not `None`.
    good: Buffer,
    /// Steps checked since they were copied.
    age: Option<usize>,
}

impl Watch {
    /// Keeps a copy of `len` weights; 0: none.
    pub fn new(terminate: bool, len: usize) -> Result<Self> {
        let good = Buffer::zeros(len).at("a copy of the weights")?;
        Ok(Watch { terminate, found: None, good, age: None })
    }

    /// Whether the step may be taken: its forward pass gave the loss `loss` for `x` with the weights `w`.
    pub fn may_step(&mut self, at: EpochAndBatch, loss: f64, network: &Network, w: &[f32], x: &[f32]) -> bool {
        if !loss.is_finite() {
            self.note(at, || network.first_not_finite(w, x).unwrap_or(("the loss".to_string(), loss)));
        } else if self.is_due() && (if self.terminate { self.weights(at, network, w) } else { are_finite(w) }) {
            self.good.copy_from_slice(w);
            self.age = Some(0);
        }
        self.age = self.age.map(|age| age + 1);
        self.may_go_on()
    }

    /// Whether the next step copies the weights, if they are finite.
    pub fn is_due(&self) -> bool {
        !self.good.is_empty() && self.age.is_none_or(|age| age >= EVERY)
    }

    /// The last good weights, if there are any.
    pub fn good(&self) -> Option<&[f32]> {
        self.age.map(|_| &self.good[..])
    }

    /// Whether all weights are finite; if not, the fit has diverged.
    pub fn weights(&mut self, at: EpochAndBatch, network: &Network, w: &[f32]) -> bool {
        let finite = are_finite(w);
        if !finite {
            self.note(at, || network.first_not_finite(w, &[]).unwrap_or(("a weight".to_string(), f64::NAN)));
        }
        finite
    }

    /// Checks the loss of a validation.
    pub fn validated(&mut self, at: EpochAndBatch, loss: f64) {
        if !loss.is_finite() {
            self.note(at, || ("validation: the loss".to_string(), loss));
        }
    }

    fn note(&mut self, (epoch, batch): EpochAndBatch, what: impl FnOnce() -> (String, f64)) {
        self.found.get_or_insert_with(|| {
            let (location, found) = what();
            Divergence { epoch, batch, location, found, kept: None }
        });
    }

    /// Whether a fit stops if something is found.
    pub fn terminates(&self) -> bool {
        self.terminate
    }

    /// Whether nothing was found, or the fit is to continue anyway.
    pub fn may_go_on(&self) -> bool {
        !(self.terminate && self.diverged())
    }

    /// Whether a bad value was found.
    pub fn diverged(&self) -> bool {
        self.found.is_some()
    }

    /// What was found, and the weights to restore, at the end of a fit.
    pub fn end(mut self) -> (Option<Divergence>, Option<Buffer>) {
        let back = self.age.is_some() && !self.may_go_on();
        if let Some(found) = self.found.as_mut().filter(|_| back) {
            found.kept = Some("the last good weights were restored, the optimizer state was discarded");
        }
        (self.found, back.then_some(self.good))
    }
}

fn are_finite(w: &[f32]) -> bool {
    w.chunks(1 << 12).all(|part| part.iter().fold(true, |finite, w| finite & w.is_finite()))
}
