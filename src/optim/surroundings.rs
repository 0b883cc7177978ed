//! What surrounds any rule: clipping, weight decay, averages of gradients and of parameters.

use super::options::{Decay, DecayWhere, EmaStart, NonFinite, Options};
use super::scale::Scale;
use super::slot::Slot;
use crate::error::{Error, Result};

/// What surrounds the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surroundings {
    /// What multiplies the learning rate.
    pub lr_factor: f64,
    /// Strength of the pull of the parameters towards zero.
    pub weight_decay: f64,
    /// How it acts.
    pub decay: Decay,
    /// Whether only selected tensors decay.
    pub selective: bool,
    /// Whether the negative of the gradient is used.
    pub maximize: bool,
    /// Largest magnitude of an element of a gradient.
    pub clip_value: Option<f64>,
    /// Largest norm of one tensor's gradient.
    pub clip_tensor_norm: Option<f64>,
    /// Largest norm of all gradients.
    pub clip_norm: Option<f64>,
    /// Added to norms before dividing.
    pub clip_eps: f64,
    /// Gradients that are averaged for a step.
    pub accumulate: u64,
    /// Every how many steps slow parameters move, and how far.
    pub lookahead: Option<(u64, f64)>,
    /// The average of parameters that is kept.
    pub average: Option<Average>,
    /// What to do with NaN or infinity.
    pub nonfinite: NonFinite,
}

/// Averages of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Average {
    /// Exponential, with this decay rate.
    Exponential(EmaStart, f64),
    /// Plain, from this step on.
    Plain(u64),
}

impl Average {
    /// The first step that counts, where it was asked for after `since` steps.
    pub fn first_step(self, since: u64) -> u64 {
        match self {
            Average::Exponential(..) => since + 1,
            Average::Plain(start) => start.max(since + 1),
        }
    }

    /// What the parameters after step `t` count in it.
    pub fn share(self, t: u64, since: u64) -> f64 {
        let first = self.first_step(since);
        match self {
            Average::Exponential(EmaStart::First, _) if t == first => 1.0,
            Average::Exponential(_, rate) => 1.0 - rate,
            Average::Plain(_) if t >= first => 1.0 / (t - first + 1) as f64,
            Average::Plain(_) => 0.0,
        }
    }
}

/// The state arrays around the rule, in their order behind the rule's: Lookahead's slow parameters,
pub const SLOW: &str = "slow";
/// the average of the parameters,
pub const AVERAGE: &str = "average";
/// the sum of the gradients since the last step.
pub const GATHERED: &str = "gathered";

impl Surroundings {
    /// From checked options.
    pub fn new(options: &Options) -> Result<Self> {
        let ema = options.optional("ema").map(|rate| Average::Exponential(options.choice("ema_start"), rate));
        let swa = options.optional_count("swa_start").map(Average::Plain);
        if ema.is_some() && swa.is_some() {
            return Err(Error::value("swa_start", "both swa_start and ema", "None where ema is given"));
        }
        let lookahead_alpha = options.number("lookahead_alpha");
        Ok(Surroundings {
            lr_factor: options.number("lr_factor"),
            weight_decay: options.number("weight_decay"),
            decay: options.choice("decay"),
            selective: options.choice_or_mask("decay_where") != Some(DecayWhere::Everywhere),
            maximize: options.flag("maximize"),
            clip_value: options.optional("clip_value"),
            clip_tensor_norm: options.optional("clip_tensor_norm"),
            clip_norm: options.optional("clip_norm"),
            clip_eps: options.number("clip_eps"),
            accumulate: options.count("accumulate"),
            lookahead: options.optional_count("lookahead").map(|steps| (steps, lookahead_alpha)),
            average: ema.or(swa),
            nonfinite: options.choice("nonfinite"),
        })
    }

    /// The first of the options of the whole step in which they differ: its name, and both values.
    pub fn differs_in_whole_step(&self, other: &Self) -> Option<(&'static str, String, String)> {
        fn pair<V: PartialEq + std::fmt::Debug>(
            name: &'static str,
            a: V,
            b: V,
        ) -> Option<(&'static str, String, String)> {
            (a != b).then(|| (name, format!("{a:?}"), format!("{b:?}")))
        }
        pair("accumulate", self.accumulate, other.accumulate)
            .or_else(|| pair("clip_norm", self.clip_norm, other.clip_norm))
            .or_else(|| pair("clip_tensor_norm", self.clip_tensor_norm, other.clip_tensor_norm))
            .or_else(|| pair("clip_eps", self.clip_eps, other.clip_eps))
            .or_else(|| pair("nonfinite", self.nonfinite.name(), other.nonfinite.name()))
    }

    /// What multiplies a gradient of that norm so that it has at most the norm `max`.
    pub fn clip_factor(&self, max: f64, norm: f64) -> Scale {
        let norm = norm + self.clip_eps;
        if norm.is_finite() && norm > max { Scale::quotient(max, norm) } else { Scale::ONE }
    }

    /// The state arrays that they need.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let slow = self.lookahead.map(|_| Slot::params(SLOW));
        let average = self.average.map(|average| match average {
            Average::Exponential(EmaStart::Params, _) => Slot::params(AVERAGE),
            _ => Slot::zeros(AVERAGE),
        });
        let gathered = (self.accumulate > 1).then_some(Slot::zeros(GATHERED));
        [slow, average, gathered].into_iter().flatten()
    }
}
