//! What every worker does from the first epoch to the last.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::super::data::Data;
use super::super::predict::{self, Measure, Predictor};
use super::super::{objective, random};
use super::leader::Leader;
use super::options::Position;
use super::team_size::Beginning;
use super::training::{Own, Training, TrainingStep, WorkerMemory};
use crate::interrupt::Lookout;
use crate::scalar::Scalar;
use crate::team::Worker;

/// Parameters whose state is touched between two looks around.
const TOUCHED: usize = 1 << 20;

/// The leader, for worker 0, who it is.
pub type MaybeLeader<'g, 'l, T> = Option<MutexGuard<'g, Leader<'l, T>>>;

impl<'l, T: Scalar> Training<'_, '_, 'l, T> {
    /// All epochs from there on, or as many as this team is for.
    pub fn work(&self, worker: &mut Worker, from: Beginning) {
        let mut place = self.memories[worker.index].lock().unwrap_or_else(PoisonError::into_inner);
        let WorkerMemory { scratch, squares, mut validation } = place.take().expect("memory for each worker");
        let mut own = Own::new(self, worker.index, worker.count, (scratch, squares));
        if from.steps == 0 {
            self.touch_state(worker, &own);
        }
        let lookout = || own.lookout.clone();
        let mut predictor = validation.as_mut().map(|memory| Predictor::new(self.network, memory, lookout()));
        let mut leader = (worker.index == 0).then(|| self.leader.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(next) = self.epochs(worker, &mut own, &mut leader, &mut predictor, from) {
            let Own { scratch, squares, .. } = own;
            *place = Some(WorkerMemory { scratch, squares, validation });
            if let Some(leader) = &mut leader {
                leader.regroup(next);
            }
        }
    }

    /// Where another team goes on; None where this is the end.
    fn epochs(
        &self,
        worker: &mut Worker,
        own: &mut Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        predictor: &mut Option<Predictor<'_, T>>,
        from: Beginning,
    ) -> Option<Beginning> {
        let mut steps = from.steps;
        for number in from.number..self.options.epochs {
            let under_way = from.row.filter(|_| number == from.number);
            let first_row = match under_way {
                Some(row) => row,
                None => self.begin_epoch(worker, own, leader, number)?,
            };
            let epoch = self.options.first_epoch + number as u64;
            let order = self.order.read().unwrap_or_else(PoisonError::into_inner);
            for start in (first_row..self.sequence.rows).step_by(self.sequence.batch_size) {
                steps += 1;
                let context = self.context(steps, epoch, start, &order);
                let is_last = context.rows.end == self.sequence.rows;
                self.network.dropout_at(self.steps_before(number, start), &mut own.rates);
                let made = self.train(worker, own, leader, &context);
                if let Some(leader) = leader {
                    leader.look_now_and_then(is_last);
                }
                self.publish_end(leader);
                worker.meet();
                if let Some(leader) = leader
                    && !leader.has_given_up()
                {
                    leader.pass(context.rows.end);
                    if made {
                        self.end_step(leader, self.weight(&context));
                    }
                }
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                if !is_last && self.regroups.load(Ordering::Relaxed) {
                    return Some(Beginning { number, row: Some(context.rows.end), steps });
                }
            }
            drop(order);
            self.validate(worker, predictor);
            if self.agreement.meet(worker, self.length.validates_long) {
                self.abandon(leader, false);
                return None;
            }
            if let Some(leader) = leader
                && !leader.has_ended()
            {
                self.end_epoch(worker, leader, number);
            }
            self.publish_end(leader);
            worker.meet();
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if number + 1 < self.options.epochs && self.regroups.load(Ordering::Relaxed) {
                return Some(Beginning { number: number + 1, row: None, steps });
            }
        }
        None
    }

    /// The order of an epoch's rows, and the first of them; None where all workers are to leave.
    fn begin_epoch(
        &self,
        worker: &mut Worker,
        own: &Own<T>,
        leader: &mut MaybeLeader<'_, 'l, T>,
        number: usize,
    ) -> Option<usize> {
        let begin = if number == 0 { self.options.start } else { Position::default() };
        if let Some(leader) = leader {
            leader.begin_epoch(self.options.epochs_before + number as u64 + 1, begin);
            self.shuffle(self.options.first_epoch + number as u64, &own.lookout);
        }
        if self.agreement.meet(worker, number == 0 && self.length.meets_late) {
            self.abandon(leader, false);
            return None;
        }
        Some(begin.row)
    }

    /// Has the system give the memory of this worker's state arrays, where it has not yet: that of a large network takes a good while, in
    /// which a training may be interrupted, and an update may not.
    fn touch_state(&self, worker: &Worker, own: &Own<T>) {
        // SAFETY: the shares of the workers are disjoint, and nobody reads parameters before the first meeting.
        let mut mine = unsafe { self.parameters.mine(worker, &own.share) };
        for piece in mine.pieces() {
            let range = self.network.tensors.range(piece);
            for start in range.clone().step_by(TOUCHED) {
                if own.lookout.says_stop() {
                    return;
                }
                mine.touch_state(start..range.end.min(start + TOUCHED));
            }
        }
    }

    /// The steps of the whole training before the one that begins with that row of that epoch.
    fn steps_before(&self, number: usize, row: usize) -> f64 {
        let epochs = self.options.epochs_before + number as u64;
        epochs as f64 * self.sequence.steps() as f64 + (row / self.sequence.batch_size) as f64
    }

    fn shuffle(&self, epoch: u64, lookout: &Lookout) {
        let mut order = self.order.write().unwrap_or_else(PoisonError::into_inner);
        if self.options.shuffle {
            self.sequence.arrange(&mut order, (self.options.seed, epoch), || lookout.says_stop());
        } else {
            self.sequence.arrange_unshuffled(&mut order);
        }
    }

    fn context<'o>(&self, number: u64, epoch: u64, start: usize, order: &'o [u32]) -> TrainingStep<'o> {
        let rows = self.sequence.batch(start);
        let weight_of = |shard| self.data.weight_of(&order[self.sequence.places(shard, &rows)]);
        let weight = match self.sequence.lacks_rows() {
            true => 0.0,
            false => (0..self.shards.count()).map(weight_of).sum(),
        };
        // The gradients of shards are sums, which are divided once they are added.
        let scale = match self.shards.count() {
            1 => objective::scale(self.network, weight, self.data.unit()),
            _ => 1.0,
        };
        let noise = self.network.is_noisy().then(|| random::key(&[self.options.seed, 1, epoch, start as u64]));
        TrainingStep { number, epoch, order, rows, weight, scale, noise }
    }

    /// The total weight of a step, which is not known before all have met where others have some of its rows.
    pub fn weight(&self, context: &TrainingStep<'_>) -> f64 {
        match self.sequence.lacks_rows() {
            true => self.shard_weights.sum(),
            false => context.weight,
        }
    }

    /// This worker's part of the losses on the validation data.
    fn validate(&self, worker: &Worker, predictor: &mut Option<Predictor<'_, T>>) {
        let (Some(data), Some(predictor)) = (self.validation, predictor) else { return };
        // SAFETY: nobody writes to parameters now.
        let params = unsafe { self.parameters.read(worker) };
        let rows = worker.share(data.len(), predict::GRAIN);
        let measures = [Measure::Loss, Measure::Error];
        let measures = if self.validation_errors.is_empty() { &measures[..1] } else { &measures };
        predictor.measure(params, data, rows, measures, |measure, block, values| match measure {
            Measure::Loss => self.validation_losses.set_all(block, values),
            Measure::Error => self.validation_errors.set_all(block, values),
        });
    }

    /// Lets the others know whether this is the end, or that of this team, to be read after the next meeting. Between this and the
    /// last reading lies a meeting, or a slow worker would leave while the others wait for it.
    fn publish_end(&self, leader: &MaybeLeader<'_, 'l, T>) {
        let Some(leader) = leader else { return };
        if leader.has_ended() {
            self.stop.store(true, Ordering::Relaxed);
        }
        if leader.wants_another_team() {
            self.regroups.store(true, Ordering::Relaxed);
        }
    }

    /// Leader: a step that was made, with a batch of that weight: its penalty, and its record.
    fn end_step(&self, leader: &mut Leader<'_, T>, weight: f64) {
        let unit = self.data.unit();
        let strength = objective::penalty_strength(self.network, weight, unit);
        let mut penalty = 0.0;
        if strength != 0.0 {
            let squares = self.row_squares.sum();
            penalty = 0.5 * strength * squares;
            leader.add_penalty(penalty, weight);
            self.largest_weight.set(0, leader.largest_weight(squares.sqrt(), strength));
        }
        leader.show_step((weight, unit), self.network.loss.mean(), penalty);
    }

    fn end_epoch(&self, worker: &Worker, leader: &mut Leader<'_, T>, number: usize) {
        // SAFETY: the other workers wait.
        let params = unsafe { self.parameters.read(worker) };
        let val_loss = self.validation.map(|data| {
            let total = self.validation_losses.sum();
            objective::reduced(self.network, data, total) + objective::penalty(self.network, params, data)
        });
        let counts_errors = !self.validation_errors.is_empty();
        let share = |data: &Data<'_, T>| self.validation_errors.sum() / data.weight();
        let val_error = self.validation.filter(|_| counts_errors).map(share);
        let results = (val_loss, val_error);
        let kind = (self.network.loss.mean(), self.data.unit());
        let epoch = leader.end_epoch(number, kind, results, self.options.tells);
        leader.show(&epoch, self.options.target_loss, params);
    }
}
