//! What processes that train together tell each other in each step.

use std::ops::Range;

use super::super::peers::{Peers, StepToCome};
use super::super::shards::{Move, Swap};
use super::leader::Leader;
use super::shards::Add;
use super::told::{Told, at_a_time, number_of, parts};
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
        let Some((told, peers)) = leader.others() else { return Ok(()) };
        if !self.shards.swapped().left.is_empty() {
            return self.swap_nodes(worker, told, peers);
        }
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
        Ok(())
    }

    /// The same where all have shards: each process adds up a part of the parameters, so that a gradient crosses the network once each
    /// way, however many there are.
    fn swap_nodes(&self, worker: &Worker, told: &mut Told<T>, peers: &mut dyn Peers) -> Result<()> {
        let len = self.network.tensors.len();
        for start in (0..len).step_by(at_a_time::<T>()) {
            let range = start..len.min(start + at_a_time::<T>());
            self.swap_some(worker, (told, peers), &range)?;
        }
        Ok(())
    }

    /// The same for some of the parameters.
    fn swap_some(
        &self,
        worker: &Worker,
        (told, peers): (&mut Told<T>, &mut dyn Peers),
        range: &Range<usize>,
    ) -> Result<()> {
        let (rank, Swap { left, additions }) = (self.shards.rank(), self.shards.swapped());
        // SAFETY: the other workers wait; of each node one borrow at a time.
        let nodes = |node| unsafe { self.parameters.nodes_mut(worker, node).0 };
        let in_bytes = |range: Range<usize>| range.start * size_of::<T>()..range.end * size_of::<T>();
        let parts = parts(range.len(), left.len());
        let width = parts[rank].len();
        for index in 0..left.iter().copied().max().unwrap_or(0) {
            let has = |of: usize| index < left[of];
            let mine = if has(rank) { bytes(&nodes(index)[range.clone()]) } else { &[] };
            let part = |part: &Range<usize>| if has(rank) { in_bytes(part.clone()) } else { 0..0 };
            let mut first = 0;
            let place = |of: usize| {
                let place = first + index;
                first += left[of];
                if has(of) { in_bytes(place * width..(place + 1) * width) } else { 0..0 }
            };
            let (sent, places): (Vec<_>, Vec<_>) =
                (parts.iter().map(part).collect(), (0..left.len()).map(place).collect());
            peers.swap(mine, &sent, bytes_mut(&mut told.received), &places)?;
        }
        for &(sum, term) in additions {
            let (sums, terms) = told.received.split_at_mut(term * width);
            dispatch(Add { sums: &mut sums[sum * width..][..width], terms: &terms[..width] });
        }
        let places: Vec<_> = parts.into_iter().map(in_bytes).collect();
        peers.spread(bytes(&told.received[..width]), bytes_mut(&mut nodes(0)[range.clone()]), &places)
    }
}
