//! What processes that train together have told each other.

use super::super::shards::Shards;
use crate::stop::Stop;

/// Why each process would end the training, if it would, and the losses of its shards.
pub struct Told {
    /// Of this process.
    pub mine: Vec<f64>,
    /// Of all of them, one after the other.
    pub all: Vec<f64>,
    /// Why the training is to end: as the first process says that would.
    pub stop: Option<Stop>,
}

impl Told {
    /// Nothing yet.
    pub fn new(shards: &Shards) -> Self {
        let size = shards.place().size;
        let width = 1 + shards.count().div_ceil(size);
        Told { mine: vec![0.0; width], all: vec![0.0; width * size], stop: None }
    }
}

/// A reason as a number, from 1.
pub fn number_of(stop: Stop) -> f64 {
    Stop::ALL.iter().position(|&known| known == stop).map_or(0.0, |place| (place + 1) as f64)
}
