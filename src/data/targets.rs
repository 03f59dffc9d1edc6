//! The targets of a dataset: labels, or floats of any shape; and the sample weights.

use super::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// The targets of a dataset.
#[derive(Clone, Debug)]
pub enum Targets {
    /// None: samples to predict.
    None,
    /// A class each, `[N]`.
    Labels(Shared<u32>),
    /// Floats.
    Values {
        /// `[N, ...]`.
        values: Shared<f32>,
        /// The shape of a sample's target.
        shape: Vec<usize>,
    },
    /// Labels that a source gives with its samples.
    FetchedLabels,
    /// Floats of this shape for each sample, given by a source.
    FetchedValues(Vec<usize>),
}

/// The kind of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind<'a> {
    /// None.
    None,
    /// A class for each sample.
    Labels,
    /// Floats, of this shape for each sample.
    Values(&'a [usize]),
}

/// A part of an array that several datasets share.
#[derive(Clone, Debug)]
pub struct Shared<T> {
    all: Arc<Vec<T>>,
    part: Range<usize>,
}

impl<T> Shared<T> {
    /// All of `all`.
    pub fn new(all: Vec<T>) -> Self {
        Shared { part: 0..all.len(), all: Arc::new(all) }
    }

    /// A part of this part.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Shared { all: self.all.clone(), part: self.part.start + range.start..self.part.start + range.end }
    }
}

impl<T: Copy> Shared<T> {
    /// The values of the samples at `indices`, `each` per sample.
    pub(super) fn pick(&self, indices: &[u32], each: usize) -> Result<Self> {
        let mut picked = memory::reserve(self.len())?;
        indices.iter().for_each(|&i| picked.extend_from_slice(&self[i as usize * each..][..each]));
        Ok(Shared::new(picked))
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.all[self.part.clone()]
    }
}

impl Targets {
    /// Those of some samples in a row.
    pub(super) fn slice(&self, samples: Range<usize>) -> Self {
        match self {
            Targets::Labels(labels) => Targets::Labels(labels.part(samples)),
            Targets::Values { values, shape } => {
                let each = shape.iter().product::<usize>();
                Targets::Values { values: values.part(samples.start * each..samples.end * each), shape: shape.clone() }
            }
            same => same.clone(),
        }
    }

    /// Those of the samples at `indices`.
    pub(super) fn pick(&self, indices: &[u32]) -> Result<Self> {
        Ok(match self {
            Targets::Labels(labels) => Targets::Labels(labels.pick(indices, 1)?),
            Targets::Values { values, shape } => {
                Targets::Values { values: values.pick(indices, shape.iter().product())?, shape: shape.clone() }
            }
            same => same.clone(),
        })
    }
}

impl Dataset {
    /// The same samples with these labels, one for each.
    pub fn with_labels(self, labels: Vec<u32>) -> Result<Self> {
        if labels.len() != self.len() {
            let count = self.len();
            return Err(Error::new(ErrorKind::Shape, "images and labels of different lengths")
                .expected(format_args!("{count} labels for {count} images"))
                .found(format_args!("{} labels", labels.len())));
        }
        Ok(self.with(Targets::Labels(Shared::new(labels))))
    }

    /// The same samples with float targets: `values` is `[N, ...]`, `shape` the sizes of one sample's target: one to
    /// three sizes above 0.
    pub fn with_targets(self, values: Vec<f32>, shape: &[usize]) -> Result<Self> {
        if !(1..=3).contains(&shape.len()) {
            let error =
                Error::new(ErrorKind::Shape, "targets of a wrong rank").expected("1, 2 or 3 sizes of a sample's");
            return Err(error.found(shape.len()));
        }
        let len = shape.iter().try_fold(self.len(), |len, &dim| len.checked_mul(dim));
        if shape.contains(&0) || len != Some(values.len()) {
            return Err(Error::new(ErrorKind::Shape, "samples and targets of different lengths")
                .expected(format_args!("{} targets of {shape:?}, sizes above 0", self.len()))
                .found(format_args!("{} numbers", values.len())));
        }
        Ok(self.with(Targets::Values { values: Shared::new(values), shape: shape.to_vec() }))
    }

