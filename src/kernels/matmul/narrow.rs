//! Products with few columns: dot products of interleaved chains.

use super::blocks::CHAINS;
use super::operand::{Start, Task};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

/// The product with at most [`NARROW`](super::NARROW) columns: dot products of rows of `a` with the columns of `b`.
pub struct Dots<'a, 'b, T>(pub &'b mut Task<'a, T>);

impl<T: Scalar> Kernel for Dots<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { out, init, a, b, rows, cols, depth, .. } = *self.0;
        let scratch = &mut self.0.scratch.panels;
        // SAFETY: `matmul` has checked that all positions below `rows`, `cols` and `depth` lie in their matrices.
        unsafe {
            // The columns of `b`, each contiguous: as they are where they already lie so.
            let (columns, apart) = if b.row == 1 {
                (b.ptr, b.col)
            } else {
                for p in 0..depth {
                    for j in 0..cols {
                        scratch[j * depth + p] = *b.at(p, j);
                    }
                }
                (scratch.as_ptr(), depth)
            };
            for j in 0..cols {
                let column = std::slice::from_raw_parts(columns.add(j * apart), depth);
                let mut sums = [[T::ZERO; CHAINS]; TOGETHER];
                let mut totals = [T::ZERO; TOGETHER];
                for i in (0..rows).step_by(TOGETHER) {
                    let count = TOGETHER.min(rows - i);
                    if count == TOGETHER {
                        chains_of_all::<T, I>(a.at(i, 0), a.row, column, &mut sums);
                        add_all_in_pairs::<T::Vector<I>>(&mut sums, &mut totals);
                    } else {
                        for r in 0..count {
                            chains_of::<T, I, 1>(a.at(i + r, 0), a.row, column, &mut sums[r..]);
                            totals[r] = add_in_pairs(sums[r]);
                        }
                    }
                    let to = out.ptr.add(i * out.row + j * out.col);
                    match init {
                        Start::Zero => put(&totals[..count], T::ZERO, to, out.row),
                        Start::Row(bias) => put(&totals[..count], *bias.add(j), to, out.row),
                        Start::Column(_) => unreachable!("a start of transposed products"),
                        Start::Keep => (0..count).for_each(|r| *to.add(r * out.row) += totals[r]),
                    }
                }
            }
        }
    }
}

/// Writes `begin` + each total, `stride` apart.
///
/// # Safety
/// All places must be writable.
#[inline(always)]
unsafe fn put<T: Scalar>(totals: &[T], begin: T, to: *mut T, stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if totals.len() == TOGETHER && stride == 1 {
            let to = std::slice::from_raw_parts_mut(to, TOGETHER);
            for r in 0..TOGETHER {
                to[r] = begin + totals[r];
            }
        } else {
            for (r, &total) in totals.iter().enumerate() {
                *to.add(r * stride) = begin + total;
            }
        }
    }
}

/// Rows whose chains are added up side by side.
const TOGETHER: usize = 8;

/// The chains of [`TOGETHER`] rows, as many of them at a time as registers hold.
///
/// # Safety
/// As for [`chains_of`].
#[inline(always)]
unsafe fn chains_of_all<T: Scalar, I: Isa>(
    rows: *const T,
    stride: usize,
    column: &[T],
    sums: &mut [[T; CHAINS]; TOGETHER],
) {
    const HALF: usize = TOGETHER / 2;
    // SAFETY: the caller's promise.
    unsafe {
        if T::Vector::<I>::LANES == CHAINS {
            chains_of::<T, I, TOGETHER>(rows, stride, column, sums);
        } else {
            chains_of::<T, I, HALF>(rows, stride, column, &mut sums[..HALF]);
            chains_of::<T, I, HALF>(rows.add(HALF * stride), stride, column, &mut sums[HALF..]);
        }
    }
}

