//! The threads that a team rents.
//!
//! All of them are one stock, of which any number is rented at a time; the last ones that were given back are rented first, so
//! that the same piece of work finds the same threads. What is missing is started, as far as the system has threads to give. A
//! thread that nobody has rented for some seconds ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::barrier::FORSAKEN;
use crate::affinity::Affinity;
use crate::per_process::{PerProcess, is_forked};

/// Threads that do one piece of work together with whoever rents them.
#[derive(Default)]
pub struct Crew(Vec<Hand>);

/// One of them.
struct Hand {
    thread: Thread,
    duty: Arc<Duty>,
}

/// What a hand is told.
#[derive(Default)]
struct Duty {
    /// What to do next, if not null.
    task: AtomicPtr<Task>,
    /// As which worker: written before the task.
    index: AtomicUsize,
    /// Whether to end instead.
    ends: AtomicBool,
}

/// A piece of work. It lives on the stack of the caller, who does not leave before `left` is 0.
struct Task {
    work: *const (dyn Fn(usize) + Sync),
    /// How many hands have not finished.
    left: AtomicUsize,
    panic: Mutex<Option<Panic>>,
    caller: Thread,
    /// Where the caller may run, and so the hands that work for it: they may have been started by somebody who was confined.
    affinity: Option<Affinity>,
}

/// What a thread has panicked with.
pub type Panic = Box<dyn std::any::Any + Send>;

/// How often a thread looks for something to happen before it sleeps: some 50 microseconds.
const PATIENCE: usize = 4000;
/// A hand that nobody has rented for so long ends.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// What a thread that waits in vain does on Apple's systems where it was forked: what it sleeps on there was its parent's.
const FORKED_SLEEP: Duration = Duration::from_micros(50);

/// Returns when `happened` does; whoever makes it happen has to unpark this thread.
fn wait_until(mut happened: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if happened() {
            return;
        }
        std::hint::spin_loop();
    }
    while !happened() {
        if cfg!(target_vendor = "apple") && is_forked() {
            thread::sleep(FORKED_SLEEP);
        } else {
            thread::park();
        }
    }
}

impl Crew {
    /// A crew of so many threads, or of as many as the system gives.
    pub fn rent(threads: usize) -> Crew {
        if threads == 0 {
            return Crew::default();
        }
        let mut stock = idle();
        let kept = stock.len().saturating_sub(threads);
        let mut hands = stock.split_off(kept);
        drop(stock);
        let missing = threads - hands.len();
        let mut started: Vec<_> = (0..missing).map_while(|_| Hand::start().ok()).collect();
        if started.len() < missing {
            // These were the last ones that the system had: others need some, too.
            started.truncate(started.len() / 2);
        }
        hands.append(&mut started);
        Crew(hands)
    }

    /// Ends the rent.
    pub fn give_back(mut self) {
        if self.len() > 0 {
            idle().append(&mut self.0);
        }
    }

    /// How many threads it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Calls `work(0)` here and `work(1)`, `work(2)`, ... on the crew; returns what one of them has panicked with.
    pub fn run(&self, work: &(dyn Fn(usize) + Sync)) -> Option<Panic> {
        // SAFETY: only the lifetime changes, and this function outlives every use of the task.
        let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        let left = AtomicUsize::new(self.0.len());
        let (caller, affinity) = (thread::current(), Affinity::current());
        let mut task = Task { work, left, panic: Mutex::new(None), caller, affinity };
        let shared: *mut Task = &mut task;
        for (index, Hand { thread, duty }) in self.0.iter().enumerate() {
            duty.index.store(index + 1, Ordering::Relaxed);
            duty.task.store(shared, Ordering::Release);
            thread.unpark();
        }
        let own = catch_unwind(AssertUnwindSafe(|| work(0))).err();
        // SAFETY: it lives, and is only read until all hands have finished.
        let task = unsafe { &*shared };
        wait_until(|| task.left.load(Ordering::Acquire) == 0);
        let theirs = task.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        first(own, theirs)
    }
}

