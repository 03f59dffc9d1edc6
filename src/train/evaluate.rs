//! Evaluate and predict: the forward pass alone.

use super::model::Model;
use super::network::PREDICTING;
use super::options::EvaluateOptions;
use super::plan::Purpose;
use super::pool::Pool;
use super::progress::ProgressLine;
use crate::data::{Dataset, gather, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::kernels::softmax::Score;
use crate::memory::{self, Buffer};
use std::time::Instant;

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// The mean loss over the samples.
    pub loss: f64,
    /// The share of samples whose most probable class is their label.
    pub accuracy: f64,
}

/// Scores gathered over samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    pub(super) score: Score,
    pub(super) samples: usize,
}

impl Mean {
    pub(super) fn add(&mut self, score: Score, samples: usize) {
        self.score.loss += score.loss;
        self.score.correct += score.correct;
        self.samples += samples;
    }

    /// The means; NaN over nothing.
    pub(super) fn metrics(&self) -> Metrics {
        let samples = self.samples as f64;
        Metrics { loss: self.score.loss / samples, accuracy: self.score.correct as f64 / samples }
    }
}

/// Samples that a prediction takes through the network at once.
const BATCH: usize = 32;

impl Model {
    /// Loss (sparse categorical crossentropy) and accuracy on `data`, whose images are `[H, W, C]` as the model's input
    /// (or `[H, W]` for one channel). All samples meet the same weights, those at the start of the call. The model need
    /// not be compiled; its last layer ends in softmax, or is linear and taken for logits.
    pub fn evaluate(&self, data: &Dataset, options: EvaluateOptions<'_>) -> Result<Metrics> {
        self.check_classifier()?;
        check_batch_size(options.batch_size)?;
        self.check_data(data, "argument `dataset`")?;
        let EvaluateOptions { verbose, mut output, confusion, .. } = options;
        let pool = self.pool()?;
        let batch = options.batch_size.min(data.len());
        self.afford(batch, |batch| self.build_score(&pool, data, batch)).at("option `batch_size`")?;
        let (confusion, mut counts) = self.confusion(confusion)?.unzip();
        let weights = self.parameters.snapshot()?;
        let start = Instant::now();
        let steps = data.len().div_ceil(options.batch_size);
        let mut line = ProgressLine::new(verbose, 0, steps);
        let mut done = 0;
        let mean = self.score(&weights, data, options.batch_size, counts.as_deref_mut(), &mut |mean| {
            done += 1;
            let Metrics { loss, accuracy } = mean.metrics();
            let (metrics, seconds) = ([("loss", loss), ("accuracy", accuracy)], start.elapsed().as_secs_f64());
            match done == steps {
                true => line.finish(&mut output, done, &metrics, seconds)?,
                false => line.update(&mut output, done, &metrics, seconds)?,
            }
            Ok(true)
        })?;
        if let (Some(confusion), Some(counts)) = (confusion, counts) {
            confusion.copy_from_slice(&counts);
        }
        Ok(mean.metrics())
    }

