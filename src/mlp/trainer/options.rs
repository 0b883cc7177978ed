//! How to train, and who watches.

use std::time::Duration;

use super::super::cuts::Cuts;
use super::super::peers::Peers;
use super::super::shards::Shards;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::stop::Stop;

/// How to train.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows per step; None for all of them.
    pub batch_size: Option<usize>,
    /// The shards into which each batch is cut, and which of them are for this process.
    pub shards: Shards,
    /// Whether each shard has rows of its own, in the order of the shards, from which every batch takes some. A process then has
    /// those of its shards alone.
    pub sharded: bool,
    /// The rows of all processes; None where this one has all.
    pub all_rows: Option<usize>,
    /// Passes over the data, the rest of one that is under way included.
    pub epochs: usize,
    /// The number of the first epoch, which tells its order of rows from that of the others.
    pub first_epoch: u64,
    /// How many epochs of the same training are done already, for messages.
    pub epochs_before: u64,
    /// Where in the first epoch to begin.
    pub start: Position,
    /// Whether each epoch takes the rows in a new order.
    pub shuffle: bool,
    /// Seed of the orders and of dropout.
    pub seed: u64,
    /// Workers; None for what the work deserves.
    pub threads: Option<usize>,
    /// Of workers that nobody has chosen, no more than these; None for as many as there are cores.
    pub thread_limit: Option<usize>,
    /// How layers are shared out among them.
    pub cuts: Cuts,
    /// Stop after an epoch whose loss is not above this.
    pub target_loss: Option<f64>,
    /// Come to rest after the first step that ends so long after the beginning: the reason is [`Stop::MaxTime`]. Unlike an
    /// interrupt this lets a step, and a validation, come to its end, however long that takes.
    pub rest: Option<Duration>,
    /// Whether the optimizer's schedules are told the result of each epoch: they may depend on it.
    pub tells: bool,
}

impl Default for Options {
    /// One epoch in one process, all rows in each step, in a new order.
    fn default() -> Self {
        Options {
            batch_size: None,
            shards: Shards::all(1),
            sharded: false,
            all_rows: None,
            epochs: 1,
            first_epoch: 0,
            epochs_before: 0,
            start: Position::default(),
            shuffle: true,
            seed: 0,
            threads: None,
            thread_limit: None,
            cuts: Cuts::default(),
            target_loss: None,
            rest: None,
            tells: true,
        }
    }
}

/// Where in an epoch a training is, between two of its steps, and what the steps up to there have come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Rows done, of the epoch's order.
    pub row: usize,
    /// Weighted losses of the steps that were made.
    pub loss: f64,
    /// Weights of their batches.
    pub weight: f64,
    /// Penalties times the weights of their batches.
    pub penalty: f64,
    /// The learning rate of the last of them.
    pub lr: f64,
}

impl Default for Position {
    /// Before the first step.
    fn default() -> Self {
        Position { row: 0, loss: 0.0, weight: 0.0, penalty: 0.0, lr: f64::NAN }
    }
}

/// What an epoch brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Its number in this training, from 0.
    pub number: usize,
    /// The objective over the epoch's batches, each at the parameters before its step.
    pub loss: f64,
    /// The objective on the validation data after the epoch.
    pub val_loss: Option<f64>,
    /// The weighted share of the validation data's rows that are given a wrong class, where an epoch is judged by it.
    pub val_error: Option<f64>,
    /// The penalty's share of `loss`.
    pub penalty: f64,
    /// The weights of its batches.
    pub weight: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRecord {
    /// The number of its epoch in this training, from 1.
    pub epoch: u64,
    /// The objective on its batch, at the parameters before it.
    pub loss: f64,
    /// The weight of its batch.
    pub weight: f64,
    /// Its learning rate.
    pub lr: f64,
}

/// Who watches the training, on the thread that called [`fit`](super::fit).
pub trait Monitor: Send {
    /// What ends the training before its end, also within a step, which then leaves no trace.
    fn interrupt(&self) -> Interrupt {
        Interrupt::never()
    }
    /// The other processes that train with this one, where they have some of the shards. What ends one of them then ends all, after
    /// the same step.
    fn peers(&mut self) -> Option<&mut dyn Peers> {
        None
    }
    /// Called after each step that was made; an error ends the training.
    fn step(&mut self, _: &StepRecord) -> Result<()> {
        Ok(())
    }
    /// Called after each epoch; why to stop, if so.
    fn epoch(&mut self, epoch: &Epoch) -> Option<Stop>;
}
