//! What processes that train together have told each other.

use std::ops::Range;

use super::super::shards::Shards;
use crate::stop::Stop;

/// Why each process would end the training, if it would, and losses and weights of its shards.
pub struct Told {
    /// Of this process: a number for the reason, then loss and weight of each shard.
    pub mine: Vec<f64>,
    /// Of all of them, one after the other.
    pub all: Vec<f64>,
    /// Why the training is to end: as the first process says that would.
    pub stop: Option<Stop>,
}

impl Told {
    /// Nothing yet.
    pub fn new(shards: &Shards) -> Self {
        let (size, most) = (shards.of_processes().len(), shards.of_processes().iter().map(Range::len).max());
        let width = 1 + 2 * most.unwrap_or(0);
        Told { mine: vec![0.0; width], all: vec![0.0; width * size], stop: None }
    }
}

/// A reason as a number, from 1.
pub fn number_of(stop: Stop) -> f64 {
    Stop::ALL.iter().position(|&known| known == stop).map_or(0.0, |place| (place + 1) as f64)
}
