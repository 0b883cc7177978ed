//! Memory for numbers, aligned to a cache line.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::scalar::Scalar;

/// One cache line, which is also the widest vector register.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A fixed number of numbers that begin on a cache line.
#[derive(Clone)]
pub struct Buffer<T> {
    lines: Vec<Line>,
    /// The line where the numbers begin.
    first: usize,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Scalar> Buffer<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Buffer { lines: vec![Line([0; 64]); Self::lines(len)], first: 0, len, of: PhantomData }
    }

    /// `len` zeros, for the `index`-th of several arrays that are walked side by side.
    ///
    /// A processor that has just stored at some place in a block of 4 KiB hesitates to load from the same place in another
    /// one: such arrays had better begin at different ones.
    pub fn staggered(len: usize, index: usize) -> Self {
        const BLOCK: usize = 4096 / size_of::<Line>();
        const APART: usize = 20;
        let lines = vec![Line([0; 64]); Self::lines(len) + BLOCK - 1];
        let wanted = (APART * index + APART / 2) % BLOCK;
        let first = (wanted + BLOCK - lines.as_ptr().addr() / size_of::<Line>() % BLOCK) % BLOCK;
        Buffer { lines, first, len, of: PhantomData }
    }

    fn lines(len: usize) -> usize {
        (len * size_of::<T>()).div_ceil(size_of::<Line>())
    }
}

impl<T: Scalar> Default for Buffer<T> {
    /// Of no numbers.
    fn default() -> Self {
        Self::zeroed(0)
    }
}

impl<T: Scalar> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        let lines = &self.lines[self.first..];
        // SAFETY: `lines` holds `len` numbers, aligned, all bytes written; any bytes are a number.
        unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Scalar> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        let lines = &mut self.lines[self.first..];
        // SAFETY: as for `deref`, and `self` is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), self.len) }
    }
}
