//! The list of all rules: a rule is registered by one line here.

use super::options::{Options, Spec};
use super::rule::{Most, Rule, StepContext, StepVisitor, SumScope};
use super::rules::{
    adabelief, adadelta, adagrad, adam, adamax, adan, lamb, lion, nadam, prodigy, radam, rmsprop, rprop, schedule_free,
    sgd, yogi,
};
use super::slot::Slot;
use crate::scalar::Scalar;

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

        impl AnyRule {
            /// The rule that these options describe.
            ///
            /// # Panics
            /// Where their class is not among [`SPECS`].
            pub fn new(options: &Options) -> Self {
                match options.spec().name {
                    $(name if [$($module::$spec.name),+].contains(&name) => AnyRule::$rule(Rule::new(options)),)+
                    name => panic!("no rule is registered for {name}"),
                }
            }

            /// See [`Rule::slots`].
            pub fn slots(&self) -> Vec<Slot> {
                match self {
                    $(AnyRule::$rule(rule) => rule.slots(),)+
                }
            }

            /// See [`Rule::meaning`].
            pub fn meaning(&self) -> Vec<(&'static str, f64)> {
                match self {
                    $(AnyRule::$rule(rule) => rule.meaning(),)+
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

            /// See [`Rule::SUM_SCOPE`].
            pub fn sum_scope(&self) -> SumScope {
                match self {
                    $(AnyRule::$rule(_) => <$module::$rule as Rule>::SUM_SCOPE,)+
                }
            }

            /// See [`Rule::TAKES_ROWS`].
            pub fn takes_rows(&self) -> bool {
                match self {
                    $(AnyRule::$rule(_) => <$module::$rule as Rule>::TAKES_ROWS,)+
                }
            }

            /// See [`Rule::needs_params`].
            pub fn needs_params(&self) -> bool {
                match self {
                    $(AnyRule::$rule(rule) => rule.needs_params(),)+
                }
            }

            /// See [`Rule::reach`].
            pub fn reach(&self, most: &Most, memory: &[f64]) -> f64 {
                match self {
                    $(AnyRule::$rule(rule) => rule.reach(most, memory),)+
                }
            }

            /// See [`Rule::begin`].
            #[inline]
            pub fn begin<T: Scalar>(&self, context: StepContext, memory: &mut [f64]) -> AnyStep<T> {
                match self {
                    $(AnyRule::$rule(rule) => AnyStep::$rule(rule.begin(context, memory)),)+
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
            /// Calls the visitor with the step and the rule that it belongs to.
            #[inline]
            pub fn visit<V: StepVisitor<T>>(&self, visitor: V) -> V::Output {
                match self {
                    $(AnyStep::$rule(step) => visitor.visit::<$module::$rule>(step),)+
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
