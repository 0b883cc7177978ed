//! What a recipe holds: everything about an optimizer but the parameters.

use super::curve::Curve;
use super::group_step::{AfterRule, GroupStep};
use super::options::{Convention, Decay, Options, Spec, Value};
use super::registry::{AnyRule, SPECS, spec};
use super::rule::StepContext;
use super::rules::moments::Share;
use super::scale::Scale;
use super::schedule::Schedule;
use super::slot::{Slot, SlotMap};
use super::surroundings::Surroundings;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// The option that may follow a schedule besides the learning rate.
pub const WEIGHT_DECAY: &str = "weight_decay";

/// A rule with its options and its learning rate.
#[derive(Debug, Clone)]
pub struct Config {
    options: Options,
    rule: AnyRule,
    surroundings: Surroundings,
    schedule: Schedule,
    /// What the weight decay follows, in place of staying at the number that the options have: that is then its peak.
    decay_curve: Option<Curve>,
    /// Both before they were given a length, where they had none.
    open: Open,
}

/// Schedules without a length of their own.
#[derive(Debug, Clone, Default)]
struct Open {
    lr: Option<Schedule>,
    decay: Option<Curve>,
}

impl Config {
    /// The optimizer class of that name ("Adam", "adam") with a convention's defaults.
    pub fn new(name: &str, convention: Convention) -> Result<Self> {
        let spec = spec(name).ok_or_else(|| {
            let names: Vec<_> = SPECS.iter().map(|spec| spec.name.to_lowercase()).collect();
            Error::value("optimizer", format!("{name:?}"), format!("one of: {}", names.join(", ")))
        })?;
        let options = Options::new(spec, convention);
        let schedule = Schedule::constant(spec.lr[convention as usize])?;
        let (rule, surroundings) = (AnyRule::new(&options), Surroundings::new(&options)?);
        Ok(Config { rule, surroundings, options, schedule, decay_curve: None, open: Open::default() })
    }

    /// Changes one option; the learning rate is not one of them.
    pub fn set(&mut self, name: &str, value: Value) -> Result<()> {
        let mut options = self.options.clone();
        options.set(name, value)?;
        self.surroundings = Surroundings::new(&options)?;
        self.rule = AnyRule::new(&options);
        self.options = options;
        if name == WEIGHT_DECAY {
            (self.decay_curve, self.open.decay) = (None, None);
        }
        Ok(())
    }

    /// The same with weight decay that follows a schedule.
    pub fn with_decay_curve(mut self, curve: Curve) -> Result<Self> {
        self.set(WEIGHT_DECAY, Value::Number(curve.peak()))?;
        self.decay_curve = Some(curve);
        Ok(self)
    }

    /// The schedule of its weight decay, if it follows one.
    pub fn decay_curve(&self) -> Option<&Curve> {
        self.decay_curve.as_ref()
    }

    /// The weight decay of the step that comes after `steps` others.
    pub fn weight_decay(&self, steps: u64) -> f64 {
        self.decay_curve.as_ref().map_or(self.surroundings.weight_decay, |curve| curve.value(steps as f64))
    }

    /// The same, of so many steps where schedules have no length of their own.
    pub fn with_length(mut self, total: f64) -> Result<Self> {
        if self.schedule.is_open() {
            self.open.lr = Some(self.schedule.clone());
        }
        if self.decay_curve.as_ref().is_some_and(|curve| curve.schedule().is_open()) {
            self.open.decay = self.decay_curve.clone();
        }
        self.schedule = self.schedule.with_length(total)?;
        self.decay_curve = self.decay_curve.map(|curve| curve.with_length(total)).transpose()?;
        Ok(self)
    }

    /// The same, with a schedule of an option as it was before it was given its length.
    pub fn with_open(mut self, name: &str, schedule: Schedule) -> Result<Self> {
        match name {
            WEIGHT_DECAY => self.open.decay = Some(Curve::new(name, schedule)?),
            "lr" => self.open.lr = Some(schedule),
            _ => return Err(Error::value("an open schedule", format!("{name:?}"), "that of lr or weight_decay")),
        }
        Ok(self)
    }

    /// Schedules that were given a length, and had none: which option each is, and without it.
    pub fn open(&self) -> impl Iterator<Item = (&'static str, &Schedule)> {
        let decay = self.open.decay.as_ref().map(|curve| (WEIGHT_DECAY, curve.schedule()));
        self.open.lr.as_ref().map(|schedule| ("lr", schedule)).into_iter().chain(decay)
    }

