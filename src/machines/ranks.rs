//! The exchanges between the ranks. Every rank calls the same functions in the same order.

use super::sparse;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use std::ops::Range;

/// A call of the communicator, with its buffers.
#[derive(Default)]
pub struct Exchange {
    pub(super) kind: Kind,
    pub(super) send: Vec<u8>,
    pub(super) receive: Vec<u8>,
    pub(super) counts: Vec<usize>,
}

/// Which function of the communicator.
#[derive(Clone, Copy, Default)]
pub(super) enum Kind {
    /// Every rank gets the bytes of all ranks.
    #[default]
    Allgather,
    /// Every rank gets the bytes of this one.
    Broadcast(usize),
}

/// The most bytes of an exchange, of all ranks together: MPI counts them in an int.
const MOST_BYTES: usize = 1 << 29;

/// Below so many numbers, zeros are not left out: finding out how many bytes each rank sends takes an exchange more.
const FEW: usize = 1 << 12;

/// The ranks of a fit.
pub trait Ranks {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;
    /// The number of ranks.
    fn size(&self) -> usize;
    /// An exchange with the buffers of an earlier one.
    fn take_buffers(&self) -> Exchange;
    /// Keeps the buffers for the next exchange.
    fn keep_buffers(&self, exchange: Exchange);
    /// Calls the communicator.
    fn run(&self, exchange: Exchange) -> Result<Exchange>;

    /// The part of a rank when `count` things are divided among the ranks, in order.
    fn part(&self, rank: usize, count: usize) -> Range<usize> {
        rank * count / self.size()..(rank + 1) * count / self.size()
    }

    /// The bytes of each rank, which may differ in length.
    fn gather_bytes(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lens = self.gather_numbers(own.len() as u64)?;
        let len = |rank: usize| usize::try_from(lens[rank]).unwrap_or(usize::MAX);
        let total = (0..self.size()).map(len).fold(0usize, usize::saturating_add);
        if total > MOST_BYTES {
            return Err(out_of_step().expected(format_args!("at most {MOST_BYTES} bytes")).found(total));
        }
        let mut all = vec![Vec::new(); self.size()];
        self.exchange(own, &len, &mut |rank, bytes| {
            all[rank] = memory::collect(bytes.iter().copied())?;
            Ok(())
        })?;
        Ok(all)
    }

    /// The bytes of each rank, one after the other, if all have the same length.
    fn gather_same_len(&self, own: &[u8]) -> Result<Vec<u8>> {
        let mut all = memory::filled(own.len() * self.size(), 0)?;
        self.exchange(own, &|_| own.len(), &mut |rank, bytes| {
            all[rank * own.len()..][..own.len()].copy_from_slice(bytes);
            Ok(())
        })?;
        Ok(all)
    }

