//! The worker team: the only door to rayon, and the barrier its workers meet at.
//!
//! A team is entered once for a whole piece of work (a fit, a prediction, one optimizer step on large arrays). The caller is
//! worker 0. The others come from a pool that is rented for as long as the team runs, so two teams never share a thread and
//! a worker that waits at a barrier always waits for workers that run.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::simd::FlushDenormals;

/// The number of cores that this process may use: affinity and cgroup limits respected.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `work` once on each of `count` workers, concurrently, and returns when all have.
///
/// Denormals are flushed to zero meanwhile, in every worker. A panic of a worker becomes a panic of the caller. Where the
/// system has no more threads to give, the team is smaller: `work` learns its size from [`Worker::count`].
pub fn run<F: Fn(&Worker) + Sync>(count: usize, work: F) {
    let pool = if count > 1 { rent(count - 1) } else { None };
    let count = if pool.is_some() { count } else { 1 };
    let barrier = Barrier::new(count);
    let work = |index| {
        let _flushed = FlushDenormals::new();
        let _release = ReleaseOnPanic(&barrier);
        work(&Worker { index, count, barrier: &barrier, generation: Cell::new(0) });
    };
    match pool {
        None => work(0),
        Some(pool) => {
            let work = &work;
            pool.in_place_scope(|scope| {
                for index in 1..count {
                    scope.spawn(move |_| work(index));
                }
                work(0);
            });
            give_back(pool);
        }
    }
}

/// One worker's place in its team.
pub struct Worker<'a> {
    /// 0 is the thread that called [`run`].
    pub index: usize,
    /// How many there are.
    pub count: usize,
    barrier: &'a Barrier,
    generation: Cell<usize>,
}

impl Worker<'_> {
    /// Waits until every worker has come here; what any wrote before is seen by all after.
    #[inline]
    pub fn meet(&self) {
        if self.count > 1 {
            let generation = self.generation.get() + 1;
            self.generation.set(generation);
            self.barrier.wait(generation);
        }
    }

    /// This worker's share of `0..len`, cut at multiples of `grain`.
    #[inline]
    pub fn share(&self, len: usize, grain: usize) -> Range<usize> {
        let grains = len.div_ceil(grain);
        let cut = |i: usize| (grains * i / self.count * grain).min(len);
        cut(self.index)..cut(self.index + 1)
    }
}

/// How often a waiting worker looks before it sleeps: some 20 microseconds, longer than a step's imbalance, shorter than
/// what a busy machine would miss.
const LOOKS: usize = 1500;

/// Workers meet here, again and again: each time is a generation, counted from 1.
struct Barrier {
    count: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    sleepers: AtomicUsize,
    broken: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Barrier {
    fn new(count: usize) -> Self {
        Barrier {
            count,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    fn wait(&self, generation: usize) {
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.count {
            self.arrived.store(0, Ordering::Relaxed);
            // SeqCst here and in `sleep`: either this worker sees the sleeper, or the sleeper sees the new generation.
            self.generation.store(generation, Ordering::SeqCst);
            if self.sleepers.load(Ordering::SeqCst) > 0 {
                self.wake();
            }
        } else {
            let open = (0..LOOKS).any(|_| {
                std::hint::spin_loop();
                self.generation.load(Ordering::Acquire) == generation
            });
            if !open {
                self.sleep(generation);
            }
        }
        assert!(!self.broken.load(Ordering::Relaxed), "another worker of the team has panicked");
    }

    #[cold]
    fn sleep(&self, generation: usize) {
        let mut guard = self.locked();
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) != generation && !self.broken.load(Ordering::SeqCst) {
            guard = self.woken.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    #[cold]
    fn wake(&self) {
        // Under the lock, so that nobody is between looking and sleeping.
        let _guard = self.locked();
        self.woken.notify_all();
    }

    fn locked(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees those who wait for a worker that panics.
struct ReleaseOnPanic<'a>(&'a Barrier);

impl Drop for ReleaseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
            self.0.wake();
        }
    }
}

/// Pools that nobody rents, each with the process that made it: threads do not survive a fork.
static IDLE: Mutex<Vec<(u32, ThreadPool)>> = Mutex::new(Vec::new());

fn rent(threads: usize) -> Option<ThreadPool> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    while let Some(stale) = idle.iter().position(|(process, _)| *process != here) {
        std::mem::forget(idle.swap_remove(stale));
    }
    if let Some(found) = idle.iter().position(|(_, pool)| pool.current_num_threads() == threads) {
        return Some(idle.swap_remove(found).1);
    }
    drop(idle);
    ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("schuss-{}", i + 1)).build().ok()
}

fn give_back(pool: ThreadPool) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push((std::process::id(), pool));
}

/// A slice that the workers of a team share, each writing to its own part.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    ptr: *mut T,
    len: usize,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: `Shared` only hands out parts through unsafe functions whose callers keep the parts apart.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares a slice for as long as it is borrowed.
    pub fn new(slice: &'a mut [T]) -> Self {
        Shared { ptr: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// How many elements the whole slice has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part to read.
    ///
    /// # Safety
    /// Until the workers meet next, nobody may write to the part.
    #[inline(always)]
    pub unsafe fn read(&self, part: Range<usize>) -> &'a [T] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part lies in the slice; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(self.ptr.add(part.start), part.len()) }
    }

    /// A part to write.
    ///
    /// # Safety
    /// Until the workers meet next, nobody else may read or write the part.
    #[inline(always)]
    pub unsafe fn write(&self, part: Range<usize>) -> &'a mut [T] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part lies in the slice; the caller keeps all others away.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(part.start), part.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn workers_meet_and_see_what_others_wrote() {
        for count in [1, 2, 3, 8] {
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
    fn shares_cover_everything_once() {
        for count in 1..9 {
            let barrier = Barrier::new(count);
            for len in [0, 1, 5, 64, 131] {
                let shares: Vec<_> = (0..count)
                    .map(|index| Worker { index, count, barrier: &barrier, generation: Cell::new(0) }.share(len, 4))
                    .collect();
                assert_eq!(shares[0].start, 0);
                assert_eq!(shares[count - 1].end, len);
                assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
            }
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
        assert!(outcome.is_err());
        run(4, |worker| worker.meet());
    }
}
