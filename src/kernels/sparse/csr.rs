//! Compressed sparse rows, and views of some of them.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::pool;
use crate::scalar::Scalar;
use crate::simd::prefetch;

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

/// What the beginnings of rows must be.
const INDPTR: &str = "a sparse matrix whose indptr begins with 0, never falls and ends within the data";
/// Elements that a thread checks together, in about 0.1 ms.
const CHECKED_TOGETHER: usize = 256 * 1024;

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
    /// increase. All of that is checked, by up to `threads` threads.
    pub fn new(
        values: &'a [T],
        columns: Indices<'a>,
        starts: Indices<'a>,
        width: usize,
        threads: usize,
    ) -> Result<Self> {
        if columns.len() != values.len() {
            let got = format!("{} and {}", columns.len(), values.len());
            return Err(Error::value("X", got, "a sparse matrix with as many indices as data"));
        }
        let rows = starts.len().saturating_sub(1);
        if starts.len() == 0 || starts.at(0) != 0 || starts.at(rows) > values.len() {
            let got = format!("an indptr of length {} for {} data", starts.len(), values.len());
            return Err(Error::value("X", got, INDPTR));
        }
        let matrix = Csr { values, columns, starts, width, order: None };
        let together = (rows * CHECKED_TOGETHER / values.len().max(1)).max(1);
        let fault =
            pool::find_first(rows, together, threads, |rows| rows.into_iter().find_map(|row| matrix.fault(row)));
        fault.map_or(Ok(matrix), Err)
    }

    /// What is wrong with a row of the whole matrix, if anything is.
    fn fault(&self, row: usize) -> Option<Error> {
        let range = self.starts.at(row)..self.starts.at(row + 1);
        if range.start > range.end || range.end > self.values.len() {
            return Some(Error::value("X", format!("{range:?} for row {row}"), INDPTR));
        }
        let mut least = 0;
        for k in range {
            let column = self.columns.at(k);
            if column < least || column >= self.width {
                let before = if least > 0 { format!(" after {}", least - 1) } else { String::new() };
                let got = format!("{}{before} in row {row}", column as isize);
                let expected = format!("a sparse matrix whose indices increase in each row, below {}", self.width);
                return Some(Error::value("X", got, expected));
            }
            least = column + 1;
        }
        None
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
        match self.order {
            Some(order) => Csr { order: Some(&order[rows]), ..self },
            None => Csr { starts: self.starts.slice(rows.start..rows.end + 1), ..self },
        }
    }

    /// Where a row's elements lie.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> Range<usize> {
        let row = self.order.map_or(row, |order| order[row] as usize);
        self.starts.at(row).min(self.values.len())..self.starts.at(row + 1).min(self.values.len())
    }

    /// The elements of a row that are not zero.
    pub fn values(&self, row: usize) -> &'a [T] {
        self.values.get(self.row(row)).unwrap_or_default()
    }

    /// Where a row's elements lie whose columns are not less than `first`.
    #[inline(always)]
    pub(super) fn row_from(&self, row: usize, first: usize) -> Range<usize> {
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
    pub(super) fn terms(
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
    pub(super) fn dense(&self) -> ndarray::Array2<T> {
        let mut all = ndarray::Array2::from_elem((self.nrows(), self.width), T::ZERO);
        for row in 0..self.nrows() {
            self.row(row).for_each(|k| all[[row, self.columns.at(k)]] = self.values[k]);
        }
        all
    }
}
