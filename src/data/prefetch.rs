//! The batches of an epoch in order; batches of a source are requested ahead, on their own thread.

use super::{Batch, Dataset};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::environment::Standard;
use crate::kernels::process::Process;
use crate::memory;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The stack size of the thread: a function of the host runs there.
const STACK: usize = 8 << 20;

/// Free memory required before it is started, as for a pool's threads.
const SPARE: usize = 64 << 10;

/// A sequence of batches. Their content does not depend on how many are requested ahead. Dropping it waits for its
/// thread.
pub struct Prefetch {
    data: Dataset,
    order: Arc<Vec<u32>>,
    batch_size: usize,
    /// The first sample of the next batch.
    next: usize,
    /// The current batch.
    current: Batch,
    /// The others, until the thread is started.
    others: Vec<Batch>,
    thread: Option<Ahead>,
}

/// The indices of a batch's samples.
#[derive(Debug)]
pub struct Indices {
    order: Arc<Vec<u32>>,
    range: Range<usize>,
}

impl Deref for Indices {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.order[self.range.clone()]
    }
}

/// The thread, and its state shared with the consumer.
struct Ahead {
    shared: Arc<Shared>,
    handle: JoinHandle<()>,
    process: Process,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    empty: Vec<Batch>,
    full: VecDeque<Result<Batch>>,
    /// The consumer has stopped.
    stopped: bool,
    /// The thread has ended.
    ended: bool,
}

impl Prefetch {
    /// The samples of `data` in `order`, `batch_size` at a time, the last batch being shorter if need be. Batches of a
    /// source are requested up to `depth` ahead; for data in memory this is not done. Nothing is requested yet.
    pub fn new(data: &Dataset, order: Vec<u32>, batch_size: usize, depth: usize) -> Result<Self> {
        let batch_size = batch_size.clamp(1, order.len().max(1));
        let depth = if data.source().is_some() { depth.min(order.len().div_ceil(batch_size)) } else { 0 };
        let mut others = memory::reserve(depth)?;
        for _ in 0..depth {
            others.push(Batch::new(data, batch_size)?);
        }
        Ok(Prefetch {
            current: Batch::new(data, batch_size)?,
            data: data.clone(),
            order: Arc::new(order),
            batch_size,
            next: 0,
            others,
            thread: None,
        })
    }

    /// Calls [`Batch::checked`] for every batch.
    pub fn checked(mut self, classes: Option<usize>) -> Self {
        std::iter::once(&mut self.current).chain(&mut self.others).for_each(|batch| batch.check(classes));
        self
    }

    /// The next batch, and the indices of its samples; `None` after the last. An error of the source is returned in
    /// place of its batch, and ends the sequence.
    #[allow(clippy::should_implement_trait)] // it lends
    pub fn next(&mut self) -> Result<Option<(Indices, &Batch)>> {
        if self.next >= self.order.len() {
            return Ok(None);
        }
        if self.thread.is_none() && !self.others.is_empty() {
            self.start();
        }
        match &self.thread {
            Some(ahead) => ahead.take(&mut self.current)?,
            None => {
                let end = self.order.len().min(self.next + self.batch_size);
                self.current.fill(&self.data, &self.order[self.next..end])?;
            }
        }
        let start = self.next;
        self.next += self.batch_size;
        let range = start..self.order.len().min(self.next);
        Ok(Some((Indices { order: self.order.clone(), range }, &self.current)))
    }

    /// Starts the thread; if that is not possible, batches are filled when they are needed.
    fn start(&mut self) {
        let empty = std::mem::take(&mut self.others);
        let Ok(full) = memory::reserve(empty.len() + 1) else { return };
        if memory::spare(SPARE).is_err() {
            return;
        }
        let line = Line { empty, full: full.into(), stopped: false, ended: false };
        let shared = Arc::new(Shared { line: Mutex::new(line), changed: Condvar::new() });
        let (data, order, batch_size) = (self.data.clone(), self.order.clone(), self.batch_size);
        let builder = std::thread::Builder::new().name("mnist-source".to_string()).stack_size(STACK);
        let theirs = shared.clone();
        let task = move || {
            let _standard = Standard::enter();
            let filled = catch_unwind(AssertUnwindSafe(|| theirs.fill(&data, &order, batch_size)));
            let mut line = theirs.line.lock();
            if filled.is_err() {
                line.full.push_back(Err(Error::internal("a panic while a source was asked for samples")));
            }
            line.ended = true;
            theirs.changed.notify_all();
        };
        if let Ok(handle) = builder.spawn(task) {
            self.thread = Some(Ahead { shared, handle, process: Process::current() });
        }
    }
}

