//! Limited-memory BFGS with a strong Wolfe line search.
//!
//! Reverse communication: the caller evaluates the function at [`Lbfgs::point`] and tells the result, until it stops. So the
//! same core serves a Python function, a network's full-batch loss and an estimator.
//!
//! Nocedal, Updating quasi-Newton matrices with limited storage (1980); Nocedal and Wright, Numerical optimization (2006),
//! algorithms 7.4 and 7.5.

use std::collections::VecDeque;

use super::wolfe::{Probe, Search, Verdict, Wolfe};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

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

/// Why it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The gradient is within its tolerance.
    Gradient,
    /// The last step changed the function by no more than the tolerance.
    Change,
    /// Not even along the negative gradient is there a lower point.
    NoDescent,
    /// The value or the gradient at the start is not finite.
    NonFinite,
}

/// What a told evaluation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The line search goes on, at the new [`Lbfgs::point`].
    Searching,
    /// A step was taken; [`Lbfgs::x`] is new, and so is [`Lbfgs::point`].
    Stepped,
    /// The end; [`Lbfgs::x`] is the result.
    Stopped(Reason),
}

/// One minimisation under way.
#[derive(Debug, Clone)]
pub struct Lbfgs<T> {
    settings: Settings,
    x: Vec<T>,
    value: f64,
    gradient: Vec<T>,
    direction: Vec<T>,
    point: Vec<T>,
    step: f64,
    /// None until the start has been evaluated.
    search: Option<Search>,
    /// The gradient at the best probe of this search.
    best_gradient: Vec<T>,
    pairs: VecDeque<Pair<T>>,
    stopped: Option<Reason>,
}

/// A past step and the change of the gradient over it.
#[derive(Debug, Clone)]
struct Pair<T> {
    s: Vec<T>,
    y: Vec<T>,
    /// `1 / (s . y)`.
    rho: f64,
}

impl<T: Scalar> Lbfgs<T> {
    /// Starts at `x`.
    pub fn new(settings: Settings, x: Vec<T>) -> Result<Self> {
        settings.check()?;
        let zeros = vec![T::ZERO; x.len()];
        Ok(Lbfgs {
            settings,
            value: f64::NAN,
            gradient: zeros.clone(),
            direction: zeros.clone(),
            point: x.clone(),
            step: 0.0,
            search: None,
            best_gradient: zeros,
            pairs: VecDeque::new(),
            stopped: None,
            x,
        })
    }

    /// Where the function is to be evaluated next.
    pub fn point(&self) -> &[T] {
        &self.point
    }

