//! The scalars of one step, and the fused update of a run of elements.

use std::sync::Arc;

use super::rule::{AnyStep, MAX_SLOTS, Over, Run, Sums};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// Elements that are prepared and updated together where a step has more than the rule to do: they stay in the first-level
/// cache in between.
const CHUNK: usize = 1024;
/// Where there are no more than these, less memory is made ready for them.
const FEW: usize = 64;

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
    pub(super) factors: Vec<T>,
    /// The rule's scalars for each tensor, where they depend on sums over it.
    pub(super) concluded: Vec<AnyStep<T>>,
    pub(super) skipped: bool,
}

/// For each state array of the optimizer, its place among those of a group, or [`UNUSED`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub places: [u8; MAX_SLOTS],
    /// How many of them the rule has; the others are for what surrounds it.
    pub of_rule: usize,
    /// The places of those that are to start as copies of the parameters in this step: bit i for place i.
    pub copies: u32,
}
pub(super) const UNUSED: u8 = u8::MAX;

impl Places {
    pub const NONE: Places = Places { places: [UNUSED; MAX_SLOTS], of_rule: 0, copies: 0 };
}

/// The scalars of one step for one parameter group.
#[derive(Clone)]
pub(super) struct GroupStep<T: Scalar> {
    pub lr: f64,
    /// Factor of the gradient: sign and clipping.
    pub scale: T,
    /// Largest magnitude of an element of the gradient.
    pub limit: T,
    /// Weight decay that is left to the rule.
    pub own_decay: T,
    /// Added to the gradient, times the parameter.
    pub coupled: T,
    /// Taken off the parameter, times the parameter.
    pub shrink: T,
    /// Whether only selected tensors decay.
    pub selective: bool,
    pub rule: AnyStep<T>,
    pub sums: Over,
    pub places: Places,
    pub after: After<T>,
}

/// What comes after the rule, in the order of the state arrays behind the rule's.
#[derive(Clone, Copy)]
pub(super) struct After<T> {
    /// Lookahead; in a step that synchronises, how far the slow parameters move.
    pub lookahead: Option<Option<T>>,
    /// An average of the parameters; the share of the new ones.
    pub average: Option<T>,
    /// The gradient is what the last state array has gathered.
    pub gathers: bool,
}

/// What is done in one pass over the elements.
#[derive(Clone, Copy, PartialEq)]
enum Pass {
    /// Everything.
    Whole,
    /// All up to the sums that the rule needs.
    Measure,
    /// What is left after that.
    Rest,
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

    /// Over what the rule needs sums before [`Step::apply`]: all elements are then to be passed to [`Step::measure`] and the
    /// sums to [`Optimizer::conclude`](super::Optimizer::conclude).
    pub(super) fn sums(&self) -> Over {
        self.first.sums
    }

    /// Updates a run of consecutive elements of one tensor: clipping, decay and rule in one pass.
    ///
    /// `slots` are the runs of the same elements of [`Optimizer::slots_mut`](super::Optimizer::slots_mut), in its order.
    /// An element's result does not depend on how its tensor is split into runs.
    #[inline]
    pub fn apply(&self, tensor: usize, params: &mut [T], grads: &[T], slots: &mut [&mut [T]]) {
        if self.skipped {
            return;
        }
        let pass = if self.first.sums == Over::Nothing { Pass::Whole } else { Pass::Rest };
        let kernel = self.kernel(tensor, params, grads, slots);
        dispatch(Apply { pass, ..kernel });
    }

    /// The first of two passes over a run: everything up to the sums that the rule needs, which are added to `sums`.
    pub(super) fn measure(
        &self,
        tensor: usize,
        params: &mut [T],
        grads: &[T],
        slots: &mut [&mut [T]],
        sums: &mut Sums,
    ) {
        let kernel = self.kernel(tensor, params, grads, slots);
        dispatch(Apply { pass: Pass::Measure, sums: Some(sums), ..kernel });
    }

    #[inline]
    fn kernel<'a, 's>(
        &'a self,
        tensor: usize,
        params: &'a mut [T],
        grads: &'a [T],
        slots: &'a mut [&'s mut [T]],
    ) -> Apply<'a, 's, T> {
        let group = match self.group_of.as_ref().map_or(0, |groups| groups[tensor]) {
            0 => &self.first,
            index => &self.rest[index - 1],
        };
        Apply {
            group,
            rule: self.concluded.get(tensor).unwrap_or(&group.rule),
            scale: self.factors.get(tensor).map_or(group.scale, |&factor| group.scale * factor),
            decays: !group.selective || self.selected.as_ref().is_none_or(|selected| selected[tensor]),
            pass: Pass::Whole,
            params,
            grads,
            slots,
            sums: None,
        }
    }
}

