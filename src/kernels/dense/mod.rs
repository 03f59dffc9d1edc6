//! A dense layer, `y[b][n] = sum over k of x[b][k] * w[k][n]`, forward, and backward fused with the optimizer's step.
//!
//! `w` is `[K, N]` and large (19 MB in the tutorial), so memory bandwidth limits the speed: the forward pass reads `w`
//! once, the backward pass reads and writes `w` and its moments once, and the weights' gradient never reaches memory.
//! Both passes are cut along K into parts, one a task; the cuts depend on K alone. A part is gone through in blocks of
//! 64 rows of `w`, so that the zeros of as many elements of a sample fill one word ([`nonzero`](super::nonzero)).

mod backward;
mod forward;
#[cfg(test)]
mod tests;

pub use backward::{Backward, Part, pack};
pub use forward::{Forward, finish};

use super::isa::Isa;
use super::nonzero::WORD;
use crate::error::Result;
use crate::memory::{Buffer, filled};

/// Rows of `w` that are taken together.
const BLOCK: usize = WORD;

/// The most vectors of a row that are summed in registers at once.
pub const PANEL: usize = 8;

/// Scratch memory of a part.
pub struct Scratch {
    floats: Buffer,
    words: Vec<u64>,
}

impl Scratch {
    /// For [`forward`].
    pub fn forward(isa: Isa, batch: usize) -> Result<Self> {
        Ok(Scratch { floats: Buffer::zeros(BLOCK * PANEL * isa.lanes())?, words: filled(2 * batch, 0)? })
    }

    /// For [`Backward::part`].
    pub fn backward(batch: usize) -> Result<Self> {
        let groups = batch.div_ceil(WORD);
        let pairs = backward::rows_together(batch) * batch + backward::PARTIAL;
        Ok(Scratch {
            floats: Buffer::zeros(BLOCK * batch + backward::PARTIAL * (pairs + backward::PARTIAL))?,
            words: filled(BLOCK * groups + pairs, 0)?,
        })
    }
}
