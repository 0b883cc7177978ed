//! What a recipe holds: everything about an optimizer but the parameters.

use super::options::{Convention, Options, Spec, Value};
use super::rule::{AnyRule, Now, build, spec};
use super::schedule::Schedule;
use super::step::{GroupStep, Places};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A rule with its options and its learning rate.
#[derive(Debug, Clone)]
pub struct Config {
    options: Options,
    rule: AnyRule,
    around: Around,
    schedule: Schedule,
}

/// What surrounds the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Around {
    weight_decay: f64,
    decay: Decay,
    maximize: bool,
    /// Largest global norm of the gradients.
    pub clip_norm: Option<f64>,
    /// Added to the norm before dividing.
    pub clip_eps: f64,
    /// What to do with NaN or infinity.
    pub nonfinite: NonFinite,
}

/// The kinds of weight decay.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Decay {
    Coupled,
    Decoupled,
    Independent,
}

/// What to do with a gradient that has NaN or infinity in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NonFinite {
    /// Refuse the step.
    Raise,
    /// Leave the step out and count it.
    Skip,
    /// Do not look.
    Ignore,
}

impl Around {
    fn new(options: &Options) -> Self {
        Around {
            weight_decay: options.number("weight_decay"),
            decay: match options.choice("decay") {
                "decoupled" => Decay::Decoupled,
                "independent" => Decay::Independent,
                _ => Decay::Coupled,
            },
            maximize: options.flag("maximize"),
            clip_norm: options.optional("clip_norm"),
            clip_eps: options.number("clip_eps"),
            nonfinite: match options.choice("nonfinite") {
                "skip" => NonFinite::Skip,
                "ignore" => NonFinite::Ignore,
                _ => NonFinite::Raise,
            },
        }
    }
}

impl Config {
    /// The optimizer class of that name ("Adam", "adam") with a convention's defaults.
    pub fn new(name: &str, convention: Convention) -> Result<Self> {
        let spec = spec(name).ok_or_else(|| {
            let names: Vec<_> = super::rule::SPECS.iter().map(|spec| spec.name.to_lowercase()).collect();
            Error::value("optimizer", format!("{name:?}"), format!("one of: {}", names.join(", ")))
        })?;
        let options = Options::new(spec, convention);
        let schedule = Schedule::constant(spec.lr[convention as usize])?;
        Ok(Config { rule: build(&options), around: Around::new(&options), options, schedule })
    }

    /// Changes one option; the learning rate is not one of them.
    pub fn set(&mut self, name: &str, value: Value) -> Result<()> {
        self.options.set(name, value)?;
        self.rule = build(&self.options);
        self.around = Around::new(&self.options);
        Ok(())
    }

    /// The same with one option changed.
    pub fn with(mut self, name: &str, value: Value) -> Result<Self> {
        self.set(name, value)?;
        Ok(self)
    }

    /// The same with another learning rate.
    pub fn with_lr(mut self, lr: f64) -> Result<Self> {
        self.schedule = Schedule::constant(lr)?;
        Ok(self)
    }

    /// The same with a schedule.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The class.
    pub fn spec(&self) -> &'static Spec {
        self.options.spec()
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Its learning rate.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Its rule.
    pub fn rule(&self) -> &AnyRule {
        &self.rule
    }

    /// What surrounds the rule.
    pub fn around(&self) -> &Around {
        &self.around
    }

    /// Fixes the scalars of step `t` where the gradients are to be multiplied by `clip`.
    pub(super) fn begin<T: Scalar>(&self, t: u64, lr: f64, clip: f64, places: Places) -> GroupStep<T> {
        let Around { weight_decay, decay, maximize, .. } = self.around;
        let of = T::from_f64;
        let (coupled, shrink) = match decay {
            Decay::Coupled => (weight_decay, 0.0),
            Decay::Decoupled => (0.0, lr * weight_decay),
            Decay::Independent => (0.0, weight_decay),
        };
        GroupStep {
            lr,
            scale: of(if maximize { -clip } else { clip }),
            coupled: of(coupled),
            shrink: of(shrink),
            rule: self.rule.begin(Now { t, lr }),
            places,
        }
    }
}
