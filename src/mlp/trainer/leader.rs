//! The books of a training, which worker 0 keeps: the optimizer's counts, sums of losses, when to look at the clock, when
//! to stop.

use std::time::{Duration, Instant};

use super::super::peers::Peers;
use super::super::tensors::Tensors;
use super::best::{Best, Criterion};
use super::options::{Epoch, Monitor, Options, Position, StepRecord};
use super::team_size::{Beginning, TeamSize};
use super::told::Told;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::optim::{Optimizer, Peaks, Slices, Step, driver};
use crate::scalar::Scalar;
use crate::stop::Stop;

/// About how much time passes between two looks at the clock.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// What is known of the numbers of a step that was made.
#[derive(Clone, Copy)]
pub enum Largest {
    /// That no element of the gradient was larger, but for the penalty's share.
    Bound(f64),
    /// What it has left.
    Seen(Peaks),
}

/// What only worker 0 has.
pub struct Leader<'l, T: Scalar> {
    optimizer: &'l mut Optimizer<T>,
    monitor: &'l mut dyn Monitor,
    best: Option<Best<'l, T>>,
    /// What the processes tell each other, where there are several.
    told: Option<Told<T>>,
    outcome: Option<Result<Stop>>,
    team: &'l mut TeamSize,
    /// Whether the next steps are for another team than the present one, and where it begins once this one has left.
    wants_another_team: bool,
    beginning: Option<Beginning>,
    /// The number of the epoch, from 1.
    epoch: u64,
    /// Of the last step that was made.
    largest: Largest,
    /// A bound on every element of the gradients so far, and of the state.
    largest_gradient: f64,
    abandoned: bool,
    /// The weighted losses of the step that is under way.
    pending: f64,
    /// Those of the last step that was made.
    made: f64,
    position: Position,
    interrupt: Interrupt,
    begin: Instant,
    rest: Option<Duration>,
    last_look: Instant,
    /// Steps from one look to the next, and how many of them are left.
    steps_per_look: u64,
    steps_left: u64,
}

