//! Samples that are requested by number when they are needed, instead of being in memory.

use super::targets::{Targets, check_targets};
use super::transform::first_bad;
use super::{Dataset, check_sample_rank};
use crate::error::{At, Error, ErrorKind, Result, listed};
use std::fmt;
use std::sync::Arc;

/// A source of samples. The same number always gives the same sample.
pub trait Source: Send + Sync {
    /// How many samples there are.
    fn count(&self) -> usize;

    /// The shape of one: `[W]`, `[H, W]` or `[H, W, C]`.
    fn sample_shape(&self) -> &[usize];

    /// Floats in a sample's target; 0: samples have labels.
    fn target_len(&self) -> usize;

    /// The identity of the samples; `None`: no identity, and a fit cannot resume from a checkpoint.
    fn identity(&self) -> Option<&str>;

    /// Writes the samples of these numbers to `x`, `[count, ...]`, in this order; and their labels to `labels`,
    /// `[count]`, or their targets to `targets`, `[count, target_len]`. The other slice is empty.
    fn fetch(&self, indices: &[u64], x: &mut [f32], labels: &mut [u32], targets: &mut [f32]) -> Result<()>;
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples {:?} of a source", self.count(), self.sample_shape())
    }
}

impl Dataset {
    /// A dataset of a source. No sample is requested yet.
    pub fn from_source(source: Arc<dyn Source>) -> Result<Self> {
        let shape = source.sample_shape();
        check_sample_rank(shape.len())?;
        let targets = match source.target_len() {
            0 => Targets::FetchedLabels,
            len => Targets::FetchedValues(vec![len]),
        };
        let dims: Vec<usize> = [source.count()].into_iter().chain(shape.iter().copied()).collect();
        let mut data = Dataset::of_source(source, &dims)?;
        data.targets = targets;
        Ok(data)
    }
}

/// The memory of a batch that a source writes to.
pub(super) struct FetchBuffers<'a> {
    pub numbers: &'a mut Vec<u64>,
    pub x: &'a mut [f32],
    pub labels: &'a mut [u32],
    pub targets: &'a mut [f32],
    /// Scratch memory for a sample, if its values are permuted.
    pub scratch: &'a mut [f32],
}

impl Dataset {
    /// Requests the samples at `indices` from a source.
    pub(super) fn fetch(&self, source: &dyn Source, indices: &[u32], buffers: FetchBuffers<'_>) -> Result<()> {
        let FetchBuffers { numbers, x, labels, targets, scratch } = buffers;
        numbers.clear();
        numbers.extend(indices.iter().map(|&i| self.number(i as usize) as u64)); // there is room for a batch
        source.fetch(numbers, x, labels, targets).at(samples(numbers))?;
        for x in x.chunks_exact_mut(self.image_len()) {
            self.transforms.apply(x, scratch);
        }
        Ok(())
    }

    /// Checks a source's output: values must be finite, labels below `classes`. The error names the sample by its
    /// number in the source.
    pub(super) fn check_fetched(
        &self,
        numbers: &[u64],
        x: &[f32],
        (labels, classes): (&[u32], Option<usize>),
        targets: &[f32],
    ) -> Result<()> {
        let len = self.image_len();
        if let Some((at, found)) = first_bad(x.iter().copied()) {
            return Err(self.bad_pixel(at % len, found).at(sample(numbers, at / len)));
        }
        let classes = classes.unwrap_or(usize::MAX);
        if let Some(at) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a label that is not below the number of classes")
                .expected(format_args!("below {classes}"))
                .found(labels[at])
                .at(sample(numbers, at)));
        }
        let each = targets.len() / numbers.len().max(1);
        check_targets(targets, each.max(1), |i| numbers.get(i).map_or(i, |&number| number as usize))
    }
}

fn sample(numbers: &[u64], at: usize) -> String {
    format!("sample {} of the source", numbers.get(at).copied().unwrap_or_default())
}

