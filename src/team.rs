//! The worker team: the only place that starts threads, and the barrier its workers meet at.
//!
//! A team is entered once for a whole piece of work (a fit, a prediction, one optimizer step on large arrays). The caller is
//! worker 0. The others come from a crew that is rented for as long as the team runs, so two teams never share a thread and
//! a worker that waits at a barrier always waits for workers that run. A crew without work looks for some a little while
//! before it sleeps: the steps of a training loop follow each other closely, and waking a thread costs more than many a step.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::simd::FlushDenormals;

/// The number of cores that this process may use: affinity and cgroup limits respected.
///
/// To find out takes longer than many an optimizer's step, so the answer may be a tenth of a second old.
pub fn cores() -> usize {
    static KNOWN: Mutex<Option<(Instant, usize)>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match *known {
        Some((when, cores)) if when.elapsed() < Duration::from_millis(100) => cores,
        _ => {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            *known = Some((Instant::now(), cores));
            cores
        }
    }
}

/// Runs `work` once on each of `count` workers, concurrently, and returns when all have.
///
/// Denormals are flushed to zero meanwhile, in every worker. A panic of a worker becomes a panic of the caller. Where the
/// system has no more threads to give, the team is smaller: `work` learns its size from [`Worker::count`].
pub fn run<F: Fn(&Worker) + Sync>(count: usize, work: F) {
    let crew = if count > 1 { rent(count - 1) } else { Crew(vec![]) };
    let count = crew.0.len() + 1;
    let barrier = Barrier::new(count);
    let work = |index| {
        let _flushed = FlushDenormals::new();
        let _release = ReleaseOnPanic(&barrier);
        work(&Worker { index, count, barrier: &barrier, generation: Cell::new(0) });
    };
    if count == 1 {
        return work(0);
    }
    let panic = crew.run(&work);
    give_back(crew);
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

/// Threads that do one piece of work together with whoever rents them.
struct Crew(Vec<Hand>);

/// One of them.
struct Hand {
    thread: Thread,
    next: Arc<AtomicPtr<Task>>,
}

/// A piece of work. It lives on the stack of the caller, who does not leave before `left` is 0.
struct Task {
    work: *const (dyn Fn(usize) + Sync),
    /// How many hands have not finished.
    left: AtomicUsize,
    panic: Mutex<Option<Panic>>,
    caller: Thread,
}

type Panic = Box<dyn std::any::Any + Send>;

/// How often a thread looks for something to happen before it sleeps: some 50 microseconds.
const PATIENCE: usize = 4000;

/// Returns when `happened` does; whoever makes it happen has to unpark this thread.
fn wait_until(mut happened: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if happened() {
            return;
        }
        std::hint::spin_loop();
    }
    while !happened() {
        thread::park();
    }
}

impl Crew {
    /// Calls `work(0)` here and `work(1)`, `work(2)`, ... on the crew; returns what one of them has panicked with.
    fn run(&self, work: &(dyn Fn(usize) + Sync)) -> Option<Panic> {
        // SAFETY: only the lifetime changes, and this function outlives every use of the task.
        let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        let left = AtomicUsize::new(self.0.len());
        let mut task = Task { work, left, panic: Mutex::new(None), caller: thread::current() };
        let shared: *mut Task = &mut task;
        for hand in &self.0 {
            hand.next.store(shared, Ordering::Release);
            hand.thread.unpark();
        }
        let own = catch_unwind(AssertUnwindSafe(|| work(0))).err();
        // SAFETY: it lives, and is only read until all hands have finished.
        let task = unsafe { &*shared };
        wait_until(|| task.left.load(Ordering::Acquire) == 0);
        own.or_else(|| task.panic.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl Hand {
    /// Starts a thread, or fails where the system has none to give.
    fn start(index: usize) -> std::io::Result<Hand> {
        let next = Arc::new(AtomicPtr::default());
        let handle = thread::Builder::new().name(format!("schuss-{index}"));
        let handle = handle.spawn({
            let next = Arc::clone(&next);
            move || Self::serve(&next, index)
        })?;
        Ok(Hand { thread: handle.thread().clone(), next })
    }

    /// One task after the other, for ever.
    fn serve(next: &AtomicPtr<Task>, index: usize) {
        loop {
            let mut task = std::ptr::null_mut();
            wait_until(|| {
                task = next.load(Ordering::Acquire);
                !task.is_null()
            });
            next.store(std::ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: the caller keeps the task until `left` is 0, which takes this thread.
            let task: &Task = unsafe { &*task };
            let caller = task.caller.clone();
            // SAFETY: as above.
            let done = catch_unwind(AssertUnwindSafe(|| unsafe { &*task.work }(index)));
            if let Err(payload) = done {
                *task.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
            }
            // The last use of the task.
            if task.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                caller.unpark();
            }
        }
    }
}

/// Crews that nobody rents, each with the process that made it: threads do not survive a fork.
static IDLE: Mutex<Vec<(u32, Crew)>> = Mutex::new(Vec::new());

/// A crew of so many threads, or of as many as the system gives.
fn rent(threads: usize) -> Crew {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    while let Some(stale) = idle.iter().position(|(process, _)| *process != here) {
        std::mem::forget(idle.swap_remove(stale));
    }
    if let Some(found) = idle.iter().position(|(_, crew)| crew.0.len() == threads) {
        return idle.swap_remove(found).1;
    }
    drop(idle);
    Crew((1..=threads).map_while(|index| Hand::start(index).ok()).collect())
}

fn give_back(crew: Crew) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push((std::process::id(), crew));
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
