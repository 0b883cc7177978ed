//! Learning rates as closed-form functions of the step.
//!
//! A step is counted from 0: `value(0.0)` is the learning rate of the first update. Nothing is remembered between calls,
//! except by [`Plateau`].

use std::any::Any;
use std::fmt;

use super::cycle::cycle;
use super::options::{COUNT, DECAY_RATE, INSIDE_UNIT, NON_NEGATIVE, POSITIVE, Range, UNIT};
use super::plateau::{Plateau, REMEMBERED};
use crate::error::{Error, Result};

/// A learning rate for every step.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// One of [`FORMS`] with its numbers.
    Form(&'static Form, Vec<f64>),
    /// A straight line from `start` at step 0 to where `then` begins, at step `steps`.
    Warmup {
        /// Length of the line.
        steps: f64,
        /// Learning rate of step 0.
        start: f64,
        /// What follows, its own steps counted from there.
        then: Box<Schedule>,
    },
    /// One schedule after the other, each with steps of its own.
    Join {
        /// The schedules, one more than boundaries.
        parts: Vec<Schedule>,
        /// The steps at which all but the first begin.
        boundaries: Vec<f64>,
    },
    /// A learning rate that depends on results.
    Plateau(Plateau),
    /// A function from outside.
    Custom(Custom),
}

/// A family of schedules.
#[derive(Debug)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Its numbers: name and range.
    pub fields: &'static [(&'static str, Range)],
    /// The name of the list of steps that follows them, where it has one.
    pub steps: Option<&'static str>,
    value: fn(&[f64], f64) -> f64,
}

/// A learning rate that is computed outside, such as by a Python callable.
pub struct Custom(pub Box<dyn Function>);

/// See [`Custom`]. Who has made one can know it again: it is `Any`.
pub trait Function: Any + Send + Sync {
    /// The learning rate of the step that comes after `step` others.
    fn value(&self, step: f64) -> Result<f64>;

    /// The same function, with a reference of its own to whatever it calls: a garbage collector counts each.
    fn copied(&self) -> Box<dyn Function>;
}

