//! Lion.

use super::options::{DECAY_RATE, Opt, Options, Spec};
use super::rule::{Now, Rule, Run, Slot};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Lion`.
pub static LION: Spec = Spec {
    name: "Lion",
    summary: "The sign of a momentum: steps of equal size for every parameter.",
    notes: "\
With m starting at zero::

    p <- p - lr * sign(b1 * m + (1 - b1) * g)
    m <- b2 * m + (1 - b2) * g

Take a learning rate 3 to 10 times smaller, and a weight decay as much larger, than for `AdamW`.",
    reference: "Chen et al., Symbolic discovery of optimization algorithms (2023).",
    lr: [1e-4, 1e-4, 1e-4, 0.001],
    weight_decay: [0.0, 0.0, 0.001, 0.0],
    decay: ["decoupled"; 4],
    options: &[Opt::pair(
        "betas",
        DECAY_RATE,
        (0.9, 0.99),
        "Shares of the momentum in the update and of its own past.",
    )],
    build: |options| Lion::new(options).into(),
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Lion {
    betas: (f64, f64),
}

impl Lion {
    fn new(options: &Options) -> Self {
        Lion { betas: options.pair("betas") }
    }
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: (T, T),
    keep: T,
    lr: T,
}

impl Rule for Lion {
    type Step<T: Scalar> = Step<T>;

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m")]
    }

    fn begin<T: Scalar>(&self, now: Now, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), of) = (self.betas, T::from_f64);
        Step { shares: (of(1.0 - b1), of(1.0 - b2)), keep: of(b1), lr: of(now.lr) }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares: (share1, share2), keep, lr } = *step;
        run.each(|p, g, [m]| {
            // As the paper writes it, and not as `m + share * (g - m)`: the sign is that of the exact sum.
            let mixed = I::fma(keep, *m, share1 * g);
            *p -= if mixed == T::ZERO { T::ZERO } else { lr.copysign(mixed) };
            *m = I::fma(share2, g - *m, *m);
        });
    }
}
