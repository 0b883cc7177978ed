use super::{Isa, Kernel, Vector, at_every_level, dispatch};
use crate::scalar::Scalar;

/// The kernel that a test wants to see: what registers make of some numbers.
struct Roots<'a, T>(&'a [T], &'a mut [T]);

impl<T: Scalar> Kernel for Roots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let lanes = T::Vector::<I>::LANES;
        for (from, to) in self.0.chunks(lanes).zip(self.1.chunks_mut(lanes)) {
            T::Vector::<I>::read(from).sqrt().write(to);
        }
    }
}

/// Quotients of numbers by others.
struct Quotients<'a, T>(&'a [T], &'a [T], &'a mut [T]);

impl<T: Scalar> Kernel for Quotients<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let lanes = T::Vector::<I>::LANES;
        for ((a, b), to) in self.0.chunks(lanes).zip(self.1.chunks(lanes)).zip(self.2.chunks_mut(lanes)) {
            (T::Vector::<I>::read(a) / T::Vector::<I>::read(b)).write(to);
        }
    }
}

/// The smaller of each number and another, and the larger.
struct Ends<'a, T>(&'a [T], T, &'a mut [T], &'a mut [T]);

impl<T: Scalar> Kernel for Ends<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        let (lanes, other) = (T::Vector::<I>::LANES, T::Vector::<I>::splat(self.1));
        for ((from, least), most) in self.0.chunks(lanes).zip(self.2.chunks_mut(lanes)).zip(self.3.chunks_mut(lanes)) {
            T::Vector::<I>::read(from).min(other).write(least);
            T::Vector::<I>::read(from).max(other).write(most);
        }
    }
}

/// A block of numbers turned upright, and a square of four turned.
struct Turns<'a, T>(&'a [T], usize, &'a mut [T], &'a mut [T], usize);

impl<T: Scalar> Kernel for Turns<'_, T> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<I: Isa>(self) -> Self::Output {
        let Turns(from, stride, block, square, to_stride) = self;
        // SAFETY: the test has room for the largest register.
        unsafe {
            T::Vector::<I>::upright(from.as_ptr(), stride, block.as_mut_ptr(), to_stride);
            T::Vector::<I>::transpose_four(from.as_ptr(), stride, square.as_mut_ptr(), to_stride);
        }
        (T::Vector::<I>::LANES, T::Vector::<I>::ACROSS)
    }
}

/// 97 significands with each of some exponents, which fill no register.
fn numbers(exponents: std::ops::Range<u32>) -> Vec<f32> {
    let with = |exponent: u32| (0..97u32).map(move |i| f32::from_bits(exponent << 23 | ((i * 86_479) & 0x7f_ffff)));
    exponents.flat_map(with).collect()
}

#[test]
fn roots_are_exact_at_every_level() {
    let numbers = numbers(0..256);
    let doubles: Vec<f64> = numbers.iter().map(|&x| f64::from(x)).collect();
    at_every_level(|level| {
        let (mut roots, mut exact) = (vec![0.0; numbers.len()], vec![0.0; numbers.len()]);
        dispatch(Roots(&numbers, &mut roots));
        dispatch(Roots(&doubles, &mut exact));
        for ((x, root), exact) in doubles.iter().zip(roots).zip(exact) {
            assert!(exact == x.sqrt() || x.is_nan());
            assert!(root == exact as f32 || x.is_nan(), "{level:?}: the root of {x} is not {root}");
        }
    });
}

#[test]
fn quotients_are_within_their_bound_at_every_level() {
    let divisors = numbers(1..253);
    for sign in [1.0, -1.0] {
        let dividends: Vec<f32> = (0..divisors.len()).map(|i| sign * divisors[i * 7919 % divisors.len()]).collect();
        at_every_level(|level| {
            let mut quotients = vec![0.0; divisors.len()];
            dispatch(Quotients(&dividends, &divisors, &mut quotients));
            for ((a, b), quotient) in dividends.iter().zip(&divisors).zip(quotients) {
                let exact = f64::from(*a) / f64::from(*b);
                let near = (f64::from(quotient) / exact - 1.0).abs() <= 1.2e-7;
                let beyond = match exact.abs() {
                    large if large > f64::from(f32::MAX) => quotient == f32::INFINITY * sign,
                    small if small < f64::from(f32::MIN_POSITIVE) => f64::from(quotient).abs() <= 1.2e-38,
                    _ => false,
                };
                assert!(near || beyond, "{level:?}: {a} / {b} is not {quotient}");
            }
        });
    }
}

