//! Vector registers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::scalar::Scalar;

/// The lanes of the largest register.
pub const MOST_LANES: usize = 16;

/// A register of `LANES` numbers.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What it holds.
    type Elem: Scalar;
    /// A register of half as many lanes, where the processor has one that is as quick; else this one.
    type Half: Vector<Elem = Self::Elem>;
    /// How many.
    const LANES: usize;
    /// As [`Isa::CAREFUL`](super::isa::Isa::CAREFUL).
    const CAREFUL: bool = Self::LANES == 1;

    /// All lanes the same.
    fn splat(x: Self::Elem) -> Self;
    /// Reads `LANES` numbers.
    ///
    /// # Safety
    /// `from` must be readable for `LANES` numbers.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes `LANES` numbers.
    ///
    /// # Safety
    /// `to` must be writable for `LANES` numbers.
    unsafe fn store(self, to: *mut Self::Elem);
    /// `self * a + b`, lane by lane, as [`Isa::fma`](super::isa::Isa::fma).
    fn fma(self, a: Self, b: Self) -> Self;
    /// The larger of two; `other` where one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller of two; `other` where one is NaN.
    fn min(self, other: Self) -> Self;
    /// Square root: in single precision within 1e-7 of it, relatively; 0 and infinity are their own.
    fn sqrt(self) -> Self;

    /// Reads the first `LANES` numbers of a slice.
    #[inline(always)]
    fn full(from: &[Self::Elem]) -> Self {
        assert!(from.len() >= Self::LANES);
        // SAFETY: so many are there.
        unsafe { Self::load(from.as_ptr()) }
    }
    /// Writes to the first `LANES` places of a slice.
    #[inline(always)]
    fn put(self, to: &mut [Self::Elem]) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: so many are there.
        unsafe { self.store(to.as_mut_ptr()) }
    }
    /// Reads a slice of at most `LANES` numbers; the other lanes are 0.
    #[inline(always)]
    fn read(from: &[Self::Elem]) -> Self {
        let mut all = [Self::Elem::ZERO; MOST_LANES];
        all[..from.len()].copy_from_slice(from);
        // SAFETY: no register has more lanes.
        unsafe { Self::load(all.as_ptr()) }
    }
    /// Writes its first lanes to a slice of at most `LANES` numbers.
    #[inline(always)]
    fn write(self, to: &mut [Self::Elem]) {
        let mut all = [Self::Elem::ZERO; MOST_LANES];
        // SAFETY: no register has more lanes.
        unsafe { self.store(all.as_mut_ptr()) };
        to.copy_from_slice(&all[..to.len()]);
    }

    /// Copies a square of 4 by 4, element (i, j) to (j, i); the strides are from one row to the next.
    ///
    /// # Safety
    /// `from` must be readable, `to` writable, for the whole square.
    #[inline(always)]
    unsafe fn transpose_four(from: *const Self::Elem, stride: usize, to: *mut Self::Elem, to_stride: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: the caller vouches for both squares.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * stride + j) };
            }
        }
    }

    /// Columns of the block that [`Vector::upright`] copies: sixteen bytes, which all processors read and turn alike.
    const ACROSS: usize = 16 / size_of::<Self::Elem>();
    /// Copies `LANES` rows of `ACROSS` columns, element (i, j) to (j, i): a column fills a register; the strides are from one
    /// row to the next.
    ///
    /// # Safety
    /// `from` must be readable, `to` writable, for the whole block.
    #[inline(always)]
    unsafe fn upright(from: *const Self::Elem, stride: usize, to: *mut Self::Elem, to_stride: usize) {
        for i in 0..Self::LANES {
            for j in 0..Self::ACROSS {
                // SAFETY: the caller vouches for both blocks.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * stride + j) };
            }
        }
    }
}
