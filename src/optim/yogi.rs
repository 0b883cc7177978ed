//! Yogi.

use super::options::{DECAY_RATE, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use super::rule::{Now, Rule, Run, Slot};
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
    weight_decay: NO_DECAY.0,
    decay: NO_DECAY.1,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rate b1 of the average gradient, and b2 of v."),
        Opt::number("eps", NON_NEGATIVE, 1e-3, "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 0.0, "Added inside the root."),
        Opt::number("initial_accumulator_value", NON_NEGATIVE, 1e-6, "What m and v start at."),
    ],
    build: |options| Yogi::new(options).into(),
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Yogi {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
    initial: f64,
}

impl Yogi {
    fn new(options: &Options) -> Self {
        Yogi {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            initial: options.number("initial_accumulator_value"),
        }
    }
}

/// `p -= rate * m / (sqrt(v * scale + inside) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: (T, T),
    rate: T,
    scale: T,
    inside: T,
    eps: T,
}

impl Rule for Yogi {
    type Step<T: Scalar> = Step<T>;

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::filled("m", self.initial), Slot::filled("v", self.initial)]
    }

    fn begin<T: Scalar>(&self, now: Now, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), of) = (self.betas, T::from_f64);
        Step {
            shares: (of(1.0 - b1), of(1.0 - b2)),
            rate: of(now.lr / now.correction(b1)),
            scale: of(1.0 / now.correction(b2)),
            inside: of(self.eps_root),
            eps: of(self.eps),
        }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares: (share1, share2), rate, scale, inside, eps } = *step;
        run.each(|p, g, [m, v]| {
            *m = I::fma(share1, g - *m, *m);
            let (square, change) = (g * g, share2 * g * g);
            *v += if *v < square { change } else { -change };
            *p -= rate * *m / ((*v * scale + inside).sqrt() + eps);
        });
    }
}
