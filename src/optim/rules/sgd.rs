//! Gradient descent: plain, with momentum in four dialects, Nesterov.

use crate::optim::options::{Choice, DECAY_RATE, LIBRARY_DECAY, NO_DECAY, Opt, Options, Spec, UNIT, Value, choice};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `SGD`.
pub static SGD: Spec = Spec {
    name: "SGD",
    summary: "Gradient descent, plain or with momentum.",
    notes: "\
Without momentum::

    p <- p - lr * g

With momentum, v starting at zero::

    v <- momentum * v + (1 - dampening) * g
    p <- p - lr * v                                        # nesterov=False
    p <- p - lr * (momentum * v + (1 - dampening) * g)     # nesterov=True

`dampening=None` stands for the value of `momentum`: v is then the exponentially weighted average of the gradients, the
\"lecture\" form. The other conventions have ``dampening=0``, the heavy ball. In \"torch\" the first step sets ``v = g``
(`first_step`), which shows only where dampening is not 0, and without momentum there is no dampening. In \"keras\" the
learning rate of each step is stored inside v (`lr_inside`), which differs as soon as the learning rate changes.",
    reference: "\
Polyak, Some methods of speeding up the convergence of iteration methods (1964); Nesterov, A method for solving the \
convex programming problem with convergence rate O(1/k^2) (1983); Sutskever et al., On the importance of \
initialization and momentum in deep learning (2013).",
    lr: [0.01, 0.001, 0.01, 0.01],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::number("momentum", DECAY_RATE, 0.0, "Share of the last velocity that is kept."),
        DAMPENING,
        Opt::flag("nesterov", "Look ahead along the velocity."),
        Opt::choice(
            "first_step",
            FirstStep::NAMES,
            [
                FirstStep::Average.name(),
                FirstStep::Gradient.name(),
                FirstStep::Average.name(),
                FirstStep::Average.name(),
            ],
            "What the first step does with v: the same as any other (\"average\"), or ``v = g`` (\"gradient\").",
        ),
        lr_inside([false, false, false, true]),
    ],
};

const DAMPENING: Opt = {
    let mut option = Opt::optional("dampening", UNIT, "Takes ``1 - dampening`` of each gradient; None: `momentum`.");
    let zero = Value::Number(0.0);
    option.defaults = [Value::Nothing, zero, zero, zero];
    option
};

/// Where the learning rate stands; shared with RMSprop.
pub const fn lr_inside(defaults: [bool; 4]) -> Opt {
    let doc = "Store ``lr * update`` in the momentum buffer, instead of multiplying by lr when the buffer is used.";
    Opt::flags("lr_inside", defaults, doc)
}

choice! {
    /// What the first step does with the velocity.
    enum FirstStep {
        /// The same as any other.
        Average = "average",
        /// It becomes the gradient.
        Gradient = "gradient",
    }
}

/// The rule.
#[derive(Debug, Clone)]
pub struct Sgd {
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    starts_with_gradient: bool,
    lr_inside: bool,
}

/// `v = momentum * v + fresh * g; p -= lr * v`, or Nesterov's `p -= along * v + ahead * g`.
#[derive(Debug, Clone)]
pub enum Step<T> {
    /// No momentum.
    Plain {
        /// Factor of the gradient.
        lr: T,
    },
    /// Momentum.
    Momentum {
        /// Factor of the old velocity.
        momentum: T,
        /// Factor of the gradient in the new velocity.
        fresh: T,
        /// Factor of the new velocity.
        along: T,
    },
    /// Nesterov's momentum.
    Nesterov {
        /// Factor of the old velocity.
        momentum: T,
        /// Factor of the gradient in the new velocity.
        fresh: T,
        /// Factor of the new velocity.
        along: T,
        /// Factor of the gradient.
        ahead: T,
    },
}

impl Rule for Sgd {
    type Step<T: Scalar> = Step<T>;

    const TAKES_ROWS: bool = true;

    fn new(options: &Options) -> Self {
        let momentum = options.number("momentum");
        Sgd {
            momentum,
            dampening: options.optional("dampening").unwrap_or(momentum),
            nesterov: options.flag("nesterov"),
            starts_with_gradient: options.choice::<FirstStep>("first_step") == FirstStep::Gradient,
            lr_inside: options.flag("lr_inside"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        if self.momentum == 0.0 { vec![] } else { vec![Slot::zeros("velocity")] }
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        if self.momentum == 0.0 {
            return vec![];
        }
        vec![("lr_inside", f64::from(self.lr_inside)), ("first_step", f64::from(self.starts_with_gradient))]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.over(1.0) * 2.0 / (1.0 - self.momentum)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let (lr, of) = (context.lr, T::from_f64);
        if self.momentum == 0.0 {
            // A dampening of its own scales the gradient even where nothing is kept, as the formula says; torch, whose velocity
            // starts with the gradient, knows of none without a velocity.
            let fresh = if self.starts_with_gradient { 1.0 } else { 1.0 - self.dampening };
            return Step::Plain { lr: of(lr * fresh) };
        }
        let (inside, outside) = if self.lr_inside { (lr, 1.0) } else { (1.0, lr) };
        let gain = 1.0 - self.dampening;
        let momentum = of(self.momentum);
        let is_first = context.of_slot(0).t == 1;
        let fresh = of(inside * if self.starts_with_gradient && is_first { 1.0 } else { gain });
        if self.nesterov {
            let (along, ahead) = (of(outside * self.momentum), of(outside * inside * gain));
            Step::Nesterov { momentum, fresh, along, ahead }
        } else {
            Step::Momentum { momentum, fresh, along: of(outside) }
        }
    }

    fn forgets<T: Scalar>(_step: &Step<T>) -> bool {
        false
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        match *step {
            Step::Plain { lr } => run.each(|p, g, []| *p = I::fma(-lr, g, *p)),
            Step::Momentum { momentum, fresh, along } => run.each(|p, g, [v]| {
                *v = I::fma(momentum, *v, fresh * g);
                *p = I::fma(-along, *v, *p);
            }),
            Step::Nesterov { momentum, fresh, along, ahead } => run.each(|p, g, [v]| {
                *v = I::fma(momentum, *v, fresh * g);
                *p -= I::fma(along, *v, ahead * g);
            }),
        }
    }
}