    /// The last accepted point: each is at least as good as the one before.
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// The function at [`Self::x`]; NaN before the start has been evaluated.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The gradient at [`Self::x`].
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }

    /// Takes in the function's value and gradient at [`Self::point`].
    ///
    /// # Panics
    /// Where the gradient is not as long as the point.
    pub fn tell(&mut self, value: f64, gradient: &[T]) -> Progress {
        assert_eq!(gradient.len(), self.x.len(), "one gradient component per parameter");
        if let Some(reason) = self.stopped {
            return Progress::Stopped(reason);
        }
        let Some(search) = self.search.as_mut() else { return self.start(value, gradient) };
        let slope = if gradient.iter().all(|g| g.is_finite()) { dot(gradient, &self.direction) } else { f64::NAN };
        match search.update(Probe { step: self.step, value, slope }) {
            Verdict::Accept => self.accept(value, gradient),
            Verdict::Try { step, best } => {
                if best {
                    self.best_gradient.copy_from_slice(gradient);
                }
                self.probe(step);
                Progress::Searching
            }
            Verdict::GiveUp { best } => {
                if best {
                    self.best_gradient.copy_from_slice(gradient);
                }
                let found = search.best();
                if found.step > 0.0 {
                    // Lower, though not as flat as wished.
                    self.probe(found.step);
                    let gradient = std::mem::take(&mut self.best_gradient);
                    let progress = self.accept(found.value, &gradient);
                    self.best_gradient = gradient;
                    progress
                } else if self.pairs.is_empty() {
                    self.stop(Reason::NoDescent)
                } else {
                    self.pairs.clear();
                    self.aim();
                    Progress::Searching
                }
            }
        }
    }

    fn start(&mut self, value: f64, gradient: &[T]) -> Progress {
        self.value = value;
        self.gradient.copy_from_slice(gradient);
        if !value.is_finite() || !gradient.iter().all(|g| g.is_finite()) {
            return self.stop(Reason::NonFinite);
        }
        if self.flat() {
            return self.stop(Reason::Gradient);
        }
        self.aim();
        Progress::Searching
    }

    fn stop(&mut self, reason: Reason) -> Progress {
        self.stopped = Some(reason);
        self.point.copy_from_slice(&self.x);
        Progress::Stopped(reason)
    }

    fn flat(&self) -> bool {
        self.gradient.iter().all(|g| g.to_f64().abs() <= self.settings.tolerance_grad)
    }

    /// Moves to the present probe.
    fn accept(&mut self, value: f64, gradient: &[T]) -> Progress {
        self.remember(gradient);
        let decrease = self.value - value;
        let scale = self.value.abs().max(value.abs());
        self.value = value;
        self.gradient.copy_from_slice(gradient);
        std::mem::swap(&mut self.x, &mut self.point);
        if self.flat() {
            return self.stop(Reason::Gradient);
        }
        if decrease <= self.settings.tolerance_change * scale {
            return self.stop(Reason::Change);
        }
        self.aim();
        Progress::Stepped
    }

    /// Keeps the step from `x` to `point` as a pair, unless it says nothing about positive curvature.
    fn remember(&mut self, gradient: &[T]) {
        let full = self.pairs.len() == self.settings.history_size;
        let recycled = if full { self.pairs.pop_front() } else { None };
        let mut pair = recycled.unwrap_or_else(|| Pair {
            s: vec![T::ZERO; self.x.len()],
            y: vec![T::ZERO; self.x.len()],
            rho: 0.0,
        });
        for (i, (s, y)) in pair.s.iter_mut().zip(&mut pair.y).enumerate() {
            *s = self.point[i] - self.x[i];
            *y = gradient[i] - self.gradient[i];
        }
        let curvature = dot(&pair.s, &pair.y);
        if curvature > epsilon::<T>() * dot(&pair.y, &pair.y) && curvature.is_finite() {
            pair.rho = 1.0 / curvature;
            self.pairs.push_back(pair);
        }
    }

    /// Chooses the direction from `x`, and the first probe along it.
    fn aim(&mut self) {
        self.two_loops();
        let mut slope = dot(&self.direction, &self.gradient);
        // Also false for NaN.
        let descends = slope < 0.0;
        if !descends && !self.pairs.is_empty() {
            self.pairs.clear();
            self.two_loops();
            slope = dot(&self.direction, &self.gradient);
        }
        let first = if self.pairs.is_empty() { (1.0 / (-slope).sqrt()).min(1.0) } else { 1.0 };
        let noise = 4.0 * epsilon::<T>() * self.value.abs();
        self.search = Some(Search::new(self.settings.wolfe, self.value, slope, noise));
        self.probe(first);
    }

    fn probe(&mut self, step: f64) {
        self.step = step;
        let step = T::from_f64(step);
        for (point, (&x, &d)) in self.point.iter_mut().zip(self.x.iter().zip(&self.direction)) {
            *point = x + step * d;
        }
    }

    /// direction = -H * gradient, with H the inverse curvature that the pairs describe.
    fn two_loops(&mut self) {
        let direction = &mut self.direction;
        for (d, &g) in direction.iter_mut().zip(&self.gradient) {
            *d = -g;
        }
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = pair.rho * dot(&pair.s, direction);
            add_scaled(direction, -alpha, &pair.y);
            alphas.push(alpha);
        }
        if let Some(last) = self.pairs.back() {
            let gamma = T::from_f64(1.0 / (last.rho * dot(&last.y, &last.y)));
            direction.iter_mut().for_each(|d| *d *= gamma);
        }
        for (pair, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = pair.rho * dot(&pair.y, direction);
            add_scaled(direction, alpha - beta, &pair.s);
        }
    }
}

/// The distance from 1 to the next number of the type.
fn epsilon<T: Scalar>() -> f64 {
    if size_of::<T>() == size_of::<f32>() { f32::EPSILON.into() } else { f64::EPSILON }
}

/// In double precision, in a fixed order that vectorises.
fn dot<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks(LANES), b.chunks(LANES));
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a.to_f64() * b.to_f64();
        }
    }
    sums.iter().sum()
}

