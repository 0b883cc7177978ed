//! An optimizer bound to tensors: groups, step count, state.

use std::sync::Arc;

use super::config::{Config, NonFinite};
use super::rule::{MAX_SLOTS, Slot};
use super::step::{GroupStep, Places, Step, UNUSED};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A rule at work on tensors whose elements it sees as one flat vector, one tensor after the other.
///
/// It owns the state and the counts, not the parameters.
pub struct Optimizer<T: Scalar> {
    groups: Vec<Config>,
    /// The group of each tensor, where there are several groups.
    group_of: Option<Arc<[usize]>>,
    /// Where each tensor begins in the flat vector, then its length.
    offsets: Vec<usize>,
    names: Vec<&'static str>,
    slots: Vec<Vec<T>>,
    /// Which state arrays each group uses, and as what.
    places: Vec<Places>,
    step_count: u64,
    skipped_steps: u64,
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
        let group_of: Option<Arc<[usize]>> = (groups.len() > 1).then(|| group_of.into());
        let mut optimizer = Optimizer {
            places: vec![[UNUSED; MAX_SLOTS]; groups.len()],
            groups,
            group_of,
            offsets,
            names: vec![],
            slots: vec![],
            step_count: 0,
            skipped_steps: 0,
        };
        optimizer.allocate();
        Ok(optimizer)
    }

    /// Allocates the state arrays that the groups' options ask for, and keeps those that are there.
    fn allocate(&mut self) {
        for index in 0..self.groups.len() {
            self.places[index] = [UNUSED; MAX_SLOTS];
            for (place, Slot { name, initial }) in self.groups[index].rule().slots().into_iter().enumerate() {
                let (position, fresh) = match self.names.iter().position(|known| *known == name) {
                    Some(position) => (position, false),
                    None => {
                        self.names.push(name);
                        self.slots.push(vec![T::ZERO; self.len()]);
                        (self.names.len() - 1, true)
                    }
                };
                self.places[index][position] = place as u8;
                // A slot is filled group by group when it is new; the step count says whether it can be new at all.
                if (fresh || self.step_count == 0) && initial != 0.0 {
                    self.fill(index, position, T::from_f64(initial));
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
    pub fn range(&self, tensor: usize) -> std::ops::Range<usize> {
        self.offsets[tensor]..self.offsets[tensor + 1]
    }

    /// The group that a tensor belongs to.
    pub fn group_of(&self, tensor: usize) -> usize {
        self.group_of.as_ref().map_or(0, |groups| groups[tensor])
    }

    /// The parameter groups.
    pub fn groups(&self) -> &[Config] {
        &self.groups
    }

    /// Puts another configuration in the place of a group's; state that it needs besides starts at its initial value.
    pub fn set_group(&mut self, index: usize, config: Config) {
        self.groups[index] = config;
        self.allocate();
    }

    /// Steps taken, without the skipped ones.
    pub fn step_count(&self) -> u64 {
        self.step_count
    }

    /// Steps left out because of NaN or infinity in a gradient.
    pub fn skipped_steps(&self) -> u64 {
        self.skipped_steps
    }

    /// Sets the counts, as when a saved state is loaded.
    pub fn set_counts(&mut self, steps: u64, skipped: u64) {
        (self.step_count, self.skipped_steps) = (steps, skipped);
    }

    /// The learning rate that the next step will have in a group.
    pub fn lr(&self, group: usize) -> Result<f64> {
        self.groups[group].schedule().value(self.step_count as f64)
    }

    /// Whether a figure of all gradients is needed before any element can be updated: their norm, or whether they are finite.
    pub fn needs_norm(&self) -> bool {
        let around = self.groups[0].around();
        self.clips() || around.nonfinite != NonFinite::Ignore
    }

    /// Whether the norm itself is needed, or only whether it is finite.
    pub fn clips(&self) -> bool {
        self.groups[0].around().clip_norm.is_some()
    }

    /// Fixes the scalars of the next step and counts it.
    ///
    /// `norm` is the 2-norm of all gradients, given where [`Optimizer::needs_norm`] says so: NaN or infinity where an
    /// element is. What is to happen then is one of the options: an error, nothing changed and nothing counted, or a step
    /// that is skipped and counted apart.
    pub fn begin_step(&mut self, norm: Option<f64>) -> Result<Step<T>> {
        let around = *self.groups[0].around();
        let finite = norm.is_none_or(f64::is_finite);
        let t = self.step_count + 1;
        if !finite && around.nonfinite == NonFinite::Raise {
            return Err(Error::NonFinite { place: "the gradient".into(), step: t });
        }
        let skipped = !finite && around.nonfinite == NonFinite::Skip;
        let clip = match (around.clip_norm, norm) {
            (Some(max), Some(norm)) if finite && norm + around.clip_eps > max => max / (norm + around.clip_eps),
            _ => 1.0,
        };
        let lr = self.lr(0)?;
        let first = self.begin_group(0, t, lr, clip);
        let mut rest = Vec::new();
        for index in 1..self.groups.len() {
            rest.push(self.begin_group(index, t, self.lr(index)?, clip));
        }
        if skipped {
            self.skipped_steps += 1;
        } else {
            self.step_count = t;
        }
        Ok(Step { first, rest, group_of: self.group_of.clone(), skipped })
    }

    fn begin_group(&self, index: usize, t: u64, lr: f64, clip: f64) -> GroupStep<T> {
        self.groups[index].begin(t, lr, clip, self.places[index])
    }

    /// The names of the state arrays.
    pub fn slot_names(&self) -> &[&'static str] {
        &self.names
    }

    /// The state arrays, each as long as all tensors together.
    pub fn slots(&self) -> &[Vec<T>] {
        &self.slots
    }

    /// The state arrays, to be changed: each as long as all tensors together.
    pub fn slots_mut(&mut self) -> &mut [Vec<T>] {
        &mut self.slots
    }
}
