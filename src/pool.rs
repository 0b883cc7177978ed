//! Fork-join work, by rayon: parts that know nothing of each other, some of them at the same time, and all done at the end.
//!
//! Work whose threads meet in between belongs to [`crate::team`].
//!
//! The threads are those of one pool of this library's own. rayon's global pool would not do: its size is fixed when it is
//! first used, by whoever comes first, and a forked child inherits it without its threads and waits for them for ever.
//!
//! A caller waits for the helpers that have come, and for no other: where all threads are busy with somebody else's long work, it
//! does its own alone. No Python runs in the pool, whose threads would wait for the interpreter.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::affinity::Affinity;
use crate::cores::cores;
use crate::per_process::PerProcess;
use crate::simd::FlushDenormals;

/// Calls `work` for every part, on up to `threads` threads of which the caller is one, and returns when all is done.
///
/// Denormals are flushed to zero meanwhile, in every thread. A panic in one of the parts becomes a panic of the caller.
pub fn for_each<P: Send>(parts: Vec<P>, threads: usize, work: impl Fn(P) + Sync) {
    share_out(parts, threads, |_, parts| parts.for_each(&work));
}

/// The same with one call of `work` for each thread, given whether it is the caller's and the parts that it takes, one after the
/// other: for what a thread has to prepare.
pub fn share_out<P: Send>(parts: Vec<P>, threads: usize, work: impl Fn(bool, &mut dyn Iterator<Item = P>) + Sync) {
    let pool = if threads.min(parts.len()) > 1 { pool() } else { None };
    let Some(pool) = pool else {
        let _flushed = FlushDenormals::new();
        return work(true, &mut parts.into_iter());
    };
    // Behind long work no more jobs gather than there are threads.
    let free = pool.threads.current_num_threads().saturating_sub(pool.waiting.load(Ordering::Relaxed));
    let helpers = free.min(threads - 1).min(parts.len() - 1);
    let parts = Mutex::new(parts.into_iter());
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let task = |is_caller| {
        let _flushed = FlushDenormals::new();
        work(is_caller, &mut std::iter::from_fn(next));
    };
    let affinity = Affinity::current();
    let help = || {
        affinity.iter().for_each(|affinity| affinity.adopt());
        task(false);
    };
    // SAFETY: it is closed below, whatever panics in between.
    let call = unsafe { Call::new(&help) };
    for _ in 0..helpers {
        let (call, waiting) = (call.clone(), pool.waiting.clone());
        waiting.fetch_add(1, Ordering::Relaxed);
        pool.threads.spawn(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            call.help();
        });
    }
    // The caller begins at once: helpers that have to be woken first delay nobody.
    let own = catch_unwind(AssertUnwindSafe(|| task(true))).err();
    if let Some(panic) = own.or(call.close()) {
        resume_unwind(panic);
    }
}

/// What a thread has panicked with.
type Panic = Box<dyn std::any::Any + Send>;

/// A call that threads of the pool may help with, until it is closed.
struct Call {
    /// It is there until the call is closed.
    help: *const (dyn Fn() + Sync),
    inside: Mutex<Inside>,
    left: Condvar,
}

/// Who is in a call.
#[derive(Default)]
struct Inside {
    closed: bool,
    helpers: usize,
    panic: Option<Panic>,
}

// SAFETY: what `help` points to may be called by all threads.
unsafe impl Send for Call {}
// SAFETY: as above.
unsafe impl Sync for Call {}

impl Call {
    /// # Safety
    /// It has to be closed before `help` ends.
    unsafe fn new(help: &(dyn Fn() + Sync)) -> Arc<Self> {
        // SAFETY: only the lifetime changes; nobody follows the pointer once the call is closed.
        let help = unsafe { std::mem::transmute::<*const (dyn Fn() + Sync), *const (dyn Fn() + Sync)>(help) };
        Arc::new(Call { help, inside: Mutex::default(), left: Condvar::new() })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes in, helps and leaves; nothing where the call is closed.
    fn help(&self) {
        let mut inside = self.inside();
        if inside.closed {
            return;
        }
        inside.helpers += 1;
        drop(inside);
        // SAFETY: the call is closed by nobody before this thread has left.
        let panic = catch_unwind(AssertUnwindSafe(|| unsafe { (*self.help)() })).err();
        let mut inside = self.inside();
        inside.helpers -= 1;
        inside.panic = inside.panic.take().or(panic);
        if inside.helpers == 0 {
            self.left.notify_one();
        }
    }

    /// Lets nobody in any more, and returns when all helpers have left; what one of them has panicked with.
    fn close(&self) -> Option<Panic> {
        let mut inside = self.inside();
        inside.closed = true;
        let wait = self.left.wait_while(inside, |inside| inside.helpers > 0);
        wait.unwrap_or_else(PoisonError::into_inner).panic.take()
    }
}

/// What `find` returns for the first of the ranges that together are `0..len`, each of `grain` but the last, for which it
/// returns anything.
pub fn find_first<R: Send>(
    len: usize,
    grain: usize,
    threads: usize,
    find: impl Fn(Range<usize>) -> Option<R> + Sync,
) -> Option<R> {
    if len <= grain {
        return find(0..len);
    }
    let range = |start: usize| start..len.min(start + grain);
    let mut found: Vec<_> = (0..len).step_by(grain).map(|start| (range(start), None)).collect();
    for_each(found.iter_mut().collect(), threads, |(range, found)| *found = find(range.clone()));
    found.into_iter().find_map(|(_, found)| found)
}

/// The pool of this process, as soon as it needs one: an inherited one has no threads.
static POOL: PerProcess<Mutex<Pool>> = PerProcess::new();

#[derive(Default)]
struct Pool {
    threads: Option<Arc<Threads>>,
    /// How many threads were asked for; the system may have given fewer.
    asked: usize,
}

/// The threads, and how many jobs none of them has begun.
struct Threads {
    threads: ThreadPool,
    waiting: Arc<AtomicUsize>,
}

/// A thread for each core but the caller's; None where there is only one core or the system has no thread to give.
///
/// Where the process is granted more cores later on, a larger pool takes the place of the smaller, which ends with the last
/// work that it has. Where it loses some, `threads` of each call says so.
fn pool() -> Option<Arc<Threads>> {
    let wanted = cores() - 1;
    let mut pool = POOL.get().lock().unwrap_or_else(PoisonError::into_inner);
    if wanted > pool.asked {
        pool.asked = wanted;
        let before = pool.threads.as_ref().map_or(0, |pool| pool.threads.current_num_threads());
        if let Some(threads) = start(wanted).filter(|threads| threads.current_num_threads() > before) {
            pool.threads = Some(Arc::new(Threads { threads, waiting: Arc::default() }));
        }
    }
    pool.threads.clone()
}

/// A pool of so many threads, or of a half, a quarter, ... where the system does not give as many.
fn start(threads: usize) -> Option<ThreadPool> {
    let sizes = std::iter::successors(Some(threads), |threads| Some(threads / 2)).take_while(|&threads| threads > 0);
    let build =
        |threads| ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("schuss-pool-{i}")).build();
    sizes.map(build).find_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    #[test]
    fn every_part_is_done_once_for_any_number_of_threads() {
        for threads in [1, 2, 3, 16] {
            for len in [0, 1, 2, 1000] {
                let mut numbers = vec![0; len];
                for_each(numbers.iter_mut().enumerate().collect(), threads, |(i, to)| *to += i + 1);
                assert!(numbers.iter().enumerate().all(|(i, &number)| number == i + 1));
            }
        }
    }

