//! Cosine and sine of angles in whole turns, where taking off the whole ones loses nothing.

use super::exponential::{at_least, at_most, fit, pick};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// cos(2 pi r), in r^2, for |r| <= 1/2.
const COS: ([f64; 7], [f64; 11]) = (
    [
        6.529609880792479,
        -25.968312943827,
        60.16783164714206,
        -85.45016554254896,
        64.93911898373281,
        -19.739204532102047,
        0.9999999891723966,
    ],
    [
        0.00335983974992773,
        -0.03613819571547947,
        0.28192467894176465,
        -1.7143738766651249,
        7.903534127718919,
        -26.426256591155603,
        60.24464136160432,
        -85.45681720637337,
        64.93939402266317,
        -19.739208802178684,
        1.0,
    ],
);

/// sin(2 pi r) / r, in r^2, for |r| <= 1/2.
const SIN: ([f64; 7], [f64; 11]) = (
    [
        3.199693773302916,
        -14.868611073845683,
        42.01616584110697,
        -76.70155117823535,
        81.6050246226436,
        -41.341697068955696,
        6.283185272722437,
    ],
    [
        0.0010106820826796203,
        -0.011957795736672211,
        0.10420311743392224,
        -0.718116509003982,
        3.819951743356028,
        -15.094642496618786,
        42.05869393998565,
        -76.70585975287753,
        81.60524927607123,
        -41.34170224039973,
        std::f64::consts::TAU,
    ],
);

/// What is left of some turns without the whole ones: from -1/2 to 1/2; 0 where there are so many that nothing else is known.
#[inline(always)]
fn rest<T: Scalar>(turns: T) -> T {
    let most = pick::<T>(2097152.0, 1125899906842624.0);
    let rounder = pick::<T>(12582912.0, 6755399441055744.0);
    let turns = at_most(at_least(turns, -most), most);
    turns - ((turns + rounder) - rounder)
}

/// cos(2 pi turns), to 2e-7 in single and 2e-15 in double precision, absolutely; NaN where they are.
#[inline(always)]
pub fn cos_of_turns<I: Isa, T: Scalar>(turns: T) -> T {
    let r = rest(turns);
    fit::<I, T, T, _, _>(r * r, &COS)
}

/// sin(2 pi turns), likewise.
#[inline(always)]
pub fn sin_of_turns<I: Isa, T: Scalar>(turns: T) -> T {
    let r = rest(turns);
    r * fit::<I, T, T, _, _>(r * r, &SIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, dispatch};

    struct Both<'a, T>(&'a [T], &'a mut [(T, T)]);

    impl<T: Scalar> Kernel for Both<'_, T> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            for (&turns, to) in self.0.iter().zip(self.1) {
                *to = (cos_of_turns::<I, T>(turns), sin_of_turns::<I, T>(turns));
            }
        }
    }

    fn check<T: Scalar>(allowed: f64) {
        let turns: Vec<T> = (-40_000..40_000).map(|i| T::from_f64(f64::from(i) / 3777.0)).collect();
        let mut both = vec![(T::ZERO, T::ZERO); turns.len()];
        dispatch(Both(&turns, &mut both));
        for (turns, (cos, sin)) in turns.iter().zip(both) {
            let angle = 2.0 * std::f64::consts::PI * (turns.to_f64() - turns.to_f64().round());
            assert!((cos.to_f64() - angle.cos()).abs() < allowed, "cos of {turns} turns: {cos}");
            assert!((sin.to_f64() - angle.sin()).abs() < allowed, "sin of {turns} turns: {sin}");
        }
    }

    #[test]
    fn cosine_and_sine_keep_their_bounds() {
        check::<f32>(1e-6);
        check::<f64>(4e-15);
    }

    #[test]
    fn what_is_no_angle_stays_no_number_and_what_is_too_large_stays_finite() {
        let turns = [f32::NAN, f32::INFINITY, -1e30, 3e6];
        let mut both = [(0.0, 0.0); 4];
        dispatch(Both(&turns, &mut both));
        assert!(both[0].0.is_nan() && both[0].1.is_nan());
        assert!(both[1..].iter().all(|(cos, sin)| cos.abs() <= 1.0 + 1e-6 && sin.abs() <= 1.0 + 1e-6));
    }
}