    /// The caller's place for a confusion matrix, as large as it is for this model, and one to count in meanwhile.
    fn confusion<'a>(&self, place: Option<&'a mut [u64]>) -> Result<Option<(&'a mut [u64], Vec<u64>)>> {
        let Some(place) = place else { return Ok(None) };
        let (classes, found) = (self.output_len(), place.len());
        match classes.checked_mul(classes).and_then(|len| place.get_mut(..len)) {
            Some(place) => {
                let counts = memory::filled(place.len(), 0).at("the confusion matrix")?;
                Ok(Some((place, counts)))
            }
            None => Err(Error::new(ErrorKind::InvalidArgument, "too few counts")
                .expected(format_args!("{classes} x {classes} or more"))
                .found(found)
                .at("option `confusion`")),
        }
    }

    /// The predictions for `count` images, `[count, H, W, C]` in the scale the model was trained on, into `out`,
    /// `[count, classes]`. An image's prediction does not depend on the others.
    pub fn predict(&self, images: &[f32], count: usize, out: &mut [f32]) -> Result<()> {
        let (input, output) = (self.input_shape().len(), self.output_len());
        check_len("images", images.len(), count, input)?;
        check_len("probabilities", out.len(), count, output)?;
        let (images, out) = (&images[..count * input], &mut out[..count * output]);
        if count == 0 {
            return Ok(());
        }
        self.with_network(count.min(BATCH), |pool, network| {
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
        let (input, output) = (self.input_shape().len(), self.output_len());
        check_len("probabilities", out.len(), data.len(), output)?;
        let mut images = Buffer::zeros(data.len().min(BATCH) * input)?;
        self.with_network(data.len().min(BATCH), |pool, network| {
            self.parameters.read(|weights| {
                for (start, y) in (0..data.len()).step_by(BATCH).zip(out.chunks_mut(BATCH * output)) {
                    let count = BATCH.min(data.len() - start);
                    let x = &mut images[..count * input];
                    for (i, x) in x.chunks_exact_mut(input).enumerate() {
                        data.image(start + i, x);
                    }
                    pool.run(|| network.predict(weights, x, &mut y[..count * output]))?;
                }
                Ok(())
            })
        })??
    }

    /// What the layer `name` gives for `count` samples, at its first call, into `out`, `[count, ...]` of its shape. Its
    /// memory is asked for anew each time. `NotFound` for a name that the model does not have.
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
        let purpose = Purpose { training: false, trainable: &all, logits: false };
        let build = |batch| self.network_of(&part, &pool, batch, purpose);
        self.afford(count.min(BATCH), |batch| build(batch).map(drop))?;
        let mut network = build(count.min(BATCH))?;
        self.parameters.read(|weights| {
            pool.run(|| {
                let batches = images.chunks(BATCH * input).zip(out.chunks_mut(BATCH * output));
                batches.into_iter().try_for_each(|(x, y)| network.predict(weights, x, y))
            })
        })?
    }

    /// Asks for what [`score`](Self::score) with the weights of one moment will, to have it measured.
    pub(super) fn build_score(&self, pool: &Pool, data: &Dataset, batch: usize) -> Result<()> {
        let batch = batch.min(data.len());
        if !self.has_idle(batch, pool) {
            self.network(pool, batch, false)?;
        }
        {
            let _part = memory::part("a copy of the weights");
            Buffer::zeros(self.parameters.len())?;
        }
        let _part = memory::part("the batch's images");
        Batch::new(self, batch)?;
        memory::reserve::<u32>(data.len()).map(drop)
    }

    /// Scores all of `data` in its order, adding what was taken for what to `counts` (`[classes, classes]`). After each
    /// batch `report` is given the mean so far and says whether to go on.
    pub(super) fn score(
        &self,
        weights: &[f32],
        data: &Dataset,
        batch_size: usize,
        mut counts: Option<&mut [u64]>,
        report: &mut dyn FnMut(&Mean) -> Result<bool>,
    ) -> Result<Mean> {
        let batch = batch_size.min(data.len());
        let mut batches = Batch::new(self, batch)?;
        let mut mean = Mean::default();
        let order = order(data.len(), None)?;
        self.with_network(batch, |pool, network| {
            for indices in order.chunks(batch) {
                let (x, labels) = batches.gather(data, indices);
                let counts = counts.as_deref_mut();
                mean.add(pool.run(|| network.score(&PREDICTING, weights, x, labels, counts))?, labels.len());
                if !report(&mean)? {
                    break;
                }
            }
            Ok(mean)
        })?
    }

    /// Data fit for training and evaluation: the input's shape, labels that are classes, numbers.
    pub(super) fn check_data(&self, data: &Dataset, at: &str) -> Result<()> {
        self.check_images(data, at)?;
        let classes = self.output_len();
        if let Some((i, &label)) = data.labels().iter().enumerate().find(|&(_, &label)| label as usize >= classes) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a label past the class count")
                .expected(format_args!("below {classes}"))
                .found(label)
                .at(format_args!("label {i}"))
                .at(at));
        }
        data.check_finite().at(at)
    }

    fn check_images(&self, data: &Dataset, at: &str) -> Result<()> {
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

/// Memory for a batch's images and labels.
pub(super) struct Batch {
    images: Buffer,
    labels: Vec<u32>,
    image_len: usize,
}

impl Batch {
    pub(super) fn new(model: &Model, batch: usize) -> Result<Self> {
        let image_len = model.input_shape().len();
        let len = batch.saturating_mul(image_len);
        Ok(Batch { images: Buffer::zeros(len)?, labels: memory::filled(batch, 0)?, image_len })
    }

    /// Fills in the samples at `indices`, at most as many as it was made for.
    pub(super) fn gather(&mut self, data: &Dataset, indices: &[u32]) -> (&[f32], &[u32]) {
        let images = &mut self.images[..indices.len() * self.image_len];
        let labels = &mut self.labels[..indices.len()];
        gather(data, indices, images, labels);
        (images, labels)
    }
}

pub(super) fn check_batch_size(batch_size: usize) -> Result<()> {
    match batch_size {
        0 => Err(Error::new(ErrorKind::InvalidArgument, "no samples in a batch")
            .expected("1 or more")
            .found(0)
            .at("option `batch_size`")),
        _ => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::layers::Activation;
    use crate::train::Output;

    #[test]
    fn a_confusion_matrix_is_as_large_as_the_model_says() {
        let mut graph = Graph::new();
        let x = graph.input(&[2, 2, 1]).unwrap();
        let y = graph.flatten(x).unwrap();
        let y = graph.dense(y, 3, Activation::Softmax).unwrap();
        let model = Model::new(&graph, x, y, "model").unwrap();
        let data = Dataset::from_u8((0..20).collect(), &[5, 2, 2], vec![0, 2, 2, 0, 2]).unwrap();
        let evaluate = |confusion: &mut [u64]| {
            let mut ignore = |_: &str| ();
            let mut options = EvaluateOptions::new(Output::file(&mut ignore));
            options.confusion = Some(confusion);
            model.evaluate(&data, options)
        };
        let error = evaluate(&mut [7; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.to_string(), "option `confusion`: too few counts: expected 3 x 3 or more, found 8");
        let mut counts = [7; 10];
        let accuracy = evaluate(&mut counts).unwrap().accuracy;
        let rows: Vec<u64> = counts[..9].chunks(3).map(|row| row.iter().sum()).collect();
        assert_eq!((rows, counts[9]), (vec![2, 0, 3], 7));
        assert_eq!((counts[0] + counts[4] + counts[8]) as f64 / 5.0, accuracy);
    }
}
