//! A step whose batch is cut into shards: the sum of their gradients, then one update.

use std::sync::atomic::Ordering;

use super::super::objective;
use super::epochs::MaybeLeader;
use super::leader::Leader;
use super::training::{Own, Training, TrainingStep};
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
        let mut node = 0;
        for shard in self.shards.mine() {
            if !self.shard(worker, own, (shard, node), context) {
                return self.abandon(leader, false);
            }
            node = self.merge(worker, own, node, self.shards.merges(shard)) + 1;
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
        self.divide(worker, own, context);
        self.look_at_gradient(worker, own, context);
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

    /// The gradient of a shard, a sum over its rows, to that node, and its loss. False where all workers are to leave.
    fn shard(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        (shard, node): (usize, usize),
        context: &TrainingStep<'_>,
    ) -> bool {
        let rows = self.shards.rows(shard, &context.rows);
        let order = &context.order[self.sequence.places(shard, &context.rows).start..];
        let mut loss = 0.0;
        for start in rows.clone().step_by(self.rows_held) {
            let held = start..rows.end.min(start + self.rows_held);
            // Others may still read what the rows before have left.
            if start > context.rows.start && self.agreement.meet(worker, self.length.meets_late) {
                return false;
            }
            if !self.propagate(worker, own, (held.clone(), &order[start - rows.start..]), context)
                || self.agreement.meet(worker, self.length.meets_late)
            {
                return false;
            }
            // SAFETY: nobody writes to the batch before the next meeting.
            let all = unsafe { self.batch.all_rows(worker, held.len()) };
            if worker.index == 0 {
                loss += all.losses().iter().sum::<f64>();
            }
            let first = (rows.len() > self.rows_held).then_some(start == rows.start);
            self.gradient(worker, own, &all, (node, first));
        }
        if rows.is_empty() {
            // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
            let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
            for piece in mine.pieces() {
                mine.node_mut(node, self.network.tensors.range(piece)).fill(T::ZERO);
            }
        }
        if worker.index == 0 {
            self.shard_losses.set(shard, loss);
            if self.sequence.lacks_rows() {
                self.shard_weights.set(shard, self.data.weight_of(&order[..rows.len()]));
            }
        }
        true
    }

    /// Adds the two nodes on top, so many times, up to that node; the node that is on top then.
    fn merge(&self, worker: &Worker, own: &Own<T>, node: usize, times: usize) -> usize {
        // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        for piece in mine.pieces() {
            let range = self.network.tensors.range(piece);
            for below in (node - times..node).rev() {
                let (sums, terms) = mine.node_and_next(below, range.clone());
                dispatch(Add { sums, terms });
            }
        }
        node - times
    }

    /// What this worker has of the sum over all rows becomes the gradient of the batch's loss.
    fn divide(&self, worker: &Worker, own: &Own<T>, context: &TrainingStep<'_>) {
        let scale = objective::scale(self.network, self.weight(context), self.data.unit());
        // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        for piece in mine.pieces() {
            dispatch(Multiply { x: mine.grads_mut(self.network.tensors.range(piece)), by: scale });
        }
    }
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

/// `x *= by`, rounded once.
struct Multiply<'a, T> {
    x: &'a mut [T],
    by: f64,
}

impl<T: Scalar> Kernel for Multiply<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for x in self.x {
            *x = T::from_f64(x.to_f64() * self.by);
        }
    }
}
