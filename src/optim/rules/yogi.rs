//! Yogi.

use super::moments::{Shares, at_least, root};
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Yogi`.
pub static YOGI: Spec = Spec {
    name: "Yogi",
    summary: "Adam whose second moment changes by no more than the squared gradient: the effective rate rises slowly.",
    notes: "\
With m and v starting at `initial_accumulator_value`::

    m <- b1 * m + (1 - b1) * g
    v <- v - (1 - b2) * sign(v - g^2) * g^2
    p <- p - lr * m / (1 - b1^t) / (sqrt(v / (1 - b2^t) + eps_root) + eps)",
    reference: "Zaheer et al., Adaptive methods for nonconvex optimization (2018).",
    lr: [0.01; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rate b1 of the average gradient, and b2 of v."),
        Opt::number("eps", NON_NEGATIVE, 1e-3, "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 0.0, "Added inside the root."),
        Opt::number("initial_accumulator_value", NON_NEGATIVE, 1e-6, "What m and v start at."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Yogi {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
    initial: f64,
}

/// `p -= rate * m / (sqrt(v * scale + inside) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    rate: T,
    scale: T,
    inside: T,
    eps: T,
}

impl Rule for Yogi {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        Yogi {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            initial: options.number("initial_accumulator_value"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::filled("m", self.initial), Slot::filled("v", self.initial).not_negative()]
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        vec![("initial_accumulator_value", self.initial)]
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
            inside: of(at_least::<T>(self.eps_root, self.eps)),
            eps: of(self.eps),
        }
    }

    fn forgets<T: Scalar>(_step: &Step<T>) -> bool {
        false
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares, rate, scale, inside, eps } = *step;
        run.each(|p, g, [m, v]| {
            shares.first.average::<I>(g, m);
            let (square, change) = (g * g, shares.second.of_new() * g * g);
            *v += if *v < square {
                change
            } else if *v == square {
                T::ZERO
            } else {
                -change
            };
            *p -= rate * *m / (root::<T, I>(*v, scale, inside) + eps);
        });
    }
}
