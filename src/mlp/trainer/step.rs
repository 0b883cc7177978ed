//! One step of a training, as every worker makes it: rows forward and back, a meeting, then parameters.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::super::claims::{AllRows, MyTensors, ToUpdate};
use super::super::objective;
use super::super::stages::{Pass, Sink};
use super::super::tensors::Piece;
use super::epochs::MaybeLeader;
use super::training::{Block, Own, Training, TrainingStep};
use crate::optim::Step;
use crate::reductions::{AllFinite, RowSquares};
use crate::scalar::Scalar;
use crate::simd::dispatch;
use crate::team::Worker;

/// The fewest elements that are worth an update of their own: smaller blocks wait for the next.
const MIN_UPDATE: usize = 4096;

impl<'l, T: Scalar> Training<'_, '_, 'l, T> {
    /// One step, but for the meeting that ends it. False where it was refused.
    pub fn train(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        context: &TrainingStep<'_>,
    ) -> bool {
        if self.late_gradient.load(Ordering::Relaxed) == context.number - 1 && context.rows.start > 0 {
            // At the end of that step a slow worker may still look whether to stop.
            worker.meet();
            return self.refuse(leader, "the gradient");
        }
        for start in context.rows.clone().step_by(self.rows_held) {
            let held = start..context.rows.end.min(start + self.rows_held);
            let (first, last) = (start == context.rows.start, held.end == context.rows.end);
            self.propagate(worker, own, held.clone(), context);
            if let Some(leader) = leader
                && first
                && self.policy.begins_early()
            {
                self.publish_step(worker, leader.begin_step(self.policy.checks.then_some(0.0)));
            }
            worker.meet();
            if self.bad_loss.load(Ordering::Relaxed) == context.number {
                return self.refuse(leader, "the loss");
            }
            // SAFETY: nobody writes to the batch before the next meeting.
            let rows = unsafe { self.batch.all_rows(worker, held.len()) };
            if let Some(leader) = leader {
                leader.add_losses(rows.losses());
            }
            if first && last && self.nothing_in_between(worker) {
                self.descend(worker, own, rows, context);
                return self.finish_step(leader, context);
            }
            // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
            let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
            for piece in mine.pieces() {
                let grads = mine.grads_mut(self.network.tensors.range(piece));
                let sink = Sink { grads, fresh: first, scratch: &mut own.scratch };
                objective::gradient(self.network, piece, rows, sink);
            }
            if !last {
                worker.meet();
            }
        }
        self.look_at_gradient(worker, own, context);
        self.update_at_last(worker, own, leader, context)
    }

    /// Some rows of the batch forward, and back.
    fn propagate(&self, worker: &Worker, own: &mut Own<T>, held: Range<usize>, context: &TrainingStep<'_>) {
        let range = worker.share(held.len(), objective::GRAIN);
        let order = context.order;
        // SAFETY: the shares of the workers are disjoint, and nobody writes to parameters now.
        let (mut rows, params) = unsafe { (self.batch.my_rows(worker, range.clone()), self.parameters.read(worker)) };
        rows.gather(self.data, &order[held.clone()]);
        // The rows of the next step are on their way from memory while this one computes.
        let next = context.rows.end + range.start..context.rows.end + range.end;
        self.data.prefetch(&order[next.start.min(order.len())..next.end.min(order.len())]);
        let plan = &self.network.training;
        let mut pass = Pass {
            tensors: &self.network.tensors,
            params,
            noise: context.noise,
            first_row: held.start - context.rows.start,
            scratch: &mut own.scratch,
        };
        let (scale, first) = (objective::scale(self.network, context.weight), self.policy.first_stage);
        let finite = objective::forward_and_backward(self.network, &mut pass, &mut rows, scale, first);
        if self.policy.checks && !finite {
            self.bad_loss.store(context.number, Ordering::Relaxed);
        }
        if self.policy.checks {
            for (index, &stage) in self.policy.stages.iter().enumerate() {
                if let Some((factors, deltas)) = plan.stages[stage].magnitudes(&rows) {
                    let place = self.place(worker.index, index);
                    self.magnitudes.set(place, factors);
                    self.magnitudes.set(place + 1, deltas);
                }
            }
        }
    }

