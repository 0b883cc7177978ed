//! How many cores this process may use.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// For how many milliseconds an answer is used again.
const FRESH: u64 = 100;

/// The number of cores that this process may use: affinity and cgroup limits respected.
///
/// To find out takes longer than many an optimizer's step, so the answer may be a tenth of a second old.
pub fn cores() -> usize {
    // The answer and the millisecond of its birth in one word: a lock that is held while the system is asked would stay locked
    // in a child that is forked meanwhile.
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    const BITS: u32 = 16;
    // Where somebody sets the clock back, the age is negative, which is more than any: the system is asked again.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let known = KNOWN.load(Ordering::Relaxed);
    if known != 0 && now.wrapping_sub(known >> BITS) < FRESH {
        return (known & ((1 << BITS) - 1)) as usize;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from).min((1 << BITS) - 1);
    KNOWN.store(now << BITS | cores as u64, Ordering::Relaxed);
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
