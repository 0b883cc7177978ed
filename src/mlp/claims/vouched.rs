//! The one place that trusts what the callers of unsafe constructors have said.

use std::ops::Range;

use ndarray::{ArrayViewMut2, ShapeBuilder};

use crate::team::Shared;

/// What the caller of an unsafe constructor has vouched for: the parts of shared slices that a claim covers may be lent, for
/// as long and as exclusively as the claim itself is borrowed.
#[derive(Clone, Copy)]
pub(super) struct Vouched(());

impl Vouched {
    /// In the body of an unsafe constructor, or where a claim is exclusive by its borrow.
    #[inline(always)]
    pub(super) fn by_caller() -> Self {
        Vouched(())
    }

    /// A part that the claim covers.
    #[inline(always)]
    pub(super) fn read<'b, U>(self, of: Shared<'b, U>, range: Range<usize>) -> &'b [U] {
        // SAFETY: the claim that holds this token covers the range.
        unsafe { of.read(range) }
    }

    /// Some columns of rows of `stride` numbers, to write to, where the claim is borrowed mutably.
    #[inline(always)]
    pub(super) fn tile<'b, U>(
        self,
        of: Shared<'b, U>,
        (rows, stride): (Range<usize>, usize),
        cols: Range<usize>,
    ) -> ArrayViewMut2<'b, U> {
        let shape = (rows.len(), cols.len()).strides((stride, 1));
        // SAFETY: the claim covers these columns of these rows, and is borrowed mutably; `part` has checked where they end.
        unsafe { ArrayViewMut2::from_shape_ptr(shape, of.part(rows.start * stride..rows.end * stride).add(cols.start)) }
    }

    /// The same to write to, where the claim is borrowed mutably.
    #[inline(always)]
    pub(super) fn write<'b, U>(self, of: Shared<'b, U>, range: Range<usize>) -> &'b mut [U] {
        // SAFETY: as above, and the claim is borrowed mutably.
        unsafe { of.write(range) }
    }
}
