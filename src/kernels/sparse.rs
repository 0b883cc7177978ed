//! Products with a matrix of which only the elements that are not zero are stored: compressed sparse rows (CSR).
//!
//! An element is the chain of fused multiply-adds of [`super::matmul`] without the terms that are zero, hence the same
//! number, bit for bit, as long as the other factor is finite.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::matmul::{CHAINS, NARROW, add_in_pairs};
use crate::error::{Error, Result};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector, prefetch};

/// Integers of either of SciPy's two widths.
#[derive(Clone, Copy)]
pub enum Indices<'a> {
    /// int32.
    Short(&'a [i32]),
    /// int64.
    Long(&'a [i64]),
}

impl<'a> Indices<'a> {
    fn len(self) -> usize {
        match self {
            Indices::Short(all) => all.len(),
            Indices::Long(all) => all.len(),
        }
    }

    /// One of them; what is negative becomes larger than any length.
    #[inline(always)]
    fn at(self, i: usize) -> usize {
        match self {
            Indices::Short(all) => all[i] as usize,
            Indices::Long(all) => all[i] as usize,
        }
    }

    fn slice(self, range: Range<usize>) -> Self {
        match self {
            Indices::Short(all) => Indices::Short(&all[range]),
            Indices::Long(all) => Indices::Long(&all[range]),
        }
    }

    fn prefetch(self, i: usize) {
        match self {
            Indices::Short(all) => prefetch(all.as_ptr().wrapping_add(i)),
            Indices::Long(all) => prefetch(all.as_ptr().wrapping_add(i)),
        }
    }
}

/// A view of a sparse matrix, or of some of its rows in some order.
///
/// Made from checked arrays; yet nothing here is out of bounds or panics if somebody changes them later.
#[derive(Clone, Copy)]
pub struct Csr<'a, T> {
    values: &'a [T],
    columns: Indices<'a>,
    starts: Indices<'a>,
    width: usize,
    order: Option<&'a [u32]>,
}

impl<'a, T: Scalar> Csr<'a, T> {
    /// A matrix of `width` columns. Row i has `values[starts[i]..starts[i + 1]]` in `columns` of the same range, which
    /// increase.
    pub fn new(values: &'a [T], columns: Indices<'a>, starts: Indices<'a>, width: usize) -> Result<Self> {
        let fault = |got: String, expected: &str| Err(Error::value("X", got, expected));
        if columns.len() != values.len() {
            let got = format!("{} and {}", columns.len(), values.len());
            return fault(got, "a sparse matrix with as many indices as data");
        }
        let expected = "a sparse matrix whose indptr begins with 0, never falls and ends within the data";
        let rows = starts.len().saturating_sub(1);
        if starts.len() == 0 || starts.at(0) != 0 || starts.at(rows) > values.len() {
            return fault(format!("an indptr of length {} for {} data", starts.len(), values.len()), expected);
        }
        for row in 0..rows {
            let range = starts.at(row)..starts.at(row + 1);
            if range.start > range.end || range.end > values.len() {
                return fault(format!("{range:?} for row {row}"), expected);
            }
            let mut least = 0;
            for k in range {
                let column = columns.at(k);
                if column < least || column >= width {
                    let expected = format!("a sparse matrix whose indices increase in each row, below {width}");
                    return fault(format!("{} after {least} others in row {row}", column as isize), &expected);
                }
                least = column + 1;
            }
        }
        Ok(Csr { values, columns, starts, width, order: None })
    }

    /// The number of rows.
    pub fn nrows(&self) -> usize {
        self.order.map_or(self.starts.len() - 1, <[u32]>::len)
    }

    /// The number of columns.
    pub fn ncols(&self) -> usize {
        self.width
    }

    /// Some rows of the whole matrix, in that order.
    pub fn take(self, order: &'a [u32]) -> Self {
        Csr { order: Some(order), ..self }
    }

    /// Consecutive rows of the whole matrix.
    pub fn slice(self, rows: Range<usize>) -> Self {
        debug_assert!(self.order.is_none());
        Csr { starts: self.starts.slice(rows.start..rows.end + 1), ..self }
    }

    /// Where a row's elements lie.
    #[inline(always)]
    fn row(&self, row: usize) -> Range<usize> {
        let row = self.order.map_or(row, |order| order[row] as usize);
        self.starts.at(row).min(self.values.len())..self.starts.at(row + 1).min(self.values.len())
    }

