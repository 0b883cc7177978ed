//! A few piecewise linear functions of a column, besides the column itself: sums of how far it has come through its bins.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

use super::bins::Bins;
use super::lanes::write;

/// A column and its sums, for some columns.
pub struct Piecewise<'a, T> {
    /// The inputs.
    pub x: ArrayView2<'a, T>,
    /// Which of their columns.
    pub columns: &'a [usize],
    /// Their bins.
    pub bins: &'a Bins,
    /// The weights of each sum: one for each bin of every column.
    pub weight: &'a [T],
    /// What is added, one for each sum of every column.
    pub bias: &'a [T],
    /// Where the results go: padded rows, their stride, and the place of the first in each.
    pub to: (&'a mut [T], usize, usize),
    /// Where a bound on what each row has come through any bin goes: padded rows, and their stride; none where nothing is learnt.
    pub reach: (&'a mut [T], usize),
}

impl<T: Scalar> Kernel for Piecewise<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (lanes, width) = (T::Vector::<I>::LANES, self.bias.len() / self.columns.len());
        let ((to, stride, first), (reach, reach_stride)) = (self.to, self.reach);
        for (block, to) in to.chunks_mut(lanes * stride).enumerate() {
            let (start, rows) = (block * lanes, to.len() / stride);
            let mut furthest = T::Vector::<I>::splat(T::ZERO);
            for (place, &column) in self.columns.iter().enumerate() {
                let at = first + place * (width + 1);
                let mut numbers = [T::ZERO; MOST_LANES];
                for row in 0..rows {
                    numbers[row] = self.x[(start + row, column)];
                    to[row * stride + at] = numbers[row];
                }
                let (x, own) = (T::Vector::<I>::full(&numbers), self.bins.of(place));
                for end in [own.start, own.end - 1] {
                    let passed = self.bins.one::<I, T>(end).passed(x);
                    furthest = furthest + passed.max(-passed);
                }
                let mut sum = 0;
                while sum < width {
                    let (to, biases) = (&mut to[at + 1 + sum..], &self.bias[place * width + sum..(place + 1) * width]);
                    let weight = (&self.weight[sum * self.bins.count()..], self.bins.count());
                    sum += match biases.len() {
                        1 => sums::<I, T, 1>(x, (self.bins, own.clone()), weight, biases, (to, stride, rows)),
                        2 => sums::<I, T, 2>(x, (self.bins, own.clone()), weight, biases, (to, stride, rows)),
                        3 => sums::<I, T, 3>(x, (self.bins, own.clone()), weight, biases, (to, stride, rows)),
                        _ => sums::<I, T, 4>(x, (self.bins, own.clone()), weight, biases, (to, stride, rows)),
                    };
                }
            }
            let mut bounds = [T::ZERO; MOST_LANES];
            furthest.put(&mut bounds);
            for (bound, reach) in bounds[..rows].iter().zip(reach.chunks_exact_mut(reach_stride).skip(start)) {
                reach[0] = *bound;
            }
        }
    }
}

/// Some sums of one column, of as many rows as there are in a register: how many sums.
#[inline(always)]
fn sums<I: Isa, T: Scalar, const N: usize>(
    x: T::Vector<I>,
    (bins, own): (&Bins, Range<usize>),
    (weight, all): (&[T], usize),
    biases: &[T],
    (to, stride, rows): (&mut [T], usize, usize),
) -> usize {
    let (mut sums, mut weights) = ([x; N], [weight; N]);
    for number in 0..N {
        sums[number] = T::Vector::<I>::splat(biases[number]);
        weights[number] = &weight[number * all..][..own.end];
    }
    for bin in own {
        let passed = bins.one::<I, T>(bin).passed(x);
        for number in 0..N {
            sums[number] = passed.fma(T::Vector::<I>::splat(weights[number][bin]), sums[number]);
        }
    }
    for (number, sum) in sums.into_iter().enumerate() {
        let mut of_rows = [T::ZERO; MOST_LANES];
        sum.put(&mut of_rows);
        for row in 0..rows {
            to[row * stride + number] = of_rows[row];
        }
    }
    N
}

/// The gradient of the weights of consecutive sums, over all rows.
pub struct AddPassed<'a, T> {
    /// The gradient, sum by sum, one number for each bin of every column.
    pub sums: &'a mut [T],
    /// Which sums.
    pub rows: Range<usize>,
    /// Sums of each column.
    pub width: usize,
    /// The inputs.
    pub x: ArrayView2<'a, T>,
    /// Which of their columns.
    pub columns: &'a [usize],
    /// Their bins.
    pub bins: &'a Bins,
    /// The gradient of the results of all columns.
    pub delta: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddPassed<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(mut self) {
        for place in 0..self.columns.len() {
            let own = self.bins.of(place);
            for start in own.clone().step_by(T::Vector::<I>::LANES) {
                let bins = start..own.end.min(start + T::Vector::<I>::LANES);
                let mut number = self.rows.start;
                while number < self.rows.end {
                    number += match self.rows.end - number {
                        1 => self.add::<I, 1>(place, bins.clone(), number),
                        2 => self.add::<I, 2>(place, bins.clone(), number),
                        3 => self.add::<I, 3>(place, bins.clone(), number),
                        _ => self.add::<I, 4>(place, bins.clone(), number),
                    };
                }
            }
        }
    }
}

