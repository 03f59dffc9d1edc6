//! `Dense`: `y = x w + b` over the last axis, `x` `[..., K]`, `w` `[K, N]`, `b` `[N]`.
//!
//! All axes before the last one count as samples. Forward, the sum over K is cut into parts of [`PART`] rows of `w`,
//! which are added in order; where they are few, samples are cut into tasks too. Backward, a task has rows of `w`: it
//! computes its own columns of the gradient to the input and updates its own weights, so that nothing is left to add.

use super::parallel::{Chunks, ColumnBlocks, Parts, for_each};
use super::spec::read_parameter;
use super::{
    Activation, Arity, BuildContext, Config, Entry, Initializer, Layer, Parameter, Pass, PerThread, Regularizer,
    Sharing, Step, Weight, Work,
};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::dense::{self, Part, Scratch};
use crate::kernels::nonzero::WORD;
use crate::kernels::{Columns, Isa, Update, rows};
use crate::machines::{Share, SyncRanks};
use crate::memory::{self, Buffer};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "Dense",
    arity: Arity::One,
    keys: &[
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ],
    read,
};

/// The layer.
#[derive(Debug)]
pub struct Dense {
    units: usize,
    activation: Activation,
    use_bias: bool,
    kernel: (Initializer, Regularizer),
    bias: (Initializer, Regularizer),
}

impl Dense {
    /// With a bias, and Keras's defaults.
    pub fn new(units: usize, activation: Activation) -> Self {
        let kernel = (Initializer::GLOROT_UNIFORM, Regularizer::NONE);
        Dense { units, activation, use_bias: true, kernel, bias: (Initializer::ZEROS, Regularizer::NONE) }
    }
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(Dense {
        units: config.size("units")?,
        activation: Activation::read(config, "activation")?,
        use_bias: config.bool_or("use_bias", true)?,
        kernel: read_parameter(config, "kernel", Initializer::GLOROT_UNIFORM)?,
        bias: read_parameter(config, "bias", Initializer::ZEROS)?,
    }))
}

impl Layer for Dense {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("units", self.units)
            .activation(self.activation)
            .with("use_bias", self.use_bias)
            .parameter("kernel", &self.kernel.0, self.kernel.1)
            .parameter("bias", &self.bias.0, self.bias.1)
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        let [leading @ .., _] = inputs[0].dims() else {
            return Err(Error::new(ErrorKind::Shape, "wrong rank").expected("[..., inputs]").found(inputs[0]));
        };
        Shape::new(&[leading, &[self.units]].concat())
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let inputs = inputs[0].dims().last().copied().unwrap_or(1);
        let kernel = vec![inputs, self.units];
        let mut all = vec![Parameter::trainable("kernel", kernel, self.kernel.0.clone(), self.kernel.1)];
        if self.use_bias {
            all.push(Parameter::trainable("bias", vec![self.units], self.bias.0.clone(), self.bias.1));
        }
        all
    }

    fn activation(&self) -> Activation {
        self.activation
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn folds(&self) -> bool {
        true
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        Ok(Box::new(DenseWork::new(self.units, context)?))
    }
}

/// Rows of `w` in a part: nine words of zeros ([`nonzero`](crate::kernels::nonzero)), and 64 parts in the tutorial.
const PART: usize = 576;

/// Rows of `w` in a task of the backward pass, where the cuts change no sum: few enough for some tasks, whole words of zeros.
fn rows_backward(inputs: usize) -> usize {
    inputs.div_ceil(TASKS).next_multiple_of(WORD).min(PART)
}

/// Units and samples in a task of the forward pass: all, unless there are few parts of rows. Then a task has the units of a
/// panel, so that no two lay out the same weights; and where these are few too, some of the samples, as many as it takes for
/// their sums to cost more than that (32 of 512 x 512: 0.7 ms for 128 samples, 16: 0.96).
fn task_forward(isa: Isa, inputs: usize, units: usize, batch: usize) -> (usize, usize) {
    let parts = inputs.div_ceil(PART);
    let panel = dense::PANEL * isa.lanes();
    let width = if parts < TASKS { panel.min(units) } else { units };
    let even = (batch * parts * units.div_ceil(width)).div_ceil(TASKS / 2);
    (width, even.clamp(batch.div_ceil(2).min(32), batch))
}

/// The number of tasks of a pass, if it can be cut into so many.
const TASKS: usize = 16;

/// Samples whose sums one task adds up.
const FINISH: usize = 4;

struct DenseWork {
    inputs: usize,
    units: usize,
    relu: bool,
    isa: Isa,
    /// The parts' sums, `[parts, B, units]`.
    sums: Buffer,
    /// Zeros, if the layer has no bias.
    zeros: Buffer,
    scratch: PerThread<Scratch>,
    training: Option<Training>,
}

