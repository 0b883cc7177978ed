//! Where a step is rehearsed: copies of a few parameters and their state.

use std::ops::Range;

use super::calm::Peaks;
use super::slot::MAX_SLOTS;
use crate::scalar::Scalar;

/// Elements that are rehearsed at a time.
const CHUNK: usize = 1024;

/// Copies of some parameters and their state.
pub(super) struct Stage<T> {
    params: Vec<T>,
    slots: [Vec<T>; MAX_SLOTS],
}

impl<T: Scalar> Stage<T> {
    /// For up to so many elements, or for as many as are rehearsed at a time.
    pub fn new(len: usize) -> Self {
        Stage { params: vec![T::ZERO; len.clamp(1, CHUNK)], slots: Default::default() }
    }

    /// The elements that it has place for.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Copies a range of parameters and state.
    pub fn set(&mut self, params: &[T], slots: &[&mut [T]], range: Range<usize>) {
        self.params[..range.len()].copy_from_slice(&params[range.clone()]);
        for (to, from) in self.slots.iter_mut().zip(slots) {
            to.clear();
            to.extend_from_slice(&from[range.clone()]);
        }
    }

    /// The copies of the first `len` elements.
    pub fn arrays(&mut self, len: usize) -> (&mut [T], [&mut [T]; MAX_SLOTS]) {
        (&mut self.params[..len], self.slots.each_mut().map(Vec::as_mut_slice))
    }
}

/// The largest magnitudes of parameters and state; None where one is NaN or infinite, or a parameter larger than `limit`.
pub(super) fn peaks<T: Scalar>(params: &[T], slots: &[&mut [T]], limit: f64) -> Option<Peaks> {
    let largest = |numbers: &[T]| {
        numbers.iter().try_fold(T::ZERO, |largest, x| x.is_finite().then(|| largest.max(x.abs()))).map(T::to_f64)
    };
    let params = largest(params).filter(|&largest| largest <= limit)?;
    let state = slots.iter().try_fold(0.0, |state: f64, slot| largest(slot).map(|largest| state.max(largest)))?;
    Some(Peaks { params, state })
}
