//! A step runs on the model's threads, and the communicator is the calling thread's: that one waits meanwhile for what the
//! step asks of the team, and does it.

use super::communicator::Machines;
use super::team::{Order, Team};
use crate::error::{Error, ErrorKind, Result};
use crate::model::pool::Pool;
use parking_lot::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The team, as a step on the pool sees it.
pub struct Served {
    rank: usize,
    size: usize,
    idle: Mutex<Order>,
    line: Mutex<(SyncSender<Order>, Receiver<Result<Order>>)>,
}

impl Machines<'_> {
    /// Runs `task` on the pool, which may ask the team.
    pub fn run_on<R: Send>(&self, pool: &Pool, task: impl FnOnce(&Served) -> R + Send) -> Result<R> {
        let (asks, asked) = sync_channel(1);
        let (tells, told) = sync_channel(1);
        let served = Served {
            rank: self.rank(),
            size: self.size(),
            idle: Mutex::new(self.take()),
            line: Mutex::new((asks, told)),
        };
        let work = || {
            let served = served; // and with it the line, whose end is how the caller's thread knows of the task's
            let result = task(&served);
            (result, served.idle.into_inner())
        };
        let serve = || {
            while let Ok(order) = asked.recv() {
                if tells.send(self.carry_out(order)).is_err() {
                    break;
                }
            }
        };
        let done = pool.run_beside(work, serve);
        let (result, idle) = done
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "several machines").expected("a library with threads"))?;
        self.give_back(idle);
        Ok(result)
    }
}

impl Team for Served {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn take(&self) -> Order {
        std::mem::take(&mut self.idle.lock())
    }

    fn give_back(&self, order: Order) {
        *self.idle.lock() = order;
    }

    fn carry_out(&self, order: Order) -> Result<Order> {
        let gone = || Error::internal("the calling thread does not serve its step");
        let line = self.line.lock();
        line.0.send(order).map_err(|_| gone())?;
        line.1.recv().map_err(|_| gone())?
    }
}
