//! Lion.

use super::moments::Shares;
use crate::optim::options::{DECAY_RATE, Decay, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
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
    decay: [Decay::Decoupled; 4],
    options: &[Opt::pair(
        "betas",
        DECAY_RATE,
        (0.9, 0.99),
        "Shares of the momentum in the update and of its own past.",
    )],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Lion {
    betas: (f64, f64),
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    keep: T,
    lr: T,
}

impl Rule for Lion {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        Lion { betas: options.pair("betas") }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m")]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.lr
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        Step { shares: Shares::new(self.betas), keep: of(self.betas.0), lr: of(context.lr) }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.second.forgets()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares, keep, lr } = *step;
        run.each(|p, g, [m]| {
            // As the paper writes it, and not as `m + share * (g - m)`: the sign is that of the exact sum.
            let mixed = I::fma(keep, *m, shares.first.of_new() * g);
            *p -= if mixed == T::ZERO { T::ZERO } else { lr.copysign(mixed) };
            shares.second.average::<I>(g, m);
        });
    }
}
