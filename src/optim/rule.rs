//! What a rule is, and the list of all rules.

use super::options::{Options, Spec};
use super::{adagrad, adam, rmsprop, sgd};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// An update rule: its hyperparameters, and its formula on a run of elements.
///
/// A rule is elementwise and sees neither shapes nor threads. Clipping, weight decay and all else that can surround any
/// rule happens outside.
pub trait Rule: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The scalars of one step, in the precision of the arrays.
    type Step<T: Scalar>: Clone + Send + Sync;

    /// The state arrays that it needs with these options, in the order in which [`Rule::update`] takes them.
    fn slots(&self) -> Vec<Slot>;

    /// Fixes the scalars of one step.
    fn begin<T: Scalar>(&self, now: Now) -> Self::Step<T>;

    /// Updates parameters and state of one run, in one pass. Must be `#[inline(always)]`.
    fn update<T: Scalar, I: Isa>(step: &Self::Step<T>, run: Run<'_, '_, T>);
}

/// One state array: as long as the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// Its name in `state_dict`.
    pub name: &'static str,
    /// Its value before the first step.
    pub initial: f64,
}

impl Slot {
    /// A state array that starts as zeros.
    pub const fn zeros(name: &'static str) -> Slot {
        Slot { name, initial: 0.0 }
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

            /// See [`Rule::begin`].
            #[inline]
            pub fn begin<T: Scalar>(&self, now: Now) -> AnyStep<T> {
                match self {
                    $(AnyRule::$rule(rule) => AnyStep::$rule(rule.begin(now)),)+
                }
            }
        }

        impl<T: Scalar> AnyStep<T> {
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
}

/// The optimizer class of that name, in any case: "Adam", "adam".
pub fn spec(name: &str) -> Option<&'static Spec> {
    SPECS.iter().copied().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

/// The rule that these options describe.
pub fn build(options: &Options) -> AnyRule {
    (options.spec().build)(options)
}