#[test]
fn quotients_with_zero_infinity_and_nan() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let (a, b) = ([1.0, -1.0, 0.0, 0.0, inf, inf, 3.0, nan, 0.0], [0.0, 0.0, 5.0, 0.0, 2.0, inf, -inf, 1.0, nan]);
    at_every_level(|_| {
        let mut quotients = [0.0f32; 9];
        dispatch(Quotients(&a, &b, &mut quotients));
        for ((a, b), quotient) in a.iter().zip(b).zip(quotients) {
            assert!(quotient == a / b || quotient.is_nan() && (a / b).is_nan(), "{a} / {b} is not {quotient}");
        }
    });
}

fn the_ends_of<T: Scalar>(level: impl std::fmt::Debug) {
    let numbers = [-f64::INFINITY, -2.0, -0.5, 0.0, 0.5, 1.0, f64::INFINITY].map(T::from_f64);
    let nan = T::from_f64(f64::NAN);
    for other in numbers {
        let (mut least, mut most) = ([T::ZERO; 7], [T::ZERO; 7]);
        dispatch(Ends(&numbers, other, &mut least, &mut most));
        for ((&x, least), most) in numbers.iter().zip(least).zip(most) {
            assert!(least == x.min(other) && most == x.max(other), "{level:?}: {least} and {most} of {x} and {other}");
        }
        let (mut least, mut most) = ([T::ZERO], [T::ZERO]);
        dispatch(Ends(&[nan], other, &mut least, &mut most));
        assert!(least == [other] && most == [other], "{level:?}: NaN is neither");
    }
    let (mut least, mut most) = ([T::ZERO], [T::ZERO]);
    dispatch(Ends(&[T::ONE], nan, &mut least, &mut most));
    assert!(!least[0].is_finite() && !most[0].is_finite(), "{level:?}: the other is NaN");
}

#[test]
fn the_smaller_and_the_larger_of_two_at_every_level() {
    at_every_level(|level| {
        the_ends_of::<f32>(level);
        the_ends_of::<f64>(level);
    });
}

fn turns_of<T: Scalar>(level: impl std::fmt::Debug) {
    const STRIDE: usize = 21;
    const TO_STRIDE: usize = 19;
    let numbers: Vec<T> = (0..16 * STRIDE).map(|i| T::from_f64(i as f64)).collect();
    let (mut block, mut square) = (vec![T::ZERO; 16 * TO_STRIDE], vec![T::ZERO; 16 * TO_STRIDE]);
    let (lanes, across) = dispatch(Turns(&numbers, STRIDE, &mut block, &mut square, TO_STRIDE));
    for (to, rows, cols) in [(&block, lanes, across), (&square, 4, 4)] {
        for (place, &x) in to.iter().enumerate() {
            let (j, i) = (place / TO_STRIDE, place % TO_STRIDE);
            let expected = if i < rows && j < cols { numbers[i * STRIDE + j] } else { T::ZERO };
            assert!(
                x == expected,
                "{level:?}: {x} for {expected} at row {j} and column {i} of {rows} by {cols} turned"
            );
        }
    }
}

#[test]
fn blocks_are_turned_and_nothing_beside_them_is_written_at_every_level() {
    at_every_level(|level| {
        turns_of::<f32>(level);
        turns_of::<f64>(level);
    });
}

#[test]
fn a_part_of_a_register_reads_and_writes_nothing_beside_it() {
    at_every_level(|_| {
        for len in 0..40 {
            let numbers: Vec<f64> = (0..len).map(|i| (i * i) as f64).collect();
            let mut to = vec![-1.0; len + 16];
            dispatch(Roots(&numbers, &mut to[8..8 + len]));
            assert!((0..len).all(|i| to[8 + i] == i as f64));
            assert!(to[..8].iter().chain(&to[8 + len..]).all(|&x| x == -1.0));
        }
    });
}
