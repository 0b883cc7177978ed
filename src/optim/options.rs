//! The options of a rule as data: names, kinds, ranges and each convention's defaults.
//!
//! A rule's file declares one [`Spec`]. Construction, validation, the Python class, its signature and its documentation
//! are all made from it.

use std::fmt;

use super::rule::AnyRule;
use crate::error::{Error, Result};

/// Whose formulas and defaults an optimizer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// The textbook form; the default.
    Lecture = 0,
    /// `torch.optim`.
    Torch = 1,
    /// optax.
    Optax = 2,
    /// Keras 3.
    Keras = 3,
}

impl Convention {
    /// The names, in the order of every table of defaults.
    pub const NAMES: [&'static str; 4] = ["lecture", "torch", "optax", "keras"];

    /// The convention's name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The convention of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "lecture" => Ok(Convention::Lecture),
            "torch" => Ok(Convention::Torch),
            "optax" => Ok(Convention::Optax),
            "keras" => Ok(Convention::Keras),
            _ => Err(Error::value("convention", format!("{name:?}"), one_of(&Self::NAMES))),
        }
    }
}

/// An option's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A real number.
    Number(f64),
    /// A switch.
    Flag(bool),
    /// One of a few names.
    Choice(&'static str),
    /// Two real numbers, such as Adam's betas.
    Pair(f64, f64),
    /// A mask over the parameters, which is kept elsewhere.
    Mask,
    /// Python's None.
    Nothing,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(x) => write!(f, "{x:?}"),
            Value::Flag(true) => write!(f, "True"),
            Value::Flag(false) => write!(f, "False"),
            Value::Choice(name) => write!(f, "{name:?}"),
            Value::Pair(a, b) => write!(f, "({a:?}, {b:?})"),
            Value::Mask => write!(f, "<mask>"),
            Value::Nothing => write!(f, "None"),
        }
    }
}

/// The real numbers from `low` to `high`; both finite ends belong to it unless marked open. NaN and infinities never do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the lower end is excluded.
    pub low_open: bool,
    /// Whether the upper end is excluded.
    pub high_open: bool,
}

/// At least 0.
pub const NON_NEGATIVE: Range = Range { low: 0.0, high: f64::INFINITY, low_open: false, high_open: true };
/// More than 0.
pub const POSITIVE: Range = Range { low: 0.0, high: f64::INFINITY, low_open: true, high_open: true };
/// From 0 up to but not including 1.
pub const DECAY_RATE: Range = Range { low: 0.0, high: 1.0, low_open: false, high_open: true };
/// From 1 on.
pub const COUNT: Range = Range { low: 1.0, high: f64::INFINITY, low_open: false, high_open: true };
/// From 0 to 1.
pub const UNIT: Range = Range { low: 0.0, high: 1.0, low_open: false, high_open: false };

impl Range {
    /// Whether the number belongs to it.
    pub fn contains(&self, x: f64) -> bool {
        let above = if self.low_open { x > self.low } else { x >= self.low };
        let below = if self.high_open { x < self.high } else { x <= self.high };
        x.is_finite() && above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { low, high, .. } = self;
        match (low.is_finite(), high.is_finite()) {
            (true, false) => write!(f, "{} {low}", if self.low_open { ">" } else { ">=" }),
            (true, true) => {
                let (open, close) = (if self.low_open { '(' } else { '[' }, if self.high_open { ')' } else { ']' });
                write!(f, "in {open}{low}, {high}{close}")
            }
            _ => write!(f, "of any size"),
        }
    }
}

/// What kind of value an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A real number.
    Number(Range),
    /// A real number or None.
    OptionalNumber(Range),
    /// A switch.
    Flag,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// One of these names, or a mask over the parameters.
    Mask(&'static [&'static str]),
    /// Two real numbers.
    Pair(Range),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number(range) => write!(f, "a finite number {range}"),
            Kind::OptionalNumber(range) => write!(f, "a finite number {range}, or None"),
            Kind::Flag => write!(f, "True or False"),
            Kind::Choice(names) => write!(f, "{}", one_of(names)),
            Kind::Mask(names) => {
                write!(f, "{}, a callable of name and array, or booleans in the structure of params", one_of(names))
            }
            Kind::Pair(range) => write!(f, "two finite numbers {range}"),
        }
    }
}

