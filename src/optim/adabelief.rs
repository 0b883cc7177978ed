//! AdaBelief.

use super::options::{DECAY_RATE, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use super::rule::{Now, Rule, Run, Slot};
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
    weight_decay: NO_DECAY.0,
    decay: NO_DECAY.1,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of the variance."),
        Opt::number("eps", NON_NEGATIVE, 1e-16, "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 1e-16, "Added to s in every step."),
    ],
    build: |options| AdaBelief::new(options).into(),
};

/// The rule.
#[derive(Debug, Clone)]
pub struct AdaBelief {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
}

impl AdaBelief {
    fn new(options: &Options) -> Self {
        AdaBelief { betas: options.pair("betas"), eps: options.number("eps"), eps_root: options.number("eps_root") }
    }
}

/// `p -= rate * m / (sqrt(s * scale) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: (T, T),
    rate: T,
    scale: T,
    eps: T,
    eps_root: T,
}

impl Rule for AdaBelief {
    type Step<T: Scalar> = Step<T>;

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("s")]
    }

    fn begin<T: Scalar>(&self, now: Now, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), of) = (self.betas, T::from_f64);
        Step {
            shares: (of(1.0 - b1), of(1.0 - b2)),
            rate: of(now.lr / now.correction(b1)),
            scale: of(1.0 / now.correction(b2)),
            eps: of(self.eps),
            eps_root: of(self.eps_root),
        }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares: (share1, share2), rate, scale, eps, eps_root } = *step;
        run.each(|p, g, [m, s]| {
            *m = I::fma(share1, g - *m, *m);
            let error = g - *m;
            *s = I::fma(share2, I::fma(error, error, -*s), *s) + eps_root;
            *p -= rate * *m / ((*s * scale).sqrt() + eps);
        });
    }
}