    #[test]
    fn no_more_threads_take_part_than_the_call_allows() {
        for threads in [1, 2] {
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            for_each(vec![(); 1000], threads, |()| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                now.fetch_sub(1, Ordering::SeqCst);
            });
            assert!(most.into_inner() <= threads);
        }
    }

    #[test]
    fn work_in_the_pool_may_use_the_pool() {
        let sum = AtomicUsize::new(0);
        for_each((0..20).collect(), 4, |i: usize| {
            for_each((0..20).collect(), 4, |j: usize| {
                for_each(vec![1, 2, 3], 4, |k: usize| {
                    sum.fetch_add(i * j * k, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(sum.into_inner(), 190 * 190 * 6);
    }

    #[test]
    fn nobody_waits_for_the_long_work_of_others() {
        let everybody = 1 + pool().map_or(0, |pool| pool.threads.current_num_threads());
        if everybody == 1 {
            return; // one core has no pool
        }
        let short_beside_long = || {
            let (started, go_on) = (AtomicUsize::new(0), AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for_each(vec![(); 4 * everybody], everybody, |()| {
                        started.fetch_add(1, Ordering::SeqCst);
                        while !go_on.load(Ordering::SeqCst) {
                            std::thread::yield_now();
                        }
                    });
                });
                let soon = Instant::now() + Duration::from_secs(2);
                while started.load(Ordering::SeqCst) < everybody && Instant::now() < soon {
                    std::thread::yield_now();
                }
                let all_are_busy = started.load(Ordering::SeqCst) == everybody;
                let (send, done) = std::sync::mpsc::channel();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        for_each(vec![(); 64], 4, |()| ());
                    }
                    let waiting = pool().map_or(0, |pool| pool.waiting.load(Ordering::SeqCst));
                    send.send(waiting).unwrap();
                });
                let short = done.recv_timeout(Duration::from_secs(20));
                go_on.store(true, Ordering::SeqCst);
                (all_are_busy, short.expect("a short call that does not wait for the long one"))
            })
        };
        // Where other tests keep the pool's threads, the long work has its caller alone: it is tried again.
        let tried = (0..20).map(|_| short_beside_long()).find(|(all_are_busy, _)| *all_are_busy);
        if let Some((_, waiting)) = tried {
            // Other tests use the pool meanwhile.
            assert!(waiting < 10 * everybody, "{waiting} jobs wait");
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for bad in [0, 7, 63] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                for_each((0..64).collect(), 4, |part: usize| assert!(part != bad, "part {part} on purpose"));
            }));
            let message = *outcome.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("part {bad} on purpose"));
        }
        let done = AtomicUsize::new(0);
        for_each(vec![(); 64], 4, |()| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 64);
    }

    #[test]
    fn denormals_are_zero_in_every_part_and_as_before_afterwards() {
        let halved = || std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
        let before = halved();
        for_each(vec![(); 64], 4, |()| assert_eq!(halved(), 0.0));
        assert_eq!(halved(), before);
        assert!(before > 0.0);
    }

    #[test]
    fn the_first_find_counts_whoever_is_faster() {
        let found = |from: usize| find_first(1000, 10, 4, |range| range.into_iter().find(|&i| i >= from));
        assert_eq!([found(0), found(5), found(995), found(1000)], [Some(0), Some(5), Some(995), None]);
        assert_eq!(find_first(0, 10, 4, |range| range.into_iter().next()), None);
    }

    #[test]
    fn a_pool_is_as_large_as_the_system_lets_it_be() {
        assert_eq!(start(3).unwrap().current_num_threads(), 3);
        assert!(start(0).is_none());
    }
}
