//! Schedule-free gradient descent and AdamW.

use super::moments::{Share, at_least, root};
use crate::optim::options::{COUNT, Decay, INSIDE_UNIT, NO_DECAY, NON_NEGATIVE, Opt, Options, Range, Spec};
use crate::optim::rule::{Most, Rule, StepContext};
use crate::optim::run::Run;
use crate::optim::slot::Slot;
use crate::scalar::Scalar;
use crate::simd::Isa;

/// The class `ScheduleFreeSGD`.
pub static SCHEDULE_FREE_SGD: Spec = Spec {
    name: "ScheduleFreeSGD",
    summary: "Gradient descent with an average of iterates in the place of a schedule.",
    notes: NOTES,
    reference: REFERENCE,
    lr: [1.0; 4],
    weight_decay: NO_DECAY,
    decay: [Decay::Coupled; 4],
    options: &[
        Opt::number("momentum", INTERPOLATION, 0.9, "Share b of the average in the point where gradients are taken."),
        WEIGHT_POWER,
        WARMUP,
        WARMUP_FROM_ONE,
        PLAIN_AVERAGE,
        DECAY_AT_Y,
    ],
};

/// The class `ScheduleFreeAdamW`.
pub static SCHEDULE_FREE_ADAMW: Spec = Spec {
    name: "ScheduleFreeAdamW",
    summary: "AdamW with an average of iterates in the place of a schedule and of momentum.",
    notes: NOTES,
    reference: REFERENCE,
    lr: [0.0025; 4],
    weight_decay: NO_DECAY,
    decay: [Decay::Decoupled; 4],
    options: &[
        Opt::pair(
            "betas",
            INTERPOLATION,
            (0.9, 0.999),
            "Share b of the average in the point where gradients are taken, and decay rate b2 of the squared gradient.",
        ),
        Opt::numbers("eps", NON_NEGATIVE, [1e-8; 4], "Keeps the denominator away from zero."),
        WEIGHT_POWER,
        WARMUP,
        WARMUP_FROM_ONE,
        PLAIN_AVERAGE,
        DECAY_AT_Y,
    ],
};

const NOTES: &str = "\
The parameters are y, where gradients are taken; z and the average x start there. With u the gradient
(`ScheduleFreeSGD`) or g / (sqrt(vhat) + eps), vhat as in `Adam` (`ScheduleFreeAdamW`), and W the sum of all weights w::

    z <- z - lr * (u + weight_decay * y)
    w = (largest lr so far)^weight_power                   # plain_average=True: w = 1
    x <- (1 - w / W) * x + w / W * z
    y <- b * x + (1 - b) * z

