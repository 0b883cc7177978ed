//! The options that every rule has.

use super::choices::{Choice, Decay, DecayWhere, EmaStart, NonFinite};
use super::ranges::{DECAY_RATE, NON_NEGATIVE, POSITIVE, UNIT};
use super::schema::{Kind, Opt, Spec, Value};

/// The weight decay of a rule that has none unless asked for.
pub const NO_DECAY: [f64; 4] = [0.0; 4];

/// Its kind, as each library has it.
pub const LIBRARY_DECAY: [Decay; 4] = [Decay::Coupled, Decay::Coupled, Decay::Coupled, Decay::Decoupled];

impl Spec {
    /// The rule's own options, then those that every rule has.
    pub fn all_options(&self) -> impl Iterator<Item = Opt> + '_ {
        let common =
            [LR_FACTOR].into_iter().chain(decay(self)).chain(GRADIENTS).chain(AVERAGES).chain([MAXIMIZE, NONFINITE]);
        self.options.iter().copied().chain(common)
    }
}

const LR_FACTOR: Opt = Opt::number(
    "lr_factor",
    NON_NEGATIVE,
    1.0,
    "What multiplies the learning rate: for parameter groups whose rate is a share of the schedule that all follow.",
);

/// Weight decay, whose defaults are the rule's.
fn decay(spec: &Spec) -> [Opt; 3] {
    [
        Opt::numbers(
            "weight_decay",
            NON_NEGATIVE,
            spec.weight_decay,
            "Strength of the pull of the parameters towards zero, or a schedule of closed form that it follows.",
        ),
        Opt::choice(
            "decay",
            Decay::NAMES,
            spec.decay.map(Decay::name),
            "How `weight_decay` acts: \"coupled\" adds ``weight_decay * p`` to the gradient, \"decoupled\" multiplies \
             p by ``1 - lr * weight_decay`` before the update, \"independent\" by ``1 - weight_decay``.",
        ),
        Opt {
            name: "decay_where",
            kind: Kind::Mask(DecayWhere::NAMES),
            defaults: [Value::Choice(DecayWhere::Everywhere.name()); 4],
            doc: "Which parameters decay: all; only arrays of two and more axes, so that biases and gains do not; \
                  those for which ``mask(name, array)`` is true, called once for each with names like \"encoder.w\" \
                  and \"0\"; or those with True in booleans that are structured like `params`.",
        },
    ]
}

/// What is done with gradients before the rule.
const GRADIENTS: [Opt; 5] = [
    Opt::optional(
        "clip_value",
        POSITIVE,
        "Largest magnitude of an element of a gradient: others are cut, after clipping by norm.",
    ),
    Opt::optional(
        "clip_tensor_norm",
        POSITIVE,
        "Largest norm of one array's gradient: it is scaled down where its 2-norm is larger, before `clip_norm`.",
    ),
    Opt::optional(
        "clip_norm",
        POSITIVE,
        "Largest global norm: all gradients together are scaled down where their 2-norm is larger.",
    ),
    Opt::numbers(
        "clip_eps",
        NON_NEGATIVE,
        [0.0, 1e-6, 0.0, 0.0],
        "Clipping multiplies by ``min(1, clip_norm / (norm + clip_eps))``.",
    ),
    Opt::count("accumulate", 1, 1, "Average this many gradients before a step is made; the calls before only collect."),
];

/// What is done with parameters after the rule.
const AVERAGES: [Opt; 5] = [
    Opt::optional_count(
        "lookahead",
        1,
        "Lookahead: every so many steps slow parameters move towards the parameters by `lookahead_alpha` of the \
         way, and the parameters go back to them (Zhang et al. 2019).",
    ),
    Opt::number("lookahead_alpha", UNIT, 0.5, "How far the slow parameters move."),
    Opt::optional(
        "ema",
        DECAY_RATE,
        "Keep an exponential moving average of the parameters with this decay rate: see `averaged_params`.",
    ),
    Opt::choice(
        "ema_start",
        EmaStart::NAMES,
        [EmaStart::Params.name(), EmaStart::Params.name(), EmaStart::Zero.name(), EmaStart::First.name()],
        "The average starts as the parameters before the first step, after it (\"first\"), or at zero and is \
         corrected for that when it is read.",
    ),
    Opt::optional_count(
        "swa_start",
        0,
        "Keep the plain average of the parameters after each step from this one on (stochastic weight averaging, \
         Izmailov et al. 2018); not together with `ema`.",
    ),
];

const MAXIMIZE: Opt = Opt::flag("maximize", "Go uphill: the negative of the gradient is used.");

const NONFINITE: Opt = Opt::choice(
    "nonfinite",
    NonFinite::NAMES,
    [NonFinite::Raise.name(); 4],
    "NaN or infinity in a gradient, or in what a step would leave: \"raise\" `NonFiniteError` and change nothing, \"skip\" the step and count \
     it in `skipped_steps`, or \"ignore\" (which saves one look at the gradients).",
);
