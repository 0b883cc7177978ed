//! Prodigy.

use super::moments::{Shares, at_least};
use crate::optim::options::{DECAY_RATE, Decay, NO_DECAY, NON_NEGATIVE, Opt, Options, POSITIVE, Spec};
use crate::optim::rule::{Most, Rule, StepContext, SumScope};
use crate::optim::run::{RuleSums, Run};
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Prodigy`.
pub static PRODIGY: Spec = Spec {
    name: "Prodigy",
    summary: "Adam that finds its learning rate: it estimates the distance d to the solution.",
    notes: "\
With m, v and s starting at zero, d at `d0`, p0 the first parameters, sums over all arrays of a group, and
c = sqrt(1 - b2^t) / (1 - b1^t) where `bias_correction`, else 1::

    m <- b1 * m + (1 - b1) * d * g
    v <- b2 * v + (1 - b2) * d^2 * g^2
    s <- beta3 * s + d / d0 * d * lr * c * g               # safeguard_warmup: without lr * c
    r <- beta3 * r + d / d0 * d * lr * c * sum(g * (p0 - p))
    d' = max(d, d_coef * r / sum(|s|))
    p <- p - d * lr * c * (m / (sqrt(v) + d' * eps) + weight_decay * p);  d <- d'

That is weight decay as `decay` \"decoupled\" has it; the others act as for every rule, \"coupled\" in all g above.
Leave lr at 1 and give it the shape of a schedule that starts at 1.",
    reference: "Mishchenko and Defazio, Prodigy: an expeditiously adaptive parameter-free learner (2023).",
    lr: [1.0; 4],
    weight_decay: NO_DECAY,
    decay: [Decay::Decoupled; 4],
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of its square."),
        Opt::optional("beta3", DECAY_RATE, "Decay rate of s and r; None: the square root of b2."),
        Opt::number("eps", NON_NEGATIVE, 1e-8, "Keeps the denominator away from zero."),
        Opt::number("d0", POSITIVE, 1e-6, "First estimate of the distance; far too small is fine."),
        Opt::number("d_coef", POSITIVE, 1.0, "Multiplies the estimate."),
        Opt::flags("bias_correction", [true; 4], "Correct the learning rate for m and v having started at zero."),
        Opt::flag("safeguard_warmup", "Leave the learning rate out of s, so that a warm-up does not inflate d."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Prodigy {
    betas: (f64, f64),
    beta3: f64,
    eps: f64,
    d0: f64,
    d_coef: f64,
    corrected: bool,
    safeguard: bool,
    decays: bool,
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    /// `d * lr * c`.
    rate: f64,
    shares: Shares<T>,
    d: T,
    keep3: T,
    /// Factor of the gradient in s.
    fresh3: T,
    lr: T,
    inside: T,
    eps: T,
}

impl Rule for Prodigy {
    type Step<T: Scalar> = Step<T>;

    const SUM_SCOPE: SumScope = SumScope::Group;

    fn new(options: &Options) -> Self {
        let betas = options.pair("betas");
        Prodigy {
            betas,
            beta3: options.optional("beta3").unwrap_or(betas.1.sqrt()),
            eps: options.number("eps"),
            d0: options.number("d0"),
            d_coef: options.number("d_coef"),
            corrected: options.flag("bias_correction"),
            safeguard: options.flag("safeguard_warmup"),
            decays: options.choice::<Decay>("decay") == Decay::Decoupled,
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("v").not_negative(), Slot::zeros("s"), Slot::params("first_params")]
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        vec![("d0", self.d0)]
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("d", self.d0), ("numerator", 0.0)]
    }

    fn decays_itself(&self) -> bool {
        self.decays
    }

    fn needs_params(&self) -> bool {
        true
    }

    fn reach(&self, most: &Most, memory: &[f64]) -> f64 {
        let (d, lr) = (memory[0], most.lr * memory[0] / (1.0 - self.betas.0));
        Most { lr, gradient: d * most.gradient, ..*most }.over(d * self.eps) + lr * most.decay * most.params
    }

    fn begin<T: Scalar>(&self, context: StepContext, memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), d, of) = (self.betas, memory[0], T::from_f64);
        let c = if self.corrected { context.bias_correction(b2).sqrt() / context.bias_correction(b1) } else { 1.0 };
        let rate = d * context.lr * c;
        Step {
            rate,
            shares: Shares::new(self.betas),
            d: of(d),
            keep3: of(self.beta3),
            fresh3: of(d / self.d0 * if self.safeguard { d } else { rate }),
            lr: of(rate),
            inside: T::ZERO,
            eps: T::ZERO,
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.forget()
    }

    #[inline(always)]
    fn measure<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>, sums: &mut RuleSums) {
        let Step { shares, d, keep3, fresh3, .. } = *step;
        run.sum_each::<I, 4>(sums, |p, g, [m, v, s, first]| {
            shares.update::<I>(d * g, m, v);
            *s = I::fma(keep3, *s, fresh3 * g);
            [(g, *first - p), (s.abs(), T::ONE)]
        });
    }

    fn conclude<T: Scalar>(&self, step: &Step<T>, [along, total]: [f64; 2], memory: &mut [f64]) -> Step<T> {
        let d = memory[0];
        memory[1] = self.beta3 * memory[1] + d / self.d0 * step.rate * along;
        if total > 0.0 {
            memory[0] = d.max(self.d_coef * memory[1] / total);
        }
        let eps = memory[0] * self.eps;
        Step { inside: T::from_f64(at_least::<T>(0.0, eps)), eps: T::from_f64(eps), ..step.clone() }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { lr, inside, eps, .. } = *step;
        let decay = run.decay;
        run.each(|p, _, [m, v]| {
            // Nothing has moved an element yet whose gradients were all zero.
            let update = if *m == T::ZERO { T::ZERO } else { *m / ((*v + inside).sqrt() + eps) };
            *p = I::fma(-lr, I::fma(decay, *p, update), *p);
        });
    }
}
