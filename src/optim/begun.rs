//! How a step of an optimizer begins, and how it is taken back.

use super::calm::Peaks;
use super::group_step::GroupStep;
use super::optimizer::{Optimizer, Rates};
use super::options::NonFinite;
use super::rule::{StepContext, SumScope};
use super::scale::Scale;
use super::step::Step;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

impl<T: Scalar> Optimizer<T> {
    /// What happens where a gradient, the loss that it belongs to or an update is not finite: an error, or a step that is left out.
    /// `place` is where it was found.
    pub fn refuse(&mut self, place: String) -> Result<()> {
        if self.surroundings().nonfinite == NonFinite::Raise {
            return Err(Error::NonFinite { place, step: self.books.counts.steps + 1, epoch: None });
        }
        self.books.counts.skipped += 1;
        Ok(())
    }

    /// Counts a gradient that was gathered, not used for a step yet.
    pub(super) fn count_gathered(&mut self) {
        self.books.counts.gathered += 1;
    }

    /// Begins a round of gradients anew.
    pub(super) fn count_none_gathered(&mut self) {
        self.books.counts.gathered = 0;
    }

    /// Fixes the scalars of the next step and counts it.
    ///
    /// `norm` is the 2-norm of all gradients, given where [`Optimizer::needs_norm`] says so: NaN or infinity where an
    /// element is. What is to happen then is one of the options: an error, nothing changed and nothing counted, or a step
    /// that is skipped and counted apart.
    pub fn begin_step(&mut self, norm: Option<f64>) -> Result<Step<T>> {
        let rates = self.rates()?;
        self.begin_step_at(&rates, norm)
    }

    /// The same with learning rates that were asked for before.
    pub fn begin_step_at(&mut self, rates: &Rates, norm: Option<f64>) -> Result<Step<T>> {
        let surroundings = *self.surroundings();
        let finite = norm.is_none_or(f64::is_finite);
        let number = self.books.counts.steps + 1;
        if !finite && surroundings.nonfinite == NonFinite::Raise {
            return Err(Error::NonFinite { place: "the gradient".into(), step: number, epoch: None });
        }
        let skipped = !finite && surroundings.nonfinite == NonFinite::Skip;
        let clip = match (surroundings.clip_norm, norm) {
            (Some(max), Some(norm)) => surroundings.clip_factor(max, norm),
            _ => Scale::ONE,
        };
        self.before.copy_from(&self.books);
        let first = self.begin_group(0, rates.first, clip);
        let rest = (1..).zip(&rates.rest).map(|(group, &lr)| self.begin_group(group, lr, clip)).collect();
        if skipped {
            self.undo_step();
            self.books.counts.skipped += 1;
        } else {
            self.books.counts.steps = number;
        }
        self.books.counts.gathered = 0;
        let (group_of, selected) = (self.layout.group_of.clone(), self.layout.selected.clone());
        let mut step = Step {
            first,
            rest,
            group_of,
            selected,
            factors: vec![],
            concluded: vec![],
            skipped,
            calm: 0.0,
            careful: false,
        };
        step.calm = self.calm(&step);
        Ok(step)
    }

    /// Up to which gradient a step is calm.
    fn calm(&mut self, step: &Step<T>) -> f64 {
        let groups = self.calm.iter_mut().zip(&self.groups).zip(&self.books.memory).enumerate();
        let of_groups = groups.map(|(index, ((calm, config), memory))| calm.begin(config, step.group(index), memory));
        of_groups.fold(f64::INFINITY, f64::min)
    }

    /// Takes in what a rehearsal of the last step has seen.
    pub fn learn(&mut self, peaks: Peaks) {
        self.calm.iter_mut().for_each(|calm| calm.learn::<T>(peaks));
    }

    fn begin_group(&mut self, group: usize, lr: f64, clip: Scale) -> GroupStep<T> {
        let (config, slots, t) = (&self.groups[group], self.slot_maps[group], self.books.steps_of(group) + 1);
        let factors = (clip, config.weight_decay(self.books.counts.steps));
        let (books, memory) = (&mut self.books.groups[group], &mut self.books.memory[group]);
        let context = StepContext { t, lr, since: &books.progress.since };
        if config.is_frozen() {
            let begun = config.begin(context, factors, &mut memory.clone(), slots, 0);
            books.progress.frozen_steps += 1;
            return begun;
        }
        let starting = std::mem::take(&mut books.starting);
        let mut begun = config.begin(context, factors, memory, slots, starting);
        begun.grown.clone_from(&self.calm[group].grown);
        begun
    }

    /// Takes the last `begin_step` back, where no element was updated after it.
    pub fn undo_step(&mut self) {
        self.books.copy_from(&self.before);
    }

    /// Takes the sums over the tensors that the rule has asked for: its scalars are then known.
    pub(super) fn conclude(&mut self, step: &mut Step<T>, sums: &[[f64; 2]]) {
        match step.sum_scope() {
            SumScope::Nothing => (),
            SumScope::Tensor => {
                for (tensor, &sums) in sums.iter().enumerate() {
                    let group = self.group_of(tensor);
                    let (rule, memory) = (self.groups[group].rule(), &mut self.books.memory[group]);
                    step.concluded.push(rule.conclude(&step.group(group).rule, sums, memory));
                }
            }
            SumScope::Group => {
                for (group, &sums) in sums.iter().enumerate().filter(|(group, _)| !self.groups[*group].is_frozen()) {
                    let (rule, memory) = (self.groups[group].rule(), &mut self.books.memory[group]);
                    let begun = step.group_mut(group);
                    begun.rule = rule.conclude(&begun.rule, sums, memory);
                }
            }
        }
    }

    /// A bound on how far a step moves an element with the learning rates so far, where no gradient so far, and nothing in the
    /// state, is larger than `gradient`.
    pub fn reach(&self, gradient: f64) -> f64 {
        let of_groups = self.calm.iter().zip(&self.groups).zip(&self.books.memory);
        of_groups.map(|((calm, config), memory)| calm.reach::<T>(config, gradient, memory)).fold(0.0, f64::max)
    }
}