/// What the backward pass needs.
struct Training {
    /// The gradient to the sums in panels of units ([`dense::pack`]), `[B * padded units]`.
    dz: Buffer,
    bias: Buffer,
    scratch: PerThread<Scratch>,
    /// Memory for the gradient of a frozen kernel; otherwise empty.
    unused: Buffer,
    /// The gradient to the input, rank by rank; empty unless the weights are divided among several ranks.
    by_rank: Vec<f32>,
}

impl DenseWork {
    fn new(units: usize, context: &BuildContext<'_>) -> Result<Self> {
        let inputs = context.inputs[0].dims().last().copied().unwrap_or(1);
        let (isa, batch) = (context.isa, context.batch.saturating_mul(context.input_len() / inputs));
        let training = context.training.then(|| Training::new(inputs, units, batch, context)).transpose()?;
        Ok(DenseWork {
            inputs,
            units,
            relu: context.relu,
            isa,
            sums: Buffer::zeros(inputs.div_ceil(PART).saturating_mul(batch).saturating_mul(units))?,
            zeros: Buffer::zeros(units)?,
            scratch: PerThread::new(context.threads, || Scratch::forward(isa, batch))?,
            training,
        })
    }
}

impl Training {
    fn new(inputs: usize, units: usize, batch: usize, context: &BuildContext<'_>) -> Result<Self> {
        Ok(Training {
            dz: Buffer::zeros(batch.saturating_mul(units.next_multiple_of(context.isa.lanes())))?,
            bias: Buffer::zeros(units)?,
            scratch: PerThread::new(context.threads, || Scratch::backward(batch))?,
            unused: Buffer::zeros(if context.learns() { 0 } else { inputs * units })?,
            by_rank: Vec::new(),
        })
    }
}

