//! The work of `LayerNormalization` and `GroupNormalization`: each row of a batch is normalized with its own means and
//! variances.
//!
//! A row is `[pixels, channels]`, and its channels are divided into groups, each with a mean and a variance. For group
//! normalization a row is a sample; for layer normalization a row is one pixel with one group, for each position
//! outside its axes.
//!
//! ```text
//!   y = (x - mean) * inverse * gamma + beta         xhat = (x - mean) * inverse
//!   dx = inverse * (gamma * dy - m1 - xhat * m2)    m1, m2: the group's means of gamma * dy and of gamma * dy * xhat
//! ```

use super::elementwise::CHUNK;
use super::parallel::{Chunks, for_each, most_groups};
use super::{BuildContext, Pass, PerThread, Sharing, Step, Weight, Work};
use crate::error::Result;
use crate::kernels::Isa;
use crate::kernels::norm::{Normalized, add_squares, add_sums, normalize};
use crate::memory::Buffer;

/// The sizes of a row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub pixels: usize,
    pub channels: usize,
    pub groups: usize,
}

impl Row {
    fn len(self) -> usize {
        self.pixels * self.channels
    }

    /// For each group the mean over its elements, from the sums per channel.
    fn means(self, sums: &[f32], means: &mut [f32]) {
        let channels = self.channels / self.groups;
        let count = (channels * self.pixels) as f32;
        sums.chunks_exact(channels).zip(means).for_each(|(sums, mean)| *mean = sum(sums) / count);
    }

    /// The same for each of the groups' channels.
    fn means_of_each(self, sums: &[f32], means: &mut [f32]) {
        let channels = self.channels / self.groups;
        let count = (channels * self.pixels) as f32;
        let groups = sums.chunks_exact(channels).zip(means.chunks_exact_mut(channels));
        groups.for_each(|(sums, means)| means.fill(sum(sums) / count));
    }

    /// Copies each group's value to its channels.
    fn spread(self, groups: &[f32], channels: &mut [f32]) {
        let each = channels.chunks_exact_mut(self.channels / self.groups);
        each.zip(groups).for_each(|(channels, &group)| channels.fill(group));
    }
}

/// The sum of some numbers: eight interleaved sums, then the sum of these.
fn sum(numbers: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (eights, rest) = numbers.as_chunks::<8>();
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, x)| *sum += x);
    }
    sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += x);
    sums.iter().sum()
}

/// The settings in which the two layers' work differs.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub row: Row,
    pub epsilon: f32,
    /// Whether there is a gamma, and whether there is a beta.
    pub scaled: bool,
    pub centered: bool,
}

/// The work of either layer.
pub struct RowNormalization {
    settings: Settings,
    /// Rows of a sample.
    rows: usize,
    relu: bool,
    isa: Isa,
    /// Ones and zeros, if the layer has no gamma or beta.
    ones: Buffer,
    zeros: Buffer,
    /// The statistics of each group in the last forward pass, `[rows, groups]`.
    mean: Buffer,
    inverse: Buffer,
    /// The gradients to gamma and beta of groups of rows, `[groups of rows, channels]`.
    gammas: Buffer,
    betas: Buffer,
    scratch: PerThread<Scratch>,
}

/// For each channel of a row: the values of its group, or its own.
struct Scratch {
    mean: Buffer,
    inverse: Buffer,
    scale: Buffer,
    sum: Buffer,
    sum_xhat: Buffer,
    products: Buffer,
}

impl Scratch {
    fn new(channels: usize) -> Result<Self> {
        let zeros = || Buffer::zeros(channels);
        Ok(Scratch {
            mean: zeros()?,
            inverse: zeros()?,
            scale: zeros()?,
            sum: zeros()?,
            sum_xhat: zeros()?,
            products: zeros()?,
        })
    }
}

impl RowNormalization {
    pub fn new(settings: Settings, context: &BuildContext<'_>) -> Result<Self> {
        let row = settings.row;
        let rows = context.batch.saturating_mul(context.input_len() / row.len());
        let groups = || Buffer::zeros(rows.saturating_mul(row.groups));
        let parts = if context.training { most_groups(rows) } else { 0 };
        let parts = || Buffer::zeros(parts.saturating_mul(row.channels));
        let mut ones = Buffer::zeros(row.channels)?;
        ones.fill(1.0);
        Ok(RowNormalization {
            settings,
            rows: context.input_len() / row.len(),
            relu: context.relu,
            isa: context.isa,
            ones,
            zeros: Buffer::zeros(row.channels)?,
            mean: groups()?,
            inverse: groups()?,
            gammas: parts()?,
            betas: parts()?,
            scratch: PerThread::new(context.threads, || Scratch::new(row.channels))?,
        })
    }

    /// Gamma and beta of the layer's weights; `None` if missing.
    fn split<T>(&self, weights: impl IntoIterator<Item = T>) -> [Option<T>; 2] {
        let mut weights = weights.into_iter();
        [self.settings.scaled, self.settings.centered].map(|there| if there { weights.next() } else { None })
    }
}

