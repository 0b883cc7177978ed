//! One step of a training, as every worker makes it: rows forward and back, a meeting, then parameters.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::super::claims::{AllRows, MyTensors, ToUpdate};
use super::super::objective::{self, Source};
use super::super::stages::{Noise, Pass, Sink};
use super::super::tensors::Piece;
use super::epochs::MaybeLeader;
use super::leader::Largest;
use super::training::{Block, Magnitudes, Own, Training, TrainingStep};
use crate::interrupt::Lookout;
use crate::kernels::sums::Magnitude;
use crate::optim::{Care, Peaks, Step};
use crate::reductions::{RowSquares, largest};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};
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
        if self.shards.count() > 1 {
            return self.train_in_shards(worker, own, leader, context);
        }
        let pieces = context.rows.len() > self.rows_held;
        for start in context.rows.clone().step_by(self.rows_held) {
            let held = start..context.rows.end.min(start + self.rows_held);
            let (first, last) = (start == context.rows.start, held.end == context.rows.end);
            if !self.propagate(worker, own, (held.clone(), &context.order[start..]), context) {
                return self.abandon(leader, !first && self.policy.begins_early());
            }
            if let Some(leader) = leader
                && first
                && self.policy.begins_early()
            {
                let step = leader.begin_step(self.policy.checks.then_some(0.0));
                self.publish_step(worker, step);
            }
            if self.agreement.meet(worker, self.length.meets_late) {
                return self.abandon(leader, self.policy.begins_early());
            }
            if self.bad_loss.load(Ordering::Relaxed) == context.number {
                return self.refuse(leader, "the loss".into(), self.policy.begins_early());
            }
            // SAFETY: nobody writes to the batch before the next meeting.
            let rows = unsafe { self.batch.all_rows(worker, held.len()) };
            if let Some(leader) = leader {
                let unit = if self.network.loss.mean() { 1.0 } else { self.data.unit() };
                leader.add_losses(rows.losses(), unit);
            }
            let splits = pieces || self.length.splits;
            if !splits && let Some(largest) = self.nothing_in_between(worker, context) {
                self.descend(worker, own, &rows, context);
                return self.finish_step(leader, context, Largest::Bound(largest));
            }
            self.gradient(worker, own, &rows, (0, pieces.then_some(first)));
            if !last && self.agreement.meet(worker, self.length.meets_late) {
                return self.abandon(leader, self.policy.begins_early());
            }
        }
        self.look_at_gradient(worker, own, (context, None));
        self.update_at_last(worker, own, leader, context)
    }

    /// This worker's gradient, of all rows of the batch or of a piece of it, to one of the nodes.
    pub fn gradient(
        &self,
        worker: &Worker,
        own: &mut Own<T>,
        rows: &AllRows<'_, '_, T>,
        (node, is_first_piece): (usize, Option<bool>),
    ) {
        // SAFETY: the shares of the workers are disjoint, and nobody reads other parameters than its own now.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        for piece in mine.pieces() {
            let range = self.network.tensors.range(piece);
            match is_first_piece {
                None => {
                    let (grads, scratch) = (mine.node_mut(node, range), &mut own.scratch);
                    let sink = Sink { grads, scratch, lookout: &own.lookout };
                    objective::gradient(self.network, piece, rows, sink);
                }
                Some(first) => {
                    let sums = mine.node_and_sums_mut(node, range);
                    let with = (sums, &mut own.scratch, &own.lookout);
                    objective::add_gradient(self.network, piece, rows, with, first);
                }
            }
        }
    }

    /// Some rows of the batch forward, and back; the order begins with them. False where all workers are to leave.
    pub fn propagate(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        (held, order): (Range<usize>, &[u32]),
        context: &TrainingStep<'_>,
    ) -> bool {
        let source = Source { data: self.data, order: &order[..held.len()], scale: context.scale };
        for index in 0..own.phases.len() {
            if index > 0 && self.agreement.meet(worker, self.length.meets_late) {
                return false;
            }
            let phase = &own.phases[index];
            // SAFETY: the shares of the workers are disjoint, a phase reads no more than it writes or others have written before
            // the last meeting, and nobody writes to parameters now.
            let (rows, params) =
                unsafe { (self.batch.my_share(worker, held.len(), phase.cut), self.parameters.read(worker)) };
            let Some(mut rows) = rows else { continue };
            if index == 0 {
                // The next rows are on their way from memory while these compute.
                let next = held.len() + rows.range().start..held.len() + rows.range().end;
                self.data.prefetch(&order[next.start.min(order.len())..next.end.min(order.len())]);
            }
            let mut pass = Pass {
                tensors: &self.network.tensors,
                params,
                noise: context.noise.map(|key| Noise { key, rates: &own.rates }),
                first_row: held.start - context.rows.start,
                scratch: &mut own.scratch,
                lookout: &own.lookout,
            };
            let finite = objective::work(self.network, phase, &mut pass, &mut rows, source);
            if self.policy.checks && !finite {
                self.bad_loss.store(context.number, Ordering::Relaxed);
            }
            for &Magnitudes { place, slot, factors } in &own.sums[index] {
                let sum = rows.sum_over(slot, |numbers| dispatch(Magnitude(numbers)));
                self.magnitudes.set(self.place(worker.index, 0) + place, factors.bound(sum));
            }
        }
        true
    }

    /// Where the two magnitudes of a worker's rows are, for one of the stages that have tensors.
    #[inline]
    fn place(&self, worker: usize, index: usize) -> usize {
        2 * (worker * self.policy.stages.len() + index)
    }

    /// Whether gradient and update can follow each other block by block: no norm to sum up in between, and no element of
    /// gradient, parameters or state that might not be finite. What bounds the gradient, if so.
    fn nothing_in_between(&self, worker: &Worker, context: &TrainingStep<'_>) -> Option<f64> {
        if !self.policy.begins_early() || !self.policy.checks {
            return self.policy.begins_early().then_some(0.0);
        }
        let sum = |index: usize, which: usize| {
            (0..worker.count).map(|worker| self.magnitudes.get(self.place(worker, index) + which)).sum::<f64>()
        };
        // SAFETY: it was published before the last meeting.
        let calm = unsafe { self.step.get(worker) }.as_ref().map_or(0.0, Step::calm);
        let penalty = self.strength(context) * self.largest_weight.get(0);
        let mut largest = 0.0f64;
        for index in 0..self.policy.stages.len() {
            let (factors, deltas) = (sum(index, 0), sum(index, 1));
            let bound = (factors * deltas).max(deltas);
            // Also where one is NaN.
            if !((factors * deltas).is_finite() && bound + penalty <= calm) {
                return None;
            }
            largest = largest.max(bound);
        }
        Some(largest)
    }

    /// The gradient of this worker's parameters and their update, block by block: it never leaves the cache.
    fn descend(&self, worker: &Worker, own: &mut Own<T>, rows: &AllRows<'_, '_, T>, context: &TrainingStep<'_>) {
        let strength = self.strength(context);
        // SAFETY: the shares of the workers are disjoint, and all have read what they need of the parameters; the step was
        // published before the last meeting.
        let (mut mine, step) = unsafe { (self.parameters.mine(worker, &own.share), self.step.get(worker)) };
        let mut ready = 0..0;
        for (index, Block { piece, range }) in own.blocks.iter().enumerate() {
            let (grads, scratch) = (mine.grads_mut(range.clone()), &mut own.scratch);
            let sink = Sink { grads, scratch, lookout: &Lookout::default() };
            objective::gradient(self.network, piece, rows, sink);
            self.penalise(&mut mine, piece, strength, &mut own.squares);
            if ready.end != range.start {
                self.update(&mut mine, step, std::mem::replace(&mut ready, range.start..range.start));
            }
            ready.end = range.end;
            if ready.len() >= MIN_UPDATE || index + 1 == own.blocks.len() {
                self.update(&mut mine, step, std::mem::replace(&mut ready, range.end..range.end));
            }
        }
    }

    /// The penalty's share of the gradient of a piece of this worker's.
    fn penalise(&self, mine: &mut MyTensors<'_, '_, T>, piece: &Piece, strength: f64, squares: &mut [f64]) {
        let tensors = &self.network.tensors;
        if strength == 0.0 || !tensors.get(piece.tensor).kind.decays() {
            return;
        }
        let (params, grads) = mine.params_and_grads(tensors.range(piece));
        let squares = &mut squares[..piece.tile.rows.len()];
        objective::penalise(grads, params, strength, piece.tile.cols.len(), squares);
        self.row_squares.set_all(tensors.rows_of(piece), squares);
    }

    /// The penalty's share of this worker's gradient, and the figures that the step needs; first the gradient is multiplied, if by
    /// anything.
    pub fn look_at_gradient(
        &self,
        worker: &Worker,
        own: &mut Own<T>,
        (context, scale): (&TrainingStep<'_>, Option<f64>),
    ) {
        let strength = self.strength(context);
        let tensors = &self.network.tensors;
        let Own { share, blocks, squares, .. } = own;
        // SAFETY: the shares of the workers are disjoint.
        let mut mine = unsafe { self.parameters.mine(worker, share) };
        let mut most = 0.0f64;
        for Block { piece, range } in &*blocks {
            if let Some(by) = scale {
                dispatch(Multiply { x: mine.grads_mut(range.clone()), by });
            }
            self.penalise(&mut mine, piece, strength, squares);
            let x = mine.grads(range.clone());
            let squares = &mut squares[..piece.tile.rows.len()];
            if self.policy.clips {
                dispatch(RowSquares { x, width: piece.tile.cols.len(), squares });
                self.row_norms.set_all(tensors.rows_of(piece), squares);
            }
            if self.policy.checks {
                let of_block = match self.policy.clips && squares.iter().all(|squares| squares.is_finite()) {
                    true => squares.iter().copied().fold(0.0, f64::max).sqrt(),
                    false => largest(x),
                };
                if of_block.is_nan() {
                    self.bad_gradient.mark(context.number, piece.tensor);
                }
                most = most.max(of_block);
            }
        }
        self.largest.set(worker.index, most);
    }

    /// The update, where the whole gradient had to be known first.
    pub fn update_at_last(
        &self,
        worker: &mut Worker,
        own: &Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        context: &TrainingStep<'_>,
    ) -> bool {
        if self.agreement.meet(worker, self.length.meets_late) {
            return self.abandon(leader, self.policy.begins_early());
        }
        if let Some(tensor) = self.bad_gradient.of(context.number) {
            return self.refuse(leader, self.place_of("the gradient", tensor), self.policy.begins_early());
        }
        let largest = (0..worker.count).map(|worker| self.largest.get(worker)).fold(0.0, f64::max);
        if self.policy.clips {
            if let Some(leader) = leader {
                let step = leader.begin_step(Some(self.norm(worker)));
                self.publish_step(worker, step);
            }
            worker.meet();
        }
        if !self.policy.one_pass {
            if let Some(leader) = leader {
                // SAFETY: the other workers wait for the meeting that ends the step.
                let made =
                    leader.step_alone(&self.network.tensors, unsafe { self.parameters.all_mut(worker) }, worker.count);
                if made {
                    leader.finish_step(self.weight(context), Largest::Bound(largest));
                }
                return made;
            }
            return true;
        }
        // SAFETY: the step was published before the last meeting.
        let begun = unsafe { self.step.get(worker) };
        let care = begun.as_ref().filter(|step| self.policy.checks && !step.skipped()).map(|step| step.care(largest));
        if let Some(care) = care.filter(|&care| care != Care::None) {
            let step = begun.as_ref().map(|step| step.with(care));
            self.rehearse(worker, own, &step, context);
            worker.meet();
            if let Some(tensor) = self.bad_update.of(context.number) {
                return self.refuse(leader, self.place_of("the update", tensor), true);
            }
            self.update_all(worker, own, &step);
            return self.finish_step(leader, context, Largest::Seen(self.peaks_seen(worker)));
        }
        self.update_all(worker, own, begun);
        self.finish_step(leader, context, Largest::Bound(largest))
    }

    /// Updates all parameters of this worker's.
    fn update_all(&self, worker: &Worker, own: &Own<T>, step: &Option<Step<T>>) {
        // SAFETY: the shares of the workers are disjoint.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        for piece in mine.pieces() {
            self.update(&mut mine, step, self.network.tensors.range(piece));
        }
    }

    /// Whether the update of this worker's parameters would leave them finite, and their state.
    fn rehearse(&self, worker: &Worker, own: &Own<T>, step: &Option<Step<T>>, context: &TrainingStep<'_>) {
        // SAFETY: the shares of the workers are disjoint.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        let mut peaks = Peaks::default();
        for piece in mine.pieces() {
            let Some(step) = step else { return };
            let ToUpdate { params, grads, state, count } = mine.to_update(self.network.tensors.range(piece));
            match step.rehearse(piece.tensor, params, grads, &state[..count], f64::MAX) {
                Some(of_piece) => peaks = peaks.and(of_piece),
                None => self.bad_update.mark(context.number, piece.tensor),
            }
        }
        self.peaks.set(2 * worker.index, peaks.params);
        self.peaks.set(2 * worker.index + 1, peaks.state);
    }

    /// What the workers have seen in the rehearsal.
    fn peaks_seen(&self, worker: &Worker) -> Peaks {
        (0..worker.count).fold(Peaks::default(), |peaks, n| {
            peaks.and(Peaks { params: self.peaks.get(2 * n), state: self.peaks.get(2 * n + 1) })
        })
    }

    /// Leader: the norm of the gradient, while the other workers wait.
    fn norm(&self, worker: &Worker) -> f64 {
        let squares = self.row_norms.sum();
        if squares.is_finite() || !self.policy.checks {
            return squares.sqrt();
        }
        // Finite elements whose squares overflow.
        // SAFETY: the other workers wait.
        let (_, grads) = unsafe { self.parameters.all_mut(worker) };
        let scale = 2f64.powi(-600);
        let scaled: f64 = grads.iter().map(|g| (g.to_f64() * scale).powi(2)).sum();
        (scaled.sqrt() / scale).min(f64::MAX)
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
    pub fn publish_step(&self, worker: &Worker, step: Option<Step<T>>) {
        // SAFETY: the others read it only after the next meeting.
        *unsafe { self.step.get_mut(worker) } = step;
    }

    /// The factor of the penalty's gradient.
    fn strength(&self, context: &TrainingStep<'_>) -> f64 {
        objective::penalty_strength(self.network, self.weight(context), self.data.unit())
    }

    /// What errors say of a tensor.
    fn place_of(&self, what: &str, tensor: usize) -> String {
        format!("{what} of {}", self.network.tensors.get(tensor).name)
    }

    /// A step that is not made, because of what is not finite there; `begun` is whether the optimizer has counted it already.
    /// False, for `train` to return.
    pub fn refuse(&self, leader: &mut MaybeLeader<'_, 'l, T>, place: String, begun: bool) -> bool {
        if let Some(leader) = leader {
            leader.refuse(place, begun);
        }
        false
    }

    /// A step, or a validation, that is given up before anything was updated. False, for `train` to return.
    pub fn abandon(&self, leader: &mut MaybeLeader<'_, 'l, T>, begun: bool) -> bool {
        if let Some(leader) = leader {
            leader.abandon(begun);
        }
        false
    }

    /// A step that is made. True, for `train` to return.
    fn finish_step(&self, leader: &mut MaybeLeader<'_, 'l, T>, context: &TrainingStep<'_>, largest: Largest) -> bool {
        if let Some(leader) = leader {
            leader.finish_step(self.weight(context), largest);
        }
        true
    }
}

/// Updates some elements of one tensor, or of several that are updated alike.
fn apply<T: Scalar>(mine: &mut MyTensors<'_, '_, T>, step: &Step<T>, tensor: usize, range: Range<usize>) {
    let ToUpdate { params, grads, mut state, count } = mine.to_update(range);
    step.apply(tensor, params, grads, &mut state[..count]);
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
