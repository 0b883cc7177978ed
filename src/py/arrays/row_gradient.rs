//! A gradient that has only some rows: those of the parameters' axis 0 that are named.

use std::ops::Range;

use crate::buffer::with_capacity;
use crate::error::Result;
use crate::scalar::Scalar;

/// What errors call the memory of such a gradient.
pub const WHAT: &str = "a gradient of some rows";

/// The rows that have a gradient, each once and in the order of the parameter's memory, with their gradients.
///
/// In that order the axes before axis 0 have `outer` elements together, those behind it `inner`: a row lies in `outer` pieces
/// of `inner` elements each.
pub struct RowGradient<T> {
    /// In ascending order.
    rows: Vec<usize>,
    /// By outer axes, rows, inner axes.
    values: Vec<T>,
    /// Length of the parameter's axis 0.
    len: usize,
    inner: usize,
}

impl<T: Scalar> RowGradient<T> {
    /// From rows below `len`, in any order; `values` has `outer` times for each of them `inner` numbers. Gradients of the same
    /// row are added in their order.
    pub fn new(rows: &[usize], values: &[T], len: usize, outer: usize, inner: usize) -> Result<Self> {
        debug_assert_eq!(values.len(), outer * rows.len() * inner);
        let mut order = with_capacity(rows.len(), WHAT)?;
        order.extend(0..rows.len());
        // The same row's gradients stay in order.
        order.sort_unstable_by_key(|&i| (rows[i], i));
        let mut unique = with_capacity(rows.len(), WHAT)?;
        unique.extend(order.iter().map(|&i| rows[i]));
        unique.dedup();
        let mut summed = with_capacity(outer * unique.len() * inner, WHAT)?;
        for block in 0..outer {
            let mut last = None;
            for &i in &order {
                let row = &values[(block * rows.len() + i) * inner..][..inner];
                if last == Some(rows[i]) {
                    let start = summed.len() - inner;
                    summed[start..].iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
                } else {
                    summed.extend_from_slice(row);
                    last = Some(rows[i]);
                }
            }
        }
        Ok(RowGradient { rows: unique, values: summed, len, inner })
    }

    /// The gradients one after the other.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Which of the parameter's elements a gradient belongs to.
    pub fn place(&self, position: usize) -> usize {
        let (line, column) = (position / self.inner, position % self.inner);
        let (block, row) = (line / self.rows.len(), line % self.rows.len());
        (block * self.len + self.rows[row]) * self.inner + column
    }

    /// Calls `visit(place, gradients)` for runs of neighbours among a range of the gradients.
    pub fn for_each(&self, range: Range<usize>, mut visit: impl FnMut(usize, &[T])) {
        let mut start = range.start;
        while start < range.end {
            let place = self.place(start);
            let mut end = (start / self.inner + 1) * self.inner;
            while end < range.end && self.place(end) - place == end - start {
                end += self.inner;
            }
            let end = end.min(range.end);
            visit(place, &self.values[start..end]);
            start = end;
        }
    }
}
