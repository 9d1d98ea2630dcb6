//! Threads that share the work of one run after another.
//!
//! A network has about fifty short steps, and each needs the one before it. Waking threads for
//! each step would take longer than some steps, so the threads stay together for the whole run. One
//! thread leads, and the others help as they come. Every thread claims items. A helper that is late
//! or held up delays the others by no more than the item that it has claimed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::layout::part;

/// Turns of waiting before a thread gives its core to others.
const SPINS: usize = 4000;

/// The number that stands for the end, behind the last round.
const OVER: u64 = u32::MAX as u64;

/// Does the rounds `1..=rounds` one after the other, on as many threads as there are `workers`. In
/// each round, `work` is called once for every item in `0..items(round)`. A round begins only when
/// all items of the round before are done, and sees everything that they wrote.
///
/// # Panics
///
/// If `work` panics on any thread.
pub(crate) fn share<W: Send>(
    workers: &mut [W],
    rounds: usize,
    items: impl Fn(usize) -> usize + Sync,
    work: impl Fn(&mut W, usize, usize) + Sync,
) {
    let threads = workers.len();
    assert!((rounds as u64) < OVER, "{rounds} rounds are too many to count");
    let Some((leader, helpers)) = workers.split_first_mut() else { return };
    if threads == 1 {
        for round in 1..=rounds {
            (0..items(round)).for_each(|item| work(leader, round, item));
        }
        return;
    }
    let board = &Board {
        round: AtomicU64::new(0),
        next: (0..threads).map(|_| Line(AtomicU64::new(0))).collect(),
        done: Line(AtomicUsize::new(0)),
        failed: AtomicBool::new(false),
    };
    let (items, work) = (&items, &work);
    rayon::in_place_scope(|scope| {
        // Dropped also if the leader panics, so that the helpers end.
        let _end = OnDrop(|| board.round.store(OVER, Ordering::Release));
        for (index, helper) in helpers.iter_mut().enumerate() {
            scope.spawn(move |_| board.help(index + 1, helper, items, work));
        }
        for round in 1..=rounds {
            board.lead(round, leader, items(round), work);
        }
    });
}

/// A value with a line of the cache to itself.
#[repr(align(128))]
struct Line<T>(T);

/// What the threads of a team share.
struct Board {
    /// The current round; 0 before the first.
    round: AtomicU64,
    /// For the part of the items that belongs to each thread: the round in the upper half, and the
    /// next item in the lower half. A claim that comes too late finds another round there.
    next: Vec<Line<AtomicU64>>,
    /// The number of items of this round that are done.
    done: Line<AtomicUsize>,
    /// Whether a helper has panicked.
    failed: AtomicBool,
}

impl Board {
    fn lead<W>(&self, round: usize, leader: &mut W, items: usize, work: &impl Fn(&mut W, usize, usize)) {
        self.done.0.store(0, Ordering::Relaxed);
        for (thread, next) in self.next.iter().enumerate() {
            let first = part(thread, self.next.len(), items).start;
            next.0.store((round as u64) << 32 | first as u64, Ordering::Relaxed);
        }
        self.round.store(round as u64, Ordering::Release);
        self.work(round, 0, leader, items, work);
        wait(|| {
            assert!(!self.failed.load(Ordering::Relaxed), "a thread of the team has panicked");
            self.done.0.load(Ordering::Acquire) == items
        });
    }

    fn help<W>(
        &self,
        index: usize,
        helper: &mut W,
        items: &impl Fn(usize) -> usize,
        work: &impl Fn(&mut W, usize, usize),
    ) {
        let failure = OnDrop(|| self.failed.store(true, Ordering::Relaxed));
        let mut last = 0;
        loop {
            let mut round = last;
            wait(|| {
                round = self.round.load(Ordering::Acquire);
                round != last
            });
            if round == OVER {
                break;
            }
            last = round;
            self.work(round as usize, index, helper, items(round as usize), work);
        }
        std::mem::forget(failure);
    }

    /// Does items until none is left, beginning with those of the thread's own part.
    fn work<W>(
        &self,
        round: usize,
        index: usize,
        worker: &mut W,
        items: usize,
        work: &impl Fn(&mut W, usize, usize),
    ) {
        let threads = self.next.len();
        for owner in (0..threads).map(|step| (index + step) % threads) {
            let end = part(owner, threads, items).end;
            while let Some(item) = self.claim(owner, round, end) {
                work(worker, round, item);
                self.done.0.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn claim(&self, owner: usize, round: usize, end: usize) -> Option<usize> {
        let next = &self.next[owner].0;
        let claimed = next.try_update(Ordering::Relaxed, Ordering::Relaxed, |value| {
            let item = value & u64::from(u32::MAX);
            (value >> 32 == round as u64 && item < end as u64).then_some(value + 1)
        });
        claimed.ok().map(|value| (value & u64::from(u32::MAX)) as usize)
    }
}

fn wait(mut over: impl FnMut() -> bool) {
    let mut turns = 0;
    while !over() {
        turns += 1;
        match turns < SPINS {
            true => std::hint::spin_loop(),
            false => std::thread::yield_now(),
        }
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn every_item_of_every_round_is_done_once_and_in_order_of_the_rounds() {
        for threads in [1, 2, 3, 8] {
            let items = |round: usize| round % 7;
            let counts: Vec<AtomicUsize> = (0..=300).map(|_| AtomicUsize::new(0)).collect();
            share(&mut vec![(); threads], 300, items, |(), round, item| {
                assert!(item < items(round));
                let before = counts[round - 1].load(Ordering::Relaxed);
                assert_eq!(before, items(round - 1), "the round before is over");
                counts[round].fetch_add(1, Ordering::Relaxed);
            });
            assert!((1..=300).all(|round| counts[round].load(Ordering::Relaxed) == items(round)));
        }
    }

    #[test]
    fn a_panic_ends_the_run_instead_of_hanging_it() {
        for at in [0, 5] {
            let run = || {
                share(&mut [(); 3], 9, |_| 6, |(), round, item| assert!((round, item) != (4, at)));
            };
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        }
    }
}