impl<'l, T: Scalar> Leader<'l, T> {
    /// Before the first epoch, with an optimizer whose state has no larger element than `state`, and a team of that size.
    pub fn new(
        (optimizer, monitor): (&'l mut Optimizer<T>, &'l mut dyn Monitor),
        best: Option<Best<'l, T>>,
        options: &Options,
        (told, state, team): (Option<Told<T>>, f64, &'l mut TeamSize),
    ) -> Self {
        Leader {
            interrupt: monitor.interrupt(),
            optimizer,
            monitor,
            best,
            told,
            outcome: None,
            team,
            wants_another_team: false,
            beginning: None,
            epoch: 0,
            largest: Largest::Bound(0.0),
            largest_gradient: state,
            abandoned: false,
            pending: 0.0,
            made: 0.0,
            position: Position::default(),
            begin: Instant::now(),
            rest: options.rest,
            last_look: Instant::now(),
            steps_per_look: 1,
            steps_left: 1,
        }
    }

    /// The optimizer, how the training has ended, where it has not simply done all its epochs, and where.
    pub fn into_parts(self) -> (&'l mut Optimizer<T>, Option<Result<Stop>>, Position) {
        (self.optimizer, self.outcome, self.position)
    }

    /// Whether the steps that follow are for another team.
    pub fn wants_another_team(&self) -> bool {
        self.wants_another_team
    }

    /// The team leaves; another one begins there.
    pub fn regroup(&mut self, next: Beginning) {
        self.beginning = Some(next);
    }

    /// Where another team begins, and of how many workers; None where the training has ended.
    pub fn next_team(&mut self) -> Option<(Beginning, usize)> {
        self.wants_another_team = false;
        self.beginning.take().map(|beginning| (beginning, self.team.workers()))
    }

    /// Whether this is the end.
    pub fn has_ended(&self) -> bool {
        self.outcome.is_some()
    }

    /// Whether the last step is not made, because of an interrupt or an error.
    pub fn has_given_up(&self) -> bool {
        self.abandoned || self.has_failed()
    }

    /// Whether an error has ended it.
    pub fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(Err(_)))
    }

    /// Ends it.
    pub fn end(&mut self, outcome: Result<Stop>) {
        self.outcome = Some(outcome);
    }

    /// The epoch of that number, from 1, goes on from here.
    pub fn begin_epoch(&mut self, epoch: u64, position: Position) {
        (self.epoch, self.position) = (epoch, position);
    }

    /// Fixes the scalars of a step; None where it cannot be made, or is left out.
    pub fn begin_step(&mut self, norm: Option<f64>) -> Option<Step<T>> {
        if self.has_failed() {
            return None;
        }
        match self.optimizer.begin_step(norm) {
            Ok(step) => {
                self.position.lr = step.lr();
                Some(step)
            }
            Err(error) => {
                self.end(Err(error));
                None
            }
        }
    }

    /// A step that the workers cannot make together, with the gradient that they have computed, on up to so many threads; the
    /// workers sleep meanwhile. False where it was not made.
    pub fn step_alone(&mut self, table: &Tensors, (params, grads): (&mut [T], &[T]), threads: usize) -> bool {
        if self.has_failed() {
            return false;
        }
        let (mut params, mut grads) = (params, grads);
        let tensors = table.sizes().into_iter().map(|len| {
            let (of_params, of_grads);
            (of_params, params) = std::mem::take(&mut params).split_at_mut(len);
            (of_grads, grads) = grads.split_at(len);
            (of_params, of_grads)
        });
        let names = |tensor: usize| table.get(tensor).name.clone();
        let tensors = Slices::new(tensors).named(&names);
        let made = self
            .optimizer
            .rates()
            .and_then(|rates| Ok((rates.first(), !driver::step_at(self.optimizer, &rates, tensors, threads)?)));
        match made {
            Ok((lr, true)) => {
                self.position.lr = lr;
                return true;
            }
            Ok((_, false)) => {}
            Err(error) => self.end_with(error),
        }
        self.pending = 0.0;
        false
    }

    /// A step whose numbers are not finite: nothing is updated. `begun` is whether the optimizer has counted it already.
    pub fn refuse(&mut self, place: String, begun: bool) {
        self.pending = 0.0;
        if self.has_failed() {
            return;
        }
        if begun {
            self.optimizer.undo_step();
        }
        if let Err(error) = self.optimizer.refuse(place) {
            self.end_with(error);
        }
    }

    /// An error ends it, which says in which epoch.
    fn end_with(&mut self, error: Error) {
        self.end(Err(match error {
            Error::NonFinite { place, step, .. } => Error::NonFinite { place, step, epoch: Some(self.epoch) },
            error => error,
        }));
    }

    /// The losses of a batch, or of a piece of it, in that unit.
    pub fn add_losses(&mut self, losses: &[f64], unit: f64) {
        self.pending += losses.iter().sum::<f64>() * unit;
    }

    /// A finished step, whose batch weighs so much. One that could not be begun is none.
    pub fn finish_step(&mut self, weight: f64, largest: Largest) {
        if self.has_failed() {
            return;
        }
        self.made = std::mem::take(&mut self.pending);
        self.position.loss += self.made;
        self.position.weight += weight;
        self.largest = largest;
        if let Largest::Seen(peaks) = largest {
            self.optimizer.learn(peaks);
        }
    }

    /// After a step, made or left out: how long it took, where that is asked, and now and then a look at the clock. The last step of
    /// an epoch leaves that to its end, or an epoch that is done would go without its record.
    pub fn look_now_and_then(&mut self, is_last: bool) {
        if self.has_given_up() {
            return;
        }
        self.wants_another_team |= self.team.end_step();
        if self.told.is_some() {
            if !is_last {
                self.end_with_others();
            }
        } else if self.steps_left > 1 {
            self.steps_left -= 1;
        } else if !is_last {
            self.look();
        }
    }

    /// A bound on the penalised weights after the last step, which had the norm `before` and were penalised with that strength.
    pub fn largest_weight(&mut self, before: f64, strength: f64) -> f64 {
        match self.largest {
            Largest::Bound(gradient) => {
                self.largest_gradient = self.largest_gradient.max(gradient + strength * before);
                before + self.optimizer.reach(self.largest_gradient)
            }
            Largest::Seen(peaks) => {
                self.largest_gradient = self.largest_gradient.max(peaks.state);
                peaks.params
            }
        }
    }

    /// The steps up to this row are done, made or left out.
    pub fn pass(&mut self, row: usize) {
        self.position.row = row;
    }

    /// The penalty of a step whose batch weighs so much.
    pub fn add_penalty(&mut self, penalty: f64, weight: f64) {
        self.position.penalty += penalty * weight;
    }

    /// Shows the last step to the monitor, whose batch weighs so much in that unit. `mean` is whether its loss is one.
    pub fn show_step(&mut self, (weight, unit): (f64, f64), mean: bool, penalty: f64) {
        let loss = match mean {
            true if weight > 0.0 => self.made / weight,
            true => 0.0,
            false => self.made,
        };
        let record =
            StepRecord { epoch: self.epoch, loss: loss + penalty, weight: weight * unit, lr: self.position.lr };
        if let Err(error) = self.monitor.step(&record) {
            self.end(Err(error));
        }
    }

    /// Looks around, and sets the time of the next look by how long the steps up to this one have taken: what a step takes is
    /// more than its arithmetic.
    fn look(&mut self) {
        let now = Instant::now();
        let took = now.duration_since(self.last_look).as_secs_f64().max(1e-9);
        let steps = self.steps_per_look as f64 * (BETWEEN_LOOKS.as_secs_f64() / took).min(4.0);
        (self.last_look, self.steps_per_look) = (now, (steps as u64).max(1));
        self.steps_left = self.steps_per_look;
        self.look_around();
    }

    /// Why this process would end the training, for reasons from outside.
    pub fn wish(&self) -> Option<Stop> {
        match self.interrupt.look() {
            true => self.interrupt.reason(),
            false => self.is_to_rest().then_some(Stop::MaxTime),
        }
    }

    /// The other processes, if there are any, and what is told.
    pub fn others(&mut self) -> Option<(&mut Told<T>, &mut dyn Peers)> {
        self.told.as_mut().zip(self.monitor.peers())
    }

    /// The training ends where one of several processes has wished it.
    fn end_with_others(&mut self) {
        if let Some(stop) = self.told.as_ref().and_then(|told| told.stop)
            && self.outcome.is_none()
        {
            self.outcome = Some(Ok(stop));
        }
    }

    fn is_to_rest(&self) -> bool {
        self.rest.is_some_and(|rest| self.begin.elapsed() >= rest)
    }

    /// Whether this is the end, for reasons from outside.
    fn look_around(&mut self) {
        if self.told.is_some() {
            self.end_with_others();
        } else if self.interrupt.look() {
            self.break_off();
        } else if self.is_to_rest() {
            self.end(Ok(Stop::MaxTime));
        }
    }

    /// The training ends here, as the interrupt says.
    fn break_off(&mut self) {
        if self.outcome.is_none() {
            self.outcome = self.interrupt.reason().map(Ok);
        }
    }

    /// The step or the validation that is under way is given up. `begun` is whether the optimizer has counted the step already.
    pub fn abandon(&mut self, begun: bool) {
        self.abandoned = true;
        self.pending = 0.0;
        // A step that could not be begun has changed nothing.
        if begun && self.outcome.is_none() {
            self.optimizer.undo_step();
        }
        self.break_off();
    }

    /// The record of an epoch, with its loss and the share of errors on the validation data. `mean` is whether its loss is one, and
    /// weights come in that unit.
    pub fn end_epoch(
        &mut self,
        number: usize,
        (mean, unit): (bool, f64),
        (val_loss, val_error): (Option<f64>, Option<f64>),
        tells: bool,
    ) -> Epoch {
        let Position { loss, weight, penalty, lr, .. } = std::mem::take(&mut self.position);
        let penalty = penalty / weight.max(f64::MIN_POSITIVE);
        // Where no step was made, a sum of losses is none either.
        let loss = if mean || weight == 0.0 { loss / weight } else { loss } + penalty;
        if tells {
            self.optimizer.tell(val_loss.unwrap_or(loss));
        }
        Epoch { number, loss, val_loss, val_error, penalty, weight: weight * unit, lr }
    }

    /// Shows an epoch to the monitor, keeps its parameters if it is the best one, and decides whether it was the last one.
    pub fn show(&mut self, epoch: &Epoch, target_loss: Option<f64>, params: &[T]) {
        let stalls = self.best.as_mut().is_some_and(|best| {
            let score = match best.selection.criterion {
                Criterion::Loss => epoch.val_loss,
                Criterion::ErrorRate => epoch.val_error,
            };
            score.is_some_and(|score| best.see(self.epoch, score, params))
        });
        if let Some(stop) = self.monitor.epoch(epoch) {
            self.end(Ok(stop));
        } else if target_loss.is_some_and(|target| epoch.loss <= target) {
            self.end(Ok(Stop::TargetLoss));
        } else if stalls {
            self.end(Ok(Stop::Converged));
        } else {
            self.look_around();
        }
    }
}
