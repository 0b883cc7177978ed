//! A factor for each column.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// `to = x * scale`, column by column.
pub struct ScaleColumns<'a, T> {
    /// A matrix.
    pub x: ArrayView2<'a, T>,
    /// Where the products go.
    pub to: ArrayViewMut2<'a, T>,
    /// One factor for each column.
    pub scale: &'a [T],
}

impl<T: Scalar> Kernel for ScaleColumns<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        for (x, mut to) in self.x.rows().into_iter().zip(self.to.rows_mut()) {
            for ((to, &x), &scale) in to.iter_mut().zip(&x).zip(self.scale) {
                *to = x * scale;
            }
        }
    }
}