impl<T: Scalar> AddPassed<'_, T> {
    /// The part of some bins of one column, for some sums: how many.
    #[inline(always)]
    fn add<I: Isa, const N: usize>(&mut self, place: usize, bins: Range<usize>, number: usize) -> usize {
        let (column, first) = (self.columns[place], place * (self.width + 1) + 1 + number);
        let (of_bins, mut sums) = (self.bins.several::<I, T>(bins.clone()), [T::Vector::<I>::splat(T::ZERO); N]);
        for (x, delta) in self.x.rows().into_iter().zip(self.delta.rows()) {
            let delta = &delta.to_slice().expect("rows of a batch are contiguous")[first..first + N];
            let passed = of_bins.passed(T::Vector::<I>::splat(x[column]));
            for i in 0..N {
                sums[i] = passed.fma(T::Vector::<I>::splat(delta[i]), sums[i]);
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            let row = (number - self.rows.start + i) * self.bins.count();
            write(sum, &mut self.sums[row + bins.start..row + bins.end]);
        }
        N
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{at_every_level, dispatch};
    use ndarray::{Array2, s};

    const COLUMNS: [usize; 2] = [2, 0];

    fn edges() -> Vec<Vec<f64>> {
        vec![(0..20).map(|i| f64::from(i * i) * 0.01 - 1.0).collect(), vec![-0.5, 0.5]]
    }

    /// How far `x` has come through a bin, case by case.
    fn passed(x: f64, edges: &[f64], bin: usize) -> f64 {
        let share = (x - edges[bin]) / (edges[bin + 1] - edges[bin]);
        match share {
            below if below < 0.0 && bin > 0 => 0.0,
            above if above > 1.0 && bin + 2 < edges.len() => 1.0,
            share => share,
        }
    }

    /// For each number of sums that a column may have in registers at once, values and gradient beside their formulas.
    fn is_as_the_formula<T: Scalar>(width: usize, tolerance: f64) {
        let (rows, all, stride, edges) = (37, 20, 2 * (width + 1) + 1, edges());
        let x = Array2::from_shape_fn((rows, 3), |(i, j)| T::from_f64((i * 3 + j) as f64 * 0.05 - 2.0));
        let weight: Vec<_> = (0..width * all).map(|i| T::from_f64((i as f64 * 0.7).sin())).collect();
        let bias: Vec<_> = (0..2 * width).map(|i| T::from_f64((i as f64).cos())).collect();
        let delta = Array2::from_shape_fn((rows, stride), |(i, j)| T::from_f64(((i + 5 * j) as f64).sin()));
        let (bins, mut to, mut reach) = (Bins::new(&edges), vec![T::ZERO; rows * stride], vec![T::ZERO; rows]);
        let (view, to_of) = (x.view(), (&mut to[..], stride, 1));
        let (columns, reach_of) = (&COLUMNS, (&mut reach[..], 1));
        dispatch(Piecewise { x: view, columns, bins: &bins, weight: &weight, bias: &bias, to: to_of, reach: reach_of });
        let mut sums = vec![T::ZERO; width * all];
        let delta_of = delta.slice(s![.., 1..]);
        dispatch(AddPassed { sums: &mut sums, rows: 0..width, width, x: view, columns, bins: &bins, delta: delta_of });
        let mut gradient = vec![0.0; width * all];
        for row in 0..rows {
            let mut bound = 0.0f64;
            for (place, edges) in edges.iter().enumerate() {
                let (x, at) = (x[(row, COLUMNS[place])].to_f64(), 1 + place * (width + 1));
                let own: Vec<_> = (0..edges.len() - 1).map(|bin| passed(x, edges, bin)).collect();
                bound = own.iter().fold(bound, |bound, passed| bound.max(passed.abs()));
                assert!(to[row * stride + at].to_f64() == x);
                for sum in 0..width {
                    let first = sum * all + place * 19;
                    let terms = own.iter().zip(&weight[first..]).map(|(passed, weight)| passed * weight.to_f64());
                    let expected = bias[place * width + sum].to_f64() + terms.sum::<f64>();
                    assert!((to[row * stride + at + 1 + sum].to_f64() - expected).abs() < tolerance);
                    let delta = delta[(row, at + 1 + sum)].to_f64();
                    gradient[first..].iter_mut().zip(&own).for_each(|(sum, passed)| *sum += passed * delta);
                }
            }
            assert!(reach[row].to_f64() >= bound * (1.0 - tolerance) || bound <= 1.0);
        }
        assert!(sums.iter().zip(&gradient).all(|(sum, exact)| (sum.to_f64() - exact).abs() < tolerance));
    }

    #[test]
    fn values_and_gradients_are_as_the_formula_at_every_level() {
        at_every_level(|_| {
            for width in 1..=9 {
                is_as_the_formula::<f32>(width, 1e-4);
                is_as_the_formula::<f64>(width, 1e-12);
            }
        });
    }
}
