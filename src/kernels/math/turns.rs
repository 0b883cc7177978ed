//! Cosine and sine of angles in whole turns, where taking off the whole ones loses nothing.

use super::exponential::{pick, single};
use crate::scalar::Scalar;
use crate::simd::Vector;

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

/// A polynomial with as many terms as the type needs, highest power first.
#[inline(always)]
fn fit<V: Vector, const S: usize, const D: usize>(x: V, fits: &([f64; S], [f64; D])) -> V {
    let coefficients: &[f64] = if single::<V::Elem>() { &fits.0 } else { &fits.1 };
    let mut y = V::splat(V::Elem::from_f64(coefficients[0]));
    for &c in &coefficients[1..] {
        y = y.fma(x, V::splat(V::Elem::from_f64(c)));
    }
    y
}

/// Cosine and sine of 2 pi times `turns`, to 5e-7 in single and 4e-15 in double precision, absolutely. Of so many turns that
/// nothing is known but whole ones they are 1 and 0; NaN where `turns` is not finite.
#[inline(always)]
pub fn cos_sin_of_turns<V: Vector>(turns: V) -> (V, V) {
    let most = V::splat(pick(2097152.0, 1125899906842624.0));
    // Adding this to a small number rounds it to an integer.
    let rounder = V::splat(pick(12582912.0, 6755399441055744.0));
    let some = -(-turns.max(-most)).max(-most);
    // The product is 0 where turns are finite.
    let r = some - ((some + rounder) - rounder) + turns * V::splat(V::Elem::ZERO);
    let square = r * r;
    (fit(square, &COS), r * fit(square, &SIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, Kernel, dispatch};

    struct Both<'a, T>(&'a [T], &'a mut [(T, T)]);

    impl<T: Scalar> Kernel for Both<'_, T> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            let lanes = T::Vector::<I>::LANES;
            for (turns, to) in self.0.chunks(lanes).zip(self.1.chunks_mut(lanes)) {
                let (cos, sin) = cos_sin_of_turns(T::Vector::<I>::read(turns));
                let (mut cosines, mut sines) = (vec![T::ZERO; to.len()], vec![T::ZERO; to.len()]);
                cos.write(&mut cosines);
                sin.write(&mut sines);
                for ((to, cos), sin) in to.iter_mut().zip(cosines).zip(sines) {
                    *to = (cos, sin);
                }
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
        check::<f32>(5e-7);
        check::<f64>(4e-15);
    }

    #[test]
    fn what_is_not_finite_is_no_number_and_what_is_too_large_stays_finite() {
        let turns = [f32::NAN, f32::INFINITY, -1e30, 3e6];
        let mut both = [(0.0, 0.0); 4];
        dispatch(Both(&turns, &mut both));
        assert!(both[..2].iter().all(|(cos, sin)| cos.is_nan() && sin.is_nan()));
        assert!(both[2..].iter().all(|&(cos, sin)| (cos - 1.0f32).abs() < 1e-6 && sin == 0.0));
    }
}
