//! A step runs on the model's threads, but the communicator's functions are called on the thread that called fit. That
//! thread waits during the step for exchanges, runs them, and sends the results back.

//!
//! A mutex and a condition variable are used, not a channel: a channel's first wait on a thread of the host allocates memory that
//! cannot be refused.

use super::communicator::Machines;
use super::ranks::{Exchange, Ranks, SyncRanks};
use crate::error::{Error, ErrorKind, Result};
use crate::model::pool::Pool;
use parking_lot::Mutex;
use std::sync::{self, Condvar, MutexGuard, PoisonError};

/// The ranks of a fit, used from the model's threads.
struct Relay<'d> {
    rank: usize,
    size: usize,
    buffers: Mutex<Exchange>,
    /// Held during an exchange.
    exclusive: Mutex<()>,
    desk: &'d Desk,
}

/// Where exchanges and their results are passed from one thread to the other.
#[derive(Default)]
struct Desk {
    lying: sync::Mutex<Lying>,
    changed: Condvar,
}

/// What lies on the desk.
#[derive(Default)]
enum Lying {
    #[default]
    Nothing,
    Request(Exchange),
    Answer(Result<Exchange>),
    /// One of the two threads has ended.
    Ended,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Lying> {
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, lying: Lying) {
        *self.lock() = lying;
        self.changed.notify_all();
    }

    /// Waits for what `is_wanted`, or for the end of the other thread, and takes it.
    fn wait_for(&self, is_wanted: fn(&Lying) -> bool) -> Lying {
        let mut lying = self.lock();
        loop {
            match &*lying {
                Lying::Ended => return Lying::Ended,
                other if is_wanted(other) => return std::mem::take(&mut lying),
                _ => lying = self.changed.wait(lying).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Tells the other thread when this one ends, or panics.
struct Ending<'d>(&'d Desk);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.put(Lying::Ended);
    }
}

impl Machines<'_> {
    /// Runs `task` on the pool. The exchanges of the task run on the calling thread.
    pub fn run_on<R: Send>(&self, pool: &Pool, task: impl FnOnce(&SyncRanks<'_>) -> R + Send) -> Result<R> {
        let desk = Desk::default();
        let relay = Relay {
            rank: self.rank(),
            size: self.size(),
            buffers: Mutex::new(self.take_buffers()),
            exclusive: Mutex::new(()),
            desk: &desk,
        };
        let work = || {
            let _ending = Ending(&desk);
            let result = task(&relay);
            (result, relay.buffers.into_inner())
        };
        let serve = || {
            let _ending = Ending(&desk);
            while let Lying::Request(exchange) = desk.wait_for(|lying| matches!(lying, Lying::Request(_))) {
                desk.put(Lying::Answer(self.run(exchange)));
            }
        };
        let done = pool.run_beside(work, serve);
        let (result, buffers) = done
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "several machines").expected("a library with threads"))?;
        self.keep_buffers(buffers);
        Ok(result)
    }
}

impl Ranks for Relay<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn take_buffers(&self) -> Exchange {
        std::mem::take(&mut self.buffers.lock())
    }

    fn keep_buffers(&self, exchange: Exchange) {
        *self.buffers.lock() = exchange;
    }

    fn run(&self, exchange: Exchange) -> Result<Exchange> {
        let _exclusive = self.exclusive.lock();
        self.desk.put(Lying::Request(exchange));
        match self.desk.wait_for(|lying| matches!(lying, Lying::Answer(_))) {
            Lying::Answer(answer) => answer,
            _ => Err(Error::internal("the calling thread no longer runs exchanges")),
        }
    }
}
