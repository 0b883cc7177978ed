//! Adam and AdamW.

use super::moments::{Shares, at_least};
use crate::optim::options::{DECAY_RATE, Decay, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::{Run, splat};
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// The class `Adam`.
pub static ADAM: Spec = Spec {
    name: "Adam",
    summary: "Adaptive moment estimation.",
    notes: NOTES,
    reference: "\
Kingma and Ba, Adam: a method for stochastic optimization (2015); AMSGrad: Reddi, Kale and Kumar, On the convergence \
of Adam and beyond (2018).",
    lr: [0.001; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: OPTIONS,
};

/// The class `AdamW`.
pub static ADAMW: Spec = Spec {
    name: "AdamW",
    summary: "Adam with decoupled weight decay.",
    notes: NOTES,
    reference: "Loshchilov and Hutter, Decoupled weight decay regularization (2019).",
    lr: [0.001; 4],
    weight_decay: [0.01, 0.01, 1e-4, 0.004],
    decay: [Decay::Decoupled; 4],
    options: OPTIONS,
};

const NOTES: &str = "\
With m and v starting at zero and t counted from 1::

    m <- b1 * m + (1 - b1) * g
    v <- b2 * v + (1 - b2) * g^2
    mhat = m / (1 - b1^t)
    vhat = v / (1 - b2^t)
    p <- p - lr * mhat / (sqrt(vhat + eps_root) + eps)     # eps_in_sqrt=False, eps_hat=False
    p <- p - lr * mhat / sqrt(vhat + eps + eps_root)       # eps_in_sqrt=True
    p <- p - lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)     # eps_hat=True

Without `bias_correction` mhat is m and vhat is v. `amsgrad` puts the largest v so far in the place of v, or the
largest vhat in the place of vhat where `amsgrad_corrected`. \"keras\" has `eps_hat` and 1e-7, \"optax\" has
`amsgrad_corrected`.";

const OPTIONS: &[Opt] = &[
    Opt::pair("betas", DECAY_RATE, (0.9, 0.999), "Decay rates b1 of the average gradient and b2 of its square."),
    Opt::numbers("eps", NON_NEGATIVE, [1e-8, 1e-8, 1e-8, 1e-7], "Keeps the denominator away from zero."),
    Opt::flag("eps_in_sqrt", "Add eps inside the square root."),
    Opt::flags(
        "eps_hat",
        [false, false, false, true],
        "Correct the bias outside the fraction, so that eps meets the root of the uncorrected v: the paper's epsilon-hat.",
    ),
    Opt::number("eps_root", NON_NEGATIVE, 0.0, "Added inside the root, besides eps."),
    Opt::flags("bias_correction", [true; 4], "Correct m and v for having started at zero."),
    Opt::flag("amsgrad", "Divide by the largest second moment so far instead of the present one."),
    Opt::flags("amsgrad_corrected", [false, false, true, false], "Take that maximum after the bias correction."),
];

/// The largest second moment so far.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Largest {
    No,
    Raw,
    Corrected,
}

/// The rule.
#[derive(Debug, Clone)]
pub struct Adam {
    betas: (f64, f64),
    eps: f64,
    eps_root: f64,
    eps_in_sqrt: bool,
    eps_hat: bool,
    corrected: bool,
    largest: Largest,
}

/// Every dialect is `p -= rate * m / (sqrt(v * factor + inside) + outside)`; only the scalars differ. The root of `factor`
/// is taken out of the fraction, once for all elements: `rate`, `inside` and `outside` are divided by it as they need.
/// `scale` makes vhat of v, for the largest.
#[derive(Debug, Clone)]
pub struct Step<T> {
    shares: Shares<T>,
    rate: T,
    scale: T,
    inside: T,
    outside: T,
    largest: Largest,
}

impl Rule for Adam {
    type Step<T: Scalar> = Step<T>;

    const TAKES_ROWS: bool = true;

    fn new(options: &Options) -> Self {
        Adam {
            betas: options.pair("betas"),
            eps: options.number("eps"),
            eps_root: options.number("eps_root"),
            eps_in_sqrt: options.flag("eps_in_sqrt"),
            eps_hat: options.flag("eps_hat"),
            corrected: options.flag("bias_correction"),
            largest: match (options.flag("amsgrad"), options.flag("amsgrad_corrected")) {
                (false, _) => Largest::No,
                (true, false) => Largest::Raw,
                (true, true) => Largest::Corrected,
            },
        }
    }

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros("m"), Slot::zeros("v").not_negative()];
        if self.largest != Largest::No {
            slots.push(Slot::zeros("v_max").not_negative());
        }
        slots
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        match self.largest {
            Largest::No => vec![],
            Largest::Raw => vec![("amsgrad_corrected", 0.0)],
            // Without the correction, vhat is v.
            Largest::Corrected => vec![("amsgrad_corrected", 1.0), ("bias_correction", f64::from(self.corrected))],
        }
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        let root = self.eps_root.sqrt();
        most.over(if self.eps_in_sqrt { (self.eps_root + self.eps).sqrt() } else { root + self.eps })
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let (b1, b2) = self.betas;
        let (bc1, bc2) =
            if self.corrected { (context.bias_correction(b1), context.bias_correction(b2)) } else { (1.0, 1.0) };
        let rate = if self.eps_hat { context.lr * bc2.sqrt() / bc1 } else { context.lr / bc1 };
        // What makes the moment that stands in the fraction of the one that is kept: v, or the largest vhat.
        let factor = match (self.eps_hat, self.largest == Largest::Corrected) {
            (false, false) => 1.0 / bc2,
            (true, true) => bc2,
            _ => 1.0,
        };
        let (inside, outside) = match self.eps_in_sqrt {
            false => (self.eps_root, self.eps),
            true => (self.eps_root + self.eps, 0.0),
        };
        let root = factor.sqrt();
        let of = T::from_f64;
        Step {
            shares: Shares::new(self.betas),
            rate: of(rate / root),
            scale: of(1.0 / bc2),
            inside: of(at_least::<T>(inside / (root * root), outside / root)),
            outside: of(outside / root),
            largest: self.largest,
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.shares.forget()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let lanes = step.splat::<I>();
        match step.largest {
            Largest::No => run.each_vector::<I, 2>(|p, g, [m, v]| {
                lanes.shares.update_lanes::<I>(g, m, v);
                lanes.update(p, *m, *v);
            }),
            Largest::Raw => run.each_vector::<I, 3>(|p, g, [m, v, max]| {
                lanes.shares.update_lanes::<I>(g, m, v);
                *max = v.max(*max);
                lanes.update(p, *m, *max);
            }),
            Largest::Corrected => run.each_vector::<I, 3>(|p, g, [m, v, max]| {
                lanes.shares.update_lanes::<I>(g, m, v);
                *max = (*v * lanes.scale).max(*max);
                lanes.update(p, *m, *max);
            }),
        }
    }
}

impl<T: Scalar> Step<T> {
    #[inline(always)]
    fn splat<I: Isa>(&self) -> Step<T::Vector<I>> {
        let Step { shares, rate, scale, inside, outside, largest } = *self;
        let (rate, scale) = (splat::<T, I>(rate), splat::<T, I>(scale));
        let (inside, outside) = (splat::<T, I>(inside), splat::<T, I>(outside));
        Step { shares: shares.splat::<I>(), rate, scale, inside, outside, largest }
    }
}

impl<V: Vector> Step<V> {
    #[inline(always)]
    fn update(&self, p: &mut V, m: V, v: V) {
        *p = (-self.rate).fma(m / ((v + self.inside).sqrt() + self.outside), *p);
    }
}