    /// The elements of a row that are not zero.
    pub fn values(&self, row: usize) -> &'a [T] {
        self.values.get(self.row(row)).unwrap_or_default()
    }

    /// Where a row's elements lie whose columns are not less than `first`.
    #[inline(always)]
    fn row_from(&self, row: usize, first: usize) -> Range<usize> {
        let Range { mut start, end } = self.row(row);
        let mut stop = end;
        while first > 0 && start < stop {
            let middle = start.midpoint(stop);
            if self.columns.at(middle) < first {
                start = middle + 1;
            } else {
                stop = middle;
            }
        }
        start..end
    }

    /// Elements and their columns, as far as those lie in `columns`. Somebody may have changed the arrays meanwhile.
    #[inline(always)]
    fn terms(
        &self,
        elements: Range<usize>,
        columns: Range<usize>,
    ) -> impl Iterator<Item = (T, usize)> + Clone + use<'a, T> {
        let (values, all) = (self.values, self.columns);
        elements
            .map(move |k| (values[k], all.at(k)))
            .take_while(move |&(_, column)| column < columns.end)
            .filter(move |&(_, column)| column >= columns.start)
    }

    /// Asks for the first cache lines of a row.
    pub fn prefetch(&self, row: usize) {
        let start = self.row(row).start;
        prefetch(self.values.as_ptr().wrapping_add(start));
        self.columns.prefetch(start);
    }

    /// Writes a row with all its zeros.
    #[cfg(test)]
    fn dense(&self) -> ndarray::Array2<T> {
        let mut all = ndarray::Array2::from_elem((self.nrows(), self.width), T::ZERO);
        for row in 0..self.nrows() {
            self.row(row).for_each(|k| all[[row, self.columns.at(k)]] = self.values[k]);
        }
        all
    }
}

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
            let terms = x.terms(x.row(row), 0..x.width);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matmul::tests::numbers;
    use crate::kernels::matmul::{Init, Scratch, matmul};
    use crate::simd::{self, dispatch};
    use ndarray::s;

    /// About a third of the elements, some rows empty.
    fn sparse<T: Scalar>(rows: usize, cols: usize) -> (Vec<T>, Vec<i32>, Vec<i64>) {
        let all = numbers::<T>(rows, cols, 9);
        let (mut values, mut columns, mut starts) = (vec![], vec![], vec![0]);
        for (i, row) in all.rows().into_iter().enumerate() {
            for (j, &x) in row.iter().enumerate().filter(|(j, _)| (i * 5 + j * 7) % 3 == 0 && i % 4 != 1) {
                values.push(x);
                columns.push(j as i32);
            }
            starts.push(values.len() as i64);
        }
        (values, columns, starts)
    }

    fn check<T: Scalar>(rows: usize, depth: usize, cols: usize) {
        let (values, columns, starts) = sparse::<T>(rows, depth);
        let x = Csr::new(&values, Indices::Short(&columns), Indices::Long(&starts), depth).unwrap();
        let order: Vec<u32> = (0..=rows as u32 / 2).map(|i| i * 7 % rows as u32).collect();
        let mut scratch = Scratch::new(depth.max(rows));
        for x in [x, x.slice(rows / 3..rows), x.take(&order)] {
            let (all, b, bias) = (x.dense(), numbers::<T>(depth, cols, 2), numbers::<T>(1, cols, 3));
            let bias = bias.as_slice().unwrap();
            let (mut out, mut expected) = (numbers(x.nrows(), cols + 3, 4), numbers(x.nrows(), cols + 3, 4));
            matmul(expected.slice_mut(s![.., ..cols]), Init::Row(bias), all.view(), b.view(), &mut scratch);
            dispatch(Product { out: out.slice_mut(s![.., ..cols]), bias, x, b: b.as_slice().unwrap() });
            assert!(out == expected, "{} product {rows}x{depth}x{cols}", T::NAME);

            let delta = numbers::<T>(x.nrows(), cols, 5);
            for part in [0..depth, depth / 3..depth / 2 + 1] {
                let (mut sums, mut expected) = (numbers(part.len(), cols, 6), numbers(part.len(), cols, 6));
                let a = all.slice(s![.., part.clone()]).reversed_axes();
                matmul(expected.view_mut(), Init::Keep, a, delta.view(), &mut scratch);
                let sums_of = sums.as_slice_mut().unwrap();
                dispatch(AddTransposed { sums: sums_of, x, columns: part, b: delta.view() });
                assert!(sums == expected, "{} transposed {rows}x{depth}x{cols}", T::NAME);
            }
        }
    }

    #[test]
    fn products_are_the_dense_ones_bit_for_bit_at_every_level() {
        simd::at_every_level(|_| {
            for rows in [2, 5, 40] {
                for depth in [2, 17, 300, 600] {
                    for cols in [1, 2, 4, 5, 10, 16, 33, 64] {
                        check::<f32>(rows, depth, cols);
                        check::<f64>(rows, depth, cols);
                    }
                }
            }
        });
    }

    #[test]
    fn broken_arrays_are_refused() {
        let new = |columns: &[i64], starts: &[i64]| {
            Csr::new(&[1.0f32; 4], Indices::Long(columns), Indices::Long(starts), 3).map(|_| ())
        };
        assert_eq!(new(&[0, 2, 1, 0], &[0, 2, 3, 4]), Ok(()));
        let cases: [(&[i64], &[i64]); 10] = [
            (&[0, 2, 1], &[0, 2, 3]),       // fewer indices than data
            (&[0, 2, 1, 0], &[]),           // no indptr
            (&[0, 2, 1, 0], &[1, 2, 3, 4]), // does not begin with 0
            (&[0, 2, 1, 0], &[0, 3, 2, 4]), // falls
            (&[0, 2, 1, 0], &[0, 2, 3, 5]), // beyond the data
            (&[0, 2, 1, 0], &[0, 9, 3, 4]), // beyond the data, and back
            (&[0, 2, 1, 0], &[0, -1, 3, 4]),
            (&[0, 3, 1, 0], &[0, 2, 3, 4]), // a column too many
            (&[-1, 2, 1, 0], &[0, 2, 3, 4]),
            (&[1, 1, 1, 0], &[0, 2, 3, 4]), // twice the same
        ];
        for (columns, starts) in cases {
            assert!(new(columns, starts).is_err(), "{columns:?} {starts:?}");
        }
    }
}
