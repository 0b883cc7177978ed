//! Rprop.

use crate::optim::options::{ABOVE_ONE, INSIDE_UNIT, LIBRARY_DECAY, NO_DECAY, Opt, Options, POSITIVE, Pair, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `Rprop`.
pub static RPROP: Spec = Spec {
    name: "Rprop",
    summary: "Resilient propagation: step sizes from the signs of successive gradients. For full batches.",
    notes: "\
With low, high = step_sizes, s starting at clip(lr, low, high) and q at zero::

    s <- clip(s * f, low, high)     # f = etas[1] where g * q > 0, etas[0] where g * q < 0, else 1
    g <- 0 where g * q < 0
    p <- p - s * sign(g)
    q <- g

The learning rate is only the first step size. With `late` (\"optax\") each update is made one step later, and not at all
where the sign has changed meanwhile; s is not clipped where f is 1, and not at first.",
    reference: "Riedmiller and Braun, A direct adaptive method for faster backpropagation learning: the RPROP algorithm \
(1993).",
    lr: [0.01; 4],
    weight_decay: NO_DECAY,
    decay: LIBRARY_DECAY,
    options: &[
        Opt::pair_of(
            "etas",
            Pair { first: INSIDE_UNIT, second: ABOVE_ONE, rises: false },
            (0.5, 1.2),
            "Factors of a step size where the sign has changed and where not.",
        ),
        Opt::pair_of(
            "step_sizes",
            Pair { first: POSITIVE, second: POSITIVE, rises: true },
            (1e-6, 50.0),
            "Smallest and largest step size.",
        ),
        Opt::flags("late", [false, false, true, false], "Apply each update in the step after."),
    ],
};

/// The rule.
#[derive(Debug, Clone)]
pub struct Rprop {
    etas: (f64, f64),
    step_sizes: (f64, f64),
    late: bool,
}

/// The scalars of a step.
#[derive(Debug, Clone)]
pub struct Step<T> {
    /// In the first step, the step size.
    first: Option<T>,
    shrink: T,
    grow: T,
    low: T,
    high: T,
    late: bool,
}

impl Rule for Rprop {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        Rprop { etas: options.pair("etas"), step_sizes: options.pair("step_sizes"), late: options.flag("late") }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::zeros("step_size").not_negative(), Slot::zeros("previous")]
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        vec![("late", f64::from(self.late))]
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        most.lr.max(self.step_sizes.1)
    }

    fn begin<T: Scalar>(&self, context: StepContext, _memory: &mut [f64]) -> Step<T> {
        let of = T::from_f64;
        let first = if self.late { context.lr } else { context.lr.max(self.step_sizes.0).min(self.step_sizes.1) };
        Step {
            first: (context.t == 1).then_some(of(first)),
            shrink: of(self.etas.0),
            grow: of(self.etas.1),
            low: of(self.step_sizes.0),
            high: of(self.step_sizes.1),
            late: self.late,
        }
    }

    fn forgets<T: Scalar>(_step: &Step<T>) -> bool {
        false
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { first, shrink, grow, low, high, late } = *step;
        if let Some(size) = first {
            run.slots[0].fill(size);
        }
        let sign = |x: T| if x == T::ZERO { T::ZERO } else { T::ONE.copysign(x) };
        // The new step size, and whether the sign has changed. Signs alone: a product of small gradients would be zero.
        let resize = |s: T, g: T, q: T| {
            let same = sign(g) * sign(q);
            let factor = if same > T::ZERO { grow } else { shrink };
            let resized = (s * if same == T::ZERO { T::ONE } else { factor }).max(low).min(high);
            (if late && same == T::ZERO { s } else { resized }, same < T::ZERO)
        };
        if late {
            run.each(|p, g, [s, q]| {
                let (size, changed) = resize(*s, g, *q);
                let next = if changed { T::ZERO } else { size * sign(g) };
                *p -= if changed { T::ZERO } else { *q };
                (*s, *q) = (size, next);
            });
        } else {
            run.each(|p, g, [s, q]| {
                let (size, changed) = resize(*s, g, *q);
                let g = if changed { T::ZERO } else { g };
                *p -= size * sign(g);
                (*s, *q) = (size, g);
            });
        }
    }
}
