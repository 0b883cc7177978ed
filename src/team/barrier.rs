//! Where the workers of a team meet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting worker looks before it sleeps: some 20 microseconds, longer than a step's imbalance, shorter than
/// what a busy machine would miss.
const LOOKS: usize = 1500;
/// How long the leader of long work sleeps between two looks whether the others have come.
const NAP: Duration = Duration::from_micros(200);

/// Workers meet here, again and again: each time is a generation, counted from 1.
pub struct Barrier {
    count: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    sleepers: AtomicUsize,
    broken: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Barrier {
    /// For so many workers.
    pub fn new(count: usize) -> Self {
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

    /// Waits until all have come for the time of that number. Panics where one of them has panicked.
    pub fn wait(&self, generation: usize) {
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

    /// Waits until all but this one have come for the next time, without coming itself; calls `meanwhile` every now and then.
    ///
    /// For one and the same of the workers only, or two would wait for each other.
    pub fn wait_for_others(&self, mut meanwhile: impl FnMut()) {
        let here = || self.arrived.load(Ordering::Acquire) + 1 == self.count || self.broken.load(Ordering::Relaxed);
        for _ in 0..LOOKS {
            if here() {
                return;
            }
            std::hint::spin_loop();
        }
        while !here() {
            meanwhile();
            std::thread::sleep(NAP);
        }
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
pub struct ReleaseOnPanic<'a>(pub &'a Barrier);

impl Drop for ReleaseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
            self.0.wake();
        }
    }
}