/// One option of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// The keyword.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The default of each convention, in the order of [`Convention::NAMES`].
    pub defaults: [Value; 4],
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl Opt {
    /// A number with the same default in every convention.
    pub const fn number(name: &'static str, range: Range, default: f64, doc: &'static str) -> Opt {
        Opt::numbers(name, range, [default; 4], doc)
    }

    /// A number with a default for each convention.
    pub const fn numbers(name: &'static str, range: Range, [a, b, c, d]: [f64; 4], doc: &'static str) -> Opt {
        let defaults = [Value::Number(a), Value::Number(b), Value::Number(c), Value::Number(d)];
        Opt { name, kind: Kind::Number(range), defaults, doc }
    }

    /// A number that is None unless given.
    pub const fn optional(name: &'static str, range: Range, doc: &'static str) -> Opt {
        Opt { name, kind: Kind::OptionalNumber(range), defaults: [Value::Nothing; 4], doc }
    }

    /// A switch with a default for each convention.
    pub const fn flags(name: &'static str, [a, b, c, d]: [bool; 4], doc: &'static str) -> Opt {
        let defaults = [Value::Flag(a), Value::Flag(b), Value::Flag(c), Value::Flag(d)];
        Opt { name, kind: Kind::Flag, defaults, doc }
    }

    /// A switch that is off in every convention.
    pub const fn flag(name: &'static str, doc: &'static str) -> Opt {
        Opt::flags(name, [false; 4], doc)
    }

    /// One of a few names, with a default for each convention.
    pub const fn choice(
        name: &'static str,
        names: &'static [&'static str],
        [a, b, c, d]: [&'static str; 4],
        doc: &'static str,
    ) -> Opt {
        let defaults = [Value::Choice(a), Value::Choice(b), Value::Choice(c), Value::Choice(d)];
        Opt { name, kind: Kind::Choice(names), defaults, doc }
    }

    /// Two numbers with the same defaults in every convention.
    pub const fn pair(name: &'static str, range: Range, (a, b): (f64, f64), doc: &'static str) -> Opt {
        Opt { name, kind: Kind::Pair(range), defaults: [Value::Pair(a, b); 4], doc }
    }

    /// The value for one of the names of a [`Kind::Choice`].
    pub fn chosen(&self, name: &str) -> Result<Value> {
        let known = match self.kind {
            Kind::Choice(names) | Kind::Mask(names) => names.iter().find(|known| **known == name),
            _ => None,
        };
        known
            .map(|name| Value::Choice(name))
            .ok_or_else(|| Error::value(self.name, format!("{name:?}"), self.accepted()))
    }

    /// The value, if its kind and range are right.
    pub fn check(&self, value: Value) -> Result<Value> {
        let right = match (self.kind, value) {
            (Kind::Number(range) | Kind::OptionalNumber(range), Value::Number(x)) => range.contains(x),
            (Kind::OptionalNumber(_), Value::Nothing) | (Kind::Flag, Value::Flag(_)) => true,
            (Kind::Mask(_), Value::Mask) => true,
            (Kind::Choice(names) | Kind::Mask(names), Value::Choice(name)) => names.contains(&name),
            (Kind::Pair(range), Value::Pair(a, b)) => range.contains(a) && range.contains(b),
            _ => return Err(Error::type_(self.name, value, self.accepted())),
        };
        if right { Ok(value) } else { Err(Error::value(self.name, value, self.accepted())) }
    }

    /// What it takes, in words.
    pub fn accepted(&self) -> String {
        self.kind.to_string()
    }
}

