//! Sample weights from class weights.

use crate::data::{BatchTargets, Dataset};
use crate::error::{At, Error, ErrorKind, Result};
use crate::graph::Shape;
use crate::metrics::greatest;

/// A weight for each class.
pub struct ClassWeight {
    weights: Vec<f32>,
    /// The number of values in a sample's target.
    each: usize,
    /// The sample weights of a batch.
    batch: Vec<f32>,
}

impl ClassWeight {
    /// For samples of `data` and a model with this `output`: a row of classes, or one number for two classes.
    pub fn new(weights: &[f32], data: &Dataset, output: &Shape) -> Result<Self> {
        let error = |what| Error::new(ErrorKind::InvalidArgument, what);
        if let Some((i, found)) = weights.iter().enumerate().find(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
            return Err(error("out of range").expected("finite, 0 or more").found(found).at(format_args!("class {i}")));
        }
        if output.dims().len() != 1 {
            return Err(error("samples have no class").expected("a model that gives [classes]").found(output));
        }
        let classes = output.len().max(2);
        if weights.len() != classes {
            let expected = format!("{classes}, one for each class");
            return Err(error("a class without a weight, or a weight without a class")
                .expected(expected)
                .found(weights.len()));
        }
        if data.weights().is_some() {
            return Err(error("the samples of the dataset have weights of their own").expected("one of the two"));
        }
        let each = data.targets().map_or(1, |(_, shape)| shape.iter().product());
        let of = ClassWeight { weights: weights.to_vec(), each, batch: Vec::new() };
        let classes = (0..data.len()).map(|i| match (data.labels(), data.targets()) {
            (Some(labels), _) => labels[i] as usize,
            (_, Some((values, _))) => of.class(&values[i * each..][..each]),
            _ => 0,
        });
        match classes.enumerate().find(|(_, class)| *class >= weights.len()) {
            Some((i, class)) => Err(error("a sample of a class that has no weight")
                .expected(format_args!("a class below {}", weights.len()))
                .found(class))
            .at(format_args!("sample {i}")),
            None => Ok(of),
        }
    }

    /// The class of a sample's target: the index of the largest of several values, or the one value itself.
    fn class(&self, values: &[f32]) -> usize {
        match values {
            [value] => value.round().max(0.0) as usize,
            values => greatest(values),
        }
    }

    /// The weight of each sample of a batch.
    pub fn of(&mut self, truth: BatchTargets<'_>) -> &[f32] {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        let weight = |class: usize| self.weights.get(class).copied().unwrap_or(1.0);
        match truth {
            BatchTargets::Labels(labels) => batch.extend(labels.iter().map(|&label| weight(label as usize))),
            BatchTargets::Values(values) => {
                batch.extend(values.chunks_exact(self.each).map(|row| weight(self.class(row))))
            }
        }
        self.batch = batch;
        &self.batch
    }
}
