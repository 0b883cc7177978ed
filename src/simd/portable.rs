//! What every processor has: registers as plain arrays, which the compiler vectorises as far as the target allows.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::isa::{Isa, Kernel};
use super::vector::Vector;
use crate::scalar::Scalar;

/// No vector instructions named: the compiler takes what the target always has.
pub struct Portable;

impl Isa for Portable {
    type F32 = Lanes<f32, 4>;
    type F64 = Lanes<f64, 2>;
    const FMA: bool = false;
    const TILE_ROWS: usize = 4;
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

/// For numbers near the largest one: kernels that ask for it keep intermediate results from overflowing where the final one
/// would not. Its registers have one lane.
pub struct Careful;

impl Isa for Careful {
    type F32 = Lanes<f32, 1>;
    type F64 = Lanes<f64, 1>;
    const FMA: bool = true;
    const CAREFUL: bool = true;
    const FORGETFUL: bool = true;
    const TILE_ROWS: usize = 1;
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

/// For averages that keep less than half of what they were. Few do, and all others do without a look at that for each element; so it
/// is one more compilation, and not one for each instruction set.
pub struct Forgetful;

impl Isa for Forgetful {
    type F32 = Lanes<f32, 4>;
    type F64 = Lanes<f64, 2>;
    const FMA: bool = false;
    const FORGETFUL: bool = true;
    const TILE_ROWS: usize = 4;
    #[inline(never)]
    unsafe fn apart<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<Self>()
    }
}

/// A register as a plain array.
#[derive(Clone, Copy)]
pub struct Lanes<T, const N: usize>([T; N]);

impl<T: Scalar, const N: usize> Vector for Lanes<T, N> {
    type Elem = T;
    type Half = Self;
    const LANES: usize = N;

    #[inline(always)]
    fn splat(x: T) -> Self {
        Lanes([x; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller vouches for `N` readable numbers; an array has no stricter alignment than its elements.
        Lanes(unsafe { *from.cast::<[T; N]>() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as for `load`.
        unsafe { *to.cast::<[T; N]>() = self.0 }
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i] * a.0[i] + b.0[i]))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes(std::array::from_fn(|i| if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes(self.0.map(T::sqrt))
    }
}

macro_rules! operators_of_lanes {
    ($($op:ident $name:ident),+) => {
        $(impl<T: Scalar, const N: usize> $op for Lanes<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Lanes(std::array::from_fn(|i| self.0[i].$name(other.0[i])))
            }
        })+
    };
}
operators_of_lanes!(Add add, Sub sub, Mul mul, Div div);

impl<T: Scalar, const N: usize> Neg for Lanes<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lanes(self.0.map(T::neg))
    }
}
