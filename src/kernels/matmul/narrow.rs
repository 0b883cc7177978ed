//! Products with few columns: dot products of interleaved chains.

use super::blocks::CHAINS;
use super::operand::{Start, Task};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, Vector};

/// The product with at most [`NARROW`](super::NARROW) columns: dot products of rows of `a` with the columns of `b`.
pub struct Dots<'a, T>(pub Task<'a, T>);

impl<T: Scalar> Kernel for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { out, init, a, b, rows, cols, depth, scratch, .. } = self.0;
        let scratch = &mut scratch.panels;
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
                let mut i = 0;
                while i < rows {
                    let count = if rows - i >= TOGETHER { TOGETHER } else { 1 };
                    let sums = match count {
                        TOGETHER => dots::<T, I, TOGETHER>(a.at(i, 0), a.row, column),
                        _ => [dots::<T, I, 1>(a.at(i, 0), a.row, column)[0]; TOGETHER],
                    };
                    for (r, &sum) in sums[..count].iter().enumerate() {
                        let to = out.ptr.add((i + r) * out.row + j * out.col);
                        let begin = match init {
                            Start::Zero => T::ZERO,
                            Start::Row(bias) => *bias.add(j),
                            Start::Keep => *to,
                        };
                        *to = begin + sum;
                    }
                    i += count;
                }
            }
        }
    }
}

/// Rows whose chains are computed side by side.
const TOGETHER: usize = 4;

/// The products of R rows, `stride` apart, with a column: for each the sum of [`CHAINS`] interleaved chains, added up in pairs.
///
/// # Safety
/// The rows must be as long as the column.
#[inline(always)]
unsafe fn dots<T: Scalar, I: Isa, const R: usize>(rows: *const T, stride: usize, column: &[T]) -> [T; R] {
    // SAFETY: the caller's promise.
    unsafe {
        match T::Vector::<I>::LANES {
            16 => chains::<T::Vector<I>, R, 1>(rows, stride, column),
            8 => chains::<T::Vector<I>, R, 2>(rows, stride, column),
            4 => chains::<T::Vector<I>, R, 4>(rows, stride, column),
            2 => chains::<T::Vector<I>, R, 8>(rows, stride, column),
            _ => chains::<T::Vector<I>, R, 16>(rows, stride, column),
        }
    }
}

/// The same with the chains in N registers.
///
/// # Safety
/// As for [`dots`].
#[inline(always)]
unsafe fn chains<V: Vector, const R: usize, const N: usize>(
    rows: *const V::Elem,
    stride: usize,
    column: &[V::Elem],
) -> [V::Elem; R] {
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
    let mut totals = [V::Elem::default(); R];
    for (total, sums) in totals.iter_mut().zip(&sums) {
        let mut all = [V::Elem::default(); CHAINS];
        for (sum, to) in sums.iter().zip(all.chunks_exact_mut(V::LANES)) {
            sum.put(to);
        }
        *total = add_in_pairs(all);
    }
    totals
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
