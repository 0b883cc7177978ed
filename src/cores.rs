//! How many cores this process may use.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// For how long an answer is used again.
const FRESH: Duration = Duration::from_millis(100);

/// The number of cores that this process may use: affinity and cgroup limits respected.
///
/// To find out takes longer than many an optimizer's step, so the answer may be a tenth of a second old. It is the calling thread's:
/// affinity is.
pub fn cores() -> usize {
    thread_local! {
        static KNOWN: Cell<Option<(Instant, usize)>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if let Some((_, cores)) = KNOWN.get().filter(|(at, _)| now.saturating_duration_since(*at) < FRESH) {
        return cores;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    KNOWN.set(Some((now, cores)));
    cores
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
