//! What the last steps say about the curvature.

use std::collections::VecDeque;

use crate::buffer::filled;
use crate::error::Result;
use crate::reductions::dot;
use crate::scalar::Scalar;

/// The last steps, each with the change of the gradient over it.
#[derive(Debug, Clone)]
pub(super) struct History<T> {
    pairs: VecDeque<Pair<T>>,
    /// The most pairs.
    size: usize,
    /// Memory for the next one.
    spare: Option<Pair<T>>,
}

/// A past step and the change of the gradient over it.
#[derive(Debug, Clone)]
struct Pair<T> {
    step: Vec<T>,
    change: Vec<T>,
    /// `1 / (step . change)`.
    rho: f64,
}

impl<T: Scalar> History<T> {
    /// Of at most so many steps; none yet.
    pub fn new(size: usize) -> Self {
        History { pairs: VecDeque::new(), size, spare: None }
    }

    /// Sees to it that a step of that length can be remembered.
    pub fn make_room(&mut self, len: usize) -> Result<()> {
        if self.spare.is_none() {
            let zeros = || filled(T::ZERO, len, "a step that L-BFGS remembers");
            self.spare = Some(Pair { step: zeros()?, change: zeros()?, rho: 0.0 });
        }
        Ok(())
    }

    /// With these steps and changes of the gradient, the oldest first: what [`History::steps`] and [`History::changes`] gave.
    pub fn restored(size: usize, pairs: impl Iterator<Item = (Vec<T>, Vec<T>)>) -> Self {
        let mut history = History::new(size);
        for (step, change) in pairs {
            let rho = 1.0 / dot(&step, &change);
            history.pairs.push_back(Pair { step, change, rho });
        }
        while history.pairs.len() > size {
            history.pairs.pop_front();
        }
        history
    }

    /// The steps, the oldest first.
    pub fn steps(&self) -> impl Iterator<Item = &[T]> {
        self.pairs.iter().map(|pair| &*pair.step)
    }

    /// The change of the gradient over each of them.
    pub fn changes(&self) -> impl Iterator<Item = &[T]> {
        self.pairs.iter().map(|pair| &*pair.change)
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Keeps the step from one point to another, each given with its gradient, unless it says nothing about positive curvature.
    pub fn remember(&mut self, (from, gradient_from): (&[T], &[T]), (to, gradient_to): (&[T], &[T])) {
        let Some(mut pair) = self.spare.take() else { return };
        subtract(to, from, &mut pair.step);
        subtract(gradient_to, gradient_from, &mut pair.change);
        let curvature = dot(&pair.step, &pair.change);
        // The cosine of the angle between the two, which does not depend on the unit of the function.
        let lengths = dot(&pair.step, &pair.step).sqrt() * dot(&pair.change, &pair.change).sqrt();
        if !(curvature > epsilon::<T>() * lengths && curvature.is_finite()) {
            self.spare = Some(pair);
            return;
        }
        pair.rho = 1.0 / curvature;
        self.pairs.push_back(pair);
        if self.pairs.len() > self.size {
            self.spare = self.pairs.pop_front();
        }
    }

    /// `direction = -H * gradient`, with H the inverse curvature that the pairs describe: the two loops of algorithm 7.4.
    pub fn direct(&self, gradient: &[T], direction: &mut [T]) {
        for (d, &g) in direction.iter_mut().zip(gradient) {
            *d = -g;
        }
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = pair.rho * dot(&pair.step, direction);
            add_scaled(direction, -alpha, &pair.change);
            alphas.push(alpha);
        }
        if let Some(last) = self.pairs.back() {
            let gamma = T::from_f64(1.0 / (last.rho * dot(&last.change, &last.change)));
            direction.iter_mut().for_each(|d| *d *= gamma);
        }
        for (pair, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = pair.rho * dot(&pair.change, direction);
            add_scaled(direction, alpha - beta, &pair.step);
        }
    }
}

/// The distance from 1 to the next number of the type.
pub(super) fn epsilon<T: Scalar>() -> f64 {
    if size_of::<T>() == size_of::<f32>() { f32::EPSILON.into() } else { f64::EPSILON }
}

fn subtract<T: Scalar>(a: &[T], b: &[T], to: &mut [T]) {
    for (to, (&a, &b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to = a - b;
    }
}

fn add_scaled<T: Scalar>(to: &mut [T], factor: f64, from: &[T]) {
    let factor = T::from_f64(factor);
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += factor * from);
}
