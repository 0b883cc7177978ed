//! What other things than learning rates follow: closed forms of the step that stay below a known number.

use super::schedule::Schedule;
use crate::error::{Error, Result};

/// A schedule whose value is known for every step, and nowhere larger than its peak.
#[derive(Debug, Clone)]
pub struct Curve {
    schedule: Schedule,
    peak: f64,
}

impl Curve {
    /// Refuses functions, what depends on results, and what grows without end; `argument` is what is to follow it.
    pub fn new(argument: &str, schedule: Schedule) -> Result<Self> {
        match peak(&schedule) {
            Ok(peak) => Ok(Curve { schedule, peak }),
            Err(what) => {
                let expected = "a number, or a schedule of closed form whose factors are at most 1";
                Err(Error::value(argument, what, expected))
            }
        }
    }

    /// The number that no value exceeds.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// As it was made.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The same, of so many steps where it has no length of its own.
    pub fn with_length(self, total: f64) -> Result<Self> {
        Ok(Curve { schedule: self.schedule.with_length(total)?, ..self })
    }

    /// The value of the step that comes after `step` others.
    pub fn value(&self, step: f64) -> f64 {
        self.schedule.value(step).expect("a closed form").min(self.peak)
    }
}

/// The largest of the values that a schedule moves between; else what stands in the way of there being one.
fn peak(schedule: &Schedule) -> std::result::Result<f64, String> {
    match schedule {
        Schedule::Form(form, values) => {
            let mut peak = 0f64;
            for ((name, _), &value) in form.fields.iter().zip(values) {
                match *name {
                    "lr" | "low" | "start" | "final" => peak = peak.max(value),
                    "factor" if value > 1.0 => return Err(format!("{} with factor={value}", form.name)),
                    _ => (),
                }
            }
            Ok(peak)
        }
        Schedule::Warmup { start, then, .. } => Ok(start.max(peak(then)?)),
        Schedule::Join { parts, .. } => parts.iter().try_fold(0f64, |most, part| Ok(most.max(peak(part)?))),
        Schedule::Plateau(_) => Err("plateau".to_owned()),
        Schedule::Custom(_) => Err("a function".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, values: &[f64]) -> Schedule {
        Schedule::form(name, values).unwrap()
    }

    #[test]
    fn no_value_is_larger_than_the_peak() {
        let schedules = [
            form("constant", &[0.3]),
            form("linear", &[0.1, 20.0, 0.4]),
            form("polynomial", &[0.1, 20.0, 0.4, 2.0]),
            form("one_cycle", &[0.3, 20.0, 0.4, 0.5, 0.01]),
            form("cyclic", &[0.2, 0.3, 3.0, 4.0, 0.9, 1.0]),
            form("cosine_restarts", &[0.2, 5.0, 2.0, 0.3, 1.0]),
            form("coslog", &[0.2, 20.0, 4.0]),
            form("flat_cos", &[0.15, 20.0, 0.5, 0.0]),
            form("inverse_time", &[0.2, 1.0, 3.0]),
            Schedule::warmup(4.0, 0.6, form("cosine", &[0.2, 9.0, 0.0])).unwrap(),
            Schedule::join(vec![form("constant", &[0.1]), form("constant", &[0.7])], vec![5.0]).unwrap(),
        ];
        for schedule in schedules {
            let values: Vec<_> = (0..40).map(|step| schedule.value(step as f64).unwrap()).collect();
            let curve = Curve::new("dropout", schedule).unwrap();
            let most = values.iter().copied().fold(0.0, f64::max);
            assert!(most <= curve.peak() + 1e-15 && most > 0.8 * curve.peak(), "{curve:?}: {most}");
            for (step, value) in values.into_iter().enumerate() {
                assert!((curve.value(step as f64) - value).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn what_has_no_peak_is_refused() {
        for schedule in [form("step", &[0.1, 5.0, 2.0]), form("multistep", &[0.1, 1.5, 3.0])] {
            let message = Curve::new("dropout", schedule).unwrap_err().to_string();
            assert!(message.starts_with("dropout must be a number, or a schedule of closed form"), "{message}");
        }
    }
}
