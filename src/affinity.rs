//! Which cores a thread may run on.

pub use self::system::Affinity;

#[cfg(target_os = "linux")]
mod system {
    use std::cell::Cell;
    use std::time::Instant;

    use crate::cores::recent;

    /// A machine with more processors than this keeps its threads as they were started.
    const PROCESSORS: usize = 1024;

    /// The cores that a thread may run on.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Affinity([u64; PROCESSORS / 64]);

    // Of the C library, which the standard library brings.
    unsafe extern "C" {
        fn sched_getaffinity(thread: i32, bytes: usize, mask: *mut u64) -> i32;
        fn sched_setaffinity(thread: i32, bytes: usize, mask: *const u64) -> i32;
    }

    thread_local! {
        static KNOWN: Cell<Option<(Instant, Affinity)>> = const { Cell::new(None) };
        static ADOPTED: Cell<Option<Affinity>> = const { Cell::new(None) };
    }

    impl Affinity {
        /// This thread's, which may be a tenth of a second old; None where the system does not tell.
        pub fn current() -> Option<Self> {
            recent(&KNOWN, Self::ask)
        }

        /// This thread's, as it is now.
        pub fn ask() -> Option<Self> {
            let mut mask = [0; PROCESSORS / 64];
            // SAFETY: the mask has so many bytes; 0 is this thread.
            let failed = unsafe { sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr()) } != 0;
            (!failed).then_some(Affinity(mask))
        }

        /// Lets this thread, which works for others only, run where another one may.
        pub fn adopt(self) {
            if ADOPTED.get() != Some(self) {
                // SAFETY: as above. Where the system refuses, the thread goes on where it is.
                unsafe { sched_setaffinity(0, size_of_val(&self.0), self.0.as_ptr()) };
                ADOPTED.set(Some(self));
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// The cores that a thread may run on: a system that does not tell leaves all to all.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Affinity(());

    impl Affinity {
        /// None.
        pub fn current() -> Option<Self> {
            None
        }

        /// Nothing to do.
        pub fn adopt(self) {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_where_another_one_may() {
        let mine = Affinity::ask().unwrap();
        assert_eq!(Affinity::current(), Some(mine));
        let adopted = std::thread::spawn(move || {
            mine.adopt();
            Affinity::ask()
        });
        assert_eq!(adopted.join().unwrap(), Some(mine));
    }
}