fn add_scaled<T: Scalar>(to: &mut [T], factor: f64, from: &[T]) {
    let factor = T::from_f64(factor);
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += factor * from);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minimises and returns the solver, the reason and the number of evaluations.
    fn run<T: Scalar>(
        settings: Settings,
        start: &[f64],
        f: impl Fn(&[f64]) -> (f64, Vec<f64>),
    ) -> (Lbfgs<T>, Reason, usize) {
        let mut solver = Lbfgs::new(settings, start.iter().map(|&x| T::from_f64(x)).collect()).unwrap();
        for evaluations in 1..10_000 {
            let point: Vec<f64> = solver.point().iter().map(|x| x.to_f64()).collect();
            let (value, gradient) = f(&point);
            let gradient: Vec<T> = gradient.into_iter().map(T::from_f64).collect();
            let before = solver.value();
            match solver.tell(T::from_f64(value).to_f64(), &gradient) {
                Progress::Stopped(reason) => return (solver, reason, evaluations),
                Progress::Stepped => assert!(solver.value() <= before + 1e-5 * before.abs(), "each step descends"),
                Progress::Searching => {}
            }
        }
        panic!("no end");
    }

    fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; x.len()];
        let mut value = 0.0;
        for i in 0..x.len() - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            value += a * a + 100.0 * b * b;
            gradient[i] -= 2.0 * a + 400.0 * b * x[i];
            gradient[i + 1] += 200.0 * b;
        }
        (value, gradient)
    }

    #[test]
    fn rosenbrock_in_2_and_100_dimensions() {
        // L-BFGS-B in SciPy 1.17 takes 46 and 623 evaluations.
        for (n, most) in [(2, 60), (100, 700)] {
            let start: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
            let (solver, reason, evaluations) = run::<f64>(Settings::default(), &start, rosenbrock);
            assert_eq!(reason, Reason::Gradient, "{n} dimensions");
            assert!(evaluations < most, "{n} dimensions: {evaluations} evaluations");
            if n == 2 {
                assert!(solver.x().iter().all(|x| (x - 1.0).abs() < 1e-8), "{:?}", solver.x());
            }
        }
    }

    #[test]
    fn single_precision_stops_at_its_own_limit() {
        let (solver, reason, evaluations) = run::<f32>(Settings::default(), &[-1.2, 1.0], rosenbrock);
        assert!(solver.x().iter().all(|x| (x - 1.0).abs() < 1e-3), "{:?}", solver.x());
        assert!(matches!(reason, Reason::Change | Reason::Gradient | Reason::NoDescent));
        assert!(evaluations < 120, "{evaluations} evaluations");
    }

    #[test]
    fn an_ill_conditioned_quadratic() {
        let curvature = |i: usize| 10f64.powi(i as i32 - 3);
        let (solver, _, evaluations) = run::<f64>(Settings::default(), &[3.0; 7], |x| {
            let gradient: Vec<f64> = x.iter().enumerate().map(|(i, x)| curvature(i) * (x - 1.0)).collect();
            (x.iter().zip(&gradient).map(|(x, g)| 0.5 * (x - 1.0) * g).sum(), gradient)
        });
        assert!(solver.gradient().iter().all(|g| g.abs() <= 1e-8));
        // L-BFGS-B in SciPy 1.17 takes 89.
        assert!(evaluations < 110, "{evaluations} evaluations");
    }

    #[test]
    fn recovers_from_values_and_gradients_that_are_not_finite() {
        // Undefined for x <= 0, where the first steps lead; minimum at 1e-3.
        let (solver, reason, _) = run::<f64>(Settings::default(), &[5.0, 40.0], |x| {
            let value = x.iter().map(|x| x - 1e-3 * x.ln()).sum();
            (value, x.iter().map(|x| if *x > 0.0 { 1.0 - 1e-3 / x } else { f64::INFINITY }).collect())
        });
        assert!(matches!(reason, Reason::Gradient | Reason::Change), "{reason:?}");
        assert!(solver.x().iter().all(|x| (x - 1e-3).abs() < 1e-8), "{:?}", solver.x());
    }

    #[test]
    fn a_start_that_is_not_finite_is_reported() {
        let (solver, reason, evaluations) = run::<f64>(Settings::default(), &[2.0], |_| (f64::NAN, vec![1.0]));
        assert_eq!((reason, evaluations, solver.x()), (Reason::NonFinite, 1, &[2.0][..]));
    }

    #[test]
    fn a_start_at_the_minimum_is_the_answer() {
        let (solver, reason, evaluations) = run::<f64>(Settings::default(), &[1.0, 1.0], rosenbrock);
        assert_eq!((reason, evaluations, solver.x()), (Reason::Gradient, 1, &[1.0, 1.0][..]));
        let (_, reason, _) = run::<f64>(Settings::default(), &[], |_| (0.0, vec![]));
        assert_eq!(reason, Reason::Gradient);
    }

    #[test]
    fn a_gradient_that_points_uphill_ends_the_search() {
        let (solver, reason, _) = run::<f64>(Settings::default(), &[1.0], |x| (x[0] * x[0], vec![-2.0 * x[0]]));
        assert_eq!((reason, solver.x()), (Reason::NoDescent, &[1.0][..]));
    }

    #[test]
    fn settings_are_checked() {
        let fault = |settings| match Lbfgs::<f64>::new(settings, vec![0.0]) {
            Err(Error::Value(fault)) => fault.argument,
            other => panic!("{other:?}"),
        };
        let good = Settings::default();
        assert_eq!(fault(Settings { history_size: 0, ..good }), "history_size");
        assert_eq!(fault(Settings { tolerance_grad: -1.0, ..good }), "tolerance_grad");
        assert_eq!(fault(Settings { tolerance_change: f64::NAN, ..good }), "tolerance_change");
        assert_eq!(fault(Settings { wolfe: Wolfe { c1: 0.0, ..good.wolfe }, ..good }), "c1");
        assert_eq!(fault(Settings { wolfe: Wolfe { c2: 1e-5, ..good.wolfe }, ..good }), "c2");
        assert_eq!(fault(Settings { wolfe: Wolfe { max_probes: 0, ..good.wolfe }, ..good }), "max_line_search");
    }
}