/// A rule as users see it. One per optimizer class.
#[derive(Debug)]
pub struct Spec {
    /// The class name.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The formula, and where the conventions differ.
    pub notes: &'static str,
    /// Where it comes from.
    pub reference: &'static str,
    /// Default learning rate of each convention.
    pub lr: [f64; 4],
    /// Default weight decay of each convention.
    pub weight_decay: [f64; 4],
    /// Default kind of weight decay of each convention: see [`DECAYS`].
    pub decay: [&'static str; 4],
    /// The rule's own options.
    pub options: &'static [Opt],
    /// Makes the rule from checked options.
    pub build: fn(&Options) -> AnyRule,
}

/// The kinds of weight decay.
pub const DECAYS: &[&str] = &["coupled", "decoupled", "independent"];

/// No decay unless asked for, and then as each library does it.
pub const NO_DECAY: ([f64; 4], [&str; 4]) = ([0.0; 4], ["coupled", "coupled", "coupled", "decoupled"]);

/// What an average of parameters starts as.
pub const EMA_STARTS: &[&str] = &["params", "first", "zero"];

/// What to do with NaN or infinity in a gradient.
pub const NONFINITE: &[&str] = &["raise", "skip", "ignore"];

impl Spec {
    /// The rule's own options, then those that every rule has.
    pub fn all_options(&self) -> impl Iterator<Item = Opt> + '_ {
        let [a, b, c, d] = self.weight_decay.map(Value::Number);
        let common = [
            Opt {
                name: "weight_decay",
                kind: Kind::Number(NON_NEGATIVE),
                defaults: [a, b, c, d],
                doc: "Strength of the pull of the parameters towards zero.",
            },
            Opt::choice(
                "decay",
                DECAYS,
                self.decay,
                "How `weight_decay` acts: \"coupled\" adds ``weight_decay * p`` to the gradient, \"decoupled\" multiplies \
                 p by ``1 - lr * weight_decay`` before the update, \"independent\" by ``1 - weight_decay``.",
            ),
            Opt {
                name: "decay_where",
                kind: Kind::Mask(&["everywhere", "matrices"]),
                defaults: [Value::Choice("everywhere"); 4],
                doc: "Which parameters decay: all; only arrays of two and more axes, so that biases and gains do not; \
                      those for which ``mask(name, array)`` is true, called once for each with names like \"encoder.w\" \
                      and \"0\"; or those with True in booleans that are structured like `params`.",
            },
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
            Opt {
                name: "accumulate",
                kind: Kind::Number(COUNT),
                defaults: [Value::Number(1.0); 4],
                doc: "Average this many gradients before a step is made; the calls before only collect.",
            },
            Opt::optional(
                "lookahead",
                COUNT,
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
                EMA_STARTS,
                ["params", "params", "zero", "first"],
                "The average starts as the parameters before the first step, after it (\"first\"), or at zero and is \
                 corrected for that when it is read.",
            ),
            Opt::optional(
                "swa_start",
                NON_NEGATIVE,
                "Keep the plain average of the parameters after each step from this one on (stochastic weight averaging, \
                 Izmailov et al. 2018); not together with `ema`.",
            ),
            Opt::flag("maximize", "Go uphill: the negative of the gradient is used."),
            Opt::choice(
                "nonfinite",
                NONFINITE,
                ["raise"; 4],
                "NaN or infinity in a gradient: \"raise\" `NonFiniteError` and change nothing, \"skip\" the step and count \
                 it in `skipped_steps`, or \"ignore\" (which saves one look at the gradients).",
            ),
        ];
        self.options.iter().copied().chain(common)
    }
}

/// A rule's checked options.
#[derive(Debug, Clone)]
pub struct Options {
    spec: &'static Spec,
    convention: Convention,
    values: Vec<Value>,
}

/// The same rule with the same values, whichever conventions they started from.
impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.values == other.values
    }
}

impl Options {
    /// A convention's defaults.
    pub fn new(spec: &'static Spec, convention: Convention) -> Self {
        let values = spec.all_options().map(|option| option.defaults[convention as usize]).collect();
        Options { spec, convention, values }
    }

    /// The rule they belong to.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// The convention they started from.
    pub fn convention(&self) -> Convention {
        self.convention
    }

    /// The option of that name.
    pub fn option(&self, name: &str) -> Result<Opt> {
        self.spec.all_options().find(|option| option.name == name).ok_or_else(|| {
            let names: Vec<_> = self.spec.all_options().map(|option| option.name).collect();
            Error::type_(
                format!("option of {}", self.spec.name),
                format!("{name:?}"),
                format!("one of {}", names.join(", ")),
            )
        })
    }

    /// Changes one option.
    pub fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let checked = self.option(name)?.check(value)?;
        *self.slot(name) = checked;
        Ok(())
    }

    /// Every option with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Opt, Value)> + '_ {
        self.spec.all_options().zip(self.values.iter().copied())
    }

    fn slot(&mut self, name: &str) -> &mut Value {
        let index = self.spec.all_options().position(|option| option.name == name);
        &mut self.values[index.expect("the caller has looked the option up")]
    }

    fn get(&self, name: &str) -> Value {
        let found = self.iter().find(|(option, _)| option.name == name);
        found.map_or(Value::Nothing, |(_, value)| value)
    }

    /// The value of a number; NaN where the option is None.
    pub fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Value::Number(x) => x,
            _ => f64::NAN,
        }
    }

    /// The value of a number that may be None.
    pub fn optional(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Value::Number(x) => Some(x),
            _ => None,
        }
    }

    /// The value of a switch.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Value::Flag(true)
    }

    /// The chosen name.
    pub fn choice(&self, name: &str) -> &'static str {
        match self.get(name) {
            Value::Choice(name) => name,
            _ => "",
        }
    }

    /// The value of a pair.
    pub fn pair(&self, name: &str) -> (f64, f64) {
        match self.get(name) {
            Value::Pair(a, b) => (a, b),
            _ => (f64::NAN, f64::NAN),
        }
    }
}

/// `"a", "b" or "c"`.
pub fn one_of(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
