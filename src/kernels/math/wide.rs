//! Functions that lose digits on the way: computed in double precision for either type, with fewer terms for single.

use super::exponential::{DOWN, Decay, at_least, at_most, choose, fit, single};
use crate::scalar::Scalar;
use crate::simd::Isa;

/// (2 atanh(s) - 2 s) / s^3, in s^2, for 0 <= s <= 1/3.
const ATANH: ([f64; 5], [f64; 10]) = (
    [0.24300999482463403, 0.21427642248760642, 0.28616886064632363, 0.3999887770383724, 0.6666667562233548],
    [
        0.17018672089890778,
        0.08340050634772989,
        0.12106097567791064,
        0.13300972201222407,
        0.15386560024732864,
        0.1818174392035361,
        0.22222223969854556,
        0.2857142854785201,
        0.4000000000015726,
        0.6666666666666631,
    ],
);

/// (1 + a) e^(a^2 / 2) times the probability that a standard normal number is larger than a, in (a - 5) / (a + 5). For
/// single precision up to a = 15, for double up to 39.
const NORMAL: ([f64; 11], [f64; 23]) = (
    [
        0.0002040047124879973,
        -4.1620914491171914e-5,
        -0.0017092652433980564,
        0.006536688267621139,
        -0.015157586038008111,
        0.02453531341255663,
        -0.0264029279549091,
        0.010002419534496624,
        0.03103046371195793,
        -0.09155228286013319,
        0.4615158290848288,
    ],
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
);

/// ln(1 + e) for 0 <= e <= 1
#[inline(always)]
fn ln_1p_of_unit<I: Isa, P: Scalar>(e: f64) -> f64 {
    // 2 atanh(s) with s = e / (2 + e), and 2 s = e - s e, so the large term is exact.
    let s = e / (2.0 + e);
    let square = s * s;
    I::fma(-s, I::fma(-square, fit::<I, f64, P, _, _>(square, &ATANH), e), e)
}

/// ln(1 + e^-|x|), all of softplus that is not linear.
#[inline(always)]
pub fn softplus_of_minus_abs<I: Isa, P: Scalar>(x: f64) -> f64 {
    ln_1p_of_unit::<I, P>(Decay::of::<I, P>(-x.abs()).value::<I>())
}

/// ln cosh x
#[inline(always)]
pub fn ln_cosh<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let decay = Decay::of::<I, f64>(-2.0 * a);
    let (e, gone) = (decay.value::<I>(), decay.minus_one::<I>());
    // Near 0 it is ln(1 + sinh^2 a) / 2 with sinh^2 a = (1 - e)^2 / (4 e), which is below 1; elsewhere
    // a - ln 2 + ln(1 + e). Either logarithm is 2 atanh(s), and 2 s = e - s e.
    let near = a < 0.875;
    let square = gone * gone;
    let s = choose(near, square, e) / choose(near, I::fma(8.0, e, square), 2.0 + e);
    let linear = choose(near, 2.0 * s, I::fma(-s, e, e));
    let ln = I::fma(s * (s * s), fit::<I, f64, f64, _, _>(s * s, &ATANH), linear);
    choose(near, 0.5 * ln, a + (ln - std::f64::consts::LN_2))
}

/// ln(1 + e^x)
#[inline(always)]
pub fn softplus<I: Isa, T: Scalar>(x: T) -> T {
    let x = x.to_f64();
    T::from_f64(at_least(x, 0.0) + softplus_of_minus_abs::<I, T>(x))
}

/// What gelu and its derivative share, for |z| up to 39, where all of it has vanished.
struct Normal {
    /// The probability that a standard normal number is larger than |z|, times 2^100.
    tail_up: f64,
    /// e^(-z^2 / 2), times 2^100.
    bell_up: f64,
}

impl Normal {
    /// After M. M. Shepherd and J. G. Laframboise, Chebyshev Approximation of (1 + 2x) exp(x^2) erfc x in
    /// 0 <= x < inf, Math. Comp. 36 (1981), with other constants.
    #[inline(always)]
    fn of<I: Isa, P: Scalar>(z: f64) -> Self {
        let a = z.abs();
        let bell = if single::<P>() {
            Decay::of::<I, P>(-0.5 * a * a)
        } else {
            // a^2 is the square of its first digits, which is exact, and a correction.
            let head = a as f32 as f64;
            Decay::of_sum::<I, P>(-0.5 * head * head, -0.5 * (a - head) * (a + head))
        };
        let bell_up = bell.value_up::<I>();
        let ratio = fit::<I, f64, P, _, _>((a - 5.0) / (a + 5.0), &NORMAL);
        Normal { tail_up: bell_up * (ratio / (1.0 + a)), bell_up }
    }
}

/// z times the probability that a standard normal number is smaller than z.
#[inline(always)]
pub fn gelu<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_least(z.to_f64(), -39.0);
    let tail_up = Normal::of::<I, T>(at_most(z, 39.0)).tail_up;
    T::from_f64(choose(z < 0.0, z * tail_up * DOWN, z * (1.0 - tail_up * DOWN)))
}

/// d gelu / dz
#[inline(always)]
pub fn gelu_slope<I: Isa, T: Scalar>(z: T) -> T {
    const ROOT: f64 = 0.3989422804014327; // 1 / sqrt(2 pi)
    let z = at_most(at_least(z.to_f64(), -39.0), 39.0);
    let normal = Normal::of::<I, T>(z);
    let tail = normal.tail_up * DOWN;
    T::from_f64(I::fma(z, normal.bell_up * (DOWN * ROOT), choose(z < 0.0, tail, 1.0 - tail)))
}

/// tanh(softplus(z)) = `numerator` * `scale` / `denominator`, all sums of positive terms in w = e^-|z|.
struct Mish {
    w: f64,
    numerator: f64,
    scale: f64,
    denominator: f64,
}

impl Mish {
    #[inline(always)]
    fn of<I: Isa, P: Scalar>(z: f64) -> Self {
        let e = Decay::of::<I, P>(-z.abs());
        let w = e.value::<I>();
        let negative = z < 0.0;
        let scale = choose(negative, DOWN, 1.0);
        let numerator = choose(negative, e.value_up::<I>() * (w + 2.0), I::fma(2.0, w, 1.0));
        let rest = choose(negative, 2.0, 2.0 * w * w);
        Mish { w, numerator, scale, denominator: I::fma(numerator, scale, rest) }
    }
}

/// z tanh(softplus(z))
#[inline(always)]
pub fn mish<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_least(z.to_f64(), Decay::floor());
    let m = Mish::of::<I, T>(z);
    T::from_f64(z * (m.numerator / m.denominator) * m.scale)
}

/// d mish / dz
#[inline(always)]
pub fn mish_slope<I: Isa, T: Scalar>(z: T) -> T {
    let z = at_most(at_least(z.to_f64(), Decay::floor()), -Decay::<f64>::floor());
    let m = Mish::of::<I, T>(z);
    let inverse = 1.0 / m.denominator;
    let bend = 4.0 * z * choose(z < 0.0, m.w, m.w * m.w) * (1.0 + m.w) * inverse;
    T::from_f64(I::fma(m.numerator, m.scale, bend) * inverse)
}
