//! A line search for the strong Wolfe conditions, on numbers alone: the caller owns the vectors.
//!
//! Nocedal and Wright, Numerical optimization (2006), algorithms 3.5 and 3.6, with one addition: a probe that is not finite
//! is a step that was too long, so the search turns back from it by bisection.

/// A point on the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Distance from the start, in units of the direction.
    pub step: f64,
    /// The function there.
    pub value: f64,
    /// Its derivative along the line.
    pub slope: f64,
}

impl Probe {
    fn finite(&self) -> bool {
        self.value.is_finite() && self.slope.is_finite()
    }
}

/// What to do after a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The probe fulfils both conditions.
    Accept,
    /// Probe this step next. `best`: the last probe is the best one so far.
    Try {
        /// The step.
        step: f64,
        /// Whether the caller should remember the last probe's gradient.
        best: bool,
    },
    /// No use in going on; [`Search::best`] is the best that was found, perhaps the start. `best` as in `Try`.
    GiveUp {
        /// Whether the last probe is that best one.
        best: bool,
    },
}

/// The two conditions, and how long to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wolfe {
    /// Sufficient decrease: `f(a) <= f(0) + c1 * a * f'(0)`.
    pub c1: f64,
    /// Curvature: `|f'(a)| <= c2 * |f'(0)|`.
    pub c2: f64,
    /// The most probes of one search.
    pub max_probes: usize,
}

/// One search under way.
#[derive(Debug, Clone)]
pub struct Search {
    wolfe: Wolfe,
    start: Probe,
    /// Differences of the function up to this are rounding.
    noise: f64,
    best: Probe,
    /// The other end of the interval that has an acceptable step in it, once there is one.
    far: Option<Probe>,
    probes: usize,
}

impl Search {
    /// Starts a search from the function's value and slope at step 0; the slope must be negative.
    pub fn new(wolfe: Wolfe, value: f64, slope: f64, noise: f64) -> Self {
        let start = Probe { step: 0.0, value, slope };
        Search { wolfe, start, noise, best: start, far: None, probes: 0 }
    }

    /// The best acceptable decrease so far; the start where there is none.
    pub fn best(&self) -> Probe {
        self.best
    }

    /// Takes in a probe.
    pub fn update(&mut self, probe: Probe) -> Verdict {
        self.probes += 1;
        let Wolfe { c1, c2, max_probes } = self.wolfe;
        let limit = self.start.value + c1 * probe.step * self.start.slope;
        let lower = probe.value <= limit && probe.value < self.best.value;
        let flat = probe.slope.abs() <= -c2 * self.start.slope;
        if probe.finite() && flat && (lower || probe.value <= limit + self.noise) {
            self.best = probe;
            return Verdict::Accept;
        }
        let best = probe.finite() && lower;
        if !best {
            self.far = Some(probe);
        } else {
            let towards = self.far.map_or(f64::INFINITY, |far| far.step) - probe.step;
            if probe.slope * towards >= 0.0 {
                self.far = Some(self.best);
            }
            self.best = probe;
        }
        let step = self.next();
        let width = (step - self.best.step).abs();
        if self.probes >= max_probes || !step.is_finite() || width <= f64::EPSILON * self.best.step.abs() {
            return Verdict::GiveUp { best };
        }
        Verdict::Try { step, best }
    }

    fn next(&self) -> f64 {
        let Some(far) = self.far else {
            // Still descending: the cubic through the start and here often knows how far to go.
            let guess = cubic_minimum(self.start, self.best);
            return guess.unwrap_or(f64::INFINITY).clamp(2.0 * self.best.step, 10.0 * self.best.step);
        };
        let (low, high) = (self.best.step.min(far.step), self.best.step.max(far.step));
        let middle = 0.5 * (low + high);
        if !far.finite() {
            return middle;
        }
        let margin = 0.1 * (high - low);
        cubic_minimum(self.best, far).map_or(middle, |guess| guess.clamp(low + margin, high - margin))
    }
}

/// Where the cubic with these two values and slopes has its minimum, if it has one.
fn cubic_minimum(a: Probe, b: Probe) -> Option<f64> {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step);
    let square = d1 * d1 - a.slope * b.slope;
    if square < 0.0 {
        return None;
    }
    let d2 = square.sqrt().copysign(b.step - a.step);
    let guess = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    guess.is_finite().then_some(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WOLFE: Wolfe = Wolfe { c1: 1e-4, c2: 0.1, max_probes: 40 };

    /// Runs a search and returns the accepted probe, if any, and the number of probes.
    fn search(f: impl Fn(f64) -> (f64, f64), first: f64) -> (Option<Probe>, usize) {
        let (value, slope) = f(0.0);
        let mut search = Search::new(WOLFE, value, slope, 0.0);
        let mut step = first;
        loop {
            let (value, slope) = f(step);
            match search.update(Probe { step, value, slope }) {
                Verdict::Accept => return (Some(search.best()), search.probes),
                Verdict::Try { step: next, .. } => step = next,
                Verdict::GiveUp { .. } => return (None, search.probes),
            }
        }
    }

    #[test]
    fn both_conditions_hold_from_any_first_step() {
        type Line = fn(f64) -> (f64, f64);
        let lines: [Line; 4] = [
            |a| ((a - 3.0).powi(2), 2.0 * (a - 3.0)),
            |a| (-a / (a * a + 2.0), (a * a - 2.0) / (a * a + 2.0).powi(2)),
            |a| ((a + 0.1).powi(5) - 2.0 * (a + 0.1).powi(4), 5.0 * (a + 0.1).powi(4) - 8.0 * (a + 0.1).powi(3)),
            |a| (a.cosh() - 2.0 * a, a.sinh() - 2.0),
        ];
        for (index, f) in lines.iter().enumerate() {
            for first in [1e-3, 1e-1, 1.0, 10.0, 1e3] {
                let (found, probes) = search(f, first);
                let found = found.unwrap_or_else(|| panic!("line {index} from {first}: nothing found"));
                let (value, slope) = f(0.0);
                assert!(found.value <= value + WOLFE.c1 * found.step * slope, "line {index} from {first}");
                assert!(found.slope.abs() <= -WOLFE.c2 * slope, "line {index} from {first}");
                assert!(probes <= 15, "line {index} from {first}: {probes} probes");
            }
        }
    }

    #[test]
    fn turns_back_from_values_that_are_not_finite() {
        // -log(1 - a) - 2a is NaN beyond 1, its minimum is at a half.
        let (found, _) = search(|a| (-(1.0 - a).ln() - 2.0 * a, 1.0 / (1.0 - a) - 2.0), 64.0);
        assert!((found.unwrap().step - 0.5).abs() < 0.1);
    }

    #[test]
    fn gives_up_on_a_line_without_minimum() {
        let (found, probes) = search(|a| (-a, -1.0), 1.0);
        assert_eq!((found, probes), (None, WOLFE.max_probes));
    }
}
