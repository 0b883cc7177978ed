//! A row of a table for each number, which is the number of the row.

use std::ops::Range;

use ndarray::ArrayView1;
use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// The row of a table that a number names. Callers have refused others; here they become one that there is.
#[inline(always)]
fn level<T: Scalar>(code: T, levels: usize) -> usize {
    (code.to_f64() as usize).min(levels - 1)
}

/// Copies rows of a table.
pub struct Lookup<'a, T> {
    /// The numbers of the rows.
    pub codes: ArrayView1<'a, T>,
    /// The table.
    pub table: &'a [T],
    /// Its columns.
    pub width: usize,
    /// Where the rows go: padded rows, their stride, and the place in each.
    pub to: (&'a mut [T], usize, usize),
}

impl<T: Scalar> Kernel for Lookup<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let ((to, stride, first), width) = (self.to, self.width);
        let levels = self.table.len() / width;
        for (&code, to) in self.codes.iter().zip(to.chunks_exact_mut(stride)) {
            let from = &self.table[level(code, levels) * width..][..width];
            to[first..first + width].iter_mut().zip(from).for_each(|(to, &x)| *to = x);
        }
    }
}

/// The gradient of consecutive rows of a table: of all rows of the batch that name them, one after the other.
pub struct AddLookedUp<'a, T> {
    /// The gradient, row by row.
    pub sums: &'a mut [T],
    /// Which rows of the table.
    pub rows: Range<usize>,
    /// Rows of the whole table.
    pub levels: usize,
    /// The numbers of the rows.
    pub codes: ArrayView1<'a, T>,
    /// The gradient of what was copied.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddLookedUp<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let width = self.delta.ncols();
        for (&code, delta) in self.codes.iter().zip(self.delta.rows()) {
            let level = level(code, self.levels);
            if self.rows.contains(&level) {
                let sums = &mut self.sums[(level - self.rows.start) * width..][..width];
                let delta = delta.to_slice().expect("rows of a batch are contiguous");
                sums.iter_mut().zip(delta).for_each(|(sum, &delta)| *sum += delta);
            }
        }
    }
}
