//! Values that every process makes for itself.

use std::sync::atomic::{AtomicPtr, Ordering};

/// A value for threads and the locks around them, which a process must not take over from its parent: no thread survives a
/// fork, and a lock that another thread held at that moment stays locked for ever.
///
/// The child makes a value of its own, the first time that it asks, and forgets the inherited one without a look at it. Nothing
/// here is ever locked, so nothing is locked in the middle of a fork. (A process whose number is that of an ancestor that has
/// ended would take the ancestor's value, if nobody in between has asked.)
pub struct PerProcess<T> {
    current: AtomicPtr<Owned<T>>,
}

struct Owned<T> {
    process: u32,
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
        self.of(std::process::id())
    }

    fn of(&self, process: u32) -> &'static T {
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
        let mut parents = VALUE.of(1).lock().unwrap();
        *parents = 7;
        let childs = VALUE.of(2);
        assert_eq!(*childs.lock().unwrap(), 0);
        *childs.lock().unwrap() = 5;
        assert_eq!(*VALUE.of(2).lock().unwrap(), 5);
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
