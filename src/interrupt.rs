//! Work that may have to end before it is done: Ctrl-C, a limit of time, the end of the process.
//!
//! Long work looks now and then whether to go on. Only the thread that was called asks the outside (Python's signals reach no
//! other one), by the clock; all others look at the flag that it sets. What was begun is then left as it is, and the caller
//! learns that it is not whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How often the outside is asked.
const ASK: Duration = Duration::from_millis(30);

/// What asks the outside: why to stop, if so.
type Question = Box<dyn FnMut() -> Option<Stop> + Send>;

/// Whether a piece of work is to end, shared by all threads that do it.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<Asked>>);

struct Asked {
    raised: AtomicBool,
    reason: OnceLock<Stop>,
    begin: Instant,
    /// Nanoseconds from the beginning to the last question.
    last: AtomicU64,
    question: Mutex<Question>,
}

impl Interrupt {
    /// For work too short to be interrupted: nobody is asked.
    pub fn never() -> Self {
        Interrupt(None)
    }

    /// Asks that question.
    pub fn new(question: impl FnMut() -> Option<Stop> + Send + 'static) -> Self {
        Interrupt(Some(Arc::new(Asked {
            raised: AtomicBool::new(false),
            reason: OnceLock::new(),
            begin: Instant::now(),
            last: AtomicU64::new(0),
            question: Mutex::new(Box::new(question)),
        })))
    }

    /// Whether the work is to end, as far as it is known.
    #[inline]
    pub fn is_raised(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked.raised.load(Ordering::Relaxed))
    }

    /// Why.
    pub fn reason(&self) -> Option<Stop> {
        self.0.as_ref().and_then(|asked| asked.reason.get().copied())
    }

    /// The caller's thread: asks, if it is time to; whether the work is to end.
    pub fn look(&self) -> bool {
        let Some(asked) = &self.0 else { return false };
        if asked.raised.load(Ordering::Relaxed) {
            return true;
        }
        let now = asked.begin.elapsed();
        let since = now.saturating_sub(Duration::from_nanos(asked.last.load(Ordering::Relaxed)));
        if since < ASK {
            return false;
        }
        let reason = asked.question.lock().unwrap_or_else(PoisonError::into_inner)();
        // The answer may have taken long: a signal's handler is Python.
        asked.last.store(asked.begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        let Some(reason) = reason else { return false };
        // Nobody else asks, so nobody else has a reason.
        let _ = asked.reason.set(reason);
        asked.raised.store(true, Ordering::Relaxed);
        true
    }

    /// What one of the threads looks with; `asks` for the caller's.
    pub fn lookout(&self, asks: bool) -> Lookout {
        Lookout { interrupt: self.clone(), asks }
    }
}

/// One thread's view of an [`Interrupt`].
#[derive(Clone, Default)]
pub struct Lookout {
    interrupt: Interrupt,
    asks: bool,
}

impl Lookout {
    /// Whether somebody has already found out that the work is to end: nobody is asked, so it takes no time.
    #[inline]
    pub fn knows_stop(&self) -> bool {
        self.interrupt.is_raised()
    }

    /// Whether the work is to end; asks where this thread does.
    #[inline]
    pub fn says_stop(&self) -> bool {
        if self.asks { self.interrupt.look() } else { self.interrupt.is_raised() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_asks_by_the_clock_and_the_others_learn_of_it() {
        let mut asked = 0;
        let interrupt = Interrupt::new(move || {
            asked += 1;
            (asked == 2).then_some(Stop::MaxTime)
        });
        let (caller, other) = (interrupt.lookout(true), interrupt.lookout(false));
        let begin = Instant::now();
        while !caller.says_stop() {
            assert!(!other.says_stop() && interrupt.reason().is_none());
        }
        assert!(begin.elapsed() >= 2 * ASK);
        assert!(other.says_stop());
        assert_eq!(interrupt.reason(), Some(Stop::MaxTime));
    }

    #[test]
    fn short_work_is_never_interrupted() {
        assert!(!Interrupt::never().lookout(true).says_stop());
    }
}
