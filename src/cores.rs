//! How many cores this process may use.

use std::cell::Cell;
use std::num::NonZero;
use std::thread::{self, LocalKey};
use std::time::{Duration, Instant};

/// For how long an answer is used again: to ask takes longer than to wake another thread.
const FRESH: Duration = Duration::from_millis(100);

/// The number of cores that this process may use: affinity and cgroup limits respected.
///
/// To find out takes longer than many an optimizer's step, so the answer may be a tenth of a second old. It is the calling thread's:
/// affinity is.
pub fn cores() -> usize {
    thread_local! {
        static KNOWN: Cell<Option<(Instant, NonZero<usize>)>> = const { Cell::new(None) };
    }
    recent(&KNOWN, || thread::available_parallelism().ok()).map_or(1, usize::from)
}

/// What the system has last told this thread, or tells now where that is long ago; None where it does not tell.
pub fn recent<T: Copy>(
    known: &'static LocalKey<Cell<Option<(Instant, T)>>>,
    ask: impl FnOnce() -> Option<T>,
) -> Option<T> {
    let now = Instant::now();
    if let Some((_, answer)) = known.get().filter(|(at, _)| now.saturating_duration_since(*at) < FRESH) {
        return Some(answer);
    }
    let answer = ask()?;
    known.set(Some((now, answer)));
    Some(answer)
}

/// The most threads that one piece of work ever gets, whatever was asked for: a few for each core. More would only wait for each
/// other, and take the system's threads from everybody else.
pub fn most_threads() -> usize {
    (4 * cores()).max(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_systems_also_where_it_is_remembered() {
        let asked = thread::available_parallelism().unwrap().get();
        assert_eq!([cores(), cores()], [asked; 2]);
        assert!((16..=16.max(4 * asked)).contains(&most_threads()));
    }
}
