//! Waves of a number: cos(2 pi f x + p).

use std::f64::consts::{FRAC_1_PI, PI};

use ndarray::ArrayView2;

use crate::kernels::math::{cos_of_turns, sin_of_turns};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// Waves of some columns, `frequency.len() / columns.len()` of each.
pub struct Waves<'a, T> {
    /// The inputs.
    pub x: ArrayView2<'a, T>,
    /// Which of their columns.
    pub columns: &'a [usize],
    /// Periods in a unit of the input, one column's after the other's.
    pub frequency: &'a [T],
    /// Angles at an input of 0, in radians.
    pub phase: &'a [T],
    /// Where the waves go, in padded rows.
    pub waves: &'a mut [T],
    /// Where their derivatives by frequency times input go; none where nothing is learnt.
    pub slopes: &'a mut [T],
    /// Numbers from one row of these to the next.
    pub stride: usize,
}

impl<T: Scalar> Kernel for Waves<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let each = self.frequency.len() / self.columns.len();
        let (per_radian, per_turn) = (T::from_f64(0.5 * FRAC_1_PI), T::from_f64(-2.0 * PI));
        for (number, (x, waves)) in self.x.rows().into_iter().zip(self.waves.chunks_exact_mut(self.stride)).enumerate()
        {
            let mut slopes = self.slopes.get_mut(number * self.stride..(number + 1) * self.stride);
            for (place, &column) in self.columns.iter().enumerate() {
                let (x, part) = (x[column], place * each..(place + 1) * each);
                let angles = self.frequency[part.clone()].iter().zip(&self.phase[part.clone()]);
                for (to, (&f, &p)) in waves[part.clone()].iter_mut().zip(angles.clone()) {
                    *to = cos_of_turns::<I, T>(I::fma(f, x, p * per_radian));
                }
                if let Some(slopes) = slopes.as_deref_mut() {
                    for (to, (&f, &p)) in slopes[part].iter_mut().zip(angles) {
                        *to = sin_of_turns::<I, T>(I::fma(f, x, p * per_radian)) * per_turn;
                    }
                }
            }
        }
    }
}

/// The gradient of consecutive frequencies: the input times the gradient of frequency times input, over all rows.
pub struct AddFrequencies<'a, T> {
    /// One sum for each frequency.
    pub sums: &'a mut [T],
    /// The first of them.
    pub first: usize,
    /// Frequencies of each column.
    pub each: usize,
    /// The inputs.
    pub x: ArrayView2<'a, T>,
    /// Which of their columns.
    pub columns: &'a [usize],
    /// The gradient, of these frequencies.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddFrequencies<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (each, first) = (self.each, self.first);
        for (x, delta) in self.x.rows().into_iter().zip(self.delta.rows()) {
            let delta = delta.to_slice().expect("rows of a batch are contiguous");
            let mut start = 0;
            while start < delta.len() {
                let place = (first + start) / each;
                let end = ((place + 1) * each - first).min(delta.len());
                let x = x[self.columns[place]];
                for (sum, &delta) in self.sums[start..end].iter_mut().zip(&delta[start..end]) {
                    *sum = I::fma(delta, x, *sum);
                }
                start = end;
            }
        }
    }
}

/// The gradient of phases from that of frequency times input, over all rows.
pub struct AddPhases<'a, T> {
    /// One sum for each phase.
    pub sums: &'a mut [T],
    /// The gradient, of these phases.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddPhases<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let per_radian = T::from_f64(0.5 * FRAC_1_PI);
        for delta in self.delta.rows() {
            let delta = delta.to_slice().expect("rows of a batch are contiguous");
            for (sum, &delta) in self.sums.iter_mut().zip(delta) {
                *sum = I::fma(delta, per_radian, *sum);
            }
        }
    }
}
