//! Adan.

use super::moments::{Share, at_least, root};
use crate::optim::options::{DECAY_RATE, Decay, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Adan`.
pub static ADAN: Spec = Spec {
    name: "Adan",
    summary: "Adam with Nesterov's look ahead, taken from how the gradient changes.",
    notes: "\
With m, v and n starting at zero, d the change of the gradient since the last step, 0 in the first, and c = b2::

    m <- b1 * m + (1 - b1) * g
    v <- b2 * v + (1 - b2) * d
    n <- b3 * n + (1 - b3) * (g + c * d)^2
    p <- p - lr * (m / (1 - b1^t) + c * v / (1 - b2^t)) / (sqrt(n / (1 - b3^t) + eps_root) + eps)

`small_change` (\"optax\") has c = 1 - b2.",
    reference: "Xie et al., Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models (2022).",
    lr: [0.001; 4],
    weight_decay: NO_DECAY,
    decay: [Decay::Decoupled; 4],
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.98, 0.92), "Decay rates b1 of the average gradient and b2 of its change."),
        Opt::number("beta3", DECAY_RATE, 0.99, "Decay rate b3 of the square."),
        Opt::number("eps", NON_NEGATIVE, 1e-8, "Keeps the denominator away from zero."),
        Opt::numbers("eps_root", NON_NEGATIVE, [0.0, 0.0, 1e-8, 0.0], "Added inside the root, besides eps."),
        Opt::flags("small_change", [false, false, true, false], "Weigh changes by 1 - b2 instead of b2."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Adan {
    betas: (f64, f64),
    beta3: f64,
    eps: f64,
    eps_root: f64,
    ahead: f64,
}

/// `p -= (rate * m + rate_ahead * v) / (sqrt(n * scale + eps_root) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    first: bool,
    shares: (Share<T>, Share<T>, Share<T>),
    ahead: T,
    rate: T,
    rate_ahead: T,
    scale: T,
    eps: T,
    eps_root: T,
}

impl Rule for Adan {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        let betas = options.pair("betas");
        Adan {
            betas,
            beta3: options.number("beta3"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            ahead: if options.flag("small_change") { 1.0 - betas.1 } else { betas.1 },
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("v"), Slot::zeros("n").not_negative(), Slot::zeros("previous")]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        // The change of a gradient is up to twice as large as one.
        3.0 * most.over(self.eps_root.sqrt() + self.eps)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), b3, of) = (self.betas, self.beta3, T::from_f64);
        Step {
            first: context.t == 1,
            shares: (Share::of_decay(b1), Share::of_decay(b2), Share::of_decay(b3)),
            ahead: of(self.ahead),
            rate: of(context.lr / context.bias_correction(b1)),
            rate_ahead: of(context.lr * self.ahead / context.bias_correction(b2)),
            scale: of(1.0 / context.bias_correction(b3)),
            eps: of(self.eps),
            eps_root: of(at_least::<T>(self.eps_root, self.eps)),
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.2.forgets()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { first, shares: (share1, share2, share3), ahead, rate, rate_ahead, scale, eps, eps_root } = *step;
        run.each(|p, g, [m, v, n, previous]| {
            let change = if first { T::ZERO } else { g - *previous };
            *previous = g;
            share1.average::<I>(g, m);
            share2.average::<I>(change, v);
            share3.average_square::<I>(I::fma(ahead, change, g), n);
            *p -= I::fma(rate, *m, rate_ahead * *v) / (root::<T, I>(*n, scale, eps_root) + eps);
        });
    }
}
