//! The one pattern of which all registers of processors are made.

/// A register of the processor: its type, its element, and the intrinsics behind each operation.
macro_rules! register {
    (
        $name:ident, $raw:ident, $elem:ident, $lanes:literal, $half:ident, $splat:ident, $load:ident, $store:ident,
        [$add:ident $sub:ident $mul:ident $div:ident], $sqrt:ident,
        |$x:ident, $a:ident, $b:ident| fma $fma:expr, max $max:expr, min $min:expr
        $(, $upright:ident $(four $transpose_four:ident)?, $mask:ident $load_some:ident $store_some:ident)?
    ) => {
        /// A vector register.
        #[derive(Clone, Copy)]
        pub struct $name($raw);

        register!(@operators $name, Add add $add, Sub sub $sub, Mul mul $mul, Div div $div);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self::splat(-0.0) - self
            }
        }

        impl Vector for $name {
            type Elem = $elem;
            type Half = $half;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(x: $elem) -> Self {
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($splat(x)) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $elem) -> Self {
                // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                unsafe { $name($load(from)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $elem) {
                // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn fma(self, a: Self, b: Self) -> Self {
                let ($x, $a, $b) = (self.0, a.0, b.0);
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($fma) }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                let ($x, $a) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $name($max) }
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                let ($x, $a) = (self.0, other.0);
                // SAFETY: as above.
                unsafe { $name($min) }
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: as above.
                unsafe { $name($sqrt(self.0)) }
            }
            $(
                #[inline(always)]
                unsafe fn upright(from: *const $elem, stride: usize, to: *mut $elem, to_stride: usize) {
                    // SAFETY: the caller vouches for the memory, `dispatch` for the instruction set.
                    unsafe { $upright(from, stride, to, to_stride) }
                }
                $(
                    #[inline(always)]
                    unsafe fn transpose_four(from: *const $elem, stride: usize, to: *mut $elem, to_stride: usize) {
                        // SAFETY: as above.
                        unsafe { $transpose_four(from, stride, to, to_stride) }
                    }
                )?
                #[inline(always)]
                fn read(from: &[$elem]) -> Self {
                    assert!(from.len() <= $lanes);
                    // SAFETY: the mask leaves the numbers of the slice; `dispatch` has confirmed the instruction set.
                    unsafe { $name($load_some(((1u32 << from.len()) - 1) as $mask, from.as_ptr())) }
                }
                #[inline(always)]
                fn write(self, to: &mut [$elem]) {
                    assert!(to.len() <= $lanes);
                    // SAFETY: as above.
                    unsafe { $store_some(to.as_mut_ptr(), ((1u32 << to.len()) - 1) as $mask, self.0) }
                }
            )?
        }
    };
    (@operators $name:ident, $($op:ident $method:ident $intrinsic:ident),+) => {
        $(impl $op for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: this type is only used below `dispatch`, which has confirmed the instruction set.
                unsafe { $name($intrinsic(self.0, other.0)) }
            }
        })+
    };
}

pub(super) use register;
