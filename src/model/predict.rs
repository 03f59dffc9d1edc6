//! Predict: the forward pass alone.

use super::Model;
use super::plan::Purpose;
use crate::data::{Batch, Dataset, order};
use crate::error::{At, Error, ErrorKind, Result};
use std::ops::RangeInclusive;

/// The least and the most samples that a prediction computes at once.
const BATCH: RangeInclusive<usize> = 32..=256;

/// The most floats of layers' outputs for a batch above the least: with small samples, reading the weights through the
/// caches dominates.
const FLOATS: usize = 1 << 19;

impl Model {
    /// The most samples that a prediction of `count` computes at once.
    fn prediction_batch(&self, count: usize) -> usize {
        let floats = self.architecture.calls.iter().fold(0usize, |sum, call| sum.saturating_add(call.output.len()));
        (FLOATS / floats.max(1)).clamp(*BATCH.start(), *BATCH.end()).min(count)
    }

    /// The predictions for `count` images, `[count, H, W, C]` scaled as in training, into `out`, `[count, classes]`. An
    /// image's prediction does not depend on the others.
    pub fn predict(&self, images: &[f32], count: usize, out: &mut [f32]) -> Result<()> {
        let (input, output) = (self.input_shape().len(), self.output_len());
        check_len("images", images.len(), count, input)?;
        check_len("probabilities", out.len(), count, output)?;
        let (images, out) = (&images[..count * input], &mut out[..count * output]);
        if count == 0 {
            return Ok(());
        }
        self.with_network(self.prediction_batch(count), |pool, network| {
            let batch = network.batch();
            self.parameters.read(|weights| {
                pool.run(|| {
                    for (x, y) in images.chunks(batch * input).zip(out.chunks_mut(batch * output)) {
                        network.predict(weights, x, y)?;
                    }
                    Ok(())
                })
            })
        })??
    }

    /// The predictions for all images of `data` into `out`, `[N, classes]`.
    pub fn predict_dataset(&self, data: &Dataset, out: &mut [f32]) -> Result<()> {
        self.check_images(data, "argument `dataset`")?;
        let output = self.output_len();
        check_len("probabilities", out.len(), data.len(), output)?;
        let order = order(data.len(), None)?;
        let most = self.prediction_batch(data.len());
        let mut batch = Batch::new(data, most)?;
        self.with_network(most, |pool, network| {
            let mut all = |weights: &[f32]| {
                for (indices, y) in order.chunks(most).zip(out.chunks_mut(most * output)) {
                    batch.fill(data, indices)?;
                    pool.run(|| network.predict(weights, batch.x(), &mut y[..indices.len() * output]))?;
                }
                Ok(())
            };
            match data.source() {
                // No lock is held while a function of the host runs.
                Some(_) => all(&self.parameters.snapshot()?),
                None => self.parameters.read(all)?,
            }
        })?
    }

    /// The output of the first call of the layer `name` for `count` samples, into `out`, `[count, ...]` of its shape.
    /// Its memory is allocated on each call. `NotFound` for a name that the model does not have.
    pub fn predict_layer(&self, name: &str, images: &[f32], count: usize, out: &mut [f32]) -> Result<()> {
        let layer = self.layer(name).at("argument `layer`")?;
        let (input, output) = (self.input_shape().len(), self.layer_shape(name)?.len());
        check_len("images", images.len(), count, input)?;
        check_len("values", out.len(), count, output)?;
        let part = self.architecture.up_to(layer);
        let (images, out) = (&images[..count * input], &mut out[..count * output]);
        if count == 0 {
            return Ok(());
        }
        let pool = self.pool()?;
        let all = vec![true; part.layers.len()];
        let purpose = Purpose { training: false, trainable: &all, omitted: None };
        let build = |batch| self.network_of(&part, &pool, batch, purpose);
        let most = self.prediction_batch(count);
        self.check_memory(most, |batch| build(batch).map(drop))?;
        let mut network = build(most)?;
        self.parameters.read(|weights| {
            pool.run(|| {
                let batches = images.chunks(most * input).zip(out.chunks_mut(most * output));
                batches.into_iter().try_for_each(|(x, y)| network.predict(weights, x, y))
            })
        })?
    }

    /// Checks that samples have the input's shape.
    pub(crate) fn check_images(&self, data: &Dataset, at: &str) -> Result<()> {
        let (expected, found) = (self.input_shape(), data.sample_shape());
        if expected.dims() == found || expected.dims() == data.image_shape() {
            return Ok(());
        }
        let same = found.iter().product::<usize>() == expected.len();
        let what = match same {
            true => "samples of another shape than the model's input (mnist_dataset_reshape gives them its shape)",
            false => "images of another shape than the model's input",
        };
        let image = data.image_shape();
        let found = if found.len() == 1 && expected.dims().len() == 1 || same { found } else { &image };
        Err(Error::new(ErrorKind::Shape, what).expected(expected).found(format_args!("{found:?}")).at(at))
    }
}

fn check_len(argument: &str, len: usize, count: usize, each: usize) -> Result<()> {
    match count.checked_mul(each) {
        Some(needed) if needed <= len => Ok(()),
        _ => Err(Error::new(ErrorKind::InvalidArgument, "too few floats")
            .expected(format_args!("{count} x {each} or more"))
            .found(len)
            .at(format_args!("argument `{argument}`"))),
    }
}