impl Clone for Custom {
    fn clone(&self) -> Self {
        Custom(self.0.copied())
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

/// How deep schedules may be nested: they are walked by functions that call themselves.
const MAX_DEPTH: usize = 100;

const FRACTION: Range = Range { low: 0.0, high: 1.0, low_open: true, high_open: false };
/// Each is twice as long as the one before.
const CYCLES: Range = Range { low: 1.0, high: 50.0, low_open: false, high_open: false };
const LR: (&str, Range) = ("lr", NON_NEGATIVE);
const FACTOR: (&str, Range) = ("factor", NON_NEGATIVE);
const TOTAL: (&str, Range) = ("total_steps", COUNT);
const FINAL: (&str, Range) = ("final", NON_NEGATIVE);

/// `total_steps` of a schedule that takes its length from the training it is used in.
pub const OPEN: f64 = f64::INFINITY;

/// Every family.
pub static FORMS: &[Form] = &[
    form("constant", &[LR], |v, _| v[0]),
    form("step", &[LR, ("step_size", COUNT), FACTOR], |v, t| v[0] * v[2].powf((t / v[1]).floor())),
    Form {
        steps: Some("milestones"),
        ..form("multistep", &[LR, FACTOR], |v, t| {
            let passed = v[2..].iter().filter(|milestone| **milestone <= t).count();
            v[0] * v[1].powi(passed as i32)
        })
    },
    form("exponential", &[LR, ("rate", FRACTION), ("decay_steps", POSITIVE)], |v, t| v[0] * v[1].powf(t / v[2])),
    form("inverse_time", &[LR, ("rate", NON_NEGATIVE), ("decay_steps", POSITIVE)], |v, t| {
        v[0] / (1.0 + v[1] * t / v[2])
    }),
    form("linear", &[LR, TOTAL, FINAL], |v, t| v[0] + (v[2] - v[0]) * (t / v[1]).min(1.0)),
    form("polynomial", &[LR, TOTAL, FINAL, ("power", NON_NEGATIVE)], |v, t| {
        v[2] + (v[0] - v[2]) * (1.0 - (t / v[1]).min(1.0)).powf(v[3])
    }),
    form("cosine", &[LR, TOTAL, FINAL], |v, t| half_cosine(v[0], v[2], t / v[1])),
    form("cosine_restarts", &[LR, ("period", COUNT), ("stretch", COUNT), FINAL, ("peak_factor", UNIT)], |v, t| {
        let (cycle, share) = cycle(t, v[1], v[2]);
        half_cosine(v[3] + (v[0] - v[3]) * v[4].powf(cycle), v[3], share)
    }),
    form("one_cycle", &[LR, TOTAL, ("rise", INSIDE_UNIT), ("start", NON_NEGATIVE), FINAL], |v, t| {
        let top = v[1] * v[2];
        if t < top { half_cosine(v[3], v[0], t / top) } else { half_cosine(v[0], v[4], (t - top) / (v[1] - top)) }
    }),
    form("coslog", &[LR, TOTAL, ("cycles", CYCLES)], |v, t| {
        let cycles = (1.0 + (v[2].exp2() - 1.0) * (t / v[1]).min(1.0)).log2();
        v[0] * 0.5 * (1.0 - (std::f64::consts::TAU * cycles).cos())
    }),
    form("flat_cos", &[LR, TOTAL, ("flat", DECAY_RATE), FINAL], |v, t| {
        half_cosine(v[0], v[3], ((t / v[1] - v[2]) / (1.0 - v[2])).max(0.0))
    }),
    form(
        "cyclic",
        &[LR, ("low", NON_NEGATIVE), ("rise_steps", POSITIVE), ("fall_steps", POSITIVE), FACTOR, ("rate", FRACTION)],
        |v, t| {
            let (cycle, share) = cycle(t, v[2] + v[3], 1.0);
            let (place, top) = (share * (v[2] + v[3]), v[2]);
            let height = if place <= top { place / top } else { 1.0 - (place - top) / v[3] };
            v[1] + (v[0] - v[1]) * height * v[4].powf(cycle) * v[5].powf(t)
        },
    ),
];

impl Form {
    /// The place of the number of all steps, where it has one.
    pub fn total(&self) -> Option<usize> {
        self.fields.iter().position(|(name, _)| *name == TOTAL.0)
    }
}

const fn form(name: &'static str, fields: &'static [(&'static str, Range)], value: fn(&[f64], f64) -> f64) -> Form {
    Form { name, fields, steps: None, value }
}

/// From `start` to `end` along half a cosine; `share` of the way.
fn half_cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) * 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos())
}

impl Schedule {
    /// The same learning rate at every step.
    pub fn constant(lr: f64) -> Result<Self> {
        Self::form("constant", &[lr])
    }

    /// One of [`FORMS`].
    pub fn form(name: &str, values: &[f64]) -> Result<Self> {
        let form = FORMS.iter().find(|form| form.name == name).ok_or_else(|| {
            let names: Vec<_> = FORMS.iter().map(|form| form.name).collect();
            Error::value("schedule", format!("{name:?}"), super::options::one_of(&names))
        })?;
        if values.len() < form.fields.len() || (values.len() > form.fields.len() && form.steps.is_none()) {
            let expected = format!("{} numbers", form.fields.len());
            return Err(Error::value(name, format!("{} numbers", values.len()), expected));
        }
        let steps = form.steps.map(|steps| (steps, NON_NEGATIVE));
        for (field, &value) in form.fields.iter().copied().chain(steps.into_iter().cycle()).zip(values) {
            if field.0 != TOTAL.0 || value != OPEN {
                check(field, value)?;
            }
        }
        Ok(Schedule::Form(form, values.to_vec()))
    }

    /// A warm-up before another schedule.
    pub fn warmup(steps: f64, start: f64, then: Schedule) -> Result<Self> {
        check(("warmup_steps", NON_NEGATIVE), steps)?;
        check(("warmup_start", NON_NEGATIVE), start)?;
        then.expect_within_depth("schedule")?;
        // A function alone would be no schedule that can be written down.
        let is_needless = steps == 0.0 && !matches!(then, Schedule::Custom(_));
        Ok(if is_needless { then } else { Schedule::Warmup { steps, start, then: Box::new(then) } })
    }

