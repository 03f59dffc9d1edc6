//! The order of an epoch's samples, and gathering a batch.

use super::source::FetchBuffers;
use super::{Dataset, TargetKind};
use crate::error::{Error, Result};
use crate::memory::{self, Buffer};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The samples `0..n` in order, or shuffled by a seed and the number of the epoch: an epoch's order does not need those
/// of the epochs before it.
pub fn order(n: usize, shuffle: Option<(u64, usize)>) -> Result<Vec<u32>> {
    let mut order = memory::reserve(n)?;
    order.extend(0..n as u32);
    if let Some((seed, epoch)) = shuffle {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(epoch as u64);
        // Fisher and Yates, as in Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2P.
        for i in (1..n).rev() {
            order.swap(i, below(&mut random, i as u32 + 1) as usize);
        }
    }
    Ok(order)
}

/// A number from 0 to `bound - 1`, each as likely as another (Lemire 2019, "Fast Random Integer Generation in an
/// Interval"): the upper half of a product, the few products that would favour a number drawn again.
fn below(random: &mut ChaCha8Rng, bound: u32) -> u32 {
    let surplus = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(random.next_u32()) * u64::from(bound);
        if product as u32 >= surplus {
            return (product >> 32) as u32;
        }
    }
}

/// The targets of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BatchTargets<'a> {
    /// Their classes, `[B]`; empty for data without any.
    Labels(&'a [u32]),
    /// Floats, `[B, ...]`.
    Values(&'a [f32]),
}

/// A buffer for a batch of samples with their targets and weights.
#[derive(Debug)]
pub struct Batch {
    /// Floats in a sample.
    len: usize,
    /// Floats in a sample's target; 0: none.
    target_len: usize,
    /// The number of samples in it.
    count: usize,
    x: Buffer,
    labels: Vec<u32>,
    targets: Buffer,
    weights: Option<Vec<f32>>,
    /// The numbers requested from a source, and scratch memory for a sample whose values are permuted.
    numbers: Vec<u64>,
    scratch: Vec<f32>,
    /// Whether a source's output is checked, and the number of classes.
    check: Option<Option<usize>>,
}

impl Batch {
    /// For up to `batch` samples of data like `data`.
    pub fn new(data: &Dataset, batch: usize) -> Result<Self> {
        let (len, target_len) = lens(data);
        let labels = if data.target_kind() == TargetKind::Labels { batch } else { 0 };
        Ok(Batch {
            len,
            target_len,
            count: 0,
            x: Buffer::zeros(batch.saturating_mul(len))?,
            labels: memory::filled(labels, 0)?,
            targets: Buffer::zeros(batch.saturating_mul(target_len))?,
            weights: data.weights().map(|_| memory::filled(batch, 0.0)).transpose()?,
            numbers: memory::reserve(if data.source().is_some() { batch } else { 0 })?,
            scratch: memory::filled(if data.moves_fetched() { len } else { 0 }, 0.0)?,
            check: None,
        })
    }

    /// From now on a source's output is checked: an error names the first sample with a number that is NaN or infinite,
    /// or with a label that is not below `classes`. (Data in memory are checked once, before a fit.)
    pub fn checked(mut self, classes: Option<usize>) -> Self {
        self.check(classes);
        self
    }

    pub(super) fn check(&mut self, classes: Option<usize>) {
        self.check = Some(classes);
    }

    /// Fills in the samples of `data` at `indices`, which are below its length and no more than the batch was made for.
    /// Only a source can fail; then the batch's content is undefined.
    pub fn fill(&mut self, data: &Dataset, indices: &[u32]) -> Result<()> {
        let like = lens(data) == (self.len, self.target_len) && data.weights().is_some() == self.weights.is_some();
        if !like || indices.len() * self.len > self.x.len() {
            return Err(Error::internal("a batch for other data"));
        }
        self.count = indices.len();
        pick(data.weights(), indices, self.weights.as_deref_mut().unwrap_or_default());
        if let Some(source) = data.source() {
            let (labels, targets) = (self.labels.len().min(self.count), self.count * self.target_len);
            let buffers = FetchBuffers {
                numbers: &mut self.numbers,
                x: &mut self.x[..self.count * self.len],
                labels: &mut self.labels[..labels],
                targets: &mut self.targets[..targets],
                scratch: &mut self.scratch,
            };
            data.fetch(source, indices, buffers)?;
            return match self.check {
                Some(classes) => {
                    let labels = (&self.labels[..labels], classes);
                    data.check_fetched(&self.numbers, self.x(), labels, &self.targets[..targets])
                }
                None => Ok(()),
            };
        }
        for (&i, x) in indices.iter().zip(self.x.chunks_exact_mut(self.len)) {
            data.image(i as usize, x)?;
        }
        pick(data.labels(), indices, &mut self.labels);
        if let Some((values, shape)) = data.targets() {
            let each = shape.iter().product();
            for (&i, to) in indices.iter().zip(self.targets.chunks_exact_mut(each)) {
                to.copy_from_slice(&values[i as usize * each..][..each]);
            }
        }
        Ok(())
    }

    /// Its samples, `[B, H, W, C]`.
    pub fn x(&self) -> &[f32] {
        &self.x[..self.count * self.len]
    }

    /// Their targets.
    pub fn targets(&self) -> BatchTargets<'_> {
        match self.target_len {
            0 => BatchTargets::Labels(&self.labels[..self.count.min(self.labels.len())]),
            each => BatchTargets::Values(&self.targets[..self.count * each]),
        }
    }

    /// Their weights, `[B]`; `None`: all the same.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref().map(|weights| &weights[..self.count])
    }
}

