//! Which part of a layer's work on a batch this rank computes.

use super::ranks::SyncRanks;
use crate::error::Result;
use crate::layers::parallel::group;
use std::fmt;
use std::ops::Range;

/// Which part of a layer's work on a batch this rank computes.
#[derive(Clone, Copy, Default)]
pub enum Share<'a> {
    /// All samples: there are no other ranks, or all compute the same.
    #[default]
    All,
    /// Some samples. Sums over the batch include those of the other ranks.
    Samples(Split<'a>),
    /// All samples, with some parts of the layer's weights.
    Parts(&'a SyncRanks<'a>),
}

/// How the samples of a batch are split among the ranks: each gets whole groups of those that sums over the batch use.
#[derive(Clone, Copy)]
pub struct Split<'a> {
    ranks: &'a SyncRanks<'a>,
    batch: usize,
}

/// The groups of samples of a batch, whose sums are added in order.
pub struct Grouped {
    /// The samples of a group.
    pub size: usize,
    /// The number of groups of the batch.
    pub all: usize,
    /// The groups of this rank.
    pub own: Range<usize>,
}

impl<'a> Split<'a> {
    /// The split of a batch of `batch` samples.
    pub fn new(ranks: &'a SyncRanks<'a>, batch: usize) -> Self {
        Split { ranks, batch }
    }

    /// The ranks.
    pub fn ranks(&self) -> &'a SyncRanks<'a> {
        self.ranks
    }

    /// The number of samples of the whole batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The groups of a rank.
    fn groups_of(&self, rank: usize) -> Range<usize> {
        self.ranks.part(rank, self.batch.div_ceil(group(self.batch)))
    }

    /// The samples of a rank.
    pub fn of(&self, rank: usize) -> Range<usize> {
        let (Range { start, end }, size) = (self.groups_of(rank), group(self.batch));
        (start * size).min(self.batch)..(end * size).min(self.batch)
    }

    /// The samples of this rank.
    pub fn own(&self) -> Range<usize> {
        self.of(self.ranks.rank())
    }
}

impl Share<'_> {
    /// The index in the batch of the first sample that the layer gets.
    pub fn first(&self) -> usize {
        match self {
            Share::Samples(split) => split.own().start,
            Share::All | Share::Parts(_) => 0,
        }
    }

    /// The number of samples of the batch, of which the layer gets `samples`.
    pub fn batch(&self, samples: usize) -> usize {
        match self {
            Share::Samples(split) => split.batch,
            Share::All | Share::Parts(_) => samples,
        }
    }

    /// The groups of a batch, of which the layer gets `samples` samples.
    pub fn groups(&self, samples: usize) -> Grouped {
        let batch = self.batch(samples);
        let (size, all) = (group(batch), batch.div_ceil(group(batch)));
        match self {
            Share::Samples(split) => Grouped { size, all, own: split.groups_of(split.ranks.rank()) },
            Share::All | Share::Parts(_) => Grouped { size, all, own: 0..all },
        }
    }

    /// Receives the other ranks' sums into `sums` (`[groups, len]`), which contains the sums of this rank's groups.
    pub fn gather(&self, sums: &mut [f32], len: usize) -> Result<()> {
        match self {
            Share::Samples(split) => split.ranks.gather(sums, &|rank| {
                let Range { start, end } = split.groups_of(rank);
                start * len..end * len
            }),
            Share::All | Share::Parts(_) => Ok(()),
        }
    }

    /// Adds the groups' sums in order, if that takes fewer bytes than to [`gather`](Self::gather) them: one rank after the
    /// other adds its own sums to `sum` with `add`, and sends `sum` to all. `sum` is 0 at first. Returns whether it was done.
    pub fn add_in_turn(&self, sum: &mut [f32], add: impl FnOnce(&mut [f32])) -> Result<bool> {
        /// Below so many numbers in all, one exchange is faster than one for each rank.
        const FEW: usize = 1 << 14;
        let Share::Samples(split) = self else { return Ok(false) };
        let ranks = split.ranks;
        let has_groups = |rank: &usize| !split.groups_of(*rank).is_empty();
        let (busy, groups) = ((0..ranks.size()).filter(has_groups).count(), self.groups(0).all);
        if groups * sum.len() < FEW || busy * busy > groups {
            return Ok(false);
        }
        let mut add = Some(add);
        for rank in (0..ranks.size()).filter(has_groups) {
            if let Some(add) = add.take_if(|_| rank == ranks.rank()) {
                add(sum);
            }
            ranks.broadcast(sum, rank)?;
        }
        Ok(true)
    }

    /// The sums of two counts over the batch; `own` are those of this rank's samples.
    pub fn count(&self, own: [usize; 2]) -> Result<[usize; 2]> {
        let Share::Samples(split) = self else { return Ok(own) };
        let all = split.ranks.gather_same_len(own.map(|count| (count as u64).to_le_bytes()).as_flattened())?;
        let mut sums = [0; 2];
        for (i, count) in all.as_chunks::<8>().0.iter().enumerate() {
            sums[i % 2] += u64::from_le_bytes(*count) as usize;
        }
        Ok(sums)
    }
}

impl fmt::Debug for Share<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::All => f.write_str("All"),
            Share::Samples(split) => write!(f, "Samples({:?} of {})", split.own(), split.batch),
            Share::Parts(ranks) => write!(f, "Parts(rank {} of {})", ranks.rank(), ranks.size()),
        }
    }
}
