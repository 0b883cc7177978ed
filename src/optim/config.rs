//! What a recipe holds: everything about an optimizer but the parameters.

use super::options::{Convention, Options, Spec, Value};
use super::rule::{AnyRule, Initial, Now, Slot, build, spec};
use super::schedule::Schedule;
use super::step::{After, GroupStep, Places};
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
    selective: bool,
    maximize: bool,
    clip_value: Option<f64>,
    /// Largest norm of one tensor's gradient.
    pub clip_tensor_norm: Option<f64>,
    /// Largest norm of all gradients.
    pub clip_norm: Option<f64>,
    /// Added to norms before dividing.
    pub clip_eps: f64,
    /// Gradients that are averaged for a step.
    pub accumulate: u64,
    lookahead: Option<(u64, f64)>,
    /// The average of parameters that is kept.
    pub average: Option<Average>,
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

/// Averages of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Average {
    /// Exponential, with this decay rate, from the parameters before the first step.
    FromParams(f64),
    /// Exponential, from the parameters after the first step.
    FromFirst(f64),
    /// Exponential, from zero; to be divided by `1 - rate^t`.
    FromZero(f64),
    /// Plain, from this step on.
    Plain(u64),
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
    fn new(options: &Options) -> Result<Self> {
        let ema = options.optional("ema").map(|rate| match options.choice("ema_start") {
            "first" => Average::FromFirst(rate),
            "zero" => Average::FromZero(rate),
            _ => Average::FromParams(rate),
        });
        let swa = options.optional("swa_start").map(|start| Average::Plain(start as u64));
        if ema.is_some() && swa.is_some() {
            return Err(Error::value("swa_start", "both swa_start and ema", "None where ema is given"));
        }
        Ok(Around {
            weight_decay: options.number("weight_decay"),
            decay: match options.choice("decay") {
                "decoupled" => Decay::Decoupled,
                "independent" => Decay::Independent,
                _ => Decay::Coupled,
            },
            selective: options.choice("decay_where") != "everywhere",
            maximize: options.flag("maximize"),
            clip_value: options.optional("clip_value"),
            clip_tensor_norm: options.optional("clip_tensor_norm"),
            clip_norm: options.optional("clip_norm"),
            clip_eps: options.number("clip_eps"),
            accumulate: options.number("accumulate") as u64,
            lookahead: options.optional("lookahead").map(|k| (k as u64, options.number("lookahead_alpha"))),
            average: ema.or(swa),
            nonfinite: match options.choice("nonfinite") {
                "skip" => NonFinite::Skip,
                "ignore" => NonFinite::Ignore,
                _ => NonFinite::Raise,
            },
        })
    }

    /// What multiplies a gradient of that norm so that it has at most the norm `max`.
    pub fn clip_factor(&self, max: f64, norm: f64) -> f64 {
        let norm = norm + self.clip_eps;
        if norm.is_finite() && norm > max { max / norm } else { 1.0 }
    }
}

/// The state arrays around the rule, in their order behind the rule's.
pub const SLOW: &str = "slow";
/// The average of the parameters.
pub const AVERAGE: &str = "average";
/// The sum of the gradients since the last step.
pub const GATHERED: &str = "gathered";

impl Config {
    /// The optimizer class of that name ("Adam", "adam") with a convention's defaults.
    pub fn new(name: &str, convention: Convention) -> Result<Self> {
        let spec = spec(name).ok_or_else(|| {
            let names: Vec<_> = super::rule::SPECS.iter().map(|spec| spec.name.to_lowercase()).collect();
            Error::value("optimizer", format!("{name:?}"), format!("one of: {}", names.join(", ")))
        })?;
        let options = Options::new(spec, convention);
        let schedule = Schedule::constant(spec.lr[convention as usize])?;
        Ok(Config { rule: build(&options), around: Around::new(&options)?, options, schedule })
    }

    /// Changes one option; the learning rate is not one of them.
    pub fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let mut options = self.options.clone();
        options.set(name, value)?;
        self.around = Around::new(&options)?;
        self.rule = build(&options);
        self.options = options;
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

    /// Its learning rate, to be told results.
    pub fn schedule_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// Its rule.
    pub fn rule(&self) -> &AnyRule {
        &self.rule
    }

    /// What surrounds the rule.
    pub fn around(&self) -> &Around {
        &self.around
    }

    /// The state arrays of the rule, then those of what surrounds it.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = self.rule.slots();
        if self.around.lookahead.is_some() {
            slots.push(Slot::params(SLOW));
        }
        if let Some(average) = self.around.average {
            let from_params = matches!(average, Average::FromParams(_));
            let initial = if from_params { Initial::Params } else { Initial::Value(0.0) };
            slots.push(Slot { name: AVERAGE, initial });
        }
        if self.around.accumulate > 1 {
            slots.push(Slot::zeros(GATHERED));
        }
        slots
    }

    /// Fixes the scalars of step `t` where the gradients are to be multiplied by `clip`.
    pub(super) fn begin<T: Scalar>(&self, now: Now, clip: f64, memory: &mut [f64], places: Places) -> GroupStep<T> {
        let Now { t, lr } = now;
        let Around { weight_decay, decay, maximize, .. } = self.around;
        let of = T::from_f64;
        let (own, coupled, shrink) = match decay {
            _ if self.rule.decays_itself() => (weight_decay, 0.0, 0.0),
            Decay::Coupled => (0.0, weight_decay, 0.0),
            Decay::Decoupled => (0.0, 0.0, lr * weight_decay),
            Decay::Independent => (0.0, 0.0, weight_decay),
        };
        let average_share = |average| match average {
            Average::FromFirst(_) if t == 1 => 1.0,
            Average::FromParams(rate) | Average::FromFirst(rate) | Average::FromZero(rate) => 1.0 - rate,
            Average::Plain(start) if t >= start => 1.0 / (t - start.max(1) + 1) as f64,
            Average::Plain(_) => 0.0,
        };
        GroupStep {
            lr,
            scale: of(if maximize { -clip } else { clip }),
            limit: self.around.clip_value.map_or(T::INFINITY, of),
            own_decay: of(own),
            coupled: of(coupled),
            shrink: of(shrink),
            selective: self.around.selective,
            rule: self.rule.begin(now, memory),
            sums: self.rule.sums(),
            places,
            after: After {
                lookahead: self.around.lookahead.map(|(every, alpha)| (t % every == 0).then_some(of(alpha))),
                average: self.around.average.map(|average| of(average_share(average))),
                gathers: self.around.accumulate > 1,
            },
        }
    }
}
