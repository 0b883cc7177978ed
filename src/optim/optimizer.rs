//! An optimizer bound to tensors: groups, counts, state.

use std::ops::Range;
use std::sync::Arc;

use super::config::{AVERAGE, Around, Average, Config, GATHERED, NonFinite};
use super::rule::{Initial, Now, Over, Slot};
use super::step::{GroupStep, Places, Step, UNUSED};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A rule at work on tensors whose elements it sees as one flat vector, one tensor after the other.
///
/// It owns the state and the counts, not the parameters.
pub struct Optimizer<T: Scalar> {
    groups: Vec<Config>,
    /// The group of each tensor, where there are several groups.
    group_of: Option<Arc<[usize]>>,
    selected: Option<Arc<[bool]>>,
    /// Where each tensor begins in the flat vector, then its length.
    offsets: Vec<usize>,
    names: Vec<&'static str>,
    slots: Vec<Buffer<T>>,
    /// Which state arrays each group uses, and as what.
    places: Vec<Places>,
    /// The numbers that each group's rule remembers.
    memory: Vec<Vec<f64>>,
    counts: Counts,
    /// What the last step has changed besides elements.
    before: (Counts, Vec<Vec<f64>>, Vec<u32>),
}

/// How far an optimizer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Steps taken, without the skipped ones.
    pub steps: u64,
    /// Steps left out because of NaN or infinity in a gradient.
    pub skipped: u64,
    /// Gradients gathered since the last step, where several are averaged.
    pub gathered: u64,
}

impl<T: Scalar> Optimizer<T> {
    /// One group: `sizes` are the numbers of elements of the tensors.
    pub fn new(config: &Config, sizes: &[usize]) -> Result<Self> {
        Self::with_groups(vec![config.clone()], sizes, &vec![0; sizes.len()])
    }

    /// Several groups of the same rule; `group_of` is the group of each tensor.
    pub fn with_groups(groups: Vec<Config>, sizes: &[usize], group_of: &[usize]) -> Result<Self> {
        let Some(first) = groups.first() else {
            return Err(Error::value("params", "no parameter group", "at least one"));
        };
        if let Some(other) = groups.iter().find(|group| group.spec().name != first.spec().name) {
            return Err(Error::value(
                "params",
                other.spec().name,
                format!("groups of one rule, {}", first.spec().name),
            ));
        }
        let mut offsets = vec![0];
        for size in sizes {
            offsets.push(offsets[offsets.len() - 1] + size);
        }
        let mut optimizer = Optimizer {
            places: vec![Places::NONE; groups.len()],
            memory: groups
                .iter()
                .map(|group| group.rule().memory().into_iter().map(|(_, start)| start).collect())
                .collect(),
            group_of: (groups.len() > 1).then(|| group_of.into()),
            selected: None,
            groups,
            offsets,
            names: vec![],
            slots: vec![],
            counts: Counts::default(),
            before: Default::default(),
        };
        optimizer.allocate();
        Ok(optimizer)
    }

    /// Says which tensors decay in groups whose `decay_where` is not "everywhere"; without this, all do.
    pub fn set_selected(&mut self, selected: &[bool]) {
        self.selected = Some(selected.into());
    }

    /// Whether a tensor is among those.
    pub fn is_selected(&self, tensor: usize) -> bool {
        self.selected.as_ref().is_none_or(|selected| selected[tensor])
    }