/// The interleaved chains of the products of R rows, `stride` apart, with a column.
///
/// # Safety
/// The rows must be as long as the column.
#[inline(always)]
unsafe fn chains_of<T: Scalar, I: Isa, const R: usize>(
    rows: *const T,
    stride: usize,
    column: &[T],
    sums: &mut [[T; CHAINS]],
) {
    // SAFETY: the caller's promise.
    unsafe {
        match T::Vector::<I>::LANES {
            16 => chains::<<T::Vector<I> as Vector>::Half, R, 2>(rows, stride, column, sums),
            8 => chains::<T::Vector<I>, R, 2>(rows, stride, column, sums),
            4 => chains::<T::Vector<I>, R, 4>(rows, stride, column, sums),
            2 => chains::<T::Vector<I>, R, 8>(rows, stride, column, sums),
            _ => chains::<T::Vector<I>, R, 16>(rows, stride, column, sums),
        }
    }
}

/// The same with the chains in N registers.
///
/// # Safety
/// As for [`chains_of`].
#[inline(always)]
unsafe fn chains<V: Vector, const R: usize, const N: usize>(
    rows: *const V::Elem,
    stride: usize,
    column: &[V::Elem],
    to: &mut [[V::Elem; CHAINS]],
) {
    let depth = column.len();
    let mut sums = [[V::splat(V::Elem::default()); N]; R];
    // SAFETY: the caller vouches for the rows.
    unsafe {
        let mut p = 0;
        while p + CHAINS <= depth {
            for n in 0..N {
                let y = V::load(column.as_ptr().add(p + n * V::LANES));
                for (r, sums) in sums.iter_mut().enumerate() {
                    sums[n] = V::load(rows.add(r * stride + p + n * V::LANES)).fma(y, sums[n]);
                }
            }
            p += CHAINS;
        }
        for n in 0..N {
            let first = p + n * V::LANES;
            if first < depth {
                let last = depth.min(first + V::LANES);
                let y = V::read(&column[first..last]);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = std::slice::from_raw_parts(rows.add(r * stride + first), last - first);
                    sums[n] = V::read(x).fma(y, sums[n]);
                }
            }
        }
    }
    for (to, sums) in to[..R].iter_mut().zip(&sums) {
        for (sum, to) in sums.iter().zip(to.chunks_exact_mut(V::LANES)) {
            sum.put(to);
        }
    }
}

/// The sums of the chains of rows, each as by [`add_in_pairs`]: turned, so that the rows lie side by side.
#[inline(always)]
fn add_all_in_pairs<V: Vector>(sums: &mut [[V::Elem; CHAINS]; TOGETHER], totals: &mut [V::Elem; TOGETHER]) {
    const HALF: usize = CHAINS / 2;
    let mut turned = [[V::Elem::default(); TOGETHER]; HALF];
    for sums in sums.iter_mut() {
        let (low, high) = sums.split_at_mut(HALF);
        add::<V>(low, high);
    }
    for q in (0..HALF).step_by(V::Half::ACROSS) {
        for r in (0..TOGETHER).step_by(V::Half::LANES) {
            // SAFETY: both divide the lengths.
            unsafe { V::Half::upright(&raw const sums[r][q], CHAINS, &raw mut turned[q][r], TOGETHER) };
        }
    }
    let mut half = HALF / 2;
    while half > 0 {
        let (low, high) = turned.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            add::<V>(low, high);
        }
        half /= 2;
    }
    *totals = turned[0];
}

/// `to += from`.
#[inline(always)]
fn add<V: Vector>(to: &mut [V::Elem], from: &[V::Elem]) {
    let lanes = V::Half::LANES;
    for (to, from) in to.chunks_exact_mut(lanes).zip(from.chunks_exact(lanes)) {
        (V::Half::full(to) + V::Half::full(from)).put(to);
    }
}

/// The sum of the chains of a narrow product.
#[inline(always)]
pub fn add_in_pairs<T: Scalar>(mut sums: [T; CHAINS]) -> T {
    let mut half = CHAINS / 2;
    while half > 0 {
        for q in 0..half {
            sums[q] += sums[q + half];
        }
        half /= 2;
    }
    sums[0]
}
