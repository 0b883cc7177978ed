//! The exponential function, and what the others are made of.

use crate::scalar::Scalar;
use crate::simd::Isa;

/// Powers of two that may be too small to represent are carried 2^100 times larger, and this scales them back at the
/// end, so that denormal results are rounded once.
pub const DOWN: f64 = f64::from_bits((1023 - 100) << 52);

/// q in e^r = 1 + r + r^2 q, for single and double precision.
const EXP: ([f64; 6], [f64; 11]) = (
    [
        0.00019913663890807742,
        0.001394032677890429,
        0.008333274106645293,
        0.04166636602947063,
        0.16666666811735228,
        0.5000000042272768,
    ],
    [
        2.092416566858719e-9,
        2.5108694644895127e-8,
        2.755724381469146e-7,
        2.755724527745988e-6,
        2.4801587359065795e-5,
        0.00019841269884958212,
        0.0013888888888867789,
        0.008333333333322148,
        0.0416666666666667,
        0.16666666666666677,
        0.5,
    ],
);

/// One of two numbers, which are both there: no branch.
#[inline(always)]
pub fn choose<T>(condition: bool, yes: T, no: T) -> T {
    if condition { yes } else { no }
}

/// Whether `P` is single precision.
#[inline(always)]
pub fn single<P: Scalar>() -> bool {
    P::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS
}

/// The constant for the type at hand.
#[inline(always)]
pub fn pick<T: Scalar>(for_single: f64, for_double: f64) -> T {
    T::from_f64(if single::<T>() { for_single } else { for_double })
}

/// A polynomial with as many terms as `P` needs, highest power first.
#[inline(always)]
pub fn fit<I: Isa, T: Scalar, P: Scalar, const S: usize, const D: usize>(x: T, fits: &([f64; S], [f64; D])) -> T {
    if single::<P>() { horner::<I, T>(x, &fits.0) } else { horner::<I, T>(x, &fits.1) }
}

#[inline(always)]
fn horner<I: Isa, T: Scalar>(x: T, coefficients: &[f64]) -> T {
    let mut y = T::from_f64(coefficients[0]);
    for c in &coefficients[1..] {
        y = I::fma(y, x, T::from_f64(*c));
    }
    y
}

/// The larger of `x` and `bound`; NaN where `x` is.
#[inline(always)]
pub fn at_least<T: Scalar>(x: T, bound: T) -> T {
    choose(bound > x, bound, x)
}

/// The smaller of `x` and `bound`; NaN where `x` is.
#[inline(always)]
pub fn at_most<T: Scalar>(x: T, bound: T) -> T {
    choose(bound < x, bound, x)
}

/// Adding this to a small number rounds it to an integer, which is then found in the lowest bits.
#[inline(always)]
fn rounder<T: Scalar>() -> T {
    pick(12582912.0, 6755399441055744.0)
}

/// x = n ln 2 + r with |r| <= ln 2 / 2.
struct Reduced<T> {
    /// n + `rounder`
    shifted: T,
    n: T,
    r: T,
}

#[inline(always)]
fn reduce<I: Isa, T: Scalar>(x: T) -> Reduced<T> {
    let shifted = I::fma(x, T::from_f64(std::f64::consts::LOG2_E), rounder());
    let n = shifted - rounder();
    // The high part of ln 2 has so few digits that n times it, and the difference, are exact.
    let ln_2_high: T = pick(0.693145751953125, 0.6931471803691238);
    let ln_2_low: T = pick(1.4286068203094173e-6, 1.9082149292705877e-10);
    Reduced { shifted, n, r: I::fma(n, -ln_2_low, I::fma(n, -ln_2_high, x)) }
}

/// e^r - 1 for |r| <= ln 2 / 2.
#[inline(always)]
fn exp_m1_of_remainder<I: Isa, T: Scalar, P: Scalar>(r: T) -> T {
    I::fma(r * r, fit::<I, T, P, _, _>(r, &EXP), r)
}

/// e^x for x <= 0, as (1 + `p`) * `up` * 2^-100.
pub struct Decay<T> {
    pub p: T,
    pub up: T,
}

impl<T: Scalar> Decay<T> {
    /// Where even x e^x has vanished.
    #[inline(always)]
    pub fn floor() -> T {
        pick(-110.0, -765.0)
    }

    #[inline(always)]
    pub fn of<I: Isa, P: Scalar>(x: T) -> Self {
        Self::of_sum::<I, P>(x, T::from_f64(-0.0))
    }

    /// Of `x + low`, where `low` is a small correction of `x`.
    #[inline(always)]
    pub fn of_sum<I: Isa, P: Scalar>(x: T, low: T) -> Self {
        let x = reduce::<I, T>(at_least(x, Self::floor()));
        let up = (x.shifted + T::from_f64(100.0)).exp2_of_low_bits();
        Decay { p: exp_m1_of_remainder::<I, T, P>(x.r + low), up }
    }

    /// e^x * 2^100.
    #[inline(always)]
    pub fn value_up<I: Isa>(&self) -> T {
        I::fma(self.up, self.p, self.up)
    }

    /// The power of two alone.
    #[inline(always)]
    pub fn scale(&self) -> T {
        self.up * T::from_f64(DOWN)
    }

    /// e^x
    #[inline(always)]
    pub fn value<I: Isa>(&self) -> T {
        I::fma(self.scale(), self.p, self.scale())
    }

    /// e^x - 1
    #[inline(always)]
    pub fn minus_one<I: Isa>(&self) -> T {
        I::fma(self.scale(), self.p, self.scale() - T::ONE)
    }

    /// 1 + e^x
    #[inline(always)]
    pub fn plus_one<I: Isa>(&self) -> T {
        I::fma(self.scale(), self.p, T::ONE + self.scale())
    }
}

/// e^x
#[inline(always)]
pub fn exp<I: Isa, T: Scalar>(x: T) -> T {
    let x = at_most(at_least(x, pick(-104.0, -746.0)), pick(89.0, 710.0));
    let Reduced { n, r, .. } = reduce::<I, T>(x);
    // 2^n may be no normal number, its two halves always are.
    let half = I::fma(n, T::from_f64(0.5), rounder());
    let other = n - (half - rounder()) + rounder();
    (T::ONE + exp_m1_of_remainder::<I, T, T>(r)) * half.exp2_of_low_bits() * other.exp2_of_low_bits()
}

/// e^x for x <= 0
#[inline(always)]
pub fn exp_nonpositive<I: Isa, T: Scalar>(x: T) -> T {
    Decay::of::<I, T>(x).value::<I>()
}

/// e^x - 1 for x <= 0
#[inline(always)]
pub fn exp_m1_nonpositive<I: Isa, T: Scalar>(x: T) -> T {
    Decay::of::<I, T>(x).minus_one::<I>().copysign(x)
}
