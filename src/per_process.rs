//! Values that every process makes for itself.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// How many forks, that somebody has told of, lie between this process and the first one.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// To be called in a forked child: its number may be that of its parent, where it is the first one of a container of its own.
#[cfg_attr(not(feature = "python"), allow(dead_code))]
pub fn has_forked() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

/// Whether this process has been forked, as far as somebody has told.
pub fn is_forked() -> bool {
    FORKS.load(Ordering::Relaxed) > 0
}

/// A value for threads and the locks around them, which a process must not take over from its parent: no thread survives a
/// fork, and a lock that another thread held at that moment stays locked for ever.
///
/// The child makes a value of its own, the first time that it asks, and forgets the inherited one without a look at it. Nothing
/// here is ever locked, so nothing is locked in the middle of a fork. (A child that is forked without Python's knowledge, and has
/// the number of an ancestor, would take the ancestor's value, if nobody in between has asked.)
pub struct PerProcess<T> {
    current: AtomicPtr<Owned<T>>,
}

/// The forks that led to a process, and its number.
type Process = (u32, u32);

struct Owned<T> {
    process: Process,
    value: T,
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    /// To be made in a `static`.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        PerProcess { current: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The value of this process.
    pub fn get(&self) -> &'static T {
        self.of((FORKS.load(Ordering::Relaxed), std::process::id()))
    }

    fn of(&self, process: Process) -> &'static T {
        let found = self.current.load(Ordering::Acquire);
        // SAFETY: a pointer in `current` is null, or of a box that nobody ever frees.
        if let Some(owned) = unsafe { found.as_ref::<'static>() }
            && owned.process == process
        {
            return &owned.value;
        }
        let made = Box::into_raw(Box::new(Owned { process, value: T::default() }));
        match self.current.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: as above.
            Ok(_) => unsafe { &(*made).value },
            Err(other) => {
                // SAFETY: nobody else has seen it.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: as above; another thread of this process was faster.
                unsafe { &(*other).value }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_process_has_one_value_and_its_child_another_even_while_the_parents_is_locked() {
        static VALUE: PerProcess<Mutex<u32>> = PerProcess::new();
        let mut parents = VALUE.of((0, 1)).lock().unwrap();
        *parents = 7;
        let childs = VALUE.of((0, 2));
        assert_eq!(*childs.lock().unwrap(), 0);
        *childs.lock().unwrap() = 5;
        assert_eq!(*VALUE.of((0, 2)).lock().unwrap(), 5);
        assert_eq!(*VALUE.of((1, 2)).lock().unwrap(), 0, "a child with its parent's number");
        assert_eq!(*parents, 7);
    }

    #[test]
    fn threads_that_ask_at_once_get_the_same_value() {
        static VALUE: PerProcess<Mutex<u32>> = PerProcess::new();
        std::thread::scope(|scope| {
            (0..8).for_each(|_| {
                scope.spawn(|| *VALUE.get().lock().unwrap() += 1);
            });
        });
        assert_eq!(*VALUE.get().lock().unwrap(), 8);
    }
}
