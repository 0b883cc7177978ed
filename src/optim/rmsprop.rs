//! RMSprop, plain, centered, with momentum.

use super::options::{DECAY_RATE, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use super::rule::{Now, Rule, Run, Slot};
use super::sgd::lr_inside;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `RMSprop`.
pub static RMSPROP: Spec = Spec {
    name: "RMSprop",
    summary: "A step for each parameter that shrinks with the average of its squared gradients.",
    notes: "\
With v, a and b starting at zero::

    v <- beta * v + (1 - beta) * g^2
    a <- beta * a + (1 - beta) * g                   # centered=True, else a = 0
    x = g / sqrt(v - a^2 + eps)                      # eps_in_sqrt=True
    x = g / (sqrt(v - a^2) + eps)                    # eps_in_sqrt=False
    p <- p - lr * x                                  # momentum=0, else
    b <- momentum * b + x
    p <- p - lr * b                                  # nesterov=False
    p <- p - lr * (momentum * b + x)                 # nesterov=True

With `bias_correction` v and a are divided by ``1 - beta^t`` where they are used. \"torch\" has beta 0.99, lr 0.01 and
eps outside the root. \"optax\" and \"keras\" store ``lr * x`` in b (`lr_inside`), which differs as soon as the learning
rate changes.",
    reference: "\
Tieleman and Hinton, Lecture 6.5 of Neural networks for machine learning (2012); centered: Graves, Generating sequences \
with recurrent neural networks (2013).",
    lr: [0.001, 0.01, 0.001, 0.001],
    weight_decay: NO_DECAY.0,
    decay: NO_DECAY.1,
    options: &[
        Opt::numbers("beta", DECAY_RATE, [0.9, 0.99, 0.9, 0.9], "Decay rate of the averages."),
        Opt::numbers("eps", NON_NEGATIVE, [1e-8, 1e-8, 1e-8, 1e-7], "Keeps the denominator away from zero."),
        Opt::flags("eps_in_sqrt", [true, false, true, true], "Add eps inside the square root."),
        Opt::flag("centered", "Divide by the standard deviation of the gradient instead of its root mean square."),
        Opt::number("momentum", DECAY_RATE, 0.0, "Share of the last update that is kept."),
        Opt::flag("nesterov", "Look ahead along the momentum."),
        lr_inside([false, false, true, true]),
        Opt::flag("bias_correction", "Correct the averages for having started at zero."),
    ],
    build: |options| RmsProp::new(options).into(),
};

/// The rule.
#[derive(Debug, Clone)]
pub struct RmsProp {
    beta: f64,
    eps: f64,
    eps_in_sqrt: bool,
    centered: bool,
    momentum: f64,
    nesterov: bool,
    lr_inside: bool,
    bias_correction: bool,
}

impl RmsProp {
    fn new(options: &Options) -> Self {
        RmsProp {
            beta: options.number("beta"),
            eps: options.number("eps"),
            eps_in_sqrt: options.flag("eps_in_sqrt"),
            centered: options.flag("centered"),
            momentum: options.number("momentum"),
            nesterov: options.flag("nesterov"),
            lr_inside: options.flag("lr_inside"),
            bias_correction: options.flag("bias_correction"),
        }
    }
}

/// `x = fresh * g / (sqrt(v * scale - (a * scale)^2 + inside) + outside)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    share: T,
    scale: T,
    inside: T,
    outside: T,
    fresh: T,
    /// Factor of x, or of the momentum buffer, in the update.
    along: T,
    centered: bool,
    momentum: Momentum<T>,
}

#[derive(Debug, Clone, Copy)]
enum Momentum<T> {
    None,
    Heavy(T),
    Nesterov(T),
}

impl Rule for RmsProp {
    type Step<T: Scalar> = Step<T>;

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros("square_average")];
        if self.centered {
            slots.push(Slot::zeros("gradient_average"));
        }
        if self.momentum != 0.0 {
            slots.push(Slot::zeros("momentum"));
        }
        slots
    }

    fn begin<T: Scalar>(&self, now: Now, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        let (inside, outside) = if self.eps_in_sqrt { (self.eps, 0.0) } else { (0.0, self.eps) };
        let (fresh, along) = if self.lr_inside { (now.lr, 1.0) } else { (1.0, now.lr) };
        Step {
            share: of(1.0 - self.beta),
            scale: of(if self.bias_correction { 1.0 / now.correction(self.beta) } else { 1.0 }),
            inside: of(inside),
            outside: of(outside),
            fresh: of(fresh),
            along: of(along),
            centered: self.centered,
            momentum: match (self.momentum, self.nesterov) {
                (0.0, _) => Momentum::None,
                (momentum, false) => Momentum::Heavy(of(momentum)),
                (momentum, true) => Momentum::Nesterov(of(momentum)),
            },
        }
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { share, scale, inside, outside, fresh, along, .. } = *step;
        let plain = |g: T, v: &mut T| {
            *v = I::fma(share, I::fma(g, g, -*v), *v);
            fresh * g / ((*v * scale + inside).sqrt() + outside)
        };
        let centered = |g: T, v: &mut T, a: &mut T| {
            *v = I::fma(share, I::fma(g, g, -*v), *v);
            *a = I::fma(share, g - *a, *a);
            let mean = *a * scale;
            // A variance that rounding has made negative is none.
            let variance = (*v * scale - mean * mean).max(T::ZERO);
            fresh * g / ((variance + inside).sqrt() + outside)
        };
        let heavy = |momentum: T, p: &mut T, b: &mut T, x: T| {
            *b = I::fma(momentum, *b, x);
            *p = I::fma(-along, *b, *p);
        };
        let nesterov = |momentum: T, p: &mut T, b: &mut T, x: T| {
            *b = I::fma(momentum, *b, x);
            *p = I::fma(-along, I::fma(momentum, *b, x), *p);
        };
        match (step.centered, step.momentum) {
            (false, Momentum::None) => run.each(|p, g, [v]| *p = I::fma(-along, plain(g, v), *p)),
            (false, Momentum::Heavy(m)) => run.each(|p, g, [v, b]| heavy(m, p, b, plain(g, v))),
            (false, Momentum::Nesterov(m)) => run.each(|p, g, [v, b]| nesterov(m, p, b, plain(g, v))),
            (true, Momentum::None) => run.each(|p, g, [v, a]| *p = I::fma(-along, centered(g, v, a), *p)),
            (true, Momentum::Heavy(m)) => run.each(|p, g, [v, a, b]| heavy(m, p, b, centered(g, v, a))),
            (true, Momentum::Nesterov(m)) => run.each(|p, g, [v, a, b]| nesterov(m, p, b, centered(g, v, a))),
        }
    }
}