    /// One schedule after the other; each but the first begins at its boundary, its own steps counted from there.
    pub fn join(parts: Vec<Schedule>, boundaries: Vec<f64>) -> Result<Self> {
        if parts.is_empty() {
            return Err(Error::value("schedules", "none", "at least one"));
        }
        if boundaries.len() + 1 != parts.len() {
            let expected = format!("one fewer than schedules, {}", parts.len() - 1);
            return Err(Error::value("boundaries", format!("{} of them", boundaries.len()), expected));
        }
        boundaries.iter().try_for_each(|&boundary| check(("boundaries", NON_NEGATIVE), boundary))?;
        if !boundaries.is_sorted() {
            return Err(Error::value("boundaries", format!("{boundaries:?}"), "in rising order"));
        }
        parts.iter().try_for_each(|part| part.expect_within_depth("schedules"))?;
        Ok(Schedule::Join { parts, boundaries })
    }

    /// Whether it takes its length from the training it is used in.
    pub fn is_open(&self) -> bool {
        match self {
            Schedule::Form(form, values) => form.total().is_some_and(|place| values[place] == OPEN),
            Schedule::Warmup { then, .. } => then.is_open(),
            Schedule::Join { parts, .. } => parts.iter().any(Schedule::is_open),
            Schedule::Plateau(_) | Schedule::Custom(_) => false,
        }
    }

    /// Refuses one whose length nobody has said.
    pub fn expect_length(&self) -> Result<()> {
        match self.is_open() {
            true => Err(Error::value(
                "total_steps",
                "None",
                "the number of steps, but in MLP.fit on arrays, minimize and the estimators, which know how many they take",
            )),
            false => Ok(()),
        }
    }

    /// The same, of so many steps where it has no length of its own.
    pub fn with_length(mut self, total: f64) -> Result<Self> {
        match &mut self {
            Schedule::Form(form, values) => {
                if let Some(place) = form.total().filter(|&place| values[place] == OPEN) {
                    check(TOTAL, total)?;
                    values[place] = total;
                }
            }
            Schedule::Warmup { steps, then, .. } if then.is_open() => {
                if total - *steps < 1.0 {
                    let expected = format!("fewer than the {total} steps of the training");
                    return Err(Error::value("warmup_steps", steps.to_string(), expected));
                }
                **then = then.as_ref().clone().with_length(total - *steps)?;
            }
            Schedule::Join { parts, boundaries } => {
                let before = boundaries.last().copied().unwrap_or(0.0);
                let last = parts.len() - 1;
                if parts[..last].iter().any(Schedule::is_open) {
                    return Err(Error::value("schedules", "one without total_steps", "such a one at the end only"));
                }
                if parts[last].is_open() && total - before < 1.0 {
                    let expected = format!("before the end of the training's {total} steps");
                    return Err(Error::value("boundaries", before.to_string(), expected));
                }
                parts[last] = parts[last].clone().with_length(total - before)?;
            }
            Schedule::Warmup { .. } | Schedule::Plateau(_) | Schedule::Custom(_) => {}
        }
        Ok(self)
    }

    /// Refuses what is as deep as schedules may be, where it is to become a part of another one.
    fn expect_within_depth(&self, argument: &str) -> Result<()> {
        match self.depth() {
            depth if depth < MAX_DEPTH => Ok(()),
            depth => Err(Error::value(argument, format!("{} levels", depth + 1), format!("at most {MAX_DEPTH} deep"))),
        }
    }

    /// The number of schedules within each other, itself counted.
    fn depth(&self) -> usize {
        match self {
            Schedule::Warmup { then, .. } => 1 + then.depth(),
            Schedule::Join { parts, .. } => 1 + parts.iter().map(Schedule::depth).max().unwrap_or(0),
            Schedule::Form(..) | Schedule::Plateau(_) | Schedule::Custom(_) => 1,
        }
    }

    /// Calls `visit` for each function from outside that is part of it.
    pub fn for_each_function(&self, visit: &mut dyn FnMut(&dyn Function)) {
        match self {
            Schedule::Custom(Custom(function)) => visit(&**function),
            Schedule::Warmup { then, .. } => then.for_each_function(visit),
            Schedule::Join { parts, .. } => parts.iter().for_each(|part| part.for_each_function(visit)),
            Schedule::Form(..) | Schedule::Plateau(_) => (),
        }
    }

