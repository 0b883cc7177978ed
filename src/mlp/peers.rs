//! Other processes that train with this one.

use crate::error::Result;

/// The processes that train together, each of which has called [`fit`](super::trainer::fit) with the same arguments: what they
/// tell each other. All of them make the same calls in an order that fits: who sends has somebody who receives.
pub trait Peers {
    /// To that process.
    fn send(&mut self, bytes: &[u8], to: usize) -> Result<()>;
    /// From that process.
    fn receive(&mut self, bytes: &mut [u8], from: usize) -> Result<()>;
    /// From process 0 to all others.
    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()>;
    /// From each to all: what this one has, and what all have, one after the other.
    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()>;
}
