//! Memory that the workers of a team share.

use std::marker::PhantomData;
use std::ops::Range;

/// A slice that the workers of a team share, each writing to its own part.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    ptr: *mut T,
    len: usize,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: `Shared` only hands out parts through unsafe functions whose callers keep the parts apart.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Shares a slice for as long as it is borrowed.
    pub fn new(slice: &'a mut [T]) -> Self {
        Shared { ptr: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// How many elements the whole slice has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where a part lies.
    #[inline(always)]
    pub fn part(&self, part: Range<usize>) -> *mut T {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part lies in the slice.
        unsafe { self.ptr.add(part.start) }
    }

    /// A part to read.
    ///
    /// # Safety
    /// Until the workers meet next, nobody may write to the part.
    #[inline(always)]
    pub unsafe fn read(&self, part: Range<usize>) -> &'a [T] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part lies in the slice; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(self.ptr.add(part.start), part.len()) }
    }

    /// A part to write.
    ///
    /// # Safety
    /// Until the workers meet next, nobody else may read or write the part.
    #[inline(always)]
    pub unsafe fn write(&self, part: Range<usize>) -> &'a mut [T] {
        assert!(part.start <= part.end && part.end <= self.len);
        // SAFETY: the part lies in the slice; the caller keeps all others away.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(part.start), part.len()) }
    }
}
