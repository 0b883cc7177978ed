//! The two products of a layer with sparse inputs.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::csr::Csr;
use crate::kernels::matmul::{CHAINS, NARROW, add_in_pairs};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

/// `out = bias + x · b`; `b` is row-major, the rows of `out` are contiguous.
pub struct Product<'a, T> {
    /// The result.
    pub out: ArrayViewMut2<'a, T>,
    /// What each row begins with, one number for each column of `b`.
    pub bias: &'a [T],
    /// The sparse matrix.
    pub x: Csr<'a, T>,
    /// The dense one.
    pub b: &'a [T],
}

impl<T: Scalar> Kernel for Product<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Product { mut out, bias, x, b } = self;
        let (cols, lanes) = (bias.len(), T::Vector::<I>::LANES);
        assert!(out.dim() == (x.nrows(), cols) && b.len() == x.ncols() * cols, "shapes of a product disagree");
        for (row, mut out) in out.rows_mut().into_iter().enumerate() {
            let out = out.as_slice_mut().expect("the output of a product has contiguous rows");
            let terms = x.terms(x.row(row), 0..x.ncols());
            if cols <= NARROW {
                let mut chains = [[T::ZERO; CHAINS]; NARROW];
                for (value, column) in terms {
                    for (chains, &b) in chains.iter_mut().zip(&b[column * cols..][..cols]) {
                        let chain = &mut chains[column % CHAINS];
                        *chain = I::fma(value, b, *chain);
                    }
                }
                for ((out, &bias), chains) in out.iter_mut().zip(bias).zip(chains) {
                    *out = bias + add_in_pairs(chains);
                }
            } else if cols < lanes {
                out.copy_from_slice(bias);
                terms.for_each(|(value, column)| axpy::<T, I>(value, &b[column * cols..][..cols], out));
            } else {
                let mut col = 0;
                while col < cols {
                    // The last registers reach back to columns that are done: they come out the same again.
                    let registers = (cols - col).div_ceil(lanes).min(cols / lanes);
                    let terms = terms.clone();
                    col = match registers {
                        8.. => stretch::<T, I, 8>(out, bias, b, terms, col),
                        4.. => stretch::<T, I, 4>(out, bias, b, terms, col),
                        2.. => stretch::<T, I, 2>(out, bias, b, terms, col),
                        _ => stretch::<T, I, 1>(out, bias, b, terms, col),
                    };
                }
            }
        }
    }
}

/// N registers of a row of a product from column `col`, or further left where they would reach beyond the last one. Returns
/// the column after them.
#[inline(always)]
fn stretch<T: Scalar, I: Isa, const N: usize>(
    out: &mut [T],
    bias: &[T],
    b: &[T],
    terms: impl Iterator<Item = (T, usize)>,
    col: usize,
) -> usize {
    let (cols, lanes) = (out.len(), T::Vector::<I>::LANES);
    let col = col.min(cols - N * lanes);
    let range = col..col + N * lanes;
    let (out, bias) = (&mut out[range.clone()], &bias[range.clone()]);
    let mut sums: [T::Vector<I>; N] = std::array::from_fn(|n| T::Vector::<I>::full(&bias[n * lanes..]));
    for (value, column) in terms {
        let (value, b) = (T::Vector::<I>::splat(value), &b[column * cols..][range.clone()]);
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = value.fma(T::Vector::<I>::full(&b[n * lanes..]), *sum);
        }
    }
    sums.iter().enumerate().for_each(|(n, sum)| sum.put(&mut out[n * lanes..]));
    range.end
}

/// `to += value * from`.
#[inline(always)]
fn axpy<T: Scalar, I: Isa>(value: T, from: &[T], to: &mut [T]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = I::fma(value, from, *to));
}

/// `sums += xᵀ · b` for some columns of `x`; the rows of `b` are contiguous, `sums` is row-major.
pub struct AddTransposed<'a, T> {
    /// One row for each of the columns.
    pub sums: &'a mut [T],
    /// The sparse matrix.
    pub x: Csr<'a, T>,
    /// Which of its columns.
    pub columns: Range<usize>,
    /// The dense one.
    pub b: ArrayView2<'a, T>,
}

impl<T: Scalar> Kernel for AddTransposed<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let AddTransposed { sums, x, columns, b } = self;
        let cols = b.ncols();
        assert!(b.nrows() == x.nrows() && sums.len() == columns.len() * cols, "shapes of a product disagree");
        for (row, b) in b.rows().into_iter().enumerate() {
            let b = b.to_slice().expect("the factor of a product has contiguous rows");
            let terms = x.terms(x.row_from(row, columns.start), columns.clone());
            let lanes = T::Vector::<I>::LANES;
            let mut col = 0;
            while col < cols {
                let terms = terms.clone().map(|(value, column)| (value, column - columns.start));
                col = match (cols - col) / lanes {
                    8.. => spread::<T, I, 8>(sums, b, terms, col),
                    4.. => spread::<T, I, 4>(sums, b, terms, col),
                    2.. => spread::<T, I, 2>(sums, b, terms, col),
                    1 => spread::<T, I, 1>(sums, b, terms, col),
                    _ => {
                        terms.for_each(|(value, at)| axpy::<T, I>(value, &b[col..], &mut sums[at * cols..][col..cols]));
                        cols
                    }
                };
            }
        }
    }
}

/// Adds N registers of a row, from column `col`, times each of the terms to its row of `sums`. Returns the column after them.
#[inline(always)]
fn spread<T: Scalar, I: Isa, const N: usize>(
    sums: &mut [T],
    b: &[T],
    terms: impl Iterator<Item = (T, usize)>,
    col: usize,
) -> usize {
    let (cols, lanes) = (b.len(), T::Vector::<I>::LANES);
    let range = col..col + N * lanes;
    let kept: [T::Vector<I>; N] = std::array::from_fn(|n| T::Vector::<I>::full(&b[range.clone()][n * lanes..]));
    for (value, at) in terms {
        let (value, sums) = (T::Vector::<I>::splat(value), &mut sums[at * cols..][range.clone()]);
        for (n, b) in kept.iter().enumerate() {
            let sum = &mut sums[n * lanes..];
            value.fma(*b, T::Vector::<I>::full(sum)).put(sum);
        }
    }
    range.end
}
