//! Exponential averages, in the one form that all rules have them in: for numbers, and for registers full of them.
//!
//! `average + share * (x - average)` keeps a small share exact where `keep * average + (1 - keep) * x` would round `keep` to
//! single precision. A share near 1 would lose an x there that is small beside the average: kernels for that are
//! [forgetful](Isa::FORGETFUL), and take the other form. The difference and its square can overflow where the
//! average would not: for numbers of that size kernels are [careful](Isa::CAREFUL), and form none.

use crate::scalar::Scalar;
use crate::simd::{Isa, Vector};

/// How an average takes in what is new.
#[derive(Debug, Clone, Copy)]
pub struct Share<T> {
    new: T,
    old: T,
    /// Whether the new is more than the old.
    forgets: bool,
}

impl<T: Scalar> Share<T> {
    /// With that share of what is new.
    pub fn new(new: f64) -> Self {
        Share { new: T::from_f64(new), old: T::from_f64(1.0 - new), forgets: new > 0.5 }
    }

    /// With that share of what is old.
    pub fn of_decay(rate: f64) -> Self {
        Share { old: T::from_f64(rate), ..Share::new(1.0 - rate) }
    }

    /// The share of what is new.
    pub fn of_new(&self) -> T {
        self.new
    }

    /// Whether only kernels that are [forgetful](Isa::FORGETFUL) are right.
    pub fn forgets(&self) -> bool {
        self.forgets
    }

    /// Takes numbers into averages.
    #[inline(always)]
    pub fn average_all<I: Isa>(self, numbers: &[T], averages: &mut [T]) {
        let pairs = numbers.iter().zip(averages);
        match self.forgets {
            true => pairs.for_each(|(&x, average)| *average = I::fma(self.new, x, self.old * *average)),
            false => pairs.for_each(|(&x, average)| self.average::<I>(x, average)),
        }
    }

    /// Takes a number into an average.
    #[inline(always)]
    pub fn average<I: Isa>(self, x: T, average: &mut T) {
        let Share { new, old, forgets } = self;
        *average = if I::FORGETFUL && forgets {
            I::fma(new, x, old * *average)
        } else if I::CAREFUL {
            new * x + (*average - new * *average)
        } else {
            I::fma(new, x - *average, *average)
        };
    }

    /// Takes the square of a number into an average of squares.
    #[inline(always)]
    pub fn average_square<I: Isa>(self, x: T, average: &mut T) {
        let Share { new, old, forgets } = self;
        *average = if I::FORGETFUL && forgets {
            I::fma(new * x, x, old * *average)
        } else if I::CAREFUL {
            new * x * x + (*average - new * *average)
        } else {
            I::fma(new, I::fma(x, x, -*average), *average)
        };
    }

    /// In every lane of a register.
    #[inline(always)]
    pub fn splat<I: Isa>(self) -> Share<T::Vector<I>> {
        let of = T::Vector::<I>::splat;
        Share { new: of(self.new), old: of(self.old), forgets: self.forgets }
    }
}

impl<V: Vector> Share<V> {
    /// [`Share::average`] for registers.
    #[inline(always)]
    pub fn average_lanes<I: Isa>(self, x: V, average: &mut V) {
        let Share { new, old, forgets } = self;
        *average = if I::FORGETFUL && forgets {
            new.fma(x, old * *average)
        } else if I::CAREFUL {
            new * x + (*average - new * *average)
        } else {
            new.fma(x - *average, *average)
        };
    }

    /// [`Share::average_square`] for registers.
    #[inline(always)]
    pub fn average_square_lanes<I: Isa>(self, x: V, average: &mut V) {
        let Share { new, old, forgets } = self;
        *average = if I::FORGETFUL && forgets {
            (new * x).fma(x, old * *average)
        } else if I::CAREFUL {
            new * x * x + (*average - new * *average)
        } else {
            new.fma(x.fma(x, -*average), *average)
        };
    }
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

/// How the averages m of gradients and v of their squares take in a new gradient.
#[derive(Debug, Clone, Copy)]
pub struct Shares<T> {
    /// m.
    pub first: Share<T>,
    /// v.
    pub second: Share<T>,
}

impl<T: Scalar> Shares<T> {
    /// From the two decay rates.
    pub fn new((b1, b2): (f64, f64)) -> Self {
        Shares { first: Share::of_decay(b1), second: Share::of_decay(b2) }
    }

    /// Whether v forgets. Where only m does, it is wrong by half a unit in the last place of what it was, which is nothing beside
    /// the root of v.
    pub fn forget(&self) -> bool {
        self.second.forgets()
    }

    /// Takes a gradient into both averages.
    #[inline(always)]
    pub fn update<I: Isa>(&self, g: T, m: &mut T, v: &mut T) {
        self.first.average::<I>(g, m);
        self.second.average_square::<I>(g, v);
    }

    /// In every lane of a register.
    #[inline(always)]
    pub fn splat<I: Isa>(&self) -> Shares<T::Vector<I>> {
        Shares { first: self.first.splat::<I>(), second: self.second.splat::<I>() }
    }
}

impl<V: Vector> Shares<V> {
    /// Takes a register of gradients into both averages.
    #[inline(always)]
    pub fn update_lanes<I: Isa>(&self, g: V, m: &mut V, v: &mut V) {
        self.first.average_lanes::<I>(g, m);
        self.second.average_square_lanes::<I>(g, v);
    }
}