    /// Whether it may call a function from outside.
    #[inline]
    pub fn calls_outside(&self) -> bool {
        match self {
            Schedule::Form(..) | Schedule::Plateau(_) => false,
            Schedule::Custom(_) => true,
            Schedule::Warmup { then, .. } => then.calls_outside(),
            Schedule::Join { parts, .. } => parts.iter().any(Schedule::calls_outside),
        }
    }

    /// Takes the newest result, that of so many steps, into account, where that matters: by the part that the last of them followed.
    pub fn tell(&mut self, steps: f64, result: f64) {
        match self {
            Schedule::Plateau(plateau) => plateau.tell(result),
            Schedule::Warmup { steps: before, then, .. } if steps > *before => then.tell(steps - *before, result),
            Schedule::Join { parts, boundaries } => {
                let (part, start) = part_of(boundaries, steps - 1.0);
                parts[part].tell(steps - start, result);
            }
            Schedule::Warmup { .. } | Schedule::Form(..) | Schedule::Custom(_) => (),
        }
    }

    /// Begins anew, as if it had been told nothing.
    pub fn forget(&mut self) {
        self.for_each_plateau(&mut Plateau::forget);
    }

    /// What it remembers from results, as numbers; none for closed forms.
    pub fn memory(&self) -> Vec<f64> {
        match self {
            Schedule::Plateau(plateau) => plateau.memory().to_vec(),
            Schedule::Warmup { then, .. } => then.memory(),
            Schedule::Join { parts, .. } => parts.iter().flat_map(Schedule::memory).collect(),
            Schedule::Form(..) | Schedule::Custom(_) => vec![],
        }
    }

    /// Continues from what it has remembered, where that are as many numbers; false where they cannot be that.
    pub fn set_memory(&mut self, memory: &[f64]) -> bool {
        let ((mut parts, _), mut known) = (memory.as_chunks::<REMEMBERED>(), true);
        self.for_each_plateau(&mut |plateau| {
            if let Some((first, rest)) = parts.split_first() {
                known &= plateau.set_memory(*first);
                parts = rest;
            }
        });
        known
    }

    fn for_each_plateau(&mut self, visit: &mut dyn FnMut(&mut Plateau)) {
        match self {
            Schedule::Plateau(plateau) => visit(plateau),
            Schedule::Warmup { then, .. } => then.for_each_plateau(visit),
            Schedule::Join { parts, .. } => parts.iter_mut().for_each(|part| part.for_each_plateau(visit)),
            Schedule::Form(..) | Schedule::Custom(_) => (),
        }
    }

    /// The learning rate, where it is the same at every step.
    pub fn as_constant(&self) -> Option<f64> {
        match self {
            Schedule::Form(form, values) if form.name == "constant" => Some(values[0]),
            _ => None,
        }
    }

