//! Where the workers of a team meet.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting worker looks before it sleeps: some 20 microseconds, longer than a step's imbalance, shorter than
/// what a busy machine would miss.
const LOOKS: usize = 1500;
/// How long the leader of long work sleeps between two looks whether the others have come.
const NAP: Duration = Duration::from_micros(200);

/// What a worker panics with at a barrier where another one will not come, because it has panicked itself.
pub const FORSAKEN: &str = "another worker of the team has panicked";

/// Up to so many workers count themselves in one place; of more, groups do, and the last of each group in a second place.
const TOGETHER: usize = 8;
/// Workers of such a group.
const GROUP: usize = 4;

/// A cache line of its own, and the one that processors fetch with it: who waits for one number is not disturbed by another.
#[repr(align(128))]
#[derive(Default)]
struct Apart<T>(T);

/// Workers meet here, again and again: each time is a generation, counted from 1.
pub struct Barrier {
    count: usize,
    /// Workers of a group.
    group: usize,
    /// How many of each group have come.
    arrived: Vec<Apart<AtomicUsize>>,
    /// How many groups are complete.
    complete: Apart<AtomicUsize>,
    generation: Apart<AtomicUsize>,
    sleepers: Apart<AtomicUsize>,
    broken: AtomicBool,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Barrier {
    /// For so many workers.
    pub fn new(count: usize) -> Self {
        let group = if count > TOGETHER { GROUP } else { count.max(1) };
        Barrier {
            count,
            group,
            // One alone meets nobody.
            arrived: (0..if count > 1 { count.div_ceil(group) } else { 0 }).map(|_| Apart::default()).collect(),
            complete: Apart::default(),
            generation: Apart::default(),
            sleepers: Apart::default(),
            broken: AtomicBool::new(false),
            lock: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    /// The workers of a group.
    fn size(&self, group: usize) -> usize {
        self.group.min(self.count - group * self.group)
    }

    /// Counts a worker; whether it is the last one of all. The last one of a group takes its count back: none of them comes
    /// again before all have gone on.
    fn arrive(&self, index: usize) -> bool {
        let group = index / self.group;
        let Apart(arrived) = &self.arrived[group];
        if arrived.fetch_add(1, Ordering::AcqRel) + 1 < self.size(group) {
            return false;
        }
        arrived.store(0, Ordering::Relaxed);
        if self.arrived.len() == 1 {
            return true;
        }
        let Apart(complete) = &self.complete;
        if complete.fetch_add(1, Ordering::AcqRel) + 1 < self.arrived.len() {
            return false;
        }
        complete.store(0, Ordering::Relaxed);
        true
    }

    /// The worker of that number waits until all have come for the time of that number. Panics where one of them has panicked.
    pub fn wait(&self, index: usize, generation: usize) {
        let Apart(current) = &self.generation;
        if self.arrive(index) {
            // SeqCst here and in `sleep`: either this worker sees the sleeper, or the sleeper sees the new generation.
            current.store(generation, Ordering::SeqCst);
            if self.sleepers.0.load(Ordering::SeqCst) > 0 {
                self.wake();
            }
        } else {
            let open = (0..LOOKS).any(|_| {
                std::hint::spin_loop();
                current.load(Ordering::Acquire) == generation
            });
            if !open {
                self.sleep(generation);
            }
        }
        if self.broken.load(Ordering::Relaxed) {
            std::panic::panic_any(FORSAKEN);
        }
    }

    /// Worker 0 waits until all others have come for the next time, without coming itself, and calls `meanwhile` every now and
    /// then.
    pub fn wait_for_others(&self, mut meanwhile: impl FnMut()) {
        let all = || {
            self.arrived[0].0.load(Ordering::Acquire) + 1 == self.size(0)
                && self.complete.0.load(Ordering::Acquire) + 1 == self.arrived.len()
        };
        let here = || all() || self.broken.load(Ordering::Relaxed);
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
        self.sleepers.0.fetch_add(1, Ordering::SeqCst);
        while self.generation.0.load(Ordering::SeqCst) != generation && !self.broken.load(Ordering::SeqCst) {
            guard = self.woken.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.0.fetch_sub(1, Ordering::SeqCst);
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
