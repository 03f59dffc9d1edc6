//! The host's functions that exchange bytes between the ranks of a fit.

use super::ranks::{Exchange, Kind, Ranks};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exchanges bytes between the ranks. Its functions are called on the thread that called fit, one at a time, and in the same
/// order on all ranks. They return 0, or 1 and the number of a rank that does not answer, or another number.
pub trait Communicator {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;
    /// The number of ranks.
    fn size(&self) -> usize;
    /// Writes what each rank sends to `receive`, in the order of the ranks. `counts` are the bytes of each rank.
    fn allgather(&self, send: &[u8], receive: &mut [u8], counts: &[usize]) -> i32;
    /// Copies `data` of rank `root` to `data` of all others.
    fn broadcast(&self, data: &mut [u8], root: usize) -> i32;
}

/// The ranks of a fit, used from the thread that called it.
pub struct Machines<'c> {
    communicator: &'c dyn Communicator,
    /// Whether an exchange has failed. The ranks are then no longer at the same exchange, so that none may follow.
    failed: AtomicBool,
    buffers: Mutex<Exchange>,
}

impl<'c> Machines<'c> {
    /// The ranks that `communicator` connects.
    pub fn new(communicator: &'c dyn Communicator) -> Self {
        Machines { communicator, failed: AtomicBool::new(false), buffers: Mutex::default() }
    }

    /// Whether an exchange has failed.
    pub fn have_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The error for a status that is not 0.
    fn failure(&self, function: &str, status: i32) -> Error {
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        let missing = usize::try_from(status).ok().filter(|&one| (1..=size).contains(&one));
        let error = match missing {
            Some(one) => Error::new(ErrorKind::Network, format!("rank {} does not answer", one - 1)),
            None => Error::new(ErrorKind::Network, "the communicator failed").expected(0).found(status),
        };
        error.at(function).at(format_args!("rank {rank} of {size}"))
    }
}

impl Ranks for Machines<'_> {
    fn rank(&self) -> usize {
        self.communicator.rank()
    }

    fn size(&self) -> usize {
        self.communicator.size()
    }

    fn take_buffers(&self) -> Exchange {
        std::mem::take(&mut self.buffers.lock())
    }

    fn keep_buffers(&self, exchange: Exchange) {
        *self.buffers.lock() = exchange;
    }

    fn run(&self, mut exchange: Exchange) -> Result<Exchange> {
        if self.have_failed() {
            return Err(Error::new(ErrorKind::Network, "an earlier exchange has failed"));
        }
        let (function, status) = match exchange.kind {
            Kind::Allgather => {
                let total: usize = exchange.counts.iter().sum();
                let more = total.saturating_sub(exchange.receive.len());
                memory::grow(&mut exchange.receive, more)?;
                exchange.receive.resize(exchange.receive.len() + more, 0);
                let receive = &mut exchange.receive[..total];
                ("allgather", self.communicator.allgather(&exchange.send, receive, &exchange.counts))
            }
            Kind::Broadcast(root) => ("broadcast", self.communicator.broadcast(&mut exchange.send, root)),
        };
        if status != 0 {
            self.failed.store(true, Ordering::Relaxed);
            // The communicator may still write to these buffers, for example when a late message arrives: never free them.
            std::mem::forget(exchange);
            return Err(self.failure(function, status));
        }
        Ok(exchange)
    }
}
