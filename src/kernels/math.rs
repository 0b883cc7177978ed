//! Elementary functions of one number, written so that a plain loop over them is vectorised: no branches, no tables,
//! only arithmetic, comparisons that choose, and one shift. An element gets the same bits in a vector and alone.
//!
//! All rest on e^x = 2^n (1 + p), with n the integer nearest x / ln 2 and p = e^r - 1 a polynomial in the remainder r,
//! which is computed in two steps (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980).
//! Coefficients are minimax fits, made by `math/minimax.py`. docs/kernels.md has the error bounds.
//!
//! `T` is the type that is computed in, `P` the one whose precision the result needs.

use crate::scalar::Scalar;
use crate::simd::Isa;

#[cfg(test)]
mod tests;
mod wide;

pub use wide::{gelu, gelu_slope, mish, mish_slope, softplus, softplus_of_minus_abs};

/// Powers of two that may be too small to represent are carried 2^100 times larger, and this scales them back at the
/// end, so that denormal results are rounded once.
const DOWN: f64 = f64::from_bits((1023 - 100) << 52);

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
fn single<P: Scalar>() -> bool {
    P::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS
}

/// The constant for the type at hand.
#[inline(always)]
fn pick<T: Scalar>(for_single: f64, for_double: f64) -> T {
    T::from_f64(if single::<T>() { for_single } else { for_double })
}

/// A polynomial with as many terms as `P` needs, highest power first.
#[inline(always)]
fn fit<I: Isa, T: Scalar, P: Scalar, const S: usize, const D: usize>(x: T, fits: &([f64; S], [f64; D])) -> T {
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
fn at_least<T: Scalar>(x: T, bound: T) -> T {
    choose(bound > x, bound, x)
}

/// The smaller of `x` and `bound`; NaN where `x` is.
#[inline(always)]
fn at_most<T: Scalar>(x: T, bound: T) -> T {
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
struct Decay<T> {
    p: T,
    up: T,
}

impl<T: Scalar> Decay<T> {
    /// Where even x e^x has vanished.
    #[inline(always)]
    fn floor() -> T {
        pick(-110.0, -765.0)
    }

    #[inline(always)]
    fn of<I: Isa, P: Scalar>(x: T) -> Self {
        Self::of_sum::<I, P>(x, T::from_f64(-0.0))
    }

    /// Of `x + low`, where `low` is a small correction of `x`.
    #[inline(always)]
    fn of_sum<I: Isa, P: Scalar>(x: T, low: T) -> Self {
        let x = reduce::<I, T>(at_least(x, Self::floor()));
        let up = (x.shifted + T::from_f64(100.0)).exp2_of_low_bits();
        Decay { p: exp_m1_of_remainder::<I, T, P>(x.r + low), up }
    }

    /// e^x * 2^100.
    #[inline(always)]
    fn value_up<I: Isa>(&self) -> T {
        I::fma(self.up, self.p, self.up)
    }

    /// The power of two alone.
    #[inline(always)]
    fn scale(&self) -> T {
        self.up * T::from_f64(DOWN)
    }

    /// e^x
    #[inline(always)]
    fn value<I: Isa>(&self) -> T {
        I::fma(self.scale(), self.p, self.scale())
    }

    /// e^x - 1
    #[inline(always)]
    fn minus_one<I: Isa>(&self) -> T {
        I::fma(self.scale(), self.p, self.scale() - T::ONE)
    }

    /// 1 + e^x
    #[inline(always)]
    fn plus_one<I: Isa>(&self) -> T {
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

/// 1 / (1 + e^-x)
#[inline(always)]
pub fn sigmoid<I: Isa, T: Scalar>(x: T) -> T {
    let e = Decay::of::<I, T>(-x.abs());
    let value = e.value::<I>();
    // v / (1 + e), as v - v far: it is rounded less.
    let far = value / e.plus_one::<I>();
    let v = choose(x < T::ZERO, value, T::ONE);
    I::fma(-v, far, v)
}

/// Whether a function is computed in double precision on its way: where single precision without fused multiply-add would
/// round once too often.
#[inline(always)]
fn takes_detour<I: Isa, T: Scalar>() -> bool {
    !I::FMA && T::SIGNIFICAND_BITS < <f64 as Scalar>::SIGNIFICAND_BITS
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<I: Isa, T: Scalar>(x: T) -> T {
    if takes_detour::<I, T>() { T::from_f64(direct_tanh::<I, f64>(x.to_f64())) } else { direct_tanh::<I, T>(x) }
}

#[inline(always)]
fn direct_tanh<I: Isa, T: Scalar>(x: T) -> T {
    let e = Decay::of::<I, T>(T::from_f64(-2.0) * x.abs());
    // (e - 1) / (e + 1), as v - v t with v = (e - 1) / 2 and t that quotient: it is rounded less.
    let difference = e.minus_one::<I>();
    let v = difference * T::from_f64(0.5);
    I::fma(-v, difference / e.plus_one::<I>(), v).copysign(x)
}

/// x / (1 + e^-x)
#[inline(always)]
pub fn silu<I: Isa, T: Scalar>(x: T) -> T {
    if takes_detour::<I, T>() { T::from_f64(direct_silu::<I, f64>(x.to_f64())) } else { direct_silu::<I, T>(x) }
}

#[inline(always)]
fn direct_silu<I: Isa, T: Scalar>(x: T) -> T {
    let inside = at_least(x, Decay::floor());
    let e = Decay::of::<I, T>(-inside.abs());
    let up = inside * e.up;
    let negative = x < T::ZERO;
    let v = choose(negative, I::fma(up, e.p, up), x);
    // v / (1 + e), as for the hyperbolic tangent near 0, else as for the sigmoid.
    let near = inside.abs() < T::ONE;
    let over = choose(near, e.minus_one::<I>(), e.value::<I>());
    let v = v * choose(near, T::from_f64(0.5), T::ONE);
    // Where v is large, `over` is 0, which must not meet infinity.
    let value = I::fma(-at_most(v, -Decay::<T>::floor()), over / e.plus_one::<I>(), v);
    value * choose(negative, T::from_f64(DOWN), T::ONE)
}

/// d silu / dx
#[inline(always)]
pub fn silu_slope<I: Isa, T: Scalar>(x: T) -> T {
    let x = at_most(at_least(x, Decay::floor()), -Decay::<T>::floor());
    let e = Decay::of::<I, T>(-x.abs());
    let (value, sum) = (e.value::<I>(), e.plus_one::<I>());
    let negative = x < T::ZERO;
    let near = choose(negative, value, T::ONE) / sum;
    let far = choose(negative, T::ONE, value) / sum;
    near * I::fma(x, far, T::ONE)
}
