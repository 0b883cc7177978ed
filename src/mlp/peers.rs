//! Other processes that train with this one.

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
/// tell each other. All of them make the same calls in an order that fits: who sends has somebody who receives.
pub trait Peers {
    /// To those who compute shards for this process, which has none of its own: the parameters, and which step it is.
    fn begin_step(&mut self, _params: &[u8], _step: &StepToCome) -> Result<()> {
        Ok(())
    }
    /// To that process.
    fn send(&mut self, bytes: &[u8], to: usize) -> Result<()>;
    /// From that process.
    fn receive(&mut self, bytes: &mut [u8], from: usize) -> Result<()>;
    /// From process 0 to all others.
    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()>;
    /// From each to all: what this one has, and what all have, one after the other.
    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()>;
}
