//! What a rule is, and the list of all rules.

use super::options::{Options, Spec};
use super::{
    adabelief, adadelta, adagrad, adam, adamax, adan, lamb, lion, nadam, prodigy, radam, rmsprop, rprop, schedule_free,
    sgd, yogi,
};
use crate::scalar::Scalar;
use crate::simd::{Isa, MOST_LANES, Vector};

/// An update rule: its hyperparameters, and its formula on a run of elements.
///
/// A rule is elementwise and sees neither shapes nor threads. Clipping, weight decay and all else that can surround any
/// rule happens outside.
pub trait Rule: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The scalars of one step, in the precision of the arrays.
    type Step<T: Scalar>: Clone + Send + Sync;

    /// The state arrays that it needs with these options, in the order in which [`Rule::update`] takes them.
    fn slots(&self) -> Vec<Slot>;

    /// Numbers that it remembers from step to step, with their values before the first.
    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Whether weight decay is part of the formula: then nothing outside decays, and [`Run::decay`] is its strength.
    fn decays_itself(&self) -> bool {
        false
    }

    /// Fixes the scalars of one step.
    fn begin<T: Scalar>(&self, now: Now, memory: &mut [f64]) -> Self::Step<T>;

    /// Whether the rule has averaged parameters that are better than those where gradients are taken.
    fn averages(&self) -> bool {
        false
    }

    /// Those averaged parameters of one tensor, from its parameters and state.
    fn averaged<T: Scalar>(&self, _params: &[T], _slots: &[&[T]], _to: &mut [T]) {}

    /// Whether it is at home where most rows of a parameter have no gradient in a step: rows without one then stay as they are,
    /// with their state.
    const ROWS: bool = false;

    /// Whether [`Rule::update`] needs sums over all elements first, and over which.
    const SUMS: Over = Over::Nothing;

    /// Where it needs sums: updates the state of one run and adds to the sums. `update` then only does the rest, without
    /// gradients. Must be `#[inline(always)]`.
    #[inline(always)]
    fn measure<T: Scalar, I: Isa>(_step: &Self::Step<T>, _run: Run<'_, '_, T>, _sums: &mut Sums) {}

    /// Where it needs sums: the scalars of the step, now that they are known.
    fn conclude<T: Scalar>(&self, step: &Self::Step<T>, _sums: [f64; 2], _memory: &mut [f64]) -> Self::Step<T> {
        step.clone()
    }

    /// Updates parameters and state of one run, in one pass. Must be `#[inline(always)]`.
    fn update<T: Scalar, I: Isa>(step: &Self::Step<T>, run: Run<'_, '_, T>);
}

/// What sums go over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// No sums are needed.
    Nothing,
    /// The elements of one tensor.
    Tensor,
    /// The elements of all tensors of a group.
    Group,
}

/// One state array: as long as the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Its name in `state_dict`.
    pub name: &'static str,
    /// Its value before the first step.
    pub initial: Initial,
}

/// What a state array starts as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// The same number everywhere.
    Value(f64),
    /// A copy of the parameters.
    Params,
}

impl Slot {
    /// A state array that starts as zeros.
    pub const fn zeros(name: &'static str) -> Slot {
        Slot::filled(name, 0.0)
    }

    /// A state array that starts as a number everywhere.
    pub const fn filled(name: &'static str, value: f64) -> Slot {
        Slot { name, initial: Initial::Value(value) }
    }

    /// A state array that starts as a copy of the parameters.
    pub const fn params(name: &'static str) -> Slot {
        Slot { name, initial: Initial::Params }
    }
}

/// What is known when a step begins.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Number of the step, from 1.
    pub t: u64,
    /// Its learning rate.
    pub lr: f64,
}

impl Now {
    /// `1 - beta^t`, the bias correction of an average that started at zero.
    pub fn correction(&self, beta: f64) -> f64 {
        1.0 - beta.powf(self.t as f64)
    }
}

/// The most state arrays that one optimizer may have.
pub const MAX_SLOTS: usize = 8;

/// A run of consecutive elements: parameters, their gradients and their state.
pub struct Run<'a, 's, T> {
    /// Parameters.
    pub params: &'a mut [T],
    /// Gradients, clipped and decayed.
    pub grads: &'a [T],
    /// State, in the order of [`Rule::slots`].
    pub slots: &'a mut [&'s mut [T]],
    /// Strength of weight decay, for a rule that [decays itself](Rule::decays_itself); else 0.
    pub decay: T,
}

/// A register with the same number in every lane.
#[inline(always)]
pub fn splat<T: Scalar, I: Isa>(x: T) -> T::Vector<I> {
    T::Vector::<I>::splat(x)
}

