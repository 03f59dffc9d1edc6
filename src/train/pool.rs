//! A model's own threads.

use crate::error::{Error, ErrorKind, Result};
use std::thread::JoinHandle;

/// A rayon pool whose threads are gone when it is: rayon alone does not wait for them, and a host that unloads the
/// library must not find them still on their way out.
pub struct Pool {
    pool: Option<rayon::ThreadPool>,
    handles: Vec<JoinHandle<()>>,
    threads: usize,
}

impl Pool {
    /// `threads` threads; 0 means all cores that the process may run on.
    pub fn new(threads: usize) -> Result<Self> {
        const MOST: usize = 1024;
        if threads > MOST {
            return Err(Error::new(ErrorKind::InvalidArgument, "too many threads")
                .expected(format_args!("at most {MOST}"))
                .found(threads)
                .at("argument `threads`"));
        }
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()).min(MOST),
            threads => threads,
        };
        let mut handles = Vec::with_capacity(threads);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .spawn_handler(|thread| {
                let name = format!("mnist-{}", thread.index());
                handles.push(std::thread::Builder::new().name(name).spawn(|| thread.run())?);
                Ok(())
            })
            .build()
            .map_err(|error| Error::new(ErrorKind::OutOfMemory, format!("cannot start {threads} threads: {error}")))?;
        Ok(Pool { pool: Some(pool), handles, threads })
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a task on the pool and waits for it.
    pub fn run<R: Send>(&self, task: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(task),
            None => task(), // only while it is dropped
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.pool = None;
        for handle in self.handles.drain(..) {
            // A thread that panicked has told so where its task was awaited.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_threads_end_with_it() {
        let pool = Pool::new(3).unwrap();
        assert_eq!(pool.run(rayon::current_num_threads), 3);
        let named = || {
            let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            tasks.filter(|t| std::fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c == "pooltest\n")).count()
        };
        drop(pool);
        assert_eq!(named(), 0);
    }

    #[test]
    fn a_silly_size_is_an_error() {
        assert_eq!(Pool::new(1 << 40).err().unwrap().kind(), ErrorKind::InvalidArgument);
    }
}
