//! What carries bytes between the ranks of a fit.

use super::team::{Order, Team, What};
use crate::error::{Error, ErrorKind, Result};
use crate::memory;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What carries bytes. It is called on the thread that called fit, one call at a time, and by all ranks in the same order.
pub trait Communicator {
    /// Which one of the ranks this is, from 0.
    fn rank(&self) -> usize;
    /// How many ranks there are.
    fn size(&self) -> usize;
    /// Writes what each rank sends to `receive`, in the ranks' order; `counts` are the bytes of each. 0, or why it could not.
    fn allgather(&self, send: &[u8], receive: &mut [u8], counts: &[usize]) -> i32;
    /// Writes what rank `root` has in `data` to the others' `data`. 0, or why it could not.
    fn broadcast(&self, data: &mut [u8], root: usize) -> i32;
}

/// The ranks of a fit, as the thread sees them that called it.
pub struct Machines<'c> {
    communicator: &'c dyn Communicator,
    /// Whether a call has failed: the ranks are no longer at the same place, and nothing more is asked.
    failed: AtomicBool,
    idle: Mutex<Order>,
}

impl<'c> Machines<'c> {
    /// Those that `communicator` reaches.
    pub fn new(communicator: &'c dyn Communicator) -> Self {
        Machines { communicator, failed: AtomicBool::new(false), idle: Mutex::default() }
    }

    /// Whether a call has failed.
    pub fn have_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn failure(&self, call: &str, status: i32) -> Error {
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        let missing = usize::try_from(status).ok().filter(|&one| (1..=size).contains(&one));
        let error = match missing {
            Some(one) => Error::new(ErrorKind::Network, format!("rank {} does not answer", one - 1)),
            None => Error::new(ErrorKind::Network, "the communicator failed").expected(0).found(status),
        };
        error.at(call).at(format_args!("rank {rank} of {size}"))
    }
}

impl Team for Machines<'_> {
    fn rank(&self) -> usize {
        self.communicator.rank()
    }

    fn size(&self) -> usize {
        self.communicator.size()
    }

    fn take(&self) -> Order {
        std::mem::take(&mut self.idle.lock())
    }

    fn give_back(&self, order: Order) {
        *self.idle.lock() = order;
    }

    fn carry_out(&self, mut order: Order) -> Result<Order> {
        if self.have_failed() {
            return Err(Error::new(ErrorKind::Network, "an exchange has failed before"));
        }
        let (call, status) = match order.what {
            What::Gather => {
                let total: usize = order.counts.iter().sum();
                let more = total.saturating_sub(order.receive.len());
                memory::grow(&mut order.receive, more)?;
                order.receive.resize(order.receive.len() + more, 0);
                let receive = &mut order.receive[..total];
                ("allgather", self.communicator.allgather(&order.send, receive, &order.counts))
            }
            What::Broadcast(root) => ("broadcast", self.communicator.broadcast(&mut order.send, root)),
        };
        if status != 0 {
            self.failed.store(true, Ordering::Relaxed);
            // What was begun may go on behind the communicator's back: its memory must not become somebody else's.
            std::mem::forget(order);
            return Err(self.failure(call, status));
        }
        Ok(order)
    }
}
