//! Parts of a piece of work on several threads.

use std::sync::{Mutex, PoisonError};

use crate::team;

/// The order of the parts. Every pass begins where the last one ended: what it finds there is still in the cache.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    /// From first to last.
    Forward,
    /// From last to first.
    Backward,
}

impl Direction {
    /// Of the update in this step.
    pub fn of_update(step: u64) -> Direction {
        if step.is_multiple_of(2) { Direction::Forward } else { Direction::Backward }
    }

    /// Of a look at the gradients before it.
    pub fn of_look(step: u64) -> Direction {
        if step.is_multiple_of(2) { Direction::Backward } else { Direction::Forward }
    }
}

/// Calls `work` for every part, with so many threads.
///
/// Each thread has parts of its own, always the same ones, so that they may stay in its cache; after those it takes what others
/// have left, from their other end: one that has to be woken first delays nobody.
pub(super) fn in_parallel<P: Send>(parts: Vec<P>, threads: usize, direction: Direction, work: impl Fn(P) + Sync) {
    let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
    let take = |part: usize| {
        let part = parts[part].lock().unwrap_or_else(PoisonError::into_inner).take();
        part.into_iter().for_each(&work);
    };
    team::run(threads, |worker| {
        let own = worker.share(parts.len(), 1);
        let others = (own.end..parts.len()).chain(0..own.start);
        match direction {
            Direction::Forward => own.chain(others.rev()).for_each(take),
            Direction::Backward => own.rev().chain(others).for_each(take),
        }
    });
}
