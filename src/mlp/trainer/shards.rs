//! A step whose batch is cut into shards: the sum of their gradients, then one update.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::super::claims::AllRows;
use super::super::objective;
use super::super::stages::Sink;
use super::epochs::MaybeLeader;
use super::leader::Leader;
use super::training::{Block, Own, Training, TrainingStep};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};
use crate::team::Worker;

impl<'l, T: Scalar> Training<'_, '_, 'l, T> {
    /// One step, but for the meeting that ends it. False where it was refused.
    pub fn train_in_shards(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        context: &TrainingStep<'_>,
    ) -> bool {
        if let Some(leader) = leader
            && let Err(error) = self.call_others(worker, leader, context)
        {
            leader.end(Err(error));
        }
        let (mut node, mut next) = (0, self.shards.mine().start);
        while next < self.shards.mine().end {
            let group = self.shards.group(next, &context.rows, self.rows_held);
            next = group.end;
            match self.group(worker, own, (group, node), context) {
                Some(above) => node = above,
                None => return self.abandon(leader, false),
            }
        }
        if self.shards.are_shared() {
            // All have added up their parts.
            worker.meet();
        }
        if let Some(leader) = leader {
            self.complete(worker, leader, context);
            if self.policy.begins_early() {
                let step = leader.begin_step(self.policy.checks.then_some(0.0));
                self.publish_step(worker, step);
            }
        }
        if self.agreement.meet(worker, self.length.meets_late) {
            return self.abandon(leader, self.policy.begins_early());
        }
        if self.bad_loss.load(Ordering::Relaxed) == context.number {
            return self.refuse(leader, "the loss".into(), self.policy.begins_early());
        }
        let scale = objective::scale(self.network, self.weight(context), self.data.unit());
        self.look_at_gradient(worker, own, (context, Some(scale)));
        self.update_at_last(worker, own, leader, context)
    }

    /// Leader: the losses of all shards, and the sum of all their gradients.
    fn complete(&self, worker: &Worker, leader: &mut Leader<'l, T>, context: &TrainingStep<'_>) {
        let told = match leader.has_failed() {
            true => return self.bad_loss.store(context.number, Ordering::Relaxed),
            false => self.tell(leader),
        };
        let loss = self.shard_losses.sum();
        let is_good = loss.is_finite() || !self.policy.checks;
        let outcome = match told {
            Ok(()) if is_good => self.meet_others(worker, leader),
            told => told,
        };
        if !is_good || outcome.is_err() {
            self.bad_loss.store(context.number, Ordering::Relaxed);
        }
        match outcome {
            Ok(()) => leader.add_losses(&[loss], if self.network.loss.mean() { 1.0 } else { self.data.unit() }),
            Err(error) => leader.end(Err(error)),
        }
    }

    /// The gradients of some shards, sums over their rows, to that node and the next ones, added where the tree says so; the node
    /// after those that are left. None where all workers are to leave.
    ///
    /// Their rows go forward and back together: what becomes of a row depends on no other one, and weights are packed once.
    fn group(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        (group, node): (Range<usize>, usize),
        context: &TrainingStep<'_>,
    ) -> Option<usize> {
        let rows = self.shards.rows_of(&group, &context.rows);
        let order = &context.order[self.sequence.places(group.start, &context.rows).start..];
        if rows.len() > self.rows_held {
            self.shard_in_pieces(worker, own, (group.start, node), (order, context))?;
            return Some(self.add_up(worker, own, None, (group, node), &context.rows));
        }
        // Others may still read what the group before has left.
        let waits = group.start > self.shards.mine().start;
        if waits && self.agreement.meet(worker, self.length.meets_late)
            || !self.propagate(worker, own, (rows.clone(), order), context)
            || self.agreement.meet(worker, self.length.meets_late)
        {
            return None;
        }
        // SAFETY: nobody writes to the batch before the next meeting.
        let all = unsafe { self.batch.all_rows(worker, rows.len()) };
        if worker.index == 0 {
            for shard in group.clone() {
                let of_shard = part_of(&rows, self.shards.rows(shard, &context.rows));
                let loss = all.part(of_shard.clone()).losses().iter().sum();
                self.note(shard, loss, &order[of_shard]);
            }
        }
        Some(self.add_up(worker, own, Some(&all), (group, node), &context.rows))
    }

    /// The gradient of a shard of more rows than are held at once. None where all workers are to leave.
    fn shard_in_pieces(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        (shard, node): (usize, usize),
        (order, context): (&[u32], &TrainingStep<'_>),
    ) -> Option<()> {
        let rows = self.shards.rows(shard, &context.rows);
        let mut loss = 0.0;
        for start in rows.clone().step_by(self.rows_held) {
            let held = start..rows.end.min(start + self.rows_held);
            // Others may still read what the rows before have left.
            if start > context.rows.start && self.agreement.meet(worker, self.length.meets_late)
                || !self.propagate(worker, own, (held.clone(), &order[start - rows.start..]), context)
                || self.agreement.meet(worker, self.length.meets_late)
            {
                return None;
            }
            // SAFETY: nobody writes to the batch before the next meeting.
            let all = unsafe { self.batch.all_rows(worker, held.len()) };
            if worker.index == 0 {
                loss += all.losses().iter().sum::<f64>();
            }
            self.gradient(worker, own, &all, (node, Some(start == rows.start)));
        }
        if worker.index == 0 {
            self.note(shard, loss, &order[..rows.len()]);
        }
        Some(())
    }

    /// Leader: the loss of a shard, and its weight, where not all processes can know it.
    fn note(&self, shard: usize, loss: f64, order: &[u32]) {
        self.shard_losses.set(shard, loss);
        if self.sequence.lacks_rows() {
            self.shard_weights.set(shard, self.data.weight_of(order));
        }
    }

    /// The gradients of some shards of a batch from their rows, or as they are there, in that node and the next ones, and their sums
    /// where the tree has one: block by block, which stays in the cache. The node after those that are left.
    fn add_up(
        &self,
        worker: &Worker,
        own: &mut Own<T>,
        rows: Option<&AllRows<'_, '_, T>>,
        (group, first): (Range<usize>, usize),
        batch: &Range<usize>,
    ) -> usize {
        // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        let all = self.shards.rows_of(&group, batch);
        for Block { piece, range } in &own.blocks {
            let mut node = first;
            for shard in group.clone() {
                if let Some(rows) = rows {
                    let rows = rows.part(part_of(&all, self.shards.rows(shard, batch)));
                    let grads = mine.node_mut(node, range.clone());
                    match rows.count() {
                        0 => grads.fill(T::ZERO),
                        _ => {
                            let sink = Sink { grads, scratch: &mut own.scratch, lookout: &own.lookout };
                            objective::gradient(self.network, piece, &rows, sink);
                        }
                    }
                }
                for _ in 0..self.shards.merges(shard) {
                    node -= 1;
                    let (sums, terms) = mine.node_and_next(node, range.clone());
                    dispatch(Add { sums, terms });
                }
                node += 1;
            }
        }
        group.fold(first, |node, shard| node + 1 - self.shards.merges(shard))
    }
}

/// Some rows, by their numbers among `all`.
fn part_of(all: &Range<usize>, rows: Range<usize>) -> Range<usize> {
    rows.start - all.start..rows.end - all.start
}

/// `sums += terms`.
pub struct Add<'a, T> {
    pub sums: &'a mut [T],
    pub terms: &'a [T],
}

impl<T: Scalar> Kernel for Add<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (sum, &term) in self.sums.iter_mut().zip(self.terms) {
            *sum += term;
        }
    }
}