impl Shared {
    /// Fills batches until none are left or the consumer stops. No lock is held during a source's function.
    fn fill(&self, data: &Dataset, order: &[u32], batch_size: usize) {
        for indices in order.chunks(batch_size) {
            let Some(mut batch) = self.empty() else { return };
            let filled = batch.fill(data, indices).map(|()| batch);
            let failed = filled.is_err();
            self.line.lock().full.push_back(filled);
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }

    /// Waits for an empty batch.
    fn empty(&self) -> Option<Batch> {
        let mut line = self.line.lock();
        loop {
            if line.stopped {
                return None;
            }
            if let Some(batch) = line.empty.pop() {
                return Some(batch);
            }
            self.changed.wait(&mut line);
        }
    }
}

impl Ahead {
    /// Waits for the next batch, and exchanges it for `current`.
    fn take(&self, current: &mut Batch) -> Result<()> {
        if self.process != Process::current() {
            let what = "this process was forked during prefetching, which belongs to its parent";
            return Err(Error::new(ErrorKind::State, what).expected("the process that made the call"));
        }
        let mut line = self.shared.line.lock();
        loop {
            if let Some(filled) = line.full.pop_front() {
                let used = std::mem::replace(current, filled?);
                line.empty.push(used);
                self.shared.changed.notify_all();
                return Ok(());
            }
            if line.ended {
                return Err(Error::internal("a batch that was not asked for"));
            }
            self.shared.changed.wait(&mut line);
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        let Some(ahead) = self.thread.take() else { return };
        if ahead.process != Process::current() {
            // A forked child does not have the thread, and its locks stay locked.
            return std::mem::forget(ahead);
        }
        ahead.shared.line.lock().stopped = true;
        ahead.shared.changed.notify_all();
        let _ = ahead.handle.join(); // a panic was already reported in place of its batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BatchTargets;
    use crate::data::order;
    use crate::data::source::tests::{Numbers, in_memory};

    type Seen = (Vec<f32>, Vec<u32>);

    /// The samples and labels of each batch, and the error at the end.
    fn all(mut batches: Prefetch) -> (Vec<Seen>, Option<String>) {
        let mut seen = Vec::new();
        loop {
            match batches.next() {
                Ok(Some((_, batch))) => {
                    let BatchTargets::Labels(labels) = batch.targets() else { panic!("labels") };
                    seen.push((batch.x().to_vec(), labels.to_vec()));
                }
                Ok(None) => return (seen, None),
                Err(error) => return (seen, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn the_same_batches_come_at_any_depth() {
        let order = order(23, Some((3, 4))).unwrap();
        let expected = all(Prefetch::new(&in_memory(23), order.clone(), 4, 5).unwrap());
        assert_eq!((expected.0.len(), expected.0[5].1.len()), (6, 3));
        for depth in [0, 1, 2, 5, 6, usize::MAX] {
            let data = Dataset::from_source(Numbers::new(23, 0, None)).unwrap();
            let batches = Prefetch::new(&data, order.clone(), 4, depth).unwrap().checked(Some(3));
            assert_eq!(all(batches), expected, "{depth}");
        }
        assert_eq!(all(Prefetch::new(&in_memory(23), Vec::new(), 4, 1).unwrap()), (Vec::new(), None));
    }

    #[test]
    fn an_error_comes_where_its_batch_would_have() {
        for depth in [0, 1, 3] {
            let source = Numbers::new(20, 0, Some(9));
            let data = Dataset::from_source(source.clone()).unwrap();
            let batches = Prefetch::new(&data, (0..20).collect(), 4, depth).unwrap();
            let (seen, error) = all(batches);
            assert_eq!((seen.len(), source.asked.lock().len()), (2, 12), "{depth}");
            assert!(error.unwrap().starts_with("samples 8, 9, 10, 11 of the source: "));
        }
    }

    #[test]
    fn no_more_are_asked_for_than_were_said_and_the_thread_ends() {
        let source = Numbers::new(1000, 0, None);
        let data = Dataset::from_source(source.clone()).unwrap();
        let mut batches = Prefetch::new(&data, (0..1000).collect(), 10, 3).unwrap();
        assert_eq!(source.asked.lock().len(), 0);
        batches.next().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(source.asked.lock().len(), 40, "one in use, three ahead");
        drop((batches, data));
        assert_eq!(Arc::strong_count(&source), 1, "nobody asks any more");
    }

    #[test]
    fn a_panic_is_an_error() {
        struct Panics;
        impl crate::data::Source for Panics {
            fn count(&self) -> usize {
                9
            }
            fn sample_shape(&self) -> &[usize] {
                &[1]
            }
            fn target_len(&self) -> usize {
                0
            }
            fn identity(&self) -> Option<&str> {
                None
            }
            fn fetch(&self, _: &[u64], _: &mut [f32], _: &mut [u32], _: &mut [f32]) -> Result<()> {
                panic!("it is meant to happen")
            }
        }
        let data = Dataset::from_source(Arc::new(Panics)).unwrap();
        let mut batches = Prefetch::new(&data, (0..9).collect(), 2, 2).unwrap();
        assert_eq!(batches.next().unwrap_err().kind(), ErrorKind::Internal);
    }
}
