//! A few numbers made of the waves of a column, besides the column itself: each a weighted sum, and a bias.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

use super::lanes::{add_scaled, read, write};

/// How the numbers of some columns lie.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Waves of each column.
    pub each: usize,
    /// Sums of each column.
    pub width: usize,
}

impl Shape {
    /// The waves of a column.
    #[inline(always)]
    fn waves(self, place: usize) -> Range<usize> {
        place * self.each..(place + 1) * self.each
    }

    /// Where a column's sums are among those of all, the column itself before them.
    #[inline(always)]
    fn sums(self, place: usize) -> Range<usize> {
        let start = place * (self.width + 1) + 1;
        start..start + self.width
    }
}

/// `sum of a * b`, by many chains in an order that depends on the length alone.
#[inline(always)]
fn dot<I: Isa, T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::ZERO; MOST_LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<MOST_LANES>(), b.as_chunks::<MOST_LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..MOST_LANES {
            sums[lane] = I::fma(a[lane], b[lane], sums[lane]);
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum = I::fma(a, b, *sum);
    }
    // Step by step: a loop over the halves would stay one.
    let eight: [T; 8] = std::array::from_fn(|lane| sums[lane] + sums[lane + 8]);
    let four: [T; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// A column and the sums of its waves, for some columns.
pub struct Combine<'a, T> {
    /// The inputs.
    pub x: ArrayView2<'a, T>,
    /// Which of their columns.
    pub columns: &'a [usize],
    /// How many waves and sums each has.
    pub shape: (usize, usize),
    /// The waves, in padded rows, and their stride.
    pub waves: (&'a [T], usize),
    /// The weights of each sum.
    pub weight: &'a [T],
    /// What is added to each.
    pub bias: &'a [T],
    /// Where the results go: padded rows, their stride, and the place of the first in each.
    pub to: (&'a mut [T], usize, usize),
}

impl<T: Scalar> Kernel for Combine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let shape = Shape { each: self.shape.0, width: self.shape.1 };
        let ((waves, waves_stride), (to, stride, first)) = (self.waves, self.to);
        let rows = waves.chunks_exact(waves_stride).zip(to.chunks_exact_mut(stride));
        for (x, (waves, to)) in self.x.rows().into_iter().zip(rows) {
            let to = &mut to[first..];
            for (place, &column) in self.columns.iter().enumerate() {
                let (waves, sums) = (&waves[shape.waves(place)], shape.sums(place));
                to[sums.start - 1] = x[column];
                let weights = self.weight[place * shape.width * shape.each..].chunks_exact(shape.each);
                let biases = &self.bias[place * shape.width..];
                for ((to, weight), &bias) in to[sums].iter_mut().zip(weights).zip(biases) {
                    *to = bias + dot::<I, T>(waves, weight);
                }
            }
        }
    }
}

/// The gradient of frequency times input, in place of the waves' slopes: the gradient of each wave times its slope.
pub struct CombineBack<'a, T> {
    /// How many columns there are.
    pub columns: usize,
    /// How many waves and sums each has.
    pub shape: (usize, usize),
    /// The weights of each sum.
    pub weight: &'a [T],
    /// The gradient of the results: padded rows, their stride, and the place of the first in each.
    pub delta: (&'a [T], usize, usize),
    /// Slopes, then the gradient, in padded rows, and their stride.
    pub slopes: (&'a mut [T], usize),
}

impl<T: Scalar> Kernel for CombineBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let shape = Shape { each: self.shape.0, width: self.shape.1 };
        let ((delta, stride, first), (slopes, slopes_stride)) = (self.delta, self.slopes);
        for (delta, slopes) in delta.chunks_exact(stride).zip(slopes.chunks_exact_mut(slopes_stride)) {
            for place in 0..self.columns {
                let delta = &delta[first..][shape.sums(place)];
                let weight = &self.weight[place * shape.width * shape.each..];
                let mut start = 0;
                for slopes in slopes[shape.waves(place)].chunks_mut(T::Vector::<I>::LANES) {
                    let mut sum = T::Vector::<I>::splat(T::ZERO);
                    for (number, &delta) in delta.iter().enumerate() {
                        let first = number * shape.each + start;
                        let weight = read::<T::Vector<I>>(&weight[first..first + slopes.len()]);
                        sum = weight.fma(T::Vector::<I>::splat(delta), sum);
                    }
                    write(read::<T::Vector<I>>(slopes) * sum, slopes);
                    start += slopes.len();
                }
            }
        }
    }
}

/// The gradient of the weights of consecutive sums, over all rows.
pub struct AddCombined<'a, T> {
    /// The gradient, sum by sum.
    pub sums: &'a mut [T],
    /// Which sums.
    pub rows: Range<usize>,
    /// How many waves and sums each column has.
    pub shape: (usize, usize),
    /// The waves of all columns.
    pub waves: ArrayView2<'a, T>,
    /// The gradient of the results of all columns.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddCombined<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let shape = Shape { each: self.shape.0, width: self.shape.1 };
        for (waves, delta) in self.waves.rows().into_iter().zip(self.delta.rows()) {
            let (waves, delta) = (waves.to_slice(), delta.to_slice());
            let (waves, delta) = waves.zip(delta).expect("rows of a batch are contiguous");
            for (sums, row) in self.sums.chunks_exact_mut(shape.each).zip(self.rows.clone()) {
                let (place, number) = (row / shape.width, row % shape.width);
                let delta = delta[shape.sums(place).start + number];
                add_scaled::<T::Vector<I>>(sums, &waves[shape.waves(place)], delta);
            }
        }
    }
}
