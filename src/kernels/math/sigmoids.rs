//! Functions that are a quotient of exponentials, in the precision of their argument.

use super::exponential::{DOWN, Decay, at_least, at_most, choose};
use crate::scalar::Scalar;
use crate::simd::Isa;

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
