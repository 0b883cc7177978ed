//! What can be chosen.

use super::wolfe::Wolfe;
use crate::error::{Error, Result};

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many past steps describe the curvature.
    pub history_size: usize,
    /// Converged when no gradient component is larger.
    pub tolerance_grad: f64,
    /// Converged when a step lowers the function by no more than this, relative to `|f|`.
    pub tolerance_change: f64,
    /// The line search.
    pub wolfe: Wolfe,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            history_size: 10,
            tolerance_grad: 1e-8,
            tolerance_change: 1e-14,
            wolfe: Wolfe { c1: 1e-4, c2: 0.9, max_probes: 25 },
        }
    }
}

impl Settings {
    /// Refuses what is out of range.
    pub fn check(&self) -> Result<()> {
        let Wolfe { c1, c2, max_probes } = self.wolfe;
        let refuse = |name, got: &dyn std::fmt::Display, expected| Err(Error::value(name, got, expected));
        if self.history_size == 0 {
            return refuse("history_size", &self.history_size, "at least 1");
        }
        for (name, tolerance) in [("tolerance_grad", self.tolerance_grad), ("tolerance_change", self.tolerance_change)]
        {
            if !(tolerance >= 0.0 && tolerance.is_finite()) {
                return refuse(name, &tolerance, "a number that is at least 0");
            }
        }
        if !(0.0 < c1 && c1 < 1.0) {
            return refuse("c1", &c1, "between 0 and 1");
        }
        if !(c1 < c2 && c2 < 1.0) {
            return refuse("c2", &c2, "between c1 and 1");
        }
        if max_probes == 0 {
            return refuse("max_line_search", &max_probes, "at least 1");
        }
        Ok(())
    }
}
