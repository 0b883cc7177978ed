//! Learning rates as closed-form functions of the step.
//!
//! A step is counted from 0: `value(0.0)` is the learning rate of the first update. Nothing is remembered between calls.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::options::{NON_NEGATIVE, POSITIVE, Range};
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
    /// A function from outside.
    Custom(Custom),
}

/// A family of schedules.
#[derive(Debug)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Its numbers: name and range. The first is always `lr`.
    pub fields: &'static [(&'static str, Range)],
    value: fn(&[f64], f64) -> f64,
}

/// A learning rate that is computed outside, such as by a Python callable.
#[derive(Clone)]
pub struct Custom(pub Arc<dyn Function>);

/// See [`Custom`]. Who has made one can know it again: it is `Any`.
pub trait Function: Any + Send + Sync {
    /// The learning rate of the step that comes after `step` others.
    fn value(&self, step: f64) -> Result<f64>;
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom")
    }
}

const FRACTION: Range = Range { low: 0.0, high: 1.0, low_open: true, high_open: false };
const COUNT: Range = Range { low: 1.0, high: f64::INFINITY, low_open: false, high_open: true };
const LR: (&str, Range) = ("lr", NON_NEGATIVE);

/// Every family.
pub static FORMS: &[Form] = &[
    Form { name: "constant", fields: &[LR], value: |v, _| v[0] },
    Form {
        name: "step",
        fields: &[LR, ("step_size", COUNT), ("factor", NON_NEGATIVE)],
        value: |v, t| v[0] * v[2].powf((t / v[1]).floor()),
    },
    Form {
        name: "exponential",
        fields: &[LR, ("rate", FRACTION), ("decay_steps", POSITIVE)],
        value: |v, t| v[0] * v[1].powf(t / v[2]),
    },
    Form {
        name: "inverse_time",
        fields: &[LR, ("rate", NON_NEGATIVE), ("decay_steps", POSITIVE)],
        value: |v, t| v[0] / (1.0 + v[1] * t / v[2]),
    },
    Form {
        name: "linear",
        fields: &[LR, ("total_steps", COUNT), ("final", NON_NEGATIVE)],
        value: |v, t| v[0] + (v[2] - v[0]) * (t / v[1]).min(1.0),
    },
    Form {
        name: "cosine",
        fields: &[LR, ("total_steps", COUNT), ("final", NON_NEGATIVE)],
        value: |v, t| v[2] + (v[0] - v[2]) * 0.5 * (1.0 + (std::f64::consts::PI * (t / v[1]).min(1.0)).cos()),
    },
];

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
        if values.len() != form.fields.len() {
            return Err(Error::value(
                name,
                format!("{} numbers", values.len()),
                format!("{} numbers", form.fields.len()),
            ));
        }
        for (&(field, range), &value) in form.fields.iter().zip(values) {
            if !range.contains(value) {
                return Err(Error::value(field, value, format!("a finite number {range}")));
            }
        }
        Ok(Schedule::Form(form, values.to_vec()))
    }

    /// A warm-up before another schedule.
    pub fn warmup(steps: f64, start: f64, then: Schedule) -> Result<Self> {
        for (field, value) in [("warmup_steps", steps), ("warmup_start", start)] {
            if !NON_NEGATIVE.contains(value) {
                return Err(Error::value(field, value, format!("a finite number {NON_NEGATIVE}")));
            }
        }
        Ok(if steps == 0.0 { then } else { Schedule::Warmup { steps, start, then: Box::new(then) } })
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
            Schedule::Custom(function) => {
                let lr = function.0.value(step)?;
                if NON_NEGATIVE.contains(lr) {
                    Ok(lr)
                } else {
                    Err(Error::value(
                        "lr",
                        format!("{lr} from the schedule"),
                        format!("a finite number {NON_NEGATIVE}"),
                    ))
                }
            }
        }
    }
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
    }

    #[test]
    fn a_warmup_is_a_line_that_ends_where_the_schedule_begins() {
        let then = Schedule::form("linear", &[1.0, 10.0, 0.0]).unwrap();
        let schedule = Schedule::warmup(4.0, 0.5, then).unwrap();
        let values: Vec<_> = [0.0, 2.0, 4.0, 9.0].iter().map(|&t| schedule.value(t).unwrap()).collect();
        assert_eq!(values, [0.5, 0.75, 1.0, 0.5]);
    }

    #[test]
    fn bad_numbers_are_named() {
        let message = Schedule::form("cosine", &[0.1, 0.0, 0.0]).unwrap_err().to_string();
        assert_eq!(message, "total_steps must be a finite number >= 1, got 0");
        assert!(Schedule::form("nope", &[]).is_err());
        assert!(Schedule::form("constant", &[]).is_err());
    }
}