    /// Where the two magnitudes of a worker's rows are, for one of the stages that have tensors.
    #[inline]
    fn place(&self, worker: usize, index: usize) -> usize {
        2 * (worker * self.policy.stages.len() + index)
    }

    /// Whether gradient and update can follow each other block by block: no norm to sum up in between, and no element that
    /// might not be finite.
    fn nothing_in_between(&self, worker: &Worker) -> bool {
        let sum = |index: usize, which: usize| {
            (0..worker.count).map(|worker| self.magnitudes.get(self.place(worker, index) + which)).sum::<f64>()
        };
        let largest = T::MAX.to_f64() / 4.0;
        let bounded = |index: usize| {
            let (factors, deltas) = (sum(index, 0), sum(index, 1));
            factors * deltas < largest && deltas < largest
        };
        let count = self.policy.stages.len();
        self.policy.begins_early() && (!self.policy.checks || (0..count).all(bounded))
    }

    /// The gradient of this worker's parameters and their update, block by block: it never leaves the cache.
    ///
    /// With a penalty, weights that are not finite, or too large for their share of it, can still spoil the gradient. They
    /// are met too late to hold back the other workers; this one leaves out its update, and the next step is refused.
    fn descend(&self, worker: &Worker, own: &mut Own<T>, rows: AllRows<'_, '_, T>, context: &TrainingStep<'_>) {
        let strength = objective::penalty_strength(self.network, context.weight);
        // SAFETY: the shares of the workers are disjoint, and all have read what they need of the parameters; the step was
        // published before the last meeting.
        let (mut mine, step) = unsafe { (self.parameters.mine(worker, &own.share), self.step.get(worker)) };
        let mut ready = 0..0;
        for (index, Block { piece, range }) in own.blocks.iter().enumerate() {
            let sink = Sink { grads: mine.grads_mut(range.clone()), fresh: true, scratch: &mut own.scratch };
            objective::gradient(self.network, piece, rows, sink);
            if strength != 0.0 && !self.penalise(&mut mine, piece, strength, &mut own.squares) && self.policy.checks {
                return self.late_gradient.store(context.number, Ordering::Relaxed);
            }
            if ready.end != range.start {
                self.update(&mut mine, step, std::mem::replace(&mut ready, range.start..range.start));
            }
            ready.end = range.end;
            if ready.len() >= MIN_UPDATE || index + 1 == own.blocks.len() {
                self.update(&mut mine, step, std::mem::replace(&mut ready, range.end..range.end));
            }
        }
    }

    /// The penalty's share of the gradient of a piece of this worker's. False where it may not be finite.
    fn penalise(&self, mine: &mut MyTensors<'_, '_, T>, piece: &Piece, strength: f64, squares: &mut [f64]) -> bool {
        let tensors = &self.network.tensors;
        if strength == 0.0 || !tensors.get(piece.tensor).kind.decays() {
            return true;
        }
        let (params, grads) = mine.params_and_grads(tensors.range(piece));
        let squares = &mut squares[..piece.tile.rows.len()];
        let finite = objective::penalise(grads, params, strength, piece.tile.cols.len(), squares);
        self.row_squares.set_all(tensors.rows_of(piece), squares);
        finite
    }

