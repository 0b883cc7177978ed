//! Whether numbers are finite.

use crate::scalar::Scalar;
use crate::simd::{Isa, Kernel, MOST_LANES, Vector, dispatch};

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

/// The sum of squares, in the numbers' own precision: NaN or infinite where one of them is, or where squares overflow. It takes
/// no longer than [`AllFinite`], and its root bounds every number.
pub struct Squares<'a, T>(pub &'a [T]);

impl<T: Scalar> Kernel for Squares<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self) -> f64 {
        let lanes = T::Vector::<I>::LANES;
        let (mut sums, mut rest) = ([T::Vector::<I>::splat(T::ZERO); 4], self.0);
        while rest.len() >= 4 * lanes {
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = T::Vector::<I>::full(&rest[i * lanes..]);
                *sum = x.fma(x, *sum);
            }
            rest = &rest[4 * lanes..];
        }
        for part in rest.chunks(lanes) {
            let x = T::Vector::<I>::read(part);
            sums[0] = x.fma(x, sums[0]);
        }
        let mut sum = [T::ZERO; MOST_LANES];
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).put(&mut sum);
        for half in [8, 4, 2, 1] {
            let (low, high) = sum.split_at_mut(half);
            low.iter_mut().zip(high).for_each(|(low, &mut high)| *low += high);
        }
        sum[0].to_f64()
    }
}

/// The largest magnitude; NaN where one of the numbers is NaN or infinite.
pub fn largest<T: Scalar>(numbers: &[T]) -> f64 {
    if !dispatch(AllFinite(numbers)) {
        return f64::NAN;
    }
    numbers.iter().fold(T::ZERO, |largest, x| largest.max(x.abs())).to_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::at_every_level;

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
                        assert!(!dispatch(Squares(&x)).is_finite() && largest(&x).is_nan(), "{bad} at {i} of {len}");
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

    #[test]
    fn the_root_of_squares_bounds_every_number() {
        let x: Vec<f32> = (0..203).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect();
        at_every_level(|level| {
            for len in 0..x.len() {
                let (bound, most) = (dispatch(Squares(&x[..len])).sqrt(), largest(&x[..len]));
                assert!(
                    most <= bound * (1.0 + 1e-6) && bound <= most * (len as f64).sqrt() * (1.0 + 1e-6),
                    "{level:?}"
                );
            }
        });
    }
}
