//! Blocks of a matrix copied to where they are read fast.

use super::operand::Operand;
use super::strips::Strips;
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

// Kernels apart, since the compiler would compute what they need at the beginning of every product.

/// Packs the rows of `a` from the first to the end, as [`pack_strips`] does.
pub struct PackStrips<T> {
    pub to: *mut T,
    pub a: Operand<T>,
    pub inner: (usize, usize),
    pub rows: (usize, usize),
}

impl<T: Scalar> Kernel for PackStrips<T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        // SAFETY: who calls it apart vouches for both blocks.
        unsafe { pack_strips::<T, I>(self.to, self.a, self.inner, Strips::of::<I>(self.rows.0, self.rows.1)) };
    }
}

/// Packs some columns of `b`, as [`pack_panel`] does.
pub struct PackPanel<T> {
    pub to: *mut T,
    pub b: Operand<T>,
    pub inner: (usize, usize),
    pub columns: (usize, usize),
    pub padded: usize,
}

impl<T: Scalar> Kernel for PackPanel<T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        // SAFETY: as above.
        unsafe { pack_panel::<T, I>(self.to, self.b, self.inner, self.columns, self.padded) };
    }
}

/// Copies a panel of `b`, `count` rows from `first` of `width` columns from `col`, row after row, each padded with zeros.
///
/// # Safety
/// The panel must lie in `b`, and `count * padded` numbers in `to`, and behind them a register.
#[inline(always)]
pub unsafe fn pack_panel<T: Scalar, I: Isa>(
    to: *mut T,
    b: Operand<T>,
    (first, count): (usize, usize),
    (col, width): (usize, usize),
    padded: usize,
) {
    let lanes = T::Vector::<I>::LANES;
    // SAFETY: the caller vouches for both blocks.
    unsafe {
        let from = b.at(first, col);
        if !b.by_rows() {
            if width < padded {
                std::slice::from_raw_parts_mut(to, count * padded).fill(T::ZERO);
            }
            transpose::<T, I>(from, b.col, (width, count), to, padded);
        } else if width == padded && padded >= lanes {
            for p in 0..count {
                for n in 0..padded / lanes {
                    T::Vector::<I>::load(from.add(p * b.row + n * lanes)).store(to.add(p * padded + n * lanes));
                }
            }
        } else if width > lanes {
            for p in 0..count {
                T::Vector::<I>::load(from.add(p * b.row)).store(to.add(p * padded));
                let rest = std::slice::from_raw_parts(from.add(p * b.row + lanes), width - lanes);
                T::Vector::<I>::read(rest).store(to.add(p * padded + lanes));
            }
        } else {
            // Of a narrower row, the zeros behind it give way to the next one.
            for p in 0..count {
                let row = std::slice::from_raw_parts(from.add(p * b.row), width);
                T::Vector::<I>::read(row).store(to.add(p * padded));
            }
        }
    }
}

/// Copies strips of `a`, as tall as tiles are, of `count` inner indices from `first`: a column of each strip after the other.
/// `strips` gives the first row of each, and its height.
///
/// # Safety
/// The strips must lie in `a`, and as many numbers in `to`.
#[inline(always)]
unsafe fn pack_strips<T: Scalar, I: Isa>(
    to: *mut T,
    a: Operand<T>,
    (first, count): (usize, usize),
    strips: impl Iterator<Item = (usize, usize)> + Clone,
) {
    // SAFETY: the caller vouches for both blocks.
    unsafe {
        let mut place = to;
        if a.by_rows() {
            for (row, height) in strips {
                transpose::<T, I>(a.at(row, first), a.row, (height, count), place, height);
                place = place.add(height * count);
            }
            return;
        }
        for p in 0..count {
            let mut place = to;
            for (row, height) in strips.clone() {
                let (from, to) = (a.at(row, first + p), place.add(p * height));
                match height {
                    12 => copy::<T, 12>(from, to),
                    8 => copy::<T, 8>(from, to),
                    6 => copy::<T, 6>(from, to),
                    _ => (0..height).for_each(|r| *to.add(r) = *from.add(r)),
                }
                place = place.add(height * count);
            }
        }
    }
}

/// # Safety
/// `N` numbers to read, and to write.
#[inline(always)]
unsafe fn copy<T: Copy, const N: usize>(from: *const T, to: *mut T) {
    // SAFETY: the caller's promise; an array has no stricter alignment than its elements.
    unsafe { *to.cast::<[T; N]>() = *from.cast::<[T; N]>() }
}

/// Copies element (i, j) of some rows and columns to (j, i); the strides are from one row to the next.
///
/// # Safety
/// All elements must be there, and their places.
#[inline(always)]
unsafe fn transpose<T: Scalar, I: Isa>(
    from: *const T,
    stride: usize,
    (rows, cols): (usize, usize),
    to: *mut T,
    to_stride: usize,
) {
    // SAFETY: the caller vouches for all elements.
    unsafe {
        if fits::<T::Vector<I>>(rows, cols) {
            uprights::<T::Vector<I>>(from, stride, (rows, cols), to, to_stride);
        } else if fits::<<T::Vector<I> as Vector>::Half>(rows, cols) {
            uprights::<<T::Vector<I> as Vector>::Half>(from, stride, (rows, cols), to, to_stride);
        } else if rows >= 4 && cols >= 4 {
            for i in places(rows, 4) {
                for j in places(cols, 4) {
                    T::Vector::<I>::transpose_four(
                        from.add(i * stride + j),
                        stride,
                        to.add(j * to_stride + i),
                        to_stride,
                    );
                }
            }
        } else {
            for i in 0..rows {
                for j in 0..cols {
                    *to.add(j * to_stride + i) = *from.add(i * stride + j);
                }
            }
        }
    }
}

/// Whether there is a block of that register.
#[inline(always)]
fn fits<V: Vector>(rows: usize, cols: usize) -> bool {
    rows >= V::LANES && cols >= V::ACROSS
}

/// [`transpose`], block by block of that register.
///
/// # Safety
/// As for that, and one must fit.
#[inline(always)]
unsafe fn uprights<V: Vector>(
    from: *const V::Elem,
    stride: usize,
    (rows, cols): (usize, usize),
    to: *mut V::Elem,
    to_stride: usize,
) {
    for i in places(rows, V::LANES) {
        for j in places(cols, V::ACROSS) {
            // SAFETY: the caller's promise.
            unsafe { V::upright(from.add(i * stride + j), stride, to.add(j * to_stride + i), to_stride) };
        }
    }
}

/// Where pieces of that length begin that cover another: the last one overlaps the one before it, where it must.
#[inline(always)]
fn places(len: usize, piece: usize) -> impl Iterator<Item = usize> {
    (0..len.div_ceil(piece)).map(move |place| (place * piece).min(len - piece))
}
