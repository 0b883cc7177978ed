//! AdaBelief.

use super::moments::{Shares, at_least, root};
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `AdaBelief`.
pub static ADABELIEF: Spec = Spec {
    name: "AdaBelief",
    summary: "Adam that divides by how far gradients are from their average: large steps where they agree.",
    notes: "\
With m and s starting at zero::

    m <- b1 * m + (1 - b1) * g
    s <- b2 * s + (1 - b2) * (g - m)^2 + eps_root
    p <- p - lr * m / (1 - b1^t) / (sqrt(s / (1 - b2^t)) + eps)",
    reference: "Zhuang et al., AdaBelief optimizer: adapting stepsizes by the belief in observed gradients (2020).",
    lr: [0.001; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of the variance."),
        Opt::number("eps", NON_NEGATIVE, 1e-16, "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 1e-16, "Added to s in every step."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct AdaBelief {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
}

/// `p -= rate * m / (sqrt(s * scale) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    rate: T,
    scale: T,
    eps: T,
    eps_root: T,
}

impl Rule for AdaBelief {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        AdaBelief { betas: options.pair("betas"), eps: options.number("eps"), eps_root: options.number("eps_root") }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("s").not_negative()]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.over(self.eps_root.sqrt() + self.eps)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), of) = (self.betas, T::from_f64);
        Step {
            shares: Shares::new(self.betas),
            rate: of(context.lr / context.bias_correction(b1)),
            scale: of(1.0 / context.bias_correction(b2)),
            eps: of(self.eps),
            eps_root: of(at_least::<T>(self.eps_root, self.eps)),
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        // The difference of a gradient and m is all that there is of m in s.
        step.shares.first.forgets() || step.shares.forget()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares, rate, scale, eps, eps_root } = *step;
        run.each(|p, g, [m, s]| {
            shares.first.average::<I>(g, m);
            shares.second.average_square::<I>(g - *m, s);
            *s += eps_root;
            *p -= rate * *m / (root::<T, I>(*s, scale, T::ZERO) + eps);
        });
    }
}