Only y and z are stored. `averaged_params` gives x: use that for predictions. The learning rate rises over
`warmup_steps` steps, from ``lr / warmup_steps``, or from 0 without `warmup_from_one` (\"optax\"), and then stays.";

const REFERENCE: &str = "Defazio et al., The road less scheduled (2024).";

/// The average cannot be recovered from y and z without a share of it.
const INTERPOLATION: Range = INSIDE_UNIT;
const WEIGHT_POWER: Opt = Opt::number("weight_power", NON_NEGATIVE, 2.0, "Power of the learning rate in the weights.");
const WARMUP: Opt = Opt::optional("warmup_steps", COUNT, "Length of the warm-up; None: there is none.");
const WARMUP_FROM_ONE: Opt = Opt::flags(
    "warmup_from_one",
    [true, true, false, true],
    "Count the steps of the warm-up from 1; weights always do.",
);
const PLAIN_AVERAGE: Opt = Opt::flags("plain_average", [false, false, false, true], "Give all iterates equal weight.");
const DECAY_AT_Y: Opt = Opt::flags(
    "decay_in_update",
    [true, true, true, false],
    "Make weight decay part of the step of z; `decay` then has no meaning, and must be left as it is. Else \
     it acts on y as for every rule.",
);

/// The rule.
#[derive(Debug, Clone)]
pub struct ScheduleFree {
    momentum: f64,
    second: Option<Second>,
    weight_power: f64,
    warmup: Option<f64>,
    warmup_from_one: bool,
    plain: bool,
    decays: bool,
}

/// What AdamW has besides.
#[derive(Debug, Clone, Copy)]
struct Second {
    b2: f64,
    eps: f64,
}

/// `z' = z - lr * (u + decay * y); y = keep * (y - rest * z) + of_z * z'`.
#[derive(Debug, Clone)]
pub struct Step<T> {
    lr: T,
    keep: T,
    rest: T,
    of_z: T,
    /// Share of the squared gradient, scale of v, what is added inside the root, eps.
    second: Option<(Share<T>, T, T, T)>,
}

impl Rule for ScheduleFree {
    type Step<T: Scalar> = Step<T>;

    fn new(options: &Options) -> Self {
        let (momentum, second) = if options.spec().name == SCHEDULE_FREE_ADAMW.name {
            let (b, b2) = options.pair("betas");
            (b, Some(Second { b2, eps: options.number("eps") }))
        } else {
            (options.number("momentum"), None)
        };
        ScheduleFree {
            momentum,
            second,
            weight_power: options.number("weight_power"),
            warmup: options.optional("warmup_steps"),
            warmup_from_one: options.flag("warmup_from_one"),
            plain: options.flag("plain_average"),
            decays: options.flag("decay_in_update"),
        }
    }

    fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::params("z")];
        if self.second.is_some() {
            slots.push(Slot::zeros("v").not_negative());
        }
        slots
    }

    fn meaning(&self) -> Vec<(&'static str, f64)> {
        let momentum = if self.second.is_some() { "betas" } else { "momentum" };
        // The weights so far are a sum, of which the next one is a share.
        let weight = (!self.plain).then_some(("weight_power", self.weight_power));
        [(momentum, self.momentum), ("plain_average", f64::from(self.plain))].into_iter().chain(weight).collect()
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("weight_sum", 0.0), ("largest_lr", 0.0)]
    }

    fn decays_itself(&self) -> bool {
        self.decays
    }

    fn averages(&self) -> bool {
        true
    }

    fn averaged<T: Scalar>(&self, params: &[T], slots: &[&[T]], to: &mut [T]) {
        let (b, rest) = (T::from_f64(self.momentum), T::from_f64(1.0 - self.momentum));
        for ((to, &y), &z) in to.iter_mut().zip(params).zip(slots[0]) {
            *to = (y - rest * z) / b;
        }
    }

    fn needs_params(&self) -> bool {
        true
    }

    fn reach(&self, most: &Most, _memory: &[f64]) -> f64 {
        let step = most.over(self.second.map_or(1.0, |second| second.eps.min(1.0)));
        // Averages of parameters, of which there are two.
        4.0 * (step + most.lr * most.decay * most.params + most.params)
    }

    fn begin<T: Scalar>(&self, context: StepContext, memory: &mut [f64]) -> Step<T> {
        let warmed = |steps: u64| context.lr * self.warmup.map_or(1.0, |warmup| (steps as f64 / warmup).min(1.0));
        let lr = warmed(if self.warmup_from_one { context.t } else { context.t - 1 });
        memory[1] = memory[1].max(warmed(context.t));
        let weight = if self.plain { 1.0 } else { memory[1].powf(self.weight_power) };
        memory[0] += weight;
        let c = if memory[0] > 0.0 { weight / memory[0] } else { 0.0 };
        let b = self.momentum;
        let of = T::from_f64;
        Step {
            lr: of(lr),
            keep: of(1.0 - c),
            rest: of(1.0 - b),
            of_z: of(b * c + 1.0 - b),
            second: self.second.map(|Second { b2, eps }| {
                (Share::of_decay(b2), of(1.0 / context.bias_correction(b2)), of(at_least::<T>(0.0, eps)), of(eps))
            }),
        }
    }

    fn forgets<T: Scalar>(step: &Step<T>) -> bool {
        step.second.is_some_and(|(share, ..)| share.forgets())
    }

    #[inline(always)]
    fn update<T: Scalar, I: Isa>(step: &Step<T>, run: Run<'_, '_, T>) {
        let Step { lr, keep, rest, of_z, second } = *step;
        let decay = run.decay;
        let follow = |y: &mut T, z: &mut T, u: T| {
            let x_part = I::fma(-rest, *z, *y);
            *z = I::fma(-lr, I::fma(decay, *y, u), *z);
            *y = I::fma(of_z, *z, keep * x_part);
        };
        match second {
            None => run.each(|y, g, [z]| follow(y, z, g)),
            Some((share, scale, inside, eps)) => run.each(|y, g, [z, v]| {
                share.average_square::<I>(g, v);
                follow(y, z, g / (root::<T, I>(*v, scale, inside) + eps));
            }),
        }
    }
}
