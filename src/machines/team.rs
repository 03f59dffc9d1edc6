//! What is asked of the ranks together. Every rank asks for the same, in the same order.

use super::zeros;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use std::ops::Range;

/// A call of the communicator, with its memory.
#[derive(Default)]
pub struct Order {
    pub(super) what: What,
    pub(super) send: Vec<u8>,
    pub(super) receive: Vec<u8>,
    pub(super) counts: Vec<usize>,
}

/// Which call.
#[derive(Clone, Copy, Default)]
pub(super) enum What {
    /// All have what each has; of so many bytes each.
    #[default]
    Gather,
    /// All have what this one has.
    Broadcast(usize),
}

/// Bytes that are carried at once, of all ranks together: MPI counts them in an int.
const MOST: usize = 1 << 29;

/// Floats from which on it is looked whether most of them are 0.
const SPARSE: usize = 1 << 12;

/// The ranks, and who carries bytes between them.
pub trait Team {
    /// Which one this is.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// An order to be filled in, with memory of earlier ones.
    fn take(&self) -> Order;
    /// Takes back one that has been carried out.
    fn give_back(&self, order: Order);
    /// Has it carried out.
    fn carry_out(&self, order: Order) -> Result<Order>;

    /// Which of `count` things that are dealt out in runs are a rank's.
    fn run(&self, rank: usize, count: usize) -> Range<usize> {
        rank * count / self.size()..(rank + 1) * count / self.size()
    }

    /// What each rank says.
    fn gather_bytes(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lens = self.gather_numbers(own.len() as u64)?;
        let len = |rank: usize| usize::try_from(lens[rank]).unwrap_or(usize::MAX);
        let all = (0..self.size()).map(len).fold(0usize, usize::saturating_add);
        if all > MOST {
            let error = Error::new(ErrorKind::Network, "the ranks do not speak of the same");
            return Err(error.expected(format_args!("at most {MOST} bytes")).found(all));
        }
        let mut said = vec![Vec::new(); self.size()];
        self.exchange(own, &len, &mut |rank, bytes| {
            said[rank] = memory::collect(bytes.iter().copied())?;
            Ok(())
        })?;
        Ok(said)
    }

    /// What each rank says, in as many bytes as this one.
    fn gather_fixed(&self, own: &[u8]) -> Result<Vec<u8>> {
        let mut all = memory::filled(own.len() * self.size(), 0)?;
        self.exchange(own, &|_| own.len(), &mut |rank, bytes| {
            all[rank * own.len()..][..own.len()].copy_from_slice(bytes);
            Ok(())
        })?;
        Ok(all)
    }

    /// One number of each rank.
    fn gather_numbers(&self, own: u64) -> Result<Vec<u64>> {
        let all = self.gather_fixed(&own.to_le_bytes())?;
        memory::collect(all.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)))
    }

    /// The numbers at `of(rank)` in `all` of every rank, each of which has put its own there.
    fn gather(&self, all: &mut [f32], of: &dyn Fn(usize) -> Range<usize>) -> Result<()> {
        if self.size() == 1 {
            return Ok(());
        }
        let piece = MOST / 4 / self.size();
        let longest = (0..self.size()).map(|rank| of(rank).len()).max().unwrap_or(0);
        for from in (0..longest).step_by(piece) {
            let here = |rank: usize| {
                let Range { start, end } = of(rank);
                (start + from).min(end)..(start + from + piece).min(end)
            };
            let mut order = self.take();
            put(&all[here(self.rank())], &mut order.send)?;
            self.exchange_order(order, &|rank| 4 * here(rank).len(), &mut |rank, bytes| {
                if rank != self.rank() {
                    get(bytes, &mut all[here(rank)]);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The same for numbers most of which may be 0: what is 0 is not sent.
    fn gather_sparse(&self, all: &mut [f32], of: &dyn Fn(usize) -> Range<usize>) -> Result<()> {
        let total: usize = (0..self.size()).map(|rank| of(rank).len()).sum();
        if self.size() == 1 || total < SPARSE || total >= MOST / 8 {
            return self.gather(all, of);
        }
        let mut order = self.take();
        zeros::pack(&all[of(self.rank())], &mut order.send)?;
        let lens = self.gather_numbers(order.send.len() as u64)?;
        let good = |rank: usize| lens[rank] <= zeros::longest(of(rank).len()) as u64;
        if !(0..self.size()).all(good) {
            return Err(Error::new(ErrorKind::Network, "the ranks do not speak of the same"));
        }
        self.exchange_order(order, &|rank| lens[rank] as usize, &mut |rank, bytes| match rank == self.rank() {
            true => Ok(()),
            false => zeros::unpack(bytes, &mut all[of(rank)]),
        })
    }

    /// What `root` has in `values`, to all.
    fn broadcast(&self, values: &mut [f32], root: usize) -> Result<()> {
        for values in values.chunks_mut(MOST / 4) {
            let mut order = self.take();
            put(values, &mut order.send)?;
            order.what = What::Broadcast(root);
            let order = self.carry_out(order)?;
            if root != self.rank() {
                get(&order.send, values);
            }
            self.give_back(order);
        }
        Ok(())
    }

    /// The bytes that rank 0 has; what the others give does not matter.
    fn from_first(&self, own: &[u8]) -> Result<Vec<u8>> {
        let len = self.gather_numbers(own.len() as u64)?[0];
        let len = usize::try_from(len).map_err(|_| memory::cannot_allocate(usize::MAX))?;
        let mut bytes = memory::filled(len, 0)?;
        if self.rank() == 0 {
            bytes.copy_from_slice(own);
        }
        for bytes in bytes.chunks_mut(MOST) {
            let mut order = self.take();
            order.what = What::Broadcast(0);
            order.send.clear();
            memory::grow(&mut order.send, bytes.len())?;
            order.send.extend_from_slice(bytes);
            let order = self.carry_out(order)?;
            bytes.copy_from_slice(&order.send);
            self.give_back(order);
        }
        Ok(bytes)
    }

    /// Sends `own`; `take` is given what each rank has sent, whose length `len` says.
    fn exchange(
        &self,
        own: &[u8],
        len: &dyn Fn(usize) -> usize,
        take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut order = self.take();
        order.send.clear();
        memory::grow(&mut order.send, own.len())?;
        order.send.extend_from_slice(own);
        self.exchange_order(order, len, take)
    }

    /// The same with what `order` has.
    fn exchange_order(
        &self,
        mut order: Order,
        len: &dyn Fn(usize) -> usize,
        take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        order.what = What::Gather;
        order.counts.clear();
        order.counts.extend((0..self.size()).map(len));
        let order = self.carry_out(order)?;
        let mut rest = &order.receive[..];
        for (rank, &count) in order.counts.iter().enumerate() {
            let (own, others) = rest.split_at(count);
            rest = others;
            take(rank, own)?;
        }
        self.give_back(order);
        Ok(())
    }
}

/// A team that a step may use, on whichever thread.
pub type Line<'a> = dyn Team + Sync + 'a;

/// Floats as bytes, the least one first whatever the machine.
fn put(values: &[f32], bytes: &mut Vec<u8>) -> Result<()> {
    let len = 4 * values.len();
    memory::grow(bytes, len.saturating_sub(bytes.len()))?;
    bytes.resize(len, 0);
    for (to, value) in bytes.chunks_exact_mut(4).zip(values) {
        to.copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}

fn get(bytes: &[u8], values: &mut [f32]) {
    for (value, from) in values.iter_mut().zip(bytes.chunks_exact(4)) {
        *value = f32::from_le_bytes([from[0], from[1], from[2], from[3]]);
    }
}