impl<T: Scalar> Run<'_, '_, T> {
    /// Calls `f(parameter, gradient, state)` for every element, with the first `N` state arrays.
    #[inline(always)]
    pub fn each<const N: usize>(self, f: impl Fn(&mut T, T, [&mut T; N])) {
        let n = self.params.len();
        let (params, grads) = (&mut self.params[..n], &self.grads[..n]);
        let (slots, _) = self.slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        // Equal lengths, told to the compiler: it drops the bounds checks and vectorises.
        let mut slots = slots.each_mut().map(|slot| &mut slot[..n]);
        for i in 0..n {
            f(&mut params[i], grads[i], slots.each_mut().map(|slot| &mut slot[i]));
        }
    }

    /// As [`Run::each`], with registers full of elements: for rules with a root, which registers take faster.
    ///
    /// `f` should only call what is `#[inline(always)]`, which no closure can be.
    #[inline(always)]
    pub fn each_vector<I: Isa, const N: usize>(
        self,
        f: impl Fn(&mut T::Vector<I>, T::Vector<I>, [&mut T::Vector<I>; N]),
    ) {
        let lanes = T::Vector::<I>::LANES;
        let Run { params, grads, slots, .. } = self;
        let whole = params.len() - params.len() % lanes;
        let (slots, _) = slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        let (params, last_params) = params.split_at_mut(whole);
        let (grads, last_grads) = grads.split_at(whole);
        let mut last_slots: [&mut [T]; N] = std::array::from_fn(|_| &mut [][..]);
        let mut slots = slots.each_mut().map(|slot| &mut slot[..whole + last_params.len()]);
        for (slot, last) in slots.iter_mut().zip(&mut last_slots) {
            (*slot, *last) = std::mem::take(slot).split_at_mut(whole);
        }
        // What fills no register goes through the same loop, so that `f` is compiled once: in a register's worth of memory,
        // with zeros behind.
        let mut p = [T::ZERO; MOST_LANES];
        let mut g = [T::ZERO; MOST_LANES];
        let mut s = [[T::ZERO; MOST_LANES]; N];
        let used = if last_params.is_empty() { 0 } else { lanes };
        if used > 0 {
            T::Vector::<I>::read(last_params).put(&mut p);
            T::Vector::<I>::read(last_grads).put(&mut g);
            for (s, last) in s.iter_mut().zip(&last_slots) {
                T::Vector::<I>::read(last).put(s);
            }
        }
        let last = (&mut p[..used], &g[..used], s.each_mut().map(|s| &mut s[..used]));
        for (params, grads, mut slots) in [(params, grads, slots), last] {
            for start in (0..params.len()).step_by(lanes) {
                let mut p = T::Vector::<I>::full(&params[start..]);
                let mut state = slots.each_ref().map(|slot| T::Vector::<I>::full(&slot[start..]));
                f(&mut p, T::Vector::<I>::full(&grads[start..]), state.each_mut());
                p.put(&mut params[start..]);
                for (slot, state) in slots.iter_mut().zip(state) {
                    state.put(&mut slot[start..]);
                }
            }
        }
        if used > 0 {
            T::Vector::<I>::full(&p).write(last_params);
            for (s, last) in s.iter().zip(last_slots) {
                T::Vector::<I>::full(s).write(last);
            }
        }
    }

    /// Calls `f(parameter, gradient, state)` for every element and adds the products of the two pairs that it returns to the
    /// two sums.
    #[inline(always)]
    pub fn sum_each<I: Isa, const N: usize>(self, sums: &mut Sums, f: impl Fn(T, T, [&mut T; N]) -> [(T, T); 2]) {
        let n = self.params.len();
        let (params, grads) = (&self.params[..n], &self.grads[..n]);
        let (slots, _) = self.slots.split_first_chunk_mut::<N>().expect("as many slots as the rule asked for");
        let mut slots = slots.each_mut().map(|slot| &mut slot[..n]);
        let (mut factors, mut start) = ([[(T::ZERO, T::ZERO); 2]; LANES], 0);
        while start < n {
            let first = sums.position % LANES;
            let now = (LANES - first).min(n - start);
            for (factors, i) in factors.iter_mut().zip(start..start + now) {
                *factors = f(params[i], grads[i], slots.each_mut().map(|slot| &mut slot[i]));
            }
            for (lane, factors) in (first..first + now).zip(&factors) {
                for (lanes, &(a, b)) in sums.lanes.iter_mut().zip(factors) {
                    lanes[lane] = I::fma(a.to_f64(), b.to_f64(), lanes[lane]);
                }
            }
            (start, sums.position) = (start + now, sums.position + now);
        }
    }
}

const LANES: usize = 16;

/// Two sums over elements that depend on the elements' positions only, not on how they come in runs.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    lanes: [[f64; LANES]; 2],
    position: usize,
}

impl Sums {
    /// Nothing summed yet; the next element is the one at `position`.
    pub fn at(position: usize) -> Self {
        Sums { position, ..Self::default() }
    }

    /// The sums.
    pub fn total(&self) -> [f64; 2] {
        self.lanes.map(|lanes| lanes.iter().sum())
    }
}

