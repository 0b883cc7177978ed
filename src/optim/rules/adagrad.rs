//! Adagrad.

use super::moments::at_least;
use crate::optim::options::{LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::{Run, splat};
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// The class `Adagrad`.
pub static ADAGRAD: Spec = Spec {
    name: "Adagrad",
    summary: "A step for each parameter that shrinks with the sum of its squared gradients.",
    notes: "\
With s starting at `initial_accumulator_value` and t counted from 1::

    s <- s + g^2
    p <- p - lr / (1 + (t - 1) * lr_decay) * g / sqrt(s + eps)        # eps_in_sqrt=True
    p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)      # eps_in_sqrt=False

\"torch\" has eps outside the root; \"optax\" and \"keras\" start s at 0.1.",
    reference: "\
Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization (2011).",
    lr: [0.01, 0.01, 0.01, 0.001],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::numbers("eps", NON_NEGATIVE, [1e-8, 1e-10, 1e-7, 1e-7], "Keeps the denominator away from zero."),
        Opt::flags("eps_in_sqrt", [true, false, true, true], "Add eps inside the square root."),
        Opt::numbers(
            "initial_accumulator_value",
            NON_NEGATIVE,
            [0.0, 0.0, 0.1, 0.1],
            "What the sum of squares starts at.",
        ),
        Opt::number("lr_decay", NON_NEGATIVE, 0.0, "How fast the learning rate falls with the step."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Adagrad {
    eps: f64,
    eps_in_sqrt: bool,
    initial: f64,
    lr_decay: f64,
}

/// `p -= rate * g / (sqrt(s + inside) + outside)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    rate: T,
    inside: T,
    outside: T,
}

impl Rule for Adagrad {
    type Step<T: Scalar> = Step<T>;

    const TAKES_ROWS: bool = true;

    fn new(options: &Options) -> Self {
        Adagrad {
            eps: options.number("eps"),
            eps_in_sqrt: options.flag("eps_in_sqrt"),
            initial: options.number("initial_accumulator_value"),
            lr_decay: options.number("lr_decay"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::filled("square_sum", self.initial).not_negative()]
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        vec![("initial_accumulator_value", self.initial)]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.over(if self.eps_in_sqrt { self.eps.sqrt() } else { self.eps })
    }

    fn begin<T: Scalar>(&self, StepContext { t, lr, .. }: StepContext, _memory: &mut [f64]) -> Step<T> {
        let (inside, outside) = if self.eps_in_sqrt { (self.eps, 0.0) } else { (0.0, self.eps) };
        let of = T::from_f64;
        let inside = at_least::<T>(inside, outside);
        Step { rate: of(lr / (1.0 + (t - 1) as f64 * self.lr_decay)), inside: of(inside), outside: of(outside) }
    }

    fn forgets<T: Scalar>(_step: &Step<T>) -> bool {
        false
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let (rate, inside, outside) =
            (splat::<T, I>(step.rate), splat::<T, I>(step.inside), splat::<T, I>(step.outside));
        run.each_vector::<I, 1>(|p, g, [s]| {
            *s = g.fma(g, *s);
            *p = *p - rate * g / ((*s + inside).sqrt() + outside);
        });
    }
}
