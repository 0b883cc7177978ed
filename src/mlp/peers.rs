//! Other processes that train with this one.

use std::ops::Range;

use crate::error::Result;

/// Which step is to be made.
#[derive(Debug, Clone, Copy)]
pub struct StepToCome {
    /// The number of its epoch, which tells the order of the rows.
    pub epoch: u64,
    /// How many epochs of the same training are done.
    pub epochs_done: u64,
    /// Its first row, of the epoch's order.
    pub row: usize,
}

/// The processes that train together, each of which has called [`fit`](super::trainer::fit) with the same arguments: what they
/// tell each other. All of them make the same calls in the same order.
pub trait Peers {
    /// To those who compute shards for this process, which has none of its own: the parameters, and which step it is.
    fn begin_step(&mut self, _params: &[u8], _step: &StepToCome) -> Result<()> {
        Ok(())
    }
    /// To a process that collects.
    fn send(&mut self, bytes: &[u8], to: usize) -> Result<()>;
    /// From a process that contributes.
    fn receive(&mut self, bytes: &mut [u8], from: usize) -> Result<()>;
    /// From each to each: of what this one has, the bytes that are for each, and where what comes from each goes.
    fn swap(&mut self, mine: &[u8], parts: &[Range<usize>], theirs: &mut [u8], places: &[Range<usize>]) -> Result<()>;
    /// From each to all: what this one has, and where what comes from each goes.
    fn spread(&mut self, mine: &[u8], all: &mut [u8], places: &[Range<usize>]) -> Result<()>;
    /// From each to all: what this one has, and what all have, one after the other.
    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()>;
}
