//! The scalars of one step, and the fused update of a run of elements.

use std::sync::Arc;

use super::rule::{AnyStep, MAX_SLOTS, Run};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// Elements that are prepared and updated together where a step has more than the rule to do: they stay in the first-level
/// cache in between.
const CHUNK: usize = 1024;

/// Everything that is fixed before the first element of a step is touched. Can be shared between threads.
#[derive(Clone)]
pub struct Step<T: Scalar> {
    pub(super) first: GroupStep<T>,
    /// The other parameter groups; empty for most users, and then nothing is allocated.
    pub(super) rest: Vec<GroupStep<T>>,
    /// The group of each tensor, where there are several groups.
    pub(super) group_of: Option<Arc<[usize]>>,
    pub(super) skipped: bool,
}

/// For each state array of the optimizer, its place among those of a group's rule, or [`UNUSED`].
pub(super) type Places = [u8; MAX_SLOTS];
pub(super) const UNUSED: u8 = u8::MAX;

/// The scalars of one step for one parameter group.
#[derive(Clone)]
pub(super) struct GroupStep<T: Scalar> {
    pub lr: f64,
    /// Factor of the gradient: sign and clipping.
    pub scale: T,
    /// Added to the gradient, times the parameter.
    pub coupled: T,
    /// Taken off the parameter, times the parameter.
    pub shrink: T,
    pub rule: AnyStep<T>,
    pub places: Places,
}

impl<T: Scalar> Step<T> {
    /// The learning rate of the first group.
    pub fn lr(&self) -> f64 {
        self.first.lr
    }

    /// Whether the step is left out, because of NaN or infinity in a gradient. [`Step::apply`] then does nothing.
    pub fn skipped(&self) -> bool {
        self.skipped
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
        let group = match self.group_of.as_ref().map_or(0, |groups| groups[tensor]) {
            0 => &self.first,
            index => &self.rest[index - 1],
        };
        dispatch(Apply { group, params, grads, slots });
    }
}

struct Apply<'a, 's, T: Scalar> {
    group: &'a GroupStep<T>,
    params: &'a mut [T],
    grads: &'a [T],
    slots: &'a mut [&'s mut [T]],
}

impl<T: Scalar> Kernel for Apply<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Apply { group, params, grads, slots } = self;
        let prepares = group.scale != T::ONE || group.coupled != T::ZERO;
        let shrinks = group.shrink != T::ZERO;
        let n = params.len();
        let width = if prepares || shrinks { CHUNK } else { n.max(1) };
        let mut prepared = [T::ZERO; CHUNK];
        for start in (0..n).step_by(width) {
            let range = start..n.min(start + width);
            let params = &mut params[range.clone()];
            let mut grads = &grads[range.clone()];
            if prepares {
                let prepared = &mut prepared[..grads.len()];
                for ((to, &g), &p) in prepared.iter_mut().zip(grads).zip(params.iter()) {
                    *to = I::fma(group.coupled, p, group.scale * g);
                }
                grads = prepared;
            }
            if shrinks {
                for p in params.iter_mut() {
                    *p = I::fma(-group.shrink, *p, *p);
                }
            }
            let mut own: [&mut [T]; MAX_SLOTS] = Default::default();
            for (&place, slot) in group.places.iter().zip(slots.iter_mut()).filter(|(place, _)| **place != UNUSED) {
                own[place as usize] = &mut slot[range.clone()];
            }
            group.rule.update::<I>(Run { params, grads, slots: &mut own });
        }
    }
}
