//! Elementary functions of one number, written so that a plain loop over them is vectorised: no branches, no tables,
//! only arithmetic, comparisons that choose, and one shift. Each element gets the same bits in a vector and alone.
//!
//! All rest on e^x = 2^n (1 + p), with n the integer nearest x / ln 2 and p = e^r - 1 a polynomial in the remainder r,
//! which is computed in two steps (W. J. Cody and W. Waite, Software Manual for the Elementary Functions, 1980).
//! The coefficients are minimax fits.

use crate::scalar::Scalar;
use crate::simd::Isa;

/// Powers of two that may be too small to represent are carried 2^100 times larger, and this scales them back at the
/// end, so that denormal results are rounded once.
const DOWN: f64 = f64::from_bits((1023 - 100) << 52);

/// The constant of the type at hand.
#[inline(always)]
fn pick<T: Scalar>(single: f64, double: f64) -> T {
    T::from_f64(if T::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS { single } else { double })
}

/// A polynomial by Horner's rule, highest power first.
#[inline(always)]
fn horner<I: Isa, T: Scalar, const N: usize>(x: T, coefficients: [f64; N]) -> T {
    let mut y = T::from_f64(coefficients[0]);
    for c in &coefficients[1..] {
        y = I::fma(y, x, T::from_f64(*c));
    }
    y
}

/// The larger of `x` and `bound`; NaN where `x` is.
#[inline(always)]
fn at_least<T: Scalar>(x: T, bound: T) -> T {
    if bound > x { bound } else { x }
}