    /// The same for another training: of no length where it had none, and without memory of results.
    pub fn afresh(mut self) -> Self {
        let Open { lr, decay } = std::mem::take(&mut self.open);
        self.schedule = lr.unwrap_or(self.schedule);
        self.schedule.forget();
        self.decay_curve = decay.or(self.decay_curve);
        self
    }

    /// Refuses schedules whose length nobody has said.
    pub fn expect_length(&self) -> Result<()> {
        self.schedule.expect_length()?;
        self.decay_curve.as_ref().map_or(Ok(()), |curve| curve.schedule().expect_length())
    }

    /// The same with one option changed.
    pub fn with(mut self, name: &str, value: Value) -> Result<Self> {
        self.set(name, value)?;
        Ok(self)
    }

    /// The same with another learning rate.
    pub fn with_lr(self, lr: f64) -> Result<Self> {
        Ok(self.with_schedule(Schedule::constant(lr)?))
    }

    /// The same with a schedule.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        (self.schedule, self.open.lr) = (schedule, None);
        self
    }

    /// Refuses a kind of weight decay that has no effect, as the rule has its own.
    pub fn expect_decay_in_use(&self) -> Result<()> {
        let (is, own) = (self.surroundings.decay, self.spec().decay[self.options.convention() as usize]);
        if is == own || !self.rule.decays_itself() {
            return Ok(());
        }
        let expected =
            format!("{:?} with decay_in_update=True, as weight decay is part of the update then", own.name());
        Err(Error::value("decay", format!("{:?}", is.name()), expected))
    }

    /// The class.
    pub fn spec(&self) -> &'static Spec {
        self.options.spec()
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Its learning rate, before `lr_factor`.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Its learning rate, to be told results.
    pub fn schedule_mut(&mut self) -> &mut Schedule {
        &mut self.schedule
    }

    /// The learning rate of the step that comes after `steps` others.
    pub fn lr(&self, steps: u64) -> Result<f64> {
        Ok(self.schedule.value(steps as f64)? * self.surroundings.lr_factor)
    }

    /// Whether the learning rate is 0 at every step: what it is for then stays as it is, bit for bit.
    ///
    /// A schedule that passes through 0 is not that: its steps decay, and fill averages.
    pub fn is_frozen(&self) -> bool {
        self.surroundings.lr_factor == 0.0 || self.schedule.as_constant() == Some(0.0)
    }

    /// Its rule.
    pub fn rule(&self) -> &AnyRule {
        &self.rule
    }

    /// What surrounds the rule.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The state arrays of the rule, then those of what surrounds it.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = self.rule.slots();
        slots.extend(self.surroundings.slots());
        slots
    }

    /// Fixes the scalars of a step where the gradients are to be multiplied by `clip`, with that weight decay.
    pub(super) fn begin<T: Scalar>(
        &self,
        context: StepContext,
        (clip, weight_decay): (Scale, f64),
        memory: &mut [f64],
        slots: SlotMap,
        starting: u32,
    ) -> GroupStep<T> {
        let StepContext { lr, .. } = context;
        let Surroundings { decay, lookahead, average, .. } = self.surroundings;
        let place_of_average = slots.of_rule + usize::from(lookahead.is_some());
        let of = T::from_f64;
        let (own, coupled, shrink) = match decay {
            _ if self.rule.decays_itself() => (weight_decay, 0.0, 0.0),
            Decay::Coupled => (0.0, weight_decay, 0.0),
            Decay::Decoupled => (0.0, 0.0, lr * weight_decay),
            Decay::Independent => (0.0, 0.0, weight_decay),
        };
        GroupStep {
            lr,
            frozen: self.is_frozen(),
            scale: if self.surroundings.maximize { -clip } else { clip },
            limit: self.surroundings.clip_value.map_or(T::INFINITY, of),
            own_decay: of(own),
            coupled: of(coupled),
            shrink: of(shrink),
            selective: self.surroundings.selective,
            rule: self.rule.begin(context, memory),
            sum_scope: self.rule.sum_scope(),
            slots,
            starting,
            after: AfterRule {
                lookahead: lookahead.map(|(every, alpha)| {
                    context.of_slot(slots.of_rule).t.is_multiple_of(every).then_some(Share::new(alpha))
                }),
                average: average.map(|average| Share::new(average.share(context.t, context.since[place_of_average]))),
                gathers: self.surroundings.accumulate > 1,
            },
            grown: None,
        }
    }
}
