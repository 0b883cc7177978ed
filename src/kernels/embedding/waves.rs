//! Waves of a number: cos(2 pi f x + p).

use std::f64::consts::{FRAC_1_PI, PI};

use ndarray::ArrayView2;

use crate::kernels::math::cos_sin_of_turns;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

use super::lanes::{read, write};

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
        let (each, lanes) = (self.frequency.len() / self.columns.len(), T::Vector::<I>::LANES);
        let per_radian = T::Vector::<I>::splat(T::from_f64(0.5 * FRAC_1_PI));
        let per_turn = T::Vector::<I>::splat(T::from_f64(-2.0 * PI));
        for (number, (x, waves)) in self.x.rows().into_iter().zip(self.waves.chunks_exact_mut(self.stride)).enumerate()
        {
            let mut slopes = self.slopes.get_mut(number * self.stride..(number + 1) * self.stride);
            for (place, &column) in self.columns.iter().enumerate() {
                let x = T::Vector::<I>::splat(x[column]);
                let mut start = place * each;
                while start < (place + 1) * each {
                    let part = start..((place + 1) * each).min(start + lanes);
                    let f = read::<T::Vector<I>>(&self.frequency[part.clone()]);
                    let p = read::<T::Vector<I>>(&self.phase[part.clone()]);
                    let (cos, sin) = cos_sin_of_turns(f.fma(x, p * per_radian));
                    write(cos, &mut waves[part.clone()]);
                    if let Some(slopes) = slopes.as_deref_mut() {
                        write(sin * per_turn, &mut slopes[part]);
                    }
                    start += lanes;
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
        let (each, first, lanes) = (self.each, self.first, T::Vector::<I>::LANES);
        let mut start = 0;
        while start < self.sums.len() {
            let place = (first + start) / each;
            let part = start..((place + 1) * each - first).min(self.sums.len()).min(start + lanes);
            let mut sum = T::Vector::<I>::splat(T::ZERO);
            for (x, delta) in self.x.rows().into_iter().zip(self.delta.rows()) {
                let delta = delta.to_slice().expect("rows of a batch are contiguous");
                sum =
                    read::<T::Vector<I>>(&delta[part.clone()]).fma(T::Vector::<I>::splat(x[self.columns[place]]), sum);
            }
            write(sum, &mut self.sums[part.clone()]);
            start = part.end;
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
        let (per_radian, lanes) = (T::Vector::<I>::splat(T::from_f64(0.5 * FRAC_1_PI)), T::Vector::<I>::LANES);
        for (number, sums) in self.sums.chunks_mut(lanes).enumerate() {
            let part = number * lanes..number * lanes + sums.len();
            let mut sum = T::Vector::<I>::splat(T::ZERO);
            for delta in self.delta.rows() {
                let delta = delta.to_slice().expect("rows of a batch are contiguous");
                sum = read::<T::Vector<I>>(&delta[part.clone()]).fma(per_radian, sum);
            }
            write(sum, sums);
        }
    }
}
