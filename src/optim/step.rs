//! The scalars of one step.

use std::sync::Arc;

use super::calm::{Care, Peaks};
use super::fused_update::{FusedUpdate, Pass};
use super::group_step::GroupStep;
use super::registry::AnyStep;
use super::rehearsal::{Stage, peaks};
use super::rule::SumScope;
use super::run::RuleSums;
use super::scale::Scale;
use crate::scalar::Scalar;

/// Everything that is fixed before the first element of a step is touched. Can be shared between threads.
#[derive(Clone)]
pub struct Step<T: Scalar> {
    pub(super) first: GroupStep<T>,
    /// The other parameter groups; empty for most users, and then nothing is allocated.
    pub(super) rest: Vec<GroupStep<T>>,
    /// The group of each tensor, where there are several groups.
    pub(super) group_of: Option<Arc<[usize]>>,
    /// Which tensors decay in groups where not all do; all of them where that is not known.
    pub(super) selected: Option<Arc<[bool]>>,
    /// What multiplies each tensor's gradient, where they are clipped one by one.
    pub(super) factors: Vec<Scale>,
    /// The rule's scalars for each tensor, where they depend on sums over it.
    pub(super) concluded: Vec<AnyStep<T>>,
    pub(super) skipped: bool,
    /// Up to which gradient it surely leaves all finite; negative where that is not known.
    pub(super) calm: f64,
    /// Whether its kernels keep intermediate results from overflowing.
    pub(super) careful: bool,
}

impl<T: Scalar> Step<T> {
    /// The learning rate of the first group.
    pub fn lr(&self) -> f64 {
        self.first.lr
    }

    /// Whether all tensors are updated alike, so that a run may reach over several of them.
    pub fn is_uniform(&self) -> bool {
        let alike = self.group_of.is_none() && self.factors.is_empty() && self.concluded.is_empty();
        alike && (!self.first.selective || self.selected.is_none())
    }

    /// Whether the step is left out, because of NaN or infinity in a gradient. [`Step::apply`] then does nothing.
    pub fn skipped(&self) -> bool {
        self.skipped
    }

    /// Up to which gradient it surely leaves all finite; negative where that is not known.
    pub fn calm(&self) -> f64 {
        self.calm
    }

    /// How it must be made, with gradients whose largest element is `largest`, or no larger.
    #[inline]
    pub fn care(&self, largest: f64) -> Care {
        Care::of::<T>(self.calm, largest)
    }

    /// The same step, made with that care.
    pub fn with(&self, care: Care) -> Self {
        Step { careful: care == Care::Careful, ..self.clone() }
    }

    /// Finds out what [`Step::apply`] would leave, without changing anything: the largest magnitudes of parameters and state, or
    /// None where it would leave NaN or infinity. `limit` is what parameters can hold.
    pub fn rehearse(&self, tensor: usize, params: &[T], grads: &[T], slots: &[&mut [T]], limit: f64) -> Option<Peaks> {
        let mut all = Peaks::default();
        let mut stage = Stage::new(params.len());
        for start in (0..params.len()).step_by(stage.len()) {
            let range = start..params.len().min(start + stage.len());
            stage.set(params, slots, range.clone());
            let (params, mut copies) = stage.arrays(range.len());
            let slots = &mut copies[..slots.len()];
            if self.first.sum_scope != SumScope::Nothing {
                self.measure(tensor, params, &grads[range.clone()], slots, &mut RuleSums::at(0));
            }
            self.apply(tensor, params, &grads[range], slots);
            all = all.and(peaks(params, slots, limit)?);
        }
        Some(all)
    }

    /// Over what the rule needs sums before [`Step::apply`]: all elements are then to be passed to [`Step::measure`] and the
    /// sums to `Optimizer::conclude`.
    pub(super) fn sum_scope(&self) -> SumScope {
        self.first.sum_scope
    }

    /// The scalars of a group.
    pub(super) fn group(&self, index: usize) -> &GroupStep<T> {
        if index == 0 { &self.first } else { &self.rest[index - 1] }
    }

    /// The scalars of a group, to be changed.
    pub(super) fn group_mut(&mut self, index: usize) -> &mut GroupStep<T> {
        if index == 0 { &mut self.first } else { &mut self.rest[index - 1] }
    }

    /// Updates a run of consecutive elements of one tensor: clipping, decay and rule in one pass. Frozen tensors stay as they
    /// are.
    ///
    /// `slots` are the runs of the same elements of `Optimizer::slots_mut`, in its order.
    /// An element's result does not depend on how its tensor is split into runs.
    #[inline]
    pub fn apply(&self, tensor: usize, params: &mut [T], grads: &[T], slots: &mut [&mut [T]]) {
        if self.skipped {
            return;
        }
        let update = self.update(tensor, params, grads, slots);
        if update.group.frozen {
            return;
        }
        let pass = if self.first.sum_scope == SumScope::Nothing { Pass::Whole } else { Pass::Rest };
        self.rule(tensor, update.group).visit(FusedUpdate { pass, ..update });
    }

    /// The first of two passes over a run: everything up to the sums that the rule needs, which are added to `sums`.
    pub(super) fn measure(
        &self,
        tensor: usize,
        params: &mut [T],
        grads: &[T],
        slots: &mut [&mut [T]],
        sums: &mut RuleSums,
    ) {
        let update = self.update(tensor, params, grads, slots);
        self.rule(tensor, update.group).visit(FusedUpdate { pass: Pass::Measure, sums: Some(sums), ..update });
    }

    /// The rule's scalars for a tensor of a group.
    #[inline]
    fn rule<'a>(&'a self, tensor: usize, group: &'a GroupStep<T>) -> &'a AnyStep<T> {
        self.concluded.get(tensor).unwrap_or(&group.rule)
    }

    #[inline]
    fn update<'a, 's>(
        &'a self,
        tensor: usize,
        params: &'a mut [T],
        grads: &'a [T],
        slots: &'a mut [&'s mut [T]],
    ) -> FusedUpdate<'a, 's, T> {
        let group = self.group(self.group_of.as_ref().map_or(0, |groups| groups[tensor]));
        FusedUpdate {
            group,
            scale: self.factors.get(tensor).map_or(group.scale, |&factor| group.scale * factor),
            careful: self.careful,
            decays: !group.selective || self.selected.as_ref().is_none_or(|selected| selected[tensor]),
            pass: Pass::Whole,
            params,
            grads,
            slots,
            sums: None,
        }
    }
}