/// The smaller of `x` and `bound`; NaN where `x` is.
#[inline(always)]
fn at_most<T: Scalar>(x: T, bound: T) -> T {
    if bound < x { bound } else { x }
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
fn exp_m1_of_remainder<I: Isa, T: Scalar>(r: T) -> T {
    let q = if T::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS {
        horner::<I, T, _>(r, [1.991366389e-4, 1.394032678e-3, 8.333274107e-3, 0.04166636603, 0.1666666681, 0.5])
    } else {
        horner::<I, T, _>(
            r,
            [
                2.092416566858719e-9,
                2.5108694644895127e-8,
                2.755724381469146e-7,
                2.755724527745988e-6,
                2.4801587359065795e-5,
                0.00019841269884958214,
                0.0013888888888867789,
                0.008333333333322148,
                0.0416666666666667,
                0.16666666666666677,
                0.5,
            ],
        )
    };
    I::fma(r * r, q, r)
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
    fn of<I: Isa>(x: T) -> Self {
        Self::of_sum::<I>(x, T::from_f64(-0.0))
    }

    /// Of `x + low`, where `low` is a small correction of `x`.
    #[inline(always)]
    fn of_sum<I: Isa>(x: T, low: T) -> Self {
        let x = reduce::<I, T>(at_least(x, Self::floor()));
        let up = (x.shifted + T::from_f64(100.0)).exp2_of_low_bits();
        Decay { p: exp_m1_of_remainder::<I, T>(x.r + low), up }
    }

    /// The power of two alone.
    #[inline(always)]
    fn scale(&self) -> T {
        self.up * T::from_f64(DOWN)
    }

    /// e^x.
    #[inline(always)]
    fn value<I: Isa>(&self) -> T {
        let scale = self.scale();
        I::fma(scale, self.p, scale)
    }

    /// e^x * 2^100.
    #[inline(always)]
    fn value_up<I: Isa>(&self) -> T {
        I::fma(self.up, self.p, self.up)
    }

    /// 1 + e^x.
    #[inline(always)]
    fn plus_one<I: Isa>(&self) -> T {
        let scale = self.scale();
        I::fma(scale, self.p, T::ONE + scale)
    }
}

/// e^x.
#[inline(always)]
pub fn exp<I: Isa, T: Scalar>(x: T) -> T {
    let x = at_most(at_least(x, pick(-104.0, -746.0)), pick(89.0, 710.0));
    let Reduced { n, r, .. } = reduce::<I, T>(x);
    // 2^n may be no normal number, its two halves always are.
    let half = I::fma(n, T::from_f64(0.5), rounder());
    let other = n - (half - rounder()) + rounder();
    (T::ONE + exp_m1_of_remainder::<I, T>(r)) * half.exp2_of_low_bits() * other.exp2_of_low_bits()
}

/// e^x for x <= 0.
#[inline(always)]
pub fn exp_nonpositive<I: Isa, T: Scalar>(x: T) -> T {
    Decay::of::<I>(x).value::<I>()
}

/// e^x - 1 for x <= 0.
#[inline(always)]
pub fn exp_m1_nonpositive<I: Isa, T: Scalar>(x: T) -> T {
    let e = Decay::of::<I>(x);
    let scale = e.scale();
    I::fma(scale, e.p, scale - T::ONE).copysign(x)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid<I: Isa, T: Scalar>(x: T) -> T {
    let e = Decay::of::<I>(-x.abs());
    let value = e.value::<I>();
    let far = value / e.plus_one::<I>();
    // near = 1 - far, and v - v far is rounded less than v (1 / (1 + e)).
    let v = if x < T::ZERO { value } else { T::ONE };
    I::fma(-v, far, v)
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<I: Isa, T: Scalar>(x: T) -> T {
    let e = Decay::of::<I>(T::from_f64(-2.0) * x.abs());
    let scale = e.scale();
    // (e - 1) / (e + 1), as v - v t with v = (e - 1) / 2 and t that quotient: it is rounded less.
    let difference = I::fma(scale, e.p, scale - T::ONE);
    let v = difference * T::from_f64(0.5);
    I::fma(-v, difference / e.plus_one::<I>(), v).copysign(x)
}

/// x / (1 + e^-x).
#[inline(always)]
pub fn silu<I: Isa, T: Scalar>(x: T) -> T {
    let inside = at_least(x, Decay::floor());
    let e = Decay::of::<I>(-inside.abs());
    let far = e.value::<I>() / e.plus_one::<I>();
    let up = inside * e.up;
    let (v, scale) = if x < T::ZERO { (I::fma(up, e.p, up), T::from_f64(DOWN)) } else { (x, T::ONE) };
    // As for the sigmoid; where v is large, `far` is 0, which must not meet infinity.
    I::fma(-at_most(v, -Decay::<T>::floor()), far, v) * scale
}

/// d silu / dx.
#[inline(always)]
pub fn silu_slope<I: Isa, T: Scalar>(x: T) -> T {
    let x = at_most(at_least(x, Decay::floor()), -Decay::<T>::floor());
    let e = Decay::of::<I>(-x.abs());
    let (value, sum) = (e.value::<I>(), e.plus_one::<I>());
    let (near, far) = if x < T::ZERO { (value, T::ONE) } else { (T::ONE, value) };
    near / sum * I::fma(x, far / sum, T::ONE)
}

/// ln(1 + e) for 0 <= e <= 1.
#[inline(always)]
fn ln_1p_of_unit<I: Isa>(e: f64) -> f64 {
    // 2 atanh(s) with s = e / (2 + e), and 2 s = e - s e, so the large term is exact.
    let s = e / (2.0 + e);
    let square = s * s;
    let series = horner::<I, f64, _>(
        square,
        [
            0.17018672089890777,
            0.08340050634772989,
            0.12106097567791063,
            0.13300972201222408,
            0.15386560024732865,
            0.1818174392035361,
            0.22222223969854557,
            0.2857142854785201,
            0.40000000000157254,
            0.6666666666666631,
        ],
    );
    I::fma(-s, I::fma(-square, series, e), e)
}

/// ln(1 + e^x).
#[inline(always)]
pub fn softplus<I: Isa, T: Scalar>(x: T) -> T {
    let x = x.to_f64();
    T::from_f64(at_least(x, 0.0) + softplus_of_minus_abs::<I>(x))
}

/// ln(1 + e^-|x|), all of softplus that is not linear.
#[inline(always)]
pub fn softplus_of_minus_abs<I: Isa>(x: f64) -> f64 {
    ln_1p_of_unit::<I>(exp_nonpositive::<I, f64>(-x.abs()))
}

/// What gelu and its derivative share, for |z| cut at 39, where all of it has vanished.
struct Normal {
    /// The probability that a standard normal number is larger than |z|, times 2^100.
    tail_up: f64,
    /// e^(-z^2 / 2), times 2^100.
    bell_up: f64,
}

impl Normal {
    /// `T` is the type of the result, which decides how many terms are worth their time.
    ///
    /// (1 + a) e^(a^2 / 2) tail(a) is a polynomial in (a - 5) / (a + 5): M. M. Shepherd and J. G. Laframboise,
    /// Chebyshev Approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf, Math. Comp. 36 (1981), with other constants.
    #[inline(always)]
    fn of<I: Isa, T: Scalar>(z: f64) -> Self {
        let a = z.abs();
        // a^2 = head^2, exactly, + a correction.
        let head = a as f32 as f64;
        let bell = Decay::of_sum::<I>(-0.5 * head * head, -0.5 * (a - head) * (a + head));
        let bell_up = bell.value_up::<I>();
        let t = (a - 5.0) / (a + 5.0);
        let ratio = if T::SIGNIFICAND_BITS == f32::MANTISSA_DIGITS {
            horner::<I, f64, _>(
                t,
                [
                    -1.699319728433859e-5,
                    -3.9653426988306184e-5,
                    0.00019578887571533672,
                    -1.3020684164681252e-6,
                    -1.6857011338292518e-3,
                    0.006524944632881977,
                    -0.015167221680849434,
                    0.024536476764785157,
                    -0.02640152367168876,
                    0.010002390331200985,
                    0.031030394871307234,
                    -0.09155228281709916,
                    0.4615158296165785,
                ],
            )
        } else {
            horner::<I, f64, _>(
                t,
                [
                    6.977853529817876e-10,
                    3.85842664396118e-9,
                    4.671460594120754e-10,
                    -3.15331661349977e-8,
                    -2.1904088731002864e-8,
                    1.9823142744963456e-7,
                    1.2446424972233673e-7,
                    -1.3094663778009222e-6,
                    -6.870840793009092e-8,
                    9.060957396695391e-6,
                    -9.896596646259612e-6,
                    -5.360796559207013e-5,
                    0.0001823342409507628,
                    7.791677692089658e-6,
                    -0.0016760723557065838,
                    0.006522000657795178,
                    -0.015170415401794063,
                    0.02453696324435853,
                    -0.02640104296633004,
                    0.010002352385208245,
                    0.031030368425963913,
                    -0.09155228183400885,
                    0.46151582985003775,
                ],
            )
        };
        Normal { tail_up: bell_up * (ratio / (1.0 + a)), bell_up }
    }
}

/// z times the probability that a standard normal number is smaller than z.
#[inline(always)]
pub fn gelu<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_least(z.to_f64(), -39.0);
    let tail_up = Normal::of::<I, T>(at_most(z, 39.0)).tail_up;
    T::from_f64(if z < 0.0 { z * tail_up * DOWN } else { z * (1.0 - tail_up * DOWN) })
}

/// d gelu / dz.
#[inline(always)]
pub fn gelu_slope<I: Isa, T: Scalar>(z: T) -> T {
    const ROOT: f64 = 0.3989422804014327; // 1 / sqrt(2 pi)
    let z = at_most(at_least(z.to_f64(), -39.0), 39.0);
    let normal = Normal::of::<I, T>(z);
    let tail = normal.tail_up * DOWN;
    let below = if z < 0.0 { tail } else { 1.0 - tail };
    T::from_f64(I::fma(z, normal.bell_up * DOWN * ROOT, below))
}

/// tanh(softplus(z)) as a fraction of sums of positive terms, in w = e^-|z|.
struct Mish {
    numerator_up: f64,
    denominator: f64,
    w: f64,
    /// What `numerator_up` is to be multiplied by.
    scale: f64,
}

impl Mish {
    #[inline(always)]
    fn of<I: Isa>(z: f64) -> Self {
        let e = Decay::of::<I>(-z.abs());
        let w = e.value::<I>();
        let square = w * w;
        let (numerator_up, scale, rest) = if z < 0.0 {
            (e.value_up::<I>() * (w + 2.0), DOWN, 2.0)
        } else {
            (I::fma(2.0, w, 1.0), 1.0, square + square)
        };
        Mish { numerator_up, denominator: I::fma(numerator_up, scale, rest), w, scale }
    }
}

/// z tanh(softplus(z)).
#[inline(always)]
pub fn mish<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_least(z.to_f64(), Decay::floor());
    let m = Mish::of::<I>(z);
    T::from_f64(z * (m.numerator_up / m.denominator) * m.scale)
}

/// d mish / dz.
#[inline(always)]
pub fn mish_slope<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_most(at_least(z.to_f64(), Decay::floor()), -Decay::<f64>::floor());
    let m = Mish::of::<I>(z);
    let power = if z < 0.0 { m.w } else { m.w * m.w };
    let bend = 4.0 * z * power * (1.0 + m.w) / (m.denominator * m.denominator);
    T::from_f64(I::fma(m.numerator_up / m.denominator, m.scale, bend))
}
