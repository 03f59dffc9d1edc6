//! `BatchNormalization`: normalizes each channel by its mean and variance, in training those of the batch, otherwise
//! the moving ones.
//!
//! The batch's statistics are sums over groups of samples, one task per group, added in order; the groups depend only
//! on the batch size ([`group`](super::parallel::group)).

use super::parallel::{Chunks, for_each, most_groups};
use super::spec::{axis_of, read_parameter};
use super::{
    Arity, BuildContext, Config, Entry, Initializer, Layer, Parameter, Pass, Regularizer, Step, Weight, Work, last_axis,
};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::json::Object;
use crate::kernels::norm::{Normalized, add_squares, add_sums, normalize};
use crate::kernels::{Isa, rows};
use crate::machines::Share;
use crate::memory::Buffer;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const ENTRY: Entry = Entry {
    class: "BatchNormalization",
    arity: Arity::One,
    keys: &[
        "axis",
        "momentum",
        "epsilon",
        "center",
        "scale",
        "beta_initializer",
        "gamma_initializer",
        "moving_mean_initializer",
        "moving_variance_initializer",
        "beta_regularizer",
        "gamma_regularizer",
        "beta_constraint",
        "gamma_constraint",
        "synchronized",
        "renorm",
        "renorm_clipping",
        "renorm_momentum",
    ],
    read,
};

#[derive(Debug)]
struct BatchNormalization {
    axis: i64,
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    beta: (Initializer, Regularizer),
    gamma: (Initializer, Regularizer),
    moving_mean: Initializer,
    moving_variance: Initializer,
}

