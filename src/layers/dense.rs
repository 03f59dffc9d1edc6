//! `Dense`: `y = x w + b`, `x` `[B, K]`, `w` `[K, N]`, `b` `[N]`.
//!
//! Both passes are cut along K into parts of [`PART`] rows of `w`. Forward, the parts' sums are added in order; backward,
//! a part computes its own columns of the gradient to the input and updates its own weights, so that nothing is left to
//! add.

use super::parallel::{Chunks, ColumnBlocks, for_each};
use super::{Backward, Layer, PerThread, Trained, Use};
use crate::error::{Error, Result};
use crate::graph::LayerSpec;
use crate::kernels::dense::{self, Part, Scratch};
use crate::kernels::{Columns, Isa, rows};
use crate::memory::Buffer;

/// Rows of `w` in a part: nine words of zeros ([`nonzero`](crate::kernels::nonzero)), and 64 parts in the tutorial.
const PART: usize = 576;

/// Samples whose sums one task adds up.
const FINISH: usize = 4;

pub struct Dense {
    inputs: usize,
    units: usize,
    relu: bool,
    isa: Isa,
    /// The parts' sums, `[parts, B, units]`.
    sums: Buffer,
    scratch: PerThread<Scratch>,
    training: Option<Training>,
}

/// What the backward pass needs.
struct Training {
    /// The gradient to the sums with whole vectors for rows, `[B, padded units]`.
    dz: Buffer,
    bias: Buffer,
    scratch: PerThread<Scratch>,
}

impl Dense {
    pub fn new(spec: &LayerSpec, relu: bool, how: Use) -> Result<Self> {
        let Use { isa, batch, .. } = how;
        let (inputs, units) = (spec.input.len(), spec.output.len());
        let training = how.training.then(|| Training::new(units, how)).transpose()?;
        Ok(Dense {
            inputs,
            units,
            relu,
            isa,
            sums: Buffer::zeros(inputs.div_ceil(PART) * batch * units)?,
            scratch: PerThread::new(how.threads, || Scratch::forward(isa, batch))?,
            training,
        })
    }
}

impl Training {
    fn new(units: usize, how: Use) -> Result<Self> {
        let Use { isa, batch, .. } = how;
        Ok(Training {
            dz: Buffer::zeros(batch * units.next_multiple_of(isa.lanes()))?,
            bias: Buffer::zeros(units)?,
            scratch: PerThread::new(how.threads, || Scratch::backward(batch))?,
        })
    }
}

impl Layer for Dense {
    fn forward(&mut self, weights: &[&[f32]], x: &[f32], y: &mut [f32]) -> Result<()> {
        let Dense { inputs, units, relu, isa, ref scratch, .. } = *self;
        let &[kernel, bias] = weights else { return Err(Error::internal("a Dense has a kernel and a bias")) };
        let batch = x.len() / inputs;
        let sums = &mut self.sums[..inputs.div_ceil(PART) * batch * units];
        for_each(Chunks::new(sums, batch * units), &|part, sums| {
            let first = part * PART;
            let w = &kernel[first * units..(first + PART).min(inputs) * units];
            scratch.lend(|scratch| dense::forward(isa, x, inputs, first, w, sums.into_slice(), scratch));
        });
        let sums = &*sums;
        for_each(Chunks::new(y, FINISH * units), &|task, y| {
            dense::finish(isa, sums, batch, task * FINISH, bias, relu, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, weights: &mut [Trained<'_>], pass: Backward<'_>) -> Result<()> {
        let Dense { inputs, units, isa, .. } = *self;
        let Backward { x, dz, dx, gated, adam } = pass;
        let [kernel, bias] = weights else { return Err(Error::internal("a Dense has a kernel and a bias")) };
        let training = self.training.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let batch = x.len() / inputs;
        let wide = units.next_multiple_of(isa.lanes());
        let wide_dz = &mut training.dz[..batch * wide];
        rows::pad_rows(dz, units, wide_dz, wide);
        let all = dense::Backward { x, inputs, dz: wide_dz, units, batch, gated, adam };
        let scratch = &training.scratch;
        let chunk = PART * units;
        let moments = (Chunks::new(kernel.m, chunk), Chunks::new(kernel.v, chunk));
        let dx = dx.map(|dx| ColumnBlocks::new(Columns::new(dx, batch, inputs), PART));
        for_each((Chunks::new(kernel.w, chunk), (moments, dx)), &|part, (w, ((m, v), dx))| {
            let part = Part { first: part * PART, w: w.into_slice(), m: m.into_slice(), v: v.into_slice() };
            let dx = dx.map(ColumnBlocks::into_columns);
            scratch.lend(|scratch| all.part(isa, part, dx, scratch));
        });

        training.bias.fill(0.0);
        rows::add_rows(isa, dz, units, 0, &mut training.bias);
        adam.update(isa, &training.bias, bias.w, bias.m, bias.v);
        Ok(())
    }
}
