//! A few numbers made of the waves of a column, besides the column itself: each a weighted sum, and a bias.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

use super::lanes::{read, write};

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

/// Sums that are made side by side: with waves one after the other, nothing is to be added up across a register.
const BESIDE: usize = 4;
/// Waves whose weights are turned round at once.
const DEPTH: usize = 16;
/// Rows for which they then serve.
const ROWS: usize = 32;

/// Weights of some sums by some waves, wave by wave.
type Turned<T> = [[T; BESIDE]; DEPTH];

/// Adds to `sums` some waves times their weights, one chain of fused multiply-adds for each sum.
#[inline(always)]
fn add_waves<I: Isa, T: Scalar>(sums: &mut [T; BESIDE], waves: &[T], turned: &Turned<T>) {
    let mut chains = *sums;
    for (&wave, weights) in waves.iter().zip(turned) {
        for lane in 0..BESIDE {
            chains[lane] = I::fma(wave, weights[lane], chains[lane]);
        }
    }
    *sums = chains;
}

impl<T: Scalar> Combine<'_, T> {
    /// The weights of the sums from one on, by the waves from one on; 0 beyond the last ones.
    #[inline(always)]
    fn turned(&self, place: usize, sum: usize, wave: usize) -> Turned<T> {
        let mut turned = [[T::ZERO; BESIDE]; DEPTH];
        let (each, width) = self.shape;
        for lane in 0..BESIDE.min(width - sum) {
            let weight = &self.weight[(place * width + sum + lane) * each..][..each];
            for (turned, &weight) in turned.iter_mut().zip(&weight[wave..]) {
                turned[lane] = weight;
            }
        }
        turned
    }

    /// Makes up to four sums of a column, for some rows.
    #[inline(always)]
    fn some<I: Isa>(&mut self, rows: Range<usize>, place: usize, sum: usize) {
        let (shape, (waves, waves_stride)) = (Shape { each: self.shape.0, width: self.shape.1 }, self.waves);
        let count = BESIDE.min(shape.width - sum);
        let mut bias = [T::ZERO; BESIDE];
        bias[..count].copy_from_slice(&self.bias[place * shape.width + sum..][..count]);
        let (of_place, first) = (shape.waves(place), self.to.2 + shape.sums(place).start + sum);
        for wave in (0..shape.each).step_by(DEPTH) {
            let turned = self.turned(place, sum, wave);
            for row in rows.clone() {
                let waves = &waves[row * waves_stride..][of_place.start + wave..of_place.end];
                let to = &mut self.to.0[row * self.to.1 + first..][..count];
                let mut sums = bias;
                if wave > 0 {
                    sums[..count].copy_from_slice(to);
                }
                add_waves::<I, T>(&mut sums, waves, &turned);
                to.copy_from_slice(&sums[..count]);
            }
        }
    }
}

impl<T: Scalar> Kernel for Combine<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let (count, width) = (self.x.nrows(), self.shape.1);
        for start in (0..count).step_by(ROWS) {
            let rows = start..count.min(start + ROWS);
            for (place, &column) in self.columns.iter().enumerate() {
                for row in rows.clone() {
                    self.to.0[row * self.to.1 + self.to.2 + place * (width + 1)] = self.x[[row, column]];
                }
                for sum in (0..width).step_by(BESIDE) {
                    self.some::<I>(rows.clone(), place, sum);
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

impl<T: Scalar> AddCombined<'_, T> {
    /// The gradients of `N` consecutive sums of one column.
    #[inline(always)]
    fn some<I: Isa, const N: usize>(&mut self, place: usize, number: usize, sums_start: usize) {
        let shape = Shape { each: self.shape.0, width: self.shape.1 };
        let (of_place, first) = (shape.waves(place), shape.sums(place).start + number);
        for start in (0..shape.each).step_by(T::Vector::<I>::LANES) {
            let part = start..shape.each.min(start + T::Vector::<I>::LANES);
            let mut sums = [T::Vector::<I>::splat(T::ZERO); N];
            for (waves, delta) in self.waves.rows().into_iter().zip(self.delta.rows()) {
                let (Some(waves), Some(delta)) = (waves.to_slice(), delta.to_slice()) else {
                    unreachable!("rows of a batch are contiguous")
                };
                let wave = read::<T::Vector<I>>(&waves[of_place.clone()][part.clone()]);
                let delta = &delta[first..first + N];
                for n in 0..N {
                    sums[n] = wave.fma(T::Vector::<I>::splat(delta[n]), sums[n]);
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                write(sum, &mut self.sums[(sums_start + n) * shape.each..][part.clone()]);
            }
        }
    }
}

impl<T: Scalar> Kernel for AddCombined<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        let (rows, width) = (self.rows.clone(), self.shape.1);
        let mut row = rows.start;
        while row < rows.end {
            let (place, number) = (row / width, row % width);
            let count = (width - number).min(rows.end - row).min(4);
            let start = row - rows.start;
            match count {
                1 => self.some::<I, 1>(place, number, start),
                2 => self.some::<I, 2>(place, number, start),
                3 => self.some::<I, 3>(place, number, start),
                _ => self.some::<I, 4>(place, number, start),
            }
            row += count;
        }
    }
}

/// The gradient of what is added to each sum, over all rows.
pub struct AddBiases<'a, T> {
    /// One number for each sum.
    pub sums: &'a mut [T],
    /// Sums of each column.
    pub width: usize,
    /// The gradient of the results of all columns.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddBiases<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for delta in self.delta.rows() {
            let delta = delta.to_slice().expect("rows of a batch are contiguous");
            let of_columns = delta.chunks_exact(self.width + 1);
            for (sums, delta) in self.sums.chunks_exact_mut(self.width).zip(of_columns) {
                sums.iter_mut().zip(&delta[1..]).for_each(|(sum, &delta)| *sum += delta);
            }
        }
    }
}
