//! Evaluate: the forward pass, and how good what it gives is.

use super::options::EvaluateOptions;
use super::progress::ProgressLine;
use crate::data::{Batch, Dataset, TargetKind, Truth, order};
use crate::error::{At, Error, ErrorKind, Result};
use crate::memory::{self, Buffer};
use crate::model::Model;
use crate::model::network::PREDICTING;
use crate::model::pool::Pool;
use crate::model::score::{Mean, Metrics};
use std::time::Instant;

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
        Batch::new(data, batch)?;
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
        let mut samples = Batch::new(data, batch)?.checked(Some(self.output_len()));
        let mut mean = Mean::default();
        let order = order(data.len(), None)?;
        self.with_network(batch, |pool, network| {
            for indices in order.chunks(batch) {
                samples.fill(data, indices)?;
                let (x, labels) = labelled(&samples)?;
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
        if data.target_kind() != TargetKind::Labels {
            data.need_labels().at(at)?;
        }
        let (classes, labels) = (self.output_len(), data.labels().unwrap_or_default());
        if let Some((i, &label)) = labels.iter().enumerate().find(|&(_, &label)| label as usize >= classes) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a label past the class count")
                .expected(format_args!("below {classes}"))
                .found(label)
                .at(format_args!("label {i}"))
                .at(at));
        }
        data.check_finite().at(at)
    }
}

/// A batch's samples and labels.
pub(super) fn labelled(batch: &Batch) -> Result<(&[f32], &[u32])> {
    match batch.truth() {
        Truth::Labels(labels) => Ok((batch.x(), labels)),
        Truth::Values(_) => Err(Error::internal("targets where labels are needed")),
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
