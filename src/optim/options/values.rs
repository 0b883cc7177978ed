//! The options of one rule, checked.

use super::choices::Choice;
use super::meant::hint;
use super::schema::{Convention, Kind, Opt, Spec, Value, one_of};
use crate::error::{Error, Result};

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
            let names: Vec<_> = ["lr"].into_iter().chain(self.spec.all_options().map(|option| option.name)).collect();
            let of = format!("option of {}", self.spec.name);
            Error::type_(of, format!("{name:?}{}", hint(name, &names)), format!("one of {}", names.join(", ")))
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

    /// The option of that name, with its value.
    ///
    /// # Panics
    /// Where there is none. Like all that ask for a value by name, this is for code that knows its class: a name or a kind that
    /// is not right there is the programmer's error, and the first recipe of the class says so.
    fn known(&self, name: &str) -> (Opt, Value) {
        let found = self.iter().find(|(option, _)| option.name == name);
        found.unwrap_or_else(|| panic!("{} has no option {name:?}", self.spec.name))
    }

    /// The value of a number.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn number(&self, name: &str) -> f64 {
        match self.known(name) {
            (Opt { kind: Kind::Number(_), .. }, Value::Number(x)) => x,
            (option, _) => self.wrong_kind(option, "a number"),
        }
    }

    /// The value of a number that may be None.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn optional(&self, name: &str) -> Option<f64> {
        match self.known(name) {
            (Opt { kind: Kind::OptionalNumber(_), .. }, Value::Number(x)) => Some(x),
            (Opt { kind: Kind::OptionalNumber(_), .. }, Value::Nothing) => None,
            (option, _) => self.wrong_kind(option, "a number or None"),
        }
    }

    /// The value of a whole number.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn count(&self, name: &str) -> u64 {
        match self.known(name) {
            (Opt { kind: Kind::Count(_), .. }, Value::Count(n)) => n,
            (option, _) => self.wrong_kind(option, "a whole number"),
        }
    }

    /// The value of a whole number that may be None.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn optional_count(&self, name: &str) -> Option<u64> {
        match self.known(name) {
            (Opt { kind: Kind::OptionalCount(_), .. }, Value::Count(n)) => Some(n),
            (Opt { kind: Kind::OptionalCount(_), .. }, Value::Nothing) => None,
            (option, _) => self.wrong_kind(option, "a whole number or None"),
        }
    }

    /// The value of a switch.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn flag(&self, name: &str) -> bool {
        match self.known(name) {
            (Opt { kind: Kind::Flag, .. }, Value::Flag(on)) => on,
            (option, _) => self.wrong_kind(option, "a switch"),
        }
    }

    /// The value of a pair.
    ///
    /// # Panics
    /// Where there is no such option of this kind.
    pub fn pair(&self, name: &str) -> (f64, f64) {
        match self.known(name) {
            (Opt { kind: Kind::Pair(_), .. }, Value::Pair(a, b)) => (a, b),
            (option, _) => self.wrong_kind(option, "two numbers"),
        }
    }

    /// The chosen one of a few names.
    ///
    /// # Panics
    /// Where there is no such option with these names.
    pub fn choice<C: Choice>(&self, name: &str) -> C {
        match self.known(name) {
            (Opt { kind: Kind::Choice(names), .. }, Value::Choice(chosen)) if names == C::NAMES => variant(chosen),
            (option, _) => self.wrong_kind(option, &one_of(C::NAMES)),
        }
    }

    /// The chosen one of a few names; None where a mask over the parameters was given instead.
    ///
    /// # Panics
    /// Where there is no such option with these names.
    pub fn choice_or_mask<C: Choice>(&self, name: &str) -> Option<C> {
        match self.known(name) {
            (Opt { kind: Kind::Mask(names), .. }, value) if names == C::NAMES => match value {
                Value::Choice(chosen) => Some(variant(chosen)),
                _ => None,
            },
            (option, _) => self.wrong_kind(option, &format!("{} or a mask", one_of(C::NAMES))),
        }
    }

    fn wrong_kind(&self, option: Opt, kind: &str) -> ! {
        panic!("{} of {} is {}, not {kind}", option.name, self.spec.name, option.accepted())
    }
}

/// The variant of a checked name.
fn variant<C: Choice>(name: &str) -> C {
    C::named(name).expect("one of the names that were checked")
}
