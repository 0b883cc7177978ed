//! An optimizer bound to tensors: groups, counts, state.

use std::ops::Range;

use super::books::{Books, Counts, Progress};
use super::calm::Calm;
use super::config::Config;
use super::layout::Layout;
use super::options::NonFinite;
use super::rule::SumScope;
use super::slot::{Initial, MAX_SLOTS, Slot, SlotMap};
use super::surroundings::{AVERAGE, GATHERED, Surroundings};
use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// The learning rates of one step, one for each group.
#[derive(Debug, Clone)]
pub struct Rates {
    pub(super) first: f64,
    /// Those of the other groups; empty for most users, and then nothing is allocated.
    pub(super) rest: Vec<f64>,
}

impl Rates {
    /// Of the step that comes after `steps` others.
    #[inline]
    pub fn of(groups: &[Config], steps: u64) -> Result<Self> {
        let first = groups[0].lr(steps)?;
        Ok(Rates { first, rest: groups[1..].iter().map(|group| group.lr(steps)).collect::<Result<_>>()? })
    }

    /// That of the first group.
    pub fn first(&self) -> f64 {
        self.first
    }
}

/// What a group's rule remembers before its first step.
fn start_of_memory(group: &Config) -> Vec<f64> {
    group.rule().memory().into_iter().map(|(_, start)| start).collect()
}