    /// The learning rate of the step that comes after `step` others.
    pub fn value(&self, step: f64) -> Result<f64> {
        match self {
            Schedule::Form(form, values) => Ok((form.value)(values, step)),
            Schedule::Warmup { steps, then, .. } if step >= *steps => then.value(step - steps),
            Schedule::Warmup { steps, start, then } => Ok(start + (then.value(0.0)? - start) * (step / steps)),
            Schedule::Join { parts, boundaries } => {
                let (part, start) = part_of(boundaries, step);
                parts[part].value(step - start)
            }
            Schedule::Plateau(plateau) => Ok(plateau.lr()),
            Schedule::Custom(function) => {
                let lr = function.0.value(step)?;
                if NON_NEGATIVE.contains(lr) {
                    return Ok(lr);
                }
                let got = format!("{lr} from the schedule");
                Err(Error::value("lr", got, format!("a finite number {NON_NEGATIVE}")))
            }
        }
    }
}

/// Which of the joined schedules a step follows, and where that one begins.
fn part_of(boundaries: &[f64], step: f64) -> (usize, f64) {
    let passed = boundaries.iter().take_while(|boundary| **boundary <= step).count();
    (passed, passed.checked_sub(1).map_or(0.0, |last| boundaries[last]))
}

fn check((name, range): (&'static str, Range), value: f64) -> Result<()> {
    if range.contains(value) {
        return Ok(());
    }
    Err(Error::value(name, value, format!("a finite number {range}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, values: &[f64], step: f64) -> f64 {
        Schedule::form(name, values).unwrap().value(step).unwrap()
    }

    #[test]
    fn forms_follow_their_formulas() {
        assert_eq!(at("constant", &[0.1], 1e6), 0.1);
        assert_eq!(at("step", &[0.1, 10.0, 0.5], 9.0), 0.1);
        assert_eq!(at("step", &[0.1, 10.0, 0.5], 20.0), 0.025);
        assert_eq!(at("exponential", &[0.1, 0.25, 2.0], 1.0), 0.05);
        assert_eq!(at("inverse_time", &[0.1, 0.5, 1.0], 2.0), 0.05);
        assert_eq!(at("linear", &[1.0, 4.0, 0.5], 1.0), 0.875);
        assert_eq!(at("linear", &[1.0, 4.0, 0.5], 9.0), 0.5);
        assert!((at("cosine", &[1.0, 4.0, 0.0], 2.0) - 0.5).abs() < 1e-15);
        assert_eq!(at("cosine", &[1.0, 4.0, 0.25], 4.0), 0.25);
        for (step, lr) in [(0.0, 0.0), (1.0, 0.0), (3.0, 0.0), (7.0, 0.0), (15.0, 0.0), (99.0, 0.0)] {
            assert!((at("coslog", &[1.0, 15.0, 4.0], step) - lr).abs() < 1e-15);
        }
        assert!((at("coslog", &[1.0, 15.0, 4.0], 2f64.powf(2.5) - 1.0) - 1.0).abs() < 1e-15);
        let flat: Vec<_> = [0.0, 4.0, 6.0, 8.0, 9.0].map(|step| at("flat_cos", &[1.0, 8.0, 0.5, 0.25], step)).into();
        assert_eq!(flat, [1.0, 1.0, 0.625, 0.25, 0.25]);
    }

    #[test]
    fn a_warmup_is_a_line_that_ends_where_the_schedule_begins() {
        let then = Schedule::form("linear", &[1.0, 10.0, 0.0]).unwrap();
        let schedule = Schedule::warmup(4.0, 0.5, then).unwrap();
        let values: Vec<_> = [0.0, 2.0, 4.0, 9.0].iter().map(|&t| schedule.value(t).unwrap()).collect();
        assert_eq!(values, [0.5, 0.75, 1.0, 0.5]);
    }

    #[test]
    fn what_a_plateau_remembers_is_kept_wherever_it_stands() {
        let settings = crate::optim::plateau::Settings {
            lr: 1.0,
            factor: 0.5,
            patience: 0.0,
            threshold: 0.0,
            relative: false,
            maximize: false,
            cooldown: 0.0,
            min_lr: 0.0,
        };
        let plateau = || Schedule::Plateau(Plateau::new(settings).unwrap());
        let make = || {
            let parts = vec![plateau(), Schedule::warmup(2.0, 0.0, plateau()).unwrap()];
            Schedule::join(parts, vec![5.0]).unwrap()
        };
        let (mut told, mut other) = (make(), make());
        // The first part lasts five steps, the warm-up of the second one two.
        for (result, steps) in [3.0, 4.0, 2.0, 2.0, 1.0, 9.0, 9.0, 3.0, 4.0].into_iter().zip(1..) {
            told.tell(f64::from(steps), result);
        }
        assert_eq!((told.value(4.0).unwrap(), told.value(7.0).unwrap()), (0.25, 0.5));
        assert!(other.set_memory(&told.memory()) && !other.set_memory(&[f64::NAN; 8]));
        assert_eq!(other.memory(), told.memory());
        assert_eq!(other.value(6.0).unwrap(), 0.25);
        assert!(Schedule::constant(1.0).unwrap().memory().is_empty());
    }

    #[test]
    fn bad_numbers_are_named() {
        let message = Schedule::form("cosine", &[0.1, 0.0, 0.0]).unwrap_err().to_string();
        assert_eq!(message, "total_steps must be a finite number >= 1, got 0");
        assert!(Schedule::form("nope", &[]).is_err());
        assert!(Schedule::form("constant", &[]).is_err());
    }
}