/// Makes the closed set of rules from one line per rule: its type, and the optimizer classes that use it.
macro_rules! rules {
    ($($module:ident::$rule:ident => $($spec:ident),+;)+) => {
        /// Every optimizer class.
        pub static SPECS: &[&Spec] = &[$($(&$module::$spec),+),+];

        /// Any of the rules.
        #[derive(Debug, Clone)]
        pub enum AnyRule {
            $(#[doc = concat!("The rule of `", stringify!($module), "`.")] $rule($module::$rule),)+
        }

        /// The scalars of one step of any of the rules.
        #[derive(Clone)]
        pub enum AnyStep<T: Scalar> {
            $(#[doc = concat!("Of the rule of `", stringify!($module), "`.")] $rule(<$module::$rule as Rule>::Step<T>),)+
        }

        $(impl From<$module::$rule> for AnyRule {
            fn from(rule: $module::$rule) -> Self {
                AnyRule::$rule(rule)
            }
        })+

        impl AnyRule {
            /// See [`Rule::slots`].
            pub fn slots(&self) -> Vec<Slot> {
                match self {
                    $(AnyRule::$rule(rule) => rule.slots(),)+
                }
            }

            /// See [`Rule::memory`].
            pub fn memory(&self) -> Vec<(&'static str, f64)> {
                match self {
                    $(AnyRule::$rule(rule) => rule.memory(),)+
                }
            }

            /// See [`Rule::decays_itself`].
            pub fn decays_itself(&self) -> bool {
                match self {
                    $(AnyRule::$rule(rule) => rule.decays_itself(),)+
                }
            }

            /// See [`Rule::averages`].
            pub fn averages(&self) -> bool {
                match self {
                    $(AnyRule::$rule(rule) => rule.averages(),)+
                }
            }

            /// See [`Rule::averaged`].
            pub fn averaged<T: Scalar>(&self, params: &[T], slots: &[&[T]], to: &mut [T]) {
                match self {
                    $(AnyRule::$rule(rule) => rule.averaged(params, slots, to),)+
                }
            }

            /// See [`Rule::SUMS`].
            pub fn sums(&self) -> Over {
                match self {
                    $(AnyRule::$rule(_) => <$module::$rule as Rule>::SUMS,)+
                }
            }

            /// See [`Rule::ROWS`].
            pub fn takes_rows(&self) -> bool {
                match self {
                    $(AnyRule::$rule(_) => <$module::$rule as Rule>::ROWS,)+
                }
            }

            /// See [`Rule::begin`].
            #[inline]
            pub fn begin<T: Scalar>(&self, now: Now, memory: &mut [f64]) -> AnyStep<T> {
                match self {
                    $(AnyRule::$rule(rule) => AnyStep::$rule(rule.begin(now, memory)),)+
                }
            }

            /// See [`Rule::conclude`]; `step` is one of this rule's.
            pub fn conclude<T: Scalar>(&self, step: &AnyStep<T>, sums: [f64; 2], memory: &mut [f64]) -> AnyStep<T> {
                match (self, step) {
                    $((AnyRule::$rule(rule), AnyStep::$rule(step)) => {
                        AnyStep::$rule(rule.conclude(step, sums, memory))
                    })+
                    _ => step.clone(),
                }
            }
        }

        impl<T: Scalar> AnyStep<T> {
            /// See [`Rule::measure`].
            #[inline(always)]
            pub fn measure<I: Isa>(&self, run: Run<'_, '_, T>, sums: &mut Sums) {
                match self {
                    $(AnyStep::$rule(step) => <$module::$rule as Rule>::measure::<T, I>(step, run, sums),)+
                }
            }

            /// See [`Rule::update`].
            #[inline(always)]
            pub fn update<I: Isa>(&self, run: Run<'_, '_, T>) {
                match self {
                    $(AnyStep::$rule(step) => <$module::$rule as Rule>::update::<T, I>(step, run),)+
                }
            }
        }
    };
}

rules! {
    sgd::Sgd => SGD;
    adagrad::Adagrad => ADAGRAD;
    rmsprop::RmsProp => RMSPROP;
    adam::Adam => ADAM, ADAMW;
    adadelta::Adadelta => ADADELTA;
    adamax::Adamax => ADAMAX;
    nadam::NAdam => NADAM;
    radam::RAdam => RADAM;
    rprop::Rprop => RPROP;
    lion::Lion => LION;
    adan::Adan => ADAN;
    adabelief::AdaBelief => ADABELIEF;
    yogi::Yogi => YOGI;
    lamb::Lamb => LAMB;
    schedule_free::ScheduleFree => SCHEDULE_FREE_SGD, SCHEDULE_FREE_ADAMW;
    prodigy::Prodigy => PRODIGY;
}

/// The optimizer class of that name, in any case: "Adam", "adam".
pub fn spec(name: &str) -> Option<&'static Spec> {
    SPECS.iter().copied().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

/// The rule that these options describe.
pub fn build(options: &Options) -> AnyRule {
    (options.spec().build)(options)
}
