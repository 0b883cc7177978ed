//! Products with few columns: dot products of interleaved chains.

use super::operand::{Start, Task};
use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel};

/// With at most this many columns in `b` (and plain rows in `a`), a lane per column would leave most lanes idle. There, an
/// element is the sum of [`CHAINS`] interleaved chains instead, for every number of rows.
pub const NARROW: usize = 4;
/// The interleaved chains of a narrow product: term p belongs to chain p mod 16.
pub const CHAINS: usize = 16;

/// The product with at most [`NARROW`] columns: dot products of rows of `a` with the columns of `b`.
pub struct Dots<'a, T>(pub Task<'a, T>);

impl<T: Scalar> Kernel for Dots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let Task { out, init, a, b, rows, cols, depth, scratch, .. } = self.0;
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
            for i in 0..rows {
                let row = std::slice::from_raw_parts(a.at(i, 0), depth);
                for j in 0..cols {
                    let to = out.ptr.add(i * out.row + j * out.col);
                    let begin = match init {
                        Start::Zero => T::ZERO,
                        Start::Row(bias) => *bias.add(j),
                        Start::Keep => *to,
                    };
                    *to = begin + dot::<T, I>(row, std::slice::from_raw_parts(columns.add(j * apart), depth));
                }
            }
        }
    }
}

/// The sum of [`CHAINS`] interleaved chains, added up in pairs.
#[inline(always)]
fn dot<T: Scalar, I: Isa>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; CHAINS];
    let (x_chunks, x_rest) = x.as_chunks::<CHAINS>();
    let (y_chunks, y_rest) = y.as_chunks::<CHAINS>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for q in 0..CHAINS {
            sums[q] = I::fma(x[q], y[q], sums[q]);
        }
    }
    for (q, (&x, &y)) in x_rest.iter().zip(y_rest).enumerate() {
        sums[q] = I::fma(x, y, sums[q]);
    }
    add_in_pairs(sums)
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
