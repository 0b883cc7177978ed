//! The minimisation, step by step.
//!
//! Reverse communication: the caller evaluates the function at [`Lbfgs::point`] and tells the result, until it stops. So the
//! same core serves a Python function, a network's full-batch loss and an estimator.

use super::history::{History, epsilon};
use super::settings::Settings;
use super::wolfe::{Probe, Search, Verdict};
use crate::buffer::{copied, filled};
use crate::error::Result;
use crate::reductions::{AllFinite, dot, largest};
use crate::scalar::Scalar;
use crate::simd::dispatch;

/// What errors call its memory.
const WHAT: &str = "the search by L-BFGS";

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

/// What a minimisation knows at an accepted point, to go on from there.
#[derive(Debug, Clone)]
pub struct State<T> {
    /// The point.
    pub x: Vec<T>,
    /// The function there.
    pub value: f64,
    /// Its gradient there.
    pub gradient: Vec<T>,
    /// The steps that describe the curvature, the oldest first.
    pub steps: Vec<Vec<T>>,
    /// The change of the gradient over each of them.
    pub changes: Vec<Vec<T>>,
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
    history: History<T>,
    stopped: Option<Reason>,
}

impl<T: Scalar> Lbfgs<T> {
    /// Starts at `x`.
    pub fn new(settings: Settings, x: Vec<T>) -> Result<Self> {
        settings.check()?;
        let zeros = || filled(T::ZERO, x.len(), WHAT);
        Ok(Lbfgs {
            settings,
            value: f64::NAN,
            gradient: zeros()?,
            direction: zeros()?,
            point: copied(&x, WHAT)?,
            step: 0.0,
            search: None,
            best_gradient: zeros()?,
            history: History::new(settings.history_size),
            stopped: None,
            x,
        })
    }

    /// Goes on from a point that was accepted, with what was known there.
    pub fn resume(settings: Settings, state: State<T>) -> Result<Self> {
        let mut run = Lbfgs::new(settings, state.x)?;
        run.value = state.value;
        run.gradient = state.gradient;
        run.history = History::restored(settings.history_size, state.steps.into_iter().zip(state.changes));
        run.aim();
        Ok(run)
    }

    /// What is known at [`Self::x`]; None before the start has been evaluated. A line search that is under way is not part of
    /// it: a run that resumes makes it again, to the same bits.
    pub fn state(&self) -> Result<Option<State<T>>> {
        if self.search.is_none() && self.stopped.is_none() {
            return Ok(None);
        }
        let copied = |from: &[T]| copied(from, WHAT);
        Ok(Some(State {
            x: copied(&self.x)?,
            value: self.value,
            gradient: copied(&self.gradient)?,
            steps: self.history.steps().map(copied).collect::<Result<_>>()?,
            changes: self.history.changes().map(copied).collect::<Result<_>>()?,
        }))
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
    pub fn tell(&mut self, value: f64, gradient: &[T]) -> Result<Progress> {
        assert_eq!(gradient.len(), self.x.len(), "one gradient component per parameter");
        self.history.make_room(gradient.len())?;
        Ok(self.told(value, gradient))
    }

    fn told(&mut self, value: f64, gradient: &[T]) -> Progress {
        if let Some(reason) = self.stopped {
            return Progress::Stopped(reason);
        }
        let Some(search) = self.search.as_mut() else { return self.start(value, gradient) };
        // A loss may be finite where a parameter is not.
        let sound = dispatch(AllFinite(gradient)) && dispatch(AllFinite(&self.point));
        let slope = if sound { dot(gradient, &self.direction) } else { f64::NAN };
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
                } else if self.history.is_empty() {
                    self.stop(Reason::NoDescent)
                } else {
                    self.history.clear();
                    self.aim();
                    Progress::Searching
                }
            }
        }
    }

    fn start(&mut self, value: f64, gradient: &[T]) -> Progress {
        self.value = value;
        self.gradient.copy_from_slice(gradient);
        if !value.is_finite() || !dispatch(AllFinite(gradient)) || !dispatch(AllFinite(&self.x)) {
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
        self.history.remember((&self.x, &self.gradient), (&self.point, gradient));
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

    /// Chooses the direction from `x`, and the first probe along it.
    fn aim(&mut self) {
        self.history.direct(&self.gradient, &mut self.direction);
        let mut slope = dot(&self.direction, &self.gradient);
        // Also false for NaN.
        let descends = slope < 0.0;
        if !descends && !self.history.is_empty() {
            self.history.clear();
            self.history.direct(&self.gradient, &mut self.direction);
            slope = dot(&self.direction, &self.gradient);
        }
        let mut first = if self.history.is_empty() { (1.0 / (-slope).sqrt()).min(1.0) } else { 1.0 };
        if slope.is_infinite() {
            // The squares overflow: the same direction, in another length.
            let length = T::from_f64(1.0 / largest(&self.direction));
            self.direction.iter_mut().for_each(|d| *d *= length);
            slope = dot(&self.direction, &self.gradient);
            first = 1.0;
        }
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
}
