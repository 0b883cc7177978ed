//! The one place that knows both `f32` and `f64`.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::simd::{Isa, Vector};

/// A floating-point number that arrays are made of.
pub trait Scalar:
    Copy
    + Default
    + Debug
    + Display
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// The vector register of an instruction set that holds this type.
    type Vector<I: Isa>: Vector<Elem = Self>;

    /// NumPy's name of the type.
    const NAME: &'static str;
    /// Bits of the significand, the hidden one included.
    const SIGNIFICAND_BITS: u32;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The smallest positive number that is not denormal.
    const MIN_POSITIVE: Self;

    /// The nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// Numbers that are kept in both precisions, in this one.
    fn of(both: &Both) -> &[Self];
    /// The same value, in double precision.
    fn to_f64(self) -> f64;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The larger of two; the other one where one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller of two; the other one where one is NaN.
    fn min(self, other: Self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// Neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// `self * a + b`, rounded once. Slow where the processor has no such instruction: kernels use [`Isa::fma`].
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// 2 to the power of the signed integer in the lowest bits of the representation of `self`, where adding
    /// 1.5 * 2^([`SIGNIFICAND_BITS`](Self::SIGNIFICAND_BITS) - 1) leaves it. The power must be a normal number.
    fn exp2_of_low_bits(self) -> Self;
}

/// Numbers in both precisions: constants that kernels of either read.
#[derive(Debug, Clone, Default)]
pub struct Both {
    single: Vec<f32>,
    double: Vec<f64>,
}

impl FromIterator<f64> for Both {
    fn from_iter<N: IntoIterator<Item = f64>>(numbers: N) -> Self {
        let double: Vec<_> = numbers.into_iter().collect();
        Both { single: double.iter().map(|&x| x as f32).collect(), double }
    }
}

macro_rules! scalar {
    ($t:ident, $name:literal, $vector:ident, $precision:ident) => {
        impl Scalar for $t {
            type Vector<I: Isa> = I::$vector;

            const NAME: &'static str = $name;
            const SIGNIFICAND_BITS: u32 = $t::MANTISSA_DIGITS;
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            const MAX: Self = $t::MAX;
            const MIN_POSITIVE: Self = $t::MIN_POSITIVE;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn of(both: &Both) -> &[Self] {
                &both.$precision
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $t::max(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                $t::min(self, other)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $t::copysign(self, sign)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn exp2_of_low_bits(self) -> Self {
                // The shift leaves only the integer, in the exponent's place; 1.0 brings the exponent's bias.
                $t::from_bits((self.to_bits() << (Self::SIGNIFICAND_BITS - 1)).wrapping_add((1.0 as $t).to_bits()))
            }
        }
    };
}

scalar!(f32, "float32", F32, single);
scalar!(f64, "float64", F64, double);