struct Apply<'a, 's, T: Scalar> {
    group: &'a GroupStep<T>,
    rule: &'a AnyStep<T>,
    scale: T,
    decays: bool,
    pass: Pass,
    params: &'a mut [T],
    grads: &'a [T],
    slots: &'a mut [&'s mut [T]],
    sums: Option<&'a mut Sums>,
}

impl<T: Scalar> Kernel for Apply<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Apply { group, rule, scale, decays, pass, params, grads, slots, mut sums } = self;
        let if_decays = |strength| if decays { strength } else { T::ZERO };
        let (coupled, shrink, own_decay) =
            (if_decays(group.coupled), if_decays(group.shrink), if_decays(group.own_decay));
        let (starts, ends) = (pass != Pass::Rest, pass != Pass::Measure);
        let limited = group.limit < T::INFINITY;
        let prepares = starts && (scale != T::ONE || coupled != T::ZERO || limited || group.after.gathers);
        let shrinks = starts && shrink != T::ZERO;
        let copies = if starts { group.places.copies } else { 0 };
        let follows = ends && (group.after.lookahead.is_some() || group.after.average.is_some());
        let n = params.len();
        let width = if prepares || shrinks || follows || copies != 0 { CHUNK } else { n.max(1) };
        let (mut few, mut many);
        let prepared: &mut [T] = match prepares {
            false => &mut [],
            true if n <= FEW => {
                few = [T::ZERO; FEW];
                &mut few
            }
            true => {
                many = [T::ZERO; CHUNK];
                &mut many
            }
        };
        for start in (0..n).step_by(width) {
            let range = start..n.min(start + width);
            let params = &mut params[range.clone()];
            let mut grads = &grads[range.clone()];
            let mut own: [&mut [T]; MAX_SLOTS] = Default::default();
            let places = group.places.places.iter().zip(slots.iter_mut());
            for (&place, slot) in places.filter(|(place, _)| **place != UNUSED) {
                own[place as usize] = &mut slot[range.clone()];
            }
            for (place, slot) in own.iter_mut().enumerate().filter(|(place, _)| copies >> place & 1 == 1) {
                debug_assert!(place < MAX_SLOTS);
                slot.copy_from_slice(params);
            }
            let (of_rule, around) = own.split_at_mut(group.places.of_rule);
            if prepares {
                let prepared = &mut prepared[..params.len()];
                if group.after.gathers {
                    let gathered = &mut around[group.after.position_of_gathered()];
                    prepared.copy_from_slice(gathered);
                    gathered.fill(T::ZERO);
                } else {
                    prepared.copy_from_slice(grads);
                }
                prepare::<T, I>(prepared, params, scale, limited.then_some(group.limit), coupled);
                grads = prepared;
            }
            if shrinks {
                for p in params.iter_mut() {
                    *p = I::fma(-shrink, *p, *p);
                }
            }
            let run = Run { params, grads, slots: of_rule, decay: own_decay };
            match &mut sums {
                Some(sums) => rule.measure::<I>(run, sums),
                None => rule.update::<I>(run),
            }
            if follows {
                group.after.follow::<I>(params, around);
            }
        }
    }
}

/// Clipping and coupled decay.
#[inline(always)]
fn prepare<T: Scalar, I: Isa>(grads: &mut [T], params: &[T], scale: T, limit: Option<T>, coupled: T) {
    match limit {
        None => grads.iter_mut().zip(params).for_each(|(g, &p)| *g = I::fma(coupled, p, scale * *g)),
        Some(limit) => grads.iter_mut().zip(params).for_each(|(g, &p)| {
            let clipped = scale * *g;
            // Comparisons keep NaN, which `nonfinite="ignore"` lets through.
            let clipped = if clipped > limit { limit } else { clipped };
            let clipped = if clipped < -limit { -limit } else { clipped };
            *g = I::fma(coupled, p, clipped);
        }),
    }
}

impl<T: Scalar> After<T> {
    fn position_of_gathered(&self) -> usize {
        self.lookahead.is_some() as usize + self.average.is_some() as usize
    }

    #[inline(always)]
    fn follow<I: Isa>(&self, params: &mut [T], around: &mut [&mut [T]]) {
        if let Some(Some(alpha)) = self.lookahead {
            for (p, slow) in params.iter_mut().zip(around[0].iter_mut()) {
                *slow = I::fma(alpha, *p - *slow, *slow);
                *p = *slow;
            }
        }
        if let Some(share) = self.average {
            let average = around[self.lookahead.is_some() as usize].iter_mut();
            for (&mut p, average) in params.iter_mut().zip(average) {
                *average = I::fma(share, p - *average, *average);
            }
        }
    }
}
