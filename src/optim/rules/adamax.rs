//! Adamax.

use super::moments::Share;
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Adamax`.
pub static ADAMAX: Spec = Spec {
    name: "Adamax",
    summary: "Adam with the largest recent gradient in the place of the root mean square.",
    notes: "\
With m and u starting at zero::

    m <- b1 * m + (1 - b1) * g
    u <- max(b2 * u, |g| + eps)                            # eps_in_max=True
    p <- p - lr / (1 - b1^t) * m / u
    u <- max(b2 * u, |g|)                                  # eps_in_max=False
    p <- p - lr / (1 - b1^t) * m / (u + eps)

\"keras\" has eps in the denominator.",
    reference: "Kingma and Ba, Adam: a method for stochastic optimization (2015), section 7.1.",
    lr: [0.002, 0.002, 0.002, 0.001],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of the maximum."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-8, 1e-8, 1e-8, 1e-7], "Keeps the denominator away from zero."),
        Opt::flags("eps_in_max", [true, true, true, false], "Add eps inside the maximum."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Adamax {
    betas: (f64, f64),
    eps: f64,
    eps_in_max: bool,
}

/// `u = max(keep * u, |g| + inside); p -= rate * m / (u + outside)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    share: Share<T>,
    keep: T,
    rate: T,
    inside: T,
    outside: T,
}

impl Rule for Adamax {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        Adamax { betas: options.pair("betas"), eps: options.number("eps"), eps_in_max: options.flag("eps_in_max") }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("u").not_negative()]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.over(self.eps)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let (b1, b2) = self.betas;
        let (inside, outside) = if self.eps_in_max { (self.eps, 0.0) } else { (0.0, self.eps) };
        let of = T::from_f64;
        Step {
            share: Share::of_decay(b1),
            keep: of(b2),
            rate: of(context.lr / context.bias_correction(b1)),
            inside: of(inside),
            // Nothing is divided by 0.
            outside: of(outside.max(if inside == 0.0 { T::MIN_POSITIVE.to_f64() } else { 0.0 })),
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.share.forgets()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { share, keep, rate, inside, outside } = *step;
        run.each(|p, g, [m, u]| {
            share.average::<I>(g, m);
            *u = (keep * *u).max(g.abs() + inside);
            *p -= rate * *m / (*u + outside);
        });
    }
}
