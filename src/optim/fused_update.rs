//! The fused update of a run of elements: clipping, decay, rule and what follows it in one pass over memory.

use std::sync::atomic::Ordering;

use super::calm::large;
use super::group_step::GroupStep;
use super::rule::{Rule, StepVisitor};
use super::run::{RuleSums, Run};
use super::scale::Scale;
use super::slot::MAX_SLOTS;
use crate::scalar::Scalar;
use crate::simd::{Careful, Forgetful, Isa, Kernel, dispatch};

/// Elements that are prepared and updated together where a step has more than the rule to do: they stay in the first-level
/// cache in between.
const CHUNK: usize = 1024;
/// Where a run has no more elements than these, less memory is made ready for them.
const SMALL_RUN: usize = 64;

/// What is done in one pass over the elements.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pass {
    /// Everything.
    Whole,
    /// All up to the sums that the rule needs.
    Measure,
    /// What is left after that.
    Rest,
}

/// The update of a run of elements of one tensor.
pub(super) struct FusedUpdate<'a, 's, T: Scalar> {
    pub group: &'a GroupStep<T>,
    /// Factor of the gradient.
    pub scale: Scale,
    /// Whether the tensor decays.
    pub decays: bool,
    pub pass: Pass,
    /// Whether intermediate results may overflow.
    pub careful: bool,
    pub params: &'a mut [T],
    pub grads: &'a [T],
    /// The run's part of the optimizer's state arrays.
    pub slots: &'a mut [&'s mut [T]],
    /// Where the rule's sums go, in the pass that measures.
    pub sums: Option<&'a mut RuleSums>,
}

impl<T: Scalar> StepVisitor<T> for FusedUpdate<'_, '_, T> {
    type Output = ();

    fn visit<R: Rule>(self, step: &R::Step<T>) {
        let kernel = ByRule::<R, T> { step, update: self };
        match kernel.update.careful {
            true => careful(kernel),
            false if R::forgets(step) => forgetful(kernel),
            false => dispatch(kernel),
        }
    }
}

#[cold]
#[inline(never)]
fn careful<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Careful>()
}

#[cold]
#[inline(never)]
fn forgetful<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Forgetful>()
}

/// An update by one rule: compiled for each by itself.
struct ByRule<'a, 's, R: Rule, T: Scalar> {
    step: &'a R::Step<T>,
    update: FusedUpdate<'a, 's, T>,
}

impl<R: Rule, T: Scalar> Kernel for ByRule<'_, '_, R, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let FusedUpdate { group, scale, decays, pass, params, grads, slots, mut sums, .. } = self.update;
        let if_decays = |strength| if decays { strength } else { T::ZERO };
        let (coupled, shrink, own_decay) =
            (if_decays(group.coupled), if_decays(group.shrink), if_decays(group.own_decay));
        let (begins, ends) = (pass != Pass::Rest, pass != Pass::Measure);
        let limited = group.limit < T::INFINITY;
        let prepares = begins && (scale != Scale::ONE || coupled != T::ZERO || limited || group.after.gathers);
        let shrinks = begins && shrink != T::ZERO;
        let starting = if begins { group.starting } else { 0 };
        let follows = ends && (group.after.follows() || group.grown.is_some());
        let n = params.len();
        let width = if prepares || shrinks || follows || starting != 0 { CHUNK } else { n.max(1) };
        let (mut few, mut many);
        let prepared: &mut [T] = match prepares {
            false => &mut [],
            true if n <= SMALL_RUN => {
                few = [T::ZERO; SMALL_RUN];
                &mut few
            }
            true => {
                many = [T::ZERO; CHUNK];
                &mut many
            }
        };
        for start in (0..n).step_by(width) {
            let range = start..n.min(start + width);
            let (params, mut grads) = (&mut params[range.clone()], &grads[range.clone()]);
            let mut own: [&mut [T]; MAX_SLOTS] = Default::default();
            group.slots.place(slots, range, &mut own);
            for (_, slot) in own.iter_mut().enumerate().filter(|(place, _)| starting >> place & 1 == 1) {
                slot.copy_from_slice(params);
            }
            let (of_rule, behind) = own.split_at_mut(group.slots.of_rule);
            if prepares {
                let prepared = &mut prepared[..params.len()];
                group.take_gradients(grads, behind, prepared);
                prepare::<T, I>(prepared, params, scale, limited.then_some(group.limit), coupled);
                grads = prepared;
            }
            if shrinks {
                params.iter_mut().for_each(|p| *p = I::fma(-shrink, *p, *p));
            }
            let run = Run { params, grads, slots: of_rule, decay: own_decay };
            match &mut sums {
                Some(sums) => R::measure::<T, I>(self.step, run, sums),
                None => R::update::<T, I>(self.step, run),
            }
            if follows {
                group.after.follow::<I>(params, behind);
                if let Some(grown) = &group.grown {
                    let largest = params.iter().fold(T::ZERO, |largest, p| largest.max(p.abs()));
                    if largest.to_f64() >= large::<T>() {
                        grown.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}

impl<T: Scalar> GroupStep<T> {
    /// Copies the gradients of the step: those that came, or those that were gathered, which are then zero.
    #[inline(always)]
    fn take_gradients(&self, grads: &[T], behind: &mut [&mut [T]], to: &mut [T]) {
        if self.after.gathers {
            let gathered = &mut behind[self.after.position_of_gathered()];
            to.copy_from_slice(gathered);
            gathered.fill(T::ZERO);
        } else {
            to.copy_from_slice(grads);
        }
    }
}

/// Clipping and coupled decay.
#[inline(always)]
fn prepare<T: Scalar, I: Isa>(grads: &mut [T], params: &[T], scale: Scale, limit: Option<T>, coupled: T) {
    let scale = scale.prepare(grads);
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
