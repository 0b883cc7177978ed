//! The threads that a team rents.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use crate::per_process::PerProcess;

/// Threads that do one piece of work together with whoever rents them.
#[derive(Default)]
pub struct Crew(Vec<Hand>);

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

/// What a thread has panicked with.
pub type Panic = Box<dyn std::any::Any + Send>;

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
    /// A crew of so many threads, or of as many as the system gives.
    pub fn rent(threads: usize) -> Crew {
        if threads == 0 {
            return Crew::default();
        }
        let mut idle = idle();
        if let Some(found) = idle.iter().position(|crew| crew.len() == threads) {
            return idle.swap_remove(found);
        }
        drop(idle);
        Crew((1..=threads).map_while(|index| Hand::start(index).ok()).collect())
    }

    /// Ends the rent.
    pub fn give_back(self) {
        if self.len() > 0 {
            idle().push(self);
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

/// Crews that nobody rents.
static IDLE: PerProcess<Mutex<Vec<Crew>>> = PerProcess::new();

fn idle() -> MutexGuard<'static, Vec<Crew>> {
    IDLE.get().lock().unwrap_or_else(PoisonError::into_inner)
}