impl Work for DenseWork {
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let DenseWork { inputs, units, relu, isa, ref scratch, .. } = *self;
        let (x, kernel) = (x[0], weights[0]);
        let bias = weights.get(1).copied().unwrap_or(&self.zeros);
        let batch = x.len() / inputs;
        let (width, samples) = task_forward(isa, inputs, units, batch);
        let parts = inputs.div_ceil(PART);
        let sums = &mut self.sums[..parts * batch * units];
        let here = own_parts(step, parts);
        let own = &mut sums[here.start * batch * units..here.end * batch * units];
        for_each(Chunks::new(own, batch * units), &|part, sums| {
            let part = here.start + part;
            let rows = part * PART..(part * PART + PART).min(inputs);
            for_each(Chunks::new(sums.into_slice(), samples * units), &|group, sums| {
                let sums = sums.into_slice();
                let count = sums.len() / units;
                let x = &x[group * samples * inputs..][..count * inputs];
                let all = dense::Forward { x, inputs, w: kernel, units };
                for_each(ColumnBlocks::new(Columns::new(sums, count, units), width), &|block, sums| {
                    let (rows, sums) = (rows.clone(), sums.into_columns());
                    scratch.lend(|scratch| all.part(isa, rows, block * width, sums, scratch));
                });
            });
        });
        if let Share::Parts(ranks) = step.share {
            ranks.gather(sums, &|rank| {
                let here = ranks.part(rank, parts);
                here.start * batch * units..here.end * batch * units
            })?;
        }
        let sums = &*sums;
        for_each(Chunks::new(y, FINISH * units), &|task, y| {
            dense::finish(isa, sums, batch, task * FINISH, bias, relu, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let DenseWork { inputs, units, isa, .. } = *self;
        let (dx, Pass { x, dz, gated, .. }) = (pass.take_dx(), pass);
        let Some((kernel, bias)) = weights.split_first_mut() else {
            return Err(Error::internal("a Dense has a kernel"));
        };
        let training = self.training.as_mut().ok_or_else(|| Error::internal("not built for training"))?;
        let Training { dz: packed, bias: sum, scratch, unused, by_rank } = training;
        let (x, batch) = (x[0], x[0].len() / inputs);
        let wide = units.next_multiple_of(isa.lanes());
        let packed = &mut packed[..batch * wide];
        dense::pack(isa, dz, units, packed);
        let all = dense::Backward { x, inputs, dz: packed, units, batch, gated };
        let update = kernel.update.as_mut().map(reborrow).unwrap_or(Update::Store { gradient: unused, add: false });
        let rows = rows_backward(inputs);
        let here = rows_of(own_parts(step, inputs.div_ceil(PART)), inputs);
        let (_, update) = UpdateParts { update, size: units }.split_at(here.start);
        let (update, _) = update.split_at(here.len());
        let parts = UpdateParts { size: rows * units, ..update };
        let mut dx = dx;
        let own = dx.as_deref_mut().map(|dx| {
            let (_, columns) = Columns::new(dx, batch, inputs).split_at(here.start);
            ColumnBlocks::new(columns.split_at(here.len()).0, rows)
        });
        let w = &mut kernel.w[here.start * units..here.end * units];
        for_each((Chunks::new(w, rows * units), (parts, own)), &|part, (w, (update, dx))| {
            let part = Part { first: here.start + part * rows, w: w.into_slice(), update: update.update };
            let dx = dx.map(ColumnBlocks::into_columns);
            scratch.lend(|scratch| all.part(isa, part, dx, scratch));
        });
        if let (Share::Parts(ranks), Some(dx)) = (step.share, dx) {
            gather_columns(ranks, by_rank, dx, inputs)?;
        }
        if let [bias] = bias {
            sum.fill(0.0);
            rows::sum_rows(isa, dz, units, 0, sum);
            bias.take(isa, sum);
        }
        Ok(())
    }

    fn gates(&self) -> bool {
        true
    }

    fn sharing(&self) -> Sharing {
        Sharing::Forward { parts: self.inputs.div_ceil(PART), len: PART * self.units }
    }
}

/// The parts of the weights that this rank has: all, unless they are divided.
fn own_parts(step: &Step<'_>, parts: usize) -> Range<usize> {
    match step.share {
        Share::Parts(ranks) => ranks.part(ranks.rank(), parts),
        Share::All | Share::Samples(_) => 0..parts,
    }
}

/// The rows of some parts of the weights.
fn rows_of(parts: Range<usize>, inputs: usize) -> Range<usize> {
    (parts.start * PART).min(inputs)..(parts.end * PART).min(inputs)
}

/// Completes the gradient to the input, `[B, inputs]`, of which each rank has the columns of its rows of the weights. For the
/// exchange `by_rank` contains the columns of one rank after the other.
fn gather_columns(ranks: &SyncRanks<'_>, by_rank: &mut Vec<f32>, dx: &mut [f32], inputs: usize) -> Result<()> {
    let batch = dx.len() / inputs;
    let columns = |rank: usize| rows_of(ranks.part(rank, inputs.div_ceil(PART)), inputs);
    let place = |rank: usize| batch * columns(rank).start..batch * columns(rank).end;
    memory::grow(by_rank, dx.len().saturating_sub(by_rank.len()))?;
    by_rank.resize(dx.len(), 0.0);
    let own = columns(ranks.rank());
    if !own.is_empty() {
        let rows = by_rank[place(ranks.rank())].chunks_exact_mut(own.len());
        rows.zip(dx.chunks_exact(inputs)).for_each(|(to, dx)| to.copy_from_slice(&dx[own.clone()]));
    }
    ranks.gather_sparse(by_rank, &place)?;
    for rank in (0..ranks.size()).filter(|&rank| rank != ranks.rank() && !columns(rank).is_empty()) {
        let (columns, rows) = (columns(rank), &by_rank[place(rank)]);
        let rows = rows.chunks_exact(columns.len());
        rows.zip(dx.chunks_exact_mut(inputs)).for_each(|(from, dx)| dx[columns.clone()].copy_from_slice(from));
    }
    Ok(())
}

fn reborrow<'a>(update: &'a mut Update<'_>) -> Update<'a> {
    match update {
        Update::Adam { step, m, v } => Update::Adam { step: *step, m, v },
        Update::Store { gradient, add } => Update::Store { gradient, add: *add },
    }
}

/// An update in chunks of a size, as its weights are.
struct UpdateParts<'a> {
    update: Update<'a>,
    size: usize,
}

impl Parts for UpdateParts<'_> {
    fn count(&self) -> usize {
        let len = match &self.update {
            Update::Adam { m, .. } => m.len(),
            Update::Store { gradient, .. } => gradient.len(),
        };
        len.div_ceil(self.size)
    }

    fn split_at(self, part: usize) -> (Self, Self) {
        fn cut(slice: &mut [f32], at: usize) -> (&mut [f32], &mut [f32]) {
            let at = at.min(slice.len());
            slice.split_at_mut(at)
        }
        let (size, at) = (self.size, part * self.size);
        let (left, right) = match self.update {
            Update::Adam { step, m, v } => {
                let ((m, more_m), (v, more_v)) = (cut(m, at), cut(v, at));
                (Update::Adam { step, m, v }, Update::Adam { step, m: more_m, v: more_v })
            }
            Update::Store { gradient, add } => {
                let (gradient, more) = cut(gradient, at);
                (Update::Store { gradient, add }, Update::Store { gradient: more, add })
            }
        };
        (UpdateParts { update: left, size }, UpdateParts { update: right, size })
    }
}
