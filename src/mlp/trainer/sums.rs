//! The shards of one step, for another process that makes it.

use std::ops::Range;

use super::super::data::Data;
use super::super::network::Network;
use super::super::peers::Peers;
use super::fit::fit;
use super::options::{Epoch, Monitor, Options};
use super::told::number_of;
use crate::buffer::{bytes_mut, copied, filled};
use crate::error::Result;
use crate::optim::options::{Convention, Value};
use crate::optim::{Config, Optimizer};
use crate::scalar::Scalar;
use crate::stop::Stop;

/// The gradients of some shards, for somebody who [collects](super::super::shards::Shards::collected) them, in the step at which `options`
/// start, at `params`: to `nodes`, one node of the tree after the other, as many as there are moves. What is returned are loss and
/// weight of each shard.
///
/// All of it depends on the arguments alone, and not on the number of threads.
pub fn shard_sums<T: Scalar>(
    network: &Network,
    params: &[T],
    data: &Data<'_, T>,
    options: &Options,
    nodes: &mut [T],
) -> Result<Vec<f64>> {
    assert_eq!(nodes.len(), options.shards.moves().len() * params.len(), "a gradient for each node");
    // What is not finite is found by who makes the step; the step that is made here is one of a copy that is of no use.
    let config = Config::new("sgd", Convention::Torch)?.with("nonfinite", Value::Choice("ignore"))?;
    let mut optimizer = Optimizer::new(&config, &network.tensors.sizes())?;
    let mut params = copied(params, "a copy of the parameters")?;
    let figures = filled(0.0, 2 * options.shards.mine().len(), "the losses of shards")?;
    let mut contribution = Contribution { nodes: bytes_mut(nodes), figures };
    fit(network, &mut params, &mut optimizer, (data, None), options, &mut contribution, None).0?;
    Ok(contribution.figures)
}

/// Keeps what a process would send, and ends its training after one step.
struct Contribution<'n> {
    nodes: &'n mut [u8],
    figures: Vec<f64>,
}

impl Monitor for Contribution<'_> {
    fn peers(&mut self) -> Option<&mut dyn Peers> {
        Some(self)
    }

    fn epoch(&mut self, _: &Epoch) -> Option<Stop> {
        None
    }
}

impl Peers for Contribution<'_> {
    fn send(&mut self, bytes: &[u8], _to: usize) -> Result<()> {
        let (to, rest) = std::mem::take(&mut self.nodes).split_at_mut(bytes.len());
        to.copy_from_slice(bytes);
        self.nodes = rest;
        Ok(())
    }

    fn receive(&mut self, _bytes: &mut [u8], _from: usize) -> Result<()> {
        unreachable!("who contributes shards gets none")
    }

    fn swap(&mut self, _: &[u8], _: &[Range<usize>], _: &mut [u8], _: &[Range<usize>]) -> Result<()> {
        unreachable!("who contributes shards sends them")
    }

    fn spread(&mut self, _: &[u8], _: &mut [u8], _: &[Range<usize>]) -> Result<()> {
        unreachable!("who contributes shards sends them")
    }

    fn gather(&mut self, mine: &[u8], all: &mut [u8]) -> Result<()> {
        bytes_mut(&mut self.figures).copy_from_slice(&mine[size_of::<f64>()..]);
        let (first, of_this) = all.split_at_mut(mine.len());
        // The first process, which has no shards, says that this is the last step.
        first[..size_of::<f64>()].copy_from_slice(&number_of(Stop::Callback).to_ne_bytes());
        of_this.copy_from_slice(mine);
        Ok(())
    }
}
