//! What of a batch is a layer's business on this rank.

use super::team::Line;
use crate::error::Result;
use crate::layers::parallel::group;
use std::fmt;
use std::ops::Range;

/// What of a batch a layer is given, and has to do.
#[derive(Clone, Copy, Default)]
pub enum Share<'a> {
    /// All samples, and all that is to be done with them: there are no others, or they do the same.
    #[default]
    All,
    /// Some samples; what is added up over the batch takes the others.
    Samples(Run<'a>),
    /// All samples, for which a rank has its parts of the layer's weights.
    Parts(&'a Line<'a>),
}

/// A rank's samples of a batch: whole groups of those in which sums over the batch are added up.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    team: &'a Line<'a>,
    batch: usize,
}

/// The groups of samples whose sums are added up in order.
pub struct Grouped {
    /// Samples in a group.
    pub size: usize,
    /// How many groups the batch has.
    pub all: usize,
    /// Which of them are this rank's.
    pub own: Range<usize>,
}

impl<'a> Run<'a> {
    /// That of a batch of so many samples.
    pub fn new(team: &'a Line<'a>, batch: usize) -> Self {
        Run { team, batch }
    }

    /// The ranks.
    pub fn team(&self) -> &'a Line<'a> {
        self.team
    }

    /// Samples of the whole batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The groups of a rank.
    fn groups_of(&self, rank: usize) -> Range<usize> {
        self.team.run(rank, self.batch.div_ceil(group(self.batch)))
    }

    /// The samples of a rank.
    pub fn of(&self, rank: usize) -> Range<usize> {
        let (Range { start, end }, size) = (self.groups_of(rank), group(self.batch));
        (start * size).min(self.batch)..(end * size).min(self.batch)
    }

    /// The samples of this rank.
    pub fn own(&self) -> Range<usize> {
        self.of(self.team.rank())
    }
}

impl<'a> Share<'a> {
    /// Which of the batch's samples the layer's first one is.
    pub fn first(&self) -> usize {
        match self {
            Share::Samples(run) => run.own().start,
            Share::All | Share::Parts(_) => 0,
        }
    }

    /// How many samples the batch has, of which the layer is given `samples`.
    pub fn batch(&self, samples: usize) -> usize {
        match self {
            Share::Samples(run) => run.batch,
            Share::All | Share::Parts(_) => samples,
        }
    }

    /// The groups of a batch of which the layer is given `samples`.
    pub fn groups(&self, samples: usize) -> Grouped {
        let batch = self.batch(samples);
        let (size, all) = (group(batch), batch.div_ceil(group(batch)));
        match self {
            Share::Samples(run) => Grouped { size, all, own: run.groups_of(run.team.rank()) },
            Share::All | Share::Parts(_) => Grouped { size, all, own: 0..all },
        }
    }

    /// Completes the groups' sums, `[groups, len]`, of which this rank's are there.
    pub fn gather(&self, sums: &mut [f32], len: usize) -> Result<()> {
        match self {
            Share::Samples(run) => run.team.gather(sums, &|rank| {
                let Range { start, end } = run.groups_of(rank);
                start * len..end * len
            }),
            Share::All | Share::Parts(_) => Ok(()),
        }
    }

    /// Adds the groups' sums up, in order, where that takes fewer bytes than to [`gather`](Self::gather) them: a rank adds its
    /// own with `add` and hands `sum`, which is 0 at first, on to the next. Gives whether it has.
    pub fn add_up(&self, sum: &mut [f32], add: impl FnOnce(&mut [f32])) -> Result<bool> {
        const SHORT: usize = 1 << 14;
        let Share::Samples(run) = self else { return Ok(false) };
        let team = run.team;
        let busy = |rank: &usize| !run.groups_of(*rank).is_empty();
        let (ranks, groups) = ((0..team.size()).filter(busy).count(), self.groups(0).all);
        if groups * sum.len() < SHORT || ranks * ranks > groups {
            return Ok(false);
        }
        let mut add = Some(add);
        for rank in (0..team.size()).filter(busy) {
            if let Some(add) = add.take_if(|_| rank == team.rank()) {
                add(sum);
            }
            team.broadcast(sum, rank)?;
        }
        Ok(true)
    }

    /// The sum of a count over the batch, of which this rank has counted its samples.
    pub fn count(&self, own: [usize; 2]) -> Result<[usize; 2]> {
        let Share::Samples(run) = self else { return Ok(own) };
        let all = run.team.gather_fixed(own.map(|count| (count as u64).to_le_bytes()).as_flattened())?;
        let mut sum = [0; 2];
        for (i, count) in all.as_chunks::<8>().0.iter().enumerate() {
            sum[i % 2] += u64::from_le_bytes(*count) as usize;
        }
        Ok(sum)
    }
}

impl fmt::Debug for Share<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::All => f.write_str("All"),
            Share::Samples(run) => write!(f, "Samples({:?} of {})", run.own(), run.batch),
            Share::Parts(team) => write!(f, "Parts({} of {})", team.rank(), team.size()),
        }
    }
}