    /// The penalty's share of this worker's gradient, and the figures that the step needs.
    fn look_at_gradient(&self, worker: &Worker, own: &mut Own<T>, context: &TrainingStep<'_>) {
        let strength = objective::penalty_strength(self.network, context.weight);
        let tensors = &self.network.tensors;
        // SAFETY: the shares of the workers are disjoint.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        let mut finite = true;
        for piece in mine.pieces() {
            finite &= self.penalise(&mut mine, piece, strength, &mut own.squares);
            let x = mine.grads(tensors.range(piece));
            if self.policy.clips {
                let squares = &mut own.squares[..piece.tile.rows.len()];
                dispatch(RowSquares { x, width: piece.tile.cols.len(), squares });
                finite &= squares.iter().all(|squares| squares.is_finite());
                self.row_norms.set_all(tensors.rows_of(piece), squares);
            } else if self.policy.checks {
                finite &= dispatch(AllFinite(x));
            }
        }
        if self.policy.checks && !finite {
            self.bad_gradient.store(context.number, Ordering::Relaxed);
        }
    }

    /// The update, where the whole gradient had to be known first.
    fn update_at_last(
        &self,
        worker: &mut Worker,
        own: &Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        context: &TrainingStep<'_>,
    ) -> bool {
        let penalises = objective::penalty_strength(self.network, context.weight) != 0.0;
        if self.policy.checks || penalises || !self.policy.one_pass {
            worker.meet();
        }
        if self.bad_gradient.load(Ordering::Relaxed) == context.number {
            return self.refuse(leader, "the gradient");
        }
        if self.policy.clips {
            if let Some(leader) = leader {
                self.publish_step(worker, leader.begin_step(Some(self.row_norms.sum().sqrt())));
            }
            worker.meet();
        }
        if self.policy.one_pass {
            // SAFETY: the shares of the workers are disjoint; the step was published before the last meeting.
            let (mut mine, step) = unsafe { (self.parameters.mine(worker, &own.share), self.step.get(worker)) };
            for piece in mine.pieces() {
                self.update(&mut mine, step, self.network.tensors.range(piece));
            }
        } else if let Some(leader) = leader {
            // SAFETY: the other workers wait for the meeting that ends the step.
            leader.step_alone(&self.network.tensors.sizes(), unsafe { self.parameters.all_mut(worker) });
        }
        self.finish_step(leader, context)
    }

    /// Updates some parameters of this worker's.
    fn update(&self, mine: &mut MyTensors<'_, '_, T>, step: &Option<Step<T>>, range: Range<usize>) {
        let Some(step) = step else { return };
        if range.is_empty() {
            return;
        }
        if step.is_uniform() {
            return apply(mine, step, 0, range);
        }
        for (tensor, whole) in self.network.tensors.iter().map(|tensor| tensor.range()).enumerate() {
            let part = range.start.max(whole.start)..range.end.min(whole.end);
            if !part.is_empty() {
                apply(mine, step, tensor, part);
            }
        }
    }

    /// Leader: the scalars of a step, for all to read after the next meeting.
    fn publish_step(&self, worker: &Worker, step: Option<Step<T>>) {
        // SAFETY: the others read it only after the next meeting.
        *unsafe { self.step.get_mut(worker) } = step;
    }

    /// A step that is not made, because of what is not finite there. False, for `train` to return.
    pub fn refuse(&self, leader: &mut MaybeLeader<'_, 'l, T>, place: &str) -> bool {
        if let Some(leader) = leader {
            leader.refuse(place, self.policy.begins_early());
        }
        false
    }

    /// A step that is made. True, for `train` to return.
    fn finish_step(&self, leader: &mut MaybeLeader<'_, 'l, T>, context: &TrainingStep<'_>) -> bool {
        if let Some(leader) = leader {
            leader.finish_step(context.number, context.weight, context.rows.end == self.data.len());
        }
        true
    }
}

/// Updates some elements of one tensor, or of several that are updated alike.
fn apply<T: Scalar>(mine: &mut MyTensors<'_, '_, T>, step: &Step<T>, tensor: usize, range: Range<usize>) {
    let ToUpdate { params, grads, mut state, count } = mine.to_update(range);
    step.apply(tensor, params, grads, &mut state[..count]);
}
