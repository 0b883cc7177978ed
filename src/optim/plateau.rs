//! A learning rate that falls where results no longer improve: the one schedule that remembers.

use super::options::{DECAY_RATE, NON_NEGATIVE};
use crate::error::{Error, Result};

/// Falls by a factor once more than `patience` results in a row have brought no improvement.
#[derive(Debug, Clone)]
pub struct Plateau {
    /// How it decides.
    pub settings: Settings,
    lr: f64,
    best: f64,
    bad: f64,
    resting: f64,
}

/// How a plateau decides.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The learning rate at the start.
    pub lr: f64,
    /// What each fall multiplies by.
    pub factor: f64,
    /// Results without improvement that are borne.
    pub patience: f64,
    /// The least improvement that counts.
    pub threshold: f64,
    /// Whether that is a share of the best result.
    pub relative: bool,
    /// Whether larger results are better.
    pub maximize: bool,
    /// Results after a fall that are not judged.
    pub cooldown: f64,
    /// The smallest learning rate.
    pub min_lr: f64,
}

/// How many numbers it remembers.
pub const REMEMBERED: usize = 4;

impl Plateau {
    /// At the start.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { lr, factor, patience, threshold, cooldown, min_lr, .. } = settings;
        for (name, value, range) in [
            ("lr", lr, NON_NEGATIVE),
            ("factor", factor, DECAY_RATE),
            ("patience", patience, NON_NEGATIVE),
            ("threshold", threshold, NON_NEGATIVE),
            ("cooldown", cooldown, NON_NEGATIVE),
            ("min_lr", min_lr, NON_NEGATIVE),
        ] {
            if !range.contains(value) {
                return Err(Error::value(name, value, format!("a finite number {range}")));
            }
        }
        let mut plateau = Plateau { settings, lr, best: f64::INFINITY, bad: 0.0, resting: 0.0 };
        plateau.forget();
        Ok(plateau)
    }

    /// At the start again.
    pub fn forget(&mut self) {
        let best = if self.settings.maximize { f64::NEG_INFINITY } else { f64::INFINITY };
        [self.lr, self.best, self.bad, self.resting] = [self.settings.lr, best, 0.0, 0.0];
    }

    /// The present learning rate.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Takes the newest result into account. NaN is no improvement.
    pub fn tell(&mut self, result: f64) {
        let Settings { factor, patience, cooldown, min_lr, .. } = self.settings;
        if self.improves(result) {
            (self.best, self.bad) = (result, 0.0);
        } else {
            self.bad += 1.0;
        }
        if self.resting > 0.0 {
            (self.resting, self.bad) = (self.resting - 1.0, 0.0);
        }
        if self.bad > patience {
            self.lr = self.lr.min((self.lr * factor).max(min_lr));
            (self.resting, self.bad) = (cooldown, 0.0);
        }
    }

    fn improves(&self, result: f64) -> bool {
        let Settings { threshold, relative, maximize, .. } = self.settings;
        if !self.best.is_finite() {
            return result.is_finite();
        }
        // A share of the size of the best result: of a negative one, too, it asks for more than equal.
        let (sign, margin) =
            (if maximize { 1.0 } else { -1.0 }, threshold * if relative { self.best.abs() } else { 1.0 });
        sign * result > sign * (self.best + sign * margin)
    }

    /// What it remembers, as numbers.
    pub fn memory(&self) -> [f64; REMEMBERED] {
        [self.lr, self.best, self.bad, self.resting]
    }

    /// Continues from there; false where these are no numbers of a plateau.
    pub fn set_memory(&mut self, memory: [f64; REMEMBERED]) -> bool {
        let [lr, best, bad, resting] = memory;
        let known = !best.is_nan() && [lr, bad, resting].iter().all(|x| NON_NEGATIVE.contains(*x));
        if known {
            [self.lr, self.best, self.bad, self.resting] = memory;
        }
        known
    }
}
