//! Numbers that are none: a fit is watched for a loss, a weight or an output that is NaN or infinite.
//!
//! The loss of a step is known before the step changes a weight, so that a step with a bad one is not taken. The weights
//! which led there are bad as well, though each may be finite; therefore a copy is kept of weights whose loss was good.

use crate::error::{At, Result};
use crate::memory::Buffer;
use crate::model::network::Network;
use std::fmt;

/// Steps between two copies of the good weights. In the tutorial's fit one takes 2.3 ms with the check of the weights, and
/// this many steps 1,400.
const EVERY: usize = 128;

/// An epoch and one of its batches, from 0.
pub type EpochAndBatch = (usize, usize);

/// Where a fit met the first number that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The batch whose step was not to be taken, from 0.
    pub batch: usize,
    /// What holds the number, "layer dense: kernel", say.
    pub location: String,
    /// NaN or an infinity.
    pub found: f64,
    /// What became of the weights, when they are others than this step met.
    kept: Option<&'static str>,
}

impl fmt::Display for Divergence {
    /// Epoch and step are told as the progress line counts them, from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { epoch, batch, location, found, kept } = self;
        write!(f, "epoch {}: step {}: {location}: expected a finite number, found {found}", epoch + 1, batch + 1)?;
        kept.map_or(Ok(()), |kept| write!(f, "; {kept}"))
    }
}

/// The watch over a fit.
pub struct Watch {
    /// Whether the fit stops at the first bad number.
    terminate: bool,
    found: Option<Divergence>,
    /// Weights whose loss was finite, if `age` says that there were any.
    good: Buffer,
    /// Steps that have been judged since they were copied.
    age: Option<usize>,
}

impl Watch {
    /// Over a fit of `len` weights; 0: over one step, for which no copy of them is kept.
    pub fn new(terminate: bool, len: usize) -> Result<Self> {
        let good = Buffer::zeros(if terminate { len } else { 0 }).at("a copy of the weights")?;
        Ok(Watch { terminate, found: None, good, age: None })
    }

    /// Whether the step may be taken whose forward pass has just given the loss `loss` for `x` with the weights `w`.
    pub fn may_step(&mut self, at: EpochAndBatch, loss: f64, network: &Network, w: &[f32], x: &[f32]) -> bool {
        if !loss.is_finite() {
            self.note(at, || network.first_not_finite(w, x).unwrap_or(("the loss".to_string(), loss)));
        } else if self.terminate
            && !self.good.is_empty()
            && self.age.is_none_or(|age| age >= EVERY)
            && self.weights(at, network, w)
        {
            self.good.copy_from_slice(w);
            self.age = Some(0);
        }
        self.age = self.age.map(|age| age + 1);
        self.may_go_on()
    }

    /// Whether all weights are finite; if not, the fit has diverged.
    pub fn weights(&mut self, at: EpochAndBatch, network: &Network, w: &[f32]) -> bool {
        let finite = w.chunks(1 << 12).all(|part| part.iter().fold(true, |finite, w| finite & w.is_finite()));
        if !finite {
            self.note(at, || network.first_not_finite(w, &[]).unwrap_or(("a weight".to_string(), f64::NAN)));
        }
        finite
    }

    /// Looks at the loss that a validation gave.
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

    /// Whether nothing was found, or the fit is to go on all the same.
    pub fn may_go_on(&self) -> bool {
        !(self.terminate && self.diverged())
    }

    /// Whether a bad number was found.
    pub fn diverged(&self) -> bool {
        self.found.is_some()
    }

    /// What was found, and the weights to go back to, of a fit that has ended.
    pub fn end(mut self) -> (Option<Divergence>, Option<Buffer>) {
        let back = self.age.is_some() && !self.may_go_on();
        if let Some(found) = self.found.as_mut().filter(|_| back) {
            found.kept = Some("the last good weights were restored, the optimizer state was discarded");
        }
        (self.found, back.then_some(self.good))
    }
}
