//! The threads that do the work: never rayon's global pool.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Error;

/// The most threads that decode unless told otherwise.
const MOST_JOBS: usize = 4;

/// Threads that compute, and the number of threads that decode pictures ahead of the network.
/// Clones share their threads. The threads that compute start when they are first needed.
///
/// ```
/// let workers = dfm::Workers::new().with_threads(2).with_jobs(1);
/// assert_eq!(workers.threads(), 2);
/// ```
#[derive(Clone)]
pub struct Workers {
    threads: usize,
    jobs: usize,
    pool: Arc<OnceLock<Arc<ThreadPool>>>,
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}

impl Workers {
    /// As many threads as there are processors; up to four decode.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, jobs: threads.min(MOST_JOBS), pool: Arc::default() }
    }

    /// Computes on the threads of `pool`.
    pub fn on(pool: Arc<ThreadPool>) -> Self {
        let threads = pool.current_num_threads();
        let shared = OnceLock::from(pool);
        Self { threads, jobs: threads.clamp(1, MOST_JOBS), pool: Arc::new(shared) }
    }

    /// Computes on so many threads of its own; at least one.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), pool: Arc::default(), ..self }
    }

    /// Decodes pictures on so many threads; at least one.
    #[must_use]
    pub fn with_jobs(self, jobs: usize) -> Self {
        Self { jobs: jobs.max(1), ..self }
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Threads that decode.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// Runs `work` in the pool: whatever it does in parallel stays there.
    ///
    /// # Errors
    ///
    /// [`Error::Threads`] if the system gives no threads.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let pool = match self.pool.get() {
            Some(pool) => pool,
            None => {
                let pool = ThreadPoolBuilder::new().num_threads(self.threads).build();
                let pool = pool.map_err(|error| Error::Threads { reason: error.to_string() })?;
                // If another thread was quicker, its pool serves and this one goes.
                self.pool.get_or_init(|| Arc::new(pool))
            }
        };
        Ok(pool.install(work))
    }

    /// What `make` makes of each of the `items`, in their order. The work is done in the pool, several items at
    /// a time.
    ///
    /// ```
    /// let squares = dfm::Workers::new().map(&[1, 2, 3], |number| number * number)?;
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), dfm::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Threads`] if the system gives no threads.
    pub fn map<T: Sync, R: Send>(
        &self,
        items: &[T],
        make: impl Fn(&T) -> R + Sync + Send,
    ) -> Result<Vec<R>, Error> {
        self.run(|| items.par_iter().map(make).collect())
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, jobs, .. } = self;
        f.debug_struct("Workers").field("threads", threads).field("jobs", jobs).finish_non_exhaustive()
    }
}
