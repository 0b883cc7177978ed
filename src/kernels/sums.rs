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
    fn run<I: Isa>(self) {
        /// Sums that stay in registers while all rows pass.
        const ACROSS: usize = 4;
        let lanes = T::Vector::<I>::LANES;
        let one = T::Vector::<I>::splat(T::ONE);
        let (count, stride) = (self.rows.nrows(), self.rows.strides()[0]);
        assert!(self.rows.ncols() == self.sums.len() && (self.rows.strides()[1] == 1 || self.sums.len() <= 1));
        let mut col = 0;
        while col + lanes <= self.sums.len() {
            let across = ((self.sums.len() - col) / lanes).min(ACROSS);
            let to = self.sums[col..].as_mut_ptr();
            // SAFETY: columns `col .. col + across * lanes` of every row lie in the matrix, and as many in `sums`.
            unsafe {
                let mut sums: [T::Vector<I>; ACROSS] =
                    std::array::from_fn(|n| T::Vector::<I>::load(to.add(n.min(across - 1) * lanes)));
                for row in 0..count as isize {
                    let from = self.rows.as_ptr().offset(row * stride).add(col);
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = T::Vector::<I>::load(from.add(n.min(across - 1) * lanes)).fma(one, *sum);
                    }
                }
                for (n, sum) in sums.iter().take(across).enumerate() {
                    sum.store(to.add(n * lanes));
                }
            }
            col += across * lanes;
        }
        if col < self.sums.len() {
            for row in self.rows.rows() {
                let row = row.to_slice().expect("rows of a batch are contiguous");
                self.sums[col..].iter_mut().zip(&row[col..]).for_each(|(sum, &x)| *sum += x);
            }
        }
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
