//! RAdam.

use super::moments::{Shares, at_least, root};
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `RAdam`.
pub static RADAM: Spec = Spec {
    name: "RAdam",
    summary: "Adam that adapts only once its second moment can be trusted.",
    notes: "\
With m and v starting at zero, r_inf = 2 / (1 - b2) - 1 and r = r_inf - 2 * t * b2^t / (1 - b2^t)::

    m <- b1 * m + (1 - b1) * g
    v <- b2 * v + (1 - b2) * g^2
    mhat = m / (1 - b1^t)
    c = sqrt((r - 4) * (r - 2) * r_inf / ((r_inf - 4) * (r_inf - 2) * r))
    p <- p - lr * mhat                                     # while r <= threshold, then
    p <- p - lr * c * mhat / (sqrt(v / (1 - b2^t) + eps_root) + eps)          # eps_hat=False
    p <- p - lr * c * mhat * sqrt(1 - b2^t) / (sqrt(v + eps_root) + eps)      # eps_hat=True",
    reference: "Liu et al., On the variance of the adaptive learning rate and beyond (2020).",
    lr: [0.001; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of its square."),
        Opt::number("eps", NON_NEGATIVE, 1e-8, "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 0.0, "Added inside the root."),
        Opt::flags("eps_hat", [true, true, false, true], "Let eps meet the root of the uncorrected v."),
        Opt::number("threshold", NON_NEGATIVE, 5.0, "Degrees of freedom from which on v is trusted; at least 4."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct RAdam {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
    eps_hat: bool,
    threshold: f64,
}

/// `p -= rate * m`, or `p -= rate * m / (sqrt(v * scale + inside) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    rate: T,
    scale: T,
    inside: T,
    eps: T,
    adapts: bool,
}

impl Rule for RAdam {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        RAdam {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            eps_hat: options.flag("eps_hat"),
            // Below 4 the variance of the adaptive step is not defined.
            threshold: options.number("threshold").max(4.0),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("v").not_negative()]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        // Where the step does not adapt, nothing is divided.
        most.over((self.eps_root.sqrt() + self.eps).min(1.0))
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let (b1, b2) = self.betas;
        let (bc1, bc2) = (context.bias_correction(b1), context.bias_correction(b2));
        let r_inf = 2.0 / (1.0 - b2) - 1.0;
        let r = r_inf - 2.0 * context.t as f64 * (1.0 - bc2) / bc2;
        let adapts = r > self.threshold;
        let trust = ((r - 4.0) * (r - 2.0) * r_inf / ((r_inf - 4.0) * (r_inf - 2.0) * r)).sqrt();
        let (factor, scale) = if self.eps_hat { (bc2.sqrt(), 1.0) } else { (1.0, 1.0 / bc2) };
        let of = T::from_f64;
        Step {
            shares: Shares::new(self.betas),
            rate: of(context.lr / bc1 * if adapts { trust * factor } else { 1.0 }),
            scale: of(scale),
            inside: of(at_least::<T>(self.eps_root, self.eps)),
            eps: of(self.eps),
            adapts,
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.forget()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares, rate, scale, inside, eps, adapts } = *step;
        if adapts {
            run.each(|p, g, [m, v]| {
                shares.update::<I>(g, m, v);
                *p -= rate * *m / (root::<T, I>(*v, scale, inside) + eps);
            });
        } else {
            run.each(|p, g, [m, v]| {
                shares.update::<I>(g, m, v);
                *p = I::fma(-rate, *m, *p);
            });
        }
    }
}