fn samples(numbers: &[u64]) -> String {
    format!(
        "samples {} of the source",
        listed(numbers.iter().take(8).map(u64::to_string)) + if numbers.len() > 8 { ", ..." } else { "" }
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::{Batch, BatchTargets, order};
    use parking_lot::Mutex;

    /// A source of samples of two floats that hold their number; it records the requests, and fails at a given number.
    pub struct Numbers {
        pub count: usize,
        pub targets: usize,
        pub bad: Option<u64>,
        pub asked: Mutex<Vec<u64>>,
    }

    impl Numbers {
        pub fn new(count: usize, targets: usize, bad: Option<u64>) -> Arc<Self> {
            Arc::new(Numbers { count, targets, bad, asked: Mutex::default() })
        }
    }

    impl Source for Numbers {
        fn count(&self) -> usize {
            self.count
        }
        fn sample_shape(&self) -> &[usize] {
            &[1, 2]
        }
        fn target_len(&self) -> usize {
            self.targets
        }
        fn identity(&self) -> Option<&str> {
            (self.targets == 0).then_some("numbers")
        }
        fn fetch(&self, indices: &[u64], x: &mut [f32], labels: &mut [u32], targets: &mut [f32]) -> Result<()> {
            self.asked.lock().extend(indices);
            if indices.iter().any(|&i| Some(i) == self.bad) {
                return Err(Error::new(ErrorKind::Io, "the source failed to give samples"));
            }
            for (n, &i) in indices.iter().enumerate() {
                x[2 * n..][..2].copy_from_slice(&[i as f32, -(i as f32)]);
                labels.iter_mut().skip(n).take(1).for_each(|label| *label = i as u32 % 3);
                targets.iter_mut().skip(n * self.targets).take(self.targets).for_each(|target| *target = i as f32);
            }
            Ok(())
        }
    }

    /// The same samples in memory.
    pub fn in_memory(count: usize) -> Dataset {
        let pixels = (0..count).flat_map(|i| [i as f32, -(i as f32)]).collect();
        Dataset::from_f32(pixels, &[count, 1, 2], (0..count as u32).map(|i| i % 3).collect()).unwrap()
    }

    #[test]
    fn a_source_gives_what_memory_would() {
        let mut both = [Dataset::from_source(Numbers::new(20, 0, None)).unwrap(), in_memory(20)];
        let seen = both.each_mut().map(|data| {
            data.normalize(3.0).unwrap();
            data.transpose().unwrap();
            let data = data.shuffle(7).unwrap().slice(3, 12).unwrap().shuffle(8).unwrap();
            let mut batch = Batch::new(&data, 5).unwrap().checked(Some(3));
            let order = order(12, Some((1, 2))).unwrap();
            let batches = order.chunks(5).map(|indices| {
                batch.fill(&data, indices).unwrap();
                let BatchTargets::Labels(labels) = batch.targets() else { panic!("labels") };
                (batch.x().to_vec(), labels.to_vec())
            });
            (batches.collect::<Vec<_>>(), data.shape())
        });
        assert_eq!(seen[0], seen[1]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_number() {
        let data = Dataset::from_source(Numbers::new(20, 0, Some(7))).unwrap();
        let mut batch = Batch::new(&data, 4).unwrap();
        let error = batch.fill(&data, &[1, 7]).unwrap_err();
        assert!(
            error.kind() == ErrorKind::Io && error.to_string().starts_with("samples 1, 7 of the source: "),
            "{error}"
        );
        let mut batch = Batch::new(&data, 4).unwrap().checked(Some(2));
        assert!(batch.fill(&data, &[0, 1]).is_ok());
        let error = batch.fill(&data, &[0, 5]).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "sample 5 of the source: a label that is not below the number of classes: expected below 2"
            ),
            "{error}"
        );
        let mut data = data.slice(4, 10).unwrap();
        data.normalize(2e-38).unwrap(); // 4 becomes 2e38, and 10 no float
        let error = batch.fill(&data, &[0, 6]).unwrap_err().to_string();
        assert!(error.starts_with("sample 10 of the source: pixel [0, 0, 0]: "), "{error}");
    }

    #[test]
    fn targets_and_fingerprints() {
        let data = Dataset::from_source(Numbers::new(9, 2, None)).unwrap();
        let mut batch = Batch::new(&data, 4).unwrap();
        batch.fill(&data, &[4, 2]).unwrap();
        assert_eq!(batch.targets(), BatchTargets::Values(&[4.0, 4.0, 2.0, 2.0]));
        assert!(data.is_nameless() && data.targets().is_none() && data.fingerprint().is_ok());
        let named = Dataset::from_source(Numbers::new(9, 0, None)).unwrap();
        let other = named.shuffle(1).unwrap();
        let mut scaled = named.clone();
        scaled.normalize(2.0).unwrap();
        let prints: std::collections::BTreeSet<_> =
            [&named, &other, &scaled, &named.slice(0, 8).unwrap()].map(|data| data.fingerprint().unwrap()).into();
        assert!(prints.len() == 4 && !named.is_nameless());
        assert!(named.unique_labels().unwrap_err().to_string().contains("a source's labels"), "not in memory");
    }
}
