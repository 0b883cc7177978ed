//! When a step surely leaves all parameters and state finite.
//!
//! Whatever a parameter is, subtracting less than half a unit in the last place of the largest number cannot make it infinite. A rule
//! knows how far it moves an element at most, for the largest gradient and learning rate so far ([`Rule::reach`]); from that
//! follows, once, up to which gradient steps are calm. All other steps are [rehearsed](super::Step::rehearse) first. So a
//! calm step costs a comparison, and none is left without a proof.
//!
//! [`Rule::reach`]: super::rule::Rule::reach

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::Config;
use super::group_step::GroupStep;
use super::options::Decay;
use super::rule::Most;
use super::slot::Initial;
use crate::scalar::Scalar;

/// How a step must be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// It cannot go wrong.
    None,
    /// It is rehearsed.
    Rehearse,
    /// It is rehearsed and made by kernels that keep intermediate results from overflowing.
    Careful,
}

impl Care {
    /// Of a step that is calm up to a gradient, for one whose largest element is `largest`.
    pub fn of<T: Scalar>(calm: f64, largest: f64) -> Care {
        if largest <= calm {
            return Care::None;
        }
        // Below, no square of a gradient and no correction of its average overflows.
        let careful = T::MAX.to_f64().sqrt() / 4.0;
        if largest <= careful { Care::Rehearse } else { Care::Careful }
    }
}

/// The largest magnitudes that a rehearsal has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Peaks {
    /// Of parameters.
    pub params: f64,
    /// Of state.
    pub state: f64,
}

impl Peaks {
    /// Of both.
    pub fn and(self, other: Peaks) -> Peaks {
        Peaks { params: self.params.max(other.params), state: self.state.max(other.state) }
    }
}

/// The largest parameters beside which a step can be calm that depends on them.
#[inline]
pub(super) fn large<T: Scalar>() -> f64 {
    // 7 sixteenths of the exponents.
    if T::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS { 7.205_759_403_792_794e16 } else { 7.268_387_242_956_069e134 }
}

/// What is known of a group's next steps.
#[derive(Debug, Clone)]
pub(super) struct Calm {
    /// Whether no state, and where it matters no parameter, is larger than `gradient` takes for granted.
    known: bool,
    /// The largest learning rate for which `gradient` holds; negative where it is not known yet.
    lr: f64,
    /// The first number that the rule remembers, if any, when it was asked.
    memory: f64,
    /// Up to which gradient steps are calm.
    gradient: f64,
    /// Set by an update that leaves a parameter that is [`large`], where steps depend on parameters.
    pub grown: Option<Arc<AtomicBool>>,
}

impl Calm {
    /// Of a group that has made no step yet, or whose state came from elsewhere.
    pub fn new(config: &Config, fresh: bool) -> Self {
        let around = config.surroundings();
        let in_gradient = config.rule().decays_itself() || around.decay == Decay::Coupled;
        let needs_params = config.rule().needs_params()
            || around.weight_decay != 0.0 && in_gradient
            || around.lookahead.is_some()
            || around.average.is_some();
        let small = |slot: &super::slot::Slot| matches!(slot.initial, Initial::Value(value) if value <= 1.0);
        Calm {
            known: fresh && !needs_params && config.slots().iter().all(small),
            lr: -1.0,
            memory: 0.0,
            gradient: 0.0,
            grown: needs_params.then(Arc::default),
        }
    }

    /// Up to which gradient the step that begins is calm; negative where it is not.
    #[inline]
    pub fn begin<T: Scalar>(&mut self, config: &Config, step: &GroupStep<T>, memory: &[f64]) -> f64 {
        if step.frozen {
            return f64::INFINITY;
        }
        if let Some(grown) = &self.grown
            && grown.load(Ordering::Relaxed)
        {
            grown.store(false, Ordering::Relaxed);
            self.known = false;
        }
        if step.lr > self.lr || memory.first().is_some_and(|&number| number > 2.0 * self.memory) {
            self.ask(config, step, memory);
        }
        // Decay that turns parameters round may make them larger.
        if self.known && step.shrink <= T::ONE { self.gradient } else { -1.0 }
    }

    /// Asks the rule.
    #[cold]
    fn ask<T: Scalar>(&mut self, config: &Config, step: &GroupStep<T>, memory: &[f64]) {
        let bits = T::MAX.to_f64().log2();
        // Half a unit in the last place of the largest number, and room for what bounds leave out: corrections of averages that were
        // loaded, roundings.
        let limit = bits - f64::from(T::SIGNIFICAND_BITS) - 24.0;
        let lr = self.lr.max(4.0 * step.lr).max(0.03);
        let next = Calm { lr, ..self.clone() };
        let is_calm = |gradient: &f64| next.reach::<T>(config, *gradient, memory).log2() < limit;
        let gradient = (1..=15).rev().map(|n| (bits * f64::from(n) / 32.0).exp2()).find(is_calm).unwrap_or(-1.0);
        // State that older steps have left may be too large now.
        self.known &= self.lr < 0.0 || gradient >= self.gradient;
        (self.lr, self.memory, self.gradient) = (lr, memory.first().copied().unwrap_or(0.0), gradient);
    }

    /// How far a step moves an element at most, with learning rates up to `lr`.
    pub fn reach<T: Scalar>(&self, config: &Config, gradient: f64, memory: &[f64]) -> f64 {
        let (params, decay) = (large::<T>(), config.surroundings().weight_decay);
        let gradient = if self.grown.is_some() { gradient + decay * params } else { gradient };
        let floor = T::MIN_POSITIVE.to_f64().sqrt();
        config.rule().reach(&Most { gradient, lr: self.lr, params, decay, floor }, memory)
    }

    /// Takes in what a rehearsal has seen, of all groups together.
    pub fn learn<T: Scalar>(&mut self, peaks: Peaks) {
        let params = self.grown.is_none() || peaks.params < large::<T>();
        self.known = params && peaks.state <= self.gradient;
    }

    /// Nothing is known of the state any more.
    pub fn forget(&mut self) {
        self.known = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_finite_number_becomes_infinite_by_a_calm_step() {
        fn check<T: Scalar>() {
            let limit = T::MAX.to_f64().log2() - f64::from(T::SIGNIFICAND_BITS) - 24.0;
            let most = T::from_f64(limit.exp2());
            assert!(most > T::ZERO && T::MAX + most == T::MAX && -T::MAX - most == -T::MAX);
            // Products of parameters are far from the largest number.
            assert!(large::<T>() < (T::MAX.to_f64().log2() / 2.0).exp2() && large::<T>().log2().fract() == 0.0);
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn how_careful_a_step_must_be_follows_from_its_gradient() {
        assert_eq!(Care::of::<f32>(1e10, 1e10), Care::None);
        assert_eq!(Care::of::<f32>(1e10, 2e10), Care::Rehearse);
        assert_eq!(Care::of::<f32>(1e10, 1e19), Care::Careful);
        assert_eq!(Care::of::<f32>(-1.0, 0.0), Care::Rehearse);
        assert_eq!(Care::of::<f32>(1e10, f64::NAN), Care::Careful);
    }
}
