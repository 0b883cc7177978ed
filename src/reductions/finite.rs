//! Whether numbers are finite.

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector};

/// Whether all numbers are finite.
pub struct AllFinite<'a, T>(pub &'a [T]);

impl<T: Scalar> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self) -> bool {
        // 0 * x is 0 where x is finite, else NaN; four sums, so that none waits for another.
        let zero = T::Vector::<I>::splat(T::ZERO);
        let lanes = T::Vector::<I>::LANES;
        let (mut sums, mut rest) = ([zero; 4], self.0);
        while rest.len() >= 4 * lanes {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = zero.fma(T::Vector::<I>::full(&rest[i * lanes..]), *sum);
            }
            rest = &rest[4 * lanes..];
        }
        for part in rest.chunks(lanes) {
            sums[0] = zero.fma(T::Vector::<I>::read(part), sums[0]);
        }
        let mut sum = [T::ONE; MOST_LANES];
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).put(&mut sum);
        sum[..lanes].iter().all(|&x| x == T::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{at_every_level, dispatch};

    #[test]
    fn one_number_that_is_not_finite_is_found_anywhere() {
        fn check<T: Scalar>() {
            for len in [0, 1, 7, 63, 64, 65, 200] {
                let mut x = vec![T::MAX; len];
                assert!(dispatch(AllFinite(&x)), "{len} numbers");
                for i in 0..len {
                    for bad in [T::INFINITY, -T::INFINITY, T::INFINITY - T::INFINITY] {
                        let good = std::mem::replace(&mut x[i], bad);
                        assert!(!dispatch(AllFinite(&x)), "{bad} at {i} of {len}");
                        x[i] = good;
                    }
                }
            }
        }
        at_every_level(|_| {
            check::<f32>();
            check::<f64>();
        });
    }
}
