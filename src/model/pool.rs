//! A model's own threads.

use crate::error::{Error, ErrorKind, Result};
use crate::files::Taken;
use crate::kernels::process::Process;
use crate::memory;
use std::thread::JoinHandle;

/// A rayon pool whose drop waits until its threads have ended: rayon alone does not wait, and a host that unloads the
/// library must not find them running.
pub struct Pool {
    pool: Option<rayon::ThreadPool>,
    handles: Vec<JoinHandle<()>>,
    threads: usize,
    /// The process that started the threads.
    process: Process,
}

/// Whether this platform has threads. Without threads the caller does all work.
const THREADS: bool = cfg!(any(not(target_family = "wasm"), target_feature = "atomics"));

/// Free memory required before a thread is started. An allocation failure while a thread starts cannot be handled: std
/// and the C library allocate a few hundred bytes infallibly.
const THREAD: usize = 64 << 10;

/// The stack size of a thread, set here so that the environment (RUST_MIN_STACK) is not read.
const STACK: usize = 2 << 20;

impl Pool {
    /// `threads` threads; 0 means all cores that the process may run on. On platforms without threads any number means
    /// the caller's thread.
    pub fn new(threads: usize) -> Result<Self> {
        const MOST: usize = 1024;
        if threads > MOST {
            return Err(Error::new(ErrorKind::InvalidArgument, "too many threads")
                .expected(format_args!("at most {MOST}"))
                .found(threads)
                .at("argument `threads`"));
        }
        if !THREADS {
            return Ok(Pool::without_threads());
        }
        let threads = match threads {
            0 => {
                let _taken = Taken::now(); // it reads cgroup files
                std::thread::available_parallelism().map_or(1, |n| n.get()).min(MOST)
            }
            threads => threads,
        };
        let mut handles = memory::reserve(threads)?;
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .spawn_handler(|thread| {
                memory::spare(THREAD).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
                let name = format!("mnist-{}", thread.index());
                let builder = std::thread::Builder::new().name(name).stack_size(STACK);
                handles.push(builder.spawn(|| thread.run())?);
                Ok(())
            })
            .build();
        let mut pool = Pool { pool: None, handles, threads, process: Process::current() };
        match built {
            Ok(built) => pool.pool = Some(built),
            // Threads that were started are ending; dropping `pool` waits for them.
            Err(error) => {
                let what = format!("cannot start {threads} threads: {error}");
                return Err(Error::new(ErrorKind::OutOfMemory, what));
            }
        }
        Ok(pool)
    }

    /// A pool without threads: the caller runs the work. For hosts where no thread can be started.
    pub fn without_threads() -> Self {
        Pool { pool: None, handles: Vec::new(), threads: 1, process: Process::current() }
    }

    /// How many threads work.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a task on the pool and waits for it.
    pub fn run<R: Send>(&self, task: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(task),
            None => task(),
        }
    }

    /// Runs a task on the pool, and `meanwhile` on the calling thread, and waits for both; `None` where there are no threads.
    pub fn run_beside<R: Send>(&self, task: impl FnOnce() -> R + Send, meanwhile: impl FnOnce()) -> Option<R> {
        let mut done = None;
        self.pool.as_ref()?.in_place_scope(|scope| {
            scope.spawn(|_| done = Some(task()));
            meanwhile();
        });
        done
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.process != Process::current() {
            // A forked child does not have the threads, and their locks stay locked.
            return std::mem::forget((self.pool.take(), std::mem::take(&mut self.handles)));
        }
        self.pool = None;
        for handle in self.handles.drain(..) {
            // A panic of a thread was already reported to the waiter of its task.
            let _ = handle.join();
        }
        // The threads' shared data stay in rayon's garbage collector until it runs; the last ones would look like leaks
        // at the end of the program.
        const ROUNDS: usize = 16; // a few are enough: all threads have ended
        (0..ROUNDS).for_each(|_| crossbeam_epoch::pin().flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts when the thread that holds it ends.
    struct AtEnd(Arc<AtomicUsize>);

    impl Drop for AtEnd {
        fn drop(&mut self) {
            std::thread::sleep(std::time::Duration::from_millis(20)); // so that a missing wait would show
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    thread_local! {
        static HELD: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }

    #[test]
    fn its_threads_end_with_it() {
        let ended = Arc::new(AtomicUsize::new(0));
        let pool = Pool::new(3).unwrap();
        assert_eq!(pool.run(rayon::current_num_threads), 3);
        pool.run(|| rayon::broadcast(|_| HELD.with(|held| *held.borrow_mut() = Some(AtEnd(ended.clone())))));
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        drop(pool);
        assert_eq!(ended.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_silly_size_is_an_error() {
        assert_eq!(Pool::new(1 << 40).err().unwrap().kind(), ErrorKind::InvalidArgument);
    }
}
