//! The scalars of one step for one parameter group.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::registry::AnyStep;
use super::rule::SumScope;
use super::rules::moments::Share;
use super::scale::Scale;
use super::slot::SlotMap;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The scalars of one step for one parameter group.
#[derive(Clone)]
pub(super) struct GroupStep<T: Scalar> {
    pub lr: f64,
    /// Whether nothing is done.
    pub frozen: bool,
    /// Factor of the gradient: sign and clipping.
    pub scale: Scale,
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
    pub sum_scope: SumScope,
    pub slots: SlotMap,
    /// The places of the state arrays that are to start as copies of the parameters in this step: bit i for place i.
    pub starting: u32,
    pub after: AfterRule<T>,
    /// To be set where a parameter becomes large, if that matters.
    pub grown: Option<Arc<AtomicBool>>,
}

/// What comes after the rule, in the order of the state arrays behind the rule's.
#[derive(Clone, Copy)]
pub(super) struct AfterRule<T> {
    /// Lookahead; in a step that synchronises, how far the slow parameters move.
    pub lookahead: Option<Option<Share<T>>>,
    /// An average of the parameters; the share of the new ones.
    pub average: Option<Share<T>>,
    /// The gradient is what the last state array has gathered.
    pub gathers: bool,
}

impl<T: Scalar> AfterRule<T> {
    /// Whether it has anything to do with the parameters.
    #[inline(always)]
    pub fn follows(&self) -> bool {
        self.lookahead.is_some() || self.average.is_some()
    }

    /// Where the gathered gradients are.
    #[inline(always)]
    pub fn position_of_gathered(&self) -> usize {
        self.lookahead.is_some() as usize + self.average.is_some() as usize
    }

    /// Lookahead and the average; `slots` are the state arrays behind the rule's.
    #[inline(always)]
    pub fn follow<I: Isa>(&self, params: &mut [T], slots: &mut [&mut [T]]) {
        if let Some(Some(alpha)) = self.lookahead {
            alpha.average_all::<I>(params, slots[0]);
            params.copy_from_slice(slots[0]);
        }
        if let Some(share) = self.average {
            share.average_all::<I>(params, slots[self.lookahead.is_some() as usize]);
        }
    }
}
