//! NAdam.

use super::moments::{Shares, at_least, root};
use crate::optim::options::{DECAY_RATE, Kind, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec, Value};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `NAdam`.
pub static NADAM: Spec = Spec {
    name: "NAdam",
    summary: "Adam with Nesterov's momentum.",
    notes: "\
With m and v starting at zero and M = mu_1 * ... * mu_t::

    mu_t = b1 * (1 - 0.5 * 0.96^(t * momentum_decay))      # momentum_decay=None: mu_t = b1
    m <- b1 * m + (1 - b1) * g
    v <- b2 * v + (1 - b2) * g^2
    n = (1 - mu_t) / (1 - M) * g + mu_(t+1) / (1 - M * mu_(t+1)) * m
    p <- p - lr * n / (sqrt(v / (1 - b2^t)) + eps)

`momentum_decay` is None in \"optax\" and 1 in \"keras\".",
    reference: "Dozat, Incorporating Nesterov momentum into Adam (2016).",
    lr: [0.002, 0.002, 0.002, 0.001],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of its square."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-8, 1e-8, 1e-8, 1e-7], "Keeps the denominator away from zero."),
        Opt {
            name: "momentum_decay",
            kind: Kind::OptionalNumber(NON_NEGATIVE),
            defaults: [Value::Number(0.004), Value::Number(0.004), Value::Nothing, Value::Number(1.0)],
            doc: "How fast the momentum of a step rises to b1; None: it is b1 from the start.",
        },
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct NAdam {
    betas: (f64, f64),
    eps: f64,
    momentum_decay: Option<f64>,
}

impl NAdam {
    fn momentum(&self, t: u64) -> f64 {
        let warming = self.momentum_decay.map_or(0.0, |decay| 0.5 * 0.96f64.powf(t as f64 * decay));
        self.betas.0 * (1.0 - warming)
    }
}

/// `p -= (of_gradient * g + of_average * m) / (sqrt(v * scale + inside) + eps)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    of_gradient: T,
    of_average: T,
    scale: T,
    inside: T,
    eps: T,
}

impl Rule for NAdam {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        NAdam {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            momentum_decay: options.optional("momentum_decay"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("m"), Slot::zeros("v").not_negative()]
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("momentum_product", 1.0)]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        // The momentum of the next step, and the product of all so far, are not far from 1.
        most.over(self.eps) * 2.0 / (1.0 - self.betas.0)
    }

    fn begin<T: Scalar>(&self, context: StepContext, memory: &mut [f64]) -> Step<T> {
        let (momentum, next) = (self.momentum(context.t), self.momentum(context.t + 1));
        memory[0] *= momentum;
        let product = memory[0];
        let of = T::from_f64;
        Step {
            shares: Shares::new(self.betas),
            of_gradient: of(context.lr * (1.0 - momentum) / (1.0 - product)),
            of_average: of(context.lr * next / (1.0 - product * next)),
            scale: of(1.0 / context.bias_correction(self.betas.1)),
            inside: of(at_least::<T>(0.0, self.eps)),
            eps: of(self.eps),
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.forget()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { shares, of_gradient, of_average, scale, inside, eps } = *step;
        run.each(|p, g, [m, v]| {
            shares.update::<I>(g, m, v);
            *p -= I::fma(of_gradient, g, of_average * *m) / (root::<T, I>(*v, scale, inside) + eps);
        });
    }
}