    /// Allocates the state arrays that the groups' options ask for, and keeps those that are there.
    fn allocate(&mut self) {
        for index in 0..self.groups.len() {
            let old = std::mem::replace(&mut self.places[index], Places::NONE);
            self.places[index].of_rule = self.groups[index].rule().slots().len();
            for (place, Slot { name, initial }) in self.groups[index].slots().into_iter().enumerate() {
                let position = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
                    self.names.push(name);
                    self.slots.push(Buffer::staggered(self.len(), self.slots.len()));
                    self.names.len() - 1
                });
                self.places[index].places[position] = place as u8;
                // New for this group, or not looked at yet.
                if old.places[position] == UNUSED || self.counts.steps == 0 {
                    match initial {
                        Initial::Value(value) => self.fill(index, position, T::from_f64(value)),
                        Initial::Params => self.places[index].copies |= 1 << place,
                    }
                }
            }
        }
    }

    fn fill(&mut self, group: usize, slot: usize, value: T) {
        for tensor in 0..self.tensors() {
            if self.group_of(tensor) == group {
                let range = self.range(tensor);
                self.slots[slot][range].fill(value);
            }
        }
    }

    /// Number of elements of all tensors.
    pub fn len(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Whether there is nothing to update.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tensors.
    pub fn tensors(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where a tensor's elements are in the flat vector and so in every state array.
    pub fn range(&self, tensor: usize) -> Range<usize> {
        self.offsets[tensor]..self.offsets[tensor + 1]
    }

    /// Where each tensor begins in the flat vector, then its length.
    pub(super) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The group that a tensor belongs to.
    pub fn group_of(&self, tensor: usize) -> usize {
        self.group_of.as_ref().map_or(0, |groups| groups[tensor])
    }

    /// Whether a tensor never changes: the learning rate of its group is always 0.
    pub fn is_frozen(&self, tensor: usize) -> bool {
        self.groups[self.group_of(tensor)].schedule().as_constant() == Some(0.0)
    }

    /// The parameter groups.
    pub fn groups(&self) -> &[Config] {
        &self.groups
    }

    /// What is the same for all groups.
    pub(super) fn around(&self) -> &Around {
        self.groups[0].around()
    }

    /// Puts another configuration in the place of a group's; state that it needs besides starts at its initial value.
    pub fn set_group(&mut self, index: usize, config: Config) {
        self.groups[index] = config;
        self.allocate();
    }

    /// How far it has come.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Continues from there, as when a saved state is loaded.
    pub fn set_counts(&mut self, steps: u64, skipped: u64) {
        (self.counts.steps, self.counts.skipped) = (steps, skipped);
        if steps > 0 {
            self.places.iter_mut().for_each(|places| places.copies = 0);
        }
    }

    /// Sets how many gradients were gathered since the last step.
    pub fn set_gathered(&mut self, gathered: u64) {
        self.counts.gathered = gathered;
    }

    /// What happens where a gradient, or the loss that it belongs to, is not finite: an error, or a step that is left out.
    pub fn refuse(&mut self) -> Result<()> {
        if self.around().nonfinite == NonFinite::Raise {
            return Err(Error::NonFinite { place: "the gradient".into(), step: self.counts.steps + 1 });
        }
        self.counts.skipped += 1;
        Ok(())
    }

    /// Counts a gradient that was gathered, not used for a step yet.
    pub(super) fn gather(&mut self) {
        self.counts.gathered += 1;
    }

    /// Steps taken, without the skipped ones.
    pub fn step_count(&self) -> u64 {
        self.counts.steps
    }

    /// Steps left out because of NaN or infinity in a gradient.
    pub fn skipped_steps(&self) -> u64 {
        self.counts.skipped
    }

    /// The numbers that a group's rule remembers, with their names.
    pub fn memory(&self, group: usize) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        let names = self.groups[group].rule().memory().into_iter().map(|(name, _)| name);
        names.zip(self.memory[group].iter().copied())
    }

    /// Those numbers, to be changed.
    pub fn memory_mut(&mut self, group: usize) -> &mut [f64] {
        &mut self.memory[group]
    }

    /// The learning rate that the next step will have in a group.
    pub fn lr(&self, group: usize) -> Result<f64> {
        self.groups[group].schedule().value(self.counts.steps as f64)
    }

    /// Tells schedules that depend on results the newest one, such as the loss of an epoch.
    pub fn tell(&mut self, result: f64) {
        self.groups.iter_mut().for_each(|group| group.schedule_mut().tell(result));
    }

    /// Whether a figure of all gradients is needed before any element can be updated: their norm, or whether they are finite.
    pub fn needs_norm(&self) -> bool {
        self.clips() || self.around().nonfinite != NonFinite::Ignore
    }

    /// Whether the norm itself is needed, or only whether it is finite.
    pub fn clips(&self) -> bool {
        self.around().clip_norm.is_some()
    }

    /// Whether `begin_step` and `apply` are all of a step. Where not, because gradients are averaged or clipped one by one, or
    /// because the rule needs sums, only [`driver::step`](super::driver::step) can make it.
    pub fn is_one_pass(&self) -> bool {
        let Around { accumulate, clip_tensor_norm, .. } = *self.around();
        accumulate == 1 && clip_tensor_norm.is_none() && self.groups[0].rule().sums() == Over::Nothing
    }

    /// Refuses gradients of some rows only, where a group's rule or what surrounds it needs those of all.
    pub fn expect_rows_allowed(&self) -> Result<()> {
        for config in &self.groups {
            let rule = config.rule();
            let got = match config.slots().get(rule.slots().len()) {
                _ if !rule.takes_rows() => config.spec().name.to_owned(),
                Some(_) => "accumulate, lookahead, ema or swa_start with them".to_owned(),
                None => continue,
            };
            let expected = "SGD, Adagrad, Adam or AdamW without averages for gradients (rows, values)";
            return Err(Error::type_("the optimizer", got, expected));
        }
        Ok(())
    }

    /// Fixes the scalars of the next step and counts it.
    ///
    /// `norm` is the 2-norm of all gradients, given where [`Optimizer::needs_norm`] says so: NaN or infinity where an
    /// element is. What is to happen then is one of the options: an error, nothing changed and nothing counted, or a step
    /// that is skipped and counted apart.
    pub fn begin_step(&mut self, norm: Option<f64>) -> Result<Step<T>> {
        let around = *self.around();
        let finite = norm.is_none_or(f64::is_finite);
        let t = self.counts.steps + 1;
        if !finite && around.nonfinite == NonFinite::Raise {
            return Err(Error::NonFinite { place: "the gradient".into(), step: t });
        }
        let skipped = !finite && around.nonfinite == NonFinite::Skip;
        let clip = match (around.clip_norm, norm) {
            (Some(max), Some(norm)) => around.clip_factor(max, norm),
            _ => 1.0,
        };
        // Schedules may fail: all are asked before anything is remembered.
        let first = Now { t, lr: self.lr(0)? };
        let others = (1..self.groups.len()).map(|group| Ok(Now { t, lr: self.lr(group)? }));
        let others = others.collect::<Result<Vec<_>>>()?;
        self.before.0 = self.counts;
        self.before.1.clone_from(&self.memory);
        self.before.2.clear();
        self.before.2.extend(self.places.iter().map(|places| places.copies));
        let first = self.begin_group(0, first, clip);
        let rest = others.into_iter().enumerate().map(|(i, now)| self.begin_group(i + 1, now, clip)).collect();
        if skipped {
            self.undo_step();
            self.counts.skipped += 1;
        } else {
            self.counts.steps = t;
            self.places.iter_mut().for_each(|places| places.copies = 0);
        }
        self.counts.gathered = 0;
        let (group_of, selected) = (self.group_of.clone(), self.selected.clone());
        Ok(Step { first, rest, group_of, selected, factors: vec![], concluded: vec![], skipped })
    }

    /// Takes the last `begin_step` back, where no element was updated after it.
    pub fn undo_step(&mut self) {
        let (counts, memory, copies) = &self.before;
        self.counts = *counts;
        self.memory.clone_from(memory);
        self.places.iter_mut().zip(copies).for_each(|(places, copies)| places.copies = *copies);
    }

    fn begin_group(&mut self, index: usize, now: Now, clip: f64) -> GroupStep<T> {
        self.groups[index].begin(now, clip, &mut self.memory[index], self.places[index])
    }

    /// Takes the sums over the tensors that the rule has asked for: its scalars are then known.
    pub(super) fn conclude(&mut self, step: &mut Step<T>, sums: &[[f64; 2]]) {
        match step.sums() {
            Over::Nothing => (),
            Over::Tensor => {
                for (tensor, &sums) in sums.iter().enumerate() {
                    let group = self.group_of(tensor);
                    let begun = if group == 0 { &step.first } else { &step.rest[group - 1] };
                    let concluded = self.groups[group].rule().conclude(&begun.rule, sums, &mut self.memory[group]);
                    step.concluded.push(concluded);
                }
            }
            Over::Group => {
                for (index, &sums) in sums.iter().enumerate() {
                    let begun = if index == 0 { &mut step.first } else { &mut step.rest[index - 1] };
                    begun.rule = self.groups[index].rule().conclude(&begun.rule, sums, &mut self.memory[index]);
                }
            }
        }
    }

    /// The names of the state arrays.
    pub fn slot_names(&self) -> &[&'static str] {
        &self.names
    }

    /// The state arrays, each as long as all tensors together.
    pub fn slots(&self) -> &[Buffer<T>] {
        &self.slots
    }

    /// The state arrays, to be changed: each as long as all tensors together.
    pub fn slots_mut(&mut self) -> &mut [Buffer<T>] {
        &mut self.slots
    }

    /// Where the gathered gradients are among the state arrays, where several are averaged.
    pub(super) fn gathered(&self) -> Option<usize> {
        self.names.iter().position(|name| *name == GATHERED)
    }

    /// Writes the averaged parameters of one tensor, whose own values are `params`, to `to`: the average that `ema` or
    /// `swa_start` keeps, else the one that belongs to the rule. False where there is none.
    pub fn averaged(&self, tensor: usize, params: &[T], to: &mut [T]) -> bool {
        let range = self.range(tensor);
        let group = &self.groups[self.group_of(tensor)];
        let slot = |name| self.names.iter().position(|known| *known == name).map(|i| &self.slots[i][range.clone()]);
        let started = self.counts.steps > 0;
        match (group.around().average, slot(AVERAGE)) {
            (Some(_), Some(_)) if !started => to.copy_from_slice(params),
            (Some(Average::Plain(start)), Some(_)) if self.counts.steps < start.max(1) => to.copy_from_slice(params),
            (Some(Average::FromZero(rate)), Some(average)) => {
                let scale = T::from_f64(1.0 / (1.0 - rate.powf(self.counts.steps as f64)));
                to.iter_mut().zip(average).for_each(|(to, &average)| *to = average * scale);
            }
            (Some(_), Some(average)) => to.copy_from_slice(average),
            _ => {
                let slots = group.rule().slots();
                let own: Vec<_> = slots.iter().filter_map(|own| slot(own.name)).collect();
                if !group.rule().averages() {
                    return false;
                }
                if !started {
                    to.copy_from_slice(params);
                } else {
                    group.rule().averaged(params, &own, to);
                }
            }
        }
        true
    }
}
