//! What a rule is.

use super::options::Options;
use super::run::{RuleSums, Run};
use super::slot::{MAX_SLOTS, Slot};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// An update rule: its hyperparameters, and its formula on a run of elements.
///
/// A rule is elementwise and sees neither shapes nor threads. Clipping, weight decay and all else that can surround any
/// rule happens outside.
pub trait Rule: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The scalars of one step, in the precision of the arrays.
    type Step<T: Scalar>: Clone + Send + Sync;

    /// Whether gradients of some rows of a parameter are enough: rows without one then stay as they are, with their state.
    const TAKES_ROWS: bool = false;

    /// Whether [`Rule::update`] needs sums over all elements first, and over which.
    const SUM_SCOPE: SumScope = SumScope::Nothing;

    /// The rule that these options describe; they are those of one of its classes.
    fn new(options: &Options) -> Self;

    /// The state arrays that it needs with these options, in the order in which [`Rule::update`] takes them.
    fn slots(&self) -> Vec<Slot>;

    /// The options that say what its state is, or what it has started from, and numbers for their values: once there is state, others
    /// would read it as something else, or be without effect.
    fn meaning(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Numbers that it remembers from step to step, with their values before the first.
    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Whether weight decay is part of the formula: then nothing outside decays, and `Run::decay` is its strength.
    fn decays_itself(&self) -> bool {
        false
    }

    /// Whether the rule has averaged parameters that are better than those where gradients are taken.
    fn averages(&self) -> bool {
        false
    }

    /// Those averaged parameters of one tensor, from its parameters and state.
    fn averaged<T: Scalar>(&self, _params: &[T], _slots: &[&[T]], _to: &mut [T]) {}

    /// Whether a step may be as large as parameters are: [`Rule::reach`] then asks for them.
    fn needs_params(&self) -> bool {
        false
    }

    /// A bound on how far a step moves an element, with the numbers that the rule remembers.
    fn reach(&self, most: &Most, memory: &[f64]) -> f64;

    /// Whether a step keeps less than half of an average: only kernels that are [forgetful](Isa::FORGETFUL) are then right.
    fn forgets<T: Scalar>(step: &Self::Step<T>) -> bool;

    /// Fixes the scalars of one step.
    fn begin<T: Scalar>(&self, context: StepContext, memory: &mut [f64]) -> Self::Step<T>;

    /// Where it needs sums: updates the state of one run and adds to the sums. `update` then only does the rest, without
    /// gradients. Must be `#[inline(always)]`.
    #[inline(always)]
    fn measure<T: Scalar, I: Isa>(_step: &Self::Step<T>, _run: Run<'_, '_, T>, _sums: &mut RuleSums) {}

    /// Where it needs sums: the scalars of the step, now that they are known.
    fn conclude<T: Scalar>(&self, step: &Self::Step<T>, _sums: [f64; 2], _memory: &mut [f64]) -> Self::Step<T> {
        step.clone()
    }

    /// Updates parameters and state of one run, in one pass. Must be `#[inline(always)]`.
    fn update<T: Scalar, I: Isa>(step: &Self::Step<T>, run: Run<'_, '_, T>);
}

/// The largest magnitudes that a rule has met so far.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Of elements of gradients, and of state.
    pub gradient: f64,
    /// Of learning rates.
    pub lr: f64,
    /// Of parameters.
    pub params: f64,
    /// The strength of weight decay, for a rule that decays itself.
    pub decay: f64,
    /// The root of the smallest number that is not denormal: no denominator that is a root is less.
    pub floor: f64,
}

impl Most {
    /// `lr * gradient / denominator`, for denominators from `least` on.
    pub fn over(&self, least: f64) -> f64 {
        self.lr * self.gradient / least.max(self.floor)
    }
}

/// Something that is done with the step of whichever rule.
pub trait StepVisitor<T: Scalar> {
    /// What comes of it.
    type Output;
    /// Does it.
    fn visit<R: Rule>(self, step: &R::Step<T>) -> Self::Output;
}

/// What is known when a step begins.
#[derive(Debug, Clone, Copy)]
pub struct StepContext<'a> {
    /// Number of the step, from 1.
    pub t: u64,
    /// Its learning rate.
    pub lr: f64,
    /// The steps that had been made before each state array began, in their order.
    pub since: &'a [u64; MAX_SLOTS],
}

impl StepContext<'_> {
    /// The same, as a state array counts steps that may have begun after the others.
    pub fn of_slot(self, place: usize) -> Self {
        StepContext { t: self.t - self.since[place], ..self }
    }

    /// `1 - beta^t`, by which an average that started at zero is divided.
    pub fn bias_correction(&self, beta: f64) -> f64 {
        let t = self.t as f64;
        // beta^t is at most exp(-t (1 - beta)); what is less than half a unit in the last place below one is lost.
        if t * (1.0 - beta) > 38.0 { 1.0 } else { 1.0 - beta.powf(t) }
    }
}

/// What the sums go over that a rule needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SumScope {
    /// No sums are needed.
    Nothing,
    /// The elements of one tensor.
    Tensor,
    /// The elements of all tensors of a group.
    Group,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_correction_is_one_minus_the_power() {
        for beta in [0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0 - 1e-7, 1.0 - f64::EPSILON / 2.0, 1.0] {
            let last = (38.0 / (1.0 - beta)).min(1e9) as u64;
            for t in (1..100).chain(last.saturating_sub(50).max(1)..last + 50).chain([2 * last, 1 << 40]) {
                let context = StepContext { t, lr: 0.1, since: &[0; MAX_SLOTS] };
                assert_eq!(context.bias_correction(beta), 1.0 - beta.powf(t as f64), "{beta} {t}");
            }
        }
    }
}
