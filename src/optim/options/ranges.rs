//! Which numbers an option accepts.

use std::fmt;

/// The real numbers from `low` to `high`; both finite ends belong to it unless marked open. NaN and infinities never do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the lower end is excluded.
    pub low_open: bool,
    /// Whether the upper end is excluded.
    pub high_open: bool,
}

/// At least 0.
pub const NON_NEGATIVE: Range = Range { low: 0.0, high: f64::INFINITY, low_open: false, high_open: true };
/// More than 0.
pub const POSITIVE: Range = Range { low: 0.0, high: f64::INFINITY, low_open: true, high_open: true };
/// From 0 up to but not including 1.
pub const DECAY_RATE: Range = Range { low: 0.0, high: 1.0, low_open: false, high_open: true };
/// Between 0 and 1, both excluded.
pub const INSIDE_UNIT: Range = Range { low: 0.0, high: 1.0, low_open: true, high_open: true };
/// More than 1.
pub const ABOVE_ONE: Range = Range { low: 1.0, high: f64::INFINITY, low_open: true, high_open: true };
/// From 1 on.
pub const COUNT: Range = Range { low: 1.0, high: f64::INFINITY, low_open: false, high_open: true };
/// From 0 to 1.
pub const UNIT: Range = Range { low: 0.0, high: 1.0, low_open: false, high_open: false };

impl Range {
    /// Whether the number belongs to it.
    pub fn contains(&self, x: f64) -> bool {
        let above = if self.low_open { x > self.low } else { x >= self.low };
        let below = if self.high_open { x < self.high } else { x <= self.high };
        x.is_finite() && above && below
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { low, high, .. } = self;
        match (low.is_finite(), high.is_finite()) {
            (true, false) => write!(f, "{} {low}", if self.low_open { ">" } else { ">=" }),
            (true, true) => {
                let (open, close) = (if self.low_open { '(' } else { '[' }, if self.high_open { ')' } else { ']' });
                write!(f, "in {open}{low}, {high}{close}")
            }
            _ => write!(f, "of any size"),
        }
    }
}

/// Which pairs of numbers an option accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Where the first is.
    pub first: Range,
    /// Where the second is.
    pub second: Range,
    /// Whether the second is no less than the first.
    pub rises: bool,
}

impl Pair {
    /// Whether the numbers are one of these pairs.
    pub fn contains(&self, a: f64, b: f64) -> bool {
        self.first.contains(a) && self.second.contains(b) && !(self.rises && a > b)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.second != self.first {
            write!(f, " and {}", self.second)?;
        }
        if self.rises { write!(f, ", the second no less than the first") } else { Ok(()) }
    }
}
