//! LAMB.

use super::moments::{Shares, at_least, root};
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext, SumScope};
use crate::optim::run::{RuleSums, Run};
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `LAMB`.
pub static LAMB: Spec = Spec {
    name: "LAMB",
    summary: "Adam with a step for each array in proportion to the array's norm. For large batches.",
    notes: "\
With m and v as in `Adam`, for each array::

    u = mhat / (sqrt(vhat + eps_root) + eps) + weight_decay * p
    p <- p - lr * |p| / |u| * u                            # 1 for the ratio where a norm is zero

With ``decay_in_update=False`` (\"keras\") `weight_decay` acts as for every rule, outside the ratio.",
    reference: "You et al., Large batch optimization for deep learning: training BERT in 76 minutes (2020).",
    lr: [0.001; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of its square."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-6, 1e-6, 1e-6, 1e-7], "Keeps the denominator away from zero."),
        Opt::number("eps_root", NON_NEGATIVE, 0.0, "Added inside the root."),
        Opt::flags(
            "decay_in_update",
            [true, true, true, false],
            "Make weight decay part of the update whose norm is taken; `decay` then has no meaning, and must be \
             left as it is.",
        ),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Lamb {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
    decays: bool,
}

/// `u = first * m / (sqrt(v * scale + inside) + eps) + decay * p; p -= rate * u`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    lr: f64,
    shares: Shares<T>,
    first: T,
    scale: T,
    inside: T,
    eps: T,
    rate: T,
}

impl<T: Scalar> Step<T> {
    #[inline(always)]
    fn update<I: Isa>(&self, p: T, m: T, v: T, decay: T) -> T {
        I::fma(decay, p, self.first * m / (root::<T, I>(v, self.scale, self.inside) + self.eps))
    }
}

impl Rule for Lamb {
    type Step<T: Scalar> = Step<T>;

    const SUM_SCOPE: SumScope = SumScope::Tensor;

    fn new(options: &Options) -> Self {
        Lamb {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            decays: options.flag("decay_in_update"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("v").not_negative()]
    }

    fn decays_itself(&self) -> bool {
        self.decays
    }

    fn needs_params(&self) -> bool {
        true
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        // The ratio of the norms is that of up to 2^32 elements.
        let update = most.over(self.eps_root.sqrt() + self.eps) + most.lr * most.decay * most.params;
        update + most.lr * most.params * 65536.0
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let ((b1, b2), of) = (self.betas, T::from_f64);
        Step {
            lr: context.lr,
            shares: Shares::new(self.betas),
            first: of(1.0 / context.bias_correction(b1)),
            scale: of(1.0 / context.bias_correction(b2)),
            inside: of(at_least::<T>(self.eps_root, self.eps)),
            eps: of(self.eps),
            rate: T::ZERO,
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.forget()
    }

    #[inline(always)]
    fn measure<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>, sums: &mut RuleSums) {
        let (shares, decay) = (step.shares, run.decay);
        run.sum_each::<I, 2>(sums, |p, g, [m, v]| {
            shares.update::<I>(g, m, v);
            let u = step.update::<I>(p, *m, *v, decay);
            [(p, p), (u, u)]
        });
    }

    fn conclude<T: Scalar>(&self, step: &Step<T>, [params, updates]: [f64; 2], _memory: &mut [f64]) -> Step<T> {
        let ratio = if params == 0.0 || updates == 0.0 { 1.0 } else { (params / updates).sqrt() };
        Step { rate: T::from_f64(step.lr * ratio), ..step.clone() }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let decay = run.decay;
        run.each(|p, _, [m, v]| *p = I::fma(-step.rate, step.update::<I>(*p, *m, *v, decay), *p));
    }
}
