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
    len: usize,
    of: PhantomData<T>,
}

impl<T: Scalar> Buffer<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
        Buffer { lines: vec![Line([0; 64]); lines], len, of: PhantomData }
    }
}

impl<T: Scalar> Deref for Buffer<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `lines` holds `len` numbers, aligned, all bytes written; any bytes are a number.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Scalar> DerefMut for Buffer<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `self` is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
