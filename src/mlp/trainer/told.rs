//! What processes that train together have told each other.

use std::ops::Range;

use super::super::shards::Shards;
use crate::buffer::Buffer;
use crate::error::Result;
use crate::scalar::Scalar;
use crate::stop::Stop;

/// Bytes of the parameters that are added up together: few enough that those of all processes stay small beside a large network,
/// and enough that a message takes longer than its latency.
const BYTES_AT_A_TIME: usize = 4 << 20;

/// Why each process would end the training, if it would, and losses and weights of its shards.
pub struct Told<T> {
    /// Of this process: a number for the reason, then loss and weight of each shard.
    pub mine: Vec<f64>,
    /// Of all of them, one after the other.
    pub all: Vec<f64>,
    /// Why the training is to end: as the first process says that would.
    pub stop: Option<Stop>,
    /// A part of the parameters, of the nodes that all have left.
    pub received: Buffer<T>,
}

impl<T: Scalar> Told<T> {
    /// Nothing yet, for a network with so many parameters.
    pub fn new(shards: &Shards, len: usize) -> Result<Self> {
        let left = &shards.swapped().left;
        let part = len.min(at_a_time::<T>()).div_ceil(left.len().max(1));
        let received = Buffer::zeroed(left.iter().sum::<usize>() * part, "the gradients of shards")?;
        let (size, most) = (shards.of_processes().len(), shards.of_processes().iter().map(Range::len).max());
        let width = 1 + 2 * most.unwrap_or(0);
        Ok(Told { mine: vec![0.0; width], all: vec![0.0; width * size], stop: None, received })
    }
}

/// How many parameters are added up together.
pub fn at_a_time<T>() -> usize {
    BYTES_AT_A_TIME / size_of::<T>()
}

/// The part of so many parameters that each of some processes adds up.
pub fn parts(len: usize, processes: usize) -> Vec<Range<usize>> {
    let cut = |rank: usize| len * rank / processes;
    (0..processes).map(|rank| cut(rank)..cut(rank + 1)).collect()
}

/// A reason as a number, from 1.
pub fn number_of(stop: Stop) -> f64 {
    Stop::ALL.iter().position(|&known| known == stop).map_or(0.0, |place| (place + 1) as f64)
}
