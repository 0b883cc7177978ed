//! What processes that train together tell each other in each step.

use super::super::peers::StepToCome;
use super::super::shards::Move;
use super::leader::Leader;
use super::shards::Add;
use super::told::number_of;
use super::training::{Training, TrainingStep};
use crate::buffer::{bytes, bytes_mut};
use crate::error::Result;
use crate::scalar::Scalar;
use crate::simd::dispatch;
use crate::stop::Stop;
use crate::team::Worker;

impl<'l, T: Scalar> Training<'_, '_, 'l, T> {
    /// Leader: lets who computes shards for this process, if anybody does, begin with a step.
    pub fn call_others(&self, worker: &Worker, leader: &mut Leader<'l, T>, context: &TrainingStep<'_>) -> Result<()> {
        if !self.shards.are_collected() {
            return Ok(());
        }
        let Some((_, peers)) = leader.others() else { return Ok(()) };
        // SAFETY: nobody writes to parameters before the gradient is complete.
        let params = unsafe { self.parameters.read(worker) };
        let epochs_done = self.options.epochs_before + (context.epoch - self.options.first_epoch);
        peers.begin_step(bytes(params), &StepToCome { epoch: context.epoch, epochs_done, row: context.rows.start })
    }

    /// Leader: tells the other processes, if there are any, losses and weights of this one's shards and whether it would end, and learns
    /// theirs.
    pub fn tell(&self, leader: &mut Leader<'l, T>) -> Result<()> {
        let wish = leader.wish();
        let Some((told, peers)) = leader.others() else { return Ok(()) };
        told.mine[0] = wish.map_or(0.0, number_of);
        for (to, shard) in told.mine[1..].chunks_mut(2).zip(self.shards.mine()) {
            to.copy_from_slice(&[self.shard_losses.get(shard), self.shard_weights.get(shard)]);
        }
        peers.gather(bytes(&told.mine), bytes_mut(&mut told.all))?;
        told.stop = None;
        for (share, theirs) in self.shards.of_processes().iter().zip(told.all.chunks(told.mine.len())) {
            let stop = Stop::ALL.iter().copied().find(|&stop| number_of(stop) == theirs[0]);
            told.stop = told.stop.or(stop);
            for (shard, figures) in share.clone().zip(theirs[1..].chunks(2)) {
                self.shard_losses.set(shard, figures[0]);
                self.shard_weights.set(shard, figures[1]);
            }
        }
        Ok(())
    }

    /// Leader, while the other workers wait: completes the sum over all shards with the other processes, if there are any.
    pub fn meet_others(&self, worker: &Worker, leader: &mut Leader<'l, T>) -> Result<()> {
        let Some((_, peers)) = leader.others() else { return Ok(()) };
        // SAFETY: the other workers wait; of each node one borrow at a time.
        let nodes = |node| unsafe { self.parameters.nodes_mut(worker, node) };
        for step in self.shards.moves() {
            match *step {
                Move::Send { node, to } => peers.send(bytes(nodes(node).0), to)?,
                Move::Receive { node, from } => peers.receive(bytes_mut(nodes(node).0), from)?,
                Move::Add { node } => {
                    let (sums, terms) = nodes(node);
                    dispatch(Add { sums, terms: terms.expect("a node above") });
                }
            }
        }
        peers.broadcast(bytes_mut(nodes(0).0))
    }
}
