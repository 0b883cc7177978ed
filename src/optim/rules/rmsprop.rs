//! RMSprop, plain, centered, with momentum.

use super::moments::{Share, at_least, scaling};
use super::sgd::lr_inside;
use crate::optim::options::{DECAY_RATE, LIBRARY_DECAY, NO_DECAY, NON_NEGATIVE, Opt, Options, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::{Run, splat};
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

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
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
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

/// `x = fresh * g / (sqrt(v * scale - (a * scale_of_mean)^2 + inside) + outside)`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    share: Share<T>,
    scale: T,
    scale_of_mean: T,
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

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::zeros("square_average").not_negative()];
        if self.centered {
            slots.push(Slot::zeros("gradient_average"));
        }
        if self.momentum != 0.0 {
            slots.push(Slot::zeros("momentum"));
        }
        slots
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        if self.momentum == 0.0 { vec![] } else { vec![("lr_inside", f64::from(self.lr_inside))] }
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        let least = if self.eps_in_sqrt { self.eps.sqrt() } else { self.eps };
        most.over(least) * 2.0 / (1.0 - self.momentum)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        let (inside, outside) = if self.eps_in_sqrt { (self.eps, 0.0) } else { (0.0, self.eps) };
        let scale = |context: StepContext| match self.bias_correction {
            true => of(1.0 / context.bias_correction(self.beta)),
            false => T::ONE,
        };
        let (fresh, along) = if self.lr_inside { (context.lr, 1.0) } else { (1.0, context.lr) };
        Step {
            share: Share::of_decay(self.beta),
            scale: scale(context),
            scale_of_mean: scale(context.of_slot(1)),
            inside: of(at_least::<T>(inside, outside)),
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

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.share.forgets()
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let lanes = step.splat::<I>();
        match (step.centered, lanes.momentum) {
            (false, Momentum::None) => run.each_vector::<I, 1>(|p, g, [v]| {
                let x = lanes.plain::<I>(g, v);
                *p = (-lanes.along).fma(x, *p);
            }),
            (false, Momentum::Heavy(momentum)) => run.each_vector::<I, 2>(|p, g, [v, b]| {
                let x = lanes.plain::<I>(g, v);
                lanes.heavy(momentum, p, b, x);
            }),
            (false, Momentum::Nesterov(momentum)) => run.each_vector::<I, 2>(|p, g, [v, b]| {
                let x = lanes.plain::<I>(g, v);
                lanes.nesterov(momentum, p, b, x);
            }),
            (true, Momentum::None) => run.each_vector::<I, 2>(|p, g, [v, a]| {
                let x = lanes.centered::<I>(g, v, a);
                *p = (-lanes.along).fma(x, *p);
            }),
            (true, Momentum::Heavy(momentum)) => run.each_vector::<I, 3>(|p, g, [v, a, b]| {
                let x = lanes.centered::<I>(g, v, a);
                lanes.heavy(momentum, p, b, x);
            }),
            (true, Momentum::Nesterov(momentum)) => run.each_vector::<I, 3>(|p, g, [v, a, b]| {
                let x = lanes.centered::<I>(g, v, a);
                lanes.nesterov(momentum, p, b, x);
            }),
        }
    }
}

impl<T: Scalar> Step<T> {
    #[inline(always)]
    fn splat<I: Isa>(&self) -> Step<T::Vector<I>> {
        let Step { share, scale, scale_of_mean, inside, outside, fresh, along, centered, momentum } = *self;
        let (share, inside) = (share.splat::<I>(), splat::<T, I>(inside));
        let [scale, scale_of_mean] = [splat::<T, I>(scale), splat::<T, I>(scale_of_mean)];
        let [outside, fresh, along] = [splat::<T, I>(outside), splat::<T, I>(fresh), splat::<T, I>(along)];
        let momentum = match momentum {
            Momentum::None => Momentum::None,
            Momentum::Heavy(momentum) => Momentum::Heavy(splat::<T, I>(momentum)),
            Momentum::Nesterov(momentum) => Momentum::Nesterov(splat::<T, I>(momentum)),
        };
        Step { share, scale, scale_of_mean, inside, outside, fresh, along, centered, momentum }
    }
}

impl<V: Vector> Step<V> {
    #[inline(always)]
    fn plain<I: Isa>(&self, g: V, v: &mut V) -> V {
        self.share.average_square_lanes::<I>(g, v);
        if V::CAREFUL {
            return self.fresh * g / (self.root_of(*v, V::splat(V::Elem::ZERO)) + self.outside);
        }
        self.fresh * g / (self.scale.fma(*v, self.inside).sqrt() + self.outside)
    }

    #[inline(always)]
    fn centered<I: Isa>(&self, g: V, v: &mut V, a: &mut V) -> V {
        self.share.average_square_lanes::<I>(g, v);
        self.share.average_lanes::<I>(g, a);
        let mean = *a * self.scale_of_mean;
        if V::CAREFUL {
            return self.fresh * g / (self.root_of(*v, mean) + self.outside);
        }
        // A variance that rounding has made negative is none.
        let variance = (*v * self.scale - mean * mean).max(V::splat(V::Elem::ZERO));
        self.fresh * g / ((variance + self.inside).sqrt() + self.outside)
    }

    /// The root of the variance of gradients with this average square and this mean, where their squares may overflow.
    #[inline(always)]
    fn root_of(&self, square: V, mean: V) -> V {
        let (down, up) = scaling::<V::Elem>();
        let (down, up) = (V::splat(down), V::splat(up));
        let mean = mean / up;
        let variance = (square * down * self.scale - mean * mean).max(V::splat(V::Elem::ZERO));
        (variance + self.inside * down).sqrt() * up
    }

    #[inline(always)]
    fn heavy(&self, momentum: V, p: &mut V, b: &mut V, x: V) {
        *b = momentum.fma(*b, x);
        *p = (-self.along).fma(*b, *p);
    }

    #[inline(always)]
    fn nesterov(&self, momentum: V, p: &mut V, b: &mut V, x: V) {
        *b = momentum.fma(*b, x);
        *p = (-self.along).fma(momentum.fma(*b, x), *p);
    }
}