    /// The same samples with weights: how much each counts in the loss; finite, 0 or more.
    pub fn with_weights(mut self, weights: Vec<f32>) -> Result<Self> {
        if weights.len() != self.len() {
            return Err(Error::new(ErrorKind::Shape, "samples and weights of different lengths")
                .expected(format_args!("{} weights", self.len()))
                .found(weights.len()));
        }
        if let Some(i) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(Error::new(ErrorKind::InvalidArgument, "not a valid sample weight")
                .expected("0 or more, and finite")
                .found(weights[i])
                .at(format_args!("sample {i}")));
        }
        self.weights = Some(Shared::new(weights));
        Ok(self)
    }

    /// Sets the class names.
    pub(super) fn with_class_names(mut self, names: Vec<String>) -> Self {
        self.class_names = Arc::new(names);
        self
    }

    fn with(mut self, targets: Targets) -> Self {
        self.targets = targets;
        self.class_names = Arc::default();
        self
    }

    /// The class names in the order of the labels, if there are any: those of a table whose labels are text.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The kind of its targets.
    pub fn target_kind(&self) -> TargetKind<'_> {
        match &self.targets {
            Targets::None => TargetKind::None,
            Targets::Labels(_) | Targets::FetchedLabels => TargetKind::Labels,
            Targets::Values { shape, .. } | Targets::FetchedValues(shape) => TargetKind::Values(shape),
        }
    }

    /// The labels, `[N]`; `None` if it has targets or neither, or if a source gives them.
    pub fn labels(&self) -> Option<&[u32]> {
        match &self.targets {
            Targets::Labels(labels) => Some(labels),
            _ => None,
        }
    }

    /// The targets, `[N, ...]`, and the shape of one sample's; `None` if it has labels or neither, or if a source gives
    /// them.
    pub fn targets(&self) -> Option<(&[f32], &[usize])> {
        match &self.targets {
            Targets::Values { values, shape } => Some((values, shape)),
            _ => None,
        }
    }

    /// The sample weights, `[N]`; `None`: all the same.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// The labels that occur, ascending.
    pub fn unique_labels(&self) -> Result<Vec<u32>> {
        let mut labels = memory::collect(self.need_labels()?.iter().copied())?;
        labels.sort_unstable();
        labels.dedup();
        Ok(labels)
    }

    /// The labels, or an error that names what it has instead.
    pub(crate) fn need_labels(&self) -> Result<&[u32]> {
        self.labels().ok_or_else(|| self.other_targets("labels"))
    }

    /// The targets, or an error that names what it has instead.
    pub(crate) fn need_targets(&self) -> Result<(&[f32], &[usize])> {
        self.targets().ok_or_else(|| self.other_targets("targets"))
    }

    fn other_targets(&self, expected: &str) -> Error {
        let what = match self.targets {
            Targets::None => "the dataset has neither labels nor targets",
            Targets::FetchedLabels | Targets::FetchedValues(_) => {
                "a source's labels and targets are not kept in memory"
            }
            Targets::Labels(_) => "the dataset has labels, not targets",
            Targets::Values { .. } => "the dataset has targets, not labels",
        };
        Error::new(ErrorKind::InvalidArgument, what).expected(expected)
    }

    /// An error that names the first sample with a target that is NaN or infinite.
    pub(super) fn check_targets(&self) -> Result<()> {
        match self.targets() {
            Some((values, shape)) => check_targets(values, shape.iter().product(), |i| i),
            None => Ok(()),
        }
    }
}

/// An error that names the first sample with a target among `values`, `each` of a sample, that is NaN or infinite; `number`
/// gives the number of one of them.
pub(super) fn check_targets(values: &[f32], each: usize, number: impl Fn(usize) -> usize) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::new(ErrorKind::InvalidArgument, "a target is NaN or infinite")
            .expected("a finite one")
            .found(values[at])
            .at(format_args!("sample {}, target {}", number(at / each), at % each))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Dataset {
        Dataset::from_u8((0..12).collect(), &[3, 2, 2], vec![7, 300, 7]).unwrap()
    }

    #[test]
    fn a_slice_has_its_samples_targets_and_weights() {
        let data = samples().with_targets(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2]).unwrap();
        let data = data.with_weights(vec![1.0, 0.0, 0.5]).unwrap();
        assert_eq!((data.labels(), data.target_kind()), (None, TargetKind::Values(&[2])));
        let tail = data.slice(1, 2).unwrap();
        assert_eq!(tail.targets(), Some((&[2.0, 3.0, 4.0, 5.0][..], &[2][..])));
        let last = tail.slice(1, 1).unwrap();
        assert_eq!((last.targets().unwrap().0, last.weights()), (&[4.0, 5.0][..], Some(&[0.5][..])));
        let other = tail.with_labels(vec![1, 2]).unwrap();
        assert_eq!((other.labels(), other.weights()), (Some(&[1, 2][..]), Some(&[0.0, 0.5][..])));
        assert_eq!((samples().labels(), samples().weights()), (Some(&[7, 300, 7][..]), None));
    }

    #[test]
    fn what_does_not_fit_the_samples_is_refused() {
        for (values, shape) in
            [(6, &[][..]), (6, &[1, 1, 1, 2]), (6, &[3]), (3, &[2]), (0, &[0]), (6, &[usize::MAX, 2]), (4, &[1])]
        {
            let error = samples().with_targets(vec![0.0; values], shape).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Shape, "{shape:?}");
        }
        assert_eq!(samples().with_weights(vec![1.0; 2]).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(samples().with_labels(vec![1; 4]).unwrap_err().kind(), ErrorKind::Shape);
        for bad in [-1.0, f32::NAN, f32::INFINITY] {
            let error = samples().with_weights(vec![1.0, bad, 1.0]).unwrap_err();
            assert!(error.to_string().starts_with("sample 1: not a valid sample weight: "), "{error}");
        }
    }

    #[test]
    fn targets_that_are_no_numbers_are_found() {
        let data = samples().with_targets(vec![0.0, 1.0, 2.0, f32::NAN, 4.0, f32::INFINITY], &[2]).unwrap();
        let error = data.check_finite().unwrap_err().to_string();
        assert!(error.starts_with("sample 1, target 1: a target is NaN or infinite"), "{error}");
        assert!(data.slice(0, 1).unwrap().check_finite().is_ok());
        let error = data.unique_labels().unwrap_err().to_string();
        assert!(error.starts_with("the dataset has targets, not labels"), "{error}");
    }
}
