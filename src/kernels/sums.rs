//! Sums over rows and over all numbers. Each has many chains of additions at once, in an order that depends on nothing but
//! the shape.

use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

/// Adds rows, one after the other: `LANES` sums of each register are independent chains, in the order of the rows.
pub struct AddRows<'a, T> {
    /// One sum for each column.
    pub sums: &'a mut [T],
    /// A matrix with contiguous rows.
    pub rows: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let lanes = T::Vector::<I>::LANES;
        assert!(self.rows.ncols() == self.sums.len() && (self.rows.strides()[1] == 1 || self.sums.len() <= 1));
        let mut col = 0;
        while col + lanes <= self.sums.len() {
            // SAFETY: as many columns lie in every row, and in `sums`.
            col += lanes
                * unsafe {
                    match (self.sums.len() - col) / lanes {
                        4.. => self.columns::<I, 4>(col),
                        2.. => self.columns::<I, 2>(col),
                        _ => self.columns::<I, 1>(col),
                    }
                };
        }
        if col < self.sums.len() {
            for row in self.rows.rows() {
                let row = row.to_slice().expect("rows of a batch are contiguous");
                self.sums[col..].iter_mut().zip(&row[col..]).for_each(|(sum, &x)| *sum += x);
            }
        }
    }
}

impl<T: Scalar> AddRows<'_, T> {
    /// Adds N registers of columns from `col` on, which stay in registers while all rows pass: how many registers.
    ///
    /// # Safety
    /// So many columns must lie in every row, and in `sums`.
    #[inline(always)]
    unsafe fn columns<I: Isa, const N: usize>(&mut self, col: usize) -> usize {
        let (count, stride) = (self.rows.nrows(), self.rows.strides()[0]);
        let (mut from, to) = (self.rows.as_ptr().wrapping_add(col), self.sums[col..].as_mut_ptr());
        let lanes = T::Vector::<I>::LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [T::Vector::<I>::splat(T::ZERO); N];
            for (n, sum) in sums.iter_mut().enumerate() {
                *sum = T::Vector::<I>::load(to.add(n * lanes));
            }
            for _ in 0..count {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = *sum + T::Vector::<I>::load(from.add(n * lanes));
                }
                from = from.wrapping_offset(stride);
            }
            for (n, sum) in sums.iter().enumerate() {
                sum.store(to.add(n * lanes));
            }
        }
        N
    }
}

/// The sum of magnitudes: NaN or infinite where any of the numbers is.
pub struct Magnitude<'a, T>(pub &'a [T]);

impl<T: Scalar> Kernel for Magnitude<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        let lanes = T::Vector::<I>::LANES;
        let zero = T::Vector::<I>::splat(T::ZERO);
        // Four registers of sums, so that none waits for another.
        let (mut sums, mut rest) = ([zero; 4], self.0);
        while rest.len() >= 4 * lanes {
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = T::Vector::<I>::full(&rest[i * lanes..]);
                *sum = *sum + x.max(-x);
            }
            rest = &rest[4 * lanes..];
        }
        while rest.len() >= lanes {
            let x = T::Vector::<I>::full(rest);
            sums[0] = sums[0] + x.max(-x);
            rest = &rest[lanes..];
        }
        let mut all = [T::ZERO; MOST_LANES];
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).put(&mut all);
        all.iter_mut().zip(rest).for_each(|(sum, &x)| *sum += x.abs());
        for half in [8, 4, 2, 1] {
            let (low, high) = all.split_at_mut(half);
            low.iter_mut().zip(high).for_each(|(low, &mut high)| *low += high);
        }
        all[0].to_f64()
    }
}
