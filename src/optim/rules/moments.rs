//! Exponential averages, in the one form that all rules have them in: for numbers, and for registers full of them.
//!
//! `average + share * (x - average)` keeps a small share exact where `keep * average + (1 - keep) * x` would round `keep` to
//! single precision.

use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// The share of what is new in an average with this decay rate.
pub fn share<T: Scalar>(decay_rate: f64) -> T {
    T::from_f64(1.0 - decay_rate)
}

/// Takes a number into an average.
#[inline(always)]
pub fn average<T: Scalar, I: Isa>(share: T, x: T, average: &mut T) {
    *average = I::fma(share, x - *average, *average);
}

/// Takes the square of a number into an average of squares.
#[inline(always)]
pub fn average_square<T: Scalar, I: Isa>(share: T, x: T, average: &mut T) {
    *average = I::fma(share, I::fma(x, x, -*average), *average);
}

/// [`average`] for registers.
#[inline(always)]
pub fn average_lanes<V: Vector>(share: V, x: V, average: &mut V) {
    *average = share.fma(x - *average, *average);
}

/// [`average_square`] for registers.
#[inline(always)]
pub fn average_square_lanes<V: Vector>(share: V, x: V, average: &mut V) {
    *average = share.fma(x.fma(x, -*average), *average);
}

/// What a new gradient counts in the averages m of gradients and v of their squares.
#[derive(Debug, Clone, Copy)]
pub struct Shares<T> {
    /// Its share in m.
    pub first: T,
    /// Its square's share in v.
    pub second: T,
}

impl<T: Scalar> Shares<T> {
    /// From the two decay rates.
    pub fn new((b1, b2): (f64, f64)) -> Self {
        Shares { first: share(b1), second: share(b2) }
    }

    /// Takes a gradient into both averages.
    #[inline(always)]
    pub fn update<I: Isa>(&self, g: T, m: &mut T, v: &mut T) {
        average::<T, I>(self.first, g, m);
        average_square::<T, I>(self.second, g, v);
    }

    /// In every lane of a register.
    #[inline(always)]
    pub fn splat<I: Isa>(&self) -> Shares<T::Vector<I>> {
        Shares { first: T::Vector::<I>::splat(self.first), second: T::Vector::<I>::splat(self.second) }
    }
}

impl<V: Vector> Shares<V> {
    /// Takes a register of gradients into both averages.
    #[inline(always)]
    pub fn update_lanes(&self, g: V, m: &mut V, v: &mut V) {
        average_lanes(self.first, g, m);
        average_square_lanes(self.second, g, v);
    }
}
