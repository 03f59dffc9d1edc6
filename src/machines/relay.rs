//! A step runs on the model's threads, but the communicator's functions are called on the thread that called fit. That
//! thread waits during the step for exchanges, runs them, and sends the results back.

use super::communicator::Machines;
use super::ranks::{Exchange, Ranks, SyncRanks};
use crate::error::{Error, ErrorKind, Result};
use crate::model::pool::Pool;
use parking_lot::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The ranks of a fit, used from the model's threads.
struct Relay {
    rank: usize,
    size: usize,
    buffers: Mutex<Exchange>,
    channels: Mutex<(SyncSender<Exchange>, Receiver<Result<Exchange>>)>,
}

impl Machines<'_> {
    /// Runs `task` on the pool. The exchanges of the task run on the calling thread.
    pub fn run_on<R: Send>(&self, pool: &Pool, task: impl FnOnce(&SyncRanks<'_>) -> R + Send) -> Result<R> {
        let (request, requests) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let relay = Relay {
            rank: self.rank(),
            size: self.size(),
            buffers: Mutex::new(self.take_buffers()),
            channels: Mutex::new((request, answers)),
        };
        let work = || {
            let relay = relay; // dropped when the task ends, or panics: this ends the loop of `serve`
            let result = task(&relay);
            (result, relay.buffers.into_inner())
        };
        let serve = || {
            while let Ok(exchange) = requests.recv() {
                if answer.send(self.run(exchange)).is_err() {
                    break;
                }
            }
        };
        let done = pool.run_beside(work, serve);
        let (result, buffers) = done
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "several machines").expected("a library with threads"))?;
        self.keep_buffers(buffers);
        Ok(result)
    }
}

impl Ranks for Relay {
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
        let ended = || Error::internal("the calling thread no longer runs exchanges");
        let channels = self.channels.lock();
        channels.0.send(exchange).map_err(|_| ended())?;
        channels.1.recv().map_err(|_| ended())?
    }
}
