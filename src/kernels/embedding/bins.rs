//! Bins of numbers, by their edges.

use std::ops::Range;

use crate::scalar::{Both, Scalar};
use crate::simd::{Isa, Vector};

use super::lanes::read;

/// The bins of some columns, one column's after the other's. How far a number has come through one of them, from 0 at its left
/// edge to 1 at its right one, is what it is measured in; below the first and above the last it goes on.
#[derive(Debug, Clone)]
pub struct Bins {
    /// The bins before those of each column, and at the end all.
    before: Vec<usize>,
    left: Both,
    inverse: Both,
    least: Both,
    most: Both,
}

impl Bins {
    /// Of columns with these edges, each at least two in increasing order.
    pub fn new(edges: &[Vec<f64>]) -> Self {
        let mut before = vec![0];
        before.extend(edges.iter().scan(0, |all, edges| {
            *all += edges.len() - 1;
            Some(*all)
        }));
        let pairs = || edges.iter().flat_map(|edges| edges.windows(2).enumerate().map(move |at| (edges, at)));
        let is_last = |edges: &[f64], bin: usize| bin + 2 == edges.len();
        Bins {
            before,
            left: pairs().map(|(_, (_, pair))| pair[0]).collect(),
            inverse: pairs().map(|(_, (_, pair))| 1.0 / (pair[1] - pair[0])).collect(),
            least: pairs().map(|(_, (bin, _))| if bin == 0 { f64::NEG_INFINITY } else { 0.0 }).collect(),
            most: pairs().map(|(edges, (bin, _))| if is_last(edges, bin) { f64::INFINITY } else { 1.0 }).collect(),
        }
    }

    /// How many there are of all columns.
    pub fn count(&self) -> usize {
        self.before[self.before.len() - 1]
    }

    /// Those of a column.
    #[inline(always)]
    pub fn of(&self, place: usize) -> Range<usize> {
        self.before[place]..self.before[place + 1]
    }

    /// One of them, for several numbers at once.
    #[inline(always)]
    pub fn one<I: Isa, T: Scalar>(&self, bin: usize) -> Lanes<T::Vector<I>> {
        Lanes {
            left: T::Vector::<I>::splat(T::of(&self.left)[bin]),
            inverse: T::Vector::<I>::splat(T::of(&self.inverse)[bin]),
            least: T::Vector::<I>::splat(T::of(&self.least)[bin]),
            most: T::Vector::<I>::splat(T::of(&self.most)[bin]),
        }
    }

    /// Up to a register of them, for one number.
    #[inline(always)]
    pub fn several<I: Isa, T: Scalar>(&self, bins: Range<usize>) -> Lanes<T::Vector<I>> {
        Lanes {
            left: read(&T::of(&self.left)[bins.clone()]),
            inverse: read(&T::of(&self.inverse)[bins.clone()]),
            least: read(&T::of(&self.least)[bins.clone()]),
            most: read(&T::of(&self.most)[bins]),
        }
    }
}

/// A bin in each lane.
#[derive(Clone, Copy)]
pub struct Lanes<V> {
    left: V,
    inverse: V,
    least: V,
    most: V,
}

impl<V: Vector> Lanes<V> {
    /// How far `x` has come through them; NaN stays NaN.
    #[inline(always)]
    pub fn passed(self, x: V) -> V {
        self.most.min(self.least.max((x - self.left) * self.inverse))
    }
}
