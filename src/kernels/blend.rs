//! Mixtures of two matrices, with a share for each column.

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// `change = change - x`, then `x = x + alpha * change`, in runs of padded rows.
pub struct Blend<'a, T> {
    /// What is mixed, and where the mixture goes.
    pub x: &'a mut [T],
    /// What it is mixed with, then the difference of both.
    pub change: &'a mut [T],
    /// One share for each column.
    pub alpha: &'a [T],
    /// The place of the run's first number among all rows and their padding.
    pub first: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl<T: Scalar> Kernel for Blend<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let alpha = &self.alpha[self.first % self.stride..];
        for (x, change) in self.x.chunks_mut(self.stride).zip(self.change.chunks_mut(self.stride)) {
            for ((x, change), &alpha) in x.iter_mut().zip(change).zip(alpha) {
                *change -= *x;
                *x = I::fma(alpha, *change, *x);
            }
        }
    }
}

/// `x = from + alpha * (x - from)`, in runs of padded rows.
pub struct BlendBack<'a, T> {
    /// What is mixed in, and where the mixture goes.
    pub x: &'a mut [T],
    /// What it is mixed into.
    pub from: &'a [T],
    /// One share for each column.
    pub alpha: &'a [T],
    /// The place of the run's first number among all rows and their padding.
    pub first: usize,
    /// Numbers from one row to the next.
    pub stride: usize,
}

impl<T: Scalar> Kernel for BlendBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let alpha = &self.alpha[self.first % self.stride..];
        for (x, from) in self.x.chunks_mut(self.stride).zip(self.from.chunks(self.stride)) {
            for ((x, &from), &alpha) in x.iter_mut().zip(from).zip(alpha) {
                *x = I::fma(alpha, *x - from, from);
            }
        }
    }
}
