//! Where the workers of a team agree whether to go on.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::interrupt::Interrupt;
use crate::team::Worker;

/// Meetings after which either all workers go on or none.
///
/// A worker that finds the [`Interrupt`] raised may break off what it computes, but must still come to the next meeting. Before
/// that the leader, who alone raises it, has written down whether this is the one after which all leave: by its number, so that
/// a slow worker does not take the next one's decision for this one's.
pub struct Agreement {
    interrupt: Interrupt,
    end: AtomicUsize,
}

impl Agreement {
    /// On that interrupt.
    pub fn new(interrupt: Interrupt) -> Self {
        Agreement { interrupt, end: AtomicUsize::new(0) }
    }

    /// What it is about.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Meets the others; true where all are to leave. After long work the leader comes last, and looks around while it waits.
    #[inline]
    pub fn meet(&self, worker: &mut Worker, after_long_work: bool) -> bool {
        if worker.index == 0 {
            if after_long_work {
                worker.wait_for_others(|| {
                    self.interrupt.look();
                });
            }
            if self.interrupt.is_raised() {
                self.end.store(worker.meetings() + 1, Ordering::Relaxed);
            }
        }
        worker.meet();
        self.end.load(Ordering::Relaxed) == worker.meetings()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::Stop;
    use crate::team::run;
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    #[test]
    fn all_leave_after_the_same_meeting() {
        for count in [1, 2, 3, 8] {
            for long in [false, true] {
                let agreement = Agreement::new(Interrupt::new(|| Some(Stop::MaxTime)));
                let left = AtomicUsize::new(0);
                run(count, |worker| {
                    let mut meetings = 0;
                    loop {
                        agreement.interrupt().lookout(worker.index == 0).says_stop();
                        meetings += 1;
                        if agreement.meet(worker, long) {
                            break;
                        }
                    }
                    if worker.index == 0 {
                        left.store(meetings, Ordering::Relaxed);
                    }
                    worker.meet();
                    assert_eq!(left.load(Ordering::Relaxed), meetings);
                });
            }
        }
    }

    #[test]
    fn the_leader_looks_while_others_are_late() {
        let agreement = Agreement::new(Interrupt::new(|| Some(Stop::Interrupted)));
        let begin = Instant::now();
        run(2, |worker| {
            let lookout = agreement.interrupt().lookout(false);
            while worker.index == 1 && !lookout.says_stop() {
                std::thread::sleep(Duration::from_millis(1));
                assert!(begin.elapsed() < Duration::from_secs(60));
            }
            assert!(agreement.meet(worker, true));
        });
    }
}