    /// One number of each rank.
    fn gather_numbers(&self, own: u64) -> Result<Vec<u64>> {
        let all = self.gather_same_len(&own.to_le_bytes())?;
        memory::collect(all.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)))
    }

    /// Completes `all`, in which each rank has the numbers at `of(rank)`.
    fn gather(&self, all: &mut [f32], of: &dyn Fn(usize) -> Range<usize>) -> Result<()> {
        if self.size() == 1 {
            return Ok(());
        }
        let most = MOST_BYTES / 4 / self.size();
        let longest = (0..self.size()).map(|rank| of(rank).len()).max().unwrap_or(0);
        for from in (0..longest).step_by(most) {
            let here = |rank: usize| {
                let Range { start, end } = of(rank);
                (start + from).min(end)..(start + from + most).min(end)
            };
            let mut exchange = self.take_buffers();
            write(&all[here(self.rank())], &mut exchange.send)?;
            self.allgather(exchange, &|rank| 4 * here(rank).len(), &mut |rank, bytes| {
                if rank != self.rank() {
                    read(bytes, &mut all[here(rank)]);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The same for numbers that may be mostly 0: zeros are not sent.
    fn gather_sparse(&self, all: &mut [f32], of: &dyn Fn(usize) -> Range<usize>) -> Result<()> {
        let total: usize = (0..self.size()).map(|rank| of(rank).len()).sum();
        if self.size() == 1 || !(FEW..MOST_BYTES / 8).contains(&total) {
            return self.gather(all, of);
        }
        let mut exchange = self.take_buffers();
        sparse::pack(&all[of(self.rank())], &mut exchange.send)?;
        let lens = self.gather_numbers(exchange.send.len() as u64)?;
        for (rank, &len) in lens.iter().enumerate() {
            let most = sparse::longest(of(rank).len());
            if len > most as u64 {
                let error = out_of_step().expected(format_args!("at most {most} bytes")).found(len);
                return Err(error.at(format_args!("rank {rank}")));
            }
        }
        self.allgather(exchange, &|rank| lens[rank] as usize, &mut |rank, bytes| match rank == self.rank() {
            true => Ok(()),
            false => sparse::unpack(bytes, &mut all[of(rank)]).map_err(|error| error.at(format_args!("rank {rank}"))),
        })
    }

    /// Copies `values` of rank `root` to all others.
    fn broadcast(&self, values: &mut [f32], root: usize) -> Result<()> {
        for values in values.chunks_mut(MOST_BYTES / 4) {
            let mut exchange = self.take_buffers();
            write(values, &mut exchange.send)?;
            exchange.kind = Kind::Broadcast(root);
            let exchange = self.run(exchange)?;
            if root != self.rank() {
                read(&exchange.send, values);
            }
            self.keep_buffers(exchange);
        }
        Ok(())
    }

    /// The bytes of rank 0; those of the others are ignored.
    fn bytes_of_first(&self, own: &[u8]) -> Result<Vec<u8>> {
        let len = self.gather_numbers(own.len() as u64)?[0];
        let len = usize::try_from(len).map_err(|_| memory::cannot_allocate(usize::MAX))?;
        let mut bytes = memory::filled(len, 0)?;
        if self.rank() == 0 {
            bytes.copy_from_slice(own);
        }
        for bytes in bytes.chunks_mut(MOST_BYTES) {
            let mut exchange = self.take_buffers();
            exchange.kind = Kind::Broadcast(0);
            set(&mut exchange.send, bytes)?;
            let exchange = self.run(exchange)?;
            bytes.copy_from_slice(&exchange.send);
            self.keep_buffers(exchange);
        }
        Ok(bytes)
    }

    /// Sends `own`, and passes what each rank has sent to `take`. `len` is the number of bytes of each rank.
    fn exchange(
        &self,
        own: &[u8],
        len: &dyn Fn(usize) -> usize,
        take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut exchange = self.take_buffers();
        set(&mut exchange.send, own)?;
        self.allgather(exchange, len, take)
    }

    /// The same for the bytes in the buffer.
    fn allgather(
        &self,
        mut exchange: Exchange,
        len: &dyn Fn(usize) -> usize,
        take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        exchange.kind = Kind::Allgather;
        exchange.counts.clear();
        exchange.counts.extend((0..self.size()).map(len));
        let exchange = self.run(exchange)?;
        let mut rest = &exchange.receive[..];
        for (rank, &count) in exchange.counts.iter().enumerate() {
            let (bytes, others) = rest.split_at(count);
            rest = others;
            take(rank, bytes)?;
        }
        self.keep_buffers(exchange);
        Ok(())
    }
}

/// Ranks that any thread may use.
pub type SyncRanks<'a> = dyn Ranks + Sync + 'a;

/// The error if the ranks are not at the same exchange.
fn out_of_step() -> Error {
    Error::new(ErrorKind::Network, "the ranks are not at the same exchange")
}

fn set(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    buffer.clear();
    memory::grow(buffer, bytes.len())?;
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// Writes floats as bytes.
fn write(values: &[f32], bytes: &mut Vec<u8>) -> Result<()> {
    let len = 4 * values.len();
    memory::grow(bytes, len.saturating_sub(bytes.len()))?;
    bytes.resize(len, 0);
    put(values, bytes);
    Ok(())
}

/// Writes floats to as many times four bytes, little-endian on every machine.
pub(super) fn put(values: &[f32], bytes: &mut [u8]) {
    for (to, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *to = value.to_le_bytes();
    }
}

/// Reads what [`put`] has written.
pub(super) fn read(bytes: &[u8], values: &mut [f32]) {
    for (value, from) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*from);
    }
}