/// A rule at work on tensors whose elements it sees as one flat vector, one tensor after the other.
///
/// It owns the state and the counts, not the parameters.
pub struct Optimizer<T: Scalar> {
    pub(super) groups: Vec<Config>,
    pub(super) layout: Layout,
    names: Vec<&'static str>,
    slots: Vec<Buffer<T>>,
    /// Which state arrays each group uses, and as what.
    pub(super) slot_maps: Vec<SlotMap>,
    pub(super) books: Books,
    /// The books before the last step.
    pub(super) before: Books,
    /// For each group, which steps are calm.
    pub(super) calm: Vec<Calm>,
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
        for group in &groups[1..] {
            let [first, other] = [first, group].map(Config::surroundings);
            if let Some((name, first, other)) = first.differs_in_whole_step(other) {
                return Err(Error::value(name, format!("{first} and {other}"), "the same in all groups"));
            }
        }
        let mut optimizer = Optimizer {
            layout: Layout::new(sizes, groups.len(), group_of),
            slot_maps: vec![SlotMap::EMPTY; groups.len()],
            books: Books::new(groups.iter().map(start_of_memory).collect()),
            before: Books::default(),
            calm: groups.iter().map(|group| Calm::new(group, true)).collect(),
            groups,
            names: vec![],
            slots: vec![],
        };
        let slots = optimizer.missing_slots(optimizer.groups.iter())?;
        optimizer.extend_slots(slots);
        (0..optimizer.groups.len()).for_each(|group| optimizer.begin_slots(group, 0, false));
        Ok(optimizer)
    }

    /// The state arrays that configurations ask for and that are not there yet.
    fn missing_slots<'a>(&self, configs: impl Iterator<Item = &'a Config>) -> Result<Vec<(&'static str, Buffer<T>)>> {
        let mut missing: Vec<(&'static str, Buffer<T>)> = vec![];
        for Slot { name, .. } in configs.flat_map(Config::slots) {
            if !self.names.contains(&name) && missing.iter().all(|(known, _)| *known != name) {
                let number = self.slots.len() + missing.len();
                missing.push((name, Buffer::staggered(self.layout.len(), number, "the optimizer's state")?));
            }
        }
        Ok(missing)
    }

    fn extend_slots(&mut self, new: Vec<(&'static str, Buffer<T>)>) {
        for (name, slot) in new {
            self.names.push(name);
            self.slots.push(slot);
        }
    }

    /// Gives a group the state arrays that its options ask for: those that it had as they are, others from their beginning.
    /// Arrays from number `zeros` on are new, and all zeros; `averaged` says whether there is something in the average.
    fn begin_slots(&mut self, group: usize, zeros: usize, averaged: bool) {
        let old = std::mem::replace(&mut self.slot_maps[group], SlotMap::EMPTY);
        let (steps, books) = (self.books.steps_of(group), &mut self.books.groups[group]);
        let waiting = std::mem::take(&mut books.starting);
        let since = std::mem::replace(&mut books.progress.since, [0; MAX_SLOTS]);
        self.slot_maps[group].of_rule = self.groups[group].rule().slots().len();
        for (place, Slot { name, initial, .. }) in self.groups[group].slots().into_iter().enumerate() {
            let Some(position) = self.names.iter().position(|known| *known == name) else { continue };
            self.slot_maps[group].places[position] = place as u8;
            let before = old.places[position];
            // Whether something has been put into it.
            let begun = match name {
                AVERAGE => averaged,
                GATHERED => self.books.counts.gathered > 0,
                _ => steps > 0,
            };
            let goes_on = before != SlotMap::UNUSED && waiting >> before & 1 == 0 && begun;
            self.books.groups[group].progress.since[place] = if goes_on { since[before as usize] } else { steps };
            match initial {
                _ if goes_on => (),
                Initial::Params => self.books.groups[group].starting |= 1 << place,
                Initial::Value(0.0) if position >= zeros => (),
                Initial::Value(value) => {
                    let slot = &mut self.slots[position];
                    self.layout.ranges_of(group).for_each(|range| slot[range].fill(T::from_f64(value)));
                }
            }
        }
    }

    /// Puts another configuration in the place of a group's; see [`Optimizer::set_groups`].
    pub fn set_group(&mut self, index: usize, config: Config) -> Result<()> {
        self.set_groups(vec![(index, config)])
    }

    /// Puts other configurations in the place of some groups'; state that they need besides starts at its initial value, and
    /// what nobody needs any more is gone. Nothing has changed where it fails.
    pub fn set_groups(&mut self, changes: Vec<(usize, Config)>) -> Result<()> {
        changes.iter().try_for_each(|(index, config)| self.expect_changeable(*index, config))?;
        let (missing, zeros) = (self.missing_slots(changes.iter().map(|(_, config)| config))?, self.slots.len());
        self.extend_slots(missing);
        for (index, config) in changes {
            let averaged = self.has_averaged(index);
            self.calm[index] = Calm::new(&config, false);
            let old = std::mem::replace(&mut self.groups[index], config);
            if self.books.steps_of(index) == 0 {
                self.books.memory[index] = start_of_memory(&self.groups[index]);
            }
            self.begin_slots(index, zeros, averaged);
            self.keep_time_of_slow(index, &old);
        }
        self.drop_unused_slots();
        Ok(())
    }

    fn drop_unused_slots(&mut self) {
        for position in (0..self.names.len()).rev() {
            if self.slot_maps.iter().all(|map| map.places[position] == SlotMap::UNUSED) {
                self.names.remove(position);
                self.slots.remove(position);
                self.slot_maps.iter_mut().for_each(|map| map.remove(position));
            }
        }
    }

    /// Says which tensors decay in groups whose `decay_where` is not "everywhere"; without this, all do.
    pub fn set_selected(&mut self, selected: &[bool]) {
        self.layout.selected = Some(selected.into());
    }

    /// Whether a tensor is among those.
    pub fn is_selected(&self, tensor: usize) -> bool {
        self.layout.selected.as_ref().is_none_or(|selected| selected[tensor])
    }

    /// Number of elements of all tensors.
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Whether there is nothing to update.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tensors.
    pub fn tensors(&self) -> usize {
        self.layout.tensors()
    }

    /// Where a tensor's elements are in the flat vector and so in every state array.
    pub fn range(&self, tensor: usize) -> Range<usize> {
        self.layout.range(tensor)
    }

    /// Where each tensor begins in the flat vector, then its length.
    pub(super) fn offsets(&self) -> &[usize] {
        &self.layout.offsets
    }

    /// The group that a tensor belongs to.
    pub fn group_of(&self, tensor: usize) -> usize {
        self.layout.group_of(tensor)
    }

    /// The parameter groups.
    pub fn groups(&self) -> &[Config] {
        &self.groups
    }

    /// What is the same for all groups.
    pub(super) fn surroundings(&self) -> &Surroundings {
        self.groups[0].surroundings()
    }

    /// Whether a tensor's learning rate is 0 at every step: a step does no work on it, its parameters and state stay as they
    /// are, and its gradient does not matter.
    pub fn is_frozen(&self, tensor: usize) -> bool {
        self.groups[self.group_of(tensor)].is_frozen()
    }

    /// Whether any tensor is frozen.
    pub fn has_frozen(&self) -> bool {
        self.groups.iter().any(Config::is_frozen)
    }

    /// How far it has come.
    pub fn counts(&self) -> Counts {
        self.books.counts
    }

    /// Steps taken, without the skipped ones.
    pub fn step_count(&self) -> u64 {
        self.books.counts.steps
    }

    /// Steps left out because of NaN or infinity in a gradient.
    pub fn skipped_steps(&self) -> u64 {
        self.books.counts.skipped
    }

    /// How far a group has come.
    pub fn progress(&self, group: usize) -> Progress {
        self.books.groups[group].progress
    }

    /// Whether a state array is yet to start as a copy of the parameters in a tensor whose group has begun.
    pub fn starts_late(&self, slot: usize, tensor: usize) -> bool {
        let group = self.group_of(tensor);
        let (place, starting) = (self.slot_maps[group].places[slot], self.books.groups[group].starting);
        place != SlotMap::UNUSED && starting >> place & 1 == 1 && self.books.steps_of(group) > 0
    }

    /// Steps that a group has taken part in.
    pub(super) fn steps_of(&self, group: usize) -> u64 {
        self.books.steps_of(group)
    }

    /// Continues from there, as when a saved state is loaded.
    ///
    /// # Panics
    /// Where `of_groups` are not as many as groups, or more than steps.
    pub fn resume(&mut self, counts: Counts, of_groups: &[Progress]) {
        assert_eq!(of_groups.len(), self.groups.len(), "numbers for each group");
        let within = |Progress { frozen_steps, since }: &Progress| {
            since.iter().all(|since| frozen_steps.saturating_add(*since) <= counts.steps)
        };
        assert!(of_groups.iter().all(within), "a frozen step is one of the steps");
        self.calm.iter_mut().for_each(Calm::forget);
        self.books.counts = counts;
        for (group, &progress) in self.books.groups.iter_mut().zip(of_groups) {
            group.progress = progress;
            if progress.frozen_steps < counts.steps {
                group.starting = 0;
            }
        }
    }

    /// The numbers that a group's rule remembers, with their names.
    pub fn memory(&self, group: usize) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        let names = self.groups[group].rule().memory().into_iter().map(|(name, _)| name);
        names.zip(self.books.memory[group].iter().copied())
    }

    /// Those numbers, to be changed.
    pub fn memory_mut(&mut self, group: usize) -> &mut [f64] {
        &mut self.books.memory[group]
    }

    /// The numbers that the groups' rules remember.
    pub(super) fn memories(&self) -> &[Vec<f64>] {
        &self.books.memory
    }

    /// Puts others in their place.
    pub(super) fn set_memories(&mut self, memories: Vec<Vec<f64>>) {
        self.books.memory = memories;
    }

    /// The learning rate that the next step will have in a group.
    pub fn lr(&self, group: usize) -> Result<f64> {
        self.groups[group].lr(self.books.counts.steps)
    }

    /// The learning rates of the next step, before anything else of it is known.
    #[inline]
    pub fn rates(&self) -> Result<Rates> {
        Rates::of(&self.groups, self.books.counts.steps)
    }

    /// Whether learning rates come from functions outside, which may do anything when they are asked.
    #[inline]
    pub fn asks_outside(&self) -> bool {
        self.groups.iter().any(|group| group.schedule().calls_outside())
    }

    /// Tells schedules that depend on results the newest one, such as the loss of an epoch.
    pub fn tell(&mut self, result: f64) {
        let steps = self.books.counts.steps as f64;
        self.groups.iter_mut().for_each(|group| group.schedule_mut().tell(steps, result));
    }

    /// Whether something about all gradients must be known before any element can be updated: their norm, or whether they are
    /// finite.
    pub fn needs_norm(&self) -> bool {
        self.clips() || self.checks()
    }

    /// Whether losses, gradients and updates must be finite.
    pub fn checks(&self) -> bool {
        self.surroundings().nonfinite != NonFinite::Ignore
    }

    /// Whether the norm itself is needed, or only whether it is finite.
    pub fn clips(&self) -> bool {
        self.surroundings().clip_norm.is_some()
    }

    /// Whether `begin_step` and `apply` are all of a step. Where not, because gradients are averaged or clipped one by one, or
    /// because the rule needs sums, only `driver::step` can make it.
    pub fn is_one_pass(&self) -> bool {
        let Surroundings { accumulate, clip_tensor_norm, .. } = *self.surroundings();
        accumulate == 1 && clip_tensor_norm.is_none() && self.groups[0].rule().sum_scope() == SumScope::Nothing
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

    /// Takes the state arrays out, to be put back.
    pub(super) fn take_slots(&mut self) -> Vec<Buffer<T>> {
        std::mem::take(&mut self.slots)
    }

    /// Puts the state arrays back.
    pub(super) fn put_slots(&mut self, slots: Vec<Buffer<T>>) {
        self.slots = slots;
    }

    /// Where the gathered gradients are among the state arrays, where several are averaged.
    pub(super) fn gathered(&self) -> Option<usize> {
        self.names.iter().position(|name| *name == GATHERED)
    }
}
