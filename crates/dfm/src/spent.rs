//! Time that several threads spend.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A sum of times, to which any thread adds.
#[derive(Debug, Default)]
pub(crate) struct Spent(AtomicU64);

impl Spent {
    /// Adds the time of a piece of work.
    pub(crate) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// All times together.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let spent = Spent::default();
        std::thread::scope(|scope| {
            (1..=4).for_each(|number| {
                drop(scope.spawn({
                    let spent = &spent;
                    move || spent.add(Duration::from_millis(number))
                }))
            });
        });
        assert_eq!(spent.total(), Duration::from_millis(10));
    }
}
