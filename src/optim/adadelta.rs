//! Adadelta.

use super::options::{DECAY_RATE, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use super::rule::{Now, Rule, Run, Slot};
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
    weight_decay: NO_DECAY.0,
    decay: NO_DECAY.1,
    options: &[
        Opt::numbers("rho", DECAY_RATE, [0.9, 0.9, 0.9, 0.95], "Decay rate of both averages."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-6, 1e-6, 1e-6, 1e-7], "Keeps both roots away from zero."),
    ],
    build: |options| Adadelta::new(options).into(),
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Adadelta {
    rho: f64,
    eps: f64,
}

impl Adadelta {
    fn new(options: &Options) -> Self {
        Adadelta { rho: options.number("rho"), eps: options.number("eps") }
    }
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    share: T,
    eps: T,
    lr: T,
}

impl Rule for Adadelta {
    type Step<T: Scalar> = Step<T>;

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("square_average"), Slot::zeros("update_average")]
    }

    fn begin<T: Scalar>(&self, now: Now, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        Step { share: of(1.0 - self.rho), eps: of(self.eps), lr: of(now.lr) }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { share, eps, lr } = *step;
        run.each(|p, g, [v, u]| {
            *v = I::fma(share, I::fma(g, g, -*v), *v);
            let d = ((*u + eps).sqrt() / (*v + eps).sqrt()) * g;
            *u = I::fma(share, I::fma(d, d, -*u), *u);
            *p = I::fma(-lr, d, *p);
        });
    }
}