fn read(config: &Object<'_>) -> Result<Arc<dyn Layer>> {
    for key in ["synchronized", "renorm"] {
        config.idle(key, |value| value == false, "false")?;
    }
    config.idle("renorm_clipping", |_| false, "null")?;
    Ok(Arc::new(BatchNormalization {
        // Keras has written a list here as well.
        axis: config.or("axis", -1, "a whole number", |value| match value {
            Value::Array(list) if list.len() == 1 => list[0].as_i64(),
            value => value.as_i64(),
        })?,
        momentum: config.f64_or("momentum", 0.99, "a number from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
        epsilon: config.f64_or("epsilon", 1e-3, "a number, 0 or more", |x| x >= 0.0)?,
        center: config.bool_or("center", true)?,
        scale: config.bool_or("scale", true)?,
        beta: read_parameter(config, "beta", Initializer::ZEROS)?,
        gamma: read_parameter(config, "gamma", Initializer::ONES)?,
        moving_mean: Initializer::read(config, "moving_mean_initializer", Initializer::ZEROS)?,
        moving_variance: Initializer::read(config, "moving_variance_initializer", Initializer::ONES)?,
    }))
}

impl Layer for BatchNormalization {
    fn class(&self) -> &'static str {
        ENTRY.class
    }

    fn config(&self) -> Map<String, Value> {
        Config::new()
            .with("axis", self.axis)
            .with("momentum", self.momentum)
            .with("epsilon", self.epsilon)
            .with("center", self.center)
            .with("scale", self.scale)
            .parameter("beta", &self.beta.0, self.beta.1)
            .parameter("gamma", &self.gamma.0, self.gamma.1)
            .with("moving_mean_initializer", self.moving_mean.config())
            .with("moving_variance_initializer", self.moving_variance.config())
            .done()
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape> {
        axis_of(self.axis, inputs[0])?;
        Ok(inputs[0].clone())
    }

    fn parameters(&self, inputs: &[&Shape]) -> Vec<Parameter> {
        let Ok(axis) = axis_of(self.axis, inputs[0]) else { return Vec::new() };
        let shape = || vec![inputs[0].dims()[axis]];
        let trainable = |wanted: bool, name, (initializer, regularizer): &(Initializer, Regularizer)| {
            wanted.then(|| Parameter::trainable(name, shape(), initializer.clone(), *regularizer))
        };
        let gamma = trainable(self.scale, "gamma", &self.gamma);
        let beta = trainable(self.center, "beta", &self.beta);
        let mean = Parameter::state("moving_mean", shape(), self.moving_mean.clone());
        let variance = Parameter::state("moving_variance", shape(), self.moving_variance.clone());
        gamma.into_iter().chain(beta).chain([mean, variance]).collect()
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn normalizes(&self, input: &Shape) -> Option<f64> {
        let last = axis_of(self.axis, input).is_ok_and(|axis| axis + 1 == input.dims().len());
        last.then_some(self.epsilon)
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Work>> {
        let axis = axis_of(self.axis, context.inputs[0])?;
        last_axis::along(axis, context, |context| Ok(Box::new(NormalizationWork::new(self, context)?)))
    }
}

struct NormalizationWork {
    channels: usize,
    /// Elements of a sample.
    len: usize,
    scaled: bool,
    centered: bool,
    epsilon: f32,
    /// The momentum of the moving statistics, and 1 minus that.
    momentum: [f32; 2],
    relu: bool,
    isa: Isa,
    /// Whether the batch's statistics are used.
    learns: bool,
    /// The statistics of the last forward pass, `[channels]` each.
    mean: Buffer,
    variance: Buffer,
    inverse: Buffer,
    scale: Buffer,
    /// Zeros, if the layer has no beta.
    zeros: Buffer,
    /// The groups' sums, `[groups, channels]`.
    sums: Buffer,
    more_sums: Buffer,
    /// Those of the whole batch.
    total: [Buffer; 2],
}

impl NormalizationWork {
    fn new(layer: &BatchNormalization, context: &BuildContext<'_>) -> Result<Self> {
        let channels = context.inputs[0].dims().last().copied().unwrap_or(1);
        let zeros = || Buffer::zeros(channels);
        let groups = if context.learns() { most_groups(context.batch) } else { 0 };
        let sums = || Buffer::zeros(groups.saturating_mul(channels));
        Ok(NormalizationWork {
            channels,
            len: context.input_len(),
            scaled: layer.scale,
            centered: layer.center,
            epsilon: layer.epsilon as f32,
            momentum: [layer.momentum as f32, (1.0 - layer.momentum) as f32],
            relu: context.relu,
            isa: context.isa,
            learns: context.learns(),
            mean: zeros()?,
            variance: zeros()?,
            inverse: zeros()?,
            scale: zeros()?,
            zeros: zeros()?,
            sums: sums()?,
            more_sums: sums()?,
            total: [zeros()?, zeros()?],
        })
    }

    /// Finds mean and variance of the channels of `x`.
    fn measure(&mut self, share: &Share<'_>, x: &[f32]) -> Result<()> {
        let NormalizationWork { channels, len, isa, .. } = *self;
        let (groups, count) = (share.groups(x.len() / len), self.count(share, x));
        let task = groups.size * len;
        let sums = &mut self.sums[..groups.all * channels];
        let own = groups.own.start * channels..groups.own.end * channels;
        let part = |i: usize| &x[i * task..(i * task + task).min(x.len())];
        sums.fill(0.0);
        for_each(Chunks::new(&mut sums[own.clone()], channels), &|i, sum| add_sums(isa, part(i), sum.into_slice()));
        share.gather(sums, channels)?;
        mean_of(isa, sums, count, &mut self.mean);
        let mean = &self.mean;
        sums.fill(0.0);
        for_each(Chunks::new(&mut sums[own], channels), &|i, sum| add_squares(isa, part(i), mean, sum.into_slice()));
        share.gather(sums, channels)?;
        mean_of(isa, sums, count, &mut self.variance);
        Ok(())
    }

    /// How many numbers of a channel the batch has, of which `x` are here.
    fn count(&self, share: &Share<'_>, x: &[f32]) -> f32 {
        (share.batch(x.len() / self.len) * (self.len / self.channels)) as f32
    }

    /// The parameters: gamma and beta (`None` if missing), moving mean, moving variance.
    fn split<T>(&self, weights: impl IntoIterator<Item = T>) -> [Option<T>; 4] {
        let mut weights = weights.into_iter();
        [self.scaled, self.centered, true, true].map(|there| if there { weights.next() } else { None })
    }
}

/// The mean of `count` numbers, whose sums are `sums` together, in order.
fn mean_of(isa: Isa, sums: &[f32], count: f32, mean: &mut [f32]) {
    mean.fill(0.0);
    rows::sum_rows(isa, sums, mean.len(), 0, mean);
    mean.iter_mut().for_each(|mean| *mean /= count);
}

impl Work for NormalizationWork {
    fn forward(&mut self, step: &Step, weights: &[&[f32]], x: &[&[f32]], y: &mut [f32]) -> Result<()> {
        let x = x[0];
        let [gamma, beta, Some(mean), Some(variance)] = self.split(weights.iter().copied()) else {
            return Err(Error::internal("a batch normalization has moving statistics"));
        };
        match self.learns {
            true => self.measure(&step.share, x)?,
            false => {
                self.mean.copy_from_slice(mean);
                self.variance.copy_from_slice(variance);
            }
        }
        for (inverse, variance) in self.inverse.iter_mut().zip(&self.variance[..]) {
            *inverse = 1.0 / (variance + self.epsilon).sqrt();
        }
        self.scale.copy_from_slice(&self.inverse);
        for (scale, gamma) in self.scale.iter_mut().zip(gamma.unwrap_or_default()) {
            *scale *= gamma;
        }
        let (len, relu, isa) = (self.len, self.relu, self.isa);
        let by = [&self.mean[..], &self.scale[..], beta.unwrap_or(&self.zeros)];
        for_each(Chunks::new(y, len), &|sample, y| {
            normalize(isa, &x[sample * len..][..len], by, relu, y.into_slice());
        });
        Ok(())
    }

    fn backward(&mut self, step: &Step, weights: &mut [Weight<'_>], mut pass: Pass<'_, '_>) -> Result<()> {
        let dx = pass.take_dx();
        let NormalizationWork { channels, len, isa, learns, .. } = *self;
        let (x, dz) = (pass.x[0], pass.dz);
        let (groups, count) = (step.share.groups(x.len() / len), self.count(&step.share, x));
        let used = ..groups.all * channels;
        let all = |here: std::ops::Range<usize>| Normalized { x: &x[here], mean: &self.mean, inverse: &self.inverse };
        let [mean_dz, mean_dz_xhat] = &mut self.total;
        if learns {
            let (task, own) = (groups.size * len, groups.own.start * channels..groups.own.end * channels);
            let (sums, more) = (&mut self.sums[used], &mut self.more_sums[used]);
            sums.fill(0.0);
            more.fill(0.0);
            let both = (Chunks::new(&mut sums[own.clone()], channels), Chunks::new(&mut more[own], channels));
            for_each(both, &|i, (sum, more)| {
                let here = i * task..(i * task + task).min(x.len());
                all(here.clone()).add_gradients(isa, &dz[here], sum.into_slice(), more.into_slice());
            });
            step.share.gather(sums, channels)?;
            step.share.gather(more, channels)?;
            mean_of(isa, sums, count, mean_dz);
            mean_of(isa, more, count, mean_dz_xhat);
        }
        if let Some(dx) = dx {
            // With statistics that do not depend on the batch, the means are zero.
            let by = [&self.scale[..], mean_dz, mean_dz_xhat];
            for_each(Chunks::new(dx, len), &|sample, dx| {
                let here = sample * len..(sample + 1) * len;
                all(here.clone()).input_gradient(isa, &dz[here], by, dx.into_slice());
            });
        }
        if learns {
            let [gamma, beta, ..] = self.split(weights.iter_mut());
            gamma.into_iter().for_each(|gamma| gamma.take(isa, &self.more_sums[used]));
            beta.into_iter().for_each(|beta| beta.take(isa, &self.sums[used]));
        }
        Ok(())
    }

    fn update_state(&mut self, weights: &mut [Weight<'_>]) -> Result<()> {
        let [stays, comes] = self.momentum;
        let [_, _, Some(mean), Some(variance)] = self.split(weights.iter_mut()) else {
            return Err(Error::internal("a batch normalization has moving statistics"));
        };
        for (moving, batch) in [(mean, &self.mean), (variance, &self.variance)] {
            moving.w.iter_mut().zip(&batch[..]).for_each(|(moving, batch)| *moving = *moving * stays + batch * comes);
        }
        Ok(())
    }
}
