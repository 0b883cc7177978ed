//! Adadelta.

use super::moments::{Share, at_least};
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Adadelta`.
pub static ADADELTA: Spec = Spec {
    name: "Adadelta",
    summary: "Steps in the unit of the parameters: averages of squared gradients and of squared updates.",
    notes: "\
With v and u starting at zero::

    v <- rho * v + (1 - rho) * g^2
    d = sqrt(u + eps) / sqrt(v + eps) * g
    u <- rho * u + (1 - rho) * d^2
    p <- p - lr * d

\"keras\" has lr 0.001, rho 0.95 and eps 1e-7.",
    reference: "Zeiler, ADADELTA: an adaptive learning rate method (2012).",
    lr: [1.0, 1.0, 1.0, 0.001],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::numbers("rho", DECAY_RATE, [0.9, 0.9, 0.9, 0.95], "Decay rate of both averages."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-6, 1e-6, 1e-6, 1e-7], "Keeps both roots away from zero."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Adadelta {
    rho: f64,
    eps: f64,
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    share: Share<T>,
    eps: T,
    lr: T,
}

impl Rule for Adadelta {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        Adadelta { rho: options.number("rho"), eps: options.number("eps") }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("square_average").not_negative(), Slot::zeros("update_average").not_negative()]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        // Updates are averaged in the place of what they are divided by: at most the size of gradients.
        most.over(self.eps.sqrt()) * (most.gradient.max(1.0) + self.eps.sqrt())
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        Step { share: Share::of_decay(self.rho), eps: of(at_least::<T>(self.eps, 0.0)), lr: of(context.lr) }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.share.forgets()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { share, eps, lr } = *step;
        run.each(|p, g, [v, u]| {
            share.average_square::<I>(g, v);
            let d = ((*u + eps).sqrt() / (*v + eps).sqrt()) * g;
            share.average_square::<I>(d, u);
            *p = I::fma(-lr, d, *p);
        });
    }
}
