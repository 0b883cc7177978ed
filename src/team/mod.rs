//! The worker team, for work whose workers meet again and again: the steps of a training.
//!
//! A team is entered once for a whole piece of work. The caller is worker 0. The others come from a crew that is rented for as
//! long as the team runs, so two teams never share a thread and a worker that waits at a barrier always waits for workers that
//! run. A crew without work looks for some a little while before it sleeps: the steps of a training loop follow each other
//! closely, and waking a thread costs more than many a step.
//!
//! Work that forks and joins once belongs to [`crate::pool`].

mod barrier;
mod crew;
mod shared;

use std::ops::Range;
use std::panic::resume_unwind;

use self::barrier::{Barrier, ReleaseOnPanic};
use self::crew::Crew;
pub use self::shared::Shared;
use crate::cores::most_threads;
use crate::share::share;
use crate::simd::FlushDenormals;

/// Runs `work` once on each of `count` workers, concurrently, and returns when all have.
///
/// Denormals are flushed to zero meanwhile, in every worker. A panic of a worker becomes a panic of the caller. Where the
/// system has no more threads to give, or more than [`most_threads`] were asked for, the team is smaller: `work` learns its
/// size from [`Worker::count`].
pub fn run<F: Fn(&mut Worker) + Sync>(count: usize, work: F) {
    let wanted = if count > 1 { count.min(most_threads()) - 1 } else { 0 };
    let crew = Crew::rent(wanted);
    let count = crew.len() + 1;
    let barrier = Barrier::new(count);
    let work = |index| {
        let _flushed = FlushDenormals::new();
        let _release = ReleaseOnPanic(&barrier);
        work(&mut Worker { index, count, barrier: &barrier, generation: 0 });
    };
    if count == 1 {
        return work(0);
    }
    let panic = crew.run(&work);
    crew.give_back();
    if let Some(payload) = panic {
        resume_unwind(payload);
    }
}

/// One worker's place in its team.
pub struct Worker<'a> {
    /// 0 is the thread that called [`run`].
    pub index: usize,
    /// How many there are.
    pub count: usize,
    barrier: &'a Barrier,
    generation: usize,
}

impl Worker<'_> {
    /// Waits until every worker has come here; what any wrote before is seen by all after.
    ///
    /// What borrows the worker, such as a claim on what the team shares, ends before.
    #[inline]
    pub fn meet(&mut self) {
        self.generation += 1;
        if self.count > 1 {
            self.barrier.wait(self.index, self.generation);
        }
    }

    /// How often it has met the others: the same for all of them.
    #[inline]
    pub fn meetings(&self) -> usize {
        self.generation
    }

    /// Waits until all others have come to the next meeting, and calls `meanwhile` every now and then. For worker 0.
    pub fn wait_for_others(&self, meanwhile: impl FnMut()) {
        assert_eq!(self.index, 0, "only one worker may wait for all others");
        if self.count > 1 {
            self.barrier.wait_for_others(meanwhile);
        }
    }

    /// This worker's share of `0..len`, cut at multiples of `grain`.
    #[inline]
    pub fn share(&self, len: usize, grain: usize) -> Range<usize> {
        share(self.index, self.count, len, grain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn workers_meet_and_see_what_others_wrote() {
        for count in [1, 2, 3, 8, 9, 13, 16] {
            let mut numbers = vec![0u64; count];
            let shared = Shared::new(&mut numbers);
            let wrong = AtomicU64::new(0);
            run(count, |worker| {
                for round in 1..=500 {
                    // SAFETY: each worker writes its own element; all are read only after the meeting.
                    unsafe { shared.write(worker.index..worker.index + 1)[0] = round };
                    worker.meet();
                    // SAFETY: nobody writes before the next meeting.
                    let seen = unsafe { shared.read(0..count) };
                    if seen.iter().any(|&x| x != round) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                    worker.meet();
                }
            });
            assert_eq!(wrong.into_inner(), 0);
            assert_eq!(numbers, vec![500; count]);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_nobody_hangs() {
        let outcome = std::panic::catch_unwind(|| {
            run(4, |worker| {
                assert!(worker.index != 2, "on purpose");
                worker.meet();
            });
        });
        // The one that tells why, not those of the others at the barrier.
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"on purpose"));
        run(4, |worker| worker.meet());
    }
}