/// Floats in a sample, and in its target.
fn lens(data: &Dataset) -> (usize, usize) {
    let target_len = match data.target_kind() {
        TargetKind::Values(shape) => shape.iter().product(),
        TargetKind::None | TargetKind::Labels => 0,
    };
    (data.image_shape().iter().product(), target_len)
}

/// Copies the elements at `indices`, if `from` is given.
fn pick<T: Copy>(from: Option<&[T]>, indices: &[u32], to: &mut [T]) {
    for (to, &i) in to.iter_mut().zip(indices) {
        *to = from.map_or(*to, |from| from[i as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_that_never_change() {
        assert_eq!(order(4, None).unwrap(), [0, 1, 2, 3]);
        assert_eq!(order(10, Some((0, 0))).unwrap(), [1, 4, 0, 2, 7, 8, 3, 5, 9, 6]);
        let (a, b) = (order(1000, Some((1, 0))).unwrap(), order(1000, Some((1, 1))).unwrap());
        assert_ne!(a, b, "another epoch, another order");
        let mut sorted = a.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, order(1000, None).unwrap());
    }

    #[test]
    fn no_place_is_favoured() {
        let mut counts = [[0usize; 3]; 3];
        for seed in 0..3000 {
            for (place, &sample) in order(3, Some((seed, 0))).unwrap().iter().enumerate() {
                counts[place][sample as usize] += 1;
            }
        }
        assert!(counts.iter().flatten().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_batch_is_gathered_in_the_order_of_its_indices() {
        let data = Dataset::from_u8(vec![1, 2, 3, 4, 5, 6], &[3, 1, 2], vec![7, 8, 9]).unwrap();
        let mut batch = Batch::new(&data, 3).unwrap();
        batch.fill(&data, &[2, 0]).unwrap();
        assert_eq!(
            (batch.x(), batch.targets(), batch.weights()),
            (&[5.0, 6.0, 1.0, 2.0][..], BatchTargets::Labels(&[9, 7]), None)
        );
        let data = data.with_targets(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 1]).unwrap();
        assert!(batch.fill(&data, &[0]).is_err(), "it was made for labels");
        let data = data.with_weights(vec![0.5, 1.0, 2.0]).unwrap().slice(1, 2).unwrap();
        let mut batch = Batch::new(&data, 2).unwrap();
        batch.fill(&data, &[1]).unwrap();
        assert_eq!(
            (batch.x(), batch.targets(), batch.weights()),
            (&[5.0, 6.0][..], BatchTargets::Values(&[5.0, 6.0]), Some(&[2.0][..]))
        );
        batch.fill(&data, &[1, 0]).unwrap();
        assert_eq!(batch.targets(), BatchTargets::Values(&[5.0, 6.0, 3.0, 4.0]));
    }
}
