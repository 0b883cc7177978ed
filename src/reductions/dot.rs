//! Products of two vectors, in double precision: eight interleaved sums, each product rounded before it is added, so that every
//! instruction set has the same result.

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, dispatch};

/// The sum of the products of the elements.
pub fn dot<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    dispatch(Dot { a, b })
}

struct Dot<'a, T> {
    a: &'a [T],
    b: &'a [T],
}

impl<T: Scalar> Kernel for Dot<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        interleaved(self.a, self.b)
    }
}

/// The squared 2-norm of each row of a matrix.
pub struct RowSquares<'a, T> {
    /// The matrix.
    pub x: &'a [T],
    /// Its columns.
    pub width: usize,
    /// One number for each row.
    pub squares: &'a mut [f64],
}

impl<T: Scalar> Kernel for RowSquares<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        for (squares, row) in self.squares.iter_mut().zip(self.x.chunks_exact(self.width)) {
            *squares = interleaved(row, row);
        }
    }
}

#[inline(always)]
fn interleaved<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a.to_f64() * b.to_f64();
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(last_a.iter().zip(last_b)) {
        *sum += a.to_f64() * b.to_f64();
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::at_every_level;

    #[test]
    fn whole_numbers_are_summed_exactly_at_every_level() {
        let (a, b): (Vec<f32>, Vec<f32>) = (0..43).map(|i| (i as f32, (i % 5) as f32 - 2.0)).unzip();
        let expected: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        at_every_level(|level| {
            assert_eq!(dot(&a, &b), f64::from(expected), "{level:?}");
            let mut squares = [0.0; 2];
            dispatch(RowSquares { x: &b[..42], width: 21, squares: &mut squares });
            assert_eq!(squares, [dot(&b[..21], &b[..21]), dot(&b[21..42], &b[21..42])], "{level:?}");
        });
        assert_eq!(dot::<f64>(&[], &[]), 0.0);
    }
}
