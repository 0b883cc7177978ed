//! Exponential averages, in the one form that all rules have them in: for numbers, and for registers full of them.
//!
//! `average + share * (x - average)` keeps a small share exact where `keep * average + (1 - keep) * x` would round `keep` to
//! single precision. Its difference and its square can overflow where the average would not: for numbers of that size
//! kernels are [careful](Isa::CAREFUL), and take the other form.

use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// The share of what is new in an average with this decay rate.
pub fn share<T: Scalar>(decay_rate: f64) -> T {
    T::from_f64(1.0 - decay_rate)
}

/// Takes a number into an average.
#[inline(always)]
pub fn average<T: Scalar, I: Isa>(share: T, x: T, average: &mut T) {
    *average =
        if I::CAREFUL { share * x + (*average - share * *average) } else { I::fma(share, x - *average, *average) };
}

/// Takes the square of a number into an average of squares.
#[inline(always)]
pub fn average_square<T: Scalar, I: Isa>(share: T, x: T, average: &mut T) {
    *average = if I::CAREFUL {
        share * x * x + (*average - share * *average)
    } else {
        I::fma(share, I::fma(x, x, -*average), *average)
    };
}

/// `sqrt(square * scale + inside)`.
#[inline(always)]
pub fn root<T: Scalar, I: Isa>(square: T, scale: T, inside: T) -> T {
    if I::CAREFUL {
        let (down, up) = scaling::<T>();
        return (square * down * scale + inside * down).sqrt() * up;
    }
    (square * scale + inside).sqrt()
}

/// A factor that makes room for the correction of an average, and the root of its inverse.
#[inline(always)]
pub fn scaling<T: Scalar>() -> (T, T) {
    (T::from_f64(2f64.powi(-40)), T::from_f64(2f64.powi(20)))
}

/// What is added inside a root so that nothing is divided by 0 where squares have underflown: `inside`, but for denominators
/// `sqrt(square + inside) + outside` that nothing else keeps from 0.
pub fn at_least<T: Scalar>(inside: f64, outside: f64) -> f64 {
    let least = T::MIN_POSITIVE.to_f64();
    if outside * outside < least { inside.max(least) } else { inside }
}

/// [`average`] for registers.
#[inline(always)]
pub fn average_lanes<V: Vector>(share: V, x: V, average: &mut V) {
    *average = if V::CAREFUL { share * x + (*average - share * *average) } else { share.fma(x - *average, *average) };
}

/// [`average_square`] for registers.
#[inline(always)]
pub fn average_square_lanes<V: Vector>(share: V, x: V, average: &mut V) {
    *average = if V::CAREFUL {
        share * x * x + (*average - share * *average)
    } else {
        share.fma(x.fma(x, -*average), *average)
    };
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