impl Work for RowNormalization {
    fn forward(&mut self, _: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let [gamma, beta] = self.split(weights.iter().copied());
        let Settings { row, epsilon, .. } = self.settings;
        let (x, isa, relu, scratch) = (x[0], self.isa, self.relu, &self.scratch);
        let (gamma, beta) = (gamma.unwrap_or(&self.ones), beta.unwrap_or(&self.zeros));
        let (rows, task) = (x.len() / row.len(), CHUNK.div_ceil(row.len())); // rows
        let groups = |all| Chunks::new(all, task * row.groups);
        let kept = (groups(&mut self.mean[..rows * row.groups]), groups(&mut self.inverse[..rows * row.groups]));
        for_each((Chunks::new(y, task * row.len()), kept), &|chunk, (y, (means, inverses))| {
            let (y, means, inverses) = (y.into_slice(), means.into_slice(), inverses.into_slice());
            let x = &x[chunk * task * row.len()..][..y.len()];
            let kept = means.chunks_exact_mut(row.groups).zip(inverses.chunks_exact_mut(row.groups));
            scratch.lend(|Scratch { mean, inverse, scale, sum, .. }| {
                for ((x, y), (means, inverses)) in
                    x.chunks_exact(row.len()).zip(y.chunks_exact_mut(row.len())).zip(kept)
                {
                    sum.fill(0.0);
                    add_sums(isa, x, sum);
                    row.means(sum, means);
                    row.spread(means, mean);
                    sum.fill(0.0);
                    add_squares(isa, x, mean, sum);
                    row.means(sum, inverses);
                    inverses.iter_mut().for_each(|inverse| *inverse = 1.0 / (*inverse + epsilon).sqrt());
                    row.spread(inverses, inverse);
                    for (scale, (gamma, inverse)) in scale.iter_mut().zip(gamma.iter().zip(&inverse[..])) {
                        *scale = gamma * inverse;
                    }
                    normalize(isa, x, [mean, scale, beta], relu, y);
                }
            });
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let (row, isa) = (self.settings.row, self.isa);
        let (dx, x, dz) = (pass.take_dx(), pass.x[0], pass.dz);
        let rows = x.len() / row.len();
        let groups = step.share.groups(rows);
        let task = groups.size; // rows
        let used = ..groups.all * row.channels;
        let own = groups.own.start * row.channels..groups.own.end * row.channels;
        let (gammas, betas) = (&mut self.gammas[used][own.clone()], &mut self.betas[used][own]);
        gammas.fill(0.0);
        betas.fill(0.0);
        let gamma = if self.settings.scaled { weights.first().map(|gamma| &*gamma.w) } else { None };
        let gamma = gamma.unwrap_or(&self.ones);
        let (means, inverses, scratch) = (&self.mean, &self.inverse, &self.scratch);
        let sums = (Chunks::new(gammas, row.channels), Chunks::new(betas, row.channels));
        let dx = dx.map(|dx| Chunks::new(dx, task * row.len()));
        for_each((sums, dx), &|part, ((to_gamma, to_beta), dx)| {
            let (to_gamma, to_beta, mut dx) = (to_gamma.into_slice(), to_beta.into_slice(), dx.map(Chunks::into_slice));
            scratch.lend(|Scratch { mean, inverse, sum, sum_xhat, products, .. }| {
                for at in part * task..(part * task + task).min(rows) {
                    let here = at * row.len()..(at + 1) * row.len();
                    let (x, dz) = (&x[here.clone()], &dz[here]);
                    row.spread(&means[at * row.groups..][..row.groups], mean);
                    row.spread(&inverses[at * row.groups..][..row.groups], inverse);
                    sum.fill(0.0);
                    sum_xhat.fill(0.0);
                    Normalized { x, mean, inverse }.add_gradients(isa, dz, sum, sum_xhat);
                    to_beta.iter_mut().zip(&sum[..]).for_each(|(to, sum)| *to += sum);
                    to_gamma.iter_mut().zip(&sum_xhat[..]).for_each(|(to, sum)| *to += sum);
                    let Some(dx) = &mut dx else { continue };
                    for sums in [&mut *sum, &mut *sum_xhat] {
                        products.iter_mut().zip(gamma.iter().zip(&sums[..])).for_each(|(p, (gamma, s))| *p = gamma * s);
                        row.means_of_each(products, sums);
                    }
                    let to = &mut dx[(at - part * task) * row.len()..][..row.len()];
                    input_gradient(x, dz, [mean, inverse, gamma, sum, sum_xhat], to);
                }
            });
        });
        let [gamma, beta] = self.split(weights.iter_mut());
        for (weight, sums) in [(gamma, &mut self.gammas[used]), (beta, &mut self.betas[used])] {
            if let Some(weight) = weight {
                step.share.gather(sums, row.channels)?;
                weight.take(isa, sums);
            }
        }
        Ok(())
    }

    /// Where a sample is one row the rows' groups are those of samples.
    fn sharing(&self) -> Sharing {
        if self.rows == 1 { Sharing::Samples } else { Sharing::Nothing }
    }
}

/// Writes the gradient to a row: see above.
fn input_gradient(x: &[f32], dz: &[f32], [mean, inverse, gamma, m1, m2]: [&[f32]; 5], dx: &mut [f32]) {
    let channels = mean.len();
    let pixels = x.chunks_exact(channels).zip(dz.chunks_exact(channels)).zip(dx.chunks_exact_mut(channels));
    for ((x, dz), dx) in pixels {
        for c in 0..channels {
            let xhat = (x[c] - mean[c]) * inverse[c];
            dx[c] = inverse[c] * (gamma[c] * dz[c] - m1[c] - xhat * m2[c]);
        }
    }
}