/// The panic that tells more: others at a barrier panic only because one of them has.
fn first(one: Option<Panic>, other: Option<Panic>) -> Option<Panic> {
    match (one, other) {
        (Some(one), Some(other)) if one.downcast_ref() == Some(&FORSAKEN) => Some(other),
        (one, other) => one.or(other),
    }
}

impl Hand {
    /// Starts a thread, or fails where the system has none to give.
    fn start() -> std::io::Result<Hand> {
        let duty = Arc::<Duty>::default();
        let handle = thread::Builder::new().name("schuss-team".into());
        let handle = handle.spawn({
            let duty = Arc::clone(&duty);
            move || duty.serve()
        })?;
        Ok(Hand { thread: handle.thread().clone(), duty })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.duty.ends.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Duty {
    /// One task after the other.
    fn serve(self: Arc<Self>) {
        while let Some(task) = self.next() {
            // SAFETY: the caller keeps the task until `left` is 0, which takes this thread.
            let task: &Task = unsafe { &*task };
            let caller = task.caller.clone();
            task.affinity.iter().for_each(|affinity| affinity.adopt());
            let index = self.index.load(Ordering::Relaxed);
            // SAFETY: as above.
            let done = catch_unwind(AssertUnwindSafe(|| unsafe { &*task.work }(index)));
            if let Err(payload) = done {
                let mut panic = task.panic.lock().unwrap_or_else(PoisonError::into_inner);
                *panic = first(panic.take(), Some(payload));
            }
            // The last use of the task.
            if task.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                caller.unpark();
            }
        }
    }

    /// The next task, when there is one; None where this is the end.
    fn next(self: &Arc<Self>) -> Option<*mut Task> {
        for _ in 0..PATIENCE {
            if let Some(task) = self.take() {
                return Some(task);
            }
            std::hint::spin_loop();
        }
        let mut since = Instant::now();
        loop {
            if let Some(task) = self.take() {
                return Some(task);
            }
            if self.ends.load(Ordering::Acquire) {
                return None;
            }
            match IDLE_TIME.checked_sub(since.elapsed()) {
                Some(left) if !left.is_zero() => thread::park_timeout(left),
                _ => {
                    self.resign();
                    since = Instant::now();
                }
            }
        }
    }

    fn take(&self) -> Option<*mut Task> {
        // Only looked at while there is nothing: others must not have to fetch the line back.
        if self.task.load(Ordering::Acquire).is_null() {
            return None;
        }
        Some(self.task.swap(std::ptr::null_mut(), Ordering::Acquire))
    }

    /// Leaves the stock, which makes this the end, unless it is rented just now.
    fn resign(self: &Arc<Self>) {
        let left = {
            let mut stock = idle();
            let place = stock.iter().position(|hand| Arc::ptr_eq(&hand.duty, self));
            place.map(|place| stock.remove(place))
        };
        drop(left);
    }
}

/// Hands that nobody rents, the last of them given back last.
static IDLE: PerProcess<Mutex<Vec<Hand>>> = PerProcess::new();

fn idle() -> MutexGuard<'static, Vec<Hand>> {
    IDLE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_rented_from_one_stock() {
        let threads = |crew: &Crew| crew.0.iter().map(|hand| hand.thread.id()).collect::<Vec<_>>();
        let rented = |count| {
            let crew = Crew::rent(count);
            assert_eq!(crew.len(), count);
            assert!(crew.run(&|_| ()).is_none());
            let all = threads(&crew);
            crew.give_back();
            all
        };
        // Others may rent the same ones in between, but not every time.
        let again = (0..100).any(|_| {
            let five = rented(5);
            rented(3).iter().all(|thread| five.contains(thread))
        });
        assert!(again);
    }

    #[test]
    fn every_worker_has_its_own_number() {
        let crew = Crew::rent(7);
        let seen = Mutex::new(vec![]);
        crew.run(&|index| seen.lock().unwrap().push(index));
        crew.give_back();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }
}
