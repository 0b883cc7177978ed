//! What options are: a convention's defaults, kinds, values, and the optimizer class that they make up.

use std::fmt;

use super::choices::Decay;
use super::ranges::{Pair, Range};
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
    /// A whole number.
    Count(u64),
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
            Value::Count(n) => write!(f, "{n}"),
            Value::Flag(true) => write!(f, "True"),
            Value::Flag(false) => write!(f, "False"),
            Value::Choice(name) => write!(f, "{name:?}"),
            Value::Pair(a, b) => write!(f, "({a:?}, {b:?})"),
            Value::Mask => write!(f, "<mask>"),
            Value::Nothing => write!(f, "None"),
        }
    }
}

/// The largest whole number of an option: those up to here are numbers of every kind.
const MAX_COUNT: u64 = 1 << 53;

/// What kind of value an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A real number.
    Number(Range),
    /// A real number or None.
    OptionalNumber(Range),
    /// A whole number from this one on.
    Count(u64),
    /// A whole number from this one on, or None.
    OptionalCount(u64),
    /// A switch.
    Flag,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// One of these names, or a mask over the parameters.
    Mask(&'static [&'static str]),
    /// Two real numbers.
    Pair(Pair),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number(range) => write!(f, "a finite number {range}"),
            Kind::OptionalNumber(range) => write!(f, "a finite number {range}, or None"),
            Kind::Count(low) => write!(f, "a whole number >= {low}"),
            Kind::OptionalCount(low) => write!(f, "a whole number >= {low}, or None"),
            Kind::Flag => write!(f, "True or False"),
            Kind::Choice(names) => write!(f, "{}", one_of(names)),
            Kind::Mask(names) => {
                write!(f, "{}, a callable of name and array, or booleans in the structure of params", one_of(names))
            }
            Kind::Pair(pair) => write!(f, "two finite numbers {pair}"),
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

    /// A whole number with the same default in every convention.
    pub const fn count(name: &'static str, low: u64, default: u64, doc: &'static str) -> Opt {
        Opt { name, kind: Kind::Count(low), defaults: [Value::Count(default); 4], doc }
    }

    /// A whole number that is None unless given.
    pub const fn optional_count(name: &'static str, low: u64, doc: &'static str) -> Opt {
        Opt { name, kind: Kind::OptionalCount(low), defaults: [Value::Nothing; 4], doc }
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
    pub const fn pair(name: &'static str, range: Range, defaults: (f64, f64), doc: &'static str) -> Opt {
        Opt::pair_of(name, Pair { first: range, second: range, rises: false }, defaults, doc)
    }

    /// Two numbers that are not alike.
    pub const fn pair_of(name: &'static str, pair: Pair, (a, b): (f64, f64), doc: &'static str) -> Opt {
        Opt { name, kind: Kind::Pair(pair), defaults: [Value::Pair(a, b); 4], doc }
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
            (Kind::Count(low) | Kind::OptionalCount(low), Value::Count(n)) => (low..=MAX_COUNT).contains(&n),
            (Kind::OptionalNumber(_) | Kind::OptionalCount(_), Value::Nothing) | (Kind::Flag, Value::Flag(_)) => true,
            (Kind::Mask(_), Value::Mask) => true,
            (Kind::Choice(names) | Kind::Mask(names), Value::Choice(name)) => names.contains(&name),
            (Kind::Pair(pair), Value::Pair(a, b)) => pair.contains(a, b),
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
    /// Default kind of weight decay of each convention.
    pub decay: [Decay; 4],
    /// The rule's own options; those that every rule has are in `common.rs`.
    pub options: &'static [Opt],
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
